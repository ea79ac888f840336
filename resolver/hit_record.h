/* hit_record.h: a hit as bytes: whole for the ring, and the two words in it that many
 * hits share, for a segment.
 * Shape    a record, integers big-endian:
 *            time 8, sequence 8, generation 8; client's port 2, proxy's port 2 (0 = none)
 *          and, what makes two hits "identical":
 *            client's family 1; length of way 1, of rule 2; client 4 or 16; way; rule;
 *            question: its labels before the matched name, or all of it when it does not
 *            end in that, to the end
 *          way   boot 8, worker 2, type 2, transport 1, clock 1; listener, proxy
 *          rule  entry 8, action 1, trigger 1, elsewhere 1; prefix, matched name and its
 *                length, list, family, category
 *          an address: family 1, 4 or 16 bytes, the listener's port 2; a prefix its bits;
 *          family 0 is all of it when there is none. A text: length 1 and bytes
 * Units    lengths in bytes
 * Memory   the caller's
 * Threads  any; pure functions
 * Errors   ERR_FORMAT for bytes that are no hit
 * Source   DESIGN.md "The hit log" */
#ifndef SINKHOLED_HIT_RECORD_H
#define SINKHOLED_HIT_RECORD_H

#include "include/hash_fold.h"
#include "include/hit.h"

enum {
	HIT_RECORD_OWN = 3 * 8 + 2 * 2, /* before what identical hits have in common */
	HIT_RECORD_HEAD = HIT_RECORD_OWN + 1 + 1 + 2,
	HIT_WAY_RING = 8 + 2, /* boot, worker: these come first */
	HIT_WAY_MAX = HIT_WAY_RING + 2 + 2 + (1 + 16 + 2) + (1 + 16),
	HIT_RULE_ELSEWHERE = 8 + 2, /* where that stands */
	HIT_RULE_MAX = HIT_RULE_ELSEWHERE + 1 + (1 + 16 + 1) + (1 + DNS_NAME_MAX) +
		       HIT_LIST_MAX + 2 * HIT_FAMILY_MAX,
	HIT_PACKED_MAX = HIT_RECORD_HEAD + 16 + HIT_WAY_MAX + HIT_RULE_MAX + DNS_NAME_MAX,
};

/* A hit as a worker has it: everything stays where it is until it has been packed. */
struct hit_source {
	uint64_t time_us, entry, generation;
	uint16_t qtype;
	uint8_t transport, trigger, action, clock_synced;
	size_t qname_len;
	const struct addr *client, *listener;
	const struct addr *proxy; /* NULL = none */
	const struct prefix *prefix;
	const uint8_t *qname, *matched;
	const char *list, *family, *category; /* cut to fit */
};
struct hit_source hit_source_of(const struct hit *h);

/* What the ring knows and the worker does not. */
struct hit_origin {
	uint64_t boot, sequence;
	uint16_t worker;
};

/* Writes h into out, which has room for HIT_PACKED_MAX; returns the length. */
size_t hit_pack(uint8_t *out, const struct hit_source *h,
		const struct hit_origin *origin);

/* A record taken apart; it points into the bytes. hash and count do not stand in them:
 * who has read it sets these. */
struct hit_record {
	uint64_t time_us, sequence, generation, boot;
	uint64_t hash; /* hit_record_hash() */
	uint32_t count;
	uint16_t worker, proxy_port;
	struct addr client;
	bool elsewhere;
	const uint8_t *way, *rule, *question;
	size_t len, way_len, rule_len, question_len;
};

/* The question fits the rule's name. The two words are not looked through: that is worth
 * doing once for all that are equal. */
MUST_CHECK int hit_record_read(struct hit_record *out, const uint8_t *packed, size_t len);

/* ---- the parts; each sets its members of *out only ---- */

/* The rule: what a hit is about; and whether its question lies elsewhere, because an
 * answer led to the rule: who looks for a question must look there too. */
MUST_CHECK int hit_unpack_rule(struct hit *out, bool *elsewhere, const uint8_t *packed,
			       size_t len);
/* The way it came: ring, type, transport, clock, listener, proxy without its port. */
MUST_CHECK int hit_unpack_way(struct hit *out, const uint8_t *packed, size_t len);
/* The question; out->matched is there already. */
MUST_CHECK int hit_unpack_question(struct hit *out, bool elsewhere, const uint8_t *p,
				   size_t n);

/* ---- checks: what finds damage ---- */

static inline uint64_t hit_record_hash(const void *bytes, size_t len)
{
	return hash_fold(&(struct hash_key){{0, 0}}, bytes, len);
}

/* Binds bytes to the place they stand at: a torn, stale or flipped record fails. */
static inline uint32_t hit_bind(uint64_t hash, uint64_t place, uint64_t place2)
{
	return (uint32_t)hash_fold_two(&(struct hash_key){{place, place2}}, hash, 0);
}

static inline uint32_t hit_check(const void *bytes, size_t len, uint64_t place,
				 uint64_t place2)
{
	return hit_bind(hit_record_hash(bytes, len), place, place2);
}

#endif
