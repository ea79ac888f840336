#include "resolver/policy.h"

#include <time.h>

#include "tests/unit/unit.h"

/* Near the real clock, which gives lists their leases. */
static uint32_t now;

static struct blocklist *store;
static struct blocklist_view *view;
static struct policy policy;

static void open_store(void)
{
	const char *why = "";
	ck_assert_msg(!blocklist_open(&store, unit_path("store"), BLOCKLIST_WRITE, &why),
		      "%s", why);
	ck_assert_int_eq(blocklist_view_open(&view, store), 0);
	now = (uint32_t)time(NULL);
	policy = (struct policy){
		.view = view, .now_s = now, .default_action = RULE_ADDRESS};
}

static void close_store(void)
{
	blocklist_view_close(view);
	blocklist_close(store);
}

/* A name, or a prefix when text has a digit first. */
static struct blocklist_key key_of(const char *text)
{
	struct blocklist_key k = {.name = {0}};
	if (prefix_from_text(&k.prefix, text, strlen(text)))
		ck_assert_int_eq(name_from_str(k.name, text), 0);
	return k;
}

static const uint8_t garden[] = "\6garden\7example";

static void list(const char *name, int precedence, int action, int mode)
{
	struct blocklist_list_set set = {.precedence = precedence,
					 .action = action,
					 .mode = mode,
					 .ede = -1,
					 .lease_s = -1,
					 .serial = -1,
					 .garden = garden};
	int err = blocklist_list_change(store, name, &set);
	if (err == ERR_NOENT) {
		struct blocklist_import *im;
		struct blocklist_changes changes;
		ck_assert_int_eq(blocklist_import_open(&im, store, name, &set), 0);
		err = blocklist_import_commit(im, &changes, NULL, NULL, NULL);
		blocklist_import_close(im);
	}
	ck_assert_int_eq(err, 0);
}

static void add(const char *to, const char *what, int kind, int action, uint32_t starts,
		uint32_t expires)
{
	struct blocklist_item item = {.key = key_of(what),
				      .kind = (uint8_t)kind,
				      .action = (uint8_t)action,
				      .starts = starts,
				      .expires = expires};
	ck_assert_int_eq(blocklist_add(store, to, &item), 0);
}

static void renew(void)
{
	ck_assert_int_eq(blocklist_view_renew(view), 0);
	policy.stamp = blocklist_view_stamp(view);
}

/* "pass", or what acts: "action trigger matched", then "+ monitor NAME". */
static const char *judge(const char *name, struct policy_subject s)
{
	static char text[2200];
	char matched[DNS_NAME_TEXT_MAX];
	uint8_t wire[DNS_NAME_MAX];
	struct verdict v, m = {0};
	ck_assert_int_eq(name_from_str(wire, name), 0);
	ck_assert_int_eq(policy_name(&v, &m, &policy, &s, wire), 0);
	int n = snprintf(text, sizeof text, "pass");
	if (v.kind != VERDICT_PASS)
		n = snprintf(text, sizeof text, "%s %s %s", rule_action_text(v.action),
			     rule_trigger_text(v.trigger),
			     name_to_text(matched, v.matched));
	if (m.kind == VERDICT_ACT)
		snprintf(text + n, sizeof text - (size_t)n, " + monitor %s",
			 name_to_text(matched, m.matched));
	return text;
}

static const struct policy_subject client = {.class = POLICY_ALL};
static const struct policy_subject opted_out = {.class = POLICY_NONE};
static const struct policy_subject own = {.class = POLICY_ALL, .own = true};
static const struct policy_subject passed = {.class = POLICY_ALL, .passthru = true};

START_TEST(order_of_decision)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{"clean.example", "pass"},
		{"bad.example", "address name bad.example"},
		{"BAD.Example", "address name bad.example"},
		{"a.b.c.bad.example", "address name bad.example"},
		{"notbad.example", "pass"},
		{"exact.example", "nxdomain name exact.example"},
		{"www.exact.example", "pass"},
		{"wild.example", "pass"},
		{"x.wild.example", "nodata name wild.example"},
		/* precedence decides, not closeness */
		{"deep.two.example", "refuse name two.example"},
		{"two.example", "refuse name two.example"},
		/* within a list: exact before subtree, more labels before fewer */
		{"in.same.example", "nxdomain name in.same.example"},
		{"x.in.same.example", "nodata name in.same.example"},
		{"same.example", "address name same.example"},
		/* a list's own action wins over the entry's */
		{"forced.example", "drop name forced.example"},
		{"never.bad.example", "passthru name never.bad.example"},
		/* not begun, over, switched off */
		{"future.example", "pass"},
		{"past.example", "pass"},
		{"off.example", "pass"},
		{"disabled.example", "pass"},
		/* a monitor rule is told and hides nothing */
		{"watched.example", "pass + monitor watched.example"},
		{"watched.bad.example",
		 "address name bad.example + monitor watched.bad.example"},
	};
	open_store();
	list("never", 1, RULE_PASSTHRU, BLOCKLIST_LIVE);
	list("watch", 5, RULE_GIVEN, BLOCKLIST_MONITOR);
	list("first", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	list("second", 20, RULE_GIVEN, BLOCKLIST_LIVE);
	list("forced", 30, RULE_DROP, BLOCKLIST_LIVE);
	list("none", 35, RULE_DISABLED, BLOCKLIST_LIVE);
	list("off", 40, RULE_GIVEN, BLOCKLIST_OFF);
	add("first", "bad.example", RULE_SUBTREE, RULE_GIVEN, 0, now + 100);
	add("first", "exact.example", RULE_EXACT, RULE_NXDOMAIN, 0, 0);
	add("first", "wild.example", RULE_WILDCARD, RULE_NODATA, 0, 0);
	add("first", "two.example", RULE_SUBTREE, RULE_REFUSE, 0, 0);
	add("second", "deep.two.example", RULE_EXACT, RULE_NXDOMAIN, 0, 0);
	add("first", "same.example", RULE_SUBTREE, RULE_ADDRESS, 0, 0);
	add("first", "in.same.example", RULE_SUBTREE, RULE_NODATA, 0, 0);
	add("first", "in.same.example", RULE_EXACT, RULE_NXDOMAIN, 0, 0);
	add("forced", "forced.example", RULE_SUBTREE, RULE_NXDOMAIN, 0, 0);
	add("never", "never.bad.example", RULE_SUBTREE, RULE_GIVEN, 0, 0);
	add("first", "future.example", RULE_SUBTREE, RULE_GIVEN, now + 1, 0);
	add("first", "past.example", RULE_SUBTREE, RULE_GIVEN, 0, now);
	add("off", "off.example", RULE_SUBTREE, RULE_GIVEN, 0, 0);
	add("none", "disabled.example", RULE_SUBTREE, RULE_GIVEN, 0, 0);
	add("watch", "watched.example", RULE_SUBTREE, RULE_NXDOMAIN, 0, 0);
	add("watch", "watched.bad.example", RULE_SUBTREE, RULE_NXDOMAIN, 0, 0);
	renew();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(!strcmp(judge(cases[i].name, client), cases[i].want),
			      "%s: %s, want %s", cases[i].name,
			      judge(cases[i].name, client), cases[i].want);
	ck_assert_str_eq(judge("bad.example", opted_out), "pass");
	ck_assert_str_eq(judge("bad.example", passed), "pass");
	ck_assert_str_eq(judge("exact.example", own), "pass");
	ck_assert_str_eq(judge("x.bad.example", own), "address name bad.example");
	close_store();
}
END_TEST

/* Time alone turns verdicts: each says until when it holds (P5). */
START_TEST(verdicts_say_when_they_change)
{
	uint8_t name[DNS_NAME_MAX];
	struct verdict v;
	open_store();
	list("l", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	add("l", "now.example", RULE_SUBTREE, RULE_GIVEN, 0, now + 50);
	add("l", "soon.example", RULE_SUBTREE, RULE_GIVEN, now + 20, now + 50);
	renew();
	ck_assert_int_eq(name_from_str(name, "now.example"), 0);
	ck_assert_int_eq(policy_name(&v, NULL, &policy, &client, name), 0);
	ck_assert_int_eq(v.kind, VERDICT_ACT);
	ck_assert_uint_eq(v.change, now + 50);
	ck_assert_int_eq(name_from_str(name, "soon.example"), 0);
	ck_assert_int_eq(policy_name(&v, NULL, &policy, &client, name), 0);
	ck_assert_int_eq(v.kind, VERDICT_PASS);
	ck_assert_uint_eq(v.change, now + 20);
	policy.now_s = now + 20;
	ck_assert_str_eq(judge("soon.example", client), "address name soon.example");
	policy.now_s = now + 50;
	ck_assert_str_eq(judge("soon.example", client), "pass");
	close_store();
}
END_TEST

/* The lease of a list holds with the updater dead. */
START_TEST(lease_ends_every_rule)
{
	const struct blocklist_list *l;
	open_store();
	list("l", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	add("l", "bad.example", RULE_SUBTREE, RULE_GIVEN, 0, 0);
	renew();
	l = blocklist_list_named(view, "l");
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_gt(l->lease, 0);
	policy.now_s = l->lease - 1;
	ck_assert_str_eq(judge("bad.example", client), "address name bad.example");
	policy.now_s = l->lease;
	ck_assert_str_eq(judge("bad.example", client), "pass");
	close_store();
}
END_TEST

static bool may_send(const char *qname, const char *server, const char *address,
		     const struct policy_subject *s)
{
	uint8_t q[DNS_NAME_MAX], ns[DNS_NAME_MAX];
	struct addr a;
	struct verdict v;
	ck_assert_int_eq(name_from_str(q, qname), 0);
	ck_assert_int_eq(name_from_str(ns, server), 0);
	ck_assert_int_eq(addr_from_text(&a, address, strlen(address)), 0);
	ck_assert_int_eq(policy_send(&v, &policy, s, q, ns, &a), 0);
	return v.kind != VERDICT_ACT;
}

START_TEST(sends_are_judged_by_name_server_and_address)
{
	open_store();
	list("l", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	add("l", "bad.example", RULE_SUBTREE, RULE_GIVEN, 0, 0);
	add("l", "198.51.100.0/24", RULE_ADDR_SERVER, RULE_GIVEN, 0, 0);
	add("l", "203.0.113.7", RULE_ADDR_ANSWER, RULE_GIVEN, 0, 0);
	renew();
	ck_assert(may_send("a.test", "ns.test", "192.0.2.1", &client));
	ck_assert(!may_send("x.bad.example", "ns.test", "192.0.2.1", &client));
	ck_assert(!may_send("a.test", "ns.bad.example", "192.0.2.1", &client));
	ck_assert(!may_send("a.test", "ns.test", "198.51.100.9", &client));
	/* IPv4 in IPv6 dress: mapped, NAT64, 6to4 */
	ck_assert(!may_send("a.test", "ns.test", "::ffff:198.51.100.9", &client));
	ck_assert(!may_send("a.test", "ns.test", "64:ff9b::198.51.100.9", &client));
	ck_assert(!may_send("a.test", "ns.test", "2002:c633:6409::1", &client));
	/* rules on answers do not forbid servers */
	ck_assert(may_send("a.test", "ns.test", "203.0.113.7", &client));
	/* passthru and opting out free the question: its names and its servers */
	ck_assert(may_send("x.bad.example", "ns.test", "192.0.2.1", &passed));
	ck_assert(may_send("x.bad.example", "ns.bad.example", "198.51.100.9", &passed));
	ck_assert(
		may_send("x.bad.example", "ns.bad.example", "198.51.100.9", &opted_out));
	close_store();
}
END_TEST

/* One A or AAAA record a word, or an HTTPS record with its hints for a word in brackets.
 */
static const struct rrset *answer_set(const char *text)
{
	static uint8_t data[512];
	static struct rrset set;
	struct wire_writer w = wire_writer(data, sizeof data);
	char words[256], *save, *word;
	snprintf(words, sizeof words, "%s", text);
	set = (struct rrset){.kind = RRSET_DATA, .type = DNS_A, .data = data};
	for (word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		bool hint = *word == '[';
		struct addr a;
		size_t n = strcspn(word + hint, "]");
		ck_assert_int_eq(addr_from_text(&a, word + hint, n), 0);
		n = addr_len(&a);
		set.type = hint ? DNS_HTTPS : a.family == 4 ? DNS_A : DNS_AAAA;
		wire_put16(&w, (unsigned)n + (hint ? 7 + 6 : 0));
		if (hint) {
			/* priority 1, target ".", alpn=h2 in its 6 bytes, then the hint
			 */
			wire_put(&w, "\0\1\0\0\1\0\2\2h", 9);
			wire_put16(&w, a.family == 4 ? 4 : 6);
			wire_put16(&w, (unsigned)n);
		}
		wire_put(&w, a.bytes, n);
		set.rr_n++;
	}
	ck_assert(!w.err);
	set.data_len = (uint32_t)wire_written(&w);
	return &set;
}

/* "pass", or "action RULE" of what an answer is judged to be. */
static const char *judge_answer(const char *addresses, struct policy_subject s)
{
	static char text[128];
	char prefix[PREFIX_TEXT_MAX];
	struct verdict v;
	ck_assert_int_eq(policy_answer(&v, NULL, &policy, &s, answer_set(addresses)), 0);
	if (v.kind == VERDICT_PASS)
		return "pass";
	ck_assert_int_eq(v.trigger, RULE_ON_ANSWER);
	snprintf(text, sizeof text, "%s %s", rule_action_text(v.action),
		 prefix_to_text(prefix, &v.prefix));
	return text;
}

START_TEST(answers_are_judged_by_address)
{
	open_store();
	list("l", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	add("l", "198.51.100.0/24", RULE_ADDR_ANSWER | RULE_ADDR_SERVER, RULE_NXDOMAIN, 0,
	    0);
	add("l", "198.51.100.8/29", RULE_ADDR_ANSWER, RULE_NODATA, 0, 0);
	add("l", "2001:db8::/32", RULE_ADDR_ANSWER, RULE_REFUSE, 0, 0);
	renew();
	/* more bits first, also of another record */
	ck_assert_str_eq(judge_answer("198.51.100.9", client), "nodata 198.51.100.8/29");
	ck_assert_str_eq(judge_answer("198.51.100.1 192.0.2.1 198.51.100.9", client),
			 "nodata 198.51.100.8/29");
	ck_assert_str_eq(judge_answer("192.0.2.1", client), "pass");
	ck_assert_str_eq(judge_answer("2001:db8::1", client), "refuse 2001:db8::/32");
	ck_assert_str_eq(judge_answer("[198.51.100.1]", client),
			 "nxdomain 198.51.100.0/24");
	ck_assert_str_eq(judge_answer("[2001:db8::1]", client), "refuse 2001:db8::/32");
	ck_assert_str_eq(judge_answer("[192.0.2.1]", client), "pass");
	ck_assert_str_eq(judge_answer("198.51.100.9", passed), "pass");
	close_store();
}
END_TEST

START_TEST(explain_agrees_with_the_decision)
{
	struct policy_reason r[POLICY_REASONS_MAX];
	uint8_t name[DNS_NAME_MAX];
	struct verdict v;
	struct policy_asked q = {.name = name};
	open_store();
	list("watch", 5, RULE_GIVEN, BLOCKLIST_MONITOR);
	list("first", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	list("second", 20, RULE_GIVEN, BLOCKLIST_LIVE);
	add("second", "bad.example", RULE_SUBTREE, RULE_NXDOMAIN, 0, 0);
	add("first", "bad.example", RULE_SUBTREE, RULE_NODATA, 0, 0);
	add("first", "x.bad.example", RULE_SUBTREE, RULE_REFUSE, 0, now - 1);
	add("first", "x.bad.example", RULE_NS_EXACT, RULE_DROP, 0, 0);
	add("watch", "x.bad.example", RULE_EXACT, RULE_GIVEN, 0, 0);
	add("second", "192.0.2.0/24", RULE_ADDR_CLIENT, RULE_PASSTHRU, 0, 0);
	renew();
	ck_assert_int_eq(name_from_str(name, "x.bad.example"), 0);
	int n = policy_explain(r, &v, &policy, &q);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(v.action, RULE_NODATA);
	ck_assert_ptr_nonnull(strstr(r[0].lost, "monitor"));
	ck_assert_ptr_null(r[1].lost);
	ck_assert_int_eq(r[1].rule.action, RULE_NODATA);
	ck_assert_ptr_nonnull(strstr(r[2].lost, "precedence"));
	ck_assert_ptr_nonnull(strstr(r[3].lost, "expired"));
	ck_assert_int_eq(addr_from_text(&q.client, "192.0.2.7", 9), 0);
	n = policy_explain(r, &v, &policy, &q);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(v.action, RULE_NODATA);
	ck_assert_int_eq(r[2].trigger, RULE_ON_CLIENT); /* before the name of its list */
	ck_assert_int_eq(r[3].trigger, RULE_ON_QNAME);
	q.server = true;
	q.client.family = 0;
	n = policy_explain(r, &v, &policy, &q);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(v.action, RULE_DROP);
	close_store();
}
END_TEST

/* Without a snapshot nothing passes: the error reaches the caller. */
START_TEST(no_view_is_an_error_not_a_pass)
{
	struct verdict v;
	open_store();
	renew();
	blocklist_view_reset(view);
	ck_assert_int_lt(
		policy_name(&v, NULL, &policy, &client, (const uint8_t *)"\3bad"), 0);
	close_store();
}
END_TEST

UNIT_SUITE("policy", order_of_decision, verdicts_say_when_they_change,
	   lease_ends_every_rule, sends_are_judged_by_name_server_and_address,
	   answers_are_judged_by_address, explain_agrees_with_the_decision,
	   no_view_is_an_error_not_a_pass)
