/* trace.h: resolves one question for a person, step by step.
 * Shape    a worker without fronts on main's loop: its own tasks, upstream and view, the
 *          workers' caches, server table and rules
 * Units    ms and us as named
 * Memory   what a trace needs is taken with the first one and kept; steps are bounded
 * Threads  main
 * Errors   ERR_*, with a text that says what to do
 *
 * One trace at a time: two would join each other's look-ups and each see half. The
 * question goes the way of a client's (serve.c), through the same policy and the same
 * sending function (P1), but nobody was hit by it: no hit is put, and name and client
 * stay in the answer alone (P3). */
#ifndef SINKHOLED_TRACE_H
#define SINKHOLED_TRACE_H

#include <jansson.h>
#include <uv.h>

#include "include/control.h"
#include "resolver/worker.h"

enum {
	TRACE_MAX_MS = 8000, /* a look-up ends itself after 6.2 s; the socket after 10 */
	TRACE_WAITERS = 4,   /* one is needed */
	TRACE_SOCKETS = 64,  /* as many as one question may send packets */
};

struct trace;

struct trace_hooks {
	void *arg;
	/* The answer of a trace_start() that said CONTROL_LATER, with its reference. */
	void (*done)(void *arg, json_t *answer);
};

MUST_CHECK int trace_open(struct trace **out, uv_loop_t *loop, struct shared *shared,
			  const struct trace_hooks *hooks);
/* A control_fn but for its first argument: request and answer are "trace" of
 * include/control.h. */
MUST_CHECK int trace_start(struct trace *t, const json_t *request, json_t *answer,
			   char error[CONTROL_ERROR_MAX]);
/* Ends the trace that is under way, with its answer; close after the loop has run. */
void trace_shutdown(struct trace *t);
void trace_close(struct trace *t);
/* It may read what is shared. */
bool trace_running(const struct trace *t);
const struct stats *trace_stats(const struct trace *t);

#endif
