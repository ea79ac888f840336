/* blocklist_seen.h: which rules an import has had, to find duplicates.
 * Shape    a set of 64-bit hashes of key and kind, open addressing
 * Memory   16 to 32 bytes a rule, up to SEEN_MAX rules; more are taken for new
 * Errors   out of memory counts as full: only the count of duplicates suffers */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_SEEN_H
#define SINKHOLED_TOOLS_BLOCKLIST_SEEN_H

#include "include/blocklist.h"

enum { SEEN_MAX = 1 << 24 }; /* 256 MiB; lists have up to some million rules */

struct seen {
	uint64_t *slot;
	size_t slots, used;
	uint64_t distinct;
};

void seen_init(struct seen *s);
void seen_fini(struct seen *s);
/* Whether an item of that key and kind came before. */
bool seen_before(struct seen *s, const struct blocklist_item *item);

#endif
