/* hit_record.h: a hit as bytes: whole for the ring, and the two parts of it that many
 * hits share, for a segment. Shape    first what makes two hits "identical" (client
 * address, type, entry, action, question), then the rest; integers big-endian; matched is
 * usually the end of the question and then takes two bytes Units    lengths in bytes
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
	 * clock; proxy and listener; prefix; matched; list; family and category */
	HIT_PACKED_MAX = HIT_IDENTITY_MAX + 2 + 4 * 8 + 2 + 3 + 2 * (1 + 2 + 16) +
			 (1 + 1 + 16) + (2 + DNS_NAME_MAX) + HIT_LIST_MAX +
			 2 * HIT_FAMILY_MAX,
	/* entry, action, trigger, elsewhere; prefix; matched; list; family, category */
	HIT_RULE_MAX = 8 + 3 + (1 + 1 + 16) + (1 + DNS_NAME_MAX) + HIT_LIST_MAX +
		       2 * HIT_FAMILY_MAX,
	/* boot, worker; type, transport, clock; listener with port, proxy */
	HIT_WAY_RING = 8 + 2, /* boot, worker: these come first */
	HIT_WAY_MAX = 8 + 2 + 2 + 2 + (1 + 2 + 16) + (1 + 16),
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

/* The question is the matched name or below it. */
bool hit_is_below(const struct hit *h);
/* The rule: what a hit is about; and whether its question lies elsewhere, because an
 * answer led to the rule: who looks for a question must look there too. Into out of
 * HIT_RULE_MAX bytes; returns the length. */
size_t hit_pack_rule(uint8_t *out, const struct hit *h);
/* Sets those members of *out only. */
MUST_CHECK int hit_unpack_rule(struct hit *out, bool *elsewhere, const uint8_t *packed,
			       size_t len);
/* The way it came: ring, type, transport, clock, listener, proxy without its port. */
size_t hit_pack_way(uint8_t *out, const struct hit *h);
MUST_CHECK int hit_unpack_way(struct hit *out, const uint8_t *packed, size_t len);

/* Binds bytes to the place they stand at: a torn, stale or flipped record fails. */
uint32_t hit_check(const uint8_t *packed, size_t len, uint64_t place, uint64_t place2);

#endif
