/* hits_scan.h: adding up hits over any number of segments, from their sums as far as
 * whole hours reach, from the rows where an hour is cut and where there are no sums yet.
 * Shape    tells items: hits of a rule, of a client, or of both, in a stretch of time
 * Units    microseconds since 1970; items in seconds
 * Memory   two pages
 * Threads  one, or two at once: each scans segments that it takes from the queue
 * Errors   ERR_*; damaged segments are told as by hit_read.h and left out
 * A client is a number, see hit_client_id(): IPv6 clients by /56. */
#ifndef SINKHOLED_TOOLS_HITS_SCAN_H
#define SINKHOLED_TOOLS_HITS_SCAN_H

#include <pthread.h>

#include "tools/hits_log.h"

enum { HITS_BY_RULE = 1, HITS_BY_CLIENT = 2, HITS_BY_SUM = 4, HITS_UNTIMED = 8 };

struct hits_item {
	uint32_t rule;	 /* only when by rule */
	uint64_t client; /* only when by client */
	uint64_t hits;
	uint32_t first_s, last_s;
	bool hour; /* these are only the ends of its hour: the rows tell better */
	uint32_t segment;
	uint64_t row, row_last; /* the first and the last; UINT64_MAX = not known */
};
/* Anything but 0 ends the scan. */
typedef int hits_item_fn(void *arg, const struct hits_item *item);

struct hits_scan {
	uint64_t since_us, until_us; /* until 0 = no end */
	/* HITS_BY_*; BY_SUM: no item covers more than a sum; UNTIMED: an item's times
	 * need only be in the span and in their stretch of width_s. */
	int by;
	bool chosen;	  /* rule[].wanted was set by the caller */
	uint32_t width_s; /* no item crosses a multiple of it; 0 = any may */
	hits_item_fn *item;
	int (*ready)(void *arg); /* may be NULL: all rules are mapped now */
	/* May be NULL: an item of that rule is near; to have its memory fetched. */
	void (*soon)(void *arg, uint32_t rule);
	void *arg;
	/* May be NULL: the arg of a second thread, which takes the later segments, the
	 * last one first; the caller adds both up. Items are to be told apart by segment,
	 * not by their order. */
	void *arg_late;
	const volatile int *interrupted;
};

/* Segments that nobody has taken. */
struct hits_queue {
	pthread_mutex_t lock;
	uint32_t first, end;
};
/* Two threads may load the rules of segments, then one maps them all, before two scan. */
MUST_CHECK int hits_scan_load(struct hits_log *log, const struct hits_scan *scan,
			      struct hits_queue *queue, bool from_end);
MUST_CHECK int hits_scan_map(struct hits_log *log, const struct hits_scan *scan);
/* Scans what the queue holds, from its end or beginning. */
MUST_CHECK int hits_scan(struct hits_log *log, const struct hits_scan *scan,
			 struct hits_queue *queue, bool from_end);

#endif
