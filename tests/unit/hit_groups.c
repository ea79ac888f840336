/* Sums by number, sets of numbers, order of the result. */
#include "tests/unit/unit.h"
#include "tools/hits_groups.h"

enum { KEYS = 3000, ROUNDS = 3, FULL = 70000 };

START_TEST(sums_and_order)
{
	struct hits_groups t = {0};
	ck_assert_ptr_null(hits_groups_find(&t, 0));
	for (unsigned round = 0; round < ROUNDS; round++)
		for (uint64_t k = 0; k < KEYS; k++) {
			struct hits_group *g = hits_groups_get(&t, k << 33);
			ck_assert_ptr_nonnull(g);
			g->hits += 1 + k / 2;
			g->last.at_s = (uint32_t)k;
		}
	ck_assert_uint_eq(t.n, KEYS);
	ck_assert_ptr_null(hits_groups_find(&t, 1));
	ck_assert_uint_eq(hits_groups_find(&t, 7ULL << 33)->hits, ROUNDS * 4);
	hits_groups_sort(&t); /* most hits first, of two with as many the latest */
	for (unsigned i = 0; i < KEYS; i++)
		ck_assert_uint_eq(t.group[i].id, (KEYS - 1ULL - i) << 33);
	hits_groups_fini(&t);
}
END_TEST

START_TEST(sets)
{
	struct hits_set s = {0};
	ck_assert(!hits_set_has(&s, 0));
	for (int round = 0; round < 2; round++)
		for (uint64_t k = 0; k < KEYS; k++) /* neighbours, and far apart */
			ck_assert_int_eq(hits_set_add(&s, k % 2 ? k : k << 40),
					 round == 0);
	ck_assert_uint_eq(s.n, KEYS);
	for (uint64_t k = 1; k < 2 * KEYS; k++)
		ck_assert_int_eq(hits_set_has(&s, k), k % 2 && k < KEYS);
	hits_set_fini(&s);
}
END_TEST

/* From lists to bits, in any order. */
START_TEST(full_sets)
{
	struct hits_set s = {0};
	for (int round = 0; round < 2; round++)
		for (uint64_t k = 0; k < FULL; k++) {
			uint64_t id = k * 48271 % FULL; /* each once: these have no
							 * factor in common */
			ck_assert_int_eq(hits_set_has(&s, id), round == 1);
			ck_assert_int_eq(hits_set_add(&s, id), round == 0);
		}
	ck_assert_uint_eq(s.n, FULL);
	ck_assert(!hits_set_has(&s, FULL));
	hits_set_fini(&s);
}
END_TEST

/* Lists and bits, to lists and bits, with what both have. */
START_TEST(united_sets)
{
	struct hits_set s = {0}, more = {0};
	for (uint64_t k = 0; k < FULL; k++) {
		if (k % 3 == 0)
			ck_assert_int_eq(hits_set_add(&s, k), 1);
		if (k % 2 == 0)
			ck_assert_int_eq(hits_set_add(&more, k), 1);
	}
	ck_assert_int_eq(hits_set_add(&s, 1ULL << 40), 1);
	ck_assert_int_eq(hits_set_add(&more, 1ULL << 41), 1);
	ck_assert_int_eq(hits_set_unite(&s, &more), ERR_OK);
	for (uint64_t k = 0; k < FULL; k++)
		ck_assert_int_eq(hits_set_has(&s, k), k % 2 == 0 || k % 3 == 0);
	ck_assert(hits_set_has(&s, 1ULL << 40));
	ck_assert(hits_set_has(&s, 1ULL << 41));
	ck_assert_uint_eq(s.n, (FULL + 1) / 2 + (FULL + 3) / 6 + 2);
	hits_set_fini(&s);
	hits_set_fini(&more);
}
END_TEST

static void add(struct hits_groups *t, uint64_t id, uint32_t segment, uint32_t at_s)
{
	const struct hits_moment m = {id, segment, at_s};
	struct hits_group *g = hits_groups_get(t, id);
	ck_assert_ptr_nonnull(g);
	hits_group_add(g, 2, &m, &m);
}

/* Whichever is added to the other: the segments tell what was first and last. */
START_TEST(united_groups)
{
	for (int turn = 0; turn < 2; turn++) {
		struct hits_groups early = {0}, late = {0};
		struct hits_groups *to = turn ? &late : &early;
		add(&early, 5, 0, 100);
		add(&late, 5, 2, 100);
		add(&late, 5, 1, 100); /* the last segment comes first */
		add(&early, 6, 0, 90);
		add(&late, 7, 2, 80);
		ck_assert_int_eq(hits_groups_unite(to, turn ? &early : &late), ERR_OK);
		ck_assert_uint_eq(to->n, 3);
		const struct hits_group *g = hits_groups_find(to, 5);
		ck_assert_uint_eq(g->hits, 6);
		ck_assert_uint_eq(g->first.segment, 0);
		ck_assert_uint_eq(g->last.segment, 2);
		ck_assert_uint_eq(hits_groups_find(to, 6)->last.at_s, 90);
		ck_assert_uint_eq(hits_groups_find(to, 7)->first.at_s, 80);
		hits_groups_fini(&early);
		hits_groups_fini(&late);
	}
}
END_TEST

UNIT_SUITE("hit_groups", sums_and_order, sets, full_sets, united_sets, united_groups)
