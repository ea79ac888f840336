/* hit_days.h: sums of a day, see hit_format.h: what a few runs know of it, merged,
 * without rows and, for rule and client together, without hours; a tenth of the runs'
 * bytes. Shape    written from the runs' sums by client; read as clients with their
 * hours, and as heads of rules (hit_walk.h) with their clients Units    days and seconds
 * since 1970 Memory   writing takes 28 bytes a sum and 32 a rule; reading none Threads
 * one per struct Errors   ERR_NOMEM, what the page function gives; ERR_DAMAGED for bytes
 * that are no page */
#ifndef SINKHOLED_HIT_DAYS_H
#define SINKHOLED_HIT_DAYS_H

#include "resolver/hit_sums.h"

enum { HIT_DAY_HOURS = 24, HIT_DAY_S = 86400 };

struct hit_day {
	uint32_t day;
	uint32_t first_run, end_run; /* all that these runs know of that day */
	uint64_t hits;
};

struct hit_day_client {
	uint64_t id, hits;
	uint32_t first_s, last_s;
	uint32_t hours;			 /* a bit for each that has hits */
	uint64_t in_hour[HIT_DAY_HOURS]; /* its hits: of these hours only */
};

struct hit_day_writer {
	struct hit_day day;
	hit_page_fn *fn;
	void *arg;
	struct hit_day_rule *rule;
	struct hit_day_pair *pair;
	uint32_t *order;  /* of pairs by rule */
	uint64_t *client; /* ids, in their order */
	uint32_t rules, pairs, clients, room;
	struct hit_day_client now;
	struct hit_pages heads, sums;
};

/* For days of at most room sums, of rules below rules: all memory that it takes. */
MUST_CHECK int hit_day_init(struct hit_day_writer *w, uint32_t rules, uint32_t room,
			    hit_page_fn *fn, void *arg);
void hit_day_fini(struct hit_day_writer *w);
void hit_day_begin(struct hit_day_writer *w, const struct hit_day *day);
/* Sums of that day only, clients in the order of their ids. */
MUST_CHECK int hit_day_add(struct hit_day_writer *w, const struct hit_sum *s);
/* Writes the rest. */
MUST_CHECK int hit_day_end(struct hit_day_writer *w);

/* ---- reading; pages have passed their check ---- */

MUST_CHECK int hit_day_read(struct hit_day *out, const uint8_t *page, size_t len);
/* Each: 1, 0 at the end of the page, ERR_DAMAGED. */
MUST_CHECK int hit_day_clients_next(struct hit_sums_at *at, struct hit_day_client *out,
				    uint32_t day);
/* A client of a rule. */
MUST_CHECK int hit_day_pairs_next(struct hit_sums_at *at, uint64_t *client,
				  uint64_t *hits);

#endif
