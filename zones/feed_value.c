#include <time.h>

#include "include/utf8.h"
#include "zones/feed_parse.h"

/* What fields of several formats say in the same words. */

uint32_t feed_time(struct feed_span s)
{
	char buf[32];
	struct tm t = {0};
	if (s.len < 10 || s.len >= sizeof buf)
		return 0;
	memcpy(buf, s.text, s.len);
	buf[s.len] = 0;
	const char *rest = strptime(buf, "%Y-%m-%d", &t);
	if (rest && (*rest == ' ' || *rest == 'T'))
		(void)strptime(rest + 1, "%H:%M:%S", &t);
	int64_t v = rest ? (int64_t)timegm(&t) : 0;
	return v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
}

uint8_t feed_confidence(struct feed_span s)
{
	if (s.len && s.text[s.len - 1] == '%')
		s.len--;
	long v = addr_number(s.text, s.len, 100);
	return v < 0 ? 255 : (uint8_t)v;
}

/* The next of "RECORD; RECORD"; a semicolon in quotes or behind a backslash is data.
 * Empty where quotes stay open. */
static struct feed_span next_rr(const char **at, const char *end)
{
	const char *text = *at, *p = text;
	bool quoted = false;
	for (; p < end && (quoted || *p != ';'); p++) {
		if (*p == '"')
			quoted = !quoted;
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	*at = p < end ? p + 1 : end;
	return feed_trim(text, quoted ? 0 : (size_t)(p - text));
}

/* "TYPE TTL DATA" */
static bool parse_rr(struct feed_rr *out, struct feed_span s)
{
	static const uint8_t root[1];
	const char *at = s.text, *end = s.text + s.len;
	struct feed_span type = feed_next_word(&at, end), ttl = feed_next_word(&at, end);
	return feed_rdata(out, type, feed_trim(at, (size_t)(end - at)), root) == ERR_OK &&
	       feed_ttl(&out->rr.ttl, ttl);
}

bool feed_reads_as(const char *text, const struct blocklist_rr *rr)
{
	struct feed_rr got;
	const char *at = text, *end = text + strlen(text);
	struct feed_span one = next_rr(&at, end);
	return one.len == (size_t)(end - text) && parse_rr(&got, one) &&
	       got.rr.type == rr->type && got.rr.ttl == rr->ttl &&
	       got.rr.len == rr->len && memcmp(got.rdata, rr->rdata, rr->len) == 0;
}

static bool read_rr(struct blocklist_data *out, struct feed_span s, bool alias)
{
	struct feed_rr data;
	if (!parse_rr(&data, s))
		return false;
	return (alias ? blocklist_data_alias(out, &data.rr)
		      : blocklist_data_add(out, &data.rr)) == ERR_OK;
}

static bool read_data(struct blocklist_data *out, struct feed_span s)
{
	const char *at = s.text, *end = s.text + s.len;
	while (at < end)
		if (!read_rr(out, next_rr(&at, end), false))
			return false;
	return true;
}

static bool read_kind(struct feed_told *told, struct feed_span kind)
{
	char text[32];
	*told = (struct feed_told){0};
	utf8_clean(text, sizeof text, kind.text, kind.len);
	if (!*text)
		return true;
	for (unsigned k = 0; k < RULE_KIND_N; k++)
		if (!rule_kind_is_marker(k) &&
		    strcmp(text, rule_kind_text((enum rule_kind)k)) == 0) {
			told->exact = k == RULE_EXACT || k == RULE_NS_EXACT;
			told->ns = rule_kind_is_ns(k);
			return true;
		}
	told->use = rule_use_from_text(text);
	return told->use;
}

bool feed_rule(struct blocklist_item *item, struct feed_told *told, struct feed_span kind,
	       struct feed_span action, struct feed_span data)
{
	char text[16];
	if (!read_kind(told, kind))
		return false;
	if (!action.len)
		return true;
	utf8_clean(text, sizeof text, action.text, action.len);
	int a = rule_action_from_text(text);
	item->action = (uint8_t)a;
	if (a == RULE_LOCAL_DATA)
		return data.len && read_data(&item->entry.data, data);
	if (a == RULE_CNAME)
		return read_rr(&item->entry.data, data, true);
	return a >= 0 && a != RULE_DISABLED && !data.len;
}
