/* hits_scan.h: adding up hits over any number of segments, from their sums as far as
 * whole hours reach, from the rows where an hour is cut and where there are no sums yet.
 * Shape    all segments of all folders, opened once; a scan tells items: hits of a rule,
 *          of a client, or of both, in a stretch of time
 * Units    microseconds since 1970; items in seconds
 * Memory   rules of all segments, each once
 * Threads  one
 * Errors   ERR_*; damaged segments are told as by hit_read.h and left out
 * A client is a number, see hit_client_id(): IPv6 clients by /56. */
#ifndef SINKHOLED_TOOLS_HITS_SCAN_H
#define SINKHOLED_TOOLS_HITS_SCAN_H

#include "resolver/hit_read.h"

/* What a scan looks up for each head, so it is small. */
struct hits_rule {
	uint32_t group; /* the caller's; UINT32_MAX at first */
	bool wanted;	/* by the filter */
};

/* Which rules and clients; NULL, family 0, -1 = any. */
struct hits_filter {
	const char *list, *family, *category;
	int action, trigger;
	uint64_t entry;		   /* 0 = any */
	const uint8_t *matched;	   /* a rule's owner */
	struct prefix rule_prefix; /* a rule's prefix */
	struct prefix client;
	const uint8_t *name; /* the question, or with subtree one above it */
	bool subtree;
};

struct hits_segment {
	struct hit_read_segment of;
	const char *dir;
	uint64_t sums_end; /* rows before it are in runs that can be used */
	uint32_t runs;
	uint32_t *rules; /* its number of a rule -> ours */
	uint32_t rules_n;
};

/* Rules are known by 64 bits of SipHash: two of a million are taken for one in one of
 * 30 million logs. */
struct hits_rule_slot {
	uint64_t hash;
	uint32_t number; /* + 1, 0 = free */
};

struct hits_log {
	struct hits_segment *segment;
	uint32_t segments;
	struct hits_rule *rule;
	uint32_t rules, rules_room;
	struct hit_words words; /* the rules' bytes, by number */
	struct hits_rule_slot *slots;
	size_t slots_n;
	struct hash_key key;
	struct hits_filter filter;
	hit_read_trouble_fn *trouble;
	void *trouble_arg;
};

/* dirs end with NULL. Opens what reaches from since on. */
MUST_CHECK int hits_log_open(struct hits_log *log, const char *const *dirs,
			     const struct hits_filter *filter, uint64_t since_us,
			     hit_read_trouble_fn *trouble, void *trouble_arg);
void hits_log_close(struct hits_log *log);
/* The members of a rule, see hit_pack_rule(); elsewhere may be NULL. */
MUST_CHECK int hits_log_rule(const struct hits_log *log, struct hit *out, bool *elsewhere,
			     uint32_t rule);
/* Applies log->filter anew, after it was changed. */
void hits_log_filter(struct hits_log *log);
bool hits_rule_wanted(const struct hits_filter *f, const struct hit *rule,
		      bool elsewhere);

enum { HITS_BY_RULE = 1, HITS_BY_CLIENT = 2, HITS_BY_SUM = 4 };

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
	int by;		  /* HITS_BY_*; BY_SUM: no item covers more than a sum */
	bool chosen;	  /* rule[].wanted was set by the caller */
	uint32_t width_s; /* no item crosses a multiple of it; 0 = any may */
	hits_item_fn *item;
	void *arg;
	const volatile int *interrupted;
};
MUST_CHECK int hits_scan(struct hits_log *log, const struct hits_scan *scan);

/* For hit_read_conf: rows of the wanted rules and clients. arg: struct hits_filter. */
int hits_pick(void *arg, struct hit_store *s, uint64_t end, struct hit_range **ranges,
	      size_t *n);
/* That row. */
MUST_CHECK int hits_log_row(struct hits_log *log, struct hit *out, uint32_t segment,
			    uint64_t row);

#endif
