/* hits_adding.h: hits added up by entry, client, family, list, category or action.
 * Shape    hits_adding_scan() fills groups; others add columns for those that are shown
 * Units    seconds since 1970
 * Memory   hits_adding_fini() frees it
 * Threads  one
 * Errors   as hits_tool.h */
#ifndef SINKHOLED_TOOLS_HITS_ADDING_H
#define SINKHOLED_TOOLS_HITS_ADDING_H

#include "tools/hits_tool.h"

enum hits_kind {
	HITS_ENTRIES,
	HITS_CLIENTS,
	HITS_FAMILIES,
	HITS_LISTS,
	HITS_CATEGORIES,
	HITS_ACTIONS,
	HITS_NAMES, /* by reading all rows: sums know no questions */
	HITS_KIND_N
};

struct hits_adding {
	struct hits *h;
	enum hits_kind kind;
	struct hit_words keys; /* what a group's id stands for, but for clients */
	struct hits_groups groups;
	bool rows; /* first and last moments are wanted with their rows */
};

/* Of "entries", ...; -1: there is none of that name. */
int hits_kind_from_text(const char *text);

MUST_CHECK int hits_adding_init(struct hits_adding *a, struct hits *h,
				enum hits_kind kind);
void hits_adding_fini(struct hits_adding *a);
/* Adds what lies in the span. CLI_GO or an exit status. */
MUST_CHECK int hits_adding_scan(struct hits_adding *a, uint64_t since_us,
				uint64_t until_us);
/* Of the first n groups: different clients, or for clients different entries. */
MUST_CHECK int hits_adding_distinct(struct hits_adding *a, size_t *distinct, size_t n,
				    uint64_t since_us, uint64_t until_us);
/* What the group is called; list and family of an entry (or ""). */
struct hits_label {
	char text[DNS_NAME_TEXT_MAX];
	const char *list, *family;
};
void hits_adding_label(const struct hits_adding *a, struct hits_label *out,
		       const struct hits_group *g);
/* On a terminal: that there are more than those shown. */
void hits_adding_note(const struct hits_adding *a, size_t shown, size_t all);
/* The moment as text; an hour that only its rows know exactly is looked up. */
char *hits_adding_time(struct hits_adding *a, char out[CLI_TIME_TEXT_MAX],
		       const struct hits_moment *m);

#endif
