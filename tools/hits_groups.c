#include "tools/hits_groups.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SLOTS = 1024,
	SLOTS_A_LINE = 16,
	FIRST_BLOCKS = 16,
	FIRST_IDS = 4,
	BLOCK_BITS = 16,
	BLOCK_IDS = 1 << BLOCK_BITS,
	LIST_MAX = 256, /* 512 bytes; a bit for each is faster, and takes 8 KiB */
};

/* ---- sets ---- */

struct hits_set_block {
	uint64_t number;  /* + 1, 0 = free */
	uint32_t n, room; /* of list; room 0: bits */
	union {
		uint16_t *list; /* sorted */
		uint64_t *bits;
	};
};

void hits_set_fini(struct hits_set *s)
{
	for (size_t i = 0; i < s->room; i++)
		if (s->block[i].number)
			free(s->block[i].list);
	free(s->block);
	*s = (struct hits_set){0};
}

/* The block of that number (+ 1): its own, or the free one where it belongs. */
static size_t find_block(const struct hits_set *s, uint64_t number)
{
	size_t at = hits_spread(number, s->room);
	while (s->block[at].number && s->block[at].number != number)
		at = (at + 1) & (s->room - 1);
	return at;
}

static int grow_set(struct hits_set *s)
{
	struct hits_set more = *s;
	more.room = s->room ? 2 * s->room : FIRST_BLOCKS;
	more.block = calloc(more.room, sizeof *more.block);
	if (!more.block)
		return ERR_NOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (s->block[i].number)
			more.block[find_block(&more, s->block[i].number)] = s->block[i];
	free(s->block);
	*s = more;
	return ERR_OK;
}

/* Where that one stands in the list, or belongs. */
static uint32_t place_in(const struct hits_set_block *b, uint16_t low)
{
	uint32_t from = 0, to = b->n;
	if (to && b->list[to - 1] < low) /* sums come sorted */
		return to;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (b->list[middle] < low)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static int make_bits(struct hits_set_block *b)
{
	uint64_t *bits = calloc(BLOCK_IDS / 64, sizeof *bits);
	if (!bits)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < b->n; i++)
		bits[b->list[i] >> 6] |= 1ULL << (b->list[i] & 63);
	free(b->list);
	b->bits = bits;
	b->room = 0;
	return ERR_OK;
}

/* Room for one more. */
static int grow_list(struct hits_set_block *b)
{
	uint32_t room = b->room ? 2 * b->room : FIRST_IDS;
	if (room > LIST_MAX)
		return make_bits(b);
	void *more = realloc(b->list, room * sizeof *b->list);
	if (!more)
		return ERR_NOMEM;
	b->list = more;
	b->room = room;
	return ERR_OK;
}

static int add_to_list(struct hits_set_block *b, uint16_t low)
{
	uint32_t at = place_in(b, low);
	if (at < b->n && b->list[at] == low)
		return 0;
	memmove(b->list + at + 1, b->list + at, (b->n - at) * sizeof *b->list);
	b->list[at] = low;
	b->n++;
	return 1;
}

static int add_bit(struct hits_set_block *b, uint16_t low)
{
	uint64_t bit = 1ULL << (low & 63), *word = &b->bits[low >> 6];
	if (*word & bit)
		return 0;
	*word |= bit;
	return 1;
}

/* Makes s->last the block of that number. */
static int take_block(struct hits_set *s, uint64_t number)
{
	if (2 * s->blocks >= s->room && grow_set(s))
		return ERR_NOMEM;
	size_t at = find_block(s, number);
	struct hits_set_block *b = &s->block[at];
	if (!b->number) {
		struct hits_set_block made = {.number = number};
		if (grow_list(&made))
			return ERR_NOMEM;
		*b = made;
		s->blocks++;
	}
	s->last = at;
	return ERR_OK;
}

int hits_set_add(struct hits_set *s, uint64_t id)
{
	uint64_t number = (id >> BLOCK_BITS) + 1;
	if ((s->last >= s->room || s->block[s->last].number != number) &&
	    take_block(s, number))
		return ERR_NOMEM;
	struct hits_set_block *b = &s->block[s->last];
	if (b->room && b->n == b->room && grow_list(b))
		return ERR_NOMEM;
	int is_new = b->room ? add_to_list(b, (uint16_t)id) : add_bit(b, (uint16_t)id);
	s->n += (size_t)is_new;
	return is_new;
}

bool hits_set_has(const struct hits_set *s, uint64_t id)
{
	uint16_t low = (uint16_t)id;
	if (!s->room)
		return false;
	const struct hits_set_block *b = &s->block[find_block(s, (id >> BLOCK_BITS) + 1)];
	if (!b->number || !b->room)
		return b->number && b->bits[low >> 6] >> (low & 63) & 1;
	uint32_t at = place_in(b, low);
	return at < b->n && b->list[at] == low;
}

static int unite_block(struct hits_set *s, const struct hits_set_block *b)
{
	uint64_t base = (b->number - 1) << BLOCK_BITS;
	int got = 0;
	for (uint32_t i = 0; got >= 0 && b->room && i < b->n; i++)
		got = hits_set_add(s, base | b->list[i]);
	for (uint32_t i = 0; got >= 0 && !b->room && i < BLOCK_IDS / 64; i++)
		for (uint64_t left = b->bits[i]; got >= 0 && left; left &= left - 1)
			got = hits_set_add(s, base | i << 6 |
						      (unsigned)__builtin_ctzll(left));
	return got < 0 ? got : ERR_OK;
}

int hits_set_unite(struct hits_set *s, const struct hits_set *more)
{
	int err = ERR_OK;
	for (size_t i = 0; !err && i < more->room; i++)
		if (more->block[i].number)
			err = unite_block(s, &more->block[i]);
	return err;
}

/* ---- groups ---- */

void hits_groups_fini(struct hits_groups *t)
{
	free(t->group);
	free(t->slots);
	*t = (struct hits_groups){0};
}

/* Neighbours share a line of memory: clients come sorted. */
static size_t find_slot(const struct hits_groups *t, uint64_t id)
{
	size_t at =
		hits_spread(id / SLOTS_A_LINE, t->slots_n / SLOTS_A_LINE) * SLOTS_A_LINE +
		id % SLOTS_A_LINE;
	while (t->slots[at] && t->group[t->slots[at] - 1].id != id)
		at = (at + 1) & (t->slots_n - 1);
	return at;
}

static int grow_slots(struct hits_groups *t)
{
	size_t n = t->slots_n ? 2 * t->slots_n : FIRST_SLOTS;
	uint32_t *slots = calloc(n, sizeof *slots);
	if (!slots)
		return ERR_NOMEM;
	free(t->slots);
	t->slots = slots;
	t->slots_n = n;
	for (size_t i = 0; i < t->n; i++)
		slots[find_slot(t, t->group[i].id)] = (uint32_t)i + 1;
	return ERR_OK;
}

struct hits_group *hits_groups_get(struct hits_groups *t, uint64_t id)
{
	if (id < t->n && t->group[id].id == id) /* counted as they came */
		return &t->group[id];
	if (2 * t->n >= t->slots_n && grow_slots(t))
		return NULL;
	size_t at = find_slot(t, id);
	if (t->slots[at])
		return &t->group[t->slots[at] - 1];
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : FIRST_SLOTS;
		void *more = realloc(t->group, room * sizeof *t->group);
		if (!more)
			return NULL;
		t->group = more;
		t->room = room;
	}
	t->group[t->n] = (struct hits_group){
		.id = id, .first = {.row = UINT64_MAX, .at_s = UINT32_MAX}};
	t->slots[at] = (uint32_t)++t->n;
	return &t->group[t->n - 1];
}

const struct hits_group *hits_groups_find(const struct hits_groups *t, uint64_t id)
{
	size_t at = t->n ? find_slot(t, id) : 0;
	return t->n && t->slots[at] ? &t->group[t->slots[at] - 1] : NULL;
}

void hits_group_add(struct hits_group *g, uint64_t hits, const struct hits_moment *first,
		    const struct hits_moment *last)
{
	g->hits += hits;
	if (first->at_s < g->first.at_s ||
	    (first->at_s == g->first.at_s && first->segment < g->first.segment))
		g->first = *first;
	if (last->at_s > g->last.at_s ||
	    (last->at_s == g->last.at_s && last->segment >= g->last.segment))
		g->last = *last;
}

int hits_groups_unite(struct hits_groups *t, const struct hits_groups *more)
{
	for (size_t i = 0; i < more->n; i++) {
		const struct hits_group *m = &more->group[i];
		struct hits_group *g = hits_groups_get(t, m->id);
		if (!g)
			return ERR_NOMEM;
		hits_group_add(g, m->hits, &m->first, &m->last);
	}
	return ERR_OK;
}

static int by_hits(const void *a, const void *b)
{
	const struct hits_group *x = a, *y = b;
	if (x->hits != y->hits)
		return x->hits < y->hits ? 1 : -1;
	if (x->last.at_s != y->last.at_s)
		return x->last.at_s < y->last.at_s ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

void hits_groups_sort(struct hits_groups *t)
{
	if (t->n)
		qsort(t->group, t->n, sizeof *t->group, by_hits);
}
