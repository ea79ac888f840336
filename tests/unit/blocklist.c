/* Look-ups, views and single edits of the blocklist store. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/blocklist_lab.h"

START_TEST(names)
{
	static const struct {
		const char *list, *name;
		int kind;
	} rules[] = {
		{"a", "evil.test", RULE_SUBTREE},
		{"b", "evil.test", RULE_EXACT},
		{"b", "www.evil.test", RULE_EXACT},
		{"a", "deep.er.down.evil.test", RULE_EXACT},
		/* RPZ: *.wild.test, a node below it, and one two labels deeper */
		{"c", "wild.test", RULE_WILDCARD},
		{"c", "node.wild.test", RULE_EXACT},
		{"c", "ent.wild.test", RULE_ENT},
		{"c", "x.ent.wild.test", RULE_EXACT},
		{"a", "ent.wild.test", RULE_SUBTREE},
		{"d", "wild.test", RULE_WILDCARD},
		{"c", "both.test", RULE_WILDCARD},
		{"c", "both.test", RULE_EXACT},
		{"c", "two.both.test", RULE_WILDCARD},
		{"a", "ab.test", RULE_SUBTREE},
		{"a", "single", RULE_SUBTREE},
	};
	static const struct {
		const char *ask, *want;
	} cases[] = {
		{"evil.test", "a:s/2 b:e/2"},
		{"EVIL.Test", "a:s/2 b:e/2"},
		{"www.evil.test", "b:e/3 a:s/2"},
		{"x.www.evil.test", "a:s/2"},
		{"down.evil.test", "a:s/2"},
		{"deep.er.down.evil.test", "a:e/5 a:s/2"},
		{"z.deep.er.down.evil.test", "a:s/2"},
		{"notevil.test", ""},
		{"evil.test.test", ""},
		{"vil.test", ""},
		{"test", ""},
		{".", ""},
		{"evil", ""},
		{"clean.example.com", ""},
		{"wild.test", ""},
		{"q.wild.test", "c:w/2 d:w/2"},
		{"q.r.wild.test", "c:w/2 d:w/2"},
		/* closest encloser: only list c knows the node */
		{"node.wild.test", "c:e/3 d:w/2"},
		{"q.node.wild.test", "d:w/2"},
		{"ent.wild.test", "a:s/3 d:w/2"},
		{"q.ent.wild.test", "a:s/3 d:w/2"},
		{"x.ent.wild.test", "c:e/4 a:s/3 d:w/2"},
		{"both.test", "c:e/2"},
		{"q.both.test", "c:w/2"},
		{"two.both.test", ""},
		{"q.two.both.test", "c:w/3"},
		/* label boundaries are no string boundaries */
		{"b.test", ""},
		{"a.b.test", ""},
		{"ab.test", "a:s/2"},
		{"cab.test", ""},
		{"\\002ab.test", ""},
		{"x.single", "a:s/1"},
		{"x.singlee", ""},
	};
	struct blocklist *bl = lab_open("s");
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		lab_add(bl, rules[i].list, rules[i].name, rules[i].kind);
	struct blocklist_view *v = lab_view(bl);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(strcmp(lab_find(v, cases[i].ask), cases[i].want) == 0,
			      "%s: found '%s', not '%s'", cases[i].ask,
			      lab_find(v, cases[i].ask), cases[i].want);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* Names come in as they were asked, also where a caller forgot to lower them. */
START_TEST(upper_case)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_item it = lab_item("x.test", RULE_SUBTREE);
	struct rule r[1];
	const uint8_t upper[] = "\1X\4TesT", lower[] = "\1x\4test";
	memcpy(it.key.name, upper, sizeof upper);
	ck_assert_int_eq(blocklist_add(bl, "a", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 1, BLOCKLIST_CLASS_ALL, upper), 1);
	ck_assert_int_eq(blocklist_find_name(v, r, 1, BLOCKLIST_CLASS_ALL, lower), 1);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* The root can be listed (policy refuses it, not the store), and the longest names. */
START_TEST(extremes)
{
	char longest[256], labels[256] = "";
	memset(longest, 'x', 253);
	for (int i = 63; i < 253; i += 64)
		longest[i] = '.';
	longest[253] = 0;
	for (int i = 0; i < 127; i++)
		strcat(labels, i ? ".y" : "y");
	struct blocklist *bl = lab_open("s");
	lab_add(bl, "a", longest, RULE_EXACT);
	lab_add(bl, "a", labels, RULE_SUBTREE);
	struct blocklist_view *v = lab_view(bl);
	ck_assert_str_eq(lab_find(v, longest), "a:e/4");
	ck_assert_str_eq(lab_find(v, labels), "a:s/127");
	ck_assert_str_eq(lab_find(v, labels + 2), "");
	ck_assert_str_eq(lab_find(v, longest + 1), "");
	lab_add(bl, "b", ".", RULE_SUBTREE);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_str_eq(lab_find(v, longest), "a:e/4 b:s/0");
	ck_assert_str_eq(lab_find(v, labels), "a:s/127 b:s/0");
	ck_assert_str_eq(lab_find(v, "."), "b:s/0");
	ck_assert_str_eq(lab_find(v, "anything.test"), "b:s/0");
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

enum { MODEL_LISTS = 3, MODEL_RULES = 300 };

struct model_rule {
	int list;
	unsigned kind;
	uint8_t name[DNS_NAME_MAX];
};

/* Few labels, so that names are often each other's ancestors and neighbours. */
static void random_name(uint8_t out[DNS_NAME_MAX], uint64_t *seed)
{
	static const char *const label[] = {"a", "b", "aa", "ab", "\\001", "\\255z"};
	char text[256] = "";
	unsigned n = lab_random(seed, 6);
	for (unsigned i = 0; i < n; i++) {
		strcat(text, i ? "." : "");
		strcat(text, label[lab_random(seed, 6)]);
	}
	ck_assert_int_eq(name_from_str(out, n ? text : "."), 0);
}

/* The definition, without any index: tries every rule. */
static int model_count(const struct model_rule *m, int n, const uint8_t *name, int list,
		       unsigned kind)
{
	int count = 0;
	bool exact = kind == RULE_EXACT || kind == RULE_NS_EXACT;
	for (int i = 0; i < n; i++) {
		if (m[i].list != list || m[i].kind != kind ||
		    !name_within(name, m[i].name))
			continue;
		bool hidden = false;
		for (int k = 0; k < n; k++)
			hidden = hidden ||
				 (m[k].list == list && m[k].kind != RULE_SUBTREE &&
				  rule_kind_is_ns(m[k].kind) == rule_kind_is_ns(kind) &&
				  name_within(name, m[k].name) &&
				  name_below(m[k].name, m[i].name));
		if (kind == RULE_SUBTREE || (exact && name_equal(name, m[i].name)) ||
		    (rule_kind_is_wildcard(kind) && name_below(name, m[i].name) &&
		     !hidden))
			count++;
	}
	return count;
}

static void model_compare(struct blocklist_view *v, const struct model_rule *m, int n,
			  const uint8_t *name, bool server)
{
	struct rule r[BLOCKLIST_MATCHES_MAX];
	char text[DNS_NAME_TEXT_MAX];
	int found = server ? blocklist_find_server(v, r, BLOCKLIST_MATCHES_MAX,
						   BLOCKLIST_CLASS_ALL, name)
			   : blocklist_find_name(v, r, BLOCKLIST_MATCHES_MAX,
						 BLOCKLIST_CLASS_ALL, name);
	ck_assert_int_ge(found, 0);
	for (int i = 1; i < found; i++)
		ck_assert_int_ge(r[i - 1].labels, r[i].labels);
	for (int list = 0; list < MODEL_LISTS; list++)
		for (unsigned kind = 0; kind < RULE_KIND_N; kind++) {
			int have = 0;
			for (int i = 0; i < found; i++)
				have += r[i].list == list && r[i].kind == kind;
			int want = rule_kind_is_ns(kind) && !server
					   ? 0
					   : model_count(m, n, name, list, kind);
			ck_assert_msg(have == want, "%s: list %d kind %u: %d, want %d",
				      name_to_text(text, name), list, kind, have, want);
		}
}

START_TEST(names_like_the_definition)
{
	static struct model_rule m[MODEL_RULES];
	uint64_t seed = 1;
	int n = 0;
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	for (int i = 0; i < MODEL_RULES; i++) {
		struct blocklist_item it = {
			.kind = (uint8_t)lab_random(&seed, RULE_KIND_N)};
		int list = (int)lab_random(&seed, MODEL_LISTS);
		bool twice = false;
		random_name(it.key.name, &seed);
		ck_assert_int_eq(
			blocklist_add(bl, (const char *[]){"a", "b", "c"}[list], &it), 0);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		list = blocklist_list_named(v, (const char *[]){"a", "b", "c"}[list])->id;
		for (int k = 0; k < n; k++)
			twice = twice || (m[k].list == list && m[k].kind == it.kind &&
					  name_equal(m[k].name, it.key.name));
		if (!twice) {
			m[n].list = list;
			m[n].kind = it.kind;
			name_copy(m[n++].name, it.key.name);
		}
		uint8_t name[BLOCKLIST_FETCH_MAX][DNS_NAME_MAX];
		const uint8_t *ahead[BLOCKLIST_FETCH_MAX];
		for (int k = 0; k < BLOCKLIST_FETCH_MAX; k++) {
			random_name(name[k], &seed);
			ahead[k] = name[k];
		}
		if (i % 2)
			blocklist_fetch_names(v, ahead, BLOCKLIST_FETCH_MAX);
		for (int k = 0; k < BLOCKLIST_FETCH_MAX; k++)
			for (int server = 0; server <= 1; server++)
				model_compare(v, m, n, name[k], server);
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(addresses)
{
	static const struct {
		const char *list, *prefix;
		int use;
	} rules[] = {
		{"a", "192.0.2.0/24", RULE_ADDR_SERVER},
		{"a", "192.0.2.1/32", RULE_ADDR_ANSWER | RULE_ADDR_SERVER},
		{"b", "192.0.2.1/32", RULE_ADDR_ANSWER},
		{"b", "192.0.0.0/8", RULE_ADDR_CLIENT},
		{"b", "0.0.0.0/0", RULE_ADDR_ANSWER},
		{"a", "2001:db8::/32", RULE_ADDR_ANSWER},
		{"a", "2001:db8::1/128", RULE_ADDR_ANSWER},
		{"a", "2001:db8:8000::/33", RULE_ADDR_ANSWER},
	};
	static const struct {
		const char *ask;
		unsigned use;
		const char *want;
	} cases[] = {
		{"192.0.2.1", RULE_ADDR_ANSWER, "a:6/32 b:2/32 b:2/0"},
		{"192.0.2.1", RULE_ADDR_SERVER, "a:6/32 a:4/24"},
		{"192.0.2.1", RULE_ADDR_CLIENT, "b:1/8"},
		{"192.0.2.2", RULE_ADDR_SERVER, "a:4/24"},
		{"192.0.3.1", RULE_ADDR_SERVER, ""},
		{"10.0.0.1", RULE_ADDR_ANSWER, "b:2/0"},
		{"2001:db8::1", RULE_ADDR_ANSWER, "a:2/128 a:2/32"},
		{"2001:db8:8000::1", RULE_ADDR_ANSWER, "a:2/33 a:2/32"},
		{"2001:db9::1", RULE_ADDR_ANSWER, ""},
		{"::", RULE_ADDR_ANSWER, ""}, /* not 0.0.0.0/0 */
	};
	struct blocklist *bl = lab_open("s");
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		lab_add(bl, rules[i].list, rules[i].prefix, rules[i].use);
	struct blocklist_view *v = lab_view(bl);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_str_eq(lab_find_addr(v, cases[i].ask, cases[i].use),
				 cases[i].want);
	ck_assert_str_eq(lab_find(v, "."), "");
	ck_assert_int_eq(lab_remove(bl, "a", "192.0.2.1/32"), 0);
	ck_assert_int_eq(lab_remove(bl, "a", "192.0.2.1/32"), ERR_NOENT);
	lab_verify(v);
	ck_assert_str_eq(lab_find_addr(v, "192.0.2.1", RULE_ADDR_ANSWER), "b:2/32 b:2/0");
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(addresses_like_the_definition)
{
	enum { N = 200 };
	static struct prefix p[N];
	static int use[N];
	uint64_t seed = 2;
	struct blocklist *bl = lab_open("s");
	for (int i = 0; i < N; i++) {
		struct blocklist_item it = {.kind = (uint8_t)(1 + lab_random(&seed, 7))};
		struct addr a = {.family = lab_random(&seed, 2) ? 4 : 6};
		for (size_t k = 0; k < addr_len(&a); k++)
			a.bytes[k] = (uint8_t)(lab_random(&seed, 2) * 0x80);
		p[i] = prefix_of(&a, lab_random(&seed, a.family == 4 ? 33 : 129));
		use[i] = it.kind;
		it.key.prefix = p[i];
		ck_assert_int_eq(blocklist_add(bl, "a", &it), 0);
		for (int k = 0; k < i; k++) /* the same record again counts once */
			if (use[k] == use[i] && p[k].bits == p[i].bits &&
			    addr_equal(&p[k].addr, &p[i].addr))
				use[i] = 0;
	}
	struct blocklist_view *v = lab_view(bl);
	for (int i = 0; i < 3000; i++) {
		struct rule r[BLOCKLIST_MATCHES_MAX];
		struct addr a = p[lab_random(&seed, N)].addr;
		unsigned ask = 1U << lab_random(&seed, 3);
		int want = 0;
		a.bytes[lab_random(&seed, (unsigned)addr_len(&a))] ^= 0x80;
		for (int k = 0; k < N; k++)
			want += ((unsigned)use[k] & ask) && prefix_covers(&p[k], &a);
		int found = blocklist_find_addr(v, r, BLOCKLIST_MATCHES_MAX,
						BLOCKLIST_CLASS_ALL, ask, &a);
		ck_assert_int_eq(found, want);
		for (int k = 1; k < found; k++)
			ck_assert_int_ge(r[k - 1].labels, r[k].labels);
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* More matches than room: those of the best precedence stay, ties by name. */
START_TEST(best_precedence_is_kept)
{
	static const int precedence[] = {50, 10, 90, 10, 70};
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct rule r[3];
	uint8_t name[DNS_NAME_MAX];
	for (int i = 0; i < 5; i++) {
		char list[2] = {(char)('a' + i), 0};
		struct blocklist_list_set set = lab_keep;
		set.precedence = precedence[i];
		lab_add(bl, list, "evil.test", RULE_SUBTREE);
		ck_assert_int_eq(blocklist_list_change(bl, list, &set), 0);
	}
	lab_add(bl, "d", "www.evil.test", RULE_EXACT);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(name_from_str(name, "www.evil.test"), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 3, BLOCKLIST_CLASS_ALL, name), 3);
	ck_assert_str_eq(blocklist_list(v, r[0].list)->name, "d");
	ck_assert_int_eq(r[0].labels, 3);
	ck_assert_str_eq(blocklist_list(v, r[1].list)->name, "b");
	ck_assert_str_eq(blocklist_list(v, r[2].list)->name, "d");
	ck_assert_int_eq(blocklist_find_name(v, r, 1, BLOCKLIST_CLASS_ALL, name), 1);
	ck_assert_str_eq(blocklist_list(v, r[0].list)->name, "b");
	ck_assert_int_eq(blocklist_find_name(v, r, 0, BLOCKLIST_CLASS_ALL, name), 0);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(entries)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_entry e;
	struct blocklist_item it = lab_item("Evil.test", RULE_SUBTREE);
	struct rule r[2];
	it.action = RULE_NXDOMAIN;
	it.starts = 1000;
	it.expires = 2000;
	it.entry = (struct blocklist_entry){.first_listed = 77,
					    .confidence = 80,
					    .family = "fam",
					    .category = "c2",
					    .reason = "seen in the lab",
					    .reference = "https://feed.example/1",
					    .authority = "order 1",
					    .operator_name = "op"};
	ck_assert_int_eq(blocklist_add(bl, "manual", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	uint16_t id = blocklist_list_named(v, "manual")->id;
	ck_assert_int_eq(blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, it.key.name),
			 1);
	ck_assert_int_eq(r[0].action, RULE_NXDOMAIN);
	ck_assert_uint_eq(r[0].starts, 1000);
	ck_assert_uint_eq(r[0].expires, 2000);
	ck_assert_int_eq(blocklist_entry_get(v, &e, id, &it.key), 0);
	ck_assert_uint_eq(e.id, r[0].entry);
	ck_assert_uint_eq(e.first_listed, 77);
	ck_assert_uint_eq(e.expires, 2000);
	ck_assert_uint_eq(e.confidence, 80);
	ck_assert_str_eq(e.family, "fam");
	ck_assert_str_eq(e.category, "c2");
	ck_assert_str_eq(e.reason, "seen in the lab");
	ck_assert_str_eq(e.reference, "https://feed.example/1");
	ck_assert_str_eq(e.authority, "order 1");
	ck_assert_str_eq(e.operator_name, "op");

	/* changed: the entry keeps its id and its first day */
	uint64_t before = e.id;
	it.entry.first_listed = 99;
	memset(it.entry.reason, 'r', sizeof it.entry.reason); /* without NUL: cut */
	ck_assert_int_eq(blocklist_add(bl, "manual", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_entry_get(v, &e, id, &it.key), 0);
	ck_assert_uint_eq(e.id, before);
	ck_assert_uint_eq(e.first_listed, 77);
	ck_assert_uint_eq(strlen(e.reason), BLOCKLIST_TEXT_MAX - 1);

	/* a second kind for the same name is an entry of its own */
	it.kind = RULE_EXACT;
	strcpy(it.entry.family, "other");
	ck_assert_int_eq(blocklist_add(bl, "manual", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, it.key.name),
			 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(blocklist_entry_of_rule(v, &e, &r[i], &it.key), 0);
		ck_assert_str_eq(e.family, r[i].kind == RULE_EXACT ? "other" : "fam");
	}
	ck_assert_uint_ne(r[0].entry, r[1].entry);
	ck_assert_int_eq(lab_remove(bl, "manual", "evil.test"), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_entry_get(v, &e, id, &it.key), ERR_NOENT);
	ck_assert_int_eq(blocklist_entry_get(v, &e, 900, &it.key), ERR_NOENT);
	ck_assert_uint_eq(blocklist_list(v, id)->names, 0);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(generation_follows_rules)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_list_set set = lab_keep;
	uint64_t epoch = blocklist_view_stamp(v).epoch, g = lab_generation(v);
	ck_assert_uint_ne(epoch, 0);
	lab_add(bl, "a", "evil.test", RULE_SUBTREE);
	ck_assert_uint_gt(lab_generation(v), g);
	g = lab_generation(v);
	lab_add(bl, "a", "evil.test", RULE_SUBTREE); /* says nothing new */
	ck_assert_uint_eq(lab_generation(v), g);
	ck_assert_int_eq(lab_remove(bl, "a", "other.test"), ERR_NOENT);
	ck_assert_int_eq(lab_remove(bl, "nolist", "other.test"), ERR_NOENT);
	set.lease_s = BLOCKLIST_LEASE_S + 5;
	ck_assert_int_eq(blocklist_list_change(bl, "a", &set), 0);
	ck_assert_uint_eq(lab_generation(v), g); /* who saw the rule asks again then */
	ck_assert_uint_eq(blocklist_list_named(v, "a")->lease_s, BLOCKLIST_LEASE_S + 5);
	set.precedence = 7;
	ck_assert_int_eq(blocklist_list_change(bl, "a", &set), 0);
	ck_assert_uint_eq(lab_generation(v), g + 1);
	ck_assert_int_eq(lab_remove(bl, "a", "evil.test"), 0);
	ck_assert_uint_eq(lab_generation(v), g + 2);
	ck_assert_uint_eq(blocklist_view_stamp(v).epoch, epoch);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* P5: what lets through does not lapse by itself, and what blocks does. */
START_TEST(never_block_stays)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_list_set set = lab_keep;
	struct blocklist_item it = lab_item("good.test", RULE_SUBTREE);
	uint32_t now = (uint32_t)time(NULL);
	it.action = RULE_PASSTHRU;
	ck_assert_int_eq(blocklist_add(bl, "mixed", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_list_named(v, "mixed")->lease, 0);
	it = lab_item("evil.test", RULE_SUBTREE);
	it.expires = now + 60; /* ends, and does not end the other */
	ck_assert_int_eq(blocklist_add(bl, "mixed", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_list_named(v, "mixed")->lease, 0);

	lab_add(bl, "free", "fine.test", RULE_SUBTREE);
	set.action = RULE_PASSTHRU;
	ck_assert_int_eq(blocklist_list_change(bl, "free", &set), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_list_named(v, "free")->lease, 0);
	set.action = RULE_NXDOMAIN;
	ck_assert_int_eq(blocklist_list_change(bl, "free", &set), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_ge(blocklist_list_named(v, "free")->lease,
			  now + BLOCKLIST_LEASE_S);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(lists)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	char long_name[HIT_LIST_MAX + 1];
	struct blocklist_item it = lab_item("evil.test", RULE_SUBTREE);
	struct blocklist_list_set set = {
		"ask us", 5, RULE_NODATA, BLOCKLIST_MONITOR, 17, 0, 9, NULL, 30, 300};
	uint32_t now = (uint32_t)time(NULL);
	memset(long_name, 'l', sizeof long_name);
	long_name[HIT_LIST_MAX] = 0;
	ck_assert_int_eq(blocklist_add(bl, "", &it), ERR_INVAL);
	ck_assert_int_eq(blocklist_add(bl, "a b", &it), ERR_INVAL);
	ck_assert_int_eq(blocklist_add(bl, long_name, &it), ERR_RANGE);
	ck_assert_int_eq(blocklist_list_change(bl, "a", &set), ERR_NOENT);
	ck_assert_int_eq(blocklist_list_remove(bl, "a"), ERR_NOENT);
	ck_assert_ptr_null(blocklist_list_named(v, "a"));

	it.expires = now + 90 * 86400; /* longer than the lease: the list follows */
	ck_assert_int_eq(blocklist_add(bl, long_name + 1, &it), 0);
	it.expires = 0;
	ck_assert_int_eq(blocklist_add(bl, "b", &it), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	const struct blocklist_list *l = blocklist_list_named(v, long_name + 1);
	ck_assert_uint_eq(l->lease, now + 90 * 86400);
	ck_assert_int_eq(l->precedence, BLOCKLIST_PRECEDENCE);
	ck_assert_int_eq(l->mode, BLOCKLIST_LIVE);
	ck_assert_int_eq(l->action, RULE_GIVEN);
	ck_assert_int_eq(l->ede, DNS_EDE_BLOCKED);
	ck_assert_uint_eq(l->names, 1);
	ck_assert_uint_ge(blocklist_list_named(v, "b")->lease, now + BLOCKLIST_LEASE_S);

	ck_assert_int_eq(blocklist_list_change(bl, "b", &set), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	l = blocklist_list_named(v, "b");
	ck_assert_str_eq(l->public_text, "ask us");
	ck_assert_int_eq(l->precedence, 5);
	ck_assert_int_eq(l->action, RULE_NODATA);
	ck_assert_int_eq(l->mode, BLOCKLIST_MONITOR);
	ck_assert_int_eq(l->ede, 17);
	ck_assert_uint_ge(l->lease, now + BLOCKLIST_LEASE_S); /* P5: it blocks */
	ck_assert_uint_eq(l->serial, 9);
	ck_assert_uint_eq(l->max_shrink, 30);
	ck_assert_uint_eq(l->max_growth, 300);
	ck_assert(!l->forced);
	set.mode = 3;
	ck_assert_int_eq(blocklist_list_change(bl, "b", &set), ERR_INVAL);

	/* the records go with the list; the id may come back with another name */
	uint64_t g = lab_generation(v);
	uint16_t id = blocklist_list_named(v, "b")->id;
	ck_assert_int_eq(blocklist_list_remove(bl, "b"), 0);
	ck_assert_uint_gt(lab_generation(v), g);
	ck_assert_ptr_null(blocklist_list(v, id));
	ck_assert_int_eq(lab_count(v, UINT16_MAX), 1);
	lab_add(bl, "c", "other.test", RULE_EXACT);
	lab_verify(v);
	ck_assert_int_eq(blocklist_list_named(v, "c")->id, id);
	ck_assert_int_eq(lab_count(v, id), 1);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(bad_items)
{
	static const struct {
		const char *key;
		int kind, action;
	} cases[] = {
		{"evil.test", RULE_KIND_N, RULE_GIVEN},
		{"evil.test", RULE_EXACT, RULE_DISABLED},
		{"evil.test", RULE_EXACT, RULE_ACTION_N},
		{"192.0.2.1/32", 0, RULE_GIVEN},
		{"192.0.2.1/32", 8, RULE_GIVEN},
	};
	struct blocklist *bl = lab_open("s");
	struct blocklist_item it;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		it = lab_item(cases[i].key, cases[i].kind);
		it.action = (uint8_t)cases[i].action;
		ck_assert_int_eq(blocklist_add(bl, "a", &it), ERR_INVAL);
	}
	it = lab_item("192.0.2.1/32", RULE_ADDR_ANSWER);
	it.key.prefix.bits = 33;
	ck_assert_int_eq(blocklist_add(bl, "a", &it), ERR_INVAL);
	blocklist_close(bl);
}
END_TEST

struct walked {
	struct blocklist_view *v;
	int n;
	char text[1024];
};

static int walk_one(void *arg, const struct blocklist_key *key, const struct rule *rule)
{
	struct walked *w = arg;
	char text[DNS_NAME_TEXT_MAX];
	struct blocklist_entry e;
	struct rule r[4];
	/* looking things up in between does not disturb the walk */
	ck_assert_int_eq(blocklist_entry_of_rule(w->v, &e, rule, key), 0);
	ck_assert_int_ge(blocklist_find_name(w->v, r, 4, BLOCKLIST_CLASS_ALL, key->name),
			 0);
	if (key->prefix.addr.family)
		prefix_to_text(text, &key->prefix);
	else
		name_to_text(text, key->name);
	strcat(strcat(w->text, w->text[0] ? " " : ""), text);
	return --w->n ? 0 : 42;
}

START_TEST(walks)
{
	struct blocklist *bl = lab_open("s");
	lab_add(bl, "a", "www.evil.test", RULE_SUBTREE);
	lab_add(bl, "b", "evil.test", RULE_SUBTREE);
	lab_add(bl, "a", "evil.test", RULE_SUBTREE);
	lab_add(bl, "a", "192.0.2.0/24", RULE_ADDR_ANSWER);
	lab_add(bl, "a", "other.example", RULE_EXACT);
	struct blocklist_view *v = lab_view(bl);
	struct walked w = {.v = v, .n = 100};
	ck_assert_int_eq(blocklist_walk(v, UINT16_MAX, walk_one, &w), 0);
	ck_assert_str_eq(w.text,
			 "evil.test evil.test www.evil.test other.example 192.0.2.0/24");
	w = (struct walked){.v = v, .n = 100};
	ck_assert_int_eq(
		blocklist_walk(v, blocklist_list_named(v, "a")->id, walk_one, &w), 0);
	ck_assert_str_eq(w.text, "evil.test www.evil.test other.example 192.0.2.0/24");
	w = (struct walked){.v = v, .n = 2};
	ck_assert_int_eq(blocklist_walk(v, UINT16_MAX, walk_one, &w), 42);
	ck_assert_int_eq(blocklist_walk(v, 77, walk_one, &w), ERR_NOENT);
	struct blocklist_stats st;
	ck_assert_int_eq(blocklist_stats_get(v, &st), 0);
	ck_assert_uint_eq(st.names, 4);
	ck_assert_uint_eq(st.addresses, 1);
	ck_assert_uint_eq(st.entries, 5);
	ck_assert_uint_eq(st.lists, 2);
	ck_assert_uint_gt(st.map_size, st.file_bytes);
	ck_assert_uint_ge(st.file_bytes, st.bytes_used);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(views_are_snapshots)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v, *w = lab_view(bl);
	struct rule r[1];
	const uint8_t root[1] = {0};
	const struct addr a = {.family = 4};
	struct blocklist_stats st;
	ck_assert_int_eq(blocklist_view_open(&v, bl), 0);
	/* no snapshot: neither listed nor clean */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(blocklist_find_name(v, r, 1, BLOCKLIST_CLASS_ALL, root),
				 ERR_INVAL);
		ck_assert_int_eq(blocklist_find_addr(v, r, 1, BLOCKLIST_CLASS_ALL, 7, &a),
				 ERR_INVAL);
		uint8_t class;
		ck_assert_int_eq(blocklist_class_of(v, &class, &a), ERR_INVAL);
		ck_assert_int_eq(blocklist_stats_get(v, &st), ERR_INVAL);
		ck_assert_int_eq(blocklist_verify(v, NULL, NULL), ERR_INVAL);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		ck_assert_int_eq(blocklist_find_name(v, r, 1, BLOCKLIST_CLASS_ALL, root),
				 0);
		blocklist_view_reset(v);
	}
	lab_add(bl, "a", "evil.test", RULE_SUBTREE);
	ck_assert_str_eq(lab_find(w, "evil.test"), "");
	ck_assert_int_eq(blocklist_view_renew(w), 0);
	ck_assert_str_eq(lab_find(w, "evil.test"), "a:s/2");
	ck_assert_int_eq(lab_remove(bl, "a", "evil.test"), 0);
	ck_assert_str_eq(lab_find(w, "evil.test"), "a:s/2");
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_str_eq(lab_find(v, "evil.test"), "");
	blocklist_view_close(v);
	blocklist_view_close(w);
	blocklist_close(bl);
}
END_TEST

/* P4 across processes: what another one has committed is seen by the next renew. */
START_TEST(other_process_is_seen)
{
	int to_child[2], to_parent[2];
	const char *path = unit_path("s");
	char c = 0, name[32];
	ck_assert_int_eq(pipe(to_child) | pipe(to_parent), 0);
	pid_t child = fork();
	if (child == 0) {
		struct blocklist *bl = lab_open_at(path);
		for (int i = 0; i < 50; i++) {
			if (read(to_child[0], &c, 1) != 1)
				_exit(1);
			snprintf(name, sizeof name, "n%d.test", i);
			lab_add(bl, "a", name, RULE_EXACT);
			if (write(to_parent[1], &c, 1) != 1)
				_exit(1);
		}
		blocklist_close(bl);
		_exit(0);
	}
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_view *v = lab_view(bl);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "n%d.test", i);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		ck_assert_str_eq(lab_find(v, name), "");
		ck_assert_int_eq(write(to_child[1], &c, 1), 1);
		ck_assert_int_eq(read(to_parent[0], &c, 1), 1);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		ck_assert_str_eq(lab_find(v, name), "a:e/2");
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(two_writers)
{
	pid_t child[2];
	const char *path = unit_path("s");
	char name[32];
	for (int c = 0; c < 2; c++) {
		child[c] = fork();
		if (child[c])
			continue;
		struct blocklist *bl =
			lab_open_at(path); /* made by whoever comes first */
		for (int i = 0; i < 60; i++) {
			snprintf(name, sizeof name, "n%d.test", i);
			lab_add(bl, c ? "a" : "b", name, RULE_EXACT);
			lab_add(bl, "shared", name, RULE_EXACT);
			if (i % 3 == c && lab_remove(bl, c ? "a" : "b", name))
				_exit(1);
		}
		blocklist_close(bl);
		_exit(0);
	}
	for (int c = 0; c < 2; c++) {
		int status;
		ck_assert_int_eq(waitpid(child[c], &status, 0), child[c]);
		ck_assert_int_eq(status, 0);
	}
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_view *v = lab_view(bl);
	lab_verify(v);
	ck_assert_uint_eq(blocklist_list_named(v, "a")->names, 40);
	ck_assert_uint_eq(blocklist_list_named(v, "b")->names, 40);
	ck_assert_uint_eq(blocklist_list_named(v, "shared")->names, 60);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

enum { THREADS = 3, EDITS = 150 };

struct looker {
	struct blocklist *bl;
	atomic_int seen, done; /* edits committed; no more to come */
};

/* What was committed before a renew is seen after it, by every thread. */
static void *look(void *arg)
{
	struct looker *l = arg;
	struct blocklist_view *v;
	struct rule r[2];
	char text[32];
	if (blocklist_view_open(&v, l->bl))
		return (void *)(uintptr_t) "view";
	const char *error = NULL;
	while (!error && !atomic_load(&l->done)) {
		uint8_t name[DNS_NAME_MAX];
		int n = atomic_load(&l->seen);
		if (blocklist_view_renew(v))
			error = "renew";
		for (int i = 0; !error && i < n; i += 7) {
			snprintf(text, sizeof text, "n%d.test", i);
			if (name_from_str(name, text) ||
			    blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, name) !=
				    1 ||
			    !blocklist_list(v, r[0].list))
				error = "not seen";
		}
		if (n % 3 == 0)
			blocklist_view_reset(v);
	}
	blocklist_view_close(v);
	return (void *)(uintptr_t)error;
}

START_TEST(threads)
{
	struct looker l = {.bl = lab_open("s")};
	pthread_t t[THREADS];
	char text[32];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, look, &l), 0);
	for (int i = 0; i < EDITS; i++) {
		snprintf(text, sizeof text, "n%d.test", i);
		lab_add(l.bl, i % 50 ? "a" : text, text, RULE_EXACT);
		atomic_store(&l.seen, i + 1);
	}
	atomic_store(&l.done, 1);
	for (int i = 0; i < THREADS; i++) {
		void *error;
		ck_assert_int_eq(pthread_join(t[i], &error), 0);
		ck_assert_msg(!error, "%s", (char *)error);
	}
	blocklist_close(l.bl);
}
END_TEST

UNIT_SUITE("blocklist", names, upper_case, extremes, names_like_the_definition, addresses,
	   addresses_like_the_definition, best_precedence_is_kept, entries,
	   generation_follows_rules, never_block_stays, lists, bad_items, walks,
	   views_are_snapshots, other_process_is_seen, two_writers, threads)
