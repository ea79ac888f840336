#include "tools/blocklist_seen.h"

#include <stdio.h>

#include "tests/unit/unit.h"

static struct blocklist_item item_of(const char *name, unsigned kind)
{
	struct blocklist_item it = {.kind = (uint8_t)kind};
	ck_assert_int_eq(name_from_str(it.key.name, name), 0);
	return it;
}

static enum seen_as put(struct seen *s, const struct blocklist_item *it)
{
	return seen_put(s, it, seen_hash(s, it));
}

/* Each kind of a name is a rule of its own, whichever comes first. */
START_TEST(kinds)
{
	static const unsigned kind[] = {RULE_EXACT, RULE_SUBTREE, RULE_WILDCARD,
					RULE_NS_EXACT, RULE_NS_WILDCARD};
	enum { N = sizeof kind / sizeof *kind };
	for (int first = 0; first < N; first++) {
		struct seen s;
		seen_init(&s);
		for (int i = 0; i < 2 * N; i++) {
			struct blocklist_item it =
				item_of("a.test", kind[(first + i) % N]);
			ck_assert_int_eq(put(&s, &it), i < N ? SEEN_NEW : SEEN_DUPLICATE);
		}
		ck_assert_uint_eq(s.distinct, N);
		seen_fini(&s);
	}
}
END_TEST

START_TEST(addresses)
{
	struct seen s;
	struct blocklist_item it = {.kind = RULE_ADDR_ANSWER};
	seen_init(&s);
	it.key.prefix = (struct prefix){.addr = {.bytes = {192}, .family = 4}, .bits = 8};
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(put(&s, &it), i ? SEEN_DUPLICATE : SEEN_NEW);
	it.key.prefix.bits = 9;
	ck_assert_int_eq(put(&s, &it), SEEN_NEW);
	it.key.prefix.addr.family = 6;
	ck_assert_int_eq(put(&s, &it), SEEN_NEW);
	it.kind |= RULE_ADDR_SERVER;
	ck_assert_int_eq(put(&s, &it), SEEN_NEW);
	seen_fini(&s);
}
END_TEST

/* Records of a name and those of its wildcard are not each other's. */
START_TEST(data)
{
	static const unsigned kind[] = {RULE_EXACT, RULE_WILDCARD};
	struct seen s;
	seen_init(&s);
	for (int i = 0; i < 2; i++) {
		struct blocklist_item it = item_of("a.test", kind[i]), action = it;
		for (uint8_t k = 0; k < 4; k++) {
			const uint8_t address[4] = {192, 0, 2, k / 2};
			const struct blocklist_rr rr = {DNS_A, 4, 60, address};
			it.action = RULE_LOCAL_DATA;
			it.entry.data.len = 0;
			ck_assert_int_eq(blocklist_data_add(&it.entry.data, &rr), 0);
			ck_assert_int_eq(put(&s, &it), k == 0	? SEEN_NEW
						       : k == 2 ? SEEN_MORE
								: SEEN_DUPLICATE);
		}
		action.action = RULE_NXDOMAIN;
		ck_assert_int_eq(put(&s, &action), SEEN_BESIDE);
	}
	ck_assert_uint_eq(s.distinct, 2);
	seen_fini(&s);
}
END_TEST

/* As it grows, with and without being told how far. */
START_TEST(many)
{
	enum { N = 400000 };
	for (uint64_t told = 0; told <= N; told += N) {
		struct seen s;
		struct blocklist_item it = item_of("n.test", RULE_EXACT);
		int right = 0;
		seen_init(&s);
		seen_expect(&s, told);
		for (int i = 0; i < 2 * N; i++) {
			char name[32];
			int n = snprintf(name, sizeof name, "n%d.test", i % N);
			right += !name_from_text(it.key.name, name, (size_t)n) &&
				 put(&s, &it) == (i < N ? SEEN_NEW : SEEN_DUPLICATE);
		}
		ck_assert_int_eq(right, 2 * N);
		ck_assert_uint_eq(s.used, N);
		seen_fini(&s);
	}
}
END_TEST

UNIT_SUITE("blocklist_seen", kinds, addresses, data, many)
