#include "resolver/sentinel.h"

static const char is_ta[] = "root-key-sentinel-is-ta-",
		  not_ta[] = "root-key-sentinel-not-ta-";

enum { TAG_DIGITS = 5 };

/* The five digits behind prefix, which end the label; -1 when it is not like that. */
static int32_t tag_behind(const uint8_t *qname, const char *prefix)
{
	size_t n = strlen(prefix);
	int32_t tag = 0;
	if (*qname != n + TAG_DIGITS || memcmp(qname + 1, prefix, n) != 0)
		return -1;
	for (const uint8_t *p = qname + 1 + n; p <= qname + *qname; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		tag = tag * 10 + (*p - '0');
	}
	return tag <= UINT16_MAX ? tag : -1;
}

static bool is_trusted(const struct anchors *anchors, int32_t tag, uint32_t now_s)
{
	static const uint8_t root[1] = {0};
	const struct anchor a = anchors_find(anchors, root, false, now_s);
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	if (a.kind != ANCHOR_TRUST)
		return false;
	while (rrset_next(a.ds, &at, &rdata, &len))
		if (len >= 2 && wire_get16(rdata) == tag)
			return true;
	return false;
}

bool sentinel_hides(const struct anchors *anchors, const uint8_t *qname, uint16_t qtype,
		    uint32_t now_s)
{
	if (qtype != DNS_A && qtype != DNS_AAAA)
		return false;
	int32_t is = tag_behind(qname, is_ta), not = tag_behind(qname, not_ta);
	return (is >= 0 && !is_trusted(anchors, is, now_s)) ||
	       (not >= 0 && is_trusted(anchors, not, now_s));
}
