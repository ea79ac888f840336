/* denial_index.h: the records of denial.h in their order; only denial*.c include it.
 * Shape    per shard an array of places of one size and their order; a look-up is a
 *          binary search
 * Threads  as denial.h
 *
 * Keys are zone, type, owner, so that a zone is one piece of the order, and in it each
 * type, as RFC 4034 6.1 has it. Base32hex keeps the order of hashes: NSEC3 needs no order
 * of its own. */
#ifndef SINKHOLED_DENIAL_INDEX_H
#define SINKHOLED_DENIAL_INDEX_H

#include "resolver/denial.h"

struct denial_shard;

/* A zone's place; zone is borrowed. */
struct denial_zone {
	const uint8_t *name;
	struct denial_shard *shard;
	uint64_t hash;
};

struct denial_zone denial_zone(struct denial *d, const uint8_t *zone);
bool denial_zone_known(const struct denial_zone *z);
/* The zone's last record of type at or before owner, or when there is none the very last,
 * for an order of hashes is a circle. It may have nothing to do with owner. *out is NULL
 * when there is none that lives. owner NULL is behind all others. ERR_NOMEM. */
MUST_CHECK int denial_find(const struct rrset **out, const struct denial_zone *z,
			   uint16_t type, const uint8_t *owner, struct arena *arena,
			   uint32_t now_s);

#endif
