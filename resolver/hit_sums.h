/* hit_sums.h: sums of hits by rule, client and hour, see hit_format.h: collected while
 * rows are stored, written as a run of pages now and then, and read from these pages.
 * Shape    a hash table of sums; a run holds them twice, by rule and by client
 * Units    hours since 1970; rows as their numbers
 * Memory   HIT_SUMS_MAX sums of 56 bytes, and as much again while a run is written
 * Threads  one
 * Errors   ERR_NOMEM; ERR_DAMAGED for bytes that are no page */
#ifndef SINKHOLED_HIT_SUMS_H
#define SINKHOLED_HIT_SUMS_H

#include "resolver/hit_pages.h"
#include "resolver/hit_words.h"

enum {
	/* A reader scans rows that have no sums yet: 260,000 are some 50 ms. */
	HIT_SUMS_MAX = 1 << 18,
	HIT_SUMS_ROWS_MAX = 1 << 19, /* a run at the latest after so many rows */
};

struct hit_sum {
	uint64_t client, hits;
	uint64_t row, row_last; /* the first and the last of its rows */
	uint32_t rule, hour;
	uint32_t first_ms, last_ms; /* in its hour */
	uint16_t port;		    /* of the first */
};

struct hit_sums {
	struct hit_sum *sum;
	uint32_t n, max;
	uint32_t *slots; /* number + 1, 0 = free */
	struct hash_key key;
	uint64_t first_row, end_row; /* rows that have been added */
};

MUST_CHECK int hit_sums_init(struct hit_sums *s, uint64_t first_row);
void hit_sums_fini(struct hit_sums *s);
/* What sums need of a row. */
struct hit_sums_row {
	uint64_t client;
	uint32_t rule, count;
	uint32_t hour, ms; /* in that hour */
	uint16_t port;
};
static inline struct hit_sums_row
hit_sums_row(const struct addr *client, uint64_t time_us, uint32_t rule, uint32_t count)
{
	return (struct hit_sums_row){
		.client = hit_client_id(client),
		.rule = rule,
		.count = count,
		.hour = (uint32_t)(time_us / 1000 / HIT_HOUR_MS),
		.ms = (uint32_t)(time_us / 1000 % HIT_HOUR_MS),
		.port = client->port,
	};
}
/* The next n rows, from end_row on, which hit_sums_due() allows. */
void hit_sums_add(struct hit_sums *s, const struct hit_sums_row *rows, size_t n);
/* Time to write a run before more is added: there may not be room for n more. */
bool hit_sums_due(const struct hit_sums *s, uint32_t n);
/* All its sums are in a run now. */
void hit_sums_clear(struct hit_sums *s);

MUST_CHECK int hit_sums_write(const struct hit_sums *s, hit_page_fn *page, void *arg);

/* ---- reading; pages have passed their check ---- */

struct hit_run {
	uint64_t first_row, end_row, hits;
	uint32_t base_hour, last_hour, sums;
};
MUST_CHECK int hit_run_read(struct hit_run *out, const uint8_t *page, size_t len);

/* A place in a page. */
struct hit_sums_at {
	const uint8_t *p, *end;
	uint64_t before;
};

struct hit_run_hour {
	uint32_t hour;
	uint64_t hits, sums;
};
static inline struct hit_sums_at hit_sums_at(const uint8_t *page, size_t len,
					     size_t offset)
{
	return (struct hit_sums_at){page + (offset > len ? len : offset), page + len, 0};
}
/* Each: 1, 0 at the end of the page, ERR_DAMAGED. at->before goes over from page to page
 * for hours, and begins with the run's base. */
MUST_CHECK int hit_hours_next(struct hit_sums_at *at, struct hit_run_hour *out);
MUST_CHECK int hit_heads_next(struct hit_sums_at *at, struct hit_head *out,
			      const struct hit_run *run, uint32_t *page);
MUST_CHECK int hit_sums_next(struct hit_sums_at *at, struct hit_sum *out,
			     const struct hit_run *run, bool by_client);

#endif
