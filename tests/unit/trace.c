/* Below the tasks is a fake upstream: what is sent stands in a list, the test answers. */
#include "resolver/trace.h"

#include "resolver/control.h"
#include "resolver/trace_steps.h"
#include "resolver/upstream.h"
#include "tests/unit/opt_out.h"
#include "tests/unit/unit.h"

enum { SENDS_MAX = 64, MESSAGE_MAX = 512, CACHE = 1 << 20, HEX_HEADER = 24 };

static struct upstream_hooks hooks;
static struct {
	void *owner;
	uint32_t id;
	size_t len;
	uint8_t bytes[MESSAGE_MAX];
} sent[SENDS_MAX];
static int sent_n, all_sent;

static uv_loop_t loop;
static struct shared shared;
static struct trace *trace;
static json_t *finished; /* by the hook */

/* ---- the fake upstream ---- */

int upstream_open(struct upstream **out, uv_loop_t *l, const struct upstream_conf *conf,
		  const struct upstream_hooks *h)
{
	(void)l, (void)conf;
	hooks = *h;
	*out = (struct upstream *)(void *)&hooks; /* never looked at */
	return ERR_OK;
}

int upstream_send(struct upstream *u, void *owner, uint32_t id,
		  const struct policy_subject *subject, const struct step_send *send)
{
	(void)u, (void)subject;
	ck_assert_int_lt(sent_n, SENDS_MAX);
	sent[sent_n].owner = owner;
	sent[sent_n].id = id;
	sent[sent_n].len = send->len;
	memcpy(sent[sent_n++].bytes, send->bytes, send->len);
	all_sent++;
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
	for (int i = 0; i < sent_n; i++)
		if (sent[i].owner == owner)
			sent[i--] = sent[--sent_n];
}

void upstream_set_conf(struct upstream *u, const struct conf *c)
{
	(void)u, (void)c;
}

void upstream_shutdown(struct upstream *u)
{
	(void)u;
}

void upstream_free(struct upstream *u)
{
	(void)u;
}

/* Everything under way gets an authoritative answer without records. */
static void answer_all(unsigned rcode)
{
	for (int left = SENDS_MAX; sent_n && left; left--) {
		uint8_t bytes[MESSAGE_MAX];
		size_t len = sent[0].len;
		memcpy(bytes, sent[0].bytes, len);
		wire_set16(bytes + 2, DNS_QR | DNS_AA | rcode);
		const struct event ev = {.kind = EVENT_REPLY,
					 .id = sent[0].id,
					 .bytes = bytes,
					 .len = len};
		hooks.begin(hooks.arg);
		hooks.event(hooks.arg, sent[0].owner, &ev);
		hooks.end(hooks.arg);
	}
	ck_assert_int_eq(sent_n, 0);
}

/* ---- around a test ---- */

static void done(void *arg, json_t *answer)
{
	(void)arg;
	ck_assert_ptr_null(finished);
	finished = answer;
}

static void list(const char *name, int action)
{
	struct blocklist_item item = {.kind = RULE_SUBTREE, .action = (uint8_t)action};
	ck_assert_int_eq(name_from_str(item.key.name, name), 0);
	ck_assert_int_eq(blocklist_add(shared.blocklist, "lab", &item), 0);
}

static void open_trace(void)
{
	static const char text[] = "allow: [127.0.0.0/8]\nworkers: 1\nuser: \"\"\n"
				   "sinkhole: {ipv4: 192.0.2.1}\n";
	const struct rrset_cache_conf cache = {CACHE, 0, 86400, 0};
	const struct trace_hooks h = {.done = done};
	struct conf_error error;
	struct conf *conf;
	const char *why = "";
	ck_assert_msg(!conf_parse(&conf, text, sizeof text - 1, "test", &error), "%s",
		      error.text);
	shared.conf = conf;
	ck_assert_msg(!blocklist_open(&shared.blocklist, unit_path("store"),
				      BLOCKLIST_WRITE, &why),
		      "%s", why);
	ck_assert_int_eq(rrset_cache_open(&shared.cache, &cache), 0);
	ck_assert_int_eq(server_table_open(&shared.servers), 0);
	root_hints_builtin(&shared.hints);
	uv_loop_init(&loop);
	ck_assert_int_eq(trace_open(&trace, &loop, &shared, &h), 0);
}

static void close_trace(void)
{
	trace_shutdown(trace);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	trace_close(trace);
	rrset_cache_close(shared.cache);
	server_table_close(shared.servers);
	blocklist_close(shared.blocklist);
}

/* What trace_start() said; *answer is there when it is no error. */
static int start(json_t **answer, const char *name, int type, const char *client)
{
	char error[CONTROL_ERROR_MAX] = "";
	json_t *request = json_pack("{s:s, s:i, s:s*}", "name", name, "type", type,
				    "client", client);
	*answer = json_object();
	int result = trace_start(trace, request, *answer, error);
	ck_assert_msg(result >= 0 ? !*error : !strstr(error, "secret"), "%s", error);
	json_decref(request);
	return result;
}

/* "step" or "step:verdict" of all steps, in order. */
static const char *words(const json_t *answer)
{
	static char out[1024];
	size_t i, n = 0;
	json_t *step;
	out[0] = 0;
	json_array_foreach(json_object_get(answer, "steps"), i, step)
	{
		const char *v = json_string_value(json_object_get(step, "verdict"));
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s%s%s", i ? "," : "",
				      json_string_value(json_object_get(step, "step")),
				      v ? ":" : "", v ? v : "");
	}
	return out;
}

/* RCODE of the message, -1 without one. */
static int rcode(const json_t *answer)
{
	const char *hex = json_string_value(json_object_get(answer, "message"));
	if (!hex)
		return -1;
	ck_assert_uint_ge(strlen(hex), HEX_HEADER);
	return hex[7] - '0'; /* below ten in these tests */
}

/* ---- tests ---- */

START_TEST(what_needs_no_look_up)
{
	static const struct {
		const char *name;
		int type;
		const char *client, *words, *outcome;
		int rcode;
	} t[] = {
		{"localhost", DNS_A, NULL, "local zone", "answer", DNS_NOERROR},
		{"a.listed.test", DNS_A, NULL, "local zone,policy:act", "answer",
		 DNS_NOERROR},
		{"a.listed.example", DNS_A, NULL, "policy:act", "answer", DNS_NOERROR},
		{"gone.example", DNS_A, NULL, "policy:act", "answer", DNS_NXDOMAIN},
		{"drop.example", DNS_A, NULL, "policy:act", "dropped", -1},
		{"a.listed.example", DNS_A, "127.0.0.1", "client,policy:act", "answer",
		 DNS_NOERROR},
		{"a.listed.example", DNS_A, "192.0.2.9", "client", "answer", DNS_REFUSED},
		{"drop.example", DNS_ANY, NULL, "policy:act", "dropped", -1},
	};
	open_trace();
	list("listed.example", RULE_ADDRESS);
	list("listed.test", RULE_ADDRESS);
	list("gone.example", RULE_NXDOMAIN);
	list("drop.example", RULE_DROP);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		json_t *a;
		ck_assert_int_eq(start(&a, t[i].name, t[i].type, t[i].client), ERR_OK);
		ck_assert_str_eq(words(a), t[i].words);
		ck_assert_str_eq(json_string_value(json_object_get(a, "outcome")),
				 t[i].outcome);
		ck_assert_int_eq(rcode(a), t[i].rcode);
		ck_assert_int_eq(json_integer_value(json_object_get(a, "sends")), 0);
		json_decref(a);
	}
	ck_assert_int_eq(all_sent, 0);
	close_trace();
}
END_TEST

START_TEST(a_look_up)
{
	json_t *a, *other;
	open_trace();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(start(&a, "nothing", DNS_A, NULL), CONTROL_LATER);
		json_decref(a); /* as control.c does */
		/* One at a time. */
		ck_assert_int_eq(start(&other, "nothing", DNS_A, NULL), ERR_BUSY);
		json_decref(other);
		ck_assert_int_eq(sent_n, 2); /* and the root's own servers */
		answer_all(DNS_NXDOMAIN);
		ck_assert_ptr_nonnull(finished);
		ck_assert_str_eq(words(finished),
				 "question,policy:pass,zone,question,send,policy:pass,"
				 "zone,send,reply,done");
		ck_assert_int_eq(rcode(finished), DNS_NXDOMAIN);
		ck_assert_int_eq(json_integer_value(json_object_get(finished, "sends")),
				 2);
		json_decref(finished);
		finished = NULL;
	}
	close_trace();
}
END_TEST

/* Who opted out is asked for as every such client is. */
START_TEST(an_opted_out_client)
{
	struct prefix p;
	json_t *a;
	open_trace();
	list("listed", RULE_ADDRESS);
	ck_assert_int_eq(prefix_from_text(&p, "127.0.0.7", 9), 0);
	ck_assert_int_eq(unit_opt_out(shared.blocklist, &p), 0);
	ck_assert_int_eq(start(&a, "listed", DNS_A, "127.0.0.8"), ERR_OK);
	ck_assert_str_eq(words(a), "client,policy:act");
	json_decref(a);
	ck_assert_int_eq(all_sent, 0);
	ck_assert_int_eq(start(&a, "listed", DNS_A, "127.0.0.7"), CONTROL_LATER);
	json_decref(a);
	answer_all(DNS_NXDOMAIN);
	ck_assert_int_eq(rcode(finished), DNS_NXDOMAIN);
	json_decref(finished);
	close_trace();
}
END_TEST

/* No server may be asked: which rule it was is told for each. */
START_TEST(listed_servers)
{
	json_t *a;
	open_trace();
	list("root-servers.net", RULE_ADDRESS);
	ck_assert_int_eq(start(&a, "clean", DNS_A, NULL), ERR_OK);
	ck_assert_int_eq(all_sent, 0);
	ck_assert_ptr_nonnull(strstr(words(a), "policy:act"));
	ck_assert_ptr_nonnull(strstr(words(a), "done:act"));
	ck_assert_int_eq(rcode(a), DNS_NOERROR);
	json_decref(a);
	close_trace();
}
END_TEST

START_TEST(the_end_ends_it)
{
	json_t *a;
	open_trace();
	ck_assert_int_eq(start(&a, "nothing", DNS_A, NULL), CONTROL_LATER);
	json_decref(a);
	close_trace();
	ck_assert_int_eq(sent_n, 0);
	ck_assert_str_eq(json_string_value(json_object_get(finished, "outcome")),
			 "sinkholed is stopping");
	json_decref(finished);
}
END_TEST

START_TEST(bad_requests)
{
	static const char *const t[] = {
		"{}",
		"{\"name\": \"secret..example\"}",
		"{\"name\": 7}",
		"{\"name\": \"secret.example\", \"type\": 0}",
		"{\"name\": \"secret.example\", \"type\": 252}",
		"{\"name\": \"secret.example\", \"type\": 65537}",
		"{\"name\": \"secret.example\", \"type\": \"A\"}",
		"{\"name\": \"secret.example\", \"client\": \"secret\"}",
	};
	open_trace();
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char error[CONTROL_ERROR_MAX] = "";
		json_t *request = json_loads(t[i], 0, NULL), *answer = json_object();
		ck_assert_int_eq(trace_start(trace, request, answer, error), ERR_FORMAT);
		ck_assert_msg(*error && !strstr(error, "secret"), "%s: %s", t[i], error);
		json_decref(request);
		json_decref(answer);
	}
	close_trace();
}
END_TEST

START_TEST(steps_are_bounded)
{
	enum { MANY = 20000 };
	struct trace_steps s;
	const struct verdict pass = {0};
	const struct note n = {.kind = NOTE_NAME,
			       .task = 7,
			       .name = (const uint8_t *)"",
			       .verdict = &pass};
	ck_assert_int_eq(trace_steps_init(&s, NULL), 0);
	for (int i = 0; i < MANY; i++)
		trace_steps_note(&s, &n);
	ck_assert_uint_eq(json_array_size(s.list) + s.left_out, MANY);
	ck_assert_uint_gt(s.left_out, 0);
	ck_assert_uint_le(json_dumpb(s.list, NULL, 0, JSON_COMPACT),
			  TRACE_STEPS_BYTES + 2);
	trace_steps_fini(&s);
}
END_TEST

UNIT_SUITE("trace", what_needs_no_look_up, a_look_up, an_opted_out_client, listed_servers,
	   the_end_ends_it, bad_requests, steps_are_bounded)
