/* hits_groups.h: sums by number, and sets of numbers, for millions of them.
 * Shape    groups: hash table from an id to its sums, in the order they came; sets:
 * blocks of 65,536 neighbours, a sorted list or, when many are there, a bit for each
 * Units    seconds since 1970
 * Memory   50 bytes a group; in a set 70 a block and 2 a member, or 8 KiB a block
 * Threads  one
 * Errors   NULL or ERR_NOMEM */
#ifndef SINKHOLED_TOOLS_HITS_GROUPS_H
#define SINKHOLED_TOOLS_HITS_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/err.h"

/* Ids are client numbers and small counts: they need no secret, only to be spread. */
static inline size_t hits_spread(uint64_t id, size_t slots_n)
{
	return (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & (slots_n - 1);
}

struct hits_set_block;
struct hits_set {
	struct hits_set_block *block; /* hash table */
	size_t blocks, room, n;	      /* n: members */
	size_t last;		      /* where the last one was found */
};

void hits_set_fini(struct hits_set *s);
/* 1: it is new; 0; or ERR_NOMEM. */
MUST_CHECK int hits_set_add(struct hits_set *s, uint64_t id);
bool hits_set_has(const struct hits_set *s, uint64_t id);
/* All that is in one of them. */
MUST_CHECK int hits_set_unite(struct hits_set *s, const struct hits_set *more);

/* When, and which hit: row UINT64_MAX = not known. */
struct hits_moment {
	uint64_t row;
	uint32_t segment;
	uint32_t at_s;
};

struct hits_group {
	uint64_t id, hits;
	struct hits_moment first, last;
};

struct hits_groups {
	struct hits_group *group;
	size_t n, room;
	uint32_t *slots; /* index + 1 of a group, 0 = free; a power of two */
	size_t slots_n;
};

void hits_groups_fini(struct hits_groups *t);
/* The group of that id, made when there is none. */
struct hits_group *hits_groups_get(struct hits_groups *t, uint64_t id);
/* NULL when there is none. */
const struct hits_group *hits_groups_find(const struct hits_groups *t, uint64_t id);
/* Keeps the earlier and the later moment; of two in the same second those of the earlier
 * and the later segment. */
void hits_group_add(struct hits_group *g, uint64_t hits, const struct hits_moment *first,
		    const struct hits_moment *last);
/* Adds all of more to it. */
MUST_CHECK int hits_groups_unite(struct hits_groups *t, const struct hits_groups *more);
/* Most hits first, then the latest; this ends adding and finding. */
void hits_groups_sort(struct hits_groups *t);

#endif
