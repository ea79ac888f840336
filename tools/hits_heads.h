/* hits_heads.h: walking through the heads and sums of a run, over its pages.
 * Shape    open, then next until it gives 0
 * Memory   each holds one page
 * Threads  one
 * Errors   ERR_DAMAGED and what hit_store_page() says */
#ifndef SINKHOLED_TOOLS_HITS_HEADS_H
#define SINKHOLED_TOOLS_HITS_HEADS_H

#include "resolver/hit_store.h"

struct hits_heads {
	struct hit_store *store;
	const struct hit_run *run;
	uint32_t number; /* of the run */
	enum hit_tag tag;
	uint64_t from, to; /* ids */
	struct hit_sums_at at;
	uint32_t first_page; /* of the sums */
	struct hit_page page;
};

MUST_CHECK int hits_run(struct hit_run *out, struct hit_store *s, uint32_t number);
/* Heads from..to of one kind. */
MUST_CHECK int hits_heads_open(struct hits_heads *h, struct hit_store *s, uint32_t number,
			       const struct hit_run *run, bool by_client, uint64_t from,
			       uint64_t to);
MUST_CHECK int hits_heads_next(struct hits_heads *h, struct hit_head *out);

struct hits_heads_sums {
	struct hit_store *store;
	const struct hit_run *run;
	uint32_t number;
	bool by_client;
	uint64_t id, left;
	struct hit_sums_at at;
	bool loaded; /* page is one of this run and kind */
	struct hit_page page;
};

void hits_heads_sums_init(struct hits_heads_sums *s, struct hit_store *store,
			  uint32_t number, const struct hit_run *run, bool by_client);
/* The sums of that head. */
MUST_CHECK int hits_heads_sums_open(struct hits_heads_sums *s,
				    const struct hit_head *head);
MUST_CHECK int hits_heads_sums_next(struct hits_heads_sums *s, struct hit_sum *out);

#endif
