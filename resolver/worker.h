/* worker.h: one thread with its own loop, sockets, answer cache and tasks.
 * Shape    open, start, stop, join, close; between start and join only the stats may be
 *          looked at
 * Memory   the sockets' ownership goes to worker_open(), also when it fails
 * Threads  worker_stop(), worker_anchors(), worker_conf() and worker_stats()
 *          any; the others main;
 *          worker I's thread is named worker-I
 * Source   DESIGN.md "Threads", "Batch edge" */
#ifndef SINKHOLED_WORKER_H
#define SINKHOLED_WORKER_H

#include <stdatomic.h>

#include "resolver/anchor.h"
#include "resolver/anchor_mail.h"
#include "resolver/denial.h"
#include "resolver/hit_log.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "resolver/stats.h"
#include "zones/root.h"

/* What all workers share; main owns it. */
struct shared {
	/* Replaced whole, see reload.h; an old one goes when all worker_conf() are new.
	 */
	_Atomic(const struct conf *) conf;
	struct blocklist *blocklist;
	struct rrset_cache *cache;
	struct denial *denial; /* NULL = recursion.aggressive_nsec is off */
	struct server_table *servers;
	struct hit_log *hits;
	struct root_hints hints;
	/* Replaced whole; an old set goes when no worker_anchors() is it any more. */
	_Atomic(const struct anchors *) anchors;
	struct anchor_mail mail;
	_Atomic uint64_t flushes;  /* the answer caches forget everything when it grows */
	_Atomic bool clock_synced; /* as the kernel says */
};

/* Of cache.size: a quarter for all answer caches; what conf_own_bytes() says for tables;
 * a sixteenth for what denies names; the rest for RRsets. Questions under way may take a
 * quarter more, no more. */
enum { WORKER_ANSWER_SHARE = 4, WORKER_TASK_SHARE = 4, WORKER_DENIAL_SHARE = 16 };

struct worker;

/* fds of this worker's sockets, one for each address of conf->listen. */
MUST_CHECK int worker_open(struct worker **out, struct shared *shared, int index,
			   const int *udp_fds, const int *tcp_fds);
MUST_CHECK int worker_start(struct worker *w);
/* Whether its loop has turned, and looked at what is shared, since this was asked last;
 * asks it for the next time. */
bool worker_moved(struct worker *w);
/* Takes no more questions; returns at once. */
void worker_stop(struct worker *w);
void worker_join(struct worker *w);
void worker_close(struct worker *w);
/* The oldest set of anchors that it may still read. */
const struct anchors *worker_anchors(const struct worker *w);
/* The same of the configuration. */
const struct conf *worker_conf(const struct worker *w);
const struct stats *worker_stats(const struct worker *w);

/* Forgets name, with subtree all below it, and what denies it; NULL forgets everything.
 * How many RRsets that were. */
uint64_t shared_flush(struct shared *s, const uint8_t *name, bool subtree);

#endif
