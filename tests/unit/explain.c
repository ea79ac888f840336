#include "resolver/explain.h"

#include <time.h>

#include "tests/unit/blocklist_lab.h"

/* Every reason there is for a rule not to decide, by the one that does. */

static struct blocklist *store;
static struct blocklist_view *view;
static struct conf *conf;
static uint32_t now;

static void list(const char *name, int precedence, int action, int mode)
{
	struct blocklist_list_set set = lab_keep;
	struct blocklist_changes changes;
	struct blocklist_import *im;
	set.precedence = precedence;
	set.action = action;
	set.mode = mode;
	ck_assert_int_eq(blocklist_import_open(&im, store, name, &set), 0);
	ck_assert_int_eq(blocklist_import_commit(im, &changes, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
}

static void add(const char *to, const char *what, int kind, int action)
{
	struct blocklist_item item = lab_item(what, kind);
	item.action = (uint8_t)action;
	ck_assert_int_eq(blocklist_add(store, to, &item), 0);
}

static void group(const char *name, const char *only, const char *prefix)
{
	struct blocklist_client c = {.opt_out = !name, .group = BLOCKLIST_NO_GROUP};
	const char *missing;
	ck_assert_int_eq(prefix_from_text(&c.prefix, prefix, strlen(prefix)), 0);
	if (name) {
		ck_assert_int_eq(
			blocklist_group_set(store, name, false, &only, 1, &missing), 0);
		ck_assert_int_eq(blocklist_view_renew(view), 0);
		c.group = blocklist_group_named(view, name)->id;
	}
	ck_assert_int_eq(blocklist_client_put(store, &c), 0);
}

static void open_store(void)
{
	struct conf_error error;
	ck_assert_int_eq(conf_parse(&conf, "", 0, "test", &error), 0);
	store = lab_open("explain");
	view = lab_view(store);
	now = (uint32_t)time(NULL);
}

static void close_store(void)
{
	blocklist_view_close(view);
	blocklist_close(store);
	conf_free(conf);
}

static json_t *ask(const char *request)
{
	char error[CONTROL_ERROR_MAX];
	json_t *q = json_loads(request, 0, NULL), *answer = json_object();
	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(blocklist_view_renew(view), 0);
	int err = explain(answer, q, view, conf, error);
	if (err)
		json_object_set_new(answer, "error", json_string(error));
	json_decref(q);
	return answer;
}

static const char *word(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "-";
}

/* "verdict action list; list rule: why it lost; ..." */
static const char *told(const char *request)
{
	static char out[8192];
	json_t *a = ask(request), *rule;
	size_t i;
	size_t n = (size_t)snprintf(out, sizeof out, "%s %s %s", word(a, "verdict"),
				    word(a, "action"), word(a, "list"));
	json_array_foreach(json_object_get(a, "rules"), i, rule) n += (size_t)snprintf(
		out + n, sizeof out - n, "; %s %s: %s", word(rule, "list"),
		word(rule, "rule"), word(rule, "lost"));
	json_decref(a);
	return out;
}

static void expect(const char *request, const char *want)
{
	const char *have = told(request);
	ck_assert_msg(strcmp(have, want) == 0, "%s\n have %s\n want %s", request, have,
		      want);
}

START_TEST(why_others_lost)
{
	open_store();
	list("off", 1, RULE_GIVEN, BLOCKLIST_OFF);
	list("quiet", 2, RULE_DISABLED, BLOCKLIST_LIVE);
	list("watch", 5, RULE_GIVEN, BLOCKLIST_MONITOR);
	list("a", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	list("b", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	list("c", 20, RULE_GIVEN, BLOCKLIST_LIVE);
	list("free", 0, RULE_PASSTHRU, BLOCKLIST_LIVE);
	add("off", "bad.example", RULE_SUBTREE, RULE_DROP);
	add("quiet", "bad.example", RULE_SUBTREE, RULE_DROP);
	add("watch", "bad.example", RULE_SUBTREE, RULE_DROP);
	add("a", "bad.example", RULE_SUBTREE, RULE_NODATA);
	add("a", "x.bad.example", RULE_SUBTREE, RULE_NXDOMAIN);
	add("b", "bad.example", RULE_SUBTREE, RULE_DROP);
	add("c", "x.bad.example", RULE_EXACT, RULE_DROP);
	add("a", "192.0.2.0/24", RULE_ADDR_CLIENT, RULE_REFUSE);
	add("free", "good.bad.example", RULE_SUBTREE, RULE_GIVEN);
	static const char others[] =
		"; off bad.example: its list is disabled; quiet bad.example: its action "
		"is disabled";
	char want[1024];
	snprintf(want, sizeof want,
		 "act nxdomain a; watch bad.example: it only monitors; a x.bad.example: "
		 "-; a bad.example: a rule of its list fits better; b bad.example: a "
		 "list of the same precedence, first by name, decides; c x.bad.example: "
		 "a list of better precedence decides%s",
		 others);
	expect("{\"name\": \"x.bad.example\"}", want);
	snprintf(want, sizeof want,
		 "act refuse a; watch bad.example: it only monitors; a 192.0.2.0/24: -; "
		 "a bad.example: what its list says of another trigger comes first; b "
		 "bad.example: a list of the same precedence, first by name, decides%s",
		 others);
	expect("{\"name\": \"bad.example\", \"client\": \"::ffff:192.0.2.7\"}", want);
	snprintf(want, sizeof want,
		 "passthru passthru free; free good.bad.example: -; watch bad.example: a "
		 "list of better precedence decides; a bad.example: a list of better "
		 "precedence decides; b bad.example: a list of better precedence "
		 "decides%s",
		 others);
	expect("{\"name\": \"good.bad.example\"}", want);
	expect("{\"name\": \"clean.example\"}", "pass - -");
	close_store();
}
END_TEST

START_TEST(time_decides_too)
{
	char request[128];
	open_store();
	struct blocklist_item item = lab_item("bad.example", RULE_SUBTREE);
	item.starts = now + 100;
	item.expires = now + 200;
	ck_assert_int_eq(blocklist_add(store, "l", &item), 0);
	static const struct {
		uint32_t at;
		const char *want;
	} cases[] = {
		{99, "pass - -; l bad.example: it has not begun yet"},
		{100, "act address l; l bad.example: -"},
		{199, "act address l; l bad.example: -"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(request, sizeof request,
			 "{\"name\": \"bad.example\", \"at\": %u}", now + cases[i].at);
		expect(request, cases[i].want);
	}
	list("l", 100, -1, -1); /* an import: the lease is 30 days from now */
	lab_add(store, "l", "old.example", RULE_SUBTREE);
	snprintf(request, sizeof request, "{\"name\": \"old.example\", \"at\": %u}",
		 now + BLOCKLIST_LEASE_S + 9);
	expect(request, "pass - -; l old.example: its list's lease has lapsed");
	close_store();
}
END_TEST

START_TEST(lists_of_others)
{
	open_store();
	list("mine", 20, RULE_GIVEN, BLOCKLIST_LIVE);
	list("theirs", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	add("mine", "bad.example", RULE_SUBTREE, RULE_NODATA);
	add("theirs", "bad.example", RULE_SUBTREE, RULE_DROP);
	add("theirs", "192.0.2.9/32", RULE_ADDR_ALL, RULE_DROP);
	group("home", "mine", "192.0.2.0/24");
	group(NULL, NULL, "198.51.100.0/24");
	expect("{\"name\": \"bad.example\", \"client\": \"192.0.2.1\"}",
	       "act nodata mine; mine bad.example: -; theirs bad.example: its list does "
	       "not apply to this client");
	expect("{\"name\": \"bad.example\", \"client\": \"192.0.2.9\"}",
	       "act nodata mine; mine bad.example: -; theirs 192.0.2.9/32: its list does "
	       "not apply to this client; theirs bad.example: its list does not apply to "
	       "this client");
	expect("{\"name\": \"bad.example\", \"client\": \"198.51.100.1\"}",
	       "pass - -; theirs bad.example: this client opted out; mine bad.example: "
	       "this client opted out");
	expect("{\"name\": \"bad.example\", \"client\": \"203.0.113.1\"}",
	       "act drop theirs; theirs bad.example: -; mine bad.example: a list of "
	       "better precedence decides");
	json_t *a = ask("{\"name\": \"bad.example\", \"client\": \"192.0.2.1\"}");
	ck_assert_str_eq(word(json_object_get(a, "client"), "lists"), "group home");
	json_decref(a);
	close_store();
}
END_TEST

/* However many rules of others there are, those of the client's lists are all weighed. */
START_TEST(others_crowd_nobody_out)
{
	char name[16];
	open_store();
	for (int i = 0; i < BLOCKLIST_MATCHES_MAX + 9; i++) {
		snprintf(name, sizeof name, "other%d", i);
		list(name, 1, RULE_GIVEN, BLOCKLIST_LIVE);
		add(name, "bad.example", RULE_SUBTREE, RULE_DROP);
	}
	list("mine", 90, RULE_GIVEN, BLOCKLIST_LIVE);
	add("mine", "bad.example", RULE_SUBTREE, RULE_NODATA);
	group("home", "mine", "192.0.2.0/24");
	json_t *a = ask("{\"name\": \"bad.example\", \"client\": \"192.0.2.1\"}");
	ck_assert_str_eq(word(a, "list"), "mine");
	ck_assert_uint_eq(json_array_size(json_object_get(a, "rules")),
			  POLICY_REASONS_MAX);
	json_decref(a);
	close_store();
}
END_TEST

START_TEST(addresses_and_servers)
{
	open_store();
	list("a", 10, RULE_GIVEN, BLOCKLIST_LIVE);
	list("b", 20, RULE_GIVEN, BLOCKLIST_LIVE);
	add("a", "198.51.100.0/24", RULE_ADDR_ANSWER, RULE_NODATA);
	add("a", "198.51.100.7/32", RULE_ADDR_SERVER, RULE_DROP);
	add("b", "192.0.2.0/24", RULE_ADDR_CLIENT, RULE_REFUSE);
	add("a", "ns.example", RULE_NS_EXACT, RULE_NXDOMAIN);
	expect("{\"name\": \"198.51.100.7\"}",
	       "act nodata a; a 198.51.100.0/24: -; a 198.51.100.7/32: what its list "
	       "says of another trigger comes first");
	expect("{\"name\": \"198.51.100.7/32\", \"server\": true}",
	       "act drop a; a 198.51.100.7/32: -");
	/* who asks is looked at before there is an answer, whatever the lists */
	expect("{\"name\": \"::ffff:198.51.100.1\", \"client\": \"192.0.2.1\"}",
	       "act refuse b; b 192.0.2.0/24: -; a 198.51.100.0/24: a rule about the "
	       "client decides before");
	expect("{\"name\": \"ns.example\"}", "pass - -");
	expect("{\"name\": \"ns.example\", \"server\": true}",
	       "act nxdomain a; a ns.example: -");
	close_store();
}
END_TEST

START_TEST(what_cannot_be_asked)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
		{"{}", "no domain name"},
		{"{\"name\": 7}", "no domain name"},
		{"{\"name\": \"a..b\"}", "no domain name"},
		{"{\"name\": \"192.0.2.0/24\"}", "is a prefix"},
		{"{\"name\": \"192.0.2.1/24\"}", "is a prefix"},
		{"{\"name\": \"a.example\", \"client\": \"who\"}", "not the address"},
		{"{\"name\": \"a.example\", \"client\": \"192.0.2.0/24\"}",
		 "not the address"},
	};
	open_store();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *a = ask(cases[i].request);
		ck_assert_msg(strstr(word(a, "error"), cases[i].error) != NULL, "%s: %s",
			      cases[i].request, word(a, "error"));
		json_decref(a);
	}
	blocklist_view_reset(view);
	json_t *q = json_loads("{\"name\": \"a.example\"}", 0, NULL), *a = json_object();
	char error[CONTROL_ERROR_MAX];
	ck_assert_int_lt(explain(a, q, view, conf, error), 0);
	ck_assert_ptr_nonnull(strstr(error, "cannot be read"));
	json_decref(a);
	json_decref(q);
	close_store();
}
END_TEST

UNIT_SUITE("explain", why_others_lost, time_decides_too, lists_of_others,
	   others_crowd_nobody_out, addresses_and_servers, what_cannot_be_asked)
