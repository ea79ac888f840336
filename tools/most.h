/* most.h: what was counted most often, in memory of a fixed size.
 * Shape    sets of a few places each; a text that finds its set full takes the place of
 *          the least there, with its count (Metwally et al., "Space-Saving", 2005), so
 * that a count may be too high by .over and is never too low Memory   MOST_PLACES places;
 * exact until a set overflows Threads  one Errors   ERR_NOMEM */
#ifndef SINKHOLED_TOOLS_MOST_H
#define SINKHOLED_TOOLS_MOST_H

#include <stdbool.h>
#include <stdint.h>

#include "include/err.h"

enum {
	MOST_SETS = 1 << 13,
	MOST_WAYS = 8,
	MOST_PLACES = MOST_SETS * MOST_WAYS,
	MOST_TEXT_MAX = 272, /* a name with a mark before it */
};

struct most_item {
	uint64_t hash, count, over;
	uint32_t list, rank; /* the caller's, as they were the first time */
	char text[MOST_TEXT_MAX];
};

struct most {
	struct most_item *item;
	uint64_t distinct; /* at least so many */
	bool full;	   /* some were replaced: counts are not exact */
};

MUST_CHECK int most_init(struct most *m);
void most_fini(struct most *m);
/* Counts text of that list once more. */
void most_count(struct most *m, const char *text, uint32_t list, uint32_t rank);
/* The n most often counted, most first. Returns how many there are; moves the items. */
int most_top(struct most *m, const struct most_item **out, int n);

#endif
