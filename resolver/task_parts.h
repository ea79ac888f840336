/* task_parts.h: what the files of task share; nobody else includes it.
 * Shape    task.c runs tasks and tells who waits, task_table.c holds them and their
 *          queues, task_clients.c takes clients' questions, task_room.c makes room for
 *          them
 * Errors   NULL or false: no memory, or no room */
#ifndef SINKHOLED_TASK_PARTS_H
#define SINKHOLED_TASK_PARTS_H

#include <sys/queue.h>

#include "include/pool.h"
#include "resolver/crowd.h"
#include "resolver/note.h"
#include "resolver/task.h"

enum {
	TASK_BUCKETS = 4096, /* more than TASK_MAX */
};

/* parent waits for the task that has this among its parents. It lies in the arena of
 * parent and is in both lists until parent is told, or ends without. */
struct edge {
	LIST_ENTRY(edge) in_parent, in_sub;
	struct task *parent, *sub;
	uint32_t id;		 /* of the parent's STEP_SUB */
	bool own;		 /* the parent's share is what the task lives on */
	struct budget give_back; /* else the share comes back as it was */
};

LIST_HEAD(edge_list, edge);
TAILQ_HEAD(task_queue, task);

struct task {
	struct task *next_in_bucket, *next_ready, *next_finished;
	struct question question;
	struct arena arena;
	struct resolve *resolve;
	struct waiter *waiters;
	struct edge_list parents, subs;
	const struct reply *reply; /* not NULL: it is finished, or just ending */
	uint64_t hash;
	uint64_t visit;			/* the last circle search that came by */
	uint64_t begun_ms, deadline_ms; /* of_clients: of the first who asked */
	uint32_t serial;		/* for who listens */
	uint32_t era;			/* of the table, when it began */
	struct task_queue *queue;	/* of_clients, idle or none */
	TAILQ_ENTRY(task) in_queue, in_yielded;
	size_t weight; /* bytes of its arena that are counted */
	enum event_kind wake;
	bool ready, yielded;
	bool late; /* its clients have been told what was known before, if anything */
};

struct task_table {
	struct task_conf conf;
	struct task_hooks hooks;
	struct upstream *upstream;
	struct task *bucket[TASK_BUCKETS];
	struct task *ready, **ready_end;
	struct task *finished;	      /* their parents are to be told */
	struct task *running;	      /* task_run() is at work on it */
	struct task_queue of_clients; /* those that clients began, oldest first */
	struct task *in_time;	   /* the first of them that is not late; NULL = none */
	struct task_queue idle;	   /* those that nobody waits for any more */
	struct task_queue yielded; /* one of them goes on at each tick */
	uint64_t resume_ms;	   /* when the next one does */
	struct crowd crowd;
	size_t memory;	     /* weight of all tasks that have not finished */
	uint32_t clients;    /* tasks in of_clients */
	uint64_t refresh_ms; /* when the second began in which */
	uint32_t refreshes;  /* so many were renewed */
	struct pool waiters;
	struct hash_key key;
	uint64_t visits;
	uint32_t count, serials;
	uint32_t era;	  /* grows with each new set of anchors */
	uint32_t of_past; /* tasks in the table that began in an earlier era */
	bool pumping;
};

extern const struct reply task_no_answer;

/* ---- task.c ---- */

/* Nobody tells k anything from here on; its parents are told by task_pump(). */
void task_finish(struct task_table *t, struct task *k, const struct reply *reply);
void task_run(struct task_table *t, struct task *k, const struct event *ev);
/* Goes on, with an event for k if there is one, until every task waits for another from
 * outside. What is asked meanwhile, by done(), is run from here too. */
void task_pump(struct task_table *t, struct task *k, const struct event *ev);
/* To who listens: q is asked, by a client or by a task. */
void task_note_asked(const struct task_table *t, enum note_kind kind,
		     const struct task *k, const struct task *by,
		     const struct question *q);

/* ---- task_table.c ---- */

uint64_t task_table_hash(const struct task_table *t, const struct question *q);
struct task *task_table_find(const struct task_table *t, const struct question *q,
			     uint64_t h);
/* In the table, and ready. */
struct task *task_table_create(struct task_table *t, const struct question *q, uint64_t h,
			       const struct budget *budget);
/* Out of the table and all its queues. */
void task_table_remove(struct task_table *t, struct task *k);
void task_table_free(struct task *k);
void task_table_ready(struct task_table *t, struct task *k, enum event_kind wake);
void task_table_unready(struct task_table *t, struct task *k);
/* It has worked long enough: it goes on when the loop has seen to everybody else. */
void task_table_yield(struct task_table *t, struct task *k);
/* The next one that goes on, if it is time. */
struct task *task_table_take_yielded(struct task_table *t);
void task_table_enter(struct task_table *t, struct task *k, struct task_queue *queue);
void task_table_leave(struct task_table *t, struct task *k);
/* Counts what its arena has grown by. */
void task_table_weigh(struct task_table *t, struct task *k);
/* Whether k, or a task that waits for k, is sought. */
bool task_table_reaches(struct task_table *t, struct task *k, const struct task *sought);

/* ---- task_clients.c ---- */

void task_clients_tell(struct task_table *t, struct task *k, const struct reply *reply);

/* ---- task_room.c: what it takes ends by task_finish() ---- */

bool task_room_client(struct task_table *t);
bool task_room_sub(struct task_table *t);
bool task_room_waiter(struct task_table *t);
/* Whether k, which may have grown, may go on. */
bool task_room_fits(struct task_table *t, struct task *k);

#endif
