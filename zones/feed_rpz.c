#include "include/wire.h"
#include "zones/feed_parse.h"

/* Response policy zones as zone files, RFC 1035 5. The lines that feeds are made of, an
 * owner and a CNAME, are read here; the data of all other records goes through
 * feed_rdata(). */

enum {
	TTL_S = 60, /* of data where nothing tells one; answers give no more either */
};

struct rpz {
	uint8_t zone[DNS_NAME_MAX];   /* root while it is not known */
	uint8_t origin[DNS_NAME_MAX]; /* $ORIGIN; root while it is not known */
	bool zone_known, soa_seen;
	uint8_t owner[DNS_NAME_MAX]; /* absolute; of the last record */
	bool owner_absolute;	     /* was written with a dot at the end */
	bool owner_known;
	uint32_t zone_ttl, last_ttl; /* of $TTL; of the last record that told one */
	bool zone_ttl_known, last_ttl_known;
	uint64_t first_line;
	unsigned depth; /* of parentheses: the record goes on in the next line */
	size_t record_len;
	char record[FEED_LINE_MAX];
};

/* One record as text, and what is known about it. */
struct record {
	const char *text;
	size_t len;
	struct feed_span type, data;
	uint32_t ttl;
};

/* ---- words of a zone file ---- */

static bool is_escaped(const char *start, const char *p)
{
	unsigned n = 0;
	while (p > start && p[-1] == '\\')
		n++, p--;
	return n % 2 != 0;
}

/* White space, and a backslash. */
static const bool ends_word[UINT8_MAX + 1] = {
	[' '] = true,  ['\t'] = true, ['\v'] = true,
	['\f'] = true, ['\r'] = true, ['\\'] = true,
};

/* As feed_next_word(), but a backslash takes the next character along. */
static struct feed_span next_word(const char **at, const char *end)
{
	const char *p = *at;
	while (p < end && feed_is_space(*p))
		p++;
	struct feed_span s = {p, 0};
	while (p < end && !ends_word[(uint8_t)*p])
		p++;
	while (p < end && !feed_is_space(*p))
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	s.len = (size_t)(p - s.text);
	*at = p;
	return s;
}

/* A name relative to the origin, or absolute. */
static int read_name(const struct rpz *z, uint8_t out[DNS_NAME_MAX], bool *absolute,
		     struct feed_span s)
{
	*absolute = s.len && s.text[s.len - 1] == '.' &&
		    !is_escaped(s.text, s.text + s.len - 1);
	if (s.len == 1 && *s.text == '@') {
		name_copy(out, z->origin);
		return ERR_OK;
	}
	int err = name_from_text(out, s.text, s.len);
	if (err || *absolute)
		return err;
	size_t have = name_len(out) - 1, more = name_len(z->origin);
	if (have + more > DNS_NAME_MAX)
		return ERR_RANGE;
	memcpy(out + have, z->origin, more);
	return ERR_OK;
}

static bool is_class(struct feed_span s)
{
	return feed_span_is(s, "in") || feed_span_is(s, "ch") || feed_span_is(s, "hs");
}

/* ---- rules ---- */

/* "rpz-later.", or an action without the dot at its end: meant as one, and none. */
static bool is_mistaken(const struct rpz *z, const uint8_t *target, bool absolute)
{
	bool special = *target > 4 && memcmp(target + 1, "rpz-", 4) == 0;
	bool wildcard = target[0] == 1 && target[1] == '*';
	const uint8_t *up = name_parent(target);
	if (absolute)
		return special && (!*up || name_equal(up, z->zone));
	return special || wildcard || !z->zone_known;
}

/* The action that a CNAME's target stands for; -1 for what is unknown. */
static int action_of(const struct rpz *z, const uint8_t *target, bool absolute,
		     const uint8_t *trigger)
{
	static const struct {
		const char *name;
		enum rule_action action;
	} special[] = {
		{"\x0crpz-passthru", RULE_PASSTHRU},
		{"\x08rpz-drop", RULE_DROP},
		{"\x0crpz-tcp-only", RULE_TCP_ONLY},
	};
	if (!absolute)
		return is_mistaken(z, target, false) ? -1 : RULE_CNAME;
	if (!*target)
		return RULE_NXDOMAIN;
	if (target[0] == 1 && target[1] == '*' && !target[2])
		return RULE_NODATA;
	for (size_t i = 0; i < sizeof special / sizeof *special; i++)
		if (name_equal(target, (const uint8_t *)special[i].name))
			return (int)special[i].action;
	/* The form of the first drafts: a name that is its own alias. */
	if (name_equal(target, trigger))
		return RULE_PASSTHRU;
	return is_mistaken(z, target, true) ? -1 : RULE_CNAME;
}

/* A line is shown with what is wrong about its address. */
static int skip_trigger(struct feed *f, const struct record *r, int why, const char *how)
{
	char text[FEED_TEXT_MAX];
	if (!how)
		return feed_skip(f, (enum feed_skip)why, r->text, r->len);
	int n = snprintf(text, sizeof text, "%.*s: %s", (int)(r->len < 72 ? r->len : 72),
			 r->text, how);
	return feed_skip(f, (enum feed_skip)why, text,
			 (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* data: of local data, and the target of RULE_CNAME. */
static int put_rule(struct feed *f, const struct record *r, const uint8_t *trigger,
		    int action, const struct blocklist_rr *data)
{
	struct blocklist_item *item = feed_item_new(f);
	const char *how;
	int why = feed_rpz_trigger(&item->key, &item->kind, &how, trigger);
	if (!feed_takes(f, why))
		return skip_trigger(f, r, why, how);
	item->in_zone = !item->key.prefix.addr.family;
	item->action = (uint8_t)action;
	if (data && (action == RULE_CNAME ? blocklist_data_alias(&item->entry.data, data)
					  : blocklist_data_add(&item->entry.data, data)))
		return feed_skip(f, FEED_SKIP_TOO_LONG, r->text, r->len);
	return feed_put(f);
}

static int cname_rule(struct feed *f, const struct record *r, const uint8_t *trigger)
{
	uint8_t target[DNS_NAME_MAX];
	bool absolute;
	const char *at = r->data.text, *end = at + r->data.len;
	struct feed_span word = next_word(&at, end);
	if (read_name(f->state, target, &absolute, word) ||
	    feed_trim(at, (size_t)(end - at)).len)
		return feed_skip(f, FEED_SKIP_SYNTAX, r->text, r->len);
	int action = action_of(f->state, target, absolute, trigger);
	if (action < 0)
		return feed_skip(f, FEED_SKIP_ACTION, r->text, r->len);
	const struct blocklist_rr rr = {DNS_CNAME, (uint16_t)name_len(target), r->ttl,
					target};
	return put_rule(f, r, trigger, action, action == RULE_CNAME ? &rr : NULL);
}

/* ---- records that are no CNAME ---- */

static void take_soa(struct feed *f, const struct blocklist_rr *rr)
{
	struct rpz *z = f->state;
	const uint8_t *serial = rr->rdata;
	if (z->soa_seen)
		return;
	z->soa_seen = true;
	for (int i = 0; i < 2; i++) /* behind MNAME and RNAME */
		serial += name_len(serial);
	f->out->serial = wire_get32(serial);
	if (z->zone_known && f->options->origin)
		return; /* the caller knows better; the owner is checked against it */
	/* "@" before any $ORIGIN: the zone's name stays unknown. */
	if (*z->owner) {
		name_copy(z->zone, z->owner);
		z->zone_known = true;
	}
}

/* ---- the owner ---- */

/* The owner without the zone's name; false when it is outside. */
static bool trigger_of(const struct rpz *z, uint8_t out[DNS_NAME_MAX])
{
	if (!z->zone_known && z->owner_absolute)
		return false;
	if (!name_within(z->owner, z->zone))
		return false;
	size_t keep = name_len(z->owner) - name_len(z->zone);
	memcpy(out, z->owner, keep);
	out[keep] = 0;
	return true;
}

/* RPZ draft 3.6: whatever is no action is what to answer with. */
static int other_record(struct feed *f, const struct record *r)
{
	struct rpz *z = f->state;
	uint8_t trigger[DNS_NAME_MAX];
	struct feed_rr data;
	int err = feed_rdata(&data, r->type, r->data, z->origin);
	if (err)
		return feed_skip(f,
				 err == ERR_RANGE ? FEED_SKIP_TOO_LONG : FEED_SKIP_SYNTAX,
				 r->text, r->len);
	data.rr.ttl = r->ttl;
	if (data.rr.type == DNS_SOA)
		take_soa(f, &data.rr);
	if (!trigger_of(z, trigger))
		return feed_skip(f, FEED_SKIP_OUTSIDE, r->text, r->len);
	bool servable = blocklist_data_servable(data.rr.type);
	if (!*trigger && !servable) { /* it describes the zone */
		f->out->ignored++;
		return 0;
	}
	if (*trigger && servable)
		return put_rule(f, r, trigger, RULE_LOCAL_DATA, &data.rr);
	return feed_skip(f, *trigger ? FEED_SKIP_TYPE : FEED_SKIP_SINGLE, r->text,
			 r->len);
}

static int cname_record(struct feed *f, const struct record *r)
{
	uint8_t trigger[DNS_NAME_MAX];
	if (!trigger_of(f->state, trigger))
		return feed_skip(f, FEED_SKIP_OUTSIDE, r->text, r->len);
	if (!*trigger)
		return feed_skip(f, FEED_SKIP_SINGLE, r->text, r->len);
	return cname_rule(f, r, trigger);
}

static int read_owner(struct rpz *z, struct feed_span word)
{
	int err = read_name(z, z->owner, &z->owner_absolute, word);
	z->owner_known = err == ERR_OK;
	if (!err)
		return FEED_WORD;
	return err == ERR_RANGE ? FEED_SKIP_NAME_LONG : FEED_SKIP_SYNTAX;
}

/* Of a record that tells none: RFC 2308 4, RFC 1035 5.1. */
static uint32_t ttl_untold(const struct rpz *z)
{
	return z->zone_ttl_known ? z->zone_ttl : z->last_ttl_known ? z->last_ttl : TTL_S;
}

/* "[OWNER] [TTL] [CLASS] TYPE DATA", TTL and class in either order. */
static int one_record(struct feed *f, const char *text, size_t len)
{
	struct rpz *z = f->state;
	struct record r = {.text = text, .len = len};
	const char *at = text, *end = text + len;
	if (!feed_is_space(*text)) {
		int why = read_owner(z, next_word(&at, end));
		if (why != FEED_WORD)
			return feed_skip(f, (enum feed_skip)why, text, len);
	} else if (!z->owner_known) {
		return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
	}
	bool told = false;
	r.type = next_word(&at, end);
	bool cname = feed_span_is(r.type, "cname");
	for (int i = 0; i < 2 && !cname; i++) {
		bool ttl = feed_ttl(&r.ttl, r.type);
		if (!ttl && !is_class(r.type))
			break;
		told = told || ttl;
		r.type = next_word(&at, end);
		cname = feed_span_is(r.type, "cname");
	}
	if (!told)
		r.ttl = ttl_untold(z);
	else
		z->last_ttl = r.ttl, z->last_ttl_known = true;
	r.data = feed_trim(at, (size_t)(end - at));
	if (r.type.len == 0)
		return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
	return cname ? cname_record(f, &r) : other_record(f, &r);
}

/* ---- directives and lines ---- */

static int directive(struct feed *f, const char *text, size_t len)
{
	struct rpz *z = f->state;
	const char *at = text, *end = text + len;
	struct feed_span word = next_word(&at, end);
	if (feed_span_is(word, "$ttl")) {
		if (!feed_ttl(&z->zone_ttl, next_word(&at, end)))
			return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
		z->zone_ttl_known = true;
		f->out->ignored++;
		return 0;
	}
	uint8_t origin[DNS_NAME_MAX];
	bool absolute;
	if (!feed_span_is(word, "$origin") ||
	    read_name(z, origin, &absolute, next_word(&at, end)))
		return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
	name_copy(z->origin, origin);
	if (!z->zone_known && *origin && absolute) {
		name_copy(z->zone, origin);
		z->zone_known = true;
	}
	f->out->ignored++;
	return 0;
}

/* Copies a line into the record without its comment, with spaces for parentheses outside
 * quotes, and keeps count of their depth. False when it does not fit or does not add up.
 */
static bool append(struct rpz *z, const char *text, size_t len)
{
	bool quoted = false;
	if (z->record_len + len + 1 > sizeof z->record)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '\\' && i + 1 < len) {
			z->record[z->record_len++] = c;
			c = text[++i];
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && c == ';') {
			break;
		} else if (!quoted && (c == '(' || c == ')')) {
			if (c == ')' && z->depth == 0)
				return false;
			z->depth += c == '(' ? 1U : -1U;
			c = ' ';
		}
		z->record[z->record_len++] = c;
	}
	z->record[z->record_len++] = ' ';
	return !quoted;
}

static int begin_or_go_on(struct feed *f, const char *text, size_t len)
{
	struct rpz *z = f->state;
	if (z->depth == 0) {
		z->record_len = 0;
		z->first_line = f->line;
	}
	bool good = append(z, text, len);
	if (good && z->depth)
		return 0;
	f->line = z->first_line;
	z->depth = 0;
	if (!good)
		return feed_skip(f, FEED_SKIP_SYNTAX, text, len);
	return one_record(f, z->record, z->record_len);
}

static int rpz_line(struct feed *f, const char *text, size_t len)
{
	struct rpz *z = f->state;
	if (z->depth == 0) {
		struct feed_span line = feed_trim(text, len);
		if (line.len == 0 || *line.text == ';') {
			f->out->ignored++;
			return 0;
		}
		if (*text == '$')
			return directive(f, text, len);
		/* The common line has nothing to unfold. */
		if (!memchr(text, ';', len) && !memchr(text, '(', len) &&
		    !memchr(text, '"', len) && !memchr(text, ')', len))
			return one_record(f, text, len);
	}
	return begin_or_go_on(f, text, len);
}

static int rpz_end(struct feed *f)
{
	struct rpz *z = f->state;
	if (z->depth == 0)
		return 0;
	f->line = z->first_line;
	return feed_skip(f, FEED_SKIP_SYNTAX, z->record, z->record_len);
}

/* ---- opening ---- */

static int rpz_open(struct feed *f)
{
	struct rpz *z = f->state = calloc(1, sizeof *z);
	if (!z)
		return ERR_NOMEM;
	if (!f->options->origin)
		return ERR_OK;
	if (name_from_str(z->zone, f->options->origin)) {
		snprintf(f->out->error, sizeof f->out->error,
			 "the origin is no domain name");
		return ERR_FORMAT;
	}
	name_copy(z->origin, z->zone);
	z->zone_known = *z->zone != 0;
	return ERR_OK;
}

static void rpz_close(struct feed *f)
{
	free(f->state);
}

const struct feed_parser feed_parser_rpz = {
	.open = rpz_open,
	.line = rpz_line,
	.end = rpz_end,
	.close = rpz_close,
};
