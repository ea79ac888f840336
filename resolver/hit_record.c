#include "resolver/hit_record.h"

#include "include/wire.h"

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
	v = htobe64(v);
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

static uint8_t *put_addr_bytes(uint8_t *p, const struct addr *a)
{
	size_t n = addr_len(a);
	memcpy(p, a->bytes, n == 4 ? 4 : 16);
	return p + n;
}

static uint8_t *put_addr(uint8_t *p, const struct addr *a)
{
	p = put8(p, a->family);
	return a->family ? put_addr_bytes(p, a) : p;
}

static inline uint8_t *put_text(uint8_t *p, const char *text, size_t max)
{
	if (!*text)
		return put8(p, 0);
	size_t n = strnlen(text, max - 1);
	return put_bytes(put8(p, (unsigned)n), text, n);
}

static uint8_t *put_way(uint8_t *p, const struct hit_source *h,
			const struct hit_origin *origin)
{
	p = put64(p, origin->boot);
	p = put16(p, origin->worker);
	p = put16(p, h->qtype);
	p = put8(p, h->transport);
	p = put8(p, h->clock_synced);
	p = put_addr(p, h->listener);
	if (h->listener->family)
		p = put16(p, h->listener->port);
	return h->proxy ? put_addr(p, h->proxy) : put8(p, 0);
}

static uint8_t *put_rule(uint8_t *p, const struct hit_source *h, size_t matched_n,
			 bool elsewhere)
{
	p = put64(p, h->entry);
	p = put8(p, h->action);
	p = put8(p, h->trigger);
	p = put8(p, elsewhere);
	p = put_addr(p, &h->prefix->addr);
	if (h->prefix->addr.family)
		p = put8(p, h->prefix->bits);
	p = put8(p, (unsigned)matched_n);
	p = put_bytes(p, h->matched, matched_n);
	p = put_text(p, h->list, HIT_LIST_MAX);
	p = put_text(p, h->family, HIT_FAMILY_MAX);
	return put_text(p, h->category, HIT_FAMILY_MAX);
}

/* Of the question's bytes those before the matched name; all when it does not end in
 * that, at the beginning of a label. */
static size_t bytes_before(const struct hit_source *h, size_t matched_n)
{
	size_t at = 0;
	while (h->qname_len - at > matched_n)
		at += h->qname[at] + 1U;
	return h->qname_len - at == matched_n &&
			       memcmp(h->qname + at, h->matched, matched_n) == 0
		       ? at
		       : h->qname_len;
}

size_t hit_pack(uint8_t *out, const struct hit_source *h, const struct hit_origin *origin)
{
	size_t matched_n = name_len(h->matched), question_n = bytes_before(h, matched_n);
	uint8_t *p = put64(out, h->time_us);
	p = put64(p, origin->sequence);
	p = put64(p, h->generation);
	p = put16(p, h->client->port);
	p = put16(p, h->proxy ? h->proxy->port : 0);
	uint8_t *lengths = put8(p, h->client->family);
	uint8_t *way = put_addr_bytes(lengths + 3, h->client);
	uint8_t *rule = put_way(way, h, origin);
	p = put_rule(rule, h, matched_n, question_n == h->qname_len);
	put8(lengths, (unsigned)(rule - way));
	put16(lengths + 1, (unsigned)(p - rule));
	p = put_bytes(p, h->qname, question_n);
	return (size_t)(p - out);
}

struct hit_source hit_source_of(const struct hit *h)
{
	return (struct hit_source){
		.time_us = h->time_us,
		.entry = h->entry,
		.generation = h->generation,
		.qtype = h->qtype,
		.transport = h->transport,
		.trigger = h->trigger,
		.action = h->action,
		.clock_synced = h->clock_synced,
		.qname_len = name_len(h->qname),
		.client = &h->client,
		.listener = &h->listener,
		.proxy = h->proxy.family ? &h->proxy : NULL,
		.prefix = &h->prefix,
		.qname = h->qname,
		.matched = h->matched,
		.list = h->list,
		.family = h->family,
		.category = h->category,
	};
}

/* ---- reading ---- */

/* Whole labels in front of a name of that length, or a whole name. */
static int check_question(const uint8_t *p, size_t n, bool elsewhere, size_t matched_n)
{
	size_t at = 0, end = elsewhere && n ? n - 1 : n;
	while (at < end && p[at] && p[at] <= DNS_LABEL_MAX)
		at += p[at] + 1U;
	if (at != end || (elsewhere && (n == 0 || p[end])))
		return ERR_FORMAT;
	return n + (elsewhere ? 0 : matched_n) > DNS_NAME_MAX ? ERR_FORMAT : ERR_OK;
}

/* Length of the matched name, as the rule has it; 0: it ends before that. */
static size_t matched_len(const uint8_t *rule, size_t len)
{
	size_t at = HIT_RULE_ELSEWHERE + 1;
	if (at < len)
		at += rule[at] == 0 ? 1 : rule[at] == 4 ? 1 + 4 + 1 : 1 + 16 + 1;
	return at < len ? rule[at] : 0;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return be64toh(v);
}

int hit_record_read(struct hit_record *out, const uint8_t *packed, size_t len)
{
	const uint8_t *lengths = packed + HIT_RECORD_OWN;
	if (len < HIT_RECORD_HEAD || (lengths[0] != 4 && lengths[0] != 6))
		return ERR_FORMAT;
	*out = (struct hit_record){
		.time_us = load64(packed),
		.sequence = load64(packed + 8),
		.generation = load64(packed + 16),
		.client = {.family = lengths[0], .port = wire_get16(packed + 24)},
		.proxy_port = wire_get16(packed + 26),
		.len = len,
		.way_len = lengths[1],
		.rule_len = wire_get16(lengths + 2),
	};
	const uint8_t *client = packed + HIT_RECORD_HEAD;
	size_t client_n = addr_len(&out->client);
	size_t before = HIT_RECORD_HEAD + client_n + out->way_len + out->rule_len;
	if (before > len || out->way_len < HIT_WAY_RING)
		return ERR_FORMAT;
	memcpy(out->client.bytes, client, client_n);
	out->way = client + client_n;
	out->rule = out->way + out->way_len;
	out->question = out->rule + out->rule_len;
	out->question_len = len - before;
	size_t matched_n = matched_len(out->rule, out->rule_len);
	if (matched_n == 0)
		return ERR_FORMAT;
	out->boot = load64(out->way);
	out->worker = wire_get16(out->way + 8);
	out->elsewhere = out->rule[HIT_RULE_ELSEWHERE];
	return check_question(out->question, out->question_len, out->elsewhere,
			      matched_n);
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

int hit_unpack_rule(struct hit *out, bool *elsewhere, const uint8_t *packed, size_t len)
{
	struct wire_reader r = wire_reader(packed, len);
	out->entry = get64(&r);
	out->action = wire_u8(&r);
	out->trigger = wire_u8(&r);
	uint8_t lies_elsewhere = wire_u8(&r);
	*elsewhere = lies_elsewhere;
	get_prefix(&r, &out->prefix);
	uint8_t n = wire_u8(&r);
	get_name(&r, out->matched, wire_take(&r, n), n);
	get_text(&r, out->list, HIT_LIST_MAX);
	get_text(&r, out->family, HIT_FAMILY_MAX);
	get_text(&r, out->category, HIT_FAMILY_MAX);
	return lies_elsewhere > 1 ? ERR_FORMAT : whole(&r);
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

int hit_unpack_question(struct hit *out, bool elsewhere, const uint8_t *p, size_t n)
{
	size_t matched_n = name_len(out->matched);
	int err = check_question(p, n, elsewhere, matched_n);
	if (err)
		return err;
	memcpy(out->qname, p, n);
	if (!elsewhere)
		memcpy(out->qname + n, out->matched, matched_n);
	return ERR_OK;
}
