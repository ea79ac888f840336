#include <string.h>
#include <sys/mman.h>

#include "resolver/cache_shard.h"

enum {
	KEEP_MAX = 64,	     /* entries given another round by one put: bounds its time */
	BYTES_PER_SLOT = 64, /* a typical entry is 100 to 200 bytes: memory fills first */
};

static uint32_t power_below(size_t n)
{
	uint32_t p = 1;
	while (p < 0x80000000U && (size_t)p * 2 <= n)
		p *= 2;
	return p;
}

int cache_shard_open(struct cache_shard *s, size_t bytes)
{
	*s = (struct cache_shard){0};
	if (bytes < CACHE_SHARD_MIN)
		return ERR_INVAL;
	void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return ERR_NOMEM;
	s->memory = m;
	s->memory_len = bytes;
	s->slots = power_below(bytes / BYTES_PER_SLOT);
	s->ghosts = s->slots / 2;
	s->slot = m;
	s->ghost = (uint32_t *)(s->slot + s->slots);
	uint8_t *rings = (uint8_t *)(s->ghost + s->ghosts);
	size_t units = (bytes - (size_t)(rings - s->memory)) / CACHE_UNIT;
	units = units > UINT32_MAX - 1 ? UINT32_MAX - 1 : units;
	s->small = (struct cache_ring){.base = rings, .size = (uint32_t)(units / 8)};
	s->main.base = rings + (size_t)s->small.size * CACHE_UNIT;
	s->main.size = (uint32_t)(units - s->small.size);
	s->entry_max = (size_t)s->small.size * CACHE_UNIT / 2;
	if (s->entry_max > CACHE_ENTRY_MAX)
		s->entry_max = CACHE_ENTRY_MAX;
	return ERR_OK;
}

void cache_shard_close(struct cache_shard *s)
{
	if (s->memory)
		munmap(s->memory, s->memory_len);
	*s = (struct cache_shard){0};
}

uint64_t cache_shard_bytes(const struct cache_shard *s)
{
	uint64_t units = (uint64_t)s->small.used + s->main.used;
	return s->slots * sizeof *s->slot + s->ghosts * sizeof *s->ghost +
	       units * CACHE_UNIT;
}

static struct cache_entry *ring_entry(const struct cache_ring *r, uint32_t unit)
{
	return (struct cache_entry *)(void *)(r->base + (size_t)unit * CACHE_UNIT);
}

/* Both rings lie one behind the other, so that one number names a place in either. */
static struct cache_entry *slot_entry(const struct cache_shard *s, uint32_t slot)
{
	return ring_entry(&s->small, s->slot[slot].at - 1);
}

static uint32_t entry_at(const struct cache_shard *s, const struct cache_entry *e)
{
	size_t off = (size_t)((const uint8_t *)e - s->small.base);
	return (uint32_t)(off / CACHE_UNIT) + 1;
}

/* ---- index: linear probing, deletion by shifting back, so no tombstones ---- */

static void index_add(struct cache_shard *s, struct cache_entry *e)
{
	uint32_t i = e->tag & (s->slots - 1);
	while (s->slot[i].at)
		i = (i + 1) & (s->slots - 1);
	s->slot[i] = (struct cache_slot){e->tag, entry_at(s, e)};
	e->live = 1;
	s->entries++;
}

static void index_close_gap(struct cache_shard *s, uint32_t gap)
{
	uint32_t mask = s->slots - 1;
	for (uint32_t i = (gap + 1) & mask; s->slot[i].at; i = (i + 1) & mask) {
		uint32_t home = s->slot[i].tag & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue; /* it would come to lie before its home */
		s->slot[gap] = s->slot[i];
		gap = i;
	}
	s->slot[gap] = (struct cache_slot){0, 0};
}

void cache_shard_remove(struct cache_shard *s, struct cache_entry *e)
{
	uint32_t at = entry_at(s, e), i = e->tag & (s->slots - 1);
	while (s->slot[i].at != at)
		i = (i + 1) & (s->slots - 1);
	index_close_gap(s, i);
	e->live = 0;
	s->entries--;
}

struct cache_entry *cache_shard_find(struct cache_shard *s, uint32_t tag, const void *key,
				     size_t key_len)
{
	uint32_t i = tag & (s->slots - 1);
	for (; s->slot[i].at; i = (i + 1) & (s->slots - 1)) {
		if (s->slot[i].tag != tag)
			continue;
		struct cache_entry *e = slot_entry(s, i);
		if (e->key_len == key_len && !memcmp(cache_entry_key(e), key, key_len))
			return e;
	}
	return NULL;
}

/* ---- ghosts: tags of what fell out of the small ring unread ---- */

static void ghost_add(struct cache_shard *s, uint32_t tag)
{
	s->ghost[tag & (s->ghosts - 1)] = tag | 1; /* 0 = free */
}

static bool ghost_take(struct cache_shard *s, uint32_t tag)
{
	uint32_t *g = &s->ghost[tag & (s->ghosts - 1)];
	bool found = *g == (tag | 1);
	*g = found ? 0 : *g;
	return found;
}

/* ---- rings ---- */

static void ring_pop(struct cache_ring *r)
{
	uint32_t units = ring_entry(r, r->tail)->units;
	r->used -= units;
	r->tail += units;
	if (r->tail == r->size)
		r->tail = 0;
	if (r->used == 0)
		r->head = r->tail = 0;
}

/* Whether n units are free in one piece at head; fills up a rest that is too short. */
static bool ring_fits(struct cache_ring *r, uint32_t n)
{
	if (r->used == r->size)
		return false;
	if (r->head < r->tail)
		return r->tail - r->head >= n;
	uint32_t rest = r->size - r->head;
	if (rest >= n)
		return true;
	if (rest) {
		*ring_entry(r, r->head) = (struct cache_entry){.units = (uint16_t)rest};
		r->used += rest;
	}
	r->head = 0;
	return r->used < r->size && r->tail >= n;
}

static struct cache_entry *ring_push(struct cache_ring *r, uint32_t n)
{
	struct cache_entry *e = ring_entry(r, r->head);
	r->head += n;
	r->used += n;
	if (r->head == r->size)
		r->head = 0;
	e->units = (uint16_t)n;
	return e;
}

static void drop_tail(struct cache_shard *s, struct cache_ring *r)
{
	struct cache_entry *e = ring_entry(r, r->tail);
	if (e->live) {
		cache_shard_remove(s, e);
		s->evicted++;
	}
	ring_pop(r);
}

/* Takes the tail of from out and puts it at the head of main, where what stands in the
 * way gives way. */
static void carry_to_main(struct cache_shard *s, struct cache_ring *from, uint8_t reads)
{
	max_align_t copy[CACHE_ENTRY_MAX / sizeof(max_align_t)];
	struct cache_entry *e = ring_entry(from, from->tail);
	uint32_t units = e->units;
	cache_shard_remove(s, e);
	memcpy(copy, e, (size_t)units * CACHE_UNIT);
	ring_pop(from);
	while (!ring_fits(&s->main, units))
		drop_tail(s, &s->main);
	e = ring_push(&s->main, units);
	memcpy(e, copy, (size_t)units * CACHE_UNIT);
	e->reads = reads;
	index_add(s, e);
}

static void advance_main(struct cache_shard *s, int *keep)
{
	struct cache_entry *e = ring_entry(&s->main, s->main.tail);
	if (e->live && e->reads && *keep > 0) {
		(*keep)--;
		carry_to_main(s, &s->main, (uint8_t)(e->reads - 1));
	} else {
		drop_tail(s, &s->main);
	}
}

static void advance_small(struct cache_shard *s, int *keep)
{
	struct cache_entry *e = ring_entry(&s->small, s->small.tail);
	/* As long as main has not been filled once, nothing needs to be lost. */
	bool stays = e->live && (e->reads || ring_fits(&s->main, e->units));
	if (!stays) {
		if (e->live)
			ghost_add(s, e->tag);
		drop_tail(s, &s->small);
		return;
	}
	while (*keep > 0 && !ring_fits(&s->main, e->units))
		advance_main(s, keep);
	carry_to_main(s, &s->small, 0);
}

/* A full index is as full as a full ring: an eighth stays free, or probing gets long. */
static bool index_full(const struct cache_shard *s)
{
	return s->entries >= s->slots - s->slots / 8;
}

static void make_room(struct cache_shard *s, struct cache_ring *r, uint32_t units)
{
	int keep = KEEP_MAX;
	while (!ring_fits(r, units) || index_full(s)) {
		/* A full index may have nothing left in the ring that was asked for. */
		struct cache_ring *from = r->used ? r : &s->main;
		from = from->used ? from : &s->small;
		if (from == &s->small)
			advance_small(s, &keep);
		else
			advance_main(s, &keep);
	}
}

void *cache_shard_put(struct cache_shard *s, uint32_t tag, const void *key,
		      size_t key_len, size_t value_len)
{
	size_t len = sizeof(struct cache_entry) + value_len + key_len;
	size_t units = (len + CACHE_UNIT - 1) / CACHE_UNIT;
	struct cache_entry *e = cache_shard_find(s, tag, key, key_len);
	bool known = e != NULL;
	if (e)
		cache_shard_remove(s, e);
	if (units * CACHE_UNIT > s->entry_max)
		return NULL;
	struct cache_ring *r = known || ghost_take(s, tag) ? &s->main : &s->small;
	make_room(s, r, (uint32_t)units);
	e = ring_push(r, (uint32_t)units);
	*e = (struct cache_entry){.tag = tag,
				  .units = (uint16_t)units,
				  .key_len = (uint16_t)key_len,
				  .value_len = (uint16_t)value_len};
	memcpy(e->bytes + value_len, key, key_len);
	index_add(s, e);
	return e->bytes;
}

uint64_t cache_shard_sweep(struct cache_shard *s, cache_drop_fn *drop, void *arg)
{
	struct cache_ring *const rings[] = {&s->small, &s->main};
	uint64_t n = 0;
	for (int i = 0; i < 2; i++) {
		struct cache_ring *r = rings[i];
		uint32_t at = r->tail;
		for (uint32_t left = r->used; left;) {
			struct cache_entry *e = ring_entry(r, at);
			left -= e->units;
			at += e->units;
			at = at == r->size ? 0 : at;
			if (e->live && drop(arg, e)) {
				cache_shard_remove(s, e);
				n++;
			}
		}
	}
	return n;
}
