/* task.h: questions being resolved, each joined by everybody who asks the same.
 * Shape    waiters -> task -> resolve_step <-> upstream; tasks may wait for tasks
 * Memory   a task owns one arena; waiters come from a pool taken at open
 * Threads  one worker; call between its batch's begin and end
 * Errors   without a slot, or when too many wait already, what is cached is answered all
 *          the same and the rest gets SERVFAIL; TASK_FULL: not even that
 * Source   DESIGN.md "Sans-I/O core"; SECURITY.md 1A "Simultaneous recursion", 1B rows
 *          23, 31, 32
 *
 * Tasks are joined per policy class: who is opted out never shares one with who is not.
 * With serve_stale, who has waited for its client_timeout may be told what was known
 * before; the task goes on, and who joins it from then on is told so at once.
 * Overload: a new question takes the slot of the oldest one, which is the least likely
 * to get an answer; joining a question does not make it younger. */
#ifndef SINKHOLED_TASK_H
#define SINKHOLED_TASK_H

#include "resolver/front.h"
#include "resolver/query.h"
#include "resolver/resolve.h"
#include "resolver/stats.h"
#include "resolver/upstream.h"

enum {
	TASK_CLIENTS_MAX =
		2048,	 /* clients' questions per loop, as Unbound and PowerDNS */
	TASK_MAX = 3072, /* with their sub-questions, which need room of their own */
	TASK_WAITERS_MAX = 8192, /* clients waiting, per loop */
	TASK_JOSTLE_MS = 200,	 /* a question keeps its slot that long; as Unbound */
	TASK_ARENA_BLOCK = 16 * 1024,
	TASK_ARENA_MAX =
		1024 * 1024,	/* four times BUDGET_BYTES: replies are kept expanded */
	TASK_REFRESH_MAX = 100, /* popular names renewed in a second: what a busy resolver
				 * has, and far below what clients ask */
	/* All arenas of a loop: two blocks for each client's question, what most need.
	 * Less where cache.size is small, see task_conf. */
	TASK_MEMORY_MAX = TASK_CLIENTS_MAX * 2 * TASK_ARENA_BLOCK,
	TASK_MEMORY_FAIR =
		4 * TASK_ARENA_BLOCK, /* beyond: ended first, when all is used */
};

/* A client that waits for an answer. */
struct waiter {
	struct waiter *next;
	struct asker from;
	struct query query; /* qname_raw points to raw */
	uint64_t since_ms;
	bool extra; /* beyond the limits: it does not wait */
	uint8_t raw[DNS_NAME_MAX];
};

struct task_hooks {
	void *arg;
	/* The reply for all clients who wait for one task; none for task_refresh(); both
	 * live for the call. */
	void (*done)(void *arg, const struct question *q, const struct waiter *list,
		     const struct reply *reply);
};

struct task_conf {
	struct resolve_env env; /* copied; .now_ms and .now_s by task_now() */
	struct stats *stats;
	uint32_t waiters_max; /* 0 = TASK_WAITERS_MAX */
	size_t memory_max;    /* 0, or above it: TASK_MEMORY_MAX */
};

struct task_table;

MUST_CHECK int task_open(struct task_table **out, const struct task_conf *conf,
			 const struct task_hooks *hooks);
/* Before the first task_ask(). */
void task_set_upstream(struct task_table *t, struct upstream *u);
void task_close(struct task_table *t);

/* The trust anchors from here on, for tasks under way too. */
void task_set_anchors(struct task_table *t, const struct anchors *anchors);
/* The same of the configuration. */
void task_set_conf(struct task_table *t, const struct conf *conf);
/* Whether no task is left that has seen an earlier set, or configuration. */
bool task_settled(const struct task_table *t);

/* The time of this batch. */
void task_now(struct task_table *t, uint64_t now_ms, uint32_t now_s);
/* When task_tick() is to be called next, in now_ms's time; 0 = not before something else
 * is. */
uint64_t task_due_ms(const struct task_table *t);
void task_tick(struct task_table *t);

enum task_result {
	TASK_ASKED,
	TASK_FULL, /* no memory, or asked by done() when there is no slot */
};
/* Starts or joins the task for q; without RD what is cached is all there is, and done()
 * is called with a starved reply otherwise. done() may be called before this returns.
 * *waiter gets the waiter made, first, so that done() can recognise it. */
enum task_result task_ask(struct task_table *t, const struct query *q,
			  const struct policy_subject *subject, const struct asker *from,
			  const struct waiter **waiter);

/* Looks q up, with its refresh_s, for nobody in particular: done() is told with an empty
 * list. Nothing happens when that is under way, and when there is much to do. */
void task_refresh(struct task_table *t, const struct question *q);

/* upstream_hooks.event: owner is a task. */
void task_event(void *table, void *task, const struct event *ev);

uint32_t task_count(const struct task_table *t);
/* Bytes of all their arenas. */
size_t task_memory(const struct task_table *t);

#endif
