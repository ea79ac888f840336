#include "tools/hits_groups.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024, FIRST_PAGES = 64, PAGE_BITS = 9 };

/* ---- sets ---- */

void hits_set_fini(struct hits_set *s)
{
	free(s->page);
	*s = (struct hits_set){0};
}

/* The page of that number (+ 1): its own, or the free one where it belongs. */
static size_t find_page(const struct hits_set *s, uint64_t id)
{
	size_t at = hits_spread(id, s->room);
	while (s->page[at].id && s->page[at].id != id)
		at = (at + 1) & (s->room - 1);
	return at;
}

static int grow_set(struct hits_set *s)
{
	struct hits_set more = *s;
	more.room = s->room ? 2 * s->room : FIRST_PAGES;
	more.page = calloc(more.room, sizeof *more.page);
	if (!more.page)
		return ERR_NOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (s->page[i].id)
			more.page[find_page(&more, s->page[i].id)] = s->page[i];
	free(s->page);
	*s = more;
	return ERR_OK;
}

int hits_set_add(struct hits_set *s, uint64_t id)
{
	uint64_t page = (id >> PAGE_BITS) + 1, bit = 1ULL << (id & 63);
	/* Sums come sorted: the next is often a neighbour. */
	if (s->last >= s->room || s->page[s->last].id != page) {
		if (2 * s->pages >= s->room && grow_set(s))
			return ERR_NOMEM;
		s->last = find_page(s, page);
		s->pages += s->page[s->last].id == 0;
		s->page[s->last].id = page;
	}
	uint64_t *word = &s->page[s->last].bits[id >> 6 & 7];
	if (*word & bit)
		return 0;
	*word |= bit;
	s->n++;
	return 1;
}

bool hits_set_has(const struct hits_set *s, uint64_t id)
{
	if (!s->room)
		return false;
	const struct hits_set_page *p = &s->page[find_page(s, (id >> PAGE_BITS) + 1)];
	return p->id && p->bits[id >> 6 & 7] >> (id & 63) & 1;
}

/* ---- groups ---- */

void hits_groups_fini(struct hits_groups *t)
{
	free(t->group);
	free(t->slots);
	*t = (struct hits_groups){0};
}

static size_t find_slot(const struct hits_groups *t, uint64_t id)
{
	size_t at = hits_spread(id, t->slots_n);
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
