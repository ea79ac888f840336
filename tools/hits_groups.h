/* hits_groups.h: sums of hits by some key, with what is distinct within each.
 * Shape    hash table from key bytes to a group; a set of fingerprints of (group, other)
 *          pairs tells how many different others there are
 * Units    microseconds since 1970, UTC
 * Memory   grows with what differs, 100 to 300 bytes a group and 16 a pair
 * Threads  one
 * Errors   NULL or ERR_NOMEM
 * The fingerprints are 64 bits of SipHash: two pairs of ten million coincide in one of
 * 300,000 reports, which a count of clients can bear. */
#ifndef SINKHOLED_TOOLS_HITS_GROUPS_H
#define SINKHOLED_TOOLS_HITS_GROUPS_H

#include "include/hash.h"
#include "include/hit.h"

struct hits_group {
	uint64_t hits, records, distinct; /* distinct: others paired with it */
	uint64_t first_us, last_us;
	uint8_t *key;
	size_t key_len;
	uint64_t entry;
	char list[HIT_LIST_MAX], family[HIT_FAMILY_MAX]; /* of its newest hit */
};

struct hits_groups {
	struct hits_group *group;
	size_t n, room;
	uint32_t *slots; /* index + 1 of a group, 0 = free; a power of two */
	size_t slots_n;
	uint64_t *pairs; /* fingerprints, 0 = free; a power of two */
	size_t pairs_n, pairs_room;
	struct hash_key key;
};

MUST_CHECK int hits_groups_init(struct hits_groups *t);
void hits_groups_fini(struct hits_groups *t);
/* Adds a hit to the group of that key, and the other thing to what it is paired with
 * (other_len 0 = nothing). */
MUST_CHECK int hits_groups_add(struct hits_groups *t, const void *key, size_t key_len,
			       const struct hit *hit, const void *other,
			       size_t other_len);
/* Most hits first, then the latest; this ends adding. */
void hits_groups_sort(struct hits_groups *t);

#endif
