#include <time.h>

#include "include/feed.h"
#include "resolver/answer.h"
#include "resolver/policy.h"
#include "tests/unit/unit.h"

/* The RPZ draft's behaviours by the names that the project's policy notes give them: zone
 * files in, verdicts out. What takes a whole resolver is listed in tests/README.md; what
 * is not followed is in README.md, "Differs from RPZ". */

static struct blocklist *store;
static struct blocklist_view *view;
static struct policy policy;

/* One row: zones as files, first the one that comes first; a line "|" begins the next. */
struct row {
	const char *id, *zones, *ask, *want;
};

#define SOA "$ORIGIN rpz.test.\n$TTL 30\n@ SOA ns. h. 7 1 1 1 1\n@ NS localhost.\n"

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	(void)line;
	return blocklist_import_put(arg, item);
}

/* Adds "!key" of what a file's lines are left out for to skips. */
static void load(const char *list, int precedence, const char *text, size_t len,
		 char *skips)
{
	const struct blocklist_list_set set = {.precedence = precedence,
					       .action = -1,
					       .mode = -1,
					       .ede = -1,
					       .lease_s = -1,
					       .serial = -1};
	const struct feed_options options = {.format = FEED_RPZ, .force = ~0U};
	struct blocklist_changes changes;
	struct feed_result r;
	struct blocklist_import *im;
	char file[4096];
	int n = snprintf(file, sizeof file, SOA "%.*s", (int)len, text);
	ck_assert_int_eq(blocklist_import_open(&im, store, list, &set), 0);
	const struct feed_callbacks cb = {.item = on_item, .arg = im};
	ck_assert_msg(!feed_read_memory(&r, file, (size_t)n, &options, &cb), "%s: %s",
		      text, r.error);
	for (int why = 0; why < FEED_SKIP_N; why++)
		if (r.skipped[why])
			strcat(strcat(skips, " !"), feed_skip_key((enum feed_skip)why));
	ck_assert_int_eq(blocklist_import_commit(im, &changes, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
}

static void load_all(const char *zones, char *skips)
{
	char list[8] = "z0";
	int n = 0;
	for (const char *at = zones; at;) {
		const char *next = strstr(at, "|\n");
		list[1] = (char)('0' + ++n);
		load(list, n, at, next ? (size_t)(next - at) : strlen(at), skips);
		at = next ? next + 2 : NULL;
	}
}

static void open_store(void)
{
	const char *why = "";
	char path[32];
	static int stores;
	snprintf(path, sizeof path, "store%d", ++stores);
	ck_assert_msg(!blocklist_open(&store, unit_path(path), BLOCKLIST_WRITE, &why),
		      "%s", why);
	ck_assert_int_eq(blocklist_view_open(&view, store), 0);
	policy = (struct policy){.view = view,
				 .now_s = (uint32_t)time(NULL),
				 .default_action = RULE_ADDRESS};
}

static void close_store(void)
{
	blocklist_view_close(view);
	blocklist_close(store);
}

static struct addr addr_of(const char *text)
{
	struct addr a;
	ck_assert_msg(!addr_from_text(&a, text, strlen(text)), "%s", text);
	return a;
}

/* "answer ADDRESS ...": one A or AAAA record each. */
static const struct rrset *answer_of(char *words)
{
	static uint8_t data[256];
	static struct rrset set;
	struct wire_writer w = wire_writer(data, sizeof data);
	char *save, *word = strtok_r(words, " ", &save);
	set = (struct rrset){.kind = RRSET_DATA, .data = data};
	for (; word; word = strtok_r(NULL, " ", &save)) {
		struct addr a = addr_of(word);
		set.type = a.family == 4 ? DNS_A : DNS_AAAA;
		wire_put16(&w, (unsigned)addr_len(&a));
		wire_put(&w, a.bytes, addr_len(&a));
		set.rr_n++;
	}
	set.data_len = (uint32_t)wire_written(&w);
	return &set;
}

/* "NAME [CLIENT]", "answer ADDRESS...", "server NAME ADDRESS", "rd0 NAME". */
static void ask(struct verdict *v, struct verdict *monitor, const char *question)
{
	struct policy_subject s = {.class = POLICY_ALL};
	uint8_t name[DNS_NAME_MAX];
	char text[512], *save;
	int err;
	snprintf(text, sizeof text, "%s", question);
	if (strncmp(text, "answer ", 7) == 0) {
		err = policy_answer(v, monitor, &policy, &s, answer_of(text + 7));
	} else {
		bool server = strncmp(text, "server ", 7) == 0;
		char *first = strtok_r(text + (server ? 7 : 0), " ", &save);
		char *second = strtok_r(NULL, " ", &save);
		ck_assert_int_eq(name_from_str(name, first), 0);
		struct addr a = second ? addr_of(second) : (struct addr){0};
		if (!server)
			s.client = a;
		err = server ? policy_server(v, monitor, &policy, &s, name, &a)
			     : policy_name(v, monitor, &policy, &s, name);
	}
	ck_assert_int_eq(err, 0);
}

/* "pass", or "LIST action trigger RULE [target]"; then what is left out. */
static void tell(char *out, size_t size, const struct verdict *v, const char *question)
{
	char rule[DNS_NAME_TEXT_MAX], garden[DNS_NAME_TEXT_MAX + 1] = "";
	uint8_t name[DNS_NAME_MAX], target[DNS_NAME_MAX];
	if (v->kind == VERDICT_PASS) {
		snprintf(out, size, "pass");
		return;
	}
	if (v->prefix.addr.family)
		prefix_to_text(rule, &v->prefix);
	else
		name_to_text(rule, v->matched);
	if (v->action == RULE_CNAME) {
		char first[DNS_NAME_TEXT_MAX];
		snprintf(first, sizeof first, "%.*s", (int)strcspn(question, " "),
			 question);
		ck_assert_int_eq(name_from_str(name, first), 0);
		int err = policy_garden(target, &policy, v, name);
		garden[0] = ' ';
		if (err)
			strcpy(garden + 1, err_text(err));
		else
			name_to_text(garden + 1, target);
	}
	snprintf(out, size, "%s %s %s %s%s", blocklist_list(view, v->rule.list)->name,
		 rule_action_text(v->action), rule_trigger_text(v->trigger), rule,
		 garden);
}

static void check(const struct row *row)
{
	struct verdict v, monitor = {0};
	char got[2048], skips[256] = "";
	open_store();
	load_all(row->zones, skips);
	ck_assert_int_eq(blocklist_view_renew(view), 0);
	policy.stamp = blocklist_view_stamp(view);
	ask(&v, &monitor, row->ask);
	tell(got, sizeof got - sizeof skips, &v, row->ask);
	strcat(got, skips);
	ck_assert_msg(strcmp(got, row->want) == 0, "%s: %s\n%s\n got %s\nwant %s",
		      row->id, row->ask, row->zones, got, row->want);
	close_store();
}

static const char l63[] =
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.";

static const struct row rows[] = {
	/* the apex describes the zone */
	{"Z1", "@ CNAME .\n@ A 192.0.2.1\n@ NS ns2.\n", "rpz.test", "pass !single-label"},
	{"Z1",
	 "@ RRSIG SOA 8 0 1 20300101000000 20200101000000 1 . AAAA\nx.test CNAME "
	 ".\n",
	 "x.test", "z1 nxdomain name x.test"},
	/* one bad rule is left out, the others stand */
	{"Z2", "x.test NS ns.\n8.2.0.0.10.rpz-ip CNAME .\ny.test CNAME .\n", "y.test",
	 "z1 nxdomain name y.test !rpz-type !rpz-address"},
	{"Z2", "x.test CNAM .\ny.test CNAME .\n", "y.test",
	 "z1 nxdomain name y.test !syntax"},
	/* a higher version's trigger or action is never local data */
	{"Z3", "x.test.rpz-later A 192.0.2.1\n", "x.test.rpz-later", "pass !rpz-trigger"},
	{"Z3", "x.test CNAME rpz-later.\n", "x.test", "pass !action"},
	{"Z3", "x.test CNAME rpz-drop\n", "x.test", "pass !action"},
	/* actions */
	{"A1", "x.test CNAME .\n", "x.test", "z1 nxdomain name x.test"},
	{"A2", "x.test CNAME *.\n", "x.test", "z1 nodata name x.test"},
	{"A3", "x.test CNAME rpz-passthru.\n|\nx.test CNAME .\n", "x.test",
	 "z1 passthru name x.test"},
	{"A3", "x.test CNAME x.test.\n", "x.test", "z1 passthru name x.test"},
	{"A4", "x.test CNAME rpz-drop.\n", "x.test", "z1 drop name x.test"},
	{"A5", "x.test CNAME rpz-tcp-only.\n", "x.test", "z1 tcp-only name x.test"},
	{"A6", "x.test A 192.0.2.1\nx.test TXT t\n", "x.test",
	 "z1 local-data name x.test"},
	{"A6", "x.test CNAME g.test.\n", "x.test", "z1 cname name x.test g.test"},
	{"A7", "*.x.test CNAME *.g.test.\n", "a.x.test",
	 "z1 cname name x.test a.x.test.g.test"},
	{"A7", "*.x.test CNAME *.g.test.\n", "L63.L63.L63.b.x.test",
	 "z1 cname name x.test L63.L63.L63.b.x.test.g.test"},
	{"A7", "*.x.test CNAME *.L63.g.test.\n", "L63.L63.L63.b.x.test",
	 "z1 cname name x.test too long"},
	{"A8",
	 "x.test DNAME y.test.\nx.test DS 1 8 2 0000000000000000000000000000000000"
	 "000000000000000000000000000000\nx.test NS n.\n",
	 "x.test", "pass !rpz-type"},
	/* encodings: unit/feed.c:rpz_addresses has them all */
	{"E1", "24.0.2.0.192.rpz-ip CNAME .\n", "answer 192.0.2.9",
	 "z1 nxdomain answer 192.0.2.0/24"},
	{"E1", "24.00.2.0.192.rpz-ip CNAME .\n", "answer 192.0.2.9", "pass !rpz-address"},
	{"E2", "48.zz.1.db8.2001.rpz-ip CNAME .\n", "answer 2001:db8:1::9",
	 "z1 nxdomain answer 2001:db8:1::/48"},
	{"E2", "128.1.zz.5.4.0.0.2001.rpz-ip CNAME .\n", "answer 2001::4:5:0:0:1",
	 "pass !rpz-address"},
	{"E3", "8.2.0.0.10.rpz-ip CNAME .\n", "answer 10.0.0.2", "pass !rpz-address"},
	{"E4", "24.0.2.0.192.rpz-client-ip CNAME .\n", "x.test 192.0.2.9",
	 "z1 nxdomain client 192.0.2.0/24"},
	{"E4", "24.0.2.0.192.rpz-nsip CNAME .\n", "server ns.test 192.0.2.9",
	 "z1 nxdomain ns-address 192.0.2.0/24"},
	/* triggers */
	{"T1", "*.x.test CNAME .\n", "x.test", "pass"},
	{"T1", "*.x.test CNAME .\n", "a.x.test", "z1 nxdomain name x.test"},
	{"T1", "x.test CNAME .\n", "a.x.test", "pass"},
	{"T2", "*.x.test CNAME .\na.b.x.test CNAME *.\n", "c.b.x.test", "pass"},
	{"T2", "*.x.test CNAME .\na.b.x.test CNAME *.\n", "b.x.test", "pass"},
	{"T2", "*.x.test CNAME .\na.b.x.test CNAME *.\n", "c.x.test",
	 "z1 nxdomain name x.test"},
	{"T2", "*.x.test.rpz-nsdname CNAME .\na.b.x.test.rpz-nsdname CNAME *.\n",
	 "server c.b.x.test 192.0.2.1", "pass"},
	/* names of another trigger do not end a wildcard */
	{"T2", "*.x.test CNAME .\na.b.x.test.rpz-nsdname CNAME *.\n", "c.b.x.test",
	 "z1 nxdomain name x.test"},
	{"T3", "32.1.2.0.192.rpz-ip CNAME .\n", "server ns.test 192.0.2.1", "pass"},
	{"T4", "ns.test.rpz-nsdname CNAME .\n", "server ns.test 192.0.2.1",
	 "z1 nxdomain ns-name ns.test"},
	{"T4", "ns.test.rpz-nsdname CNAME .\n", "ns.test", "pass"},
	{"T4", "32.1.2.0.192.rpz-nsip CNAME .\n", "answer 192.0.2.1", "pass"},
	{"T5", "x.test 0 CNAME .\n", "x.test", "z1 nxdomain name x.test"},
	{"T5", "x.test 2147483647 CNAME .\n", "x.test", "z1 nxdomain name x.test"},
	{"T5", "x.test AAAA 2001:db8::1\n", "x.test", "z1 local-data name x.test"},
	/* precedence; PR1 is resolve's: listed_cname_target.rpl, walled_garden.rpl */
	{"PR2", "x.test CNAME .\n|\nx.test CNAME *.\n", "x.test",
	 "z1 nxdomain name x.test"},
	{"PR2", "*.x.test CNAME .\n|\na.x.test CNAME *.\n", "a.x.test",
	 "z1 nxdomain name x.test"},
	{"PR2", "x.test CNAME .\n|\n24.0.2.0.192.rpz-client-ip CNAME *.\n",
	 "x.test 192.0.2.1", "z1 nxdomain name x.test"},
	{"PR3", "*.x.test CNAME .\na.x.test CNAME *.\n", "a.x.test",
	 "z1 nodata name a.x.test"},
	{"PR3", "*.test CNAME .\n*.x.test CNAME *.\n", "a.x.test",
	 "z1 nodata name x.test"},
	{"PR4", "x.test CNAME .\n24.0.2.0.192.rpz-client-ip CNAME *.\n",
	 "x.test 192.0.2.1", "z1 nodata client 192.0.2.0/24"},
	{"PR4", "ns.test.rpz-nsdname CNAME .\n32.1.2.0.192.rpz-nsip CNAME *.\n",
	 "server ns.test 192.0.2.1", "z1 nxdomain ns-name ns.test"},
	{"PR6", "24.0.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-ip CNAME *.\n",
	 "answer 192.0.2.1", "z1 nodata answer 192.0.2.1/32"},
	{"PR6", "24.0.2.0.192.rpz-ip CNAME .\n32.1.100.51.198.rpz-ip CNAME *.\n",
	 "answer 192.0.2.1 198.51.100.1", "z1 nodata answer 198.51.100.1/32"},
	{"PR7", "32.2.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-ip CNAME *.\n",
	 "answer 192.0.2.2 192.0.2.1", "z1 nodata answer 192.0.2.1/32"},
	{"PR7", "32.2.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-ip CNAME *.\n",
	 "answer 192.0.2.1 192.0.2.2", "z1 nodata answer 192.0.2.1/32"},
	/* never by action */
	{"PR8", "x.test CNAME rpz-drop.\n|\nx.test CNAME rpz-passthru.\n", "x.test",
	 "z1 drop name x.test"},
	/* qname-as-ns: always, but for passthru; ip-as-ns: never for policy zones */
	{"O2", "ns.test CNAME .\n", "server ns.test 192.0.2.1",
	 "z1 nxdomain ns-name ns.test"},
	{"O2", "*.test CNAME .\n", "server ns.test 192.0.2.1",
	 "z1 nxdomain ns-name test"},
	{"O2", "ns.test CNAME rpz-passthru.\n", "server ns.test 192.0.2.1", "pass"},
	{"O2", "32.1.2.0.192.rpz-ip CNAME .\n", "server ns.test 192.0.2.1", "pass"},
	/* of two records that exclude each other the first */
	{"Z2", "x.test CNAME .\nx.test CNAME *.\n", "x.test", "z1 nxdomain name x.test"},
};

/* L63 stands for a label of 63 octets. */
static void widen(char *out, size_t size, const char *text)
{
	size_t n = 0;
	while (*text && n + sizeof l63 < size) {
		bool wide = strncmp(text, "L63.", 4) == 0;
		n += (size_t)snprintf(out + n, size - n, "%s",
				      wide ? l63 : (char[2]){*text, 0});
		text += wide ? 4 : 1;
	}
	out[n] = 0;
}

START_TEST(zones_to_verdicts)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char zones[2048], question[512], want[1024];
		widen(zones, sizeof zones, rows[i].zones);
		widen(question, sizeof question, rows[i].ask);
		widen(want, sizeof want, rows[i].want);
		check(&(struct row){rows[i].id, zones, question, want});
	}
}
END_TEST

static struct verdict server_verdict(const char *question)
{
	struct verdict v, monitor = {0};
	ask(&v, &monitor, question);
	return v;
}

/* PR5 to PR7 between servers: whichever is looked at first. */
START_TEST(servers_in_either_order)
{
	static const struct {
		const char *id, *zone, *first, *then;
	} pairs[] = {
		{"PR5", "a.test.rpz-nsdname CNAME .\nb.test.rpz-nsdname CNAME *.\n",
		 "server b.test 192.0.2.1", "server a.test 192.0.2.1"},
		{"PR5", "*.z.test.rpz-nsdname CNAME .\na.test.rpz-nsdname CNAME *.\n",
		 "server a.test 192.0.2.1", "server x.z.test 192.0.2.1"},
		{"PR4", "a.test.rpz-nsdname CNAME .\n32.1.2.0.192.rpz-nsip CNAME *.\n",
		 "server a.test 192.0.2.9", "server b.test 192.0.2.1"},
		{"PR6", "24.0.2.0.192.rpz-nsip CNAME .\n32.9.2.0.192.rpz-nsip CNAME *.\n",
		 "server a.test 192.0.2.9", "server a.test 192.0.2.1"},
		{"PR7", "32.1.2.0.192.rpz-nsip CNAME .\n32.9.2.0.192.rpz-nsip CNAME *.\n",
		 "server a.test 192.0.2.1", "server a.test 192.0.2.9"},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char skips[256] = "";
		open_store();
		load_all(pairs[i].zone, skips);
		ck_assert_int_eq(blocklist_view_renew(view), 0);
		struct verdict a = server_verdict(pairs[i].first);
		struct verdict b = server_verdict(pairs[i].then);
		ck_assert_msg(policy_before(&policy, &a, &b), "%s %zu", pairs[i].id, i);
		ck_assert_msg(!policy_before(&policy, &b, &a), "%s %zu", pairs[i].id, i);
		close_store();
	}
}
END_TEST

/* O1: a list's own action in place of its rules'; PR8: a list that only watches is told
 * of, and the next best rule is used. */
START_TEST(overrides)
{
	static const uint8_t garden[] = "\1g\4test";
	static const struct {
		const char *id;
		int action, mode;
		const char *want, *watched;
	} cases[] = {
		{"O1", RULE_GIVEN, BLOCKLIST_LIVE, "z1 nxdomain name x.test", "pass"},
		{"O1", RULE_NXDOMAIN, BLOCKLIST_LIVE, "z1 nxdomain name x.test", "pass"},
		{"O1", RULE_NODATA, BLOCKLIST_LIVE, "z1 nodata name x.test", "pass"},
		{"O1", RULE_PASSTHRU, BLOCKLIST_LIVE, "z1 passthru name x.test", "pass"},
		{"O1", RULE_DROP, BLOCKLIST_LIVE, "z1 drop name x.test", "pass"},
		{"O1", RULE_TCP_ONLY, BLOCKLIST_LIVE, "z1 tcp-only name x.test", "pass"},
		{"O1", RULE_CNAME, BLOCKLIST_LIVE, "z1 cname name x.test g.test", "pass"},
		{"O1", RULE_GIVEN, BLOCKLIST_OFF, "z2 nodata name x.test", "pass"},
		{"PR8", RULE_GIVEN, BLOCKLIST_MONITOR, "z2 nodata name x.test",
		 "z1 monitor name x.test"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct blocklist_list_set set = {.precedence = -1,
						 .action = cases[i].action,
						 .mode = cases[i].mode,
						 .ede = -1,
						 .lease_s = -1,
						 .serial = -1,
						 .garden = garden};
		struct verdict v, monitor = {0};
		char text[2048], skips[256] = "";
		open_store();
		load_all("x.test CNAME .\n|\nx.test CNAME *.\n", skips);
		ck_assert_int_eq(blocklist_list_change(store, "z1", &set), 0);
		ck_assert_int_eq(blocklist_view_renew(view), 0);
		ask(&v, &monitor, "x.test");
		tell(text, sizeof text, &v, "x.test");
		ck_assert_msg(!strcmp(text, cases[i].want), "%s: %s", cases[i].id, text);
		tell(text, sizeof text, &monitor, "x.test");
		ck_assert_msg(!strcmp(text, cases[i].watched), "%s: %s", cases[i].id,
			      text);
		close_store();
	}
}
END_TEST

/* A server that a rule for names or answers lets through is no more than that. */
START_TEST(passthru_of_servers)
{
	char skips[256] = "";
	struct verdict v;
	open_store();
	load_all("ns.good.test CNAME rpz-passthru.\nns.free.test.rpz-nsdname CNAME "
		 "rpz-passthru.\n|\nns.good.test CNAME .\n*.free.test CNAME .\n",
		 skips);
	ck_assert_int_eq(blocklist_view_renew(view), 0);
	v = server_verdict("server ns.good.test 192.0.2.1");
	ck_assert_int_eq(v.kind, VERDICT_PASS);
	v = server_verdict("server ns.free.test 192.0.2.1");
	ck_assert_int_eq(v.kind, VERDICT_PASSTHRU);
	close_store();
}
END_TEST

UNIT_SUITE("rpz", zones_to_verdicts, servers_in_either_order, overrides,
	   passthru_of_servers)
