/* hits_copy.h: putting read hits into a segment that nobody else writes.
 * Shape    open, rows in order, close: sealed, with its sums
 * Memory   hits_copy_close() frees
 * Threads  one
 * Errors   ERR_* of hit_store.h */
#ifndef SINKHOLED_TOOLS_HITS_COPY_H
#define SINKHOLED_TOOLS_HITS_COPY_H

#include "resolver/hit_store.h"

struct hits_copy {
	struct hit_store *store;
	unsigned pending; /* rows of the open transaction */
	uint64_t rows;
};

MUST_CHECK int hits_copy_open(struct hits_copy *c, const char *path, uint64_t map_bytes,
			      const struct hit_segment *first,
			      const struct hit_position *rings, int n);
/* ring (may be NULL): make the row's ring known with its node. */
MUST_CHECK int hits_copy_put(struct hits_copy *c, const struct hit *h,
			     const struct hit_position *ring);
/* That many questions were left unanswered. */
MUST_CHECK int hits_copy_no_room(struct hits_copy *c, const struct hit_position *ring,
				 uint64_t n);
/* keep: commit and seal what is there; it is closed in any case. */
MUST_CHECK int hits_copy_close(struct hits_copy *c, bool keep);
/* Names that were given there are on the disk when this returns 0. */
MUST_CHECK int hits_sync_folder(const char *dir);

#endif
