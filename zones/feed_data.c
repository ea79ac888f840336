#include <ldns/ldns.h>

#include "include/wire.h"
#include "zones/feed_parse.h"

/* Record data as zone files write it. ldns knows the forms of all types, RFC 3597's for
 * any type among them, and judges them; what comes out is wire form. */

enum {
	TYPE_TEXT_MAX = 16,
	RR_HEAD = 1 + 10, /* the root as owner, type, class, TTL, length */
};

static ldns_rdf *origin_of(const uint8_t *origin)
{
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_len(origin), origin);
}

static int take_wire(struct feed_rr *out, const ldns_rr *rr)
{
	uint8_t *wire = NULL;
	size_t len = 0;
	if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &len) != LDNS_STATUS_OK)
		return ERR_FORMAT;
	int err = len < RR_HEAD			      ? ERR_FORMAT
		  : len - RR_HEAD > sizeof out->rdata ? ERR_RANGE
						      : ERR_OK;
	if (!err) {
		out->rr.type = wire_get16(wire + 1);
		out->rr.len = (uint16_t)(len - RR_HEAD);
		out->rr.rdata = out->rdata;
		memcpy(out->rdata, wire + RR_HEAD, len - RR_HEAD);
	}
	free(wire);
	return err;
}

/* What most local data is: a file of it is read in a third of the time that ldns takes,
 * which also gives 64 kB back to the system at each record when the heap ends there. */
static bool take_address(struct feed_rr *out, struct feed_span type,
			 struct feed_span data)
{
	struct addr a;
	unsigned family = feed_span_is(type, "a")      ? 4
			  : feed_span_is(type, "aaaa") ? 6
						       : 0;
	if (!family || addr_from_text(&a, data.text, data.len) || a.family != family)
		return false;
	out->rr.type = family == 4 ? DNS_A : DNS_AAAA;
	out->rr.len = (uint16_t)addr_len(&a);
	out->rr.rdata = out->rdata;
	memcpy(out->rdata, a.bytes, out->rr.len);
	return true;
}

int feed_rdata(struct feed_rr *out, struct feed_span type, struct feed_span data,
	       const uint8_t *origin)
{
	char text[FEED_LINE_MAX + TYPE_TEXT_MAX + 8];
	ldns_rr *rr = NULL;
	int err = ERR_FORMAT, n;
	if (type.len == 0 || type.len > TYPE_TEXT_MAX || memchr(data.text, 0, data.len))
		return ERR_FORMAT;
	if (take_address(out, type, data))
		return ERR_OK;
	n = snprintf(text, sizeof text, ". 1 IN %.*s %.*s", (int)type.len, type.text,
		     (int)data.len, data.text);
	if (n < 0 || (size_t)n >= sizeof text)
		return ERR_FORMAT;
	ldns_rdf *end = origin_of(origin);
	if (!end)
		return ERR_NOMEM;
	if (ldns_rr_new_frm_str(&rr, text, 0, end, NULL) == LDNS_STATUS_OK) {
		err = take_wire(out, rr);
		ldns_rr_free(rr);
	}
	ldns_rdf_deep_free(end);
	return err;
}

bool feed_ttl(uint32_t *out, struct feed_span s)
{
	static const struct {
		char unit;
		uint32_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t sum = 0, n = 0;
	bool digit = false;
	for (size_t i = 0; i < s.len; i++) {
		size_t u = 0;
		if (s.text[i] >= '0' && s.text[i] <= '9') {
			n = n * 10 + (uint64_t)(s.text[i] - '0');
			n = n < DNS_TTL_MAX ? n : DNS_TTL_MAX;
			digit = true;
			continue;
		}
		while (u < sizeof units / sizeof *units &&
		       (s.text[i] | 0x20) != units[u].unit)
			u++;
		if (!digit || u == sizeof units / sizeof *units)
			return false;
		sum += n * units[u].s;
		n = 0;
	}
	sum += n;
	*out = sum < DNS_TTL_MAX ? (uint32_t)sum : DNS_TTL_MAX;
	return digit;
}
