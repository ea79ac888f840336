/* blocklist_data.c: the records of local data, and what an import makes of several items
 * for one rule. The form, and why it is that, stands at struct blocklist_data. */
#include "include/wire.h"
#include "zones/blocklist_store.h"

bool blocklist_data_servable(unsigned type)
{
	switch (type) {
	case 0:
	case DNS_NS:
	case DNS_CNAME:
	case DNS_SOA:
	case DNS_SIG:
	case DNS_KEY:
	case DNS_NXT:
	case DNS_DNAME:
	case DNS_DS:
	case DNS_RRSIG:
	case DNS_NSEC:
	case DNS_DNSKEY:
	case DNS_NSEC3:
	case DNS_NSEC3PARAM:
	case DNS_CDS:
	case DNS_CDNSKEY:
	case DNS_CSYNC:
	case DNS_ZONEMD:
		return false;
	default:
		return type <= UINT16_MAX && !dns_type_is_meta(type);
	}
}

/* The record at *at; false at the end and where there is none. */
static bool rr_at(const uint8_t *bytes, size_t len, size_t *at, struct blocklist_rr *out)
{
	if (len - *at < BLOCKLIST_RR_HEAD)
		return false;
	const uint8_t *p = bytes + *at;
	*out = (struct blocklist_rr){.type = wire_get16(p),
				     .ttl = wire_get32(p + 2),
				     .len = wire_get16(p + 6),
				     .rdata = p + BLOCKLIST_RR_HEAD};
	if (out->len > len - *at - BLOCKLIST_RR_HEAD)
		return false;
	*at += BLOCKLIST_RR_HEAD + (size_t)out->len;
	return true;
}

bool blocklist_data_next(const struct blocklist_data *d, size_t *at,
			 struct blocklist_rr *out)
{
	return rr_at(d->bytes, d->len, at, out);
}

/* By type, then RDATA as RFC 4034 6.3 has it. */
static int rr_compare(const struct blocklist_rr *a, const struct blocklist_rr *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	size_t n = a->len < b->len ? a->len : b->len;
	int c = n ? memcmp(a->rdata, b->rdata, n) : 0;
	return c ? c : (int)a->len - (int)b->len;
}

int blocklist_data_check(const uint8_t *bytes, size_t len)
{
	struct blocklist_rr rr, before = {0};
	size_t at = 0;
	if (len > BLOCKLIST_DATA_MAX)
		return ERR_FORMAT;
	while (at < len) {
		if (!rr_at(bytes, len, &at, &rr) || rr.ttl > DNS_TTL_MAX ||
		    !blocklist_data_servable(rr.type) || rr_compare(&before, &rr) >= 0 ||
		    (before.type == rr.type && before.ttl != rr.ttl))
			return ERR_FORMAT;
		before = rr;
	}
	return ERR_OK;
}

bool blocklist_data_is_name(const uint8_t *bytes, size_t len)
{
	uint8_t name[DNS_NAME_MAX];
	struct wire_reader r = wire_reader(bytes, len);
	wire_name(&r, name);
	return !r.err && !wire_left(&r) && memcmp(name, bytes, len) == 0;
}

/* One CNAME. */
static bool is_alias(const uint8_t *bytes, size_t len)
{
	struct blocklist_rr rr;
	size_t at = 0;
	return rr_at(bytes, len, &at, &rr) && at == len && rr.type == DNS_CNAME &&
	       rr.ttl <= DNS_TTL_MAX && blocklist_data_is_name(rr.rdata, rr.len);
}

int blocklist_data_alias(struct blocklist_data *d, const struct blocklist_rr *rr)
{
	if (rr->type != DNS_CNAME || rr->len > DNS_NAME_MAX)
		return ERR_FORMAT;
	wire_set16(d->bytes, DNS_CNAME);
	wire_set32(d->bytes + 2, rr->ttl > DNS_TTL_MAX ? 0 : rr->ttl);
	wire_set16(d->bytes + 6, rr->len);
	memcpy(d->bytes + BLOCKLIST_RR_HEAD, rr->rdata, rr->len);
	d->len = (uint16_t)(BLOCKLIST_RR_HEAD + rr->len);
	return is_alias(d->bytes, d->len) ? ERR_OK : ERR_FORMAT;
}

bool blocklist_data_fits(unsigned action, const uint8_t *bytes, size_t len)
{
	switch (action) {
	case RULE_LOCAL_DATA:
		return len && blocklist_data_check(bytes, len) == ERR_OK;
	case RULE_CNAME:
		return is_alias(bytes, len);
	default:
		return !len;
	}
}

/* RFC 2181 5.2: one TTL for all of a type. */
static void lower_ttl(struct blocklist_data *d, unsigned type, uint32_t ttl)
{
	struct blocklist_rr rr;
	for (size_t at = 0, start = 0; blocklist_data_next(d, &at, &rr); start = at)
		if (rr.type == type && rr.ttl > ttl)
			wire_set32(d->bytes + start + 2, ttl);
}

int blocklist_data_add(struct blocklist_data *d, const struct blocklist_rr *rr)
{
	struct blocklist_rr there;
	size_t at = 0, start = 0, size = BLOCKLIST_RR_HEAD + (size_t)rr->len;
	uint32_t ttl = rr->ttl > DNS_TTL_MAX ? 0 : rr->ttl; /* RFC 2181 8 */
	int order = -1;
	if (!blocklist_data_servable(rr->type))
		return ERR_REFUSED;
	while (order < 0 && blocklist_data_next(d, &at, &there)) {
		order = rr_compare(&there, rr);
		if (there.type == rr->type && there.ttl < ttl)
			ttl = there.ttl;
		if (order < 0)
			start = at;
	}
	if (order && size > sizeof d->bytes - d->len)
		return ERR_RANGE;
	if (order) {
		uint8_t *p = d->bytes + start;
		memmove(p + size, p, d->len - start);
		wire_set16(p, rr->type);
		wire_set32(p + 2, ttl);
		wire_set16(p + 6, rr->len);
		if (rr->len)
			memcpy(p + BLOCKLIST_RR_HEAD, rr->rdata, rr->len);
		d->len = (uint16_t)(d->len + size);
	}
	lower_ttl(d, rr->type, ttl);
	return order ? ERR_OK : ERR_EXIST;
}

/* The records behind an encoded entry's texts. */
static const uint8_t *data_of(const uint8_t *entry, const struct blocklist_head *h)
{
	return entry + h->len - h->data_len;
}

enum blocklist_join blocklist_entry_join(uint8_t entry[BLOCKLIST_ENTRY_MAX],
					 const uint8_t *newer)
{
	struct blocklist_head a, b;
	struct blocklist_data all;
	struct blocklist_rr rr;
	enum blocklist_join how = BLOCKLIST_JOINED;
	memcpy(&a, entry, sizeof a);
	memcpy(&b, newer, sizeof b);
	if (a.rec.action != RULE_LOCAL_DATA)
		return BLOCKLIST_REPLACED;
	if (b.rec.action != RULE_LOCAL_DATA) {
		memcpy(entry, newer, b.len);
		return BLOCKLIST_REPLACED;
	}
	all.len = a.data_len;
	memcpy(all.bytes, data_of(entry, &a), a.data_len);
	const uint8_t *more = data_of(newer, &b);
	for (size_t at = 0; rr_at(more, b.data_len, &at, &rr);)
		if (blocklist_data_add(&all, &rr) == ERR_RANGE)
			how = BLOCKLIST_CUT;
	size_t texts = (size_t)b.len - b.data_len;
	memcpy(entry, newer, texts);
	memcpy(entry + texts, all.bytes, all.len);
	b.data_len = all.len;
	b.len = (uint16_t)(texts + all.len);
	memcpy(entry, &b, sizeof b);
	return how;
}
