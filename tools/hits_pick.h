/* hits_pick.h: which rows of a segment a filter asks for, from the segment's sums.
 * Shape    a hit_read_pick_fn
 * Memory   the ranges are the caller's to free
 * Threads  one
 * Errors   ERR_* */
#ifndef SINKHOLED_TOOLS_HITS_PICK_H
#define SINKHOLED_TOOLS_HITS_PICK_H

#include "resolver/hit_read.h"

/* For hit_read_conf: rows of the wanted rules and clients. arg: struct hits_filter. */
int hits_pick(void *arg, struct hit_store *s, uint64_t end, struct hit_range **ranges,
	      size_t *n);

#endif
