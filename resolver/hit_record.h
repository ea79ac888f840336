/* hit_record.h: a hit as bytes, the same in the ring and in a segment.
 * Shape    first what makes two hits "identical" (client address, type, entry, action,
 *          question), then the rest; integers big-endian; matched is usually the end of
 *          the question and then takes two bytes
 * Units    lengths in bytes
 * Memory   the caller's
 * Threads  any; pure functions
 * Errors   ERR_FORMAT for bytes that are no hit
 * Source   DESIGN.md "The hit log" */
#ifndef SINKHOLED_HIT_RECORD_H
#define SINKHOLED_HIT_RECORD_H

#include "include/hit.h"

enum {
	/* family, address, qtype, entry, action, name with its length */
	HIT_IDENTITY_MAX = 1 + 16 + 2 + 8 + 1 + 1 + DNS_NAME_MAX,
	/* client port; time, boot, sequence, generation; worker; transport, trigger,
	 * clock; proxy and listener; prefix; matched; list; family */
	HIT_PACKED_MAX = HIT_IDENTITY_MAX + 2 + 4 * 8 + 2 + 3 + 2 * (1 + 2 + 16) +
			 (1 + 1 + 16) + (2 + DNS_NAME_MAX) + HIT_LIST_MAX +
			 HIT_FAMILY_MAX,
};

/* What the ring knows and the worker does not. */
struct hit_origin {
	uint64_t boot, sequence;
	uint16_t worker;
};

/* Writes h without its count into out, which has room for HIT_PACKED_MAX. Returns the
 * length; *identity_len (may be NULL) gets the part that two identical hits share. */
size_t hit_pack(uint8_t *out, size_t *identity_len, const struct hit *h,
		const struct hit_origin *origin);
/* The other way; count becomes 1. Every string of *out is a checked one. */
MUST_CHECK int hit_unpack(struct hit *out, const uint8_t *packed, size_t len);
/* Only the time; 0 when the bytes are too few. */
uint64_t hit_packed_time(const uint8_t *packed, size_t len);

/* Binds bytes to the place they stand at: a torn, stale or flipped record fails. */
uint32_t hit_check(const uint8_t *packed, size_t len, uint64_t place, uint64_t place2);

#endif
