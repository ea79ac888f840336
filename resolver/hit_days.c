#include "resolver/hit_days.h"

#include <stdlib.h>

#include "include/wire.h"

enum {
	DAY_BODY = 4 + 4 + 4 + 8,
	ONE_HIT_BYTES = 3,   /* second of the day */
	MORE_HITS_BYTES = 6, /* hours; seconds in the first and the last of them */
	SECOND_BITS = 12,
	CLIENT_MAX = 2 * HIT_VARINT_MAX + MORE_HITS_BYTES +
		     (HIT_DAY_HOURS - 1) * HIT_VARINT_MAX,
	PAIR_MAX = 2 * HIT_VARINT_MAX,
};

struct hit_day_rule {
	uint64_t hits;
	uint32_t first_s, last_s;
	uint32_t pairs, end; /* end: behind them, in the order by rule */
};

struct hit_day_pair {
	uint64_t hits;
	uint32_t client, rule; /* client: its place */
};

/* ---- writing ---- */

int hit_day_init(struct hit_day_writer *w, uint32_t rules, uint32_t room, hit_page_fn *fn,
		 void *arg)
{
	w->fn = fn;
	w->arg = arg;
	w->rules = rules;
	w->room = room;
	w->rule = malloc(((size_t)rules + 1) * sizeof *w->rule);
	w->pair = malloc(((size_t)room + 1) * sizeof *w->pair);
	w->order = malloc(((size_t)room + 1) * sizeof *w->order);
	w->client = malloc(((size_t)room + 1) * sizeof *w->client);
	return w->rule && w->pair && w->order && w->client ? ERR_OK : ERR_NOMEM;
}

void hit_day_fini(struct hit_day_writer *w)
{
	free(w->rule);
	free(w->pair);
	free(w->order);
	free(w->client);
}

void hit_day_begin(struct hit_day_writer *w, const struct hit_day *day)
{
	w->day = *day;
	w->day.hits = 0;
	w->pairs = w->clients = 0;
	memset(w->rule, 0, w->rules * sizeof *w->rule);
	hit_pages_start(&w->heads, HIT_TAG_DAY_CLIENTS, w->fn, w->arg);
}

static uint8_t *put24(uint8_t *p, uint32_t v)
{
	*p++ = (uint8_t)(v >> 16);
	wire_set16(p, (uint16_t)v);
	return p + 2;
}

static uint8_t *put_client(uint8_t *p, const struct hit_day_writer *w, uint64_t before)
{
	const struct hit_day_client *c = &w->now;
	uint32_t begin_s = w->day.day * HIT_DAY_S, left = c->hours & (c->hours - 1);
	p = hit_put_varint(p, c->id - before);
	p = hit_put_varint(p, c->hits);
	if (c->hits == 1)
		return put24(p, c->first_s - begin_s);
	p = put24(p, c->hours);
	p = put24(p, c->first_s % HIT_HOUR_S << SECOND_BITS | c->last_s % HIT_HOUR_S);
	/* Of all but the last hour: that one has the rest. */
	for (uint32_t bits = c->hours; left; bits &= bits - 1, left &= left - 1)
		p = hit_put_varint(p, c->in_hour[__builtin_ctz(bits)]);
	return p;
}

static int end_client(struct hit_day_writer *w)
{
	uint8_t bytes[CLIENT_MAX];
	struct hit_pages *p = &w->heads;
	if (w->clients == 0)
		return ERR_OK;
	uint8_t *end = put_client(bytes, w, p->before);
	if (!hit_pages_fit(p, (size_t)(end - bytes))) {
		int err = hit_pages_flush(p);
		if (err)
			return err;
		end = put_client(bytes, w, 0);
	}
	if (p->len == HIT_PAGE_HEAD)
		p->id = w->now.id;
	hit_pages_put(p, bytes, (size_t)(end - bytes));
	p->before = w->now.id;
	return ERR_OK;
}

static void add_times(uint32_t *first_s, uint32_t *last_s, const struct hit_sum *s)
{
	uint32_t first = s->hour * HIT_HOUR_S + s->first_ms / 1000;
	uint32_t last = s->hour * HIT_HOUR_S + s->last_ms / 1000;
	*first_s = first < *first_s ? first : *first_s;
	*last_s = last > *last_s ? last : *last_s;
}

int hit_day_add(struct hit_day_writer *w, const struct hit_sum *s)
{
	struct hit_day_client *c = &w->now;
	unsigned hour = s->hour % HIT_DAY_HOURS;
	if (s->rule >= w->rules || w->pairs == w->room)
		return ERR_DAMAGED;
	if (w->clients == 0 || c->id != s->client) {
		int err = end_client(w);
		if (err)
			return err;
		*c = (struct hit_day_client){.id = s->client, .first_s = UINT32_MAX};
		w->client[w->clients++] = s->client;
	}
	c->hours |= 1U << hour;
	c->in_hour[hour] += s->hits;
	c->hits += s->hits;
	add_times(&c->first_s, &c->last_s, s);
	struct hit_day_rule *r = &w->rule[s->rule];
	if (r->pairs++ == 0)
		r->first_s = UINT32_MAX;
	r->hits += s->hits;
	add_times(&r->first_s, &r->last_s, s);
	w->pair[w->pairs++] = (struct hit_day_pair){s->hits, w->clients - 1, s->rule};
	w->day.hits += s->hits;
	return ERR_OK;
}

static int put_pair(struct hit_pages *p, uint64_t client, uint64_t hits)
{
	uint8_t bytes[PAIR_MAX];
	uint8_t *end = hit_put_varint(hit_put_varint(bytes, client - p->before), hits);
	if (!hit_pages_fit(p, (size_t)(end - bytes))) {
		int err = hit_pages_flush(p);
		if (err)
			return err;
		end = hit_put_varint(hit_put_varint(bytes, client), hits);
	}
	hit_pages_put(p, bytes, (size_t)(end - bytes));
	p->before = client;
	return ERR_OK;
}

/* Of a client there is a pair for each hour and run. */
static int put_rule(struct hit_day_writer *w, uint32_t rule, uint32_t *page_before)
{
	const struct hit_day_rule *r = &w->rule[rule];
	const uint32_t *order = w->order + r->end - r->pairs;
	struct hit_head h = {
		.id = rule, .hits = r->hits, .first_s = r->first_s, .last_s = r->last_s};
	int err = ERR_OK;
	w->sums.before = 0;
	hit_pages_begin(&w->sums, &h);
	for (uint32_t i = 0; !err && i < r->pairs;) {
		uint32_t client = w->pair[order[i]].client;
		uint64_t hits = 0;
		for (; i < r->pairs && w->pair[order[i]].client == client; i++)
			hits += w->pair[order[i]].hits;
		err = put_pair(&w->sums, w->client[client], hits);
		if (h.sums++ == 0)
			hit_pages_began(&w->sums, &h);
	}
	return err ? err
		   : hit_pages_head(&w->heads, &h, w->day.day * HIT_DAY_S, page_before);
}

/* Pairs by rule, which keeps each rule's in the order of clients. */
static void sort_pairs(struct hit_day_writer *w)
{
	uint32_t at = 0;
	for (uint32_t i = 0; i < w->rules; i++) {
		w->rule[i].end = at;
		at += w->rule[i].pairs;
	}
	for (uint32_t i = 0; i < w->pairs; i++)
		w->order[w->rule[w->pair[i].rule].end++] = i;
}

static int put_rules(struct hit_day_writer *w)
{
	uint32_t page_before = 0;
	int err = ERR_OK;
	hit_pages_start(&w->heads, HIT_TAG_DAY_RULES, w->fn, w->arg);
	hit_pages_start(&w->sums, HIT_TAG_DAY_PAIRS, w->fn, w->arg);
	sort_pairs(w);
	for (uint32_t i = 0; !err && i < w->rules; i++)
		if (w->rule[i].pairs)
			err = put_rule(w, i, &page_before);
	err = err ? err : hit_pages_flush(&w->heads);
	return err ? err : hit_pages_flush(&w->sums);
}

int hit_day_end(struct hit_day_writer *w)
{
	uint8_t page[HIT_PAGE_HEAD + DAY_BODY], *p = page + HIT_PAGE_HEAD;
	int err = end_client(w);
	err = err ? err : hit_pages_flush(&w->heads);
	err = err ? err : put_rules(w);
	if (err)
		return err;
	wire_set32(p, w->day.day);
	wire_set32(p + 4, w->day.first_run);
	wire_set32(p + 8, w->day.end_run);
	wire_set32(p + 12, (uint32_t)(w->day.hits >> 32));
	wire_set32(p + 16, (uint32_t)w->day.hits);
	return w->fn(w->arg, HIT_TAG_DAY, 0, page, sizeof page);
}

/* ---- reading ---- */

int hit_day_read(struct hit_day *out, const uint8_t *page, size_t len)
{
	const uint8_t *p = page + HIT_PAGE_HEAD;
	if (len != HIT_PAGE_HEAD + DAY_BODY)
		return ERR_DAMAGED;
	*out = (struct hit_day){
		.day = wire_get32(p),
		.first_run = wire_get32(p + 4),
		.end_run = wire_get32(p + 8),
		.hits = (uint64_t)wire_get32(p + 12) << 32 | wire_get32(p + 16),
	};
	return ERR_OK;
}

static uint32_t get24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | wire_get16(p + 1);
}

static void set_one_hit(struct hit_day_client *c, uint32_t second, uint32_t begin_s)
{
	unsigned hour = second / HIT_HOUR_S % HIT_DAY_HOURS;
	c->first_s = c->last_s = begin_s + second;
	c->hours = 1U << hour;
	c->in_hour[hour] = 1;
}

/* Hits of each hour; NULL for what cannot be. */
static const uint8_t *get_hours(struct hit_day_client *c, const uint8_t *p,
				const uint8_t *end)
{
	uint64_t rest = c->hits;
	uint32_t bits = c->hours;
	for (; p && bits & (bits - 1); bits &= bits - 1) {
		uint64_t *hits = &c->in_hour[__builtin_ctz(bits)];
		p = hit_get_varint(p, end, hits);
		if (*hits > rest)
			return NULL;
		rest -= *hits;
	}
	if (p)
		c->in_hour[__builtin_ctz(bits)] = rest;
	return p;
}

int hit_day_clients_next(struct hit_sums_at *at, struct hit_day_client *out, uint32_t day)
{
	const uint8_t *p = at->p, *end = at->end;
	uint32_t begin_s = day * HIT_DAY_S;
	uint64_t id;
	if (p == end)
		return 0;
	p = hit_get_varint(p, end, &id);
	p = hit_get_varint(p, end, &out->hits);
	if (!p || end - p < (out->hits == 1 ? ONE_HIT_BYTES : MORE_HITS_BYTES))
		return ERR_DAMAGED;
	out->id = at->before += id;
	if (out->hits == 1) {
		set_one_hit(out, get24(p), begin_s);
		at->p = p + ONE_HIT_BYTES;
		return 1;
	}
	uint32_t seconds = get24(p + 3);
	out->hours = get24(p);
	if (!out->hours)
		return ERR_DAMAGED;
	out->first_s = begin_s + (uint32_t)__builtin_ctz(out->hours) * HIT_HOUR_S +
		       (seconds >> SECOND_BITS);
	out->last_s = begin_s + (31U - (uint32_t)__builtin_clz(out->hours)) * HIT_HOUR_S +
		      (seconds & ((1U << SECOND_BITS) - 1));
	at->p = get_hours(out, p + MORE_HITS_BYTES, end);
	return at->p ? 1 : ERR_DAMAGED;
}

int hit_day_pairs_next(struct hit_sums_at *at, uint64_t *client, uint64_t *hits)
{
	uint64_t more;
	if (at->p == at->end)
		return 0;
	at->p = hit_get_varint(at->p, at->end, &more);
	at->p = hit_get_varint(at->p, at->end, hits);
	*client = at->before += more;
	return at->p ? 1 : ERR_DAMAGED;
}
