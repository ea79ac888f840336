/* hit_ring.h: where a worker puts a hit before it answers.
 * Shape    one file mapping per worker, RUNTIME/hits-BOOT-WORKER.ring: a page of
 *          positions, then packed hits of varying length; one producer (the worker), one
 *          consumer (the hit writer). The mapping outlives a SIGKILL, so what was put is
 *          found by the next start
 * Units    positions are bytes ever written, multiples of 8; place = position modulo size
 * Memory   the file is allocated in full when it is made: no SIGBUS on a full disk later.
 *          An item's bytes live until hit_ring_advance()
 * Threads  put: the worker; take, give_back, advance: the hit writer; counters: any
 * Errors   ERR_FULL, ERR_IO (errno), ERR_EXIST, ERR_BUSY (its process lives),
 *          ERR_DAMAGED, ERR_VERSION, ERR_NOENT (made, but never used)
 * Source   DESIGN.md "The hit log", P2
 *
 * A ring of another format (ERR_VERSION) stays where it is for the program of its
 * version; only a process that was killed leaves one, see sinkholed(8).
 *
 * A record is whole before the head moves over it (release), and carries a check bound to
 * its position. Its count is the one thing that changes later: the worker adds to it only
 * while the writer has not marked it as taken, both by one atomic step, so a fold is
 * either in the count that is stored or does not happen. Whether it was stored says the
 * drain position in the segment, never the mark: after a kill the mark means nothing. */
#ifndef SINKHOLED_HIT_RING_H
#define SINKHOLED_HIT_RING_H

#include <stdatomic.h>

#include "resolver/hit_record.h"

enum {
	HIT_RING_BYTES = 16 << 20, /* 100,000 hits: of a worker with 100,000/s for 1 s,
				    * which covers a disk that takes 500 ms to sync */
	HIT_RING_BYTES_MIN = 1 << 14,
	HIT_RING_PATH_MAX = 1200, /* CONF_PATH_MAX and a file name */
};

enum hit_put_result {
	HIT_STORED,
	HIT_FOLDED,  /* counted in an identical hit that is still in the ring */
	HIT_NO_ROOM, /* not recorded: leave the question unanswered */
};

struct hit_ring;

/* Makes the ring of a worker in dir; bytes is a power of two. */
MUST_CHECK int hit_ring_create(struct hit_ring **out, const char *dir, uint64_t boot,
			       uint16_t worker, const char *node, size_t bytes);
/* Opens a ring that an ended process left, for draining. */
MUST_CHECK int hit_ring_open(struct hit_ring **out, const char *path);
/* Unmaps it; the file stays, or goes when all in it is stored. */
void hit_ring_close(struct hit_ring *r, bool remove_file);

/* Records h, or counts it in an identical one when the ring is over half full. No system
 * call, no lock, no allocation. The ring gives boot, worker, sequence and count. */
enum hit_put_result hit_ring_put(struct hit_ring *r, const struct hit_source *h);

/* ---- the writer's side ---- */

struct hit_ring_item {
	const uint8_t *packed;
	size_t len;
	uint64_t hash; /* hit_record_hash() */
	uint32_t count;
};

/* The record at *position; moves *position behind it. From here on nothing is folded into
 * it. 1, or 0 when there is no more. Bytes that fail their check are passed over and
 * counted as damaged. */
MUST_CHECK int hit_ring_take(struct hit_ring *r, uint64_t *position,
			     struct hit_ring_item *out);
/* What was taken between the two positions was not stored: folding may go on. */
void hit_ring_give_back(struct hit_ring *r, uint64_t from, uint64_t to);
/* Everything before position is stored; the worker may use the room again. */
void hit_ring_advance(struct hit_ring *r, uint64_t position);
/* Where the ring itself believes draining stands: never ahead of what is stored. */
uint64_t hit_ring_tail(const struct hit_ring *r);
/* Bytes not yet drained. */
uint64_t hit_ring_used(const struct hit_ring *r);

struct hit_ring_counts {
	uint64_t stored, folded, no_room; /* by put */
	uint64_t damaged;		  /* bytes that take passed over */
};
struct hit_ring_counts hit_ring_counts(const struct hit_ring *r);
/* Counts bytes of an item that was no hit. */
void hit_ring_damaged(struct hit_ring *r, size_t bytes);
uint64_t hit_ring_boot(const struct hit_ring *r);
uint16_t hit_ring_worker(const struct hit_ring *r);
const char *hit_ring_node(const struct hit_ring *r);
const char *hit_ring_path(const struct hit_ring *r);
size_t hit_ring_size(const struct hit_ring *r);

#endif
