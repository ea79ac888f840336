#include "resolver/hit_record.h"

#include "include/hash.h"
#include "include/wire.h"

enum { MATCHED_IS_END = 0, MATCHED_IS_WHOLE = 1 }; /* how the matched name is kept */

static uint8_t *put8(uint8_t *p, unsigned v)
{
	*p = (uint8_t)v;
	return p + 1;
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	wire_set16(p, v);
	return p + 2;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
	wire_set32(p, (uint32_t)(v >> 32));
	wire_set32(p + 4, (uint32_t)v);
	return p + 8;
}

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

/* Family and address; the port goes elsewhere, it does not make a hit another one. */
static uint8_t *put_addr(uint8_t *p, const struct addr *a)
{
	p = put8(p, a->family);
	return a->family ? put_bytes(p, a->bytes, addr_len(a)) : p;
}

static uint8_t *put_addr_port(uint8_t *p, const struct addr *a)
{
	p = put_addr(p, a);
	return a->family ? put16(p, a->port) : p;
}

static uint8_t *put_prefix(uint8_t *p, const struct prefix *prefix)
{
	p = put_addr(p, &prefix->addr);
	return prefix->addr.family ? put8(p, prefix->bits) : p;
}

static uint8_t *put_text(uint8_t *p, const char *text, size_t max)
{
	size_t n = strnlen(text, max - 1);
	p = put8(p, (unsigned)n);
	return put_bytes(p, text, n);
}

static uint8_t *put_matched(uint8_t *p, const uint8_t *matched, const uint8_t *qname,
			    size_t qname_n)
{
	size_t n = name_len(matched);
	if (n <= qname_n && memcmp(qname + qname_n - n, matched, n) == 0) {
		p = put8(p, MATCHED_IS_END);
		return put8(p, (unsigned)(qname_n - n));
	}
	p = put8(p, MATCHED_IS_WHOLE);
	p = put8(p, (unsigned)n);
	return put_bytes(p, matched, n);
}

size_t hit_pack(uint8_t *out, size_t *identity_len, const struct hit *h,
		const struct hit_origin *origin)
{
	size_t qname_n = name_len(h->qname);
	uint8_t *p = put_addr(out, &h->client);
	p = put16(p, h->qtype);
	p = put64(p, h->entry);
	p = put8(p, h->action);
	p = put8(p, (unsigned)qname_n);
	p = put_bytes(p, h->qname, qname_n);
	if (identity_len)
		*identity_len = (size_t)(p - out);
	p = put16(p, h->client.port);
	p = put64(p, h->time_us);
	p = put64(p, origin->boot);
	p = put64(p, origin->sequence);
	p = put64(p, h->generation);
	p = put16(p, origin->worker);
	p = put8(p, h->transport);
	p = put8(p, h->trigger);
	p = put8(p, h->clock_synced);
	p = put_addr_port(p, &h->proxy);
	p = put_addr_port(p, &h->listener);
	p = put_prefix(p, &h->prefix);
	p = put_matched(p, h->matched, h->qname, qname_n);
	p = put_text(p, h->list, HIT_LIST_MAX);
	p = put_text(p, h->family, HIT_FAMILY_MAX);
	p = put_text(p, h->category, HIT_FAMILY_MAX);
	return (size_t)(p - out);
}

bool hit_is_below(const struct hit *h)
{
	size_t n = name_len(h->qname), end_n = name_len(h->matched);
	return n >= end_n && memcmp(h->qname + n - end_n, h->matched, end_n) == 0;
}

size_t hit_pack_rule(uint8_t *out, const struct hit *h)
{
	size_t matched_n = name_len(h->matched);
	uint8_t *p = put64(out, h->entry);
	p = put8(p, h->action);
	p = put8(p, h->trigger);
	p = put8(p, !hit_is_below(h));
	p = put_prefix(p, &h->prefix);
	p = put8(p, (unsigned)matched_n);
	p = put_bytes(p, h->matched, matched_n);
	p = put_text(p, h->list, HIT_LIST_MAX);
	p = put_text(p, h->family, HIT_FAMILY_MAX);
	p = put_text(p, h->category, HIT_FAMILY_MAX);
	return (size_t)(p - out);
}

size_t hit_pack_way(uint8_t *out, const struct hit *h)
{
	uint8_t *p = put64(out, h->boot);
	p = put16(p, h->worker);
	p = put16(p, h->qtype);
	p = put8(p, h->transport);
	p = put8(p, h->clock_synced);
	p = put_addr_port(p, &h->listener);
	p = put_addr(p, &h->proxy);
	return (size_t)(p - out);
}

static uint64_t get64(struct wire_reader *r)
{
	uint64_t high = wire_u32(r);
	return high << 32 | wire_u32(r);
}

static void get_bytes(struct wire_reader *r, void *out, size_t n)
{
	const uint8_t *p = wire_take(r, n);
	if (p)
		memcpy(out, p, n);
}

static void get_addr(struct wire_reader *r, struct addr *out)
{
	*out = (struct addr){.family = wire_u8(r)};
	if (out->family == 4 || out->family == 6)
		get_bytes(r, out->bytes, addr_len(out));
	else if (out->family)
		r->err = ERR_FORMAT;
}

static void get_addr_port(struct wire_reader *r, struct addr *out)
{
	get_addr(r, out);
	if (out->family)
		out->port = wire_u16(r);
}

static void get_prefix(struct wire_reader *r, struct prefix *out)
{
	out->bits = 0;
	get_addr(r, &out->addr);
	if (out->addr.family)
		out->bits = wire_u8(r);
	if (out->bits > 8 * addr_len(&out->addr))
		r->err = ERR_FORMAT;
}

/* n bytes must be one whole name. */
static void get_name(struct wire_reader *r, uint8_t out[DNS_NAME_MAX], const uint8_t *p,
		     size_t n)
{
	size_t at = 0;
	out[0] = 0;
	while (p && at < n && p[at] && p[at] <= DNS_LABEL_MAX)
		at += p[at] + 1U;
	if (!p || at + 1 != n || p[at] != 0 || n > DNS_NAME_MAX) {
		r->err = r->err ? r->err : ERR_FORMAT;
		return;
	}
	memcpy(out, p, n);
}

static void get_matched(struct wire_reader *r, uint8_t out[DNS_NAME_MAX],
			const uint8_t *qname)
{
	uint8_t how = wire_u8(r), n = wire_u8(r);
	size_t qname_n = name_len(qname);
	if (how == MATCHED_IS_WHOLE)
		get_name(r, out, wire_take(r, n), n);
	else if (how == MATCHED_IS_END && n < qname_n)
		get_name(r, out, qname + n, qname_n - n);
	else
		get_name(r, out, NULL, 0);
}

static void get_text(struct wire_reader *r, char *out, size_t max)
{
	size_t n = wire_u8(r);
	const uint8_t *p = n < max ? wire_take(r, n) : NULL;
	out[0] = 0;
	if (!p || memchr(p, 0, n)) {
		r->err = r->err ? r->err : ERR_FORMAT;
		return;
	}
	memcpy(out, p, n);
	out[n] = 0;
}

static int whole(const struct wire_reader *r)
{
	return r->err || wire_left(r) ? ERR_FORMAT : ERR_OK;
}

int hit_unpack(struct hit *out, const uint8_t *packed, size_t len)
{
	struct wire_reader r = wire_reader(packed, len);
	get_addr(&r, &out->client);
	out->qtype = wire_u16(&r);
	out->entry = get64(&r);
	out->action = wire_u8(&r);
	uint8_t qname_n = wire_u8(&r);
	get_name(&r, out->qname, wire_take(&r, qname_n), qname_n);
	out->client.port = wire_u16(&r);
	out->time_us = get64(&r);
	out->boot = get64(&r);
	out->sequence = get64(&r);
	out->generation = get64(&r);
	out->worker = wire_u16(&r);
	out->transport = wire_u8(&r);
	out->trigger = wire_u8(&r);
	out->clock_synced = wire_u8(&r);
	get_addr_port(&r, &out->proxy);
	get_addr_port(&r, &out->listener);
	get_prefix(&r, &out->prefix);
	get_matched(&r, out->matched, out->qname);
	get_text(&r, out->list, HIT_LIST_MAX);
	get_text(&r, out->family, HIT_FAMILY_MAX);
	get_text(&r, out->category, HIT_FAMILY_MAX);
	out->count = 1;
	return whole(&r);
}

int hit_unpack_rule(struct hit *out, bool *elsewhere, const uint8_t *packed, size_t len)
{
	struct wire_reader r = wire_reader(packed, len);
	out->entry = get64(&r);
	out->action = wire_u8(&r);
	out->trigger = wire_u8(&r);
	*elsewhere = wire_u8(&r);
	get_prefix(&r, &out->prefix);
	uint8_t n = wire_u8(&r);
	get_name(&r, out->matched, wire_take(&r, n), n);
	get_text(&r, out->list, HIT_LIST_MAX);
	get_text(&r, out->family, HIT_FAMILY_MAX);
	get_text(&r, out->category, HIT_FAMILY_MAX);
	return whole(&r);
}

int hit_unpack_way(struct hit *out, const uint8_t *packed, size_t len)
{
	struct wire_reader r = wire_reader(packed, len);
	out->boot = get64(&r);
	out->worker = wire_u16(&r);
	out->qtype = wire_u16(&r);
	out->transport = wire_u8(&r);
	out->clock_synced = wire_u8(&r);
	get_addr_port(&r, &out->listener);
	get_addr(&r, &out->proxy);
	return whole(&r);
}

uint32_t hit_check(const uint8_t *packed, size_t len, uint64_t place, uint64_t place2)
{
	struct hash_key key = {{place, place2}};
	return (uint32_t)hash_bytes(&key, packed, len);
}
