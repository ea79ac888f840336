/* task.c: carries out what resolve_step() asks for.
 *
 * Invariants. A task in the table takes joiners; one that has finished is out of it
 * before anybody is told. task_run() is never entered inside task_run(): new
 * sub-questions wait in the ready queue, finished ones in a queue of their own until
 * their parents are told, and what fails at once waits in a list of work()'s. So no
 * chain of tasks costs stack. Tasks wait for each other without a circle: attach()
 * refuses the edge that would close one. */
#include "resolver/task_parts.h"

enum {
	AT_ONCE_MAX = 128, /* events that follow at once from one: at most a send of the
			    * budget or a sub-question each */
	OVERDUE_MS = 200,  /* after its deadline a question is ended here; before that the
			    * machine does it, which can tell why */
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

const struct reply task_no_answer = {.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE};
/* Says nothing about the question, so nobody is to remember it as a failure. */
static const struct reply no_room = {
	.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE, .starved = true};
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

void task_close(struct task_table *t)
{
	if (!t)
		return;
	for (int i = 0; i < TASK_BUCKETS; i++)
		while (t->bucket[i]) {
			struct task *k = t->bucket[i];
			t->bucket[i] = k->next_in_bucket;
			if (t->upstream)
				upstream_cancel_all(t->upstream, k);
			task_table_free(k);
		}
	pool_close(&t->waiters);
	free(t);
}

/* ---- ends ---- */

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
		task_table_enter(t, k, &t->idle);
}

void task_finish(struct task_table *t, struct task *k, const struct reply *reply)
{
	k->reply = reply;
	task_table_remove(t, k);
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
		task_clients_tell(t, k, reply);
	k->next_finished = t->finished;
	t->finished = k;
}

/* ---- running ---- */

void task_note_asked(const struct task_table *t, enum note_kind kind,
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
	uint64_t h = task_table_hash(t, &s->sub);
	struct task *k = task_table_find(t, &s->sub, h);
	bool joined = k != NULL;
	if (k && task_table_reaches(t, parent, k))
		return &task_no_answer;
	struct edge *e = arena_get(&parent->arena, sizeof *e);
	if (e && !k && task_room_sub(t))
		k = task_table_create(t, &s->sub, h, &s->share);
	if (!e || !k)
		return &no_room;
	*e = (struct edge){.parent = parent,
			   .sub = k,
			   .id = s->id,
			   .own = !joined,
			   .give_back = s->share};
	if (k->queue == &t->idle)
		task_table_leave(t, k);
	LIST_INSERT_HEAD(&k->parents, e, in_sub);
	LIST_INSERT_HEAD(&parent->subs, e, in_parent);
	task_note_asked(t, joined ? NOTE_JOINED : NOTE_ASKED, k, parent, &s->sub);
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
		task_note_asked(t, NOTE_NOT_ASKED, NULL, k, &s->sub);
		return false;
	case STEP_YIELD:
		task_table_yield(t, k);
		return true;
	case STEP_TELL:
		if (k->waiters)
			task_clients_tell(t, k, s->reply);
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
				return &task_no_answer;
			if (!carry_out(t, k, &steps.step[i], &queue[n]))
				n++;
		}
		if (!task_room_fits(t, k))
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

void task_run(struct task_table *t, struct task *k, const struct event *ev)
{
	t->running = k;
	const struct reply *reply = work(t, k, ev);
	t->running = NULL;
	if (reply)
		task_finish(t, k, reply);
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
		task_run(t, e->parent, &ev);
	}
	task_table_free(k);
}

/* A sub-question that others began may have more time than this one: nobody waits for
 * that. All have the same time, so the oldest is first. */
static void end_overdue(struct task_table *t)
{
	struct task *k;
	while ((k = TAILQ_FIRST(&t->of_clients)) &&
	       t->conf.env.now_ms >= k->deadline_ms + OVERDUE_MS)
		task_finish(t, k, &overdue);
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

void task_pump(struct task_table *t, struct task *k, const struct event *ev)
{
	t->pumping = true;
	if (k)
		task_run(t, k, ev);
	end_overdue(t);
	for (;;) {
		if ((k = t->finished)) {
			t->finished = k->next_finished;
			tell_parents(t, k);
		} else if ((k = t->ready)) {
			task_table_unready(t, k);
			task_run(t, k, &(struct event){.kind = k->wake});
		} else if ((k = take_late(t))) {
			if (k->waiters)
				task_run(t, k, &(struct event){.kind = EVENT_LATE});
		} else {
			break;
		}
	}
	t->pumping = false;
}

void task_tick(struct task_table *t)
{
	task_pump(t, task_table_take_yielded(t), &(struct event){.kind = EVENT_RESUME});
}

/* ---- from outside ---- */

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
	task_pump(t, task, ev);
}
