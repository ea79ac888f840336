#include "tools/hits_groups.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024, WORD_BITS = 6 };

/* ---- sets ---- */

void hits_set_fini(struct hits_set *s)
{
	free(s->word);
	*s = (struct hits_set){0};
}

/* The word of that id: its own, or the free one where it belongs. */
static size_t find_word(const struct hits_set *s, uint64_t id)
{
	size_t at = hits_spread(id, s->room);
	while (s->word[at].bits && s->word[at].id != id)
		at = (at + 1) & (s->room - 1);
	return at;
}

static int grow_set(struct hits_set *s)
{
	struct hits_set more = *s;
	more.room = s->room ? 2 * s->room : FIRST_SLOTS;
	more.word = calloc(more.room, sizeof *more.word);
	if (!more.word)
		return ERR_NOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (s->word[i].bits)
			more.word[find_word(&more, s->word[i].id)] = s->word[i];
	free(s->word);
	*s = more;
	return ERR_OK;
}

int hits_set_add(struct hits_set *s, uint64_t id)
{
	uint64_t word = id >> WORD_BITS, bit = 1ULL << (id & ((1U << WORD_BITS) - 1));
	if (2 * s->words >= s->room && grow_set(s))
		return ERR_NOMEM;
	/* Sums come sorted: the next is often a neighbour. */
	if (s->last >= s->room || !s->word[s->last].bits || s->word[s->last].id != word)
		s->last = find_word(s, word);
	s->words += s->word[s->last].bits == 0;
	s->word[s->last].id = word;
	if (s->word[s->last].bits & bit)
		return 0;
	s->word[s->last].bits |= bit;
	s->n++;
	return 1;
}

bool hits_set_has(const struct hits_set *s, uint64_t id)
{
	return s->room && s->word[find_word(s, id >> WORD_BITS)].bits >>
					  (id & ((1U << WORD_BITS) - 1)) &
				  1;
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
