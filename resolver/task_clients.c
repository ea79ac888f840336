/* task_clients.c: who waits for a task, and how it comes to that. */
#include "resolver/task_parts.h"

static void give_back(struct task_table *t, struct waiter *list)
{
	while (list) {
		struct waiter *w = list;
		list = w->next;
		if (!w->extra)
			crowd_leave(&t->crowd, &w->from.client);
		pool_give(&t->waiters, w);
	}
}

void task_clients_tell(struct task_table *t, struct task *k, const struct reply *reply)
{
	struct waiter *list = k->waiters;
	k->waiters = NULL;
	t->hooks.done(t->hooks.arg, &k->question, list, reply);
	give_back(t, list);
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
	struct task *k = task_room_client(t) ? task_table_create(t, q, h, &budget) : NULL;
	if (!k)
		return NULL;
	k->begun_ms = t->conf.env.now_ms;
	k->deadline_ms = budget.deadline_ms;
	task_table_enter(t, k, &t->of_clients);
	task_note_asked(t, NOTE_ASKED, k, NULL, q);
	return k;
}

/* The task for q, a new one if there is room. */
static struct task *join(struct task_table *t, const struct question *q)
{
	uint64_t h = task_table_hash(t, q);
	struct task *k = task_table_find(t, q, h);
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
	struct task *k = task_table_create(t, q, task_table_hash(t, q), &none);
	if (!k) {
		give_back(t, w);
		return TASK_FULL;
	}
	k->waiters = w;
	task_table_unready(t, k);
	t->conf.env.cached_only = true;
	task_run(t, k, &(struct event){.kind = EVENT_START});
	t->conf.env.cached_only = false;
	if (!k->reply)
		task_finish(t, k, &task_no_answer);
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
			task_table_ready(t, k, EVENT_LATE);
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
	room = task_room_waiter(t);
	if (!room && nested)
		return TASK_FULL;
	struct waiter *w = take_waiter(t, q, from);
	*waiter = w;
	bool may_wait = room && (q->flags & DNS_RD);
	if (!may_wait || !wait_for(t, &question, w, &why_not)) {
		if (nested) {
			give_back(t, w);
			return TASK_FULL;
		}
		result = answer_at_once(t, &question, w, why_not);
	}
	if (!nested)
		task_pump(t, NULL, NULL);
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
	uint64_t h = task_table_hash(t, q);
	if (t->pumping || !may_refresh(t) || task_table_find(t, q, h) ||
	    !create_for_client(t, q, h))
		return;
	t->refreshes++;
	stats_count(t->conf.stats, STATS_TASK_REFRESH);
	task_pump(t, NULL, NULL);
}
