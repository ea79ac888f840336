/* hit_writer.h: how hits get from the rings into segments; hit_log.c runs it.
 * Shape    take from all rings, put into one transaction with their drain positions,
 *          commit, then let the rings go on; a new segment when the day or the map ends
 * Units    _ms on the monotonic clock, _us on the wall clock
 * Memory   the rings and the store belong to the struct
 * Threads  one, but for stats, which the lock guards
 * Errors   ERR_*; everything taken and not stored has been given back then
 * Source   DESIGN.md "The hit log", SECURITY.md 3 (disk full, EIO, MDB_PANIC) */
#ifndef SINKHOLED_HIT_WRITER_H
#define SINKHOLED_HIT_WRITER_H

#include <pthread.h>

#include "resolver/hit_log.h"
#include "resolver/hit_store.h"

struct hit_writer_ring {
	struct hit_ring *ring;
	uint64_t from;		      /* drained and committed up to here */
	uint64_t to;		      /* taken for the open transaction up to here */
	uint64_t no_room, no_room_to; /* the same for hit_ring_counts().no_room */
	bool live;		      /* one of our workers puts into it */
};

struct hit_writer {
	char dir[HIT_STORE_PATH_MAX - 64];
	uint32_t retention_s;
	uint64_t max_size_bytes, segment_bytes;
	hit_log_say_fn *say;
	void *say_arg;
	struct hit_writer_ring *rings; /* our workers', then those of ended processes */
	int workers, rings_n;
	struct hit_store *store; /* NULL = none that can be written */
	uint32_t store_day;
	uint64_t next_number;
	struct hit_segment newest; /* of the last segment that was open */
	bool passed_over;	   /* a newer one, which cannot be read */
	int first_ring; /* where the next round starts, so that all get their turn */
	int64_t committed_ms, retry_ms, housekeeping_ms;
	bool low_space;
	unsigned slow_commits; /* one after the other */
	long kill_commit;      /* tests only: see commit_done() */
	pthread_mutex_t lock;  /* of stats */
	struct hit_log_stats stats;
};

/* Stores everything that waits, in as many transactions as that takes. */
MUST_CHECK int hit_writer_commit(struct hit_writer *w);
/* Ends the segment that is written to, if anything is in it, and begins another. */
MUST_CHECK int hit_writer_rotate(struct hit_writer *w);
/* Something waits, and long enough or much of it. */
bool hit_writer_is_due(const struct hit_writer *w, int64_t now_ms);
/* Finished days, retention, free space; most of it once a minute. */
void hit_writer_keep_house(struct hit_writer *w, int64_t now_ms);
/* Bytes in all rings; *fullest (may be NULL) gets the most in one. */
uint64_t hit_writer_waiting(const struct hit_writer *w, uint64_t *fullest);
/* s is the segment that rows go to from now on. */
void hit_writer_use_segment(struct hit_writer *w, struct hit_store *s, const char *name,
			    uint32_t day);
void hit_writer_close_segment(struct hit_writer *w);

void hit_writer_path_of(char out[HIT_STORE_PATH_MAX], const struct hit_writer *w,
			const char *name);
void hit_writer_say(struct hit_writer *w, enum hit_log_level level, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));
int64_t hit_writer_now_ms(void);
uint64_t hit_writer_wall_us(void);

#endif
