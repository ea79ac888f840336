/* denial.h: what signed zones deny, for names that nobody has asked for yet.
 * Shape    an ordered index of NSEC and NSEC3 records, and of their zones' SOA, whose
 *          signatures were good; a name in, the denial that they prove out, or that a
 *          wildcard stands for it
 * Units    TTL in s; now_s is wall time, RFC 1982 order
 * Memory   put copies in, get copies into the caller's arena; one hard byte limit, taken
 *          at open and touched as it fills
 * Threads  any; a zone lies in one shard, one lock per shard, never held while hashing
 * Errors   ERR_NOMEM (arena full, or from open); ERR_INVAL below DENIAL_SIZE_MIN
 * Source   RFC 8198, 9077 (TTL), 4034 6.1, 5155 8
 *
 * The index only chooses records: val_proof.h says what they prove, as it does for a
 * reply. What is not proved, opt-out above all, is a miss and costs a packet. A look-up
 * is a few binary searches and, for NSEC3, a few hashes. */
#ifndef SINKHOLED_DENIAL_H
#define SINKHOLED_DENIAL_H

#include "include/arena.h"
#include "resolver/reply.h"

enum {
	/* A record's room with owner, signatures and server: an NSEC with one signature
	 * of RSA-2048 and names of usual length takes about 400. Larger ones, by RSA-4096
	 * or of a zone that changes its algorithm, are looked up each time. */
	DENIAL_SPAN_MAX = 512,
	/* Hashes for one look-up, and SHA-1 blocks for each: 0.2 ms at most. Nobody pays
	 * for them, and one question may bring dozens of look-ups. Names deeper than
	 * that, and zones that iterate (RFC 9276 wants none; PowerDNS 20), are asked for.
	 */
	DENIAL_HASHES_MAX = 32,
	DENIAL_BLOCKS_MAX = 20,
	DENIAL_SIZE_MIN = 1 << 18, /* 62 records in each of 8 shards */
};

enum denial_result { DENIAL_MISS = 0, DENIAL_HIT = 1 };

struct denial;

/* Nothing in it lives longer than max_ttl_s. */
MUST_CHECK int denial_open(struct denial **out, uint64_t size_bytes, uint32_t max_ttl_s);
void denial_close(struct denial *d);

/* Keeps s, an NSEC, NSEC3 or SOA set whose signature by a key of zone was good, and whose
 * owner is the name that was signed, for ttl_s. Others are not kept. */
void denial_put(struct denial *d, const uint8_t *zone, const struct rrset *s,
		uint32_t ttl_s, uint32_t now_s);
/* That name, or type there, does not exist: SECURE, with the SOA if that is known. Asks
 * the deepest zone known that may speak of it, at or below top, an end of name. *out
 * points into name. */
MUST_CHECK int denial_get(struct denial *d, struct rrset *out, struct arena *arena,
			  const uint8_t *name, uint16_t type, const uint8_t *top,
			  uint32_t now_s);

/* The deepest zone from top to name of which records are known, an end of name; or NULL.
 */
const uint8_t *denial_zone_of(struct denial *d, const uint8_t *name, const uint8_t *top);
/* s, SECURE, is a wildcard's of that zone, above name. When it is proved to stand for
 * name, RFC 8198 5.3, it becomes an RRset of name, with its proof. */
MUST_CHECK int denial_expand(struct denial *d, struct rrset *s, struct arena *arena,
			     const uint8_t *name, const uint8_t *zone, uint32_t now_s);

/* Forgets what might deny name: its zones', and with subtree all below it; NULL forgets
 * everything. Returns how many. */
uint64_t denial_flush(struct denial *d, const uint8_t *name, bool subtree);
/* A wall clock that was set back by more than 10 s: what is dated after now_s goes. */
uint64_t denial_drop_future(struct denial *d, uint32_t now_s);

struct denial_stats {
	uint64_t bytes, limit, spans, evicted;
};
void denial_stats(struct denial *d, struct denial_stats *out);

#endif
