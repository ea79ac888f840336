/* rrset_cache.h: RRsets and delegations shared by all workers.
 * Shape    key: wire name + type; value: records, rank, security, provenance, expiry
 * Units    TTL in s; now_s is wall time, RFC 1982 order
 * Memory   put copies in, get copies into the caller's arena; one hard byte limit over
 *          everything the cache holds, its own tables too
 * Threads  any; one lock per shard, held for the copy
 * Errors   ERR_NOMEM (arena full); a miss is RRSET_CACHE_MISS
 * Source   RFC 2308, 2181 5.4.1, 8767, 9520; S3-FIFO or CLOCK against floods */
#ifndef SINKHOLED_RRSET_CACHE_H
#define SINKHOLED_RRSET_CACHE_H

#include "include/arena.h"
#include "resolver/reply.h"

enum rrset_cache_result { RRSET_CACHE_MISS = 0, RRSET_CACHE_HIT = 1 };

enum {
	RRSET_ENTRY_MAX = 8192, /* a larger RRset is used, not cached */
	/* RFC 2308 5: denials of more than a few hours do harm. */
	RRSET_NEGATIVE_TTL_MAX = 3 * 3600,
	/* A DNAME of TTL 0 would make a question of each name below it, and of a flood of
	 * them as many. So it is kept for a second at least, as Unbound does, and told
	 * with TTL 0; the clock has whole seconds. */
	RRSET_DNAME_LIFE_S = 2,
	RRSET_RECORDS_MAX = 256, /* per RRset, SECURITY.md 1A */
	DELEGATION_SERVERS_MAX = 13,
	DELEGATION_ADDRS_MAX = 6, /* per server */
};

struct rrset_cache_conf {
	uint64_t size_bytes;
	uint32_t min_ttl_s, max_ttl_s;
	uint32_t stale_s; /* what has expired stays so long, if there is room; RFC 8767 */
};

struct rrset_cache;

MUST_CHECK int rrset_cache_open(struct rrset_cache **out,
				const struct rrset_cache_conf *conf);
void rrset_cache_close(struct rrset_cache *c);

/* Stores s when nothing better stands: a lower rank never replaces a living higher one,
 * and what is not SECURE never what is. Negative kinds: NXDOMAIN answers every type of
 * the name, a bogus one that which was asked for. */
void rrset_cache_put(struct rrset_cache *c, const struct rrset *s, uint32_t now_s);
/* Data, NODATA or NXDOMAIN for name and type, of at least that rank. A now_s up to
 * stale_s in the past finds what has expired since, too; the TTL then says nothing. */
MUST_CHECK int rrset_cache_get(struct rrset_cache *c, struct rrset *out,
			       struct arena *arena, const uint8_t *name, uint16_t type,
			       enum rrset_rank least, uint32_t now_s);

/* What an ancestor of name says of all names below it: its DNAME, RFC 6672, or that it
 * does not exist, RFC 8020, unless that is bogus. The deepest one within zone, of at
 * least RANK_AUTHORITY. */
MUST_CHECK int rrset_cache_get_above(struct rrset_cache *c, struct rrset *out,
				     struct arena *arena, const uint8_t *name,
				     const uint8_t *zone, uint32_t now_s);

/* A zone cut as its parent gave it: never replaced or renewed by what the child says
 * (ghost and phoenix domains), only by the parent once it has expired. */
struct delegation {
	const uint8_t *zone;
	int servers_n;
	struct delegation_server {
		const uint8_t *name;
		struct addr addr[DELEGATION_ADDRS_MAX]; /* glue, port 0 */
		int addr_n;
		bool foreign; /* not the parent's names: addresses of last resort */
	} server[DELEGATION_SERVERS_MAX];
	uint32_t ttl;
	struct origin from;
};

void rrset_cache_put_delegation(struct rrset_cache *c, const struct delegation *d,
				uint32_t now_s);
/* Takes the place of a living one, too, for what that has left: who told it is not to be
 * believed any more. */
void rrset_cache_replace_delegation(struct rrset_cache *c, const struct delegation *d,
				    uint32_t now_s);
/* The deepest living cut at or above name (above only, when strictly_above). */
MUST_CHECK int rrset_cache_get_delegation(struct rrset_cache *c, struct delegation *out,
					  struct arena *arena, const uint8_t *name,
					  bool strictly_above, uint32_t now_s);

/* That a question could not be answered, RFC 9520: for FAILURE_TTL_MIN_S, doubled each
 * time it is found out again, up to FAILURE_TTL_MAX_S. */
enum {
	FAILURE_TTL_MIN_S = 5,
	FAILURE_TTL_STALE_S = 30, /* where stale data stand in, RFC 8767 5 */
	FAILURE_TTL_MAX_S = 300,
	FAILURE_TEXT_MAX = 255
};
struct failure {
	const uint8_t *name;
	uint16_t type;
	uint64_t rules;	  /* a number for those it was found under: others may differ */
	uint32_t until_s; /* those change by themselves then; 0 = never */
	uint32_t least_s; /* it lasts so long; 0 = FAILURE_TTL_MIN_S */
	const char *text; /* why */
};
/* Not for what rules caused. */
void rrset_cache_put_failure(struct rrset_cache *c, const struct failure *f,
			     uint32_t now_s);
/* Of f->name, type and rules. On a hit f->text is in the arena. */
MUST_CHECK int rrset_cache_get_failure(struct rrset_cache *c, struct failure *f,
				       struct arena *arena, uint32_t now_s);
/* It was answered after all: the next failure begins anew. */
void rrset_cache_forgive(struct rrset_cache *c, const uint8_t *name, uint16_t type);

/* Forgets name, with subtree all below it; NULL forgets everything. Returns how many. */
uint64_t rrset_cache_flush(struct rrset_cache *c, const uint8_t *name, bool subtree);
/* A wall clock that was set back by more than 10 s: what is dated after now_s goes. */
uint64_t rrset_cache_drop_future(struct rrset_cache *c, uint32_t now_s);

struct rrset_cache_stats {
	uint64_t bytes, limit, entries, hits, misses, evicted;
};
void rrset_cache_stats(struct rrset_cache *c, struct rrset_cache_stats *out);

#endif
