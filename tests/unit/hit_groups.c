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

UNIT_SUITE("hit_groups", sums_and_order, sets, full_sets)
