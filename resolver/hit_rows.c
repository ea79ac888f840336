#include "resolver/hit_rows.h"

#include "include/wire.h"

enum {
	IS_IPV6 = 1,
	HAS_COUNT = 2,
	HAS_SEQUENCE = 4, /* not the one after that ring's row before */
	HAS_GENERATION = 8,
	HAS_LABELS = 16, /* the question is below the matched name */
	HAS_NAME = 32,	 /* the question does not end in the matched name */
	HAS_PROXY_PORT = 64,
	/* flags, rule, way, time, address, ports, count, sequence, generation, name,
	   check */
	ROW_MAX = 1 + 5 + 5 + HIT_VARINT_MAX + 16 + 4 + 5 + 2 * HIT_VARINT_MAX +
		  DNS_NAME_MAX + 4,
	LEN_MAX = 2, /* of a row's length */
};

/* Where that ring's last sequence stands; in a page with too many rings nowhere. */
static uint64_t *ring_of(struct hit_rows *page, uint64_t boot, uint16_t worker)
{
	unsigned i = 0;
	while (i < page->rings &&
	       (page->ring[i].boot != boot || page->ring[i].worker != worker))
		i++;
	if (i == HIT_ROWS_RINGS)
		return NULL;
	if (i == page->rings) {
		page->ring[i].boot = boot;
		page->ring[i].worker = worker;
		page->ring[i].sequence = 0;
		page->rings++;
	}
	return &page->ring[i].sequence;
}

/* ---- filling ---- */

void hit_rows_start(struct hit_rows *page, uint64_t first, const struct hit_record *h)
{
	page->first = first;
	page->n = page->at = page->rings = 0;
	page->len = page->pos = HIT_ROWS_HEAD;
	page->min_us = UINT64_MAX;
	page->max_us = 0;
	page->time_us = h->time_us;
	page->generation = h->generation;
	wire_set32(page->bytes + HIT_PAGE_HEAD + 18, (uint32_t)(h->time_us >> 32));
	wire_set32(page->bytes + HIT_PAGE_HEAD + 22, (uint32_t)h->time_us);
	wire_set32(page->bytes + HIT_PAGE_HEAD + 26, (uint32_t)(h->generation >> 32));
	wire_set32(page->bytes + HIT_PAGE_HEAD + 30, (uint32_t)h->generation);
}

static uint8_t *put_row(uint8_t *row, const struct hit_rows *page,
			const struct hit_record *h, uint32_t rule, uint32_t way,
			uint64_t sequence_before)
{
	uint8_t flags = h->client.family == 4 ? 0 : IS_IPV6;
	uint8_t *p = hit_put_varint(row + 1, rule);
	p = hit_put_varint(p, way);
	p = hit_put_varint(p, hit_zigzag(h->time_us - page->time_us));
	memcpy(p, h->client.bytes, sizeof h->client.bytes); /* IPv4: the rest is zero */
	p += addr_len(&h->client);
	wire_set16(p, h->client.port);
	p += 2;
	if (h->proxy_port) {
		flags |= HAS_PROXY_PORT;
		wire_set16(p, h->proxy_port);
		p += 2;
	}
	if (h->count != 1) {
		flags |= HAS_COUNT;
		p = hit_put_varint(p, h->count);
	}
	if (h->sequence != sequence_before + 1) {
		flags |= HAS_SEQUENCE;
		p = hit_put_varint(p, hit_zigzag(h->sequence - sequence_before));
	}
	if (h->generation != page->generation) {
		flags |= HAS_GENERATION;
		p = hit_put_varint(p, hit_zigzag(h->generation - page->generation));
	}
	if (h->question_len)
		flags |= h->elsewhere ? HAS_NAME : HAS_LABELS;
	memcpy(p, h->question, h->question_len);
	row[0] = flags;
	return p + h->question_len;
}

bool hit_rows_add(struct hit_rows *page, const struct hit_record *h, uint32_t rule,
		  uint32_t way)
{
	uint8_t row[ROW_MAX];
	uint64_t *sequence = ring_of(page, h->boot, h->worker);
	uint8_t *end = put_row(row, page, h, rule, way, sequence ? *sequence : 0);
	wire_set32(end, hit_bind(h->hash, page->first + page->n, h->count));
	size_t n = (size_t)(end - row) + 4;
	if (page->len + LEN_MAX + n > sizeof page->bytes)
		return false;
	uint8_t *p = hit_put_varint(page->bytes + page->len, n);
	memcpy(p, row, n);
	page->len = (size_t)(p + n - page->bytes);
	page->n++;
	page->time_us = h->time_us;
	page->generation = h->generation;
	if (sequence)
		*sequence = h->sequence;
	page->min_us = h->time_us < page->min_us ? h->time_us : page->min_us;
	page->max_us = h->time_us > page->max_us ? h->time_us : page->max_us;
	return true;
}

void hit_rows_finish(struct hit_rows *page)
{
	uint8_t *p = page->bytes + HIT_PAGE_HEAD;
	wire_set16(p, page->n);
	wire_set32(p + 2, (uint32_t)(page->min_us >> 32));
	wire_set32(p + 6, (uint32_t)page->min_us);
	wire_set32(p + 10, (uint32_t)(page->max_us >> 32));
	wire_set32(p + 14, (uint32_t)page->max_us);
}

/* ---- reading ---- */

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)wire_get32(p) << 32 | wire_get32(p + 4);
}

int hit_rows_open(struct hit_rows *page, uint64_t first)
{
	const uint8_t *p = page->bytes + HIT_PAGE_HEAD;
	if (page->len < HIT_ROWS_HEAD || page->len > sizeof page->bytes)
		return ERR_DAMAGED;
	page->first = first;
	page->n = wire_get16(p);
	page->min_us = get64(p + 2);
	page->max_us = get64(p + 10);
	page->time_us = get64(p + 18);
	page->generation = get64(p + 26);
	page->at = page->rings = 0;
	page->pos = HIT_ROWS_HEAD;
	return ERR_OK;
}

static const uint8_t *get_bytes(const uint8_t *p, const uint8_t *end, void *out, size_t n)
{
	if (!p || (size_t)(end - p) < n)
		return NULL;
	memcpy(out, p, n);
	return p + n;
}

static const uint8_t *get_port(const uint8_t *p, const uint8_t *end, uint16_t *out)
{
	uint8_t port[2] = {0};
	p = get_bytes(p, end, port, sizeof port);
	*out = wire_get16(port);
	return p;
}

static int get_question(struct hit *out, uint8_t flags, const uint8_t *p, size_t n)
{
	if (n && !(flags & (HAS_LABELS | HAS_NAME)))
		return ERR_DAMAGED;
	return hit_unpack_question(out, flags & HAS_NAME, p, n);
}

/* A way's bytes, of which every row needs the ring. */
static const uint8_t *get_ring(struct hit *out, uint64_t number,
			       const struct hit_words *ways, size_t *len)
{
	const uint8_t *word =
		number < ways->n ? hit_words_get(ways, (uint32_t)number, len) : NULL;
	if (!word || *len < HIT_WAY_RING)
		return NULL;
	out->boot = get64(word);
	out->worker = wire_get16(word + 8);
	return word;
}

static int get_way(struct hit *out, uint64_t number, const struct hit_words *ways)
{
	size_t len;
	uint16_t proxy_port = out->proxy.port;
	const uint8_t *word = get_ring(out, number, ways, &len);
	int err = word ? hit_unpack_way(out, word, len) : ERR_DAMAGED;
	out->proxy.port = proxy_port;
	return err;
}

static int get_rule(struct hit *out, uint32_t *rule, uint64_t number,
		    const struct hit_rows_words *words)
{
	size_t len;
	bool elsewhere;
	*rule = (uint32_t)number;
	const uint8_t *word = number > UINT32_MAX
				      ? NULL
				      : words->rule(words->arg, (uint32_t)number, &len);
	return word ? hit_unpack_rule(out, &elsewhere, word, len) : ERR_DAMAGED;
}

/* What the next rows are told against, and the client. Rule, way and question need more
 * work, which most rows of a page are not worth: they are left at *at. */
static int get_numbers(struct hit_rows *page, struct hit *out, uint64_t *rule,
		       uint64_t *way, const uint8_t **at, const uint8_t *end,
		       const struct hit_words *ways)
{
	size_t len;
	uint64_t time, count = 1, sequence = hit_zigzag(1), generation = 0;
	const uint8_t *p = *at;
	uint8_t flags = *p++;
	p = hit_get_varint(p, end, rule);
	p = hit_get_varint(p, end, way);
	if (!p || !get_ring(out, *way, ways, &len))
		return ERR_DAMAGED;
	out->proxy.port = 0;
	out->client = (struct addr){.family = flags & IS_IPV6 ? 6 : 4};
	p = hit_get_varint(p, end, &time);
	p = get_bytes(p, end, out->client.bytes, addr_len(&out->client));
	p = get_port(p, end, &out->client.port);
	if (flags & HAS_PROXY_PORT)
		p = get_port(p, end, &out->proxy.port);
	if (flags & HAS_COUNT)
		p = hit_get_varint(p, end, &count);
	if (flags & HAS_SEQUENCE)
		p = hit_get_varint(p, end, &sequence);
	if (flags & HAS_GENERATION)
		p = hit_get_varint(p, end, &generation);
	if (!p || count > UINT32_MAX)
		return ERR_DAMAGED;
	uint64_t *before = ring_of(page, out->boot, out->worker);
	out->time_us = page->time_us + hit_unzigzag(time);
	out->generation = page->generation + hit_unzigzag(generation);
	out->sequence = (before ? *before : 0) + hit_unzigzag(sequence);
	out->count = (uint32_t)count;
	page->time_us = out->time_us;
	page->generation = out->generation;
	if (before)
		*before = out->sequence;
	*at = p;
	return ERR_OK;
}

/* The row at p; 0 when it is another client's. */
static int get_row(struct hit_rows *page, struct hit *out, uint32_t *rule,
		   const uint8_t *p, const uint8_t *end,
		   const struct hit_rows_words *words, const struct prefix *only)
{
	uint8_t packed[HIT_PACKED_MAX], flags = *p;
	uint64_t number, way, row = page->first + page->at - 1;
	if (get_numbers(page, out, &number, &way, &p, end, words->ways))
		return ERR_DAMAGED;
	if (only && !prefix_covers(only, &out->client))
		return 0;
	if (get_way(out, way, words->ways) || get_rule(out, rule, number, words) ||
	    get_question(out, flags, p, (size_t)(end - p)))
		return ERR_DAMAGED;
	const struct hit_source source = hit_source_of(out);
	const struct hit_origin origin = {out->boot, out->sequence, out->worker};
	size_t n = hit_pack(packed, &source, &origin);
	return wire_get32(end) == hit_check(packed, n, row, out->count) ? 1 : ERR_DAMAGED;
}

int hit_rows_next(struct hit_rows *page, struct hit *out, uint32_t *rule,
		  const struct hit_rows_words *words, const struct prefix *only)
{
	const uint8_t *end = page->bytes + page->len;
	int got = 0;
	while (got == 0 && page->at < page->n) {
		uint64_t len;
		const uint8_t *p = hit_get_varint(page->bytes + page->pos, end, &len);
		if (!p || len < 5 || len > (size_t)(end - p)) {
			page->at = page->n; /* nothing behind it can be found */
			return ERR_DAMAGED;
		}
		page->pos = (size_t)(p - page->bytes) + len;
		page->at++;
		got = get_row(page, out, rule, p, p + len - 4, words, only);
	}
	return got;
}
