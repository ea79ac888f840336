/* answer_cache.h: finished answers of one worker, ready to be copied.
 * Shape    key: question and policy class; value: an answer body with its verdict's
 *          memory, of clean names and of listed ones
 * Units    wall-clock seconds
 * Memory   one block taken at open: for either kind a log that overwrites its oldest
 *          entries, and an index into it; an entry handed out lives until the next put
 * Threads  one worker
 * Errors   a miss is false; what is too large is not stored
 * Source   DESIGN.md "Verdict memory"
 *
 * A flood of names below a listed one costs listed answers their room, never clean
 * ones. */
#ifndef SINKHOLED_ANSWER_CACHE_H
#define SINKHOLED_ANSWER_CACHE_H

#include "resolver/answer.h"
#include "resolver/policy.h"

enum { ANSWER_CACHE_ENTRY_MAX = 4096 }; /* larger answers are rare and made anew */

struct answer_key {
	const uint8_t *qname; /* lower case */
	uint64_t hash;	      /* answer_cache_hash() of it */
	uint16_t qtype;
	uint8_t qname_len, class;
	struct answer_form form;
};

/* Under what policy an answer was made: same and not yet due, no look-up. */
struct answer_memory {
	struct blocklist_stamp stamp;
	uint32_t change; /* when time alone may change the verdict, 0 = never */
};

struct answer_age {
	uint32_t age_s, left_s;
	bool due; /* the last tenth of its life: once for each entry, never below 10 s */
};

struct answer_cache;

MUST_CHECK int answer_cache_open(struct answer_cache **out, size_t bytes);
void answer_cache_close(struct answer_cache *c);

uint64_t answer_cache_hash(const struct answer_cache *c, const uint8_t *qname,
			   size_t qname_len);

/* Hints that a name will be asked for soon: brings the index into the processor's caches,
 * and, from what that says, the entries. False: there is none. */
void answer_cache_fetch_index(const struct answer_cache *c, uint64_t hash,
			      uint16_t qtype);
bool answer_cache_fetch_entry(const struct answer_cache *c, uint64_t hash,
			      uint16_t qtype);

/* The answer to key, unexpired and with its verdict still holding under p; age->age_s is
 * what to lower TTLs by. */
bool answer_cache_get(struct answer_cache *c, struct answer_body *out,
		      struct answer_age *age, const struct answer_key *key,
		      const struct policy *p);

/* Stores a body for ttl_s seconds; of a listed name when it comes for the second time. */
void answer_cache_put(struct answer_cache *c, const struct answer_body *body,
		      const struct answer_key *key, const struct answer_memory *memory,
		      uint32_t ttl_s, uint32_t now_s);

/* Forgets everything. */
void answer_cache_flush(struct answer_cache *c);

#endif
