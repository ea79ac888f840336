/* hit_rows.h: a page of rows, see hit_format.h: hits, each some 22 bytes.
 * Shape    bytes as stored; struct hit_rows is both the page being filled and the place
 *          in a page being read
 * Units    microseconds since 1970
 * Memory   the caller's
 * Threads  one per struct; pure functions
 * Errors   ERR_DAMAGED for bytes that are no page or no row */
#ifndef SINKHOLED_HIT_ROWS_H
#define SINKHOLED_HIT_ROWS_H

#include "resolver/hit_format.h"
#include "resolver/hit_record.h"
#include "resolver/hit_words.h"

enum {
	HIT_ROWS_HEAD = HIT_PAGE_HEAD + 2 + 4 * 8, /* what the page's check covers */
	HIT_ROWS_RINGS = 16, /* of which a page remembers the sequence; more cost bytes */
};

struct hit_rows {
	uint64_t first;		 /* row */
	unsigned n;		 /* rows filled, or in the page */
	unsigned at;		 /* reading: number of the next one */
	size_t len, pos;	 /* bytes used; where the next one is read */
	uint64_t min_us, max_us; /* of the rows */
	/* as of the row before */
	uint64_t time_us, generation;
	struct {
		uint64_t boot, sequence;
		uint16_t worker;
	} ring[HIT_ROWS_RINGS];
	unsigned rings;
	uint8_t bytes[HIT_PAGE_MAX];
};

/* An empty page; h will be its first row. */
void hit_rows_start(struct hit_rows *page, uint64_t first, const struct hit_record *h);
/* Adds h, whose words have these numbers; false: no room, take another page. */
bool hit_rows_add(struct hit_rows *page, const struct hit_record *h, uint32_t rule,
		  uint32_t way);
/* Writes the header; the check in front of it is the caller's. */
void hit_rows_finish(struct hit_rows *page);

/* page->bytes and ->len have been filled in, the page begins with row first. */
MUST_CHECK int hit_rows_open(struct hit_rows *page, uint64_t first);
/* Where a page's words are looked up. */
struct hit_rows_words {
	const struct hit_words *ways;
	/* NULL when there is no such rule; lives until the next call. */
	const uint8_t *(*rule)(void *arg, uint32_t number, size_t *len);
	void *arg;
};
/* The next row, checked; *rule its number. 1, 0 at the end, ERR_DAMAGED for one that is
 * bad: the one after it can be read. only (may be NULL): passes over other clients. */
MUST_CHECK int hit_rows_next(struct hit_rows *page, struct hit *out, uint32_t *rule,
			     const struct hit_rows_words *words,
			     const struct prefix *only);

#endif
