/* task_room.c: overload. What is ended for newer questions, and when. */
#include "resolver/task_parts.h"

enum {
	SHED_TRIES = 8, /* oldest questions looked at for one that can make room */
};

static const struct reply shed_reply = {.rcode = DNS_SERVFAIL,
					.ede = DNS_EDE_OTHER,
					.ede_text = "ended for newer questions",
					.starved = true};

/* Whether k is being run, or waits for that: its end would take the ground away. */
static bool is_busy(struct task_table *t, struct task *k)
{
	return t->running && task_table_reaches(t, t->running, k);
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
	task_finish(t, k, known ? known : &shed_reply);
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

bool task_room_sub(struct task_table *t)
{
	return t->count < TASK_MAX || shed(t);
}

bool task_room_client(struct task_table *t)
{
	if (t->clients >= TASK_CLIENTS_MAX && !shed_client(t))
		return false;
	while (t->count >= TASK_MAX || t->memory + TASK_ARENA_BLOCK > t->conf.memory_max)
		if (!shed(t))
			return false;
	return true;
}

bool task_room_fits(struct task_table *t, struct task *k)
{
	task_table_weigh(t, k);
	return t->memory <= t->conf.memory_max ||
	       (k->weight <= TASK_MEMORY_FAIR && shed(t));
}

/* The pool's last is for who may not wait. */
bool task_room_waiter(struct task_table *t)
{
	while (t->waiters.left < 2)
		if (!shed_client(t))
			return false;
	return true;
}
