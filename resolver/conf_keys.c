#include <ctype.h>
#include <limits.h>
#include <stdarg.h>

#include "resolver/conf_keys.h"

#define FIELD(f) .at = offsetof(struct conf, f), .size = sizeof(((struct conf *)0)->f)
#define COUNT(f) .count_at = offsetof(struct conf, f)

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
enum { MINUTE = 60, HOUR = 3600, DAY = 86400, YEAR = 365 * DAY };

static const struct conf_word sink_actions[] = {
	{"address", RULE_ADDRESS}, {"nxdomain", RULE_NXDOMAIN}, {"nodata", RULE_NODATA},
	{"refuse", RULE_REFUSE},   {"drop", RULE_DROP},		{NULL, 0},
};

static const struct conf_word qmin_modes[] = {
	{"off", CONF_QMIN_OFF},
	{"relaxed", CONF_QMIN_RELAXED},
	{"strict", CONF_QMIN_STRICT},
	{NULL, 0},
};

const struct conf_key conf_keys[] = {
	{
		.path = "listen",
		.type = CONF_LISTEN,
		FIELD(listen),
		COUNT(listen_n),
		.min = 1,
		.max = CONF_LISTEN_MAX,
		.def = "[127.0.0.1@5300, \"::1@5300\"]",
		.restart = true,
		.help = "Addresses to answer on, over UDP and TCP; port 53 unless told. "
			"An "
			"element may be {address: ADDRESS@PORT, proxy: false}.",
	},
	{
		.path = "workers",
		.type = CONF_NUMBER,
		FIELD(workers),
		.min = 1,
		.max = CONF_WORKERS_MAX,
		.def_note = "one per processor",
		.restart = true,
		.help = "Threads that answer.",
	},
	{
		.path = "allow",
		.type = CONF_NETS,
		FIELD(allow),
		.max = CONF_NET_MAX,
		.def = "[127.0.0.0/8, \"::1/128\"]",
		.help = "Clients that are served; all others get REFUSED.",
	},
	{
		.path = "state",
		.type = CONF_TEXT,
		FIELD(state),
		.min = 1,
		.max = CONF_PATH_MAX - 1,
		.def = "/var/lib/sinkholed",
		.restart = true,
		.help = "Folder that holds blocklist/ and hits/.",
	},
	{
		.path = "runtime",
		.type = CONF_TEXT,
		FIELD(runtime),
		.min = 1,
		.max = CONF_PATH_MAX - 1,
		.def_note = "the folder of state",
		.restart = true,
		.help = "Folder of control.sock and of the hit rings. It must outlive "
			"the "
			"process: hits not yet in the log are read from there at the "
			"next "
			"start.",
	},
	{
		.path = "user",
		.type = CONF_TEXT,
		FIELD(user),
		.max = 63,
		.def = "sinkholed",
		.restart = true,
		.help = "User to become once the addresses are bound, when started as "
			"root; "
			"\"\" to stay root.",
	},
	{
		.path = "node",
		.type = CONF_TEXT,
		FIELD(node),
		.min = 1,
		.max = CONF_NODE_MAX - 1,
		.def_note = "the host name",
		.restart = true,
		.help = "Name of this machine in hit records.",
	},
	{
		.path = "nsid",
		.type = CONF_TEXT,
		FIELD(nsid),
		.max = CONF_NSID_MAX - 1,
		.def = "\"\"",
		.help = "What clients are told who ask which server answers (NSID, RFC "
			"5001); \"\" to tell nobody.",
	},
	{
		.path = "sinkhole.action",
		.type = CONF_CHOICE,
		FIELD(sinkhole.action),
		.words = sink_actions,
		.def = "address",
		.help = "What a listed name is answered with when neither its entry nor "
			"its "
			"list says.",
	},
	{
		.path = "sinkhole.ipv4",
		.type = CONF_IPV4,
		FIELD(sinkhole.ipv4),
		.def = "192.0.2.1",
		.help = "The address in A answers; the default is a documentation "
			"address "
			"that leads nowhere.",
	},
	{
		.path = "sinkhole.ipv6",
		.type = CONF_IPV6,
		FIELD(sinkhole.ipv6),
		.def = "\"2001:db8::1\"",
		.help = "The address in AAAA answers.",
	},
	{
		.path = "sinkhole.ttl",
		.type = CONF_SECONDS,
		FIELD(sinkhole.ttl_s),
		.max = HOUR,
		.def = "30s",
		.help = "How long clients may keep a sinkhole answer, and so how long a "
			"wrong entry hurts after its removal.",
	},
	{
		.path = "recursion.root_hints",
		.type = CONF_TEXT,
		FIELD(recursion.root_hints),
		.max = CONF_PATH_MAX - 1,
		.def = "\"\"",
		.def_note = "built in",
		.restart = true,
		.help = "File in zone format with the root servers' NS, A and AAAA "
			"records; "
			"nothing built in is used beside it.",
	},
	{
		.path = "recursion.trust_anchor",
		.type = CONF_TEXT,
		FIELD(recursion.trust_anchor),
		.max = CONF_PATH_MAX - 1,
		.def_note = "built in",
		.restart = true,
		.help = "File of DS or DNSKEY lines of any zones; \"\" for no "
			"validation. What it holds is read again by sinkholectl reload; "
			"new keys of these zones are followed (RFC 5011).",
	},
	{
		.path = "recursion.validate_sha1",
		.type = CONF_BOOL,
		FIELD(recursion.validate_sha1),
		.def = "false",
		.help = "Signatures of algorithms 5 and 7 count, too; by default a zone "
			"that has no others counts as unsigned, RFC 9905.",
	},
	{
		.path = "recursion.aggressive_nsec",
		.type = CONF_BOOL,
		FIELD(recursion.aggressive_nsec),
		.def = "true",
		.restart = true,
		.help = "Deny names, or answer them from a wildcard, without asking, "
			"where "
			"what a signed zone has proved about others does (RFC 8198).",
	},
	{
		.path = "recursion.negative_trust_anchors",
		.type = CONF_NAMES,
		FIELD(recursion.negative_trust_anchors),
		COUNT(recursion.negative_trust_anchors_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones that are not validated. For a while only: sinkholectl "
			"nta.",
	},
	{
		.path = "recursion.port",
		.type = CONF_NUMBER,
		FIELD(recursion.port),
		.min = 1,
		.max = 65535,
		.def = "53",
		.help = "Port of upstream servers; other values are for labs.",
	},
	{
		.path = "recursion.ipv4",
		.type = CONF_BOOL,
		FIELD(recursion.ipv4),
		.def = "true",
		.help = "Ask servers over IPv4.",
	},
	{
		.path = "recursion.ipv6",
		.type = CONF_BOOL,
		FIELD(recursion.ipv6),
		.def = "true",
		.help = "Ask servers over IPv6.",
	},
	{
		.path = "recursion.source",
		.type = CONF_SOURCES,
		FIELD(recursion.source4),
		.max = 2,
		.def = "[]",
		.def_note = "any",
		.help = "Addresses to ask from, at most one IPv4 and one IPv6.",
	},
	{
		.path = "recursion.qname_minimisation",
		.type = CONF_CHOICE,
		FIELD(recursion.qname_minimisation),
		.words = qmin_modes,
		.def = "relaxed",
		.help = "Ask each server only for the labels it needs (RFC 9156). "
			"relaxed asks for the whole name where a server denies or "
			"cannot answer a part of it; strict believes denials, and asks "
			"for it when no server of the zone answers for the part.",
	},
	{
		.path = "recursion.case_randomisation",
		.type = CONF_BOOL,
		FIELD(recursion.case_randomisation),
		.def = "true",
		.help = "Random case in names asked, against forged replies.",
	},
	{
		.path = "recursion.permit_private",
		.type = CONF_NETS,
		FIELD(recursion.permit_private),
		.max = CONF_NET_MAX,
		.def = "[]",
		.help = "Prefixes of name servers that are asked though private, "
			"loopback or "
			"reserved.",
	},
	{
		.path = "recursion.local_zones",
		.type = CONF_BOOL,
		FIELD(recursion.local_zones),
		.def = "true",
		.help = "Answer the zones of RFC 6303 and the special-use names here.",
	},
	{
		.path = "recursion.stub",
		.type = CONF_ZONES,
		FIELD(recursion.stub),
		COUNT(recursion.stub_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones whose servers are given: {zone: corp.example, servers: "
			"[192.0.2.53]}. These servers need no permit_private. With "
			"first: true in an entry its names are looked up as if it "
			"were not given when these servers fail; what is denied then "
			"is kept 30s at most.",
	},
	{
		.path = "recursion.forward",
		.type = CONF_ZONES,
		FIELD(recursion.forward),
		COUNT(recursion.forward_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones asked of other resolvers: {zone: ., servers: "
			"[192.0.2.1@53]}. first: true as for stub.",
	},
	{
		.path = "answers.minimal",
		.type = CONF_BOOL,
		FIELD(answers.minimal),
		.def = "true",
		.help = "Leave out authority and additional records nobody needs.",
	},
	{
		.path = "answers.max_wait",
		.type = CONF_MS,
		FIELD(answers.max_wait_ms),
		.max = MINUTE * 1000,
		.def = "1900ms",
		.help = "No UDP answer later than this; 0 = any.",
	},
	{
		.path = "rebinding.enabled",
		.type = CONF_BOOL,
		FIELD(rebinding.enabled),
		.def = "false",
		.help = "Refuse to answer with private addresses, in A and AAAA records "
			"or in address hints, to questions about public names.",
	},
	{
		.path = "rebinding.prefixes",
		.type = CONF_NETS,
		FIELD(rebinding.prefixes),
		.max = CONF_NET_MAX,
		.def = "[0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, "
		       "169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, \"::/96\", "
		       "\"fc00::/7\", \"fe80::/10\"]",
		.help = "What counts as private then. IPv4 in IPv6 dress counts as the "
			"IPv4.",
	},
	{
		.path = "rebinding.exempt",
		.type = CONF_NAMES,
		FIELD(rebinding.exempt),
		COUNT(rebinding.exempt_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones whose names may have private addresses, such as a stub "
			"zone's.",
	},
	{
		.path = "serve_stale.enabled",
		.type = CONF_BOOL,
		FIELD(serve_stale.enabled),
		.def = "false",
		.restart = true,
		.help = "Answer from expired data when no server can be reached (RFC "
			"8767); never against a rule.",
	},
	{
		.path = "serve_stale.client_timeout",
		.type = CONF_MS,
		FIELD(serve_stale.client_timeout_ms),
		.max = MINUTE * 1000,
		.def = "1800ms",
		.help = "How long to try before a stale answer; 0 = not at all. The "
			"look-up goes on.",
	},
	{
		.path = "serve_stale.ttl",
		.type = CONF_SECONDS,
		FIELD(serve_stale.ttl_s),
		.min = 1,
		.max = HOUR,
		.def = "30s",
		.help = "TTL of stale answers.",
	},
	{
		.path = "serve_stale.max_age",
		.type = CONF_SECONDS,
		FIELD(serve_stale.max_age_s),
		.max = 30 * DAY,
		.def = "86400s",
		.restart = true,
		.help = "How long after its expiry data may be used.",
	},
	{
		.path = "cache.size",
		.type = CONF_SIZE,
		FIELD(cache.size_bytes),
		.min = 12 * MIB, /* conf_cache_least(1) */
		.max = TIB,
		.def = "256M",
		.def_note = "256M, or the least that the workers need",
		.restart = true,
		.help = "Memory for cached answers and records, and the resolver's own "
			"tables: at least 8M and 4M more for each worker. Questions "
			"under way may take a quarter more.",
	},
	{
		.path = "cache.min_ttl",
		.type = CONF_SECONDS,
		FIELD(cache.min_ttl_s),
		.max = HOUR,
		.def = "0s",
		.restart = true,
		.help = "Keep records at least this long, whatever their TTL.",
	},
	{
		.path = "cache.max_ttl",
		.type = CONF_SECONDS,
		FIELD(cache.max_ttl_s),
		.min = 1,
		.max = 7 * DAY,
		.def = "86400s",
		.restart = true,
		.help = "Keep records at most this long.",
	},
	{
		.path = "cache.prefetch",
		.type = CONF_BOOL,
		FIELD(cache.prefetch),
		.def = "false",
		.help = "Look a name up again when it is asked for in the last tenth of "
			"its TTL: popular names stay cached, for about a tenth more "
			"questions to their servers.",
	},
	{
		.path = "hits.retention",
		.type = CONF_SECONDS,
		FIELD(hits.retention_s),
		.min = HOUR,
		.max = 10U * YEAR,
		.def = "90d",
		.restart = true,
		.help = "Hits older than this are deleted.",
	},
	{
		.path = "hits.max_size",
		.type = CONF_SIZE,
		FIELD(hits.max_size_bytes),
		.min = MIB,
		.max = 1024 * TIB,
		.def = "20G",
		.restart = true,
		.help = "The oldest hits are deleted when the log is larger than this.",
	},
	{
		.path = "follow.listen",
		.type = CONF_SERVERS,
		FIELD(follow.listen),
		COUNT(follow.listen_n),
		.max = CONF_LISTEN_MAX,
		.def = "[]",
		.help = "Where sinkhole-blocklist follow takes NOTIFY of the primaries "
			"of lists, over UDP and TCP. Without it, it learns of changes "
			"when it asks, as often as the zones say.",
	},
	{
		.path = "gates.own_names",
		.type = CONF_NAMES,
		FIELD(gates.own_names),
		COUNT(gates.own_names_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Your own domains: no list may have them, what is below them, or "
			"a rule that covers them.",
	},
	{
		.path = "gates.own_nets",
		.type = CONF_NETS,
		FIELD(gates.own_nets),
		.max = CONF_NET_MAX,
		.def = "[]",
		.help = "Your own prefixes, the same. The sinkhole's addresses, servers "
			"of stub and forward zones and root servers need no mention.",
	},
	{
		.path = "gates.popular",
		.type = CONF_TEXT,
		FIELD(gates.popular),
		.max = CONF_PATH_MAX - 1,
		.def = "\"\"",
		.help = "File of popular names, such as Tranco's: a name a line, or "
			"RANK,NAME. A change that would block one of them is refused.",
	},
	{
		.path = "gates.max_shrink",
		.type = CONF_NUMBER,
		FIELD(gates.max_shrink),
		.min = 1,
		.max = 100,
		.def = "20",
		.help = "An import that takes more than this share of a list's rules out "
			"is refused: percent, 100 = never.",
	},
	{
		.path = "gates.max_growth",
		.type = CONF_NUMBER,
		FIELD(gates.max_growth),
		.min = 1,
		.max = 50000, /* BLOCKLIST_GROWTH_MAX */
		.def = "200",
		.help = "An import that adds more than this share of a list's rules is "
			"refused: percent, 50000 = never.",
	},
	{
		.path = "lists",
		.type = CONF_LISTS,
		FIELD(lists),
		COUNT(lists_n),
		.max = CONF_LISTS_MAX,
		.def = "[]",
		.help = "Lists that sinkhole-blocklist update fetches, or follow "
			"transfers. What such an element says of a list stands above "
			"what the store has: list set refuses these settings. Keys of "
			"an element:",
	},
};
const int conf_keys_n = sizeof conf_keys / sizeof *conf_keys;
const struct conf_table conf_whole = {conf_keys, sizeof conf_keys / sizeof *conf_keys};
_Static_assert(sizeof conf_keys / sizeof *conf_keys <= CONF_KEYS_MAX,
	       "CONF_KEYS_MAX is the size of arrays by key");

int conf_find_in(const struct conf_table *t, const char *path)
{
	for (int i = 0; i < t->n; i++)
		if (!strcmp(t->key[i].path, path))
			return i;
	return -1;
}

int conf_find(const char *path)
{
	return conf_find_in(&conf_whole, path);
}

/* ---- numbers with units ---- */

struct unit {
	const char *text;
	uint64_t scale;
};

static const struct unit sizes[] = {
	{"", 1},    {"B", 1},	  {"K", KIB},	{"M", MIB},	     {"G", 1024 * MIB},
	{"T", TIB}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {"TiB", TIB},
	{NULL, 0},
};

/* In milliseconds; a bare number is in the key's own unit. */
static const struct unit durations[] = {
	{"ms", 1},	    {"s", 1000},       {"m", 1000 * MINUTE},
	{"h", 1000 * HOUR}, {"d", 1000 * DAY}, {"w", UINT64_C(7000) * DAY},
	{NULL, 0},
};

static uint64_t unit_scale(const struct unit *units, const char *text)
{
	for (; units->text; units++)
		if (!strcmp(units->text, text))
			return units->scale;
	return 0;
}

/* The key's own unit, in the smallest unit of its table. */
static uint64_t natural(const struct conf_key *k)
{
	return k->type == CONF_SECONDS ? 1000 : 1;
}

int conf_number(uint64_t *out, const struct conf_key *k, const char *text)
{
	uint64_t v = 0, scale = natural(k);
	const char *p = text;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return ERR_RANGE;
	if (p == text)
		return ERR_FORMAT;
	if (*p) {
		if (k->type == CONF_NUMBER)
			return ERR_FORMAT;
		scale = unit_scale(k->type == CONF_SIZE ? sizes : durations, p);
		if (!scale)
			return ERR_FORMAT;
	}
	if (__builtin_mul_overflow(v, scale, &v) || v % natural(k))
		return ERR_RANGE;
	*out = v / natural(k);
	return ERR_OK;
}

/* ---- words for a person ---- */

/* The largest unit that divides v, so that 90 days read as 90d. */
static void number_text(char *out, size_t size, const struct conf_key *k, uint64_t v)
{
	const struct unit *units = k->type == CONF_SIZE ? sizes : durations;
	const struct unit *best = units; /* scale 1 */
	uint64_t small = v * natural(k);
	if (k->type == CONF_NUMBER || v == 0) {
		snprintf(out, size, "%llu", (unsigned long long)v);
		return;
	}
	for (const struct unit *u = units; u->text; u++)
		if (small % u->scale == 0 && u->scale > best->scale)
			best = u;
	snprintf(out, size, "%llu%s", (unsigned long long)(small / best->scale),
		 best->text);
}

void conf_range(char *out, size_t size, const struct conf_key *k)
{
	char lo[32], hi[32];
	*out = 0;
	if (k->type > CONF_MS || k->type == CONF_BOOL)
		return;
	number_text(lo, sizeof lo, k, k->min);
	number_text(hi, sizeof hi, k, k->max);
	snprintf(out, size, "%s to %s", lo, hi);
}

static void append(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void append(char *out, size_t size, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out + n, size - n, fmt, ap);
	va_end(ap);
}

void conf_describe(char *out, size_t size, const struct conf_key *k)
{
	static const char *const text[] = {
		[CONF_BOOL] = "true or false",
		[CONF_NUMBER] = "a whole number",
		[CONF_SIZE] = "a size in bytes or with K, M, G or T, such as 256M",
		[CONF_SECONDS] = "seconds or a duration such as 30s, 2h or 90d",
		[CONF_MS] = "milliseconds or a duration such as 1900ms or 2s",
		[CONF_TEXT] = "a text",
		[CONF_CHOICE] = "one of",
		[CONF_ACTION] = "given, address, nxdomain, nodata, refuse, drop, "
				"passthru, tcp-only or cname=NAME",
		[CONF_NAME] = "a domain name",
		[CONF_IPV4] = "an IPv4 address such as 192.0.2.1",
		[CONF_IPV6] = "an IPv6 address in quotes, such as \"2001:db8::1\"",
		[CONF_LISTEN] = "a list of ADDRESS@PORT, such as [192.0.2.1@53, "
				"\"2001:db8::1@53\"]",
		[CONF_SOURCES] =
			"a list of addresses, such as [192.0.2.1, \"2001:db8::1\"]",
		[CONF_NETS] = "a list of prefixes, such as [192.0.2.0/24, "
			      "\"2001:db8::/32\"]",
		[CONF_NAMES] = "a list of zones, such as [corp.example]",
		[CONF_ZONES] = "a list of zones with servers, such as [{zone: "
			       "corp.example, servers: [192.0.2.53]}]",
		[CONF_SERVERS] = "a list of ADDRESS or ADDRESS@PORT, such as "
				 "[192.0.2.53]",
		[CONF_LISTS] = "a list of lists, such as [{name: isac, url: "
			       "\"https://lists.example.net/isac.txt\"}]",
	};
	snprintf(out, size, "%s", text[k->type]);
	if (k->type != CONF_CHOICE)
		return;
	for (const struct conf_word *w = k->words; w->text; w++)
		append(out, size, "%s %s", w == k->words ? "" : ",", w->text);
}

/* ---- the nearest key ---- */

enum { PATH_LEN = 64 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Levenshtein distance, in one row. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[PATH_LEN + 1];
	size_t bn = strlen(b);
	if (strlen(a) > PATH_LEN || bn > PATH_LEN)
		return UINT_MAX;
	for (size_t j = 0; j <= bn; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0]++;
		for (size_t j = 0; j < bn; j++) {
			unsigned same = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = least(same, diagonal + 1, row[j] + 1);
		}
	}
	return row[bn];
}

static const char *last_word(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

const char *conf_nearest(char *out, size_t size, const struct conf_table *t,
			 const char *path)
{
	unsigned best = (unsigned)strlen(path) / 3 + 1;
	*out = 0;
	for (int i = 0; i < t->n; i++) {
		char group[PATH_LEN];
		const char *key = t->key[i].path, *dot = strchr(key, '.');
		unsigned d = distance(path, key);
		if (d < best) {
			best = d;
			snprintf(out, size, "%s", key);
		}
		if (!dot)
			continue;
		snprintf(group, sizeof group, "%.*s", (int)(dot - key), key);
		d = distance(path, group);
		if (d < best) {
			best = d;
			snprintf(out, size, "%s", group);
		}
	}
	/* A right word in the wrong place. */
	for (int i = 0; !*out && i < t->n; i++)
		if (!strcmp(last_word(path), last_word(t->key[i].path)))
			snprintf(out, size, "%s", t->key[i].path);
	return *out ? out : NULL;
}

/* ---- help ---- */

enum { HELP_WIDTH = 78 };

/* One comment, wrapped at words. */
static void comment(FILE *out, const char *indent, const char *text)
{
	size_t col = 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		if (col == 0 || col + 1 + n > HELP_WIDTH) {
			col = (size_t)fprintf(out, "%s%s#", col ? "\n" : "", indent) -
			      (col ? 1 : 0);
		}
		col += (size_t)fprintf(out, " %.*s", (int)n, p);
		p += n + strspn(p + n, " ");
	}
	putc('\n', out);
}

/* "a whole number, 1 to 256; default one per processor; needs a restart" */
static void facts(char *out, size_t size, const struct conf_key *k)
{
	char range[80];
	conf_describe(out, size, k);
	conf_range(range, sizeof range, k);
	if (*range)
		append(out, size, ", %s", range);
	if (k->def_note)
		append(out, size, "; default: %s", k->def_note);
	else
		append(out, size, "; default: %s", k->def);
	if (k->restart)
		append(out, size, "; needs a restart");
}

/* Prints the group's line where a new group begins; returns the key's indentation. */
static const char *help_group(FILE *out, const char *path, const char **group)
{
	const char *dot = strchr(path, '.');
	size_t n = dot ? (size_t)(dot - path) : 0;
	if (!dot)
		return "";
	if (!*group || strncmp(*group, path, n + 1) != 0)
		fprintf(out, "%.*s:\n", (int)n, path);
	*group = path;
	return "  ";
}

/* What is worked out stands as a comment. */
static void help_key(FILE *out, const char *indent, const struct conf_key *k)
{
	char text[512];
	comment(out, indent, k->help);
	facts(text, sizeof text, k);
	comment(out, indent, text);
	fprintf(out, "%s%s%s: %s\n", indent, k->def ? "" : "#", last_word(k->path),
		k->def ? k->def : "...");
}

/* An element of lists, behind a mark that makes all of it a comment. */
static void help_list(FILE *out)
{
	for (int i = 0; i < conf_of_list.n; i++) {
		fputs("#\n", out);
		help_key(out, "#   ", &conf_of_list.key[i]);
	}
}

void conf_help(FILE *out)
{
	const char *group = NULL;
	fputs("# sinkholed configuration: every key with its default. JSON works too.\n"
	      "# Sizes: K, M, G and T are powers of 1024. Durations: ms, s, m, h, d, w.\n"
	      "# IPv6 addresses need quotes. Try a file with: sinkholed --check -c "
	      "FILE\n",
	      out);
	for (int i = 0; i < conf_keys_n; i++) {
		putc('\n', out);
		help_key(out, help_group(out, conf_keys[i].path, &group), &conf_keys[i]);
	}
	help_list(out);
}

/* A word as mdoc takes it literally; at the start of a line a dot would be a macro. */
static size_t mdoc_word(FILE *out, const char *word, size_t n, bool first)
{
	size_t shown = n;
	if (first && (*word == '.' || *word == '\''))
		shown += (size_t)fprintf(out, "\\&");
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\\' || word[i] == '"')
			shown += (size_t)fprintf(out, word[i] == '"' ? "\\(dq" : "\\e") -
				 1;
		else
			putc(word[i], out);
	}
	return shown;
}

/* Text, wrapped at words; in mdoc a new sentence is a new line. */
static void mdoc_text(FILE *out, const char *text)
{
	size_t col = 0;
	bool sentence = true;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		bool first = sentence || col + 1 + n > HELP_WIDTH - 8;
		if (p != text)
			putc(first ? '\n' : ' ', out);
		col = (first ? 0 : col + 1) + mdoc_word(out, p, n, first);
		sentence = n > 1 && p[n - 1] == '.';
		p += n + strspn(p + n, " ");
	}
	putc('\n', out);
}

static void mdoc_table(FILE *out, const struct conf_table *t)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (int i = 0; i < t->n; i++) {
		const struct conf_key *k = &t->key[i];
		char text[512];
		fprintf(out, ".It Cm %s\n", k->path);
		mdoc_text(out, k->help);
		facts(text, sizeof text, k);
		append(text, sizeof text, ".");
		text[0] = (char)toupper((unsigned char)text[0]);
		mdoc_text(out, text);
		if (k->type == CONF_LISTS)
			mdoc_table(out, &conf_of_list);
	}
	fputs(".El\n", out);
}

void conf_help_mdoc(FILE *out)
{
	mdoc_table(out, &conf_whole);
}
