/* What the scenarios do not show: the shape of what is sent, events that come at the
 * wrong time, memory and store that fail, budgets. */
#include "resolver/resolve.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "tests/unit/unit.h"
#include "zones/root.h"

static struct resolve_env env;
static struct conf conf;
static struct policy policy;
static struct root_hints hints;
static struct arena arena;
static struct steps steps;
static uint8_t random_byte;

static void counting_bytes(void *arg, void *out, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = random_byte += 37;
}

static void open_world(void)
{
	const struct rrset_cache_conf cache = {1 << 20, 0, 86400, 0};
	env = (struct resolve_env){.now_ms = 1000,
				   .now_s = 1000000,
				   .policy = &policy,
				   .hints = &hints,
				   .conf = &conf,
				   .random = counting_bytes};
	conf.recursion.port = 53;
	conf.recursion.ipv4 = true;
	conf.recursion.case_randomisation = false;
	hints.server_n = 1;
	ck_assert_int_eq(name_from_str(hints.server[0].name, "a.root.test"), 0);
	hints.server[0].addr_n = 1;
	hints.server[0].addr[0] = addr_v4((const uint8_t[4]){192, 0, 2, 1}, 0);
	ck_assert_int_eq(rrset_cache_open(&env.cache, &cache), 0);
	ck_assert_int_eq(server_table_open(&env.servers), 0);
}

static void close_world(void)
{
	rrset_cache_close(env.cache);
	server_table_close(env.servers);
	arena_fini(&arena);
}

/* Opted out: no view is needed. */
static struct resolve *ask(const char *name, size_t room)
{
	struct question q = {.qtype = DNS_A, .subject.class = POLICY_NONE};
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, env.now_ms + BUDGET_MS,
			   BUDGET_DEPTH};
	ck_assert_int_eq(name_from_str(q.qname, name), 0);
	arena_init(&arena, 1024, room);
	return resolve_open(&arena, &q, &b);
}

static void start(struct resolve *r)
{
	resolve_step(r, &steps, &(struct event){.kind = EVENT_START}, &env);
}

/* A referral of test. to servers in zone, without glue. */
static size_t referral(uint8_t *msg, const struct step_send *s, int servers,
		       const char *zone)
{
	struct wire_writer w = wire_writer(msg, 1024);
	const uint16_t counts[4] = {1, 0, (uint16_t)servers, 0};
	uint8_t name[DNS_NAME_MAX];
	wire_put_header(&w, wire_get16(s->bytes), DNS_QR, counts);
	wire_put(&w, s->bytes + DNS_HEADER_LEN, name_len(s->qname) + 4U);
	for (int i = 0; i < servers; i++) {
		char text[64];
		snprintf(text, sizeof text, "ns%d.%s", i, zone);
		ck_assert_int_eq(name_from_str(name, text), 0);
		wire_put(&w, "\4test", 6);
		wire_put16(&w, DNS_NS);
		wire_put16(&w, DNS_IN);
		wire_put32(&w, 3600);
		wire_put16(&w, (unsigned)name_len(name));
		wire_put_name(&w, name);
	}
	ck_assert_int_eq(w.err, 0);
	return wire_written(&w);
}

static const struct step *only(enum step_kind kind)
{
	const struct step *found = NULL;
	int n = 0;
	for (int i = 0; i < steps.n; i++)
		if (steps.step[i].kind == kind) {
			found = &steps.step[i];
			n++;
		}
	ck_assert_int_eq(n, 1);
	return found;
}

static int count(enum step_kind kind)
{
	int n = 0;
	for (int i = 0; i < steps.n; i++)
		n += steps.step[i].kind == kind;
	return n;
}

START_TEST(question_on_the_wire)
{
	static const uint8_t tail[] = "\3www\4test\0\0\1\0\1"
				      "\0\0\x29\4\xd0\0\0\x80\0\0\0"; /* DO */
	open_world();
	start(ask("www.test", 1 << 20));
	const struct step_send *s = &only(STEP_SEND)->send;
	ck_assert_uint_eq(s->len, DNS_HEADER_LEN + sizeof tail - 1);
	ck_assert_mem_eq(s->bytes + 2, "\0\0\0\1\0\0\0\0\0\1", 10); /* no RD */
	ck_assert_mem_eq(s->bytes + DNS_HEADER_LEN, tail, sizeof tail - 1);
	ck_assert_int_eq(s->transport, TRANSPORT_UDP);
	ck_assert_uint_eq(s->to.port, 53);
	ck_assert_uint_eq(s->timeout_ms, SERVER_RTT_UNKNOWN_MS);
	ck_assert(name_equal(s->server, hints.server[0].name));
	ck_assert(!s->own && !s->passthru);
	close_world();
}
END_TEST

START_TEST(case_and_id_are_random)
{
	static uint8_t first[2], name[10];
	int ids = 0, cases = 0;
	open_world();
	conf.recursion.case_randomisation = true;
	for (int i = 0; i < 50; i++) {
		start(ask("www.test", 1 << 20));
		const struct step_send *s = &only(STEP_SEND)->send;
		ck_assert(name_equal(s->bytes + DNS_HEADER_LEN, s->qname));
		ids += memcmp(first, s->bytes, 2) != 0;
		cases += memcmp(name, s->bytes + DNS_HEADER_LEN, 10) != 0;
		memcpy(first, s->bytes, 2);
		memcpy(name, s->bytes + DNS_HEADER_LEN, 10);
		arena_fini(&arena);
	}
	ck_assert_int_gt(ids, 45);
	ck_assert_int_gt(cases, 30);
	close_world();
}
END_TEST

START_TEST(events_of_others_are_ignored)
{
	static const struct reply reply = {.rcode = DNS_SERVFAIL};
	uint8_t msg[1024];
	open_world();
	struct resolve *r = ask("www.test", 1 << 20);
	start(r);
	struct step send = *only(STEP_SEND);
	struct event strange[] = {
		{.kind = EVENT_REPLY, .id = send.id + 1, .bytes = msg, .len = 5},
		{.kind = EVENT_REPLY, .id = 0, .bytes = msg, .len = 5},
		{.kind = EVENT_TIMEOUT, .id = send.id + 1},
		{.kind = EVENT_SUB_DONE, .id = send.id, .reply = &reply},
		{.kind = EVENT_RESUME},
		{.kind = EVENT_START},
	};
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
		resolve_step(r, &steps, &strange[i], &env);
		ck_assert_int_eq(steps.n, 0);
	}
	size_t len = referral(msg, &send.send, 1, "example.net");
	struct event good = {
		.kind = EVENT_REPLY, .id = send.id, .bytes = msg, .len = len};
	resolve_step(r, &steps, &good, &env);
	ck_assert_int_eq(count(STEP_SUB), 1);
	ck_assert_uint_eq(only(STEP_CANCEL)->id, send.id);
	resolve_step(r, &steps, &good, &env); /* once more: the exchange is over */
	ck_assert_int_eq(steps.n, 0);
	close_world();
}
END_TEST

/* Three look-ups at a time, five failures in all; what they leave comes back. */
START_TEST(sub_questions_and_budget)
{
	static const struct reply none = {.rcode = DNS_SERVFAIL};
	uint8_t msg[1024];
	uint32_t ids[16], seen = 0;
	struct budget left[16];
	int open = 0, asked = 0;
	open_world();
	struct resolve *r = ask("www.test", 1 << 20);
	start(r);
	struct step send = *only(STEP_SEND);
	ck_assert_int_eq(resolve_budget(r).sends, BUDGET_SENDS - 1);
	size_t len = referral(msg, &send.send, 13, "example.net");
	resolve_step(
		r, &steps,
		&(struct event){
			.kind = EVENT_REPLY, .id = send.id, .bytes = msg, .len = len},
		&env);
	for (;;) {
		for (int i = 0; i < steps.n; i++) {
			const struct step *s = &steps.step[i];
			if (s->kind != STEP_SUB)
				continue;
			ck_assert_uint_gt(s->id, seen);
			seen = s->id;
			ck_assert(s->sub.subject.own);
			ck_assert_uint_eq(s->share.depth, BUDGET_DEPTH - 1);
			ids[open] = s->id;
			left[open++] = s->share;
			asked++;
		}
		ck_assert_int_le(open, 3);
		int32_t out = 0;
		for (int i = 0; i < open; i++)
			out += left[i].sends;
		ck_assert_int_eq(resolve_budget(r).sends + out, BUDGET_SENDS - 1 - asked);
		if (count(STEP_DONE))
			break;
		ck_assert_int_gt(open, 0);
		struct event ev = {.kind = EVENT_SUB_DONE, .id = ids[--open]};
		ev.reply = &none;
		ev.left = left[open];
		resolve_step(r, &steps, &ev, &env);
	}
	ck_assert_int_le(asked, 7);
	ck_assert_int_ge(asked, 5);
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_SERVFAIL);
	ck_assert_int_eq(only(STEP_DONE)->reply->ede, DNS_EDE_NO_REACHABLE_AUTHORITY);
	close_world();
}
END_TEST

/* Only the zone itself could tell where its servers are: nobody is asked. */
START_TEST(servers_inside_without_glue)
{
	uint8_t msg[1024];
	open_world();
	struct resolve *r = ask("www.test", 1 << 20);
	start(r);
	struct step send = *only(STEP_SEND);
	size_t len = referral(msg, &send.send, 13, "test");
	resolve_step(
		r, &steps,
		&(struct event){
			.kind = EVENT_REPLY, .id = send.id, .bytes = msg, .len = len},
		&env);
	ck_assert_int_eq(count(STEP_SUB), 0);
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_SERVFAIL);
	close_world();
}
END_TEST

/* Junk costs bytes: a flood of it ends the question. */
START_TEST(junk_is_paid_for)
{
	static uint8_t junk[4096];
	int n = 0;
	open_world();
	struct resolve *r = ask("www.test", 1 << 20);
	start(r);
	uint32_t id = only(STEP_SEND)->id;
	do {
		resolve_step(r, &steps,
			     &(struct event){.kind = EVENT_REPLY,
					     .id = id,
					     .bytes = junk,
					     .len = sizeof junk},
			     &env);
		n++;
	} while (!count(STEP_DONE) && n < 1000);
	ck_assert_int_eq(n, BUDGET_BYTES / (int)sizeof junk);
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_SERVFAIL);
	close_world();
}
END_TEST

START_TEST(small_arenas_end_in_servfail)
{
	uint8_t msg[1024];
	for (size_t room = 0; room < 40000; room += 256) {
		open_world();
		struct resolve *r = ask("www.test", room);
		if (r)
			start(r);
		for (int i = 0; r && i < 20 && count(STEP_SEND); i++) {
			struct step s = *only(STEP_SEND);
			size_t len = referral(msg, &s.send, 13, "example.net");
			resolve_step(r, &steps,
				     &(struct event){.kind = EVENT_REPLY,
						     .id = s.id,
						     .bytes = msg,
						     .len = len},
				     &env);
		}
		if (r)
			ck_assert_msg(count(STEP_SUB) || only(STEP_DONE)->reply->rcode ==
								 DNS_SERVFAIL,
				      "%zu", room);
		close_world();
	}
}
END_TEST

/* A store that cannot be read: no packet, SERVFAIL, EDE 14. */
START_TEST(no_store_no_packet)
{
	const char *why;
	struct blocklist *bl;
	struct question q = {.qtype = DNS_A, .subject.class = POLICY_ALL};
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, 99999, BUDGET_DEPTH};
	open_world();
	ck_assert_int_eq(
		blocklist_open(&bl, unit_path("blocklist"), BLOCKLIST_WRITE, &why), 0);
	ck_assert_int_eq(blocklist_view_open(&policy.view, bl), 0);
	ck_assert_int_eq(name_from_str(q.qname, "www.test"), 0);
	arena_init(&arena, 1024, 1 << 20);
	start(resolve_open(&arena, &q, &b)); /* the view has no snapshot */
	ck_assert_int_eq(steps.n, 1);
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_SERVFAIL);
	ck_assert_int_eq(only(STEP_DONE)->reply->ede, DNS_EDE_NOT_READY);
	blocklist_view_close(policy.view);
	blocklist_close(bl);
	close_world();
}
END_TEST

/* Prefetch: what lasts long enough is no reason to ask, what ends soon is. */
START_TEST(renewed_before_its_end)
{
	static const uint8_t rdata[] = {0, 4, 192, 0, 2, 7};
	uint8_t owner[DNS_NAME_MAX];
	open_world();
	ck_assert_int_eq(name_from_str(owner, "www.test"), 0);
	const struct rrset s = {.owner = owner,
				.type = DNS_A,
				.rank = RANK_AUTH_ANSWER,
				.rr_n = 1,
				.ttl = 60,
				.data = rdata,
				.data_len = sizeof rdata};
	rrset_cache_put(env.cache, &s, env.now_s);
	for (uint32_t left = 59; left <= 60; left++) {
		struct question q = {
			.qtype = DNS_A, .refresh_s = left, .subject.class = POLICY_NONE};
		struct budget b = {BUDGET_SENDS, BUDGET_BYTES, env.now_ms + BUDGET_MS,
				   BUDGET_DEPTH};
		name_copy(q.qname, owner);
		arena_init(&arena, 1024, 1 << 20);
		start(resolve_open(&arena, &q, &b));
		ck_assert_int_eq(steps.n, 1);
		ck_assert_int_eq(steps.step[0].kind, left < 60 ? STEP_DONE : STEP_SEND);
		arena_fini(&arena);
	}
	close_world();
}
END_TEST

/* Overload: nothing is sent, what is cached is answered, nothing is remembered. */
START_TEST(cached_only)
{
	static const uint8_t rdata[] = {0, 4, 192, 0, 2, 7};
	uint8_t owner[DNS_NAME_MAX];
	open_world();
	env.cached_only = true;
	start(ask("www.test", 1 << 20));
	const struct reply *reply = only(STEP_DONE)->reply;
	ck_assert_int_eq(reply->rcode, DNS_SERVFAIL);
	ck_assert(reply->starved);
	arena_fini(&arena);
	ck_assert_int_eq(name_from_str(owner, "www.test"), 0);
	const struct rrset s = {.owner = owner,
				.type = DNS_A,
				.rank = RANK_AUTH_ANSWER,
				.rr_n = 1,
				.ttl = 60,
				.data = rdata,
				.data_len = sizeof rdata};
	env.cached_only = false;
	start(ask("www.test", 1 << 20));
	ck_assert_int_eq(only(STEP_SEND)->kind, STEP_SEND); /* no failure stands there */
	arena_fini(&arena);
	rrset_cache_put(env.cache, &s, env.now_s);
	env.cached_only = true;
	start(ask("www.test", 1 << 20));
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_NOERROR);
	close_world();
}
END_TEST

/* The root servers are asked who they are, beside the question; what they say is kept,
 * with the hints' address where theirs is missing. */
START_TEST(root_is_primed)
{
	uint8_t msg[1024];
	struct delegation d;
	open_world();
	env.prime = true;
	start(ask("www.test", 1 << 20));
	ck_assert_int_eq(count(STEP_SEND), 1);
	const struct step *sub = only(STEP_SUB);
	ck_assert_uint_eq(sub->sub.qname[0], 0);
	ck_assert_uint_eq(sub->sub.qtype, DNS_NS);
	ck_assert(sub->sub.subject.own);
	struct question q = sub->sub;
	struct budget b = sub->share;
	arena_fini(&arena);
	arena_init(&arena, 1024, 1 << 20);
	struct resolve *r = resolve_open(&arena, &q, &b);
	start(r);
	ck_assert_int_eq(count(STEP_SUB), 0);
	struct step send = *only(STEP_SEND);
	struct wire_writer w = wire_writer(msg, sizeof msg);
	const uint16_t counts[4] = {1, 2, 0, 1};
	static const uint8_t answer[] =
		"\0\0\2\0\1" /* . NS */
		"\0\0\2\0\1\0\0\x0e\x10\0\x0d\1a\4root\4test\0"
		"\0\0\2\0\1\0\0\x0e\x10\0\x0d\1b\4root\4test\0"
		"\1b\4root\4test\0\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\2";
	wire_put_header(&w, wire_get16(send.send.bytes), DNS_QR | DNS_AA, counts);
	wire_put(&w, answer, sizeof answer - 1);
	resolve_step(r, &steps,
		     &(struct event){.kind = EVENT_REPLY,
				     .id = send.id,
				     .bytes = msg,
				     .len = wire_written(&w)},
		     &env);
	ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_NOERROR);
	ck_assert_int_eq(rrset_cache_get_delegation(env.cache, &d, &arena, q.qname, false,
						    env.now_s),
			 RRSET_CACHE_HIT);
	ck_assert_int_eq(d.servers_n, 2);
	ck_assert_uint_eq(d.server[0].addr[0].bytes[3] + d.server[1].addr[0].bytes[3], 3);
	arena_fini(&arena);
	start(ask("www.test", 1 << 20)); /* known now */
	ck_assert_int_eq(count(STEP_SUB), 0);
	close_world();
	env.prime = false;
}
END_TEST

/* Resolvers are asked with RD=1, at the port given. */
START_TEST(forwarders_are_asked_to_recurse)
{
	struct conf_zone zone = {.servers_n = 1};
	zone.servers[0] = addr_v4((const uint8_t[4]){192, 0, 2, 9}, 5353);
	open_world();
	conf.recursion.forward = &zone;
	conf.recursion.forward_n = 1;
	conf.recursion.qname_minimisation = CONF_QMIN_STRICT;
	start(ask("www.dept.example.test", 1 << 20));
	const struct step_send *s = &only(STEP_SEND)->send;
	ck_assert_mem_eq(s->bytes + 2, "\1\0\0\1\0\0\0\0\0\1", 10);
	ck_assert_uint_eq(s->to.port, 5353);
	ck_assert_ptr_null(s->server);
	ck_assert_uint_eq(name_labels(s->qname), 4);
	conf.recursion.forward_n = 0;
	conf.recursion.stub = &zone;
	conf.recursion.stub_n = 1;
	arena_fini(&arena);
	start(ask("www.dept.example.test", 1 << 20));
	s = &only(STEP_SEND)->send;
	ck_assert_mem_eq(s->bytes + 2, "\0\0\0\1\0\0\0\0\0\1", 10);
	ck_assert_uint_eq(s->to.port, 5353);
	conf.recursion.stub_n = 0;
	conf.recursion.qname_minimisation = CONF_QMIN_OFF;
	close_world();
}
END_TEST

/* Without the zone a local one would answer: its names leave for its own servers only. */
START_TEST(no_second_way_out_of_a_local_zone)
{
	static const char name[] = "1.0.0.10.in-addr.arpa";
	struct conf_zone zone = {.servers_n = 1, .first = true};
	zone.servers[0] = addr_v4((const uint8_t[4]){192, 0, 2, 9}, 53);
	ck_assert_int_eq(name_from_str(zone.zone, "10.in-addr.arpa"), 0);
	open_world();
	conf.recursion.stub = &zone;
	conf.recursion.stub_n = 1;
	for (int local = 0; local < 2; local++) {
		conf.recursion.local_zones = local;
		struct resolve *r = ask(name, 1 << 20);
		start(r);
		const struct event ev = {.kind = EVENT_TIMEOUT,
					 .id = only(STEP_SEND)->id,
					 .why = SEND_UNREACHABLE};
		resolve_step(r, &steps, &ev, &env);
		if (local)
			ck_assert_int_eq(only(STEP_DONE)->reply->rcode, DNS_SERVFAIL);
		else
			ck_assert_uint_ne(only(STEP_SEND)->send.to.bytes[3], 9);
		arena_fini(&arena);
	}
	conf.recursion.stub_n = 0;
	conf.recursion.local_zones = false;
	start(ask("www.test", 1 << 20)); /* what close_world() ends */
	close_world();
}
END_TEST

UNIT_SUITE("resolve", cached_only, renewed_before_its_end, root_is_primed,
	   forwarders_are_asked_to_recurse, no_second_way_out_of_a_local_zone,
	   question_on_the_wire, case_and_id_are_random, events_of_others_are_ignored,
	   sub_questions_and_budget, servers_inside_without_glue, junk_is_paid_for,
	   small_arenas_end_in_servfail, no_store_no_packet)
