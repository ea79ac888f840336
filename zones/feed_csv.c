#include "include/utf8.h"
#include "zones/feed_parse.h"

/* RFC 4180 with a heading line. Columns are known by name, whatever their order; the
 * separator is the one that makes sense of the heading. */

enum column {
	COL_NONE,
	COL_WORD, /* the name or address */
	COL_FAMILY,
	COL_ADDED,
	COL_EXPIRES,
	COL_SOURCE,
	COL_REFERENCE,
	COL_CATEGORY,
	COL_CONFIDENCE,
	COL_REASON,
	COL_AUTHORITY,
	COL_KIND,   /* of an export: exact, subtree, wildcard */
	COL_ACTION, /* of an export */
	COL_DATA,   /* of an export: the records of local data */
	COL_TYPE,   /* what COL_WORD is */
	COL_N
};

enum { COLUMNS_MAX = 64 }; /* feeds have up to 20; more are not looked at */

struct csv {
	char separator;
	bool heading_read;
	uint8_t column[COLUMNS_MAX]; /* enum column of each field */
	bool open_quote;	     /* the record goes on in the next line */
	uint64_t first_line;
	size_t record_len;
	char record[FEED_LINE_MAX * 2];
	struct feed_span value[COL_N];
};

/* Earlier names are preferred: a file may have both "domain" and "ip". */
static const struct {
	const char *name;
	enum column column;
} headings[] = {
	{"domain", COL_WORD},
	{"domain_name", COL_WORD},
	{"domain name", COL_WORD},
	{"fqdn", COL_WORD},
	{"hostname", COL_WORD},
	{"host", COL_WORD},
	{"ioc_value", COL_WORD},
	{"ioc", COL_WORD},
	{"indicator", COL_WORD},
	{"value", COL_WORD},
	{"dns_query", COL_WORD},
	{"query", COL_WORD},
	{"ip", COL_WORD},
	{"ip_address", COL_WORD},
	{"dst_ip", COL_WORD},
	{"url", COL_WORD},
	{"malware", COL_FAMILY},
	{"malware_printable", COL_FAMILY},
	{"family", COL_FAMILY},
	{"malware_family", COL_FAMILY},
	{"malware family", COL_FAMILY},
	{"infection", COL_FAMILY},
	{"threat", COL_FAMILY},
	{"date added", COL_ADDED},
	{"date_added", COL_ADDED},
	{"dateadded", COL_ADDED},
	{"first_seen", COL_ADDED},
	{"first_seen_utc", COL_ADDED},
	{"first seen", COL_ADDED},
	{"first_listed", COL_ADDED},
	{"date", COL_ADDED},
	{"timestamp", COL_ADDED},
	{"valid_until", COL_EXPIRES},
	{"expires", COL_EXPIRES},
	{"expiration", COL_EXPIRES},
	{"source", COL_SOURCE},
	{"reporter", COL_SOURCE},
	{"reference", COL_REFERENCE},
	{"references", COL_REFERENCE},
	{"urlhaus_link", COL_REFERENCE},
	{"category", COL_CATEGORY},
	{"threat_type", COL_CATEGORY},
	{"tags", COL_CATEGORY},
	{"tag", COL_CATEGORY},
	{"confidence", COL_CONFIDENCE},
	{"confidence_level", COL_CONFIDENCE},
	{"reason", COL_REASON},
	{"description", COL_REASON},
	{"comment", COL_REASON},
	{"authority", COL_AUTHORITY},
	{"ioc_type", COL_TYPE},
	{"indicator_type", COL_TYPE},
	{"rule_kind", COL_KIND},
	{"rule_action", COL_ACTION},
	{"rule_data", COL_DATA},
};
enum { HEADINGS_N = sizeof headings / sizeof *headings };

/* What a --columns calls them. */
static const struct {
	const char *name;
	enum column column;
} roles[] = {
	{"name", COL_WORD},	    {"family", COL_FAMILY},
	{"category", COL_CATEGORY}, {"confidence", COL_CONFIDENCE},
	{"added", COL_ADDED},	    {"expires", COL_EXPIRES},
	{"source", COL_SOURCE},	    {"reference", COL_REFERENCE},
	{"reason", COL_REASON},	    {"authority", COL_AUTHORITY},
	{"type", COL_TYPE},
};

/* ---- what the caller knows about columns ---- */

/* The next "ROLE=HEADING" of *at; COL_NONE for a role there is none of. False at the
 * end. */
static bool next_role(enum column *role, struct feed_span *heading, const char **at)
{
	const char *text = *at;
	size_t len = strcspn(text, ",");
	const char *equals = memchr(text, '=', len);
	if (!*text)
		return false;
	*at = text + len + (text[len] == ',');
	*role = COL_NONE;
	if (!equals)
		return true;
	struct feed_span name = feed_trim(text, (size_t)(equals - text));
	*heading = feed_trim(equals + 1, (size_t)(text + len - equals - 1));
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (heading->len && feed_span_is(name, roles[i].name))
			*role = roles[i].column;
	return true;
}

bool feed_columns_good(const char *columns)
{
	struct feed_span heading;
	enum column role = COL_NONE;
	while (next_role(&role, &heading, &columns))
		if (role == COL_NONE)
			return false;
	return role != COL_NONE;
}

/* ---- fields ---- */

/* The next field of a record, unquoted in place; *at moves behind its separator. False
 * after the last. */
static bool next_field(struct feed_span *out, char **at, char *end, char separator)
{
	char *p = *at;
	if (!p)
		return false;
	while (p < end && *p == ' ' && separator != ' ')
		p++;
	if (p < end && *p == '"') {
		char *to = ++p;
		out->text = p;
		for (; p < end; p++) {
			if (*p == '"' && !(p + 1 < end && p[1] == '"'))
				break;
			if (*p == '"')
				p++;
			*to++ = *p;
		}
		out->len = (size_t)(to - out->text);
		/* Anything between the closing quote and the separator is not ours. */
		char *next = memchr(p, separator, (size_t)(end - p));
		*at = next ? next + 1 : NULL;
		return true;
	}
	char *next = memchr(p, separator, (size_t)(end - p));
	*out = feed_trim(p, (size_t)((next ? next : end) - p));
	*at = next ? next + 1 : NULL;
	return true;
}

/* Whether a quote is left open behind text; was says whether one was before it. */
static bool ends_in_quote(const char *text, size_t len, bool was, char separator)
{
	bool quoted = was, start = !was;
	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] != '"')
				continue;
			if (i + 1 < len && text[i + 1] == '"')
				i++;
			else
				quoted = false;
		} else if (text[i] == separator) {
			start = true;
		} else if (text[i] == '"' && start) {
			quoted = true;
			start = false;
		} else if (text[i] != ' ') {
			start = false;
		}
	}
	return quoted;
}

/* ---- the heading ---- */

static bool same_text(struct feed_span a, struct feed_span b)
{
	return a.len == b.len && strncasecmp(a.text, b.text, a.len) == 0;
}

/* The role that the caller gives to a heading; *given: each role that is given at all. */
static enum column role_of(const char *columns, struct feed_span name, bool given[COL_N])
{
	enum column role, found = COL_NONE;
	struct feed_span heading;
	while (columns && next_role(&role, &heading, &columns)) {
		given[role] = true;
		if (role != COL_NONE && same_text(name, heading))
			found = role;
	}
	return found;
}

static int heading_rank(struct feed_span name)
{
	for (int i = 0; i < HEADINGS_N; i++)
		if (feed_span_is(name, headings[i].name))
			return i;
	return -1;
}

/* Fills c->column from a heading; false when no column holds names. */
static bool read_heading(struct csv *c, const char *columns, const char *text, size_t len,
			 char separator)
{
	char buf[FEED_LINE_MAX], *at = buf;
	int best[COL_N], where[COL_N];
	bool given[COL_N] = {false};
	struct feed_span field;
	for (int k = 0; k < COL_N; k++)
		best[k] = HEADINGS_N, where[k] = -1;
	if (len > sizeof buf)
		return false;
	memcpy(buf, text, len);
	for (int i = 0; i < COLUMNS_MAX && next_field(&field, &at, buf + len, separator);
	     i++) {
		struct feed_span name = feed_trim(field.text, field.len);
		enum column role = role_of(columns, name, given);
		int rank = role == COL_NONE ? heading_rank(name) : -1;
		if (rank >= 0 && !given[headings[rank].column])
			role = headings[rank].column;
		if (role == COL_NONE || rank >= best[role])
			continue;
		best[role] = rank;
		where[role] = i;
	}
	memset(c->column, COL_NONE, sizeof c->column);
	for (int k = 1; k < COL_N; k++)
		if (where[k] >= 0)
			c->column[where[k]] = (uint8_t)k;
	c->separator = separator;
	return where[COL_WORD] >= 0;
}

/* Some feeds write the heading as a comment. */
static struct feed_span uncomment(const char *text, size_t len)
{
	struct feed_span s = feed_trim(text, len);
	while (s.len && *s.text == '#')
		s = feed_trim(s.text + 1, s.len - 1);
	return s;
}

static bool find_heading(struct csv *c, const char *columns, const char *text, size_t len)
{
	static const char separators[] = ",;\t";
	struct feed_span s = uncomment(text, len);
	for (const char *p = separators; *p; p++)
		if (memchr(s.text, *p, s.len) &&
		    read_heading(c, columns, s.text, s.len, *p))
			return true;
	return false;
}

bool feed_csv_is_heading(const char *text, size_t len)
{
	struct csv c;
	return find_heading(&c, NULL, text, len);
}

/* ---- records ---- */

static void copy(char *out, size_t size, struct feed_span s)
{
	utf8_clean(out, size, s.text, s.len);
}

static void fill_entry(struct blocklist_entry *e, const struct feed_span value[COL_N])
{
	copy(e->category, sizeof e->category, value[COL_CATEGORY]);
	copy(e->reason, sizeof e->reason, value[COL_REASON]);
	copy(e->authority, sizeof e->authority, value[COL_AUTHORITY]);
	if (value[COL_FAMILY].len)
		copy(e->family, sizeof e->family, value[COL_FAMILY]);
	copy(e->reference, sizeof e->reference, value[COL_SOURCE]);
	size_t n = strlen(e->reference);
	if (n && value[COL_REFERENCE].len && n + 2 < sizeof e->reference)
		e->reference[n++] = ' ';
	copy(e->reference + n, sizeof e->reference - n, value[COL_REFERENCE]);
	e->first_listed = feed_time(value[COL_ADDED]);
	e->expires = feed_time(value[COL_EXPIRES]);
	e->confidence = feed_confidence(value[COL_CONFIDENCE]);
}

/* Whether a word of that type can be a rule; URLs are left out as such. */
static bool is_listable(struct feed_span type)
{
	static const char *const types[] = {
		"",	"domain", "domain_name", "domain-name", "fqdn",	     "hostname",
		"host", "ip",	  "ipv4",	 "ipv6",	"ipv4-addr", "ipv6-addr",
		"cidr", "ip-dst", "ip:port",	 "ip_port",	"url",
	};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (feed_span_is(type, types[i]))
			return true;
	return false;
}

static int one_record(struct feed *f, char *text, size_t len)
{
	struct csv *c = f->state;
	char *at = text;
	struct feed_span field, shown = feed_trim(text, len);
	char head[FEED_TEXT_MAX];
	if (shown.len == 0 || *shown.text == '#') {
		f->out->ignored++;
		return 0;
	}
	/* Unquoting writes over the record; a skip shows it as it was. */
	shown.len = utf8_clean(head, sizeof head, shown.text, shown.len);
	memset(c->value, 0, sizeof c->value);
	for (int k = 0; k < COL_N; k++)
		c->value[k].text = text;
	for (int i = 0;
	     i < COLUMNS_MAX && next_field(&field, &at, text + len, c->separator); i++)
		c->value[c->column[i]] = field;
	struct blocklist_item *item = feed_item_new(f);
	fill_entry(&item->entry, c->value);
	item->expires = item->entry.expires;
	struct feed_span word =
		feed_trim(c->value[COL_WORD].text, c->value[COL_WORD].len);
	struct feed_told told;
	if (!is_listable(c->value[COL_TYPE]))
		return feed_skip(f, FEED_SKIP_THING, head, shown.len);
	if (word.len == 0 || !feed_rule(item, &told, c->value[COL_KIND],
					c->value[COL_ACTION], c->value[COL_DATA]))
		return feed_skip(f, FEED_SKIP_SYNTAX, head, shown.len);
	return feed_put_word(f, word.text, word.len, &told);
}

static int no_heading(struct feed *f)
{
	if (f->options->columns)
		snprintf(f->out->error, sizeof f->out->error,
			 "the heading has no column for names: none of what --columns "
			 "names stands there");
	else
		snprintf(f->out->error, sizeof f->out->error,
			 "no column is called domain, host, fqdn, ioc, indicator or "
			 "value: give "
			 "the "
			 "file a heading line, or name its format with --format");
	return ERR_FORMAT;
}

static int heading_line(struct feed *f, const char *text, size_t len)
{
	struct csv *c = f->state;
	struct feed_span s = feed_trim(text, len);
	f->out->ignored++;
	if (find_heading(c, f->options->columns, text, len))
		c->heading_read = true;
	else if (s.len && *s.text != '#')
		return no_heading(f);
	return 0;
}

static int csv_line(struct feed *f, const char *text, size_t len)
{
	struct csv *c = f->state;
	if (!c->heading_read)
		return heading_line(f, text, len);
	if (!c->open_quote) {
		c->first_line = f->line;
		c->record_len = 0;
	} else if (c->record_len < sizeof c->record) {
		c->record[c->record_len++] = '\n';
	}
	/* A record over the limit is most likely a quote that nobody closed. */
	if (len > sizeof c->record - c->record_len || c->record_len > FEED_LINE_MAX) {
		c->open_quote = false;
		f->line = c->first_line;
		return feed_skip(f, FEED_SKIP_TOO_LONG, c->record, c->record_len);
	}
	memcpy(c->record + c->record_len, text, len);
	c->record_len += len;
	c->open_quote = ends_in_quote(text, len, c->open_quote, c->separator);
	if (c->open_quote)
		return 0;
	f->line = c->first_line;
	return one_record(f, c->record, c->record_len);
}

static int csv_end(struct feed *f)
{
	struct csv *c = f->state;
	if (!c->open_quote)
		return 0;
	f->line = c->first_line;
	return feed_skip(f, FEED_SKIP_SYNTAX, c->record, c->record_len);
}

static int csv_open(struct feed *f)
{
	f->state = calloc(1, sizeof(struct csv));
	return f->state ? ERR_OK : ERR_NOMEM;
}

static void csv_close(struct feed *f)
{
	free(f->state);
}

const struct feed_parser feed_parser_csv = {
	.open = csv_open,
	.line = csv_line,
	.end = csv_end,
	.close = csv_close,
};
