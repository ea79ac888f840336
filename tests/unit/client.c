/* Who may ask, and what is remembered of a class. Changes under questions are in
 * tests/unit/serve.c. */
#include "resolver/client.h"
#include "tests/unit/blocklist_lab.h"

START_TEST(allow_list)
{
	static const char text[] = "allow: [127.0.0.0/8, 192.0.2.0/24, \"64:ff9b::/96\", "
				   "\"2001:db8::/32\"]\n";
	static const struct {
		const char *client;
		bool allowed;
	} t[] = {
		{"127.0.0.1", true},	      {"192.0.2.9", true},
		{"192.0.3.9", false},	      {"2001:db8::1", true},
		{"::ffff:192.0.2.9", true},   {"::ffff:192.0.3.9", false},
		{"2002:7f00:1::1", false},   /* 6to4 of 127.0.0.1: anybody can be that */
		{"2002:c000:209::1", false}, /* of 192.0.2.9 */
		{"64:ff9b::192.0.3.9", true},
	};
	struct conf *conf;
	struct conf_error error;
	ck_assert_msg(!conf_parse(&conf, text, sizeof text - 1, "t.yaml", &error), "%s",
		      error.text);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct addr a;
		ck_assert_int_eq(addr_from_text(&a, t[i].client, strlen(t[i].client)), 0);
		ck_assert_msg(client_allowed(conf, &a) == t[i].allowed, "%s",
			      t[i].client);
	}
	conf_free(conf);
}
END_TEST

enum { LISTS = 4, GROUPS = 5, ROUNDS = 400, SEEN_MAX = ROUNDS * (GROUPS + 1) };

/* What a cache holds a verdict by, and the lists that made it. */
struct seen {
	unsigned class, lists;
	struct blocklist_stamp stamp;
};

static unsigned lists_of(struct blocklist_view *v, unsigned class)
{
	unsigned set = 0;
	for (int i = 0; i < LISTS; i++) {
		const char name[] = {(char)('a' + i), 0};
		const struct blocklist_list *l = blocklist_list_named(v, name);
		set |= (unsigned)(l && blocklist_class_has(v, class, l->id)) << i;
	}
	return set;
}

static void change(struct blocklist *bl, uint64_t *state)
{
	const char *names[LISTS], *missing;
	static const char text[LISTS][2] = {"a", "b", "c", "d"};
	const char group[] = {(char)('A' + lab_random(state, GROUPS)), 0};
	int n = 0;
	for (int i = 0; i < LISTS; i++)
		if (lab_random(state, 2))
			names[n++] = text[i];
	switch (lab_random(state, 12)) {
	case 0:
		(void)!blocklist_group_remove(bl, group);
		break;
	case 1:
		(void)!blocklist_list_remove(bl, text[lab_random(state, LISTS)]);
		break;
	case 2:
		lab_add(bl, text[lab_random(state, LISTS)], "x.example", RULE_EXACT);
		break;
	default: /* a list may be missing */
		(void)!blocklist_group_set(bl, group, lab_random(state, 2), names, n,
					   &missing);
	}
}

static void check_seen(struct seen *seen, int *n, const struct policy *p, unsigned class)
{
	const struct seen now = {class, lists_of(p->view, class), policy_stamp(p, class)};
	for (int i = 0; i < *n; i++)
		if (seen[i].class == class && seen[i].stamp.epoch == now.stamp.epoch &&
		    seen[i].stamp.generation == now.stamp.generation)
			ck_assert_uint_eq(seen[i].lists, now.lists);
	seen[(*n)++] = now;
}

/* The same class under the same stamp is the same set of lists, whatever changed between:
 * else a verdict that is remembered would be told to who is under other lists. */
START_TEST(a_stamp_never_means_two_sets)
{
	static struct seen seen[SEEN_MAX];
	uint64_t state = 5;
	int n = 0;
	struct blocklist *bl = lab_open("stamps");
	struct blocklist_view *v = lab_view(bl);
	for (int i = 0; i < LISTS; i++)
		lab_add(bl, (const char[]){(char)('a' + i), 0}, "x.example", RULE_EXACT);
	for (int round = 0; round < ROUNDS; round++) {
		change(bl, &state);
		ck_assert_int_eq(blocklist_view_renew(v), 0);
		struct policy p = {.view = v, .stamp = blocklist_view_stamp(v)};
		check_seen(seen, &n, &p, POLICY_ALL);
		for (uint16_t id = 0; id < GROUPS; id++) {
			const struct blocklist_group *g = blocklist_group(v, id);
			if (g)
				check_seen(seen, &n, &p, g->class);
		}
	}
	ck_assert_int_gt(n, ROUNDS);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

UNIT_SUITE("client", allow_list, a_stamp_never_means_two_sets)
