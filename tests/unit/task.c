/* The machine below the tasks is a fake: every question is a node that asks what its row
 * in the world says, and ends when that is done. So is upstream. */
#include "resolver/task.h"

#include "resolver/crowd.h"
#include "resolver/note.h"
#include "resolver/random.h"
#include "tests/unit/unit.h"

enum { NODES_MAX = 4096, SUBS_MAX = 3, SENDS_MAX = 4096, SHARE = 10, START_MS = 1000 };

/* What a question does when it is asked. */
struct node {
	char name[24];
	const char *sub[SUBS_MAX]; /* asks these and waits for all */
	bool sends;		   /* sends one packet and waits for its event */
	bool impatient;		   /* ends at the first event */
	bool yields;		   /* once, before anything else */
	bool doubles;		   /* sends two packets more at each event */
	bool known;		   /* has something for who has waited long enough */
	bool busy;		   /* goes on with its work at that moment */
	size_t eats;		   /* bytes of its arena, at each event */
	int starts, events, lates;
	struct event last; /* seen */
};

static struct node world[NODES_MAX];
static int nodes;

static struct {
	void *owner;
	uint32_t id;
} sent[SENDS_MAX];
static int sent_n, send_result, cancels;
static struct policy_subject sent_subject;

static struct task_table *table;
static struct stats stats;
static struct conf settings;
static struct random_source randomness;
static int ended, waiters_ended;
static uint16_t ended_rcode;
static char ended_name[DNS_NAME_TEXT_MAX];

static struct node *node(const char *name)
{
	for (int i = 0; i < nodes; i++)
		if (!strcmp(world[i].name, name))
			return &world[i];
	ck_assert_int_lt(nodes, NODES_MAX);
	snprintf(world[nodes].name, sizeof world->name, "%s", name);
	return &world[nodes++];
}

/* ---- the fake machine ---- */

struct resolve {
	struct node *node;
	struct arena *arena;
	struct budget budget;
	uint32_t last_id;
	int waits;
	bool done, yielded;
	uint16_t rcode;
	struct reply reply;
};

static const struct reply known = {.rcode = DNS_NOERROR, .ede = DNS_EDE_STALE};

struct resolve *resolve_open(struct arena *arena, const struct question *q,
			     const struct budget *budget)
{
	char name[DNS_NAME_TEXT_MAX];
	struct resolve *r = arena_zero(arena, sizeof *r);
	ck_assert_ptr_nonnull(r);
	r->node = node(name_to_text(name, q->qname));
	r->arena = arena;
	r->budget = *budget;
	return r;
}

struct budget resolve_budget(const struct resolve *r)
{
	return r->budget;
}

static struct step *step(struct resolve *r, struct steps *out, enum step_kind kind)
{
	struct step *s = &out->step[out->n++];
	*s = (struct step){.kind = kind, .id = ++r->last_id};
	return s;
}

static void begin(struct resolve *r, struct steps *out)
{
	r->node->starts++;
	if (r->node->sends) {
		step(r, out, STEP_SEND);
		r->waits++;
	}
	for (int i = 0; i < SUBS_MAX && r->node->sub[i]; i++) {
		struct step *s = step(r, out, STEP_SUB);
		ck_assert_int_eq(name_from_str(s->sub.qname, r->node->sub[i]), 0);
		s->sub.subject.own = true;
		s->share.sends = SHARE;
		r->budget.sends -= SHARE;
		r->waits++;
	}
}

void resolve_step(struct resolve *r, struct steps *out, const struct event *ev,
		  const struct resolve_env *env)
{
	ck_assert_msg(!r->done, "an event for %s, which has ended", r->node->name);
	out->n = 0;
	if (r->node->eats)
		ck_assert_ptr_nonnull(arena_get(r->arena, r->node->eats));
	if (ev->kind == EVENT_LATE) {
		r->node->lates++;
		if (r->node->busy)
			step(r, out, STEP_YIELD);
		if (r->node->known)
			step(r, out, STEP_TELL)->reply = &known;
		return;
	}
	if (env->cached_only && r->node->sends) {
		r->done = r->reply.starved = true;
		r->reply.rcode = DNS_SERVFAIL;
		step(r, out, STEP_DONE)->reply = &r->reply;
		return;
	}
	if (ev->kind == EVENT_START && r->node->yields && !r->yielded) {
		r->yielded = true;
		step(r, out, STEP_YIELD);
		return;
	}
	if (ev->kind == EVENT_START || ev->kind == EVENT_RESUME) {
		begin(r, out);
	} else {
		r->node->events++;
		r->node->last = *ev;
		r->waits--;
		if (ev->kind == EVENT_TIMEOUT ||
		    (ev->kind == EVENT_SUB_DONE && ev->reply->rcode))
			r->rcode = DNS_SERVFAIL;
		r->budget.sends += ev->kind == EVENT_SUB_DONE ? ev->left.sends : 0;
	}
	for (int i = 0; i < 2 && r->node->doubles && ev->kind != EVENT_START; i++) {
		step(r, out, STEP_SEND);
		r->waits++;
	}
	if (r->waits && !(r->node->impatient && r->node->events))
		return;
	r->done = true;
	r->reply.rcode = r->rcode;
	step(r, out, STEP_DONE)->reply = &r->reply;
}

/* ---- the fake upstream ---- */

int upstream_send(struct upstream *u, void *owner, uint32_t id,
		  const struct policy_subject *subject, const struct step_send *send)
{
	(void)u, (void)send;
	sent_subject = *subject;
	if (send_result != UPSTREAM_SENT)
		return send_result;
	ck_assert_int_lt(sent_n, SENDS_MAX);
	sent[sent_n].owner = owner;
	sent[sent_n++].id = id;
	return UPSTREAM_SENT;
}

void upstream_cancel(struct upstream *u, void *owner, uint32_t id)
{
	(void)u;
	for (int i = 0; i < sent_n; i++)
		if (sent[i].owner == owner && sent[i].id == id)
			sent[i--] = sent[--sent_n];
}

void upstream_cancel_all(struct upstream *u, void *owner)
{
	(void)u;
	cancels++;
	for (int i = 0; i < sent_n; i++)
		if (sent[i].owner == owner)
			sent[i--] = sent[--sent_n];
}

/* The oldest packet gets that event, its last one. */
static void answer(enum event_kind kind)
{
	ck_assert_int_gt(sent_n, 0);
	struct event ev = {.kind = kind, .id = sent[0].id};
	void *owner = sent[0].owner;
	sent_n--;
	memmove(sent, sent + 1, (size_t)sent_n * sizeof *sent);
	task_event(table, owner, &ev);
}

/* ---- around a test ---- */

static void done(void *arg, const struct question *q, const struct waiter *list,
		 const struct reply *reply)
{
	(void)arg;
	ended++;
	name_to_text(ended_name, q->qname);
	ended_rcode = reply->rcode;
	for (; list; list = list->next)
		waiters_ended++;
}

static size_t memory_max; /* 0 = the usual */

static void open_noted(const struct noter *noter)
{
	const struct task_hooks hooks = {.done = done};
	struct task_conf conf = {.stats = &stats,
				 .env.noter = noter,
				 .memory_max = memory_max,
				 .env.conf = &settings};
	conf.env.random = random_bytes;
	conf.env.random_arg = &randomness;
	ck_assert_int_eq(task_open(&table, &conf, &hooks), 0);
	task_set_upstream(table, (struct upstream *)(void *)table); /* never looked at */
	task_now(table, START_MS, 1000);
	send_result = UPSTREAM_SENT;
}

static void open_table(void)
{
	open_noted(NULL);
}

/* Nothing is left over, anywhere. */
static void close_table(void)
{
	ck_assert_int_eq(task_count(table), 0);
	ck_assert_uint_eq(task_memory(table), 0);
	ck_assert_int_eq(sent_n, 0);
	task_close(table);
}

static uint32_t client; /* 0: each question comes from another neighbourhood */

static unsigned asked_flags = DNS_RD;

static enum task_result ask_as(const char *name, uint16_t qtype,
			       struct policy_subject subject)
{
	static uint32_t number;
	const uint32_t n = client ? client : ++number << 8;
	const struct asker from = {
		.client = {{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
			   4,
			   0,
			   5353}};
	const struct waiter *waiter;
	struct query q = {
		.flags = (uint16_t)asked_flags, .qtype = qtype, .qclass = DNS_IN};
	ck_assert_int_eq(name_from_str(q.qname, name), 0);
	q.qname_len = (uint8_t)name_len(q.qname);
	q.qname_raw = q.qname;
	return task_ask(table, &q, &subject, &from, &waiter);
}

static void ask(const char *name)
{
	ck_assert_int_eq(ask_as(name, DNS_A, (struct policy_subject){0}), TASK_ASKED);
}

/* That one is not waited for, for lack of room, and ends at once. */
static void refused(const char *name, enum stats_counter why)
{
	int before = ended, sends = sent_n;
	uint64_t counted = stats.n[why];
	ask(name);
	ck_assert_int_eq(ended, before + 1);
	ck_assert_str_eq(ended_name, name);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	ck_assert_int_eq(sent_n, sends);
	ck_assert_uint_eq(stats.n[why], counted + 1);
	/* What is cached is answered all the same. */
	node("cached");
	ask("cached");
	ck_assert_int_eq(ended, before + 2);
	ck_assert_int_eq(ended_rcode, DNS_NOERROR);
	ck_assert_uint_eq(stats.n[why], counted + 1);
	ended = before;
	waiters_ended -= 2;
}

static void pass(uint32_t ms)
{
	task_now(table, START_MS + ms, 1000);
	task_tick(table);
}

/* ---- tests ---- */

START_TEST(who_asks_the_same_shares_one_task)
{
	open_table();
	node("a")->sends = true;
	ask("a");
	ask("a");
	ask("a");
	ck_assert_int_eq(sent_n, 1);
	ck_assert_int_eq(task_count(table), 1);
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(waiters_ended, 3);
	close_table();
}
END_TEST

/* Who is opted out, or was passed by a rule, must not share with who is not. */
START_TEST(classes_are_not_joined)
{
	static const struct policy_subject subjects[] = {
		{.class = POLICY_ALL},
		{.class = POLICY_NONE},
		{.class = POLICY_ALL, .passthru = true},
		{.class = POLICY_ALL, .own = true},
		{.class = BLOCKLIST_CLASS_GROUPS},
		{.class = BLOCKLIST_CLASSES - 1},
	};
	const int n = sizeof subjects / sizeof *subjects;
	open_table();
	node("a")->sends = true;
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(ask_as("a", DNS_A, subjects[i]), TASK_ASKED);
		ck_assert_int_eq(sent_n, i + 1);
		ck_assert_int_eq(sent_subject.class, subjects[i].class);
		ck_assert_int_eq(sent_subject.passthru, subjects[i].passthru);
		ck_assert_int_eq(sent_subject.own, subjects[i].own);
	}
	ck_assert_int_eq(ask_as("a", DNS_AAAA, subjects[0]), TASK_ASKED);
	ck_assert_int_eq(sent_n, n + 1);
	while (sent_n)
		answer(EVENT_REPLY);
	ck_assert_int_eq(ended, n + 1);
	close_table();
}
END_TEST

START_TEST(sub_questions_come_back)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"ns"}};
	*node("b") = (struct node){"b", .sub = {"ns"}};
	node("ns")->sends = true;
	ask("a");
	ask("b");
	ck_assert_int_eq(sent_n, 1); /* one look-up for both */
	ck_assert_int_eq(node("ns")->starts, 1);
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 2);
	ck_assert_int_eq(ended_rcode, DNS_NOERROR);
	/* Whose share it was gets the rest, the other one its own back. */
	ck_assert_int_eq(node("a")->last.left.sends, SHARE);
	ck_assert_int_eq(node("b")->last.left.sends, SHARE);
	close_table();
}
END_TEST

/* What can be answered at once ends while it is being asked. */
START_TEST(nothing_to_wait_for)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b", "c"}};
	*node("b") = (struct node){"b", .sub = {"c"}, .yields = true};
	ask("a");
	pass(1);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(node("a")->events, 2);
	close_table();
}
END_TEST

/* Who works long does so in slices, one at each tick: the loop has other things to do. */
START_TEST(who_yields_waits_for_a_tick)
{
	open_table();
	node("a")->yields = node("b")->yields = node("c")->yields = true;
	ask("a");
	ask("b");
	ask("c");
	ck_assert_int_eq(ended, 0);
	ck_assert_uint_eq(task_due_ms(table), START_MS + 1);
	for (int i = 0; i < 3; i++) {
		pass(0); /* not yet */
		ck_assert_int_eq(ended, i);
		task_now(table, task_due_ms(table), 1000);
		task_tick(table);
		ck_assert_int_eq(ended, i + 1);
	}
	ck_assert_uint_eq(task_due_ms(table), 0);
	close_table();
}
END_TEST

START_TEST(a_circle_is_refused)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b"}};
	*node("b") = (struct node){"b", .sub = {"c", "b"}};
	*node("c") = (struct node){"c", .sub = {"b"}};
	ask("a");
	ck_assert(!node("c")->last.reply->starved); /* a failure to remember: TsuNAME */
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	close_table();
}
END_TEST

START_TEST(a_refused_packet_is_told_at_once)
{
	open_table();
	node("a")->sends = true;
	send_result = SEND_FORBIDDEN;
	ask("a");
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(node("a")->last.kind, EVENT_TIMEOUT);
	ck_assert_int_eq(node("a")->last.why, SEND_FORBIDDEN);
	close_table();
}
END_TEST

/* Who waits may end first; what it waited for ends by itself. */
START_TEST(a_parent_ends_first)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b"}, .sends = true, .impatient = true};
	*node("c") = (struct node){"c", .sub = {"b"}};
	node("b")->sends = true;
	ask("a");
	ask("c");
	ck_assert_int_eq(sent_n, 2);
	answer(EVENT_REPLY); /* a's own */
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(task_count(table), 2);
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 2);
	ck_assert_int_eq(node("a")->events, 1);
	close_table();
}
END_TEST

/* b tells c, which ends a, which waits for b too: nobody may be told any more. */
START_TEST(a_parent_ends_while_its_sub_question_does)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b", "c"}, .impatient = true};
	*node("c") = (struct node){"c", .sub = {"b"}};
	node("b")->sends = true;
	ask("a");
	answer(EVENT_TIMEOUT);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(node("a")->events, 1);
	close_table();
}
END_TEST

START_TEST(a_parent_waits_twice_for_the_same)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b", "b"}, .impatient = true};
	node("b")->sends = true;
	ask("a");
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(node("a")->events, 1);
	close_table();
}
END_TEST

/* Joining makes chains as long as the table; their end must not cost stack. */
START_TEST(a_chain_of_all_tasks_ends)
{
	enum { LONG = TASK_CLIENTS_MAX - 1 };
	char name[24];
	open_table();
	for (int i = 0; i < LONG; i++) {
		snprintf(name, sizeof name, "n%d", i);
		struct node *n = node(name);
		n->sends = i == 0;
		n->sub[0] = i ? world[i - 1].name : NULL;
		ck_assert_int_eq(ask_as(name, 0, (struct policy_subject){.own = true}),
				 TASK_ASKED);
	}
	ck_assert_int_eq(task_count(table), LONG);
	answer(EVENT_TIMEOUT);
	ck_assert_int_eq(ended, LONG);
	close_table();
}
END_TEST

/* b was begun for somebody who came later, and has longer: a does not wait for that. */
START_TEST(a_client_waits_its_own_time_only)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b"}, .sends = true};
	*node("late") = (struct node){"late", .sub = {"b"}};
	node("b")->sends = true;
	node("other")->sends = true;
	ask("a");
	task_now(table, 1000 + BUDGET_MS / 2, 1000);
	ask("late");
	ask("other");
	answer(EVENT_TIMEOUT); /* a's own packet */
	ck_assert_int_eq(ended, 0);
	task_now(table, 1000 + BUDGET_MS + 1000, 1000);
	ask("other");
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	while (sent_n)
		answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 3);
	ck_assert_int_eq(node("a")->events, 1);
	close_table();
}
END_TEST

/* Sends two for each that is refused. */
START_TEST(work_without_end_is_ended)
{
	open_table();
	node("a")->sends = node("a")->doubles = true;
	send_result = SEND_UNREACHABLE;
	ask("a");
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	close_table();
}
END_TEST

/* Fills all slots with questions n0, n1 ... that wait, begun at time now_ms. */
static void fill(uint64_t now_ms)
{
	char name[24];
	task_now(table, now_ms, 1000);
	for (int i = 0; i < TASK_CLIENTS_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		node(name)->sends = true;
		ask(name);
	}
	ck_assert_int_eq(ended, 0);
	ck_assert_int_eq(sent_n, TASK_CLIENTS_MAX);
}

static void answer_all(void)
{
	while (sent_n)
		answer(EVENT_REPLY);
}

/* SECURITY.md row 31. */
START_TEST(a_full_table_sheds_the_oldest)
{
	open_table();
	fill(START_MS);
	node("new")->sends = node("newer")->sends = true;
	task_now(table, START_MS + TASK_JOSTLE_MS - 1, 1000);
	refused("new", STATS_DROP_OVERLOAD); /* all are young */
	ask("n1");			     /* joining needs no slot */
	ck_assert_int_eq(ended, 0);
	task_now(table, START_MS + TASK_JOSTLE_MS, 1000);
	ask("new");
	ck_assert_int_eq(ended, 1);
	ck_assert_str_eq(ended_name, "n0");
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	/* Row 32: a second asker has not made n1 younger. */
	ask("newer");
	ck_assert_int_eq(ended, 2);
	ck_assert_int_eq(waiters_ended, 3);
	ck_assert_str_eq(ended_name, "n1");
	ck_assert_int_eq(sent_n, TASK_CLIENTS_MAX); /* n0's and n1's are cancelled */
	ck_assert_uint_eq(stats.n[STATS_TASK_SHED], 2);
	answer_all();
	ck_assert_int_eq(ended, TASK_CLIENTS_MAX + 2);
	close_table();
}
END_TEST

/* Sub-questions have slots of their own; then they get those of what can be spared. */
START_TEST(sub_questions_find_room)
{
	enum { SUBS = TASK_MAX - TASK_CLIENTS_MAX };
	char name[24], sub[24];
	open_table();
	for (int i = 0; i < TASK_CLIENTS_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		snprintf(sub, sizeof sub, "s%d", i);
		node(name)->sends = true;
		if (i < SUBS) {
			node(name)->sub[0] = node(sub)->name;
			node(sub)->sends = true;
		}
		if (i == TASK_CLIENTS_MAX - 1)
			node(name)->sub[0] = "s-none";
		ask(name);
	}
	ck_assert_int_eq(task_count(table), TASK_MAX);
	/* No room tells nothing of the name: not to be remembered as its failure. */
	ck_assert_int_eq(node("s-none")->starts, 0);
	ck_assert_int_eq(node(name)->last.kind, EVENT_SUB_DONE);
	ck_assert(node(name)->last.reply->starved);
	*node("late") = (struct node){"late", .sub = {"s-late"}};
	node("s-late")->sends = true;
	node("other")->sends = true;
	refused("other", STATS_DROP_OVERLOAD);
	/* n0 goes for it, and s0, which nobody waits for then, for s-late. */
	task_now(table, START_MS + TASK_JOSTLE_MS, 1000);
	ask("late");
	ck_assert_int_eq(ended, 1);
	ck_assert_str_eq(ended_name, "n0");
	ck_assert_int_eq(task_count(table), TASK_MAX);
	ck_assert_int_eq(node("s-late")->starts, 1);
	answer_all();
	close_table();
}
END_TEST

/* Nothing is sent for it and nobody waits, though others wait for the same. */
START_TEST(without_rd_what_is_cached_is_all)
{
	open_table();
	node("far")->sends = true;
	node("cached");
	ask("far");
	int sends = sent_n;
	asked_flags = 0;
	ask("far");
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	ask("cached");
	asked_flags = DNS_RD;
	ck_assert_int_eq(ended, 2);
	ck_assert_int_eq(ended_rcode, DNS_NOERROR);
	ck_assert_int_eq(sent_n, sends);
	ck_assert_uint_eq(stats.n[STATS_DROP_OVERLOAD], 0);
	ck_assert_uint_eq(stats.n[STATS_DROP_CROWD], 0);
	ck_assert_uint_eq(task_count(table), 1);
	answer_all();
	close_table();
}
END_TEST

/* Row 23: nobody can have many answers waiting to come at once. */
START_TEST(one_client_waits_for_so_many)
{
	open_table();
	node("a")->sends = node("b")->sends = true;
	client = 1 << 8;
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < CROWD_CLIENT_MAX; i++)
			ask("a");
		refused("a", STATS_DROP_CROWD);
		refused("b", STATS_DROP_CROWD);
		client++;
		ask("a");
		client--;
		answer(EVENT_REPLY);
		ck_assert_int_eq(waiters_ended, round * (CROWD_CLIENT_MAX + 1));
	}
	for (int i = 0; i < CROWD_PREFIX_MAX; i++) {
		client = (1U << 8) + (uint32_t)i % 256;
		ask("a");
	}
	refused("a", STATS_DROP_CROWD);
	client += 256;
	ask("a");
	answer(EVENT_REPLY);
	client = 0;
	close_table();
}
END_TEST

START_TEST(waiters_are_bounded_and_come_back)
{
	open_table();
	node("a")->sends = node("b")->sends = true;
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < TASK_WAITERS_MAX; i++)
			ask("a");
		refused("a", STATS_DROP_OVERLOAD);
		answer(EVENT_REPLY);
		ck_assert_int_eq(waiters_ended, round * TASK_WAITERS_MAX);
	}
	/* All that wait for one old question make room for the next. */
	for (int i = 0; i < TASK_WAITERS_MAX; i++)
		ask("a");
	task_now(table, START_MS + TASK_JOSTLE_MS, 1000);
	ask("b");
	ck_assert_int_eq(waiters_ended, 3 * TASK_WAITERS_MAX);
	answer(EVENT_REPLY);
	close_table();
}
END_TEST

/* The arenas of all tasks have one limit; who takes much goes first. */
static void memory_stays_below(size_t limit)
{
	enum { MUCH = 10 * TASK_ARENA_BLOCK };
	char name[24];
	size_t most = 0;
	int shed = 0;
	open_table();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		*node(name) = (struct node){.sends = true, .eats = MUCH};
		snprintf(world[nodes - 1].name, sizeof name, "%s", name);
		ask(name);
		most = task_memory(table) > most ? task_memory(table) : most;
	}
	/* Each that came too late was larger than its share. */
	ck_assert_int_gt(ended, 500);
	ck_assert_int_eq(ended_rcode, DNS_SERVFAIL);
	ck_assert_uint_le(most, limit);
	ck_assert_uint_gt(most, limit - MUCH - TASK_ARENA_BLOCK);
	/* A small one makes an old one go. */
	task_now(table, START_MS + TASK_JOSTLE_MS, 1000);
	shed = ended;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "small%d", i);
		node(name)->sends = true;
		ask(name);
	}
	ck_assert_int_gt(ended, shed);
	ck_assert_str_eq(ended_name, "n1");
	ck_assert_uint_le(task_memory(table), limit);
	answer_all();
	close_table();
}

START_TEST(memory_is_bounded)
{
	memory_stays_below(TASK_MEMORY_MAX);
}
END_TEST

START_TEST(memory_is_bounded_by_a_small_cache_size)
{
	memory_max = 4 << 20;
	memory_stays_below(memory_max);
}
END_TEST

static void refresh(const char *name)
{
	struct question q = {.qtype = DNS_A, .refresh_s = 5};
	ck_assert_int_eq(name_from_str(q.qname, name), 0);
	task_refresh(table, &q);
}

/* For nobody; who comes meanwhile shares it. */
START_TEST(popular_names_are_renewed)
{
	char name[24];
	open_table();
	node("a")->sends = node("b")->sends = true;
	refresh("a");
	refresh("a");
	ck_assert_int_eq(sent_n, 1);
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(waiters_ended, 0);
	ask("b");
	refresh("b");
	ck_assert_int_eq(sent_n, 1);
	answer(EVENT_REPLY);
	refresh("a");
	ask("a");
	ck_assert_int_eq(sent_n, 1);
	answer(EVENT_REPLY);
	ck_assert_int_eq(waiters_ended, 2);
	/* So many in a second. */
	task_now(table, START_MS + 1000, 1000);
	for (int i = 0; i < TASK_REFRESH_MAX + 10; i++) {
		snprintf(name, sizeof name, "n%d", i);
		node(name)->sends = true;
		refresh(name);
	}
	ck_assert_int_eq(sent_n, TASK_REFRESH_MAX);
	task_now(table, START_MS + 2000, 1000);
	refresh("a");
	ck_assert_int_eq(sent_n, TASK_REFRESH_MAX + 1);
	answer_all();
	/* None while there is much to do. */
	ended = 0;
	fill(START_MS + 3000);
	refresh("a");
	ck_assert_int_eq(sent_n, TASK_CLIENTS_MAX);
	answer_all();
	close_table();
}
END_TEST

/* The worker ends: tasks go without a word to anybody. */
START_TEST(closing_cancels)
{
	open_table();
	*node("a") = (struct node){"a", .sub = {"b"}};
	node("b")->sends = true;
	ask("a");
	task_close(table);
	ck_assert_int_eq(sent_n, 0);
	ck_assert_int_eq(cancels, 2);
	ck_assert_int_eq(ended, 0);
}
END_TEST

static char notes[512];

static void write_note(void *arg, const struct note *n)
{
	static const char *const words[] = {
		[NOTE_ASKED] = "asked",		  [NOTE_JOINED] = "joined",
		[NOTE_NOT_ASKED] = "not-asked",	  [NOTE_SENT] = "sent",
		[NOTE_UNANSWERED] = "unanswered", [NOTE_DONE] = "done"};
	size_t at = strlen(notes);
	(void)arg;
	snprintf(notes + at, sizeof notes - at, "%s %u by %u id %u; ", words[n->kind],
		 n->task, n->by, n->id);
}

START_TEST(who_listens_is_told)
{
	const struct noter noter = {.note = write_note};
	open_noted(&noter);
	*node("a") = (struct node){"a", .sub = {"b", "c"}};
	*node("b") = (struct node){"b", .sub = {"c", "b"}};
	node("c")->sends = true;
	ask("a");
	answer(EVENT_TIMEOUT);
	ck_assert_str_eq(notes, "asked 1 by 0 id 0; asked 2 by 1 id 0; "
				"asked 3 by 1 id 0; joined 3 by 2 id 0; "
				"not-asked 2 by 2 id 0; sent 3 by 0 id 1; "
				"unanswered 3 by 0 id 1; done 3 by 0 id 0; "
				"done 2 by 0 id 0; done 1 by 0 id 0; ");
	close_table();
}
END_TEST

static void open_stale(uint32_t client_timeout_ms)
{
	settings.serve_stale.enabled = true;
	settings.serve_stale.client_timeout_ms = client_timeout_ms;
	open_table();
}

START_TEST(who_waits_too_long_is_told_what_was_known)
{
	open_stale(1800);
	node("a")->sends = node("a")->known = true;
	ck_assert_uint_eq(task_due_ms(table), 0);
	ask("a");
	ask("a");
	ck_assert_uint_eq(task_due_ms(table), START_MS + 1800);
	pass(1799);
	ck_assert_int_eq(waiters_ended, 0);
	pass(1800);
	ck_assert_int_eq(waiters_ended, 2);
	ck_assert_int_eq(ended_rcode, DNS_NOERROR);
	ck_assert_uint_eq(task_due_ms(table), 0);
	/* The task goes on, and who joins it waits no more. */
	ck_assert_int_eq(sent_n, 1);
	pass(2000);
	ask("a");
	ck_assert_int_eq(waiters_ended, 3);
	ck_assert_int_eq(task_count(table), 1);
	ck_assert_int_eq(ended, 2);
	answer(EVENT_REPLY);
	ck_assert_int_eq(ended, 2); /* nobody is left to be told */
	ck_assert_int_eq(node("a")->lates, 2);
	close_table();
}
END_TEST

START_TEST(who_has_nothing_to_be_told_waits_on)
{
	open_stale(1800);
	node("a")->sends = true;
	ask("a");
	pass(1800);
	ck_assert_int_eq(node("a")->lates, 1);
	ck_assert_int_eq(waiters_ended, 0);
	answer(EVENT_REPLY);
	ck_assert_int_eq(waiters_ended, 1);
	close_table();
}
END_TEST

START_TEST(no_patience_is_told_at_once)
{
	open_stale(0);
	node("a")->sends = node("a")->known = true;
	ask("a");
	ck_assert_int_eq(waiters_ended, 1);
	ck_assert_int_eq(sent_n, 1);
	answer(EVENT_REPLY);
	/* What is answered without waiting is answered as it is. */
	node("b")->known = true;
	ask("b");
	ck_assert_int_eq(node("b")->lates, 0);
	ck_assert_int_eq(waiters_ended, 2);
	close_table();
}
END_TEST

/* Each task has its own time, also when the first ends early. */
START_TEST(patience_ends_in_the_order_of_questions)
{
	open_stale(1800);
	static const char *const names[] = {"a", "b", "c"};
	for (int i = 0; i < 3; i++) {
		task_now(table, START_MS + (uint64_t)i * 100, 1000);
		node(names[i])->sends = node(names[i])->known = true;
		ask(names[i]);
	}
	answer(EVENT_REPLY);
	ck_assert_uint_eq(task_due_ms(table), START_MS + 1900);
	pass(1950);
	ck_assert_int_eq(node("a")->lates, 0);
	ck_assert_int_eq(node("b")->lates, 1);
	ck_assert_int_eq(node("c")->lates, 0);
	pass(2000);
	ck_assert_int_eq(node("c")->lates, 1);
	answer(EVENT_REPLY);
	answer(EVENT_REPLY);
	close_table();
}
END_TEST

START_TEST(nobody_is_told_of_what_nobody_waits_for)
{
	struct question q = {.qtype = DNS_A, .refresh_s = 1};
	open_stale(1800);
	node("a")->sends = node("a")->known = true;
	ck_assert_int_eq(name_from_str(q.qname, "a"), 0);
	task_refresh(table, &q);
	pass(1800);
	ck_assert_int_eq(node("a")->lates, 0);
	ask("a");
	ck_assert_int_eq(node("a")->lates, 1);
	ck_assert_int_eq(waiters_ended, 1);
	answer(EVENT_REPLY);
	close_table();
}
END_TEST

/* The oldest question, which still has work to do, gives way to a newer one. */
static void shed_oldest(bool is_known, uint16_t rcode)
{
	char name[24];
	open_stale(1800);
	ended = 0;
	node("old")->sends = node("old")->busy = true;
	node("old")->known = is_known;
	ask("old");
	for (int i = 1; i < TASK_CLIENTS_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		node(name)->sends = true;
		ask(name);
	}
	task_now(table, START_MS + TASK_JOSTLE_MS, 1000);
	node("new")->sends = true;
	ask("new");
	ck_assert_int_eq(ended, 1);
	ck_assert_str_eq(ended_name, "old");
	ck_assert_int_eq(ended_rcode, rcode);
	while (sent_n)
		answer(EVENT_REPLY);
	close_table();
}

/* Ended for newer questions, but not without a word. */
START_TEST(the_oldest_goes_with_what_was_known)
{
	shed_oldest(true, DNS_NOERROR);
	shed_oldest(false, DNS_SERVFAIL);
}
END_TEST

UNIT_SUITE("task", who_asks_the_same_shares_one_task, classes_are_not_joined,
	   sub_questions_come_back, nothing_to_wait_for, who_yields_waits_for_a_tick,
	   a_circle_is_refused, a_refused_packet_is_told_at_once, a_parent_ends_first,
	   a_parent_ends_while_its_sub_question_does, a_parent_waits_twice_for_the_same,
	   a_chain_of_all_tasks_ends, a_client_waits_its_own_time_only,
	   work_without_end_is_ended, a_full_table_sheds_the_oldest,
	   sub_questions_find_room, without_rd_what_is_cached_is_all,
	   one_client_waits_for_so_many, memory_is_bounded,
	   memory_is_bounded_by_a_small_cache_size, popular_names_are_renewed,
	   waiters_are_bounded_and_come_back, closing_cancels, who_listens_is_told,
	   who_waits_too_long_is_told_what_was_known, who_has_nothing_to_be_told_waits_on,
	   no_patience_is_told_at_once, patience_ends_in_the_order_of_questions,
	   nobody_is_told_of_what_nobody_waits_for, the_oldest_goes_with_what_was_known)
