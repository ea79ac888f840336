/* task_table.c: where tasks are found, and the queues they stand in. */
#include "resolver/task_parts.h"

enum {
	CIRCLE_MAX = 512, /* tasks looked at for a circle; more is taken for one */
	YIELD_MS = 1,	  /* libuv's least: packets and clients get their turn */
};

void task_table_free(struct task *k)
{
	arena_fini(&k->arena);
	free(k);
}

uint64_t task_table_hash(const struct task_table *t, const struct question *q)
{
	struct {
		uint16_t type;
		uint8_t class, flags;
	} rest = {q->qtype, q->subject.class,
		  (uint8_t)(q->subject.own | q->subject.passthru << 1)};
	uint64_t h = hash_bytes(&t->key, q->qname, name_len(q->qname));
	return h ^ hash_bytes(&t->key, &rest, sizeof rest);
}

struct task *task_table_find(const struct task_table *t, const struct question *q,
			     uint64_t h)
{
	for (struct task *k = t->bucket[h % TASK_BUCKETS]; k; k = k->next_in_bucket)
		if (k->hash == h && k->question.qtype == q->qtype &&
		    k->question.subject.class == q->subject.class &&
		    k->question.subject.own == q->subject.own &&
		    k->question.subject.passthru == q->subject.passthru &&
		    addr_equal(&k->question.subject.client, &q->subject.client) &&
		    name_equal(k->question.qname, q->qname))
			return k;
	return NULL;
}

void task_table_ready(struct task_table *t, struct task *k, enum event_kind wake)
{
	k->wake = wake;
	k->ready = true;
	k->next_ready = NULL;
	*t->ready_end = k;
	t->ready_end = &k->next_ready;
}

void task_table_unready(struct task_table *t, struct task *k)
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

void task_table_yield(struct task_table *t, struct task *k)
{
	if (k->yielded)
		return;
	if (TAILQ_EMPTY(&t->yielded))
		t->resume_ms = t->conf.env.now_ms + YIELD_MS;
	TAILQ_INSERT_TAIL(&t->yielded, k, in_yielded);
	k->yielded = true;
}

static void unyield(struct task_table *t, struct task *k)
{
	if (k->yielded)
		TAILQ_REMOVE(&t->yielded, k, in_yielded);
	k->yielded = false;
}

struct task *task_table_take_yielded(struct task_table *t)
{
	struct task *k = TAILQ_FIRST(&t->yielded);
	if (!k || t->conf.env.now_ms < t->resume_ms)
		return NULL;
	unyield(t, k);
	t->resume_ms = t->conf.env.now_ms + YIELD_MS;
	return k;
}

void task_table_enter(struct task_table *t, struct task *k, struct task_queue *queue)
{
	k->queue = queue;
	TAILQ_INSERT_TAIL(queue, k, in_queue);
	t->clients += queue == &t->of_clients;
	if (queue == &t->of_clients && !t->in_time)
		t->in_time = k;
}

void task_table_leave(struct task_table *t, struct task *k)
{
	if (!k->queue)
		return;
	if (k == t->in_time)
		t->in_time = TAILQ_NEXT(k, in_queue);
	TAILQ_REMOVE(k->queue, k, in_queue);
	t->clients -= k->queue == &t->of_clients;
	k->queue = NULL;
}

void task_table_weigh(struct task_table *t, struct task *k)
{
	t->memory += k->arena.total - k->weight;
	k->weight = k->arena.total;
}

struct task *task_table_create(struct task_table *t, const struct question *q, uint64_t h,
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
		task_table_free(k);
		return NULL;
	}
	k->next_in_bucket = t->bucket[h % TASK_BUCKETS];
	t->bucket[h % TASK_BUCKETS] = k;
	t->count++;
	task_table_weigh(t, k);
	stats_count(t->conf.stats, STATS_TASK);
	task_table_ready(t, k, EVENT_START);
	return k;
}

void task_table_remove(struct task_table *t, struct task *k)
{
	struct task **p = &t->bucket[k->hash % TASK_BUCKETS];
	while (*p != k)
		p = &(*p)->next_in_bucket;
	*p = k->next_in_bucket;
	t->count--;
	t->of_past -= k->era != t->era;
	t->memory -= k->weight;
	task_table_leave(t, k);
	unyield(t, k);
	if (k->ready)
		task_table_unready(t, k);
}

/* *left bounds the search. */
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

bool task_table_reaches(struct task_table *t, struct task *k, const struct task *sought)
{
	int left = CIRCLE_MAX;
	return reaches(k, sought, ++t->visits, &left);
}
