/* hit_walk.h: walking through the heads and sums of a run, or of a day's table, over its
 * pages.
 * Shape    open, then next until it gives 0
 * Memory   each holds one page
 * Threads  one
 * Errors   ERR_DAMAGED and what hit_store_page() says */
#ifndef SINKHOLED_HIT_WALK_H
#define SINKHOLED_HIT_WALK_H

#include "resolver/hit_days.h"
#include "resolver/hit_store.h"

struct hit_walk {
	struct hit_store *store;
	const struct hit_run *run;
	uint32_t number; /* of the run or table */
	enum hit_tag tag;
	uint64_t from, to; /* ids */
	uint64_t hits;	   /* so far */
	struct hit_sums_at at;
	uint32_t first_page; /* of the sums */
	struct hit_page page;
};

/* A day's heads and pairs are read with the run that its table stands for. */
static inline struct hit_run hit_walk_day_run(const struct hit_day *d)
{
	uint32_t hour = d->day * HIT_DAY_HOURS;
	return (struct hit_run){.base_hour = hour,
				.last_hour = hour + HIT_DAY_HOURS - 1,
				.hits = d->hits};
}
MUST_CHECK int hit_walk_day(struct hit_day *out, struct hit_store *s, uint32_t number);
MUST_CHECK int hit_walk_run(struct hit_run *out, struct hit_store *s, uint32_t number);
/* Heads of one kind, from..to. */
MUST_CHECK int hit_walk_open(struct hit_walk *h, struct hit_store *s, enum hit_tag tag,
			     uint32_t number, const struct hit_run *run, uint64_t from,
			     uint64_t to);
MUST_CHECK int hit_walk_next(struct hit_walk *h, struct hit_head *out);
/* For HIT_TAG_DAY_CLIENTS. */
MUST_CHECK int hit_walk_next_client(struct hit_walk *h, struct hit_day_client *out);

struct hit_walk_sums {
	struct hit_store *store;
	const struct hit_run *run;
	uint32_t number;
	enum hit_tag tag;
	uint64_t id, left;
	struct hit_sums_at at;
	bool loaded; /* page is one of this run and kind */
	struct hit_page page;
};

void hit_walk_sums_init(struct hit_walk_sums *s, struct hit_store *store,
			enum hit_tag tag, uint32_t number, const struct hit_run *run);
/* The sums of that head. */
MUST_CHECK int hit_walk_sums_open(struct hit_walk_sums *s, const struct hit_head *head);
MUST_CHECK int hit_walk_sums_next(struct hit_walk_sums *s, struct hit_sum *out);
/* For HIT_TAG_DAY_PAIRS. */
MUST_CHECK int hit_walk_pairs_next(struct hit_walk_sums *s, uint64_t *client,
				   uint64_t *hits);

#endif
