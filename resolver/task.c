/* task.c: carries out what resolve_step() asks for.
 *
 * Invariants. A task in the table takes joiners; one that has finished is out of it
 * before anybody is told. run() is never entered inside run(): new sub-questions wait in
 * the ready queue, finished ones in a queue of their own until their parents are told,
 * and what fails at once waits in a list of run()'s. So no chain of tasks costs stack.
 * Tasks wait for each other without a circle: attach() refuses the edge that would close
 * one. */
#include "resolver/task.h"

#include <sys/queue.h>

#include "include/pool.h"
#include "resolver/crowd.h"
#include "resolver/note.h"

enum {
	BUCKETS = 4096,	   /* more than TASK_MAX */
	AT_ONCE_MAX = 128, /* events that follow at once from one: at most a send of the
			    * budget or a sub-question each */
	CIRCLE_MAX = 512,  /* tasks looked at for a circle; more is taken for one */
	OVERDUE_MS = 200,  /* after its deadline a question is ended here; before that the
			    * machine does it, which can tell why */
	SHED_TRIES = 8,	   /* oldest questions looked at for one that can make room */
	YIELD_MS = 1,	   /* libuv's least: packets and clients get their turn */
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
	struct task *bucket[BUCKETS];
	struct task *ready, **ready_end;
	struct task *finished;	      /* their parents are to be told */
	struct task *running;	      /* run() is at work on it */
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

/* An event that follows at once: a send that was refused, a sub-question that cannot be.
 */
struct at_once {
	enum event_kind kind;
	uint32_t id;
	enum send_failure why;
	struct budget left;
	const struct reply *reply; /* what a sub-question ends with */
};

static const struct reply no_answer = {.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE};
/* Says nothing about the question, so nobody is to remember it as a failure. */
static const struct reply no_room = {
	.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE, .starved = true};
static const struct reply shed_reply = {.rcode = DNS_SERVFAIL,
					.ede = DNS_EDE_OTHER,
					.ede_text = "ended for newer questions",
					.starved = true};
static const struct reply too_big = {.rcode = DNS_SERVFAIL,
				     .ede = DNS_EDE_OTHER,
				     .ede_text = "answers too large to hold",
				     .starved = true};
static const struct reply overdue = {.rcode = DNS_SERVFAIL,
				     .ede = DNS_EDE_NO_REACHABLE_AUTHORITY,
				     .ede_text = "time is up"};

int task_open(struct task_table **out, const struct task_conf *conf,
	      const struct task_hooks *hooks)
{
	/* And one for who may not wait. */
	uint32_t waiters = conf->waiters_max ? conf->waiters_max : TASK_WAITERS_MAX;
	struct task_table *t = calloc(1, sizeof *t);
	if (!t || pool_open(&t->waiters, waiters + 1, sizeof(struct waiter))) {
		free(t);
		return ERR_NOMEM;
	}
	t->conf = *conf;
	if (!conf->memory_max || conf->memory_max > TASK_MEMORY_MAX)
		t->conf.memory_max = TASK_MEMORY_MAX;
	t->hooks = *hooks;
	t->ready_end = &t->ready;
	TAILQ_INIT(&t->of_clients);
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->yielded);
	conf->env.random(conf->env.random_arg, &t->key, sizeof t->key);
	conf->env.random(conf->env.random_arg, &t->crowd.key, sizeof t->crowd.key);
	*out = t;
	return ERR_OK;
}

void task_set_upstream(struct task_table *t, struct upstream *u)
{
	t->upstream = u;
}

void task_now(struct task_table *t, uint64_t now_ms, uint32_t now_s)
{
	t->conf.env.now_ms = now_ms;
	t->conf.env.now_s = now_s;
}

/* Tasks that are under way have seen what is being replaced. */
static void new_era(struct task_table *t)
{
	t->era++;
	t->of_past = t->count;
}

void task_set_anchors(struct task_table *t, const struct anchors *anchors)
{
	t->conf.env.anchors = anchors;
	new_era(t);
}

void task_set_conf(struct task_table *t, const struct conf *conf)
{
	t->conf.env.conf = conf;
	new_era(t);
}

bool task_settled(const struct task_table *t)
{
	return t->of_past == 0;
}

uint32_t task_count(const struct task_table *t)
{
	return t->count;
}

size_t task_memory(const struct task_table *t)
{
	return t->memory;
}

static void task_free(struct task *k)
{
	arena_fini(&k->arena);
	free(k);
}

void task_close(struct task_table *t)
{
	if (!t)
		return;
	for (int i = 0; i < BUCKETS; i++)
		while (t->bucket[i]) {
			struct task *k = t->bucket[i];
			t->bucket[i] = k->next_in_bucket;
			if (t->upstream)
				upstream_cancel_all(t->upstream, k);
			task_free(k);
		}
	pool_close(&t->waiters);
	free(t);
}

/* ---- the table ---- */

static uint64_t hash(const struct task_table *t, const struct question *q)
{
	struct {
		uint16_t type;
		uint8_t class, flags;
	} rest = {q->qtype, q->subject.class,
		  (uint8_t)(q->subject.own | q->subject.passthru << 1)};
	uint64_t h = hash_bytes(&t->key, q->qname, name_len(q->qname));
	return h ^ hash_bytes(&t->key, &rest, sizeof rest);
}

static struct task *find(const struct task_table *t, const struct question *q, uint64_t h)
{
	for (struct task *k = t->bucket[h % BUCKETS]; k; k = k->next_in_bucket)
		if (k->hash == h && k->question.qtype == q->qtype &&
		    k->question.subject.class == q->subject.class &&
		    k->question.subject.own == q->subject.own &&
		    k->question.subject.passthru == q->subject.passthru &&
		    addr_equal(&k->question.subject.client, &q->subject.client) &&
		    name_equal(k->question.qname, q->qname))
			return k;
	return NULL;
}

static void make_ready(struct task_table *t, struct task *k, enum event_kind wake)
{
	k->wake = wake;
	k->ready = true;
	k->next_ready = NULL;
	*t->ready_end = k;
	t->ready_end = &k->next_ready;
}

static void leave_ready(struct task_table *t, struct task *k)
{
	struct task **p = &t->ready;
	while (*p && *p != k)
		p = &(*p)->next_ready;
	if (!*p)
		return;
	*p = k->next_ready;
	if (t->ready_end == &k->next_ready)
		t->ready_end = p;
	k->ready = false;
}

/* It has worked long enough: it goes on when the loop has seen to everybody else. */
static void yield(struct task_table *t, struct task *k)
{
	if (k->yielded)
		return;
	if (TAILQ_EMPTY(&t->yielded))
		t->resume_ms = t->conf.env.now_ms + YIELD_MS;
	TAILQ_INSERT_TAIL(&t->yielded, k, in_yielded);
	k->yielded = true;
}

static void leave_yielded(struct task_table *t, struct task *k)
{
	if (k->yielded)
		TAILQ_REMOVE(&t->yielded, k, in_yielded);
	k->yielded = false;
}

static void enter_queue(struct task_table *t, struct task *k, struct task_queue *queue)
{
	k->queue = queue;
	TAILQ_INSERT_TAIL(queue, k, in_queue);
	t->clients += queue == &t->of_clients;
	if (queue == &t->of_clients && !t->in_time)
		t->in_time = k;
}

static void leave_queue(struct task_table *t, struct task *k)
{
	if (!k->queue)
		return;
	if (k == t->in_time)
		t->in_time = TAILQ_NEXT(k, in_queue);
	TAILQ_REMOVE(k->queue, k, in_queue);
	t->clients -= k->queue == &t->of_clients;
	k->queue = NULL;
}

/* Counts what its arena has grown by. */
static void weigh(struct task_table *t, struct task *k)
{
	t->memory += k->arena.total - k->weight;
	k->weight = k->arena.total;
}

static struct task *create(struct task_table *t, const struct question *q, uint64_t h,
			   const struct budget *budget)
{
	struct task *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	arena_init(&k->arena, TASK_ARENA_BLOCK, TASK_ARENA_MAX);
	k->question = *q;
	k->hash = h;
	k->serial = ++t->serials;
	k->era = t->era;
	k->resolve = resolve_open(&k->arena, &k->question, budget);
	if (!k->resolve) {
		task_free(k);
		return NULL;
	}
	k->next_in_bucket = t->bucket[h % BUCKETS];
	t->bucket[h % BUCKETS] = k;
	t->count++;
	weigh(t, k);
	stats_count(t->conf.stats, STATS_TASK);
	make_ready(t, k, EVENT_START);
	return k;
}

static void leave_table(struct task_table *t, struct task *k)
{
	struct task **p = &t->bucket[k->hash % BUCKETS];
	while (*p != k)
		p = &(*p)->next_in_bucket;
	*p = k->next_in_bucket;
	t->count--;
	t->of_past -= k->era != t->era;
	t->memory -= k->weight;
	leave_queue(t, k);
	leave_yielded(t, k);
	if (k->ready)
		leave_ready(t, k);
}

/* ---- tasks that wait for tasks ---- */

/* Whether k, or a task that waits for k, is sought. *left bounds the search. */
static bool reaches(struct task *k, const struct task *sought, uint64_t visit, int *left)
{
	if (k == sought || --*left < 0)
		return true;
	if (k->visit == visit)
		return false;
	k->visit = visit;
	for (struct edge *e = LIST_FIRST(&k->parents); e; e = LIST_NEXT(e, in_sub))
		if (reaches(e->parent, sought, visit, left))
			return true;
	return false;
}

static void cut(struct edge *e)
{
	LIST_REMOVE(e, in_sub);
	LIST_REMOVE(e, in_parent);
}

/* The parent ends before its sub-question, which goes on: what it finds is cached. */
static void leave_sub(struct task_table *t, struct edge *e)
{
	struct task *k = e->sub;
	cut(e);
	if (!k->reply && !k->queue && LIST_EMPTY(&k->parents))
		enter_queue(t, k, &t->idle);
}

/* ---- ends ---- */

static void give_back_waiters(struct task_table *t, struct waiter *list)
{
	while (list) {
		struct waiter *w = list;
		list = w->next;
		if (!w->extra)
			crowd_leave(&t->crowd, &w->from.client);
		pool_give(&t->waiters, w);
	}
}

static void tell_waiters(struct task_table *t, struct task *k, const struct reply *reply)
{
	struct waiter *list = k->waiters;
	k->waiters = NULL;
	t->hooks.done(t->hooks.arg, &k->question, list, reply);
	give_back_waiters(t, list);
}

/* Nobody tells k anything from here on; its parents are told by tell_parents(). */
static void finish(struct task_table *t, struct task *k, const struct reply *reply)
{
	k->reply = reply;
	leave_table(t, k);
	if (t->conf.env.noter)
		note(&t->conf.env,
		     (struct note){.kind = NOTE_DONE, .task = k->serial, .reply = reply});
	upstream_cancel_all(t->upstream, k);
	while (!LIST_EMPTY(&k->subs))
		leave_sub(t, LIST_FIRST(&k->subs));
	if (reply->rcode == DNS_SERVFAIL)
		stats_count(t->conf.stats, STATS_TASK_FAILED);
	if (reply->denied)
		stats_count(t->conf.stats, STATS_TASK_DENIED);
	if (k->waiters || k->question.refresh_s)
		tell_waiters(t, k, reply);
	k->next_finished = t->finished;
	t->finished = k;
}

/* ---- overload ---- */

/* Whether k is being run, or waits for that: its end would take the ground away. */
static bool is_busy(struct task_table *t, struct task *k)
{
	int left = CIRCLE_MAX;
	return t->running && reaches(t->running, k, ++t->visits, &left);
}

/* The reply among steps, if there is one. */
static const struct reply *reply_of(const struct steps *steps)
{
	for (int i = 0; i < steps->n; i++)
		if (steps->step[i].reply)
			return steps->step[i].reply;
	return NULL;
}

/* What was known before k is told instead, if there is anything. */
static bool end_for_room(struct task_table *t, struct task *k)
{
	static const struct event late = {.kind = EVENT_LATE};
	struct steps steps = {0};
	if (!k)
		return false;
	stats_count(t->conf.stats, STATS_TASK_SHED);
	if (k->waiters)
		resolve_step(k->resolve, &steps, &late, &t->conf.env);
	const struct reply *known = reply_of(&steps);
	finish(t, k, known ? known : &shed_reply);
	return true;
}

/* Ends the client's question that began first; false when it has not had its time yet. */
static bool shed_client(struct task_table *t)
{
	struct task *k = TAILQ_FIRST(&t->of_clients);
	for (int i = 0; k && i < SHED_TRIES && is_busy(t, k); i++)
		k = TAILQ_NEXT(k, in_queue);
	if (k && (is_busy(t, k) || t->conf.env.now_ms < k->begun_ms + TASK_JOSTLE_MS))
		k = NULL;
	return end_for_room(t, k);
}

/* Ends what nobody waits for any more, or else a client's question. */
static bool shed(struct task_table *t)
{
	struct task *k = TAILQ_FIRST(&t->idle);
	if (k && k == t->running)
		k = TAILQ_NEXT(k, in_queue);
	return end_for_room(t, k) || shed_client(t);
}

static bool room_for_client(struct task_table *t)
{
	if (t->clients >= TASK_CLIENTS_MAX && !shed_client(t))
		return false;
	while (t->count >= TASK_MAX || t->memory + TASK_ARENA_BLOCK > t->conf.memory_max)
		if (!shed(t))
			return false;
	return true;
}

/* Whether k, which may have grown, may go on. */
static bool fits(struct task_table *t, struct task *k)
{
	weigh(t, k);
	return t->memory <= t->conf.memory_max ||
	       (k->weight <= TASK_MEMORY_FAIR && shed(t));
}

/* ---- running ---- */

static void note_asked(const struct task_table *t, enum note_kind kind,
		       const struct task *k, const struct task *by,
		       const struct question *q)
{
	if (t->conf.env.noter)
		note(&t->conf.env, (struct note){.kind = kind,
						 .task = k ? k->serial : 0,
						 .by = by ? by->serial : 0,
						 .question = q});
}

/* Makes parent wait for the sub-question's task; false when it cannot. */
static const struct reply *attach(struct task_table *t, struct task *parent,
				  const struct step *s)
{
	uint64_t h = hash(t, &s->sub);
	struct task *k = find(t, &s->sub, h);
	int left = CIRCLE_MAX;
	bool joined = k != NULL;
	if (k && reaches(parent, k, ++t->visits, &left))
		return &no_answer;
	struct edge *e = arena_get(&parent->arena, sizeof *e);
	if (e && !k && (t->count < TASK_MAX || shed(t)))
		k = create(t, &s->sub, h, &s->share);
	if (!e || !k)
		return &no_room;
	*e = (struct edge){.parent = parent,
			   .sub = k,
			   .id = s->id,
			   .own = !joined,
			   .give_back = s->share};
	if (k->queue == &t->idle)
		leave_queue(t, k);
	LIST_INSERT_HEAD(&k->parents, e, in_sub);
	LIST_INSERT_HEAD(&parent->subs, e, in_parent);
	note_asked(t, joined ? NOTE_JOINED : NOTE_ASKED, k, parent, &s->sub);
	return NULL;
}

static void note_sent(const struct task_table *t, const struct step *s, int result)
{
	if (t->conf.env.noter)
		note(&t->conf.env,
		     (struct note){.kind = NOTE_SENT,
				   .id = s->id,
				   .send = &s->send,
				   .failed = result == UPSTREAM_SENT ? NOTE_NOT_FAILED
								     : result});
}

/* Carries out one step; false when it failed at once, with the event that follows. */
static bool carry_out(struct task_table *t, struct task *k, const struct step *s,
		      struct at_once *follows)
{
	int result;
	switch (s->kind) {
	case STEP_SEND: {
		struct policy_subject subject = k->question.subject;
		subject.passthru |= s->send.passthru;
		subject.own |= s->send.own;
		result = upstream_send(t->upstream, k, s->id, &subject, &s->send);
		note_sent(t, s, result);
		*follows = (struct at_once){.kind = EVENT_TIMEOUT, .id = s->id};
		follows->why = (enum send_failure)result;
		return result == UPSTREAM_SENT;
	}
	case STEP_CANCEL:
		upstream_cancel(t->upstream, k, s->id);
		return true;
	case STEP_SUB:
		*follows = (struct at_once){EVENT_SUB_DONE, s->id, 0, s->share,
					    attach(t, k, s)};
		if (!follows->reply)
			return true;
		note_asked(t, NOTE_NOT_ASKED, NULL, k, &s->sub);
		return false;
	case STEP_YIELD:
		yield(t, k);
		return true;
	case STEP_TELL:
		if (k->waiters)
			tell_waiters(t, k, s->reply);
		return true;
	case STEP_DONE:
		break;
	}
	return true;
}

/* Returns what k ends with, or NULL: it waits for events from elsewhere. */
static const struct reply *work(struct task_table *t, struct task *k,
				const struct event *first)
{
	struct at_once queue[AT_ONCE_MAX];
	struct steps steps;
	struct event ev = *first;
	int n = 0;
	for (;;) {
		t->conf.env.task = k->serial;
		resolve_step(k->resolve, &steps, &ev, &t->conf.env);
		for (int i = 0; i < steps.n; i++) {
			if (steps.step[i].kind == STEP_DONE)
				return steps.step[i].reply;
			if (n == AT_ONCE_MAX)
				return &no_answer;
			if (!carry_out(t, k, &steps.step[i], &queue[n]))
				n++;
		}
		if (!fits(t, k))
			return &too_big;
		if (n == 0)
			return NULL;
		const struct at_once *next = &queue[--n];
		ev = (struct event){.kind = next->kind,
				    .id = next->id,
				    .why = next->why,
				    .reply = next->reply,
				    .left = next->left};
	}
}

static void run(struct task_table *t, struct task *k, const struct event *ev)
{
	t->running = k;
	const struct reply *reply = work(t, k, ev);
	t->running = NULL;
	if (reply)
		finish(t, k, reply);
}

/* The last of a finished task. A parent that ends by this cuts its other edges. */
static void tell_parents(struct task_table *t, struct task *k)
{
	struct edge *e;
	while ((e = LIST_FIRST(&k->parents))) {
		struct event ev = {
			.kind = EVENT_SUB_DONE, .id = e->id, .reply = k->reply};
		ev.left = e->own ? resolve_budget(k->resolve) : e->give_back;
		cut(e);
		run(t, e->parent, &ev);
	}
	task_free(k);
}

/* A sub-question that others began may have more time than this one: nobody waits for
 * that. All have the same time, so the oldest is first. */
static void end_overdue(struct task_table *t)
{
	struct task *k;
	while ((k = TAILQ_FIRST(&t->of_clients)) &&
	       t->conf.env.now_ms >= k->deadline_ms + OVERDUE_MS)
		finish(t, k, &overdue);
}

/* When the first clients have waited long enough, 0 = never. */
static uint64_t late_due_ms(const struct task_table *t)
{
	const struct conf *conf = t->conf.env.conf;
	return t->in_time && conf->serve_stale.enabled
		       ? t->in_time->begun_ms + conf->serve_stale.client_timeout_ms
		       : 0;
}

uint64_t task_due_ms(const struct task_table *t)
{
	uint64_t late_ms = late_due_ms(t);
	bool resumes = !TAILQ_EMPTY(&t->yielded);
	return resumes && (!late_ms || t->resume_ms < late_ms) ? t->resume_ms : late_ms;
}

/* The next task whose clients have waited long enough; all have the same time. */
static struct task *take_late(struct task_table *t)
{
	uint64_t due_ms = late_due_ms(t);
	struct task *k = t->in_time;
	if (!due_ms || t->conf.env.now_ms < due_ms)
		return NULL;
	t->in_time = TAILQ_NEXT(k, in_queue);
	k->late = true;
	return k;
}

/* Goes on, with an event for k if there is one, until every task waits for another from
 * outside. What is asked meanwhile, by done(), is run from here too. */
static void pump(struct task_table *t, struct task *k, const struct event *ev)
{
	t->pumping = true;
	if (k)
		run(t, k, ev);
	end_overdue(t);
	for (;;) {
		if ((k = t->finished)) {
			t->finished = k->next_finished;
			tell_parents(t, k);
		} else if ((k = t->ready)) {
			leave_ready(t, k);
			run(t, k, &(struct event){.kind = k->wake});
		} else if ((k = take_late(t))) {
			if (k->waiters)
				run(t, k, &(struct event){.kind = EVENT_LATE});
		} else {
			break;
		}
	}
	t->pumping = false;
}

/* The next one that has yielded, if it is time. */
static struct task *take_yielded(struct task_table *t)
{
	struct task *k = TAILQ_FIRST(&t->yielded);
	if (!k || t->conf.env.now_ms < t->resume_ms)
		return NULL;
	leave_yielded(t, k);
	t->resume_ms = t->conf.env.now_ms + YIELD_MS;
	return k;
}

void task_tick(struct task_table *t)
{
	pump(t, take_yielded(t), &(struct event){.kind = EVENT_RESUME});
}

/* ---- from outside ---- */

/* Room for one waiter more; the pool's last is for who may not wait. */
static bool room_for_waiter(struct task_table *t)
{
	while (t->waiters.left < 2)
		if (!shed_client(t))
			return false;
	return true;
}

static struct waiter *take_waiter(struct task_table *t, const struct query *q,
				  const struct asker *from)
{
	struct waiter *w = pool_take(&t->waiters);
	w->next = NULL;
	w->from = *from;
	w->query = *q;
	memcpy(w->raw, q->qname_raw, q->qname_len);
	w->query.qname_raw = w->raw;
	w->since_ms = t->conf.env.now_ms;
	w->extra = true;
	return w;
}

static struct task *create_for_client(struct task_table *t, const struct question *q,
				      uint64_t h)
{
	const struct budget budget = {BUDGET_SENDS, BUDGET_BYTES,
				      t->conf.env.now_ms + BUDGET_MS, BUDGET_DEPTH};
	struct task *k = room_for_client(t) ? create(t, q, h, &budget) : NULL;
	if (!k)
		return NULL;
	k->begun_ms = t->conf.env.now_ms;
	k->deadline_ms = budget.deadline_ms;
	enter_queue(t, k, &t->of_clients);
	note_asked(t, NOTE_ASKED, k, NULL, q);
	return k;
}

/* The task for q, a new one if there is room. */
static struct task *join(struct task_table *t, const struct question *q)
{
	uint64_t h = hash(t, q);
	struct task *k = find(t, q, h);
	if (!k)
		return create_for_client(t, q, h);
	stats_count(t->conf.stats, STATS_TASK_JOINED);
	return k;
}

/* A question without a slot, or without RD: it ends at once, one way or the other. */
static enum task_result answer_at_once(struct task_table *t, const struct question *q,
				       struct waiter *w, enum stats_counter why)
{
	static const struct budget none;
	bool wanted = w->query.flags & DNS_RD;
	struct task *k = create(t, q, hash(t, q), &none);
	if (!k) {
		give_back_waiters(t, w);
		return TASK_FULL;
	}
	k->waiters = w;
	leave_ready(t, k);
	t->conf.env.cached_only = true;
	run(t, k, &(struct event){.kind = EVENT_START});
	t->conf.env.cached_only = false;
	if (!k->reply)
		finish(t, k, &no_answer);
	if (k->reply->starved && wanted)
		stats_count(t->conf.stats, why);
	return TASK_ASKED;
}

/* Makes w wait for the answer to q, if it may. */
static bool wait_for(struct task_table *t, const struct question *q, struct waiter *w,
		     enum stats_counter *why_not)
{
	*why_not = STATS_DROP_CROWD;
	if (!crowd_enter(&t->crowd, &w->from.client))
		return false;
	struct task *k = join(t, q);
	if (k) {
		w->extra = false;
		w->next = k->waiters;
		k->waiters = w;
		if (k->late && !k->ready)
			make_ready(t, k, EVENT_LATE);
		return true;
	}
	*why_not = STATS_DROP_OVERLOAD;
	crowd_leave(&t->crowd, &w->from.client);
	return false;
}

enum task_result task_ask(struct task_table *t, const struct query *q,
			  const struct policy_subject *subject, const struct asker *from,
			  const struct waiter **waiter)
{
	struct question question = {.qtype = q->qtype, .subject = *subject};
	enum task_result result = TASK_ASKED;
	enum stats_counter why_not = STATS_DROP_OVERLOAD;
	bool nested = t->pumping, room;
	name_copy(question.qname, q->qname);
	t->pumping = true;
	room = room_for_waiter(t);
	if (!room && nested)
		return TASK_FULL;
	struct waiter *w = take_waiter(t, q, from);
	*waiter = w;
	bool may_wait = room && (q->flags & DNS_RD);
	if (!may_wait || !wait_for(t, &question, w, &why_not)) {
		if (nested) {
			give_back_waiters(t, w);
			return TASK_FULL;
		}
		result = answer_at_once(t, &question, w, why_not);
	}
	if (!nested)
		pump(t, NULL, NULL);
	return result;
}

static bool may_refresh(struct task_table *t)
{
	enum { SECOND_MS = 1000 };
	if (t->conf.env.now_ms >= t->refresh_ms + SECOND_MS) {
		t->refresh_ms = t->conf.env.now_ms;
		t->refreshes = 0;
	}
	return t->refreshes < TASK_REFRESH_MAX && t->clients < TASK_CLIENTS_MAX / 2 &&
	       t->memory < t->conf.memory_max / 2;
}

void task_refresh(struct task_table *t, const struct question *q)
{
	uint64_t h = hash(t, q);
	if (t->pumping || !may_refresh(t) || find(t, q, h) || !create_for_client(t, q, h))
		return;
	t->refreshes++;
	stats_count(t->conf.stats, STATS_TASK_REFRESH);
	pump(t, NULL, NULL);
}

static void note_unanswered(const struct task_table *t, const struct task *k,
			    const struct event *ev)
{
	note(&t->conf.env, (struct note){.kind = NOTE_UNANSWERED,
					 .task = k->serial,
					 .id = ev->id,
					 .failed = (int)ev->why});
}

void task_event(void *table, void *task, const struct event *ev)
{
	struct task_table *t = table;
	if (t->conf.env.noter && ev->kind == EVENT_TIMEOUT)
		note_unanswered(t, task, ev);
	pump(t, task, ev);
}
