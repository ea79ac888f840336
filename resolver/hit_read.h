/* hit_read.h: reading hits over all segments of a folder, for the tools.
 * Shape    rows in the order of their commits; a span of time narrows what is read, and a
 *          pick from the sums of a segment more so
 * Units    microseconds since 1970, UTC; since is included, until is not
 * Memory   rows are copies
 * Threads  one per struct; not in the process that writes
 * Errors   ERR_* end the reading; damaged segments and rows do not: they are told to
 *          trouble() and left out
 * Source   DESIGN.md "The hit log" */
#ifndef SINKHOLED_HIT_READ_H
#define SINKHOLED_HIT_READ_H

#include "resolver/hit_store.h"

/* Names a row for ever; later rows are greater. */
struct hit_cursor {
	uint64_t segment, row;
};

struct hit_row {
	struct hit hit;
	char node[HIT_NODE_MAX];
	struct hit_cursor at;
};

/* A segment that cannot be read (err), or bad rows in it that were left out (err 0). */
typedef void hit_read_trouble_fn(void *arg, const char *dir, const char *segment, int err,
				 uint64_t bad);

struct hit_range {
	uint64_t from, to; /* rows; to is not included */
};
/* Which rows of a segment are wanted, of those before end: *ranges (malloc) in order. 1,
 * 0 = all, or ERR_*. */
typedef int hit_read_pick_fn(void *arg, struct hit_store *s, uint64_t end,
			     struct hit_range **ranges, size_t *n);

/* fn(arg), or ERR_DAMAGED when that crashed in a damaged segment. */
typedef int hit_read_guard_fn(int (*fn)(void *arg), void *arg);

struct hit_read_conf {
	const char *dir;
	uint64_t since_us, until_us; /* until 0 = no end */
	hit_read_guard_fn *guard;    /* of opening segments; NULL = none */
	hit_read_trouble_fn *trouble;
	void *trouble_arg;
	const struct prefix *client; /* NULL = all */
	hit_read_pick_fn *pick;	     /* NULL = all */
	void *pick_arg;
};

struct hit_reader;

MUST_CHECK int hit_read_open(struct hit_reader **out, const struct hit_read_conf *conf);
/* The next row: 1. 0: no more for now; later calls go on where this one ended. */
MUST_CHECK int hit_read_next(struct hit_reader *r, struct hit_row *out);
/* Passes over what there is; only later rows come. */
MUST_CHECK int hit_read_to_end(struct hit_reader *r);
/* Before the first row is read: only rows after that one come. */
void hit_read_after(struct hit_reader *r, struct hit_cursor at);
/* Rows after it that are no longer there: retention was faster. */
uint64_t hit_read_lost(const struct hit_reader *r);
/* Reading the open segment crashed and the caller caught it: leave that segment, as it
 * is, and go on with the next one. */
void hit_read_abandon(struct hit_reader *r);
void hit_read_close(struct hit_reader *r);

/* ---- segment by segment ---- */

struct hit_read_segment {
	struct hit_store *store;
	struct hit_store_file file;
	bool newest;  /* more may come */
	uint64_t end; /* rows from there on are another segment's, or not yet there */
	/* The one after it, when that was looked into: the next call takes it over. */
	struct hit_store *next;
	struct hit_store_file next_file;
};
/* The segment after that number (0: the first) that can be read: 1, or 0. A newest one
 * without content is none. *out is all zero at first, then as the last call left it.
 * Close its store, and in the end next. */
MUST_CHECK int hit_read_segment(struct hit_read_segment *out,
				const struct hit_read_conf *conf, uint64_t number);

/* Sums that the segments keep of themselves. */
struct hit_read_totals {
	uint64_t segments, bytes, records, hits, no_room;
	uint64_t min_us, max_us; /* both 0 when there are no records */
	uint64_t missing;	 /* sequence numbers of which there is no record */
	uint64_t repeated;	 /* records that two segments hold, counted once here */
};
MUST_CHECK int hit_read_totals(struct hit_read_totals *out,
			       const struct hit_read_conf *conf);

#endif
