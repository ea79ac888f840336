/* hit_log.h: the hit log as the resolver sees it: a ring for each worker, and one thread
 * that brings what is in them into the segments.
 * Shape    RUNTIME/hits-*.ring -> writer thread -> STATE/hits/NUMBER-DAY.hits
 * Units    sizes in bytes, ages in seconds
 * Memory   a ring lives until hit_log_close()
 * Threads  open, start, close: one thread; each ring: its worker; stats, rotate: any
 * Errors   ERR_*; *why gets one sentence that says what to do. Later troubles (disk full,
 *          damage) do not end anything: they are in the stats and are told to say()
 * Source   DESIGN.md "The hit log", P2
 *
 * What a ring has taken is stored exactly once, whatever ends the process: the drain
 * position of every ring is committed together with its records. When nothing can be
 * stored (disk full), records wait in the rings and the writer tries again each second.
 */
#ifndef SINKHOLED_HIT_LOG_H
#define SINKHOLED_HIT_LOG_H

#include "resolver/hit_ring.h"

enum {
	HIT_LOG_POLL_MS = 20,	/* how often the writer looks at the rings: a burst of
				 * 400,000 hits/s fills a quarter of a ring meanwhile */
	HIT_LOG_COMMIT_MS = 80, /* with the poll: nothing waits longer than 100 ms */
	HIT_LOG_RETRY_MS = 1000,
	HIT_LOG_SEGMENT_BYTES = 1 << 30,
	HIT_LOG_SEGMENT_BYTES_MIN = 1 << 20,
	HIT_LOG_TEXT_MAX = 256,
};

enum hit_log_state {
	HIT_LOG_OK,
	HIT_LOG_FULL,	/* no space: records wait in the rings */
	HIT_LOG_FAILED, /* cannot write for another reason: the same */
};

enum hit_log_level { HIT_LOG_INFO, HIT_LOG_WARNING };

/* Called on the writer thread, or by open and close, when something changed. */
typedef void hit_log_say_fn(void *arg, enum hit_log_level level, const char *text);

struct hit_log_conf {
	const char *state, *runtime, *node;
	int workers;
	uint32_t retention_s;	 /* 0 = keep */
	uint64_t max_size_bytes; /* of all segments; 0 = no limit */
	uint64_t segment_bytes;	 /* 0 = fitting */
	uint64_t ring_bytes;	 /* 0 = HIT_RING_BYTES */
	hit_log_say_fn *say;	 /* NULL = silence */
	void *say_arg;
};

struct hit_log_stats {
	enum hit_log_state state;
	uint64_t state_since_us;	/* wall clock */
	char trouble[HIT_LOG_TEXT_MAX]; /* what is wrong, when state is not OK */
	char segment[64];		/* file being written, "" = none */
	uint64_t stored, folded;	/* put by this process's workers */
	uint64_t no_room;		/* questions left unanswered for it */
	uint64_t records, hits;		/* committed by this process; hits: with counts */
	uint64_t recovered;		/* of these, left by earlier processes */
	uint64_t damaged_bytes;		/* of rings, that failed their check */
	uint64_t waiting_bytes;		/* in rings, not yet committed */
	uint64_t ring_bytes;		/* size of one ring */
	uint64_t commits, failures;
	uint64_t commit_us, commit_us_max; /* all commits together; the longest */
	uint64_t segments, segments_bytes, segments_removed;
	uint64_t rotations; /* orders of hit_log_rotate() that are done */
};

struct hit_log;

/* Opens the hits folder (makes it when there is none), finds what earlier processes left
 * in the runtime folder, makes a ring for each worker. Call it as the user that will run,
 * after forking. */
MUST_CHECK int hit_log_open(struct hit_log **out, const struct hit_log_conf *conf,
			    const char **why);
struct hit_ring *hit_log_ring(struct hit_log *log, int worker);
/* Starts the writer thread. */
MUST_CHECK int hit_log_start(struct hit_log *log);
void hit_log_stats(struct hit_log *log, struct hit_log_stats *out);
/* Orders the segment to be ended, with all that is in the rings by now, and another to be
 * begun. Returns the number of the order: it is done when the stats have as many. */
uint64_t hit_log_rotate(struct hit_log *log);
/* After the last put: stores everything and ends the thread. What cannot be stored stays
 * in its ring file for the next start: ERR_FULL or ERR_IO then. */
int hit_log_close(struct hit_log *log);

#endif
