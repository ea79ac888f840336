#include "resolver/trace.h"

#include <time.h>

#include "include/hex.h"
#include "resolver/cause.h"
#include "resolver/client.h"
#include "resolver/control.h"
#include "resolver/iter.h"
#include "resolver/random.h"
#include "resolver/task.h"
#include "resolver/trace_steps.h"

enum { QUESTION_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_OPT_LEN };

struct trace {
	struct shared *shared;
	uv_loop_t *loop;
	struct trace_hooks hooks;
	uv_timer_t timer, tick; /* tick: for the tasks */
	struct policy policy;
	struct stats stats;
	struct random_source random;
	struct upstream *upstream; /* NULL before the first trace */
	struct noter noter;
	/* The one under way: there is one while tasks is not NULL. */
	struct task_table *tasks;
	struct trace_steps steps;
	json_t *answer; /* NULL while trace_start() is at it */
	struct query query;
	struct asker from;
	uint64_t started_ns;
	const char *outcome; /* NULL = not yet */
	size_t message_len;
	uint8_t question[QUESTION_MAX]; /* that query points into */
	uint8_t message[DNS_MESSAGE_MAX], body[DNS_MESSAGE_MAX];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
};

static uint64_t elapsed_us(const struct trace *t)
{
	return (uv_hrtime() - t->started_ns) / 1000;
}

/* ---- the batch edge, as worker.c has it ---- */

static void begin(void *arg)
{
	struct trace *t = arg;
	struct timespec wall, steady;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	t->policy.now_s = (uint32_t)wall.tv_sec;
	if (t->tasks)
		task_now(t->tasks,
			 (uint64_t)steady.tv_sec * 1000 +
				 (uint64_t)steady.tv_nsec / 1000000,
			 t->policy.now_s);
	/* Without a snapshot every look-up fails: nothing is sent, and SERVFAIL said. */
	t->policy.stamp = (struct blocklist_stamp){0};
	if (!blocklist_view_renew(t->policy.view))
		t->policy.stamp = blocklist_view_stamp(t->policy.view);
}

static void on_tick(uv_timer_t *tick);

static void end(void *arg)
{
	struct trace *t = arg;
	uint64_t due_ms = t->tasks ? task_due_ms(t->tasks) : 0, now_ms = uv_now(t->loop);
	blocklist_view_reset(t->policy.view);
	if (due_ms)
		uv_timer_start(&t->tick, on_tick, due_ms > now_ms ? due_ms - now_ms : 0,
			       0);
}

static void take_note(void *arg, const struct note *n)
{
	struct trace *t = arg;
	t->steps.now_us = elapsed_us(t);
	trace_steps_note(&t->steps, n);
}

/* ---- what the client would get ---- */

static void answered(struct trace *t, size_t len)
{
	t->message_len = len;
	t->outcome = "answer";
}

static void say_error(struct trace *t, unsigned rcode, int ede, const char *text)
{
	answered(t, answer_error(t->message, sizeof t->message, &t->query, rcode, ede,
				 text));
}

static void say_verdict(struct trace *t, const struct verdict *v,
			const struct reply *chain)
{
	char text[ANSWER_EDE_TEXT_MAX];
	struct answer_body body;
	struct cause why;
	struct answer_policy how = {.verdict = v,
				    .action = v->action,
				    .conf = t->shared->conf,
				    .chain = chain};
	if (v->action == RULE_DROP) {
		t->outcome = "dropped";
		return;
	}
	cause_find(&why, &t->policy, v);
	cause_tell(&how, text, &why, &t->policy);
	answer_verdict(&body, t->body, sizeof t->body, &t->query, &how);
	answered(t, answer_finish(t->message, sizeof t->message, &t->query, &body, 0));
}

static void on_done(void *arg, const struct question *q, const struct waiter *list,
		    const struct reply *reply)
{
	struct trace *t = arg;
	struct answer_body body;
	(void)list;
	if (reply_is_hidden(reply, t->query.flags))
		say_error(t, DNS_SERVFAIL, reply->ede, reply->ede_text);
	else if (reply->verdict.kind == VERDICT_ACT)
		say_verdict(t, &reply->verdict, reply);
	else if (answer_body(&body, t->body, sizeof t->body, t->ttl_at, q->qname,
			     q->qtype, reply, answer_form(&t->query, true)))
		say_error(t, DNS_SERVFAIL, DNS_EDE_INVALID_DATA,
			  "the answer is longer than a message can be");
	else
		answered(t, answer_finish(t->message, sizeof t->message, &t->query, &body,
					  0));
}

/* ---- the end ---- */

static json_t *hex(const uint8_t *bytes, size_t n)
{
	char text[2 * DNS_MESSAGE_MAX + 1];
	return json_string(hex_put(text, bytes, n));
}

/* Over UDP that answer would not be sent any more. */
static bool is_late(const struct trace *t, uint64_t us)
{
	uint32_t max = t->shared->conf->answers.max_wait_ms;
	return max && us / 1000 > max;
}

/* What the question leaves under way, such as the root's own servers, goes with it:
 * the next trace is to begin with nothing of its own. */
static void conclude(struct trace *t, json_t *answer)
{
	char name[DNS_NAME_TEXT_MAX];
	uint64_t us = elapsed_us(t);
	task_close(t->tasks);
	t->tasks = NULL;
	json_object_set_new(answer, "name",
			    json_string(name_to_text(name, t->query.qname)));
	json_object_set_new(answer, "type", json_integer(t->query.qtype));
	json_object_set(answer, "steps", t->steps.list);
	json_object_set_new(answer, "left_out", json_integer(t->steps.left_out));
	json_object_set_new(answer, "sends", json_integer(t->steps.sends));
	json_object_set_new(answer, "us", json_integer((json_int_t)us));
	json_object_set_new(answer, "late", json_boolean(is_late(t, us)));
	json_object_set_new(answer, "outcome", json_string(t->outcome));
	if (t->message_len)
		json_object_set_new(answer, "message", hex(t->message, t->message_len));
	trace_steps_fini(&t->steps);
}

static void conclude_later(struct trace *t)
{
	json_t *answer = t->answer;
	t->answer = NULL;
	uv_timer_stop(&t->timer);
	uv_timer_stop(&t->tick);
	conclude(t, answer);
	t->hooks.done(t->hooks.arg, answer);
}

static void on_timeout(uv_timer_t *timer)
{
	struct trace *t = timer->data;
	t->outcome = "time is up";
	conclude_later(t);
}

static void on_event(void *arg, void *owner, const struct event *ev)
{
	struct trace *t = arg;
	task_event(t->tasks, owner, ev);
	if (t->outcome)
		conclude_later(t);
}

static void on_tick(uv_timer_t *tick)
{
	struct trace *t = tick->data;
	begin(t);
	task_tick(t->tasks);
	if (t->outcome)
		conclude_later(t);
	end(t);
}

/* ---- the beginning ---- */

static int open_upstream(struct trace *t)
{
	const struct upstream_conf conf = {
		.conf = t->shared->conf,
		.policy = &t->policy,
		.stats = &t->stats,
		.random = random_bytes,
		.random_arg = &t->random,
		.udp_max = TRACE_SOCKETS,
	};
	const struct upstream_hooks hooks = {t, begin, on_event, end};
	if (!t->upstream)
		return upstream_open(&t->upstream, t->loop, &conf, &hooks);
	upstream_set_conf(t->upstream, conf.conf);
	return ERR_OK;
}

static int open_tasks(struct trace *t)
{
	const struct task_conf conf = {
		.env = {.policy = &t->policy,
			.cache = t->shared->cache,
			.denial = t->shared->denial,
			.servers = t->shared->servers,
			.hints = &t->shared->hints,
			.anchors = atomic_load(&t->shared->anchors),
			.anchor_mail = &t->shared->mail,
			.conf = t->shared->conf,
			.prime = true,
			.random = random_bytes,
			.random_arg = &t->random,
			.noter = &t->noter},
		.stats = &t->stats,
		.waiters_max = TRACE_WAITERS,
	};
	const struct task_hooks hooks = {.arg = t, .done = on_done};
	int err = open_upstream(t);
	if (!err)
		err = task_open(&t->tasks, &conf, &hooks);
	if (!err)
		task_set_upstream(t->tasks, t->upstream);
	return err;
}

/* The stages of serve.c without its answer cache, which each worker has for itself. */
static void ask(struct trace *t, uint8_t class)
{
	const struct query *q = &t->query;
	struct policy_subject subject = {.class = class, .client = t->from.client};
	struct verdict v, monitor = {0};
	struct local_answer local;
	enum local_kind kind = iter_local(&local, t->shared->conf, q->qname, q->qtype);
	const struct waiter *waiter;
	if (policy_name(&v, &monitor, &t->policy, &subject, q->qname)) {
		say_error(t, DNS_SERVFAIL, DNS_EDE_NOT_READY,
			  "the blocklist cannot be read");
		return;
	}
	bool overridden = kind != LOCAL_NONE && cause_overrides(&v, &local);
	if (kind != LOCAL_NONE)
		trace_steps_local(&t->steps, kind, &local, overridden);
	if (kind != LOCAL_NONE && !overridden) {
		answered(t, answer_local(t->message, sizeof t->message, q, kind, &local));
		return;
	}
	if (monitor.kind == VERDICT_ACT)
		trace_steps_policy(&t->steps, q->qname, &monitor);
	policy_settle(&subject, &v);
	bool garden = v.kind == VERDICT_ACT && v.action == RULE_CNAME;
	if (v.kind == VERDICT_ACT && !garden) {
		trace_steps_policy(&t->steps, q->qname, &v);
		say_verdict(t, &v, NULL);
	} else if (task_ask(t->tasks, q, &subject, &t->from, &waiter) == TASK_FULL) {
		say_error(t, DNS_SERVFAIL, DNS_EDE_OTHER, "no memory");
	}
}

static void ask_for_client(struct trace *t)
{
	uint8_t class = POLICY_ALL;
	if (t->from.client.family) {
		bool allowed = client_allowed(t->shared->conf, &t->from.client);
		if (client_class(&class, t->policy.view, &t->from.client)) {
			say_error(t, DNS_SERVFAIL, DNS_EDE_NOT_READY,
				  "the blocklist cannot be read");
			return;
		}
		char text[CLIENT_TEXT_MAX];
		client_text(text, t->policy.view, &t->from.client);
		trace_steps_client(&t->steps, &t->from.client, allowed, text);
		if (!allowed) {
			say_error(t, DNS_REFUSED, DNS_EDE_PROHIBITED, NULL);
			return;
		}
	}
	ask(t, class);
}

/* As a client would write it: what no client may ask, a person may not trace. */
static bool read_question(struct trace *t, const uint8_t *name, uint16_t type)
{
	static const uint16_t counts[4] = {1, 0, 0, 1};
	struct wire_writer w = wire_writer(t->question, sizeof t->question);
	wire_put_header(&w, 0, DNS_RD, counts);
	wire_put_name(&w, name);
	wire_put16(&w, type);
	wire_put16(&w, DNS_IN);
	wire_put8(&w, 0);
	wire_put16(&w, DNS_OPT);
	wire_put16(&w, DNS_UDP_MAX);
	wire_put32(&w, 0);
	wire_put16(&w, 0);
	return query_read(&t->query, t->question, wire_written(&w)) == QUERY_OK;
}

static int refuse(char error[CONTROL_ERROR_MAX], const char *why)
{
	snprintf(error, CONTROL_ERROR_MAX, "%s", why);
	return ERR_FORMAT;
}

/* "name", "type", "client". Nothing of them goes into the error. */
static int read_request(struct trace *t, const json_t *request,
			char error[CONTROL_ERROR_MAX])
{
	uint8_t name[DNS_NAME_MAX];
	const char *text = json_string_value(json_object_get(request, "name"));
	const char *client = json_string_value(json_object_get(request, "client"));
	const json_t *number = json_object_get(request, "type");
	json_int_t type = number ? json_integer_value(number) : DNS_A;
	t->from = (struct asker){.transport = HIT_UDP};
	if (!text || name_from_str(name, text))
		return refuse(error, "name: not a domain name");
	if (client && addr_from_text(&t->from.client, client, strlen(client)))
		return refuse(error, "client: not an address");
	if (type < 1 || type > 65535 || !read_question(t, name, (uint16_t)type))
		return refuse(error, "type: not one that can be asked for");
	return ERR_OK;
}

int trace_start(struct trace *t, const json_t *request, json_t *answer,
		char error[CONTROL_ERROR_MAX])
{
	if (t->tasks) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "another trace is running; try again in a few seconds");
		return ERR_BUSY;
	}
	int err = read_request(t, request, error);
	if (!err)
		err = trace_steps_init(&t->steps, &t->policy);
	if (err)
		return err;
	err = open_tasks(t);
	if (err) {
		trace_steps_fini(&t->steps);
		return err;
	}
	t->policy.default_action = t->shared->conf->sinkhole.action;
	t->outcome = NULL;
	t->message_len = 0;
	t->started_ns = uv_hrtime();
	begin(t);
	ask_for_client(t);
	if (t->outcome)
		conclude(t, answer);
	end(t);
	if (t->outcome)
		return ERR_OK;
	t->answer = json_incref(answer);
	uv_timer_start(&t->timer, on_timeout, TRACE_MAX_MS, 0);
	return CONTROL_LATER;
}

/* ---- life ---- */

int trace_open(struct trace **out, uv_loop_t *loop, struct shared *shared,
	       const struct trace_hooks *hooks)
{
	struct trace *t = aligned_alloc(_Alignof(struct trace), sizeof *t);
	*out = NULL;
	if (!t)
		return ERR_NOMEM;
	memset(t, 0, sizeof *t);
	t->shared = shared;
	t->loop = loop;
	t->hooks = *hooks;
	t->noter = (struct noter){t, take_note};
	int err = blocklist_view_open(&t->policy.view, shared->blocklist);
	if (err) {
		free(t);
		return err;
	}
	uv_timer_init(loop, &t->timer);
	uv_timer_init(loop, &t->tick);
	t->timer.data = t->tick.data = t;
	*out = t;
	return ERR_OK;
}

void trace_shutdown(struct trace *t)
{
	if (!t)
		return;
	if (t->tasks) {
		t->outcome = "sinkholed is stopping";
		conclude_later(t);
	}
	uv_close((uv_handle_t *)&t->timer, NULL);
	uv_close((uv_handle_t *)&t->tick, NULL);
	upstream_shutdown(t->upstream);
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	upstream_free(t->upstream);
	blocklist_view_close(t->policy.view);
	free(t);
}

bool trace_running(const struct trace *t)
{
	return t->tasks != NULL;
}

const struct stats *trace_stats(const struct trace *t)
{
	return &t->stats;
}
