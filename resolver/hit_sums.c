#include "resolver/hit_sums.h"

#include <stdlib.h>
#include <sys/random.h>

#include "include/hash_fold.h"
#include "include/wire.h"

enum {
	SLOTS = 2 * HIT_SUMS_MAX,
	RUN_BODY = 8 + 8 + 4 + 4 + 4 + 8,
	SUM_MAX = 7 * HIT_VARINT_MAX + 2,
	AHEAD = 8, /* rows: as many misses as a processor bears at once */
};

int hit_sums_init(struct hit_sums *s, uint64_t first_row)
{
	*s = (struct hit_sums){
		.max = HIT_SUMS_MAX, .first_row = first_row, .end_row = first_row};
	s->sum = malloc(HIT_SUMS_MAX * sizeof *s->sum);
	s->slots = calloc(SLOTS, sizeof *s->slots);
	if (!s->sum || !s->slots) {
		hit_sums_fini(s);
		return ERR_NOMEM;
	}
	(void)!getrandom(&s->key, sizeof s->key, GRND_NONBLOCK); /* as in hit_words */
	return ERR_OK;
}

void hit_sums_fini(struct hit_sums *s)
{
	free(s->sum);
	free(s->slots);
	*s = (struct hit_sums){0};
}

void hit_sums_clear(struct hit_sums *s)
{
	s->n = 0;
	s->first_row = s->end_row;
	memset(s->slots, 0, SLOTS * sizeof *s->slots);
}

bool hit_sums_due(const struct hit_sums *s, uint32_t n)
{
	return s->n + n > s->max || s->end_row - s->first_row >= HIT_SUMS_ROWS_MAX;
}

/* ---- adding ---- */

static size_t slot_of(const struct hit_sums *s, const struct hit_sums_row *row)
{
	return hash_fold_two(&s->key, row->client,
			     (uint64_t)row->rule << 32 | row->hour) &
	       (SLOTS - 1);
}

static struct hit_sum *find(struct hit_sums *s, const struct hit_sums_row *row)
{
	size_t at = slot_of(s, row);
	for (; s->slots[at]; at = (at + 1) & (SLOTS - 1)) {
		struct hit_sum *sum = &s->sum[s->slots[at] - 1];
		if (sum->client == row->client && sum->rule == row->rule &&
		    sum->hour == row->hour)
			return sum;
	}
	s->slots[at] = ++s->n;
	struct hit_sum *sum = &s->sum[s->n - 1];
	*sum = (struct hit_sum){.client = row->client,
				.rule = row->rule,
				.hour = row->hour,
				.row = s->end_row,
				.first_ms = UINT32_MAX};
	return sum;
}

static void add(struct hit_sums *s, const struct hit_sums_row *row)
{
	struct hit_sum *sum = find(s, row);
	sum->hits += row->count;
	sum->row_last = s->end_row++;
	if (row->ms < sum->first_ms) {
		sum->first_ms = row->ms;
		sum->port = row->port;
	}
	sum->last_ms = row->ms > sum->last_ms ? row->ms : sum->last_ms;
}

/* Brings in the sum that row may belong to. */
static void fetch_sum(const struct hit_sums *s, const struct hit_sums_row *row)
{
	uint32_t number = s->slots[slot_of(s, row)];
	if (number == 0)
		return;
	__builtin_prefetch(&s->sum[number - 1], 1);
	__builtin_prefetch(&s->sum[number - 1].port, 1); /* its last line */
}

/* Rows are of any client and rule: what each needs is somewhere else in 17 MB, and is on
 * its way while those before it are added. */
void hit_sums_add(struct hit_sums *s, const struct hit_sums_row *rows, size_t n)
{
	for (size_t i = 0; i < n + (size_t)2 * AHEAD; i++) {
		if (i < n)
			__builtin_prefetch(&s->slots[slot_of(s, &rows[i])], 1);
		if (i >= AHEAD && i < n + AHEAD)
			fetch_sum(s, &rows[i - AHEAD]);
		if (i >= (size_t)2 * AHEAD)
			add(s, &rows[i - (size_t)2 * AHEAD]);
	}
}

/* ---- sorting ---- */

struct item {
	uint64_t key;
	uint32_t number; /* of a sum */
};

/* By one byte of the key, the order of equal ones kept. */
static void sort_byte(struct item *to, const struct item *from, size_t n, unsigned shift)
{
	uint32_t at[256] = {0}, sum = 0;
	for (size_t i = 0; i < n; i++)
		at[from[i].key >> shift & 0xff]++;
	for (unsigned v = 0; v < 256; v++) {
		uint32_t here = at[v];
		at[v] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].key >> shift & 0xff]++] = from[i];
}

/* By key, the same; a byte that all have in common costs nothing. */
static void sort_items(struct item *a, struct item *b, size_t n)
{
	uint64_t differs = 0;
	struct item *from = a, *to = b;
	for (size_t i = 0; i < n; i++)
		differs |= a[i].key ^ a[0].key;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		if (!(differs >> shift & 0xff))
			continue;
		sort_byte(to, from, n, shift);
		struct item *other = from;
		from = to;
		to = other;
	}
	if (from != a)
		memcpy(a, from, n * sizeof *a);
}

/* ---- writing a run ---- */

struct run_writer {
	const struct hit_sums *s;
	hit_page_fn *page;
	void *arg;
	uint32_t base_hour, last_hour;
	struct item *items, *spare;
	struct hit_pages heads, sums;
};

static uint8_t *put_sum(uint8_t *p, const struct run_writer *w, const struct hit_sum *s,
			bool by_client, uint64_t client_before)
{
	p = hit_put_varint(p, by_client ? s->rule : s->client - client_before);
	p = hit_put_varint(p, s->hour - w->base_hour);
	p = hit_put_varint(p, s->hits);
	p = hit_put_varint(p, s->row - w->s->first_row);
	if (s->hits > 1)
		p = hit_put_varint(p, s->row_last - s->row);
	if (!by_client)
		return p;
	p = hit_put_varint(p, s->first_ms);
	if (s->hits > 1)
		p = hit_put_varint(p, s->last_ms - s->first_ms);
	wire_set16(p, s->port);
	return p + 2;
}

/* One more sum; starts a page when this one is full. */
static int add_sum(struct run_writer *w, const struct hit_sum *s, bool by_client)
{
	struct hit_pages *p = &w->sums;
	uint8_t bytes[SUM_MAX];
	size_t n = (size_t)(put_sum(bytes, w, s, by_client, p->before) - bytes);
	if (!hit_pages_fit(p, n)) {
		int err = hit_pages_flush(p);
		if (err)
			return err;
		n = (size_t)(put_sum(bytes, w, s, by_client, 0) - bytes);
	}
	hit_pages_put(p, bytes, n);
	p->before = by_client ? 0 : s->client;
	return ERR_OK;
}

static uint32_t second_of(const struct hit_sum *s, uint32_t ms)
{
	return s->hour * HIT_HOUR_S + ms / 1000;
}

/* The sums from *at on that share an id, and their head. */
static int add_group(struct run_writer *w, size_t *at, bool by_client,
		     uint32_t *page_before)
{
	const struct hit_sum *s = &w->s->sum[w->items[*at].number];
	struct hit_head h = {.id = by_client ? s->client : s->rule,
			     .first_s = UINT32_MAX};
	int err = ERR_OK;
	w->sums.before = 0;
	hit_pages_begin(&w->sums, &h);
	for (; !err && *at < w->s->n; ++*at) {
		s = &w->s->sum[w->items[*at].number];
		if ((by_client ? s->client : s->rule) != h.id)
			break;
		uint32_t first = second_of(s, s->first_ms);
		uint32_t last = second_of(s, s->last_ms);
		err = add_sum(w, s, by_client);
		if (h.sums++ == 0)
			hit_pages_began(&w->sums, &h);
		h.hits += s->hits;
		h.first_s = first < h.first_s ? first : h.first_s;
		h.last_s = last > h.last_s ? last : h.last_s;
	}
	return err ? err
		   : hit_pages_head(&w->heads, &h, w->base_hour * HIT_HOUR_S,
				    page_before);
}

/* w->items are in their order. */
static int write_table(struct run_writer *w, bool by_client)
{
	uint32_t page_before = 0;
	size_t at = 0;
	int err = ERR_OK;
	hit_pages_start(&w->heads, by_client ? HIT_TAG_CLIENT_HEADS : HIT_TAG_RULE_HEADS,
			w->page, w->arg);
	hit_pages_start(&w->sums, by_client ? HIT_TAG_CLIENT_SUMS : HIT_TAG_RULE_SUMS,
			w->page, w->arg);
	while (!err && at < w->s->n)
		err = add_group(w, &at, by_client, &page_before);
	err = err ? err : hit_pages_flush(&w->heads);
	return err ? err : hit_pages_flush(&w->sums);
}

/* items are sorted by hour. */
static int write_hours(struct run_writer *w)
{
	struct hit_pages *p = &w->heads;
	uint32_t before = w->base_hour;
	int err = ERR_OK;
	hit_pages_start(p, HIT_TAG_HOURS, w->page, w->arg);
	for (size_t at = 0; !err && at < w->s->n;) {
		uint32_t hour = w->s->sum[w->items[at].number].hour;
		uint64_t hits = 0, sums = 0;
		for (; at < w->s->n && w->s->sum[w->items[at].number].hour == hour;
		     at++) {
			hits += w->s->sum[w->items[at].number].hits;
			sums++;
		}
		if (!hit_pages_fit(p, 3 * HIT_VARINT_MAX))
			err = hit_pages_flush(p);
		uint8_t *to = hit_put_varint(p->bytes + p->len, hour - before);
		to = hit_put_varint(to, hits);
		p->len = (size_t)(hit_put_varint(to, sums) - p->bytes);
		before = hour;
	}
	return err ? err : hit_pages_flush(p);
}

static void put64(uint8_t *p, uint64_t v)
{
	wire_set32(p, (uint32_t)(v >> 32));
	wire_set32(p + 4, (uint32_t)v);
}

static int write_run(struct run_writer *w)
{
	uint8_t page[HIT_PAGE_HEAD + RUN_BODY], *p = page + HIT_PAGE_HEAD;
	uint64_t hits = 0;
	for (uint32_t i = 0; i < w->s->n; i++)
		hits += w->s->sum[i].hits;
	put64(p, w->s->first_row);
	put64(p + 8, w->s->end_row);
	wire_set32(p + 16, w->base_hour);
	wire_set32(p + 20, w->last_hour);
	wire_set32(p + 24, w->s->n);
	put64(p + 28, hits);
	return w->page(w->arg, HIT_TAG_RUN, 0, page, sizeof page);
}

enum sort_key { BY_HOUR, BY_CLIENT, BY_RULE };

static void sort_by(struct run_writer *w, enum sort_key by)
{
	for (uint32_t i = 0; i < w->s->n; i++) {
		const struct hit_sum *s = &w->s->sum[w->items[i].number];
		w->items[i].key = by == BY_HOUR	    ? s->hour - w->base_hour
				  : by == BY_CLIENT ? s->client
						    : s->rule;
	}
	sort_items(w->items, w->spare, w->s->n);
}

int hit_sums_write(const struct hit_sums *s, hit_page_fn *page, void *arg)
{
	struct run_writer *w = malloc(sizeof *w);
	if (!w)
		return ERR_NOMEM;
	w->s = s;
	w->page = page;
	w->arg = arg;
	w->base_hour = UINT32_MAX;
	w->last_hour = 0;
	w->items = malloc(s->n * sizeof *w->items + 1);
	w->spare = malloc(s->n * sizeof *w->spare + 1);
	int err = w->items && w->spare ? ERR_OK : ERR_NOMEM;
	for (uint32_t i = 0; !err && i < s->n; i++) {
		w->items[i].number = i;
		uint32_t hour = s->sum[i].hour;
		w->base_hour = hour < w->base_hour ? hour : w->base_hour;
		w->last_hour = hour > w->last_hour ? hour : w->last_hour;
	}
	if (!err) {
		sort_by(w, BY_HOUR);
		err = write_run(w);
	}
	err = err ? err : write_hours(w);
	if (!err) { /* each order builds on the one before */
		sort_by(w, BY_CLIENT);
		err = write_table(w, true);
	}
	if (!err) {
		sort_by(w, BY_RULE);
		err = write_table(w, false);
	}
	free(w->items);
	free(w->spare);
	free(w);
	return err;
}

/* ---- reading ---- */

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)wire_get32(p) << 32 | wire_get32(p + 4);
}

int hit_run_read(struct hit_run *out, const uint8_t *page, size_t len)
{
	const uint8_t *p = page + HIT_PAGE_HEAD;
	if (len != HIT_PAGE_HEAD + RUN_BODY)
		return ERR_DAMAGED;
	*out = (struct hit_run){
		.first_row = get64(p),
		.end_row = get64(p + 8),
		.base_hour = wire_get32(p + 16),
		.last_hour = wire_get32(p + 20),
		.sums = wire_get32(p + 24),
		.hits = get64(p + 28),
	};
	return ERR_OK;
}

int hit_hours_next(struct hit_sums_at *at, struct hit_run_hour *out)
{
	uint64_t hour;
	if (at->p == at->end)
		return 0;
	at->p = hit_get_varint(at->p, at->end, &hour);
	at->p = hit_get_varint(at->p, at->end, &out->hits);
	at->p = hit_get_varint(at->p, at->end, &out->sums);
	at->before += hour;
	out->hour = (uint32_t)at->before;
	return at->p ? 1 : ERR_DAMAGED;
}

int hit_heads_next(struct hit_sums_at *at, struct hit_head *out,
		   const struct hit_run *run, uint32_t *page)
{
	uint64_t id, first, span, pages;
	if (at->p == at->end)
		return 0;
	at->p = hit_get_varint(at->p, at->end, &id);
	at->p = hit_get_varint(at->p, at->end, &out->hits);
	at->p = hit_get_varint(at->p, at->end, &out->sums);
	at->p = hit_get_varint(at->p, at->end, &first);
	at->p = hit_get_varint(at->p, at->end, &span);
	at->p = hit_get_varint(at->p, at->end, &pages);
	if (!at->p || at->end - at->p < 2)
		return ERR_DAMAGED;
	out->offset = wire_get16(at->p);
	at->p += 2;
	at->before += id;
	*page += (uint32_t)pages;
	out->id = at->before;
	out->page = *page;
	out->first_s = run->base_hour * HIT_HOUR_S + (uint32_t)first;
	out->last_s = out->first_s + (uint32_t)span;
	return 1;
}

int hit_sums_next(struct hit_sums_at *at, struct hit_sum *out, const struct hit_run *run,
		  bool by_client)
{
	const uint8_t *p = at->p, *end = at->end;
	uint64_t other, hour, row, rows = 0, first = 0, span = 0;
	if (p == end)
		return 0;
	p = hit_get_varint(p, end, &other);
	p = hit_get_varint(p, end, &hour);
	p = hit_get_varint(p, end, &out->hits);
	p = hit_get_varint(p, end, &row);
	if (out->hits > 1)
		p = hit_get_varint(p, end, &rows);
	if (by_client)
		p = hit_get_varint(p, end, &first);
	if (by_client && out->hits > 1)
		p = hit_get_varint(p, end, &span);
	if (!p || (by_client && end - p < 2))
		return ERR_DAMAGED;
	out->port = 0;
	if (by_client) {
		out->port = wire_get16(p);
		p += 2;
		out->rule = (uint32_t)other;
	} else {
		at->before += other;
		out->client = at->before;
	}
	out->hour = run->base_hour + (uint32_t)hour;
	out->row = run->first_row + row;
	out->row_last = out->row + rows;
	out->first_ms = (uint32_t)first;
	out->last_ms = (uint32_t)(first + span);
	at->p = p;
	return 1;
}
