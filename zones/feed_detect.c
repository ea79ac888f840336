#include "zones/feed_parse.h"

/* Which format the first lines of an input have. */

enum { LOOK_AT_LINES = 200 }; /* rules and headings; enough to get past a preamble */

struct look {
	int words;	/* lines of one word */
	int hosts;	/* lines of an address and a name */
	int others;	/* other lines */
	int filters;	/* lines as browsers' filter lists have them */
	bool csv, zone; /* sure signs */
};

static const struct {
	const char *magic;
	size_t len;
	const char *why;
} foreign[] = {
	{"\x1f\x8b", 2,
	 "this is gzip: unpack it first, as in gzip -dc FILE | ... import -"},
	{"\xfd"
	 "7zXZ",
	 5, "this is xz: unpack it first, as in xz -dc FILE | ... import -"},
	{"BZh", 3, "this is bzip2: unpack it first, as in bzip2 -dc FILE | ... import -"},
	{"\x28\xb5\x2f\xfd", 4,
	 "this is zstd: unpack it first, as in zstd -dc FILE | ... import -"},
	{"PK\x03\x04", 4, "this is a zip archive: unpack it first"},
	{"\xff\xfe", 2,
	 "this is UTF-16 text: convert it first, as in iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", 2,
	 "this is UTF-16 text: convert it first, as in iconv -f UTF-16 -t UTF-8"},
	{"<!DOCTYPE", 9,
	 "this is a web page, not a list: was the download an error page?"},
	{"<!doctype", 9,
	 "this is a web page, not a list: was the download an error page?"},
	{"<html", 5, "this is a web page, not a list: was the download an error page?"},
	{"<?xml", 5, "this is XML, not a list of a format that can be read here"},
};

static const char *foreign_kind(const char *head, size_t len)
{
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if (len >= foreign[i].len &&
		    memcmp(head, foreign[i].magic, foreign[i].len) == 0)
			return foreign[i].why;
	if (memchr(head, 0, len))
		return "this holds NUL bytes: it is no text file";
	return NULL;
}

/* "NAME [TTL] [CLASS] CNAME|SOA ...", or a directive. */
static bool is_zone_line(const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	bool indented = len && feed_is_space(*text);
	struct feed_span w = feed_next_word(&at, end);
	if (feed_span_is(w, "$ttl") || feed_span_is(w, "$origin"))
		return true;
	if (!indented)
		w = feed_next_word(&at, end);
	for (int i = 0; i < 3 && w.len; i++, w = feed_next_word(&at, end))
		if (feed_span_is(w, "cname") || feed_span_is(w, "soa"))
			return true;
	return false;
}

/* "||NAME^", its exceptions, comments with an exclamation mark, "[Adblock Plus]". */
static bool is_filter(struct feed_span line)
{
	return *line.text == '!' || *line.text == '[' ||
	       (line.len > 2 &&
		(!memcmp(line.text, "||", 2) || !memcmp(line.text, "@@", 2)));
}

static void look_at(struct look *k, const char *text, size_t len)
{
	struct feed_span line = feed_trim(text, len);
	const char *at = line.text, *end = at + line.len;
	bool comment = line.len && (*line.text == '#' || *line.text == ';');
	bool first = k->words + k->hosts + k->others + k->filters == 0;
	/* Only the first line that is no comment can be a heading, or a comment above it.
	 */
	if (line.len && first && *line.text != ';' && feed_csv_is_heading(text, len))
		k->csv = true;
	if (line.len == 0 || comment)
		return;
	if (is_filter(line)) {
		k->filters++;
		return;
	}
	if (is_zone_line(text, len)) {
		k->zone = true;
		return;
	}
	struct feed_span w = feed_next_word(&at, end), next = feed_next_word(&at, end);
	struct addr a;
	if (next.len == 0 || *next.text == '#' || *next.text == ';')
		k->words++;
	else if (addr_from_text(&a, w.text, w.len) == ERR_OK)
		k->hosts++;
	else
		k->others++;
}

/* A brace, also as the first of an array: other formats begin lines with a bracket. */
static bool is_json(const char *head, size_t len)
{
	static const char blank[] = " \t\r\n";
	size_t i = 0;
	while (i < len && head[i] && strchr(blank, head[i]))
		i++;
	if (i < len && head[i] == '[')
		for (i++; i < len && head[i] && strchr(blank, head[i]);)
			i++;
	return i < len && head[i] == '{';
}

/* By keys that only one kind has. */
static int detect_json(enum feed_format *out, const char **why, const char *head,
		       size_t len)
{
	static const struct {
		const char *key;
		enum feed_format format;
	} keys[] = {
		{"\"rule\":", FEED_JSON},	 {"\"bundle\"", FEED_STIX},
		{"\"spec_version\"", FEED_STIX}, {"\"Event\"", FEED_MISP},
		{"\"Attribute\"", FEED_MISP},	 {"\"list\"", FEED_WARNINGLIST},
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (memmem(head, len, keys[i].key, strlen(keys[i].key))) {
			*out = keys[i].format;
			return ERR_OK;
		}
	*why = "this is JSON, but no STIX bundle, no MISP event or warning list, and no "
	       "export of ours";
	return ERR_FORMAT;
}

int feed_detect(enum feed_format *out, const char **why, const char *head, size_t len)
{
	struct look k = {0};
	const char *p = head, *end = head + len;
	*why = foreign_kind(head, len);
	if (*why)
		return ERR_FORMAT;
	if (is_json(head, len))
		return detect_json(out, why, head, len);
	while (p < end && !k.csv && !k.zone &&
	       k.words + k.hosts + k.others + k.filters < LOOK_AT_LINES) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		look_at(&k, p, n > FEED_LINE_MAX ? FEED_LINE_MAX : n);
		p += n + 1;
	}
	*out = k.zone		   ? FEED_RPZ
	       : k.csv		   ? FEED_CSV
	       : k.filters	   ? FEED_ADBLOCK
	       : k.hosts > k.words ? FEED_HOSTS
				   : FEED_DOMAINS;
	return ERR_OK;
}
