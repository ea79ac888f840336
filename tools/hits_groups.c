#include "tools/hits_groups.h"

#include <stdlib.h>
#include <sys/random.h>

enum { FIRST_SLOTS = 1024 };

int hits_groups_init(struct hits_groups *t)
{
	*t = (struct hits_groups){.slots_n = FIRST_SLOTS, .pairs_room = FIRST_SLOTS};
	t->slots = calloc(t->slots_n, sizeof *t->slots);
	t->pairs = calloc(t->pairs_room, sizeof *t->pairs);
	if (!t->slots || !t->pairs)
		return ERR_NOMEM;
	ssize_t n = getrandom(&t->key, sizeof t->key, 0);
	return n == (ssize_t)sizeof t->key ? ERR_OK : ERR_IO;
}

void hits_groups_fini(struct hits_groups *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->group[i].key);
	free(t->group);
	free(t->slots);
	free(t->pairs);
	*t = (struct hits_groups){0};
}

/* The slot of that key: its own, or the free one where it belongs. */
static size_t find_slot(const struct hits_groups *t, const void *key, size_t len)
{
	size_t at = hash_bytes(&t->key, key, len) & (t->slots_n - 1);
	for (;; at = (at + 1) & (t->slots_n - 1)) {
		if (!t->slots[at])
			return at;
		const struct hits_group *g = &t->group[t->slots[at] - 1];
		if (g->key_len == len && memcmp(g->key, key, len) == 0)
			return at;
	}
}

static int grow_slots(struct hits_groups *t)
{
	uint32_t *old = t->slots;
	size_t old_n = t->slots_n;
	uint32_t *slots = calloc(2 * old_n, sizeof *slots);
	if (!slots)
		return ERR_NOMEM;
	t->slots = slots;
	t->slots_n = 2 * old_n;
	for (size_t i = 0; i < t->n; i++)
		slots[find_slot(t, t->group[i].key, t->group[i].key_len)] =
			(uint32_t)i + 1;
	free(old);
	return ERR_OK;
}

static struct hits_group *new_group(struct hits_groups *t, const void *key, size_t len)
{
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 256;
		void *more = realloc(t->group, room * sizeof *t->group);
		if (!more)
			return NULL;
		t->group = more;
		t->room = room;
	}
	struct hits_group *g = &t->group[t->n];
	*g = (struct hits_group){.first_us = UINT64_MAX, .key_len = len};
	g->key = malloc(len ? len : 1);
	if (!g->key)
		return NULL;
	memcpy(g->key, key, len);
	t->n++;
	return g;
}

static struct hits_group *get_group(struct hits_groups *t, const void *key, size_t len)
{
	if (2 * t->n >= t->slots_n && grow_slots(t))
		return NULL;
	size_t at = find_slot(t, key, len);
	if (t->slots[at])
		return &t->group[t->slots[at] - 1];
	struct hits_group *g = new_group(t, key, len);
	if (g)
		t->slots[at] = (uint32_t)t->n;
	return g;
}

/* Whether the fingerprint is new; there is room for it. */
static bool add_pair(uint64_t *pairs, size_t room, uint64_t fingerprint)
{
	size_t at = fingerprint & (room - 1);
	for (; pairs[at]; at = (at + 1) & (room - 1))
		if (pairs[at] == fingerprint)
			return false;
	pairs[at] = fingerprint;
	return true;
}

static int grow_pairs(struct hits_groups *t)
{
	uint64_t *pairs = calloc(2 * t->pairs_room, sizeof *pairs);
	if (!pairs)
		return ERR_NOMEM;
	for (size_t i = 0; i < t->pairs_room; i++)
		if (t->pairs[i])
			add_pair(pairs, 2 * t->pairs_room, t->pairs[i]);
	free(t->pairs);
	t->pairs = pairs;
	t->pairs_room *= 2;
	return ERR_OK;
}

static int count_distinct(struct hits_groups *t, struct hits_group *g, const void *other,
			  size_t len)
{
	struct hash_key key = t->key;
	key.k[1] ^= (uint64_t)(g - t->group) + 1;
	uint64_t fingerprint = hash_bytes(&key, other, len);
	fingerprint = fingerprint ? fingerprint : 1;
	if (2 * t->pairs_n >= t->pairs_room && grow_pairs(t))
		return ERR_NOMEM;
	if (add_pair(t->pairs, t->pairs_room, fingerprint)) {
		t->pairs_n++;
		g->distinct++;
	}
	return ERR_OK;
}

int hits_groups_add(struct hits_groups *t, const void *key, size_t key_len,
		    const struct hit *hit, const void *other, size_t other_len)
{
	struct hits_group *g = get_group(t, key, key_len);
	if (!g)
		return ERR_NOMEM;
	g->hits += hit->count;
	g->records++;
	if (hit->time_us < g->first_us)
		g->first_us = hit->time_us;
	if (hit->time_us >= g->last_us) {
		g->last_us = hit->time_us;
		g->entry = hit->entry;
		memcpy(g->list, hit->list, sizeof g->list);
		memcpy(g->family, hit->family, sizeof g->family);
	}
	return other_len ? count_distinct(t, g, other, other_len) : ERR_OK;
}

static int by_hits(const void *a, const void *b)
{
	const struct hits_group *x = a, *y = b;
	if (x->hits != y->hits)
		return x->hits < y->hits ? 1 : -1;
	if (x->last_us != y->last_us)
		return x->last_us < y->last_us ? 1 : -1;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	return memcmp(x->key, y->key, n);
}

void hits_groups_sort(struct hits_groups *t)
{
	if (t->n)
		qsort(t->group, t->n, sizeof *t->group, by_hits);
}
