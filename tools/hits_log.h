/* hits_log.h: the segments of any number of folders, opened once, with the rules of all
 * of them under one numbering, and what a filter wants of them. Shape    open, map a
 * segment's rules before its sums are read Units    microseconds since 1970 Memory rules
 * of all segments, each once Threads  one Errors   ERR_*; damaged segments are told as by
 * hit_read.h and left out */
#ifndef SINKHOLED_TOOLS_HITS_LOG_H
#define SINKHOLED_TOOLS_HITS_LOG_H

#include "resolver/hit_days.h"
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
	bool left_out;	   /* damaged, and told */
	bool told;	   /* that rows which were looked up are damaged */
	uint64_t sums_end; /* rows before it are in runs that can be used */
	struct hit_run *run;
	struct hit_day *table; /* of these runs */
	uint32_t runs, tables;
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
/* It asks for more than clients. */
bool hits_filter_has_rules(const struct hits_filter *f);
/* The clients it asks for, as numbers. */
void hits_filter_clients(const struct hits_filter *f, uint64_t *from, uint64_t *to);
/* Fills in seg->rules. */
MUST_CHECK int hits_log_map(struct hits_log *log, struct hits_segment *seg);
/* That row. */
MUST_CHECK int hits_log_row(struct hits_log *log, struct hit *out, uint32_t segment,
			    uint64_t row);

#endif
