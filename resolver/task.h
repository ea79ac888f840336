/* task.h: questions being resolved, each joined by everybody who asks the same.
 * Shape    waiters -> task -> resolve_step <-> upstream; tasks may wait for tasks
 * Memory   a task owns one arena; waiters come from a pool taken at open
 * Threads  one worker; call between its batch's begin and end
 * Errors   task_ask() says TASK_FULL when there is no slot: answer SERVFAIL
 * Source   DESIGN.md "Sans-I/O core"; SECURITY.md 1A "Simultaneous recursion"
 *
 * Tasks are joined per policy class: who is opted out never shares one with who is not.
 */
#ifndef SINKHOLED_TASK_H
#define SINKHOLED_TASK_H

#include "resolver/front.h"
#include "resolver/query.h"
#include "resolver/resolve.h"
#include "resolver/stats.h"
#include "resolver/upstream.h"

enum {
	TASK_MAX = 2048,	 /* per loop, as Unbound and PowerDNS */
	TASK_WAITERS_MAX = 8192, /* clients waiting, per loop */
	TASK_ARENA_BLOCK = 16 * 1024,
	TASK_ARENA_MAX =
		1024 * 1024, /* four times BUDGET_BYTES: replies are kept expanded */
};

/* A client that waits for an answer. */
struct waiter {
	struct waiter *next;
	struct asker from;
	struct query query; /* qname_raw points to raw */
	uint64_t since_ms;
	uint8_t raw[DNS_NAME_MAX];
};

struct task_hooks {
	void *arg;
	/* The reply for all clients of one task; both live for the call. */
	void (*done)(void *arg, const struct question *q, const struct waiter *list,
		     const struct reply *reply);
};

struct task_conf {
	struct resolve_env env; /* copied; .now_ms and .now_s by task_now() */
	struct stats *stats;
	uint32_t waiters_max; /* 0 = TASK_WAITERS_MAX */
};

struct task_table;

MUST_CHECK int task_open(struct task_table **out, const struct task_conf *conf,
			 const struct task_hooks *hooks);
/* Before the first task_ask(). */
void task_set_upstream(struct task_table *t, struct upstream *u);
void task_close(struct task_table *t);

/* The time of this batch. */
void task_now(struct task_table *t, uint64_t now_ms, uint32_t now_s);

enum task_result { TASK_ASKED, TASK_FULL };
/* Starts or joins the task for q. done() may be called before this returns. *waiter
 * gets the waiter made, first, so that done() can recognise it. */
enum task_result task_ask(struct task_table *t, const struct query *q,
			  const struct policy_subject *subject, const struct asker *from,
			  const struct waiter **waiter);

/* upstream_hooks.event: owner is a task. */
void task_event(void *table, void *task, const struct event *ev);

uint32_t task_count(const struct task_table *t);

#endif
