#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "include/hash_fold.h"
#include "tools/blocklist_seen.h"

enum {
	SLOTS_FIRST = 1 << 12,
	HUGE_PAGE = 2 << 20,
	/* The low bits of a slot, which are not of the hash. */
	USED = 1,
	HAS_ACTION = 2,
	HAS_DATA = 4,
	OF_WILDCARD = 2, /* so far left of these are the same of the name's wildcard */
	FLAGS = 31,
};

void seen_init(struct seen *s)
{
	*s = (struct seen){0};
	/* Whoever knows it can make a feed whose import takes long, and nothing else. */
	(void)!getrandom(&s->key, sizeof s->key, GRND_NONBLOCK);
}

void seen_fini(struct seen *s)
{
	free(s->slot);
	*s = (struct seen){0};
}

void seen_expect(struct seen *s, uint64_t n)
{
	s->expected = n;
}

/* A zone has a name and its wildcard in two lines: they share a slot. */
static bool is_wildcard(const struct blocklist_item *item)
{
	return !item->key.prefix.addr.family && rule_kind_is_wildcard(item->kind);
}

static uint64_t hash_item(const struct seen *s, const struct blocklist_item *item)
{
	const struct prefix *p = &item->key.prefix;
	unsigned kind = !is_wildcard(item)	      ? item->kind
			: rule_kind_is_ns(item->kind) ? RULE_NS_EXACT
						      : RULE_EXACT;
	unsigned what = kind << 16 | (unsigned)p->addr.family << 8 | p->bits;
	const struct hash_key key = {{s->key.k[0] ^ what, s->key.k[1]}};
	if (p->addr.family)
		return hash_fold(&key, p->addr.bytes, sizeof p->addr.bytes);
	return hash_fold(&key, item->key.name, name_len(item->key.name));
}

static size_t place(uint64_t h, size_t slots)
{
	return (size_t)(h >> 8) & (slots - 1);
}

/* The slot of h, or the empty one where it belongs. */
static uint64_t *find(uint64_t *slot, size_t slots, uint64_t h)
{
	size_t at = place(h, slots);
	while (slot[at] && (slot[at] ^ h) & ~(uint64_t)FLAGS)
		at = (at + 1) & (slots - 1);
	return &slot[at];
}

/* Each look is at another page: with small ones, looking for the page takes longer. */
static uint64_t *slots_new(size_t slots)
{
	size_t n = slots * sizeof(uint64_t);
	if (n < HUGE_PAGE)
		return calloc(1, n);
	uint64_t *slot = aligned_alloc(HUGE_PAGE, n);
	if (slot) {
		(void)madvise(slot, n, MADV_HUGEPAGE);
		memset(slot, 0, n);
	}
	return slot;
}

static bool grow(struct seen *s)
{
	size_t slots = s->slots ? s->slots * 2 : SLOTS_FIRST;
	while (slots < SEEN_SLOTS_MAX && slots / 4 * 3 < s->expected)
		slots *= 2;
	uint64_t *slot = slots <= SEEN_SLOTS_MAX ? slots_new(slots) : NULL;
	if (!slot)
		return false;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i])
			*find(slot, slots, s->slot[i]) = s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->slots = slots;
	return true;
}

/* The flags that h had before it got more; 0: it is new. */
static unsigned mark(struct seen *s, uint64_t h, unsigned more)
{
	bool room = s->used < s->slots / 4 * 3 || grow(s);
	uint64_t *at = s->slots ? find(s->slot, s->slots, h) : NULL;
	unsigned had = at ? *at & FLAGS : 0;
	if (!had && (!room || !at))
		return 0;
	if (!had)
		*at = h & ~(uint64_t)FLAGS;
	*at |= USED | more;
	s->used += !had;
	return had;
}

/* The lines of a zone file are one record each; of a CSV the first speaks for all. */
static uint64_t hash_record(const struct seen *s, uint64_t item,
			    const struct blocklist_data *d)
{
	struct hash_key k = {{item, s->key.k[1]}};
	struct blocklist_rr rr = {0};
	size_t at = 0;
	(void)blocklist_data_next(d, &at, &rr);
	k.k[0] += rr.type;
	return hash_fold(&k, rr.rdata, rr.len);
}

uint64_t seen_hash(const struct seen *s, const struct blocklist_item *item)
{
	uint64_t h = hash_item(s, item);
	if (s->slots)
		__builtin_prefetch(&s->slot[place(h, s->slots)]);
	return h;
}

enum seen_as seen_put(struct seen *s, const struct blocklist_item *item, uint64_t h)
{
	bool data = item->action == RULE_LOCAL_DATA, wildcard = is_wildcard(item);
	unsigned shift = wildcard ? OF_WILDCARD : 0;
	unsigned more = data ? HAS_DATA : HAS_ACTION;
	unsigned had = mark(s, h, more << shift) >> shift;
	bool again = data && mark(s, hash_record(s, h + wildcard, &item->entry.data), 0);
	had &= HAS_ACTION | HAS_DATA;
	s->distinct += !had;
	if (!had)
		return SEEN_NEW;
	if (had & (data ? HAS_ACTION : HAS_DATA))
		return SEEN_BESIDE;
	return data && !again ? SEEN_MORE : SEEN_DUPLICATE;
}
