/* The lists that tools keep: the keys of one, and what belongs together in it. */
#include <ctype.h>

#include "resolver/conf_keys.h"

#define FIELD(f) \
	.at = offsetof(struct conf_list, f), .size = sizeof(((struct conf_list *)0)->f)
#define COUNT(f) .count_at = offsetof(struct conf_list, f)
#define ROOM(f) (sizeof(((struct conf_list *)0)->f) - 1)

enum { STALE_INTERVALS = 3 }; /* without news for so many, something is wrong */

static const struct conf_word formats[] = {
	{"auto", FEED_AUTO},
	{"domains", FEED_DOMAINS},
	{"hosts", FEED_HOSTS},
	{"csv", FEED_CSV},
	{"rpz", FEED_RPZ},
	{"adblock", FEED_ADBLOCK},
	{"stix", FEED_STIX},
	{"misp", FEED_MISP},
	{"warninglist", FEED_WARNINGLIST},
	{"json", FEED_JSON},
	{NULL, 0},
};

static const struct conf_word modes[] = {
	{"live", BLOCKLIST_LIVE},
	{"monitor", BLOCKLIST_MONITOR},
	{"disabled", BLOCKLIST_OFF},
	{NULL, 0},
};

#define STORES "what the store has (list set)"

static const struct conf_key keys[] = {
	{
		.path = "name",
		.type = CONF_TEXT,
		FIELD(name),
		.min = 1,
		.max = ROOM(name),
		.def_note = "must be given",
		.help = "The list's name in the store: letters, digits, dots, dashes.",
	},
	{
		.path = "url",
		.type = CONF_TEXT,
		FIELD(url),
		.min = 1,
		.max = ROOM(url),
		.def_note = "this or primary must be given",
		.help = "Where sinkhole-blocklist update fetches the list: https://, "
			"http:// or file://. A redirect never leads from https to http "
			"or to a file.",
	},
	{
		.path = "interval",
		.type = CONF_SECONDS,
		FIELD(interval_s),
		.min = MINUTE,
		.max = 30 * DAY,
		.def = "1h",
		.with = "url",
		.help = "How often to fetch it, and up to a tenth longer. After a "
			"failure the next try is in 5 minutes, then twice as late each "
			"time, up to the interval or an hour.",
	},
	{
		.path = "max_size",
		.type = CONF_SIZE,
		FIELD(max_size_bytes),
		.min = 1 << 10,
		.max = UINT64_C(16) << 30,
		.def = "256M",
		.with = "url",
		.help = "A larger file is refused, unpacked where it comes compressed.",
	},
	{
		.path = "timeout",
		.type = CONF_SECONDS,
		FIELD(timeout_s),
		.min = 1,
		.max = 6 * HOUR,
		.def = "10m",
		.with = "url",
		.help = "Time for one fetch, redirects and all.",
	},
	{
		.path = "sha256",
		.type = CONF_TEXT,
		FIELD(sha256),
		.min = CONF_SHA256_LEN,
		.max = CONF_SHA256_LEN,
		.def_note = "none",
		.with = "url",
		.help = "The only content to take: 64 hexadecimal digits.",
	},
	{
		.path = "sha256_url",
		.type = CONF_TEXT,
		FIELD(sha256_url),
		.min = 1,
		.max = ROOM(sha256_url),
		.def_note = "none",
		.with = "url",
		.help = "Where the SHA-256 of the content stands, as sha256sum prints "
			"it.",
	},
	{
		.path = "headers",
		.type = CONF_TEXT,
		FIELD(headers),
		.min = 1,
		.max = ROOM(headers),
		.def_note = "none",
		.with = "url",
		.help = "File of lines KEY: VALUE to send with each request, such as an "
			"API key. Others must not be able to read it.",
	},
	{
		.path = "proxy",
		.type = CONF_TEXT,
		FIELD(proxy),
		.min = 1,
		.max = ROOM(proxy),
		.def_note = "none, whatever the environment says",
		.with = "url",
		.help = "Proxy to fetch through, such as http://192.0.2.8:3128.",
	},
	{
		.path = "ca",
		.type = CONF_TEXT,
		FIELD(ca),
		.min = 1,
		.max = ROOM(ca),
		.def_note = "the system's",
		.with = "url",
		.help = "File of the certificate authorities to trust, in PEM.",
	},
	{
		.path = "keep_copy",
		.type = CONF_BOOL,
		FIELD(keep_copy),
		.def = "true",
		.with = "url",
		.help = "Keep the last good file in feeds/ below the state folder, for "
			"sinkhole-blocklist update --from-copy.",
	},
	{
		.path = "format",
		.type = CONF_CHOICE,
		FIELD(format),
		.words = formats,
		.def = "auto",
		.with = "url",
		.help = "How to read it, as import --format.",
	},
	{
		.path = "columns",
		.type = CONF_TEXT,
		FIELD(columns),
		.min = 1,
		.max = ROOM(columns),
		.def_note = "by their headings",
		.with = "url",
		.help = "Which column of a CSV file holds what, as import --columns.",
	},
	{
		.path = "family",
		.type = CONF_TEXT,
		FIELD(family),
		.min = 1,
		.max = ROOM(family),
		.def_note = "none",
		.with = "url",
		.help = "Malware family of what comes without one.",
	},
	{
		.path = "exact",
		.type = CONF_BOOL,
		FIELD(exact),
		.def = "false",
		.with = "url",
		.help = "A name is only itself, without what is below it.",
	},
	{
		.path = "ports",
		.type = CONF_BOOL,
		FIELD(ports),
		.def = "false",
		.with = "url",
		.help = "Take ADDRESS:PORT as a rule about name servers there.",
	},
	{
		.path = "zone",
		.type = CONF_NAME,
		FIELD(zone),
		.def_note = "with url, what the file says; with primary it must be given",
		.help = "The response policy zone's name.",
	},
	{
		.path = "primary",
		.type = CONF_SERVERS,
		FIELD(primary),
		COUNT(primary_n),
		.min = 1,
		.max = CONF_SERVERS_MAX,
		.def_note = "this or url must be given",
		.help = "Servers that sinkhole-blocklist follow transfers the zone from, "
			"asked one after another.",
	},
	{
		.path = "tsig",
		.type = CONF_TEXT,
		FIELD(tsig),
		.min = 1,
		.max = ROOM(tsig),
		.def_note = "none",
		.with = "primary",
		.help = "File of the key that signs transfers, "
			"hmac-sha256:NAME:SECRET. Others must not be able to read it.",
	},
	{
		.path = "stale_after",
		.type = CONF_SECONDS,
		FIELD(stale_after_s),
		.max = 365 * DAY,
		.def_note = "three intervals; no limit with primary",
		.help = "A list without good news for longer is told as stale; 0 = no "
			"limit. It acts until its lease ends.",
	},
	{
		.path = "precedence",
		.type = CONF_NUMBER,
		FIELD(precedence),
		.max = UINT16_MAX,
		.def_note = STORES,
		.help = "The list of the lower number wins.",
	},
	{
		.path = "mode",
		.type = CONF_CHOICE,
		FIELD(mode),
		.words = modes,
		.def_note = STORES,
		.help = "Whether the list acts, only watches, or does neither.",
	},
	{
		.path = "action",
		.type = CONF_ACTION,
		FIELD(action),
		.def_note = STORES,
		.help = "What its rules do; given: what each says itself.",
	},
	{
		.path = "lease",
		.type = CONF_SECONDS,
		FIELD(lease_s),
		.min = MINUTE,
		.max = 3650 * DAY,
		.def_note = STORES,
		.with = "url",
		.help = "How long its rules act after the last good news from the "
			"source.",
	},
	{
		.path = "ede",
		.type = CONF_NUMBER,
		FIELD(ede),
		.max = UINT16_MAX,
		.def_note = STORES,
		.help = "Code of the Extended DNS Error in its answers (RFC 8914).",
	},
	{
		.path = "max_shrink",
		.type = CONF_NUMBER,
		FIELD(max_shrink),
		.min = 1,
		.max = 100,
		.def_note = STORES,
		.help = "Percent of its rules that an import may take out, without "
			"--force.",
	},
	{
		.path = "max_growth",
		.type = CONF_NUMBER,
		FIELD(max_growth),
		.min = 1,
		.max = BLOCKLIST_GROWTH_MAX,
		.def_note = STORES,
		.help = "Percent of its rules that an import may add.",
	},
	{
		.path = "public",
		.type = CONF_TEXT,
		FIELD(public_text),
		.min = 1,
		.max = ROOM(public_text),
		.def_note = STORES,
		.help = "What clients may be told about the list.",
	},
};
const struct conf_table conf_of_list = {keys, sizeof keys / sizeof *keys};
_Static_assert(sizeof keys / sizeof *keys <= CONF_KEYS_MAX,
	       "CONF_KEYS_MAX is the size of arrays by key");

/* ---- one list ---- */

/* What the element says that is being checked. */
struct check {
	const struct conf *conf;
	struct conf_list *list;
	const int *lines;
	int *key;
	char *why;
	size_t size;
};

static int blame(const struct check *c, const char *key, const char *text)
{
	*c->key = conf_find_in(&conf_of_list, key);
	snprintf(c->why, c->size, "%s", text);
	return ERR_INVAL;
}

static bool given(const struct check *c, const char *key)
{
	return c->lines[conf_find_in(&conf_of_list, key)] != 0;
}

/* The name becomes a file's, and a word of command lines. */
static int check_name(const struct check *c)
{
	const char *name = c->list->name;
	if (!*name)
		return blame(c, "name", "the list has no name; give it one");
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) &&
		    (p == name || !strchr("._-", *p) || (unsigned char)*p > 0x7e))
			return blame(c, "name",
				     "a list's name has letters, digits, '.', '_' and "
				     "'-', and begins with a letter or digit");
	for (const struct conf_list *l = c->conf->lists; l != c->list; l++)
		if (!strcmp(l->name, name))
			return blame(c, "name", "two lists have this name; remove one");
	return ERR_OK;
}

static int check_source(const struct check *c)
{
	static const char *const schemes[] = {"https://", "http://", "file://"};
	const struct conf_list *l = c->list;
	bool known = false;
	if (given(c, "url") == given(c, "primary"))
		return blame(c, given(c, "url") ? "primary" : "url",
			     given(c, "url") ? "a list has a url or a primary, not both; "
					       "remove one"
					     : "where the list comes from is missing; "
					       "give url or primary");
	if (l->primary_n)
		return *l->zone ? ERR_OK
				: blame(c, "zone",
					"which zone to transfer is missing; give "
					"zone: rpz.example");
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		known = known || !strncmp(l->url, schemes[i], strlen(schemes[i]));
	return known ? ERR_OK
		     : blame(c, "url",
			     "a list's URL begins with https://, http:// or file://");
}

static int check_with(const struct check *c)
{
	for (int i = 0; i < conf_of_list.n; i++) {
		const struct conf_key *k = &conf_of_list.key[i];
		if (!c->lines[i] || !k->with || given(c, k->with))
			continue;
		*c->key = i;
		snprintf(c->why, c->size, "this is for lists with %s; remove it",
			 k->with);
		return ERR_INVAL;
	}
	return ERR_OK;
}

static int check_hash(const struct check *c)
{
	const char *hash = c->list->sha256;
	if (hash[strspn(hash, "0123456789abcdefABCDEF")])
		return blame(c, "sha256", "a SHA-256 is 64 hexadecimal digits");
	if (*hash && c->list->sha256_url[0])
		return blame(c, "sha256_url",
			     "sha256 already says what to take; remove one");
	return ERR_OK;
}

int conf_list_complete(const struct conf *conf, const int *lines, int *key, char *why,
		       size_t size)
{
	struct conf_list *l = &conf->lists[conf->lists_n];
	const struct check c = {conf, l, lines, key, why, size};
	int err = check_name(&c);
	if (!err)
		err = check_source(&c);
	if (!err)
		err = check_with(&c);
	if (!err)
		err = check_hash(&c);
	if (!given(&c, "stale_after"))
		l->stale_after_s = l->primary_n ? 0 : STALE_INTERVALS * l->interval_s;
	return err;
}

const struct conf_list *conf_list_named(const struct conf *c, const char *name)
{
	for (int i = 0; i < c->lists_n; i++)
		if (!strcmp(c->lists[i].name, name))
			return &c->lists[i];
	return NULL;
}
