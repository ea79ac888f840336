/* Who opted out, who is in which group, which lists that means. */
#include "tests/unit/blocklist_lab.h"
#include "tests/unit/opt_out.h"
#include "zones/client_line.h"

static struct prefix prefix(const char *text)
{
	struct prefix p;
	ck_assert_int_eq(prefix_from_text(&p, text, strlen(text)), 0);
	return p;
}

static struct addr addr(const char *text)
{
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), 0);
	return a;
}

static int class_of(struct blocklist_view *v, const char *text)
{
	struct addr a = addr(text);
	uint8_t class;
	int err = blocklist_class_of(v, &class, &a);
	return err ? err : class;
}

static int opt_out(struct blocklist *bl, const char *text)
{
	struct prefix p = prefix(text);
	return unit_opt_out(bl, &p);
}

static int put_in(struct blocklist *bl, const char *text, uint16_t group)
{
	const struct blocklist_client c = {.prefix = prefix(text), .group = group};
	return blocklist_client_put(bl, &c);
}

static int take_out(struct blocklist *bl, const char *text)
{
	struct prefix p = prefix(text);
	return blocklist_client_remove(bl, &p);
}

/* lists: "a b"; "!a b": all but these. */
static int set_group(struct blocklist *bl, const char *name, const char *lists)
{
	const char *list[8], *missing;
	char copy[256], *rest;
	int n = 0;
	bool except = *lists == '!';
	snprintf(copy, sizeof copy, "%s", lists + except);
	for (char *p = strtok_r(copy, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
		list[n++] = p;
	return blocklist_group_set(bl, name, except, list, n, &missing);
}

static const struct blocklist_group *group(struct blocklist_view *v, const char *name)
{
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	return blocklist_group_named(v, name);
}

static int count_client(void *arg, const struct blocklist_client *client)
{
	(void)client;
	++*(int *)arg;
	return 0;
}

static int count(struct blocklist_view *v)
{
	int n = 0;
	ck_assert_int_eq(blocklist_walk_clients(v, count_client, &n), 0);
	return n;
}

START_TEST(opt_outs)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	uint64_t generation = lab_generation(v);
	struct blocklist_client c = {.prefix = prefix("192.0.2.0/24")};
	ck_assert_int_eq(class_of(v, "192.0.2.9"), BLOCKLIST_CLASS_ALL);
	ck_assert_int_eq(opt_out(bl, "192.0.2.0/24"), 0);
	ck_assert_int_eq(opt_out(bl, "192.0.2.0/24"), 0);
	ck_assert_int_eq(opt_out(bl, "2001:db8:1::/48"), 0);
	ck_assert_int_eq(opt_out(bl, "198.51.100.7/32"), 0);
	ck_assert_int_eq(class_of(v, "192.0.2.9"), BLOCKLIST_CLASS_ALL); /* not renewed */
	ck_assert_uint_eq(lab_generation(v), generation);
	ck_assert_int_eq(class_of(v, "192.0.2.9"), BLOCKLIST_CLASS_NONE);
	ck_assert_int_eq(class_of(v, "192.0.3.9"), BLOCKLIST_CLASS_ALL);
	ck_assert_int_eq(class_of(v, "2001:db8:1:2::3"), BLOCKLIST_CLASS_NONE);
	ck_assert_int_eq(class_of(v, "2001:db8:2::"), BLOCKLIST_CLASS_ALL);
	ck_assert_int_eq(class_of(v, "198.51.100.7"), BLOCKLIST_CLASS_NONE);
	ck_assert_int_eq(class_of(v, "198.51.100.8"), BLOCKLIST_CLASS_ALL);
	ck_assert_int_eq(count(v), 3);
	ck_assert_int_eq(take_out(bl, "192.0.2.0/24"), 0);
	ck_assert_int_eq(take_out(bl, "192.0.2.0/24"), ERR_NOENT);
	lab_verify(v);
	ck_assert_int_eq(class_of(v, "192.0.2.9"), BLOCKLIST_CLASS_ALL);
	c.prefix.bits = 33;
	ck_assert_int_eq(blocklist_client_put(bl, &c), ERR_INVAL);
	c.prefix.bits = 24;
	c.group = 0;
	ck_assert_int_eq(blocklist_client_put(bl, &c), ERR_NOENT); /* no such group */
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(reasons_and_days)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct addr a = addr("192.0.2.9");
	struct blocklist_client c = {.prefix = prefix("192.0.2.0/24"), .opt_out = true},
				f;
	ck_assert_int_eq(blocklist_client_find(v, &f, &a), 0);
	memset(c.reason, 'r', sizeof c.reason - 1);
	ck_assert_int_eq(blocklist_client_put(bl, &c), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(blocklist_client_find(v, &f, &a), 1);
	ck_assert_str_eq(f.reason, c.reason);
	ck_assert(f.opt_out && f.prefix.bits == 24 && f.since);
	/* Another reason for the same is no new beginning. */
	strcpy(c.reason, "ticket 4711");
	ck_assert_int_eq(blocklist_client_put(bl, &c), 0);
	lab_verify(v);
	uint32_t since = f.since;
	ck_assert_int_eq(blocklist_client_find(v, &f, &a), 1);
	ck_assert_str_eq(f.reason, "ticket 4711");
	ck_assert_uint_eq(f.since, since);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(classes_are_sets_of_lists)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	lab_add(bl, "a", "a.example", RULE_SUBTREE);
	lab_add(bl, "b", "b.example", RULE_SUBTREE);
	uint64_t generation = lab_generation(v);
	ck_assert_int_eq(set_group(bl, "x", "nothing"), ERR_NOENT);
	ck_assert_int_eq(set_group(bl, "x y", "a"), ERR_INVAL);
	ck_assert_int_eq(set_group(bl, "x", "a"), 0);
	ck_assert_int_eq(set_group(bl, "same", "a"), 0);
	ck_assert_int_eq(set_group(bl, "other", "b"), 0);
	ck_assert_int_eq(set_group(bl, "all", "!"), 0);
	ck_assert_int_eq(set_group(bl, "none", ""), 0);
	ck_assert_int_eq(set_group(bl, "without-a", "!a"), 0);
	unsigned x = group(v, "x")->class, other = group(v, "other")->class;
	unsigned without = group(v, "without-a")->class;
	ck_assert_uint_ge(x, BLOCKLIST_CLASS_GROUPS);
	ck_assert_uint_eq(group(v, "same")->class, x);
	ck_assert_uint_ne(other, x);
	ck_assert_uint_eq(group(v, "all")->class, BLOCKLIST_CLASS_ALL);
	ck_assert_uint_eq(group(v, "none")->class, BLOCKLIST_CLASS_NONE);
	uint16_t a = blocklist_list_named(v, "a")->id,
		 b = blocklist_list_named(v, "b")->id;
	ck_assert(blocklist_class_has(v, x, a) && !blocklist_class_has(v, x, b));
	ck_assert(!blocklist_class_has(v, without, a) &&
		  blocklist_class_has(v, without, b));
	/* A list that comes later. */
	lab_add(bl, "c", "c.example", RULE_SUBTREE);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	uint16_t c = blocklist_list_named(v, "c")->id;
	ck_assert(!blocklist_class_has(v, x, c) && blocklist_class_has(v, without, c));
	ck_assert_uint_eq(lab_generation(v), generation + 1); /* c's, not the groups' */
	/* x goes its own way, "same" keeps number and memory. */
	uint64_t since = blocklist_class_since(v, x);
	ck_assert_int_eq(set_group(bl, "x", "a b"), 0);
	ck_assert_uint_ne(group(v, "x")->class, x);
	ck_assert_uint_eq(group(v, "same")->class, x);
	ck_assert_uint_eq(blocklist_class_since(v, x), since);
	/* Alone in its class: the number stays, what is remembered of it does not. */
	ck_assert_int_eq(set_group(bl, "other", "b c"), 0);
	ck_assert_uint_eq(group(v, "other")->class, other);
	uint64_t now = blocklist_class_since(v, other);
	ck_assert_int_eq(set_group(bl, "other", "c b"), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_class_since(v, other), now); /* nothing changed */
	ck_assert_uint_eq(lab_generation(v), generation + 1);
	/* Nobody has that class: the strictest there is. */
	ck_assert(blocklist_class_has(v, 126, a));
	lab_verify(v);
	/* The id of a removed list may be given to another one. */
	ck_assert_int_eq(blocklist_list_remove(bl, "a"), 0);
	lab_add(bl, "d", "d.example", RULE_SUBTREE);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_list_named(v, "d")->id, a);
	ck_assert(!blocklist_class_has(v, group(v, "same")->class, a));
	ck_assert(blocklist_class_has(v, group(v, "without-a")->class, a));
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(groups_come_and_go)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	lab_add(bl, "a", "a.example", RULE_SUBTREE);
	ck_assert_int_eq(set_group(bl, "x", "a"), 0);
	ck_assert_int_eq(set_group(bl, "y", "!a"), 0);
	uint16_t x = group(v, "x")->id, y = group(v, "y")->id;
	ck_assert_int_eq(put_in(bl, "192.0.2.0/24", y), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(class_of(v, "192.0.2.1"), group(v, "y")->class);
	ck_assert_int_eq(blocklist_group_remove(bl, "y"), ERR_EXIST);
	ck_assert_int_eq(blocklist_group_remove(bl, "z"), ERR_NOENT);
	ck_assert_int_eq(blocklist_group_remove(bl, "x"), 0);
	ck_assert_ptr_null(group(v, "x"));
	ck_assert_ptr_null(blocklist_group(v, x));
	ck_assert_int_eq(put_in(bl, "192.0.2.7/32", x), ERR_NOENT);
	/* A group that changes its lists takes its clients along. */
	ck_assert_int_eq(set_group(bl, "y", ""), 0);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(class_of(v, "192.0.2.1"), BLOCKLIST_CLASS_NONE);
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(more_sets_than_classes)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	char name[16], lists[64];
	int made = 0, err = 0;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "l%d", i);
		lab_add(bl, name, "a.example", RULE_SUBTREE);
	}
	for (int i = 1; i < 256 && !err; i++) {
		size_t n = 0;
		for (int bit = 0; bit < 8; bit++)
			if (i >> bit & 1)
				n += (size_t)snprintf(lists + n, sizeof lists - n, " l%d",
						      bit);
		snprintf(name, sizeof name, "g%d", i);
		err = set_group(bl, name, lists);
		made += !err;
	}
	ck_assert_int_eq(err, ERR_FULL);
	ck_assert_int_eq(made, BLOCKLIST_CLASSES - BLOCKLIST_CLASS_GROUPS);
	ck_assert_int_eq(set_group(bl, "again", "l0"), 0); /* as g1 */
	ck_assert_uint_eq(group(v, "again")->class, group(v, "g1")->class);
	/* All are different. */
	bool seen[BLOCKLIST_CLASSES] = {false};
	for (int i = 1; i <= made; i++) {
		snprintf(name, sizeof name, "g%d", i);
		unsigned c = group(v, name)->class;
		ck_assert(!seen[c]);
		seen[c] = true;
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(rules_of_a_class)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct rule r[4];
	uint8_t name[DNS_NAME_MAX];
	char list[16];
	struct addr a = addr("192.0.2.1");
	/* So many better ones that those of the group's list would find no room. */
	for (int i = 0; i < 8; i++) {
		snprintf(list, sizeof list, "l%d", i);
		lab_add(bl, list, "a.example", RULE_SUBTREE);
		lab_add(bl, list, "192.0.2.0/24", RULE_ADDR_ANSWER);
	}
	ck_assert_int_eq(set_group(bl, "x", "l7"), 0);
	unsigned class = group(v, "x")->class;
	ck_assert_int_eq(name_from_str(name, "www.a.example"), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 4, class, name), 1);
	ck_assert_str_eq(blocklist_list(v, r[0].list)->name, "l7");
	ck_assert_int_eq(blocklist_find_addr(v, r, 4, class, RULE_ADDR_ANSWER, &a), 1);
	ck_assert_str_eq(blocklist_list(v, r[0].list)->name, "l7");
	ck_assert_int_eq(blocklist_find_name(v, r, 4, BLOCKLIST_CLASS_NONE, name), 0);
	ck_assert_int_eq(blocklist_find_name(v, r, 4, BLOCKLIST_CLASS_ALL, name), 4);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* ---- against the definition ---- */

enum { MODEL_MAX = 400 };
static struct blocklist_client model[MODEL_MAX];
static int model_n;

static int model_class(struct blocklist_view *v, const struct addr *a)
{
	const struct blocklist_client *best = NULL;
	for (int i = 0; i < model_n; i++) {
		const struct blocklist_client *c = &model[i];
		if (!prefix_covers(&c->prefix, a))
			continue;
		if (c->opt_out)
			return BLOCKLIST_CLASS_NONE;
		if (!best || c->prefix.bits > best->prefix.bits)
			best = c;
	}
	return best ? blocklist_group(v, best->group)->class : BLOCKLIST_CLASS_ALL;
}

/* In a small space, so that prefixes cover each other. */
static struct addr random_addr(uint64_t *state)
{
	struct addr a = {.family = lab_random(state, 2) ? 6 : 4};
	a.bytes[0] = 10;
	for (size_t i = 1; i < addr_len(&a); i++)
		a.bytes[i] = (uint8_t)(lab_random(state, 3) ? 0 : lab_random(state, 256));
	return a;
}

static void model_change(struct blocklist *bl, uint64_t *state)
{
	struct addr a = random_addr(state);
	struct blocklist_client c = {
		.prefix = prefix_of(&a, lab_random(state, a.family == 4 ? 33 : 129)),
		.opt_out = !lab_random(state, 3),
		.group = (uint16_t)lab_random(state, 3)};
	int at = 0;
	while (at < model_n && (model[at].prefix.bits != c.prefix.bits ||
				!addr_equal(&model[at].prefix.addr, &c.prefix.addr)))
		at++;
	if (at < model_n && lab_random(state, 2)) {
		ck_assert_int_eq(blocklist_client_remove(bl, &c.prefix), 0);
		model[at] = model[--model_n];
	} else if (at < MODEL_MAX) {
		ck_assert_int_eq(blocklist_client_put(bl, &c), 0);
		model[at] = c;
		model_n += at == model_n;
	}
}

START_TEST(like_the_definition)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	uint64_t state = 5;
	lab_add(bl, "a", "a.example", RULE_SUBTREE);
	lab_add(bl, "b", "b.example", RULE_SUBTREE);
	ck_assert_int_eq(set_group(bl, "x", "a"), 0);
	ck_assert_int_eq(set_group(bl, "y", "b"), 0);
	ck_assert_int_eq(set_group(bl, "z", "a b"), 0);
	for (int round = 0; round < 300; round++) {
		model_change(bl, &state);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		for (int i = 0; i < 40; i++) {
			struct addr a = random_addr(&state);
			uint8_t class;
			/* Twice: the second is remembered. */
			for (int again = 0; again < 2; again++) {
				ck_assert_int_eq(blocklist_class_of(v, &class, &a), 0);
				ck_assert_int_eq(class, model_class(v, &a));
			}
		}
	}
	lab_verify(v);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* ---- imports ---- */

static struct blocklist_client_item item(const char *text, int group)
{
	return (struct blocklist_client_item){.prefix = prefix(text),
					      .opt_out = group < 0,
					      .group = (uint16_t)group,
					      .reason = "why"};
}

START_TEST(imports)
{
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_changes ch;
	lab_add(bl, "a", "a.example", RULE_SUBTREE);
	ck_assert_int_eq(set_group(bl, "x", "a"), 0);
	ck_assert_int_eq(set_group(bl, "y", "!a"), 0);
	int x = group(v, "x")->id, y = group(v, "y")->id;
	struct blocklist_client_item t[] = {
		item("192.0.2.0/24", -1), item("2001:db8::/32", x), item("10.0.0.0/8", y),
		item("10.0.0.0/8", x), item("198.51.100.0/24", y)};
	ck_assert_int_eq(blocklist_clients_import(bl, t, 5, false, &ch), 0);
	ck_assert_uint_eq(ch.added, 4);
	ck_assert_uint_eq(ch.duplicates, 1);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_int_eq(class_of(v, "10.1.2.3"), group(v, "x")->class); /* the last */
	/* Nothing new is no write at all. */
	struct blocklist_client_item same[] = {item("192.0.2.0/24", -1)};
	uint64_t revision = blocklist_view_classes(v)->clients_revision;
	ck_assert_int_eq(blocklist_clients_import(bl, same, 1, false, &ch), 0);
	ck_assert_uint_eq(ch.unchanged, 1);
	ck_assert_int_eq(blocklist_view_renew(v), 0);
	ck_assert_uint_eq(blocklist_view_classes(v)->clients_revision, revision);
	/* What is in the same groups and not in the file goes; others stay. */
	struct blocklist_client_item next[] = {item("10.0.0.0/9", x)};
	ck_assert_int_eq(blocklist_clients_import(bl, next, 1, true, &ch), 0);
	ck_assert_uint_eq(ch.added, 1);
	ck_assert_uint_eq(ch.removed, 2);
	lab_verify(v);
	ck_assert_int_eq(count(v), 3);
	ck_assert_int_eq(class_of(v, "10.200.2.3"), BLOCKLIST_CLASS_ALL);
	ck_assert_int_eq(class_of(v, "192.0.2.3"), BLOCKLIST_CLASS_NONE);
	ck_assert_int_eq(class_of(v, "198.51.100.1"), group(v, "y")->class);
	/* One that cannot be is none at all. */
	struct blocklist_client_item bad[] = {item("203.0.113.0/24", -1),
					      item("203.0.113.1/32", 77)};
	ck_assert_int_eq(blocklist_clients_import(bl, bad, 2, true, &ch), ERR_NOENT);
	lab_verify(v);
	ck_assert_int_eq(count(v), 3);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(many)
{
	enum { N = 50000 };
	struct blocklist *bl = lab_open("s");
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_client_item *t = calloc(N, sizeof *t);
	struct blocklist_changes ch;
	for (uint32_t i = 0; i < N; i++) {
		uint32_t a = htonl(0x0a000000 + i * 2);
		struct addr at = {.family = 4};
		memcpy(at.bytes, &a, 4);
		t[(i * 7919) % N] = (struct blocklist_client_item){
			.prefix = prefix_of(&at, 32), .opt_out = true};
	}
	ck_assert_int_eq(blocklist_clients_import(bl, t, N, false, &ch), 0);
	ck_assert_uint_eq(ch.added, N);
	lab_verify(v);
	for (uint32_t i = 0; i < 2 * N; i++) {
		uint32_t a = htonl(0x0a000000 + i);
		struct addr at = {.family = 4};
		uint8_t class;
		memcpy(at.bytes, &a, 4);
		ck_assert_int_eq(blocklist_class_of(v, &class, &at), 0);
		ck_assert_int_eq(class,
				 i % 2 ? BLOCKLIST_CLASS_ALL : BLOCKLIST_CLASS_NONE);
	}
	free(t);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

START_TEST(lines)
{
	static const struct {
		const char *line;
		enum client_line_error e;
		const char *prefix, *group, *reason;
	} t[] = {
		{"192.0.2.0/24", CLIENT_LINE_GOOD, "192.0.2.0/24", "", ""},
		{" 192.0.2.1 \r\n", CLIENT_LINE_GOOD, "192.0.2.1/32", "", ""},
		{"2001:db8::/32,opt-out", CLIENT_LINE_GOOD, "2001:db8::/32", "opt-out",
		 ""},
		{"192.0.2.0/24 , kids , ticket #7", CLIENT_LINE_GOOD, "192.0.2.0/24",
		 "kids", "ticket #7"},
		{"192.0.2.0/24,,\"a, \"\"b\"\"\"", CLIENT_LINE_GOOD, "192.0.2.0/24", "",
		 "a, \"b\""},
		{"\"192.0.2.0/24\",\"kids\"", CLIENT_LINE_GOOD, "192.0.2.0/24", "kids",
		 ""},
		{"192.0.2.0/24 # ours, all", CLIENT_LINE_GOOD, "192.0.2.0/24", "", ""},
		{"192.0.2.0/24,g,", CLIENT_LINE_GOOD, "192.0.2.0/24", "g", ""},
		{"", CLIENT_LINE_NOTHING, "", "", ""},
		{"  # nothing", CLIENT_LINE_NOTHING, "", "", ""},
		{"prefix,group,reason", CLIENT_LINE_NOTHING, "", "", ""},
		{"192.0.2.1/24", CLIENT_LINE_HOST_BITS, "", "", ""},
		{"192.0.2.0/33", CLIENT_LINE_PREFIX, "", "", ""},
		{"example.com", CLIENT_LINE_PREFIX, "", "", ""},
		{",kids", CLIENT_LINE_PREFIX, "", "", ""},
		{"192.0.2.0/24,two words", CLIENT_LINE_GROUP, "", "", ""},
		{"192.0.2.0/24,k\xc3\xa4se", CLIENT_LINE_GROUP, "", "", ""},
		{"192.0.2.0/24,a,b,c", CLIENT_LINE_FIELDS, "", "", ""},
		{"192.0.2.0/24,a,\"b", CLIENT_LINE_FIELDS, "", "", ""},
		{"192.0.2.0/24,a,\"b\"\"", CLIENT_LINE_FIELDS, "", "", ""},
		{"192.0.2.0/24,a,\"b\" c", CLIENT_LINE_FIELDS, "", "", ""},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct client_line l;
		char text[PREFIX_TEXT_MAX];
		ck_assert_msg(client_line_read(&l, t[i].line, strlen(t[i].line)) ==
				      t[i].e,
			      "%s", t[i].line);
		if (t[i].e != CLIENT_LINE_GOOD)
			continue;
		ck_assert_str_eq(prefix_to_text(text, &l.prefix), t[i].prefix);
		ck_assert_str_eq(l.group, t[i].group);
		ck_assert_str_eq(l.reason, t[i].reason);
	}
}
END_TEST

UNIT_SUITE("blocklist_client", opt_outs, reasons_and_days, classes_are_sets_of_lists,
	   groups_come_and_go, more_sets_than_classes, rules_of_a_class,
	   like_the_definition, imports, many, lines)
