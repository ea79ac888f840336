/* blocklist_seen.h: which rules an import has had, to find duplicates.
 * Shape    a set of 64-bit hashes of key and kind, open addressing, one for a name and
 * its wildcard; of local data also one of each record Memory   11 to 22 bytes a hash, up
 * to 12 million; more are taken for new Errors   out of memory counts as full: only the
 * count of duplicates suffers */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_SEEN_H
#define SINKHOLED_TOOLS_BLOCKLIST_SEEN_H

#include "include/blocklist.h"
#include "include/hash.h"

enum {
	SEEN_SLOTS_MAX = 1 << 24, /* 128 MiB, and half of that while they are made: an
				   * import of 10 million rules from a file stays under
				   * 256 MiB */
};

struct seen {
	struct hash_key key; /* of chance */
	uint64_t *slot;
	size_t slots, used, expected;
	uint64_t distinct;
};

void seen_init(struct seen *s);
void seen_fini(struct seen *s);
/* About so many are going to come: what grows does so once. */
void seen_expect(struct seen *s, uint64_t n);
enum seen_as {
	SEEN_NEW,
	SEEN_MORE,	/* another record of local data */
	SEEN_DUPLICATE, /* the same again, or (no local data) what replaces it */
	SEEN_BESIDE,	/* local data and another action: only that one stands */
};
/* The item's hash for seen_put(), which is quicker when other work lies in between: its
 * place is on its way from memory. */
uint64_t seen_hash(const struct seen *s, const struct blocklist_item *item);
/* What an item is beside those of its key and kind that came before. */
enum seen_as seen_put(struct seen *s, const struct blocklist_item *item, uint64_t hash);

#endif
