/* Sums by key, distinct others within each, order of the result. */
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"
#include "tools/hits_groups.h"

enum { KEYS = 3000, ROUNDS = 3 };

START_TEST(sums_and_distinct)
{
	struct hits_groups t;
	struct hit h;
	ck_assert_int_eq(hits_groups_init(&t), ERR_OK);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned k = 0; k < KEYS; k++) { /* key k: k % 5 + 1 others */
			unsigned other = (round * 7 + k) % (k % 5 + 1);
			hit_sample(&h, k);
			h.time_us += round;
			h.count = 1 + k;
			ck_assert_int_eq(hits_groups_add(&t, &k, sizeof k, &h, &other,
							 sizeof other),
					 ERR_OK);
		}
	ck_assert_uint_eq(t.n, KEYS);
	hits_groups_sort(&t);
	for (unsigned i = 0; i < KEYS; i++) {
		const struct hits_group *g = &t.group[i];
		unsigned k, seen[5] = {0}, distinct = 0;
		memcpy(&k, g->key, sizeof k);
		ck_assert_uint_eq(k, KEYS - 1 - i); /* most hits first */
		for (unsigned round = 0; round < ROUNDS; round++)
			distinct += !seen[(round * 7 + k) % (k % 5 + 1)]++;
		ck_assert_uint_eq(g->hits, ROUNDS * (1 + k));
		ck_assert_uint_eq(g->records, ROUNDS);
		ck_assert_uint_eq(g->distinct, distinct);
		ck_assert_uint_eq(g->last_us - g->first_us, ROUNDS - 1);
		ck_assert_str_eq(g->list, "manual");
	}
	hits_groups_fini(&t);
}
END_TEST

START_TEST(ties_go_to_the_latest)
{
	struct hits_groups t;
	struct hit h;
	ck_assert_int_eq(hits_groups_init(&t), ERR_OK);
	hit_sample(&h, 1);
	h.count = 1;
	ck_assert_int_eq(hits_groups_add(&t, "old", 3, &h, NULL, 0), ERR_OK);
	h.time_us++;
	ck_assert_int_eq(hits_groups_add(&t, "new", 3, &h, NULL, 0), ERR_OK);
	ck_assert_int_eq(hits_groups_add(&t, "", 0, &h, NULL, 0), ERR_OK);
	ck_assert_int_eq(hits_groups_add(&t, "", 0, &h, NULL, 0), ERR_OK);
	hits_groups_sort(&t);
	ck_assert_uint_eq(t.group[0].key_len, 0);
	ck_assert_uint_eq(t.group[0].hits, 2);
	ck_assert_mem_eq(t.group[1].key, "new", 3);
	ck_assert_mem_eq(t.group[2].key, "old", 3);
	ck_assert_uint_eq(t.group[2].distinct, 0);
	hits_groups_fini(&t);
}
END_TEST

UNIT_SUITE("hit_groups", sums_and_distinct, ties_go_to_the_latest)
