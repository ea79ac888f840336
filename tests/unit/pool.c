#include "include/pool.h"

#include <unistd.h>

#include "tests/unit/unit.h"

struct slot {
	void *first; /* the pool's while it is given back */
	int kept;
	uint8_t rest[1000];
};
enum { SLOTS = 1000 };

START_TEST(each_once_and_no_more)
{
	struct pool p;
	ck_assert_int_eq(pool_open(&p, SLOTS, sizeof(struct slot)), 0);
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *s = pool_take(&p);
		ck_assert_ptr_nonnull(s);
		ck_assert_int_eq(s->kept, 0);
		s->kept = (int)i + 1;
		ck_assert_uint_eq(pool_index(&p, s), i);
		ck_assert_uint_eq(p.left, SLOTS - i - 1);
	}
	ck_assert_ptr_null(pool_take(&p));
	pool_give(&p, pool_at(&p, 7));
	pool_give(&p, pool_at(&p, 3));
	ck_assert_uint_eq(p.left, 2);
	ck_assert_ptr_eq(pool_take(&p), pool_at(&p, 3));
	struct slot *s = pool_take(&p);
	ck_assert_int_eq(s->kept, 8);
	ck_assert_ptr_null(pool_take(&p));
	pool_close(&p);
}
END_TEST

/* Pages of the pool that are in memory. */
static size_t resident(const struct pool *p)
{
	static unsigned char in[SLOTS];
	size_t page = (size_t)getpagesize(), n = 0;
	size_t pages = (p->n * p->slot_size + page - 1) / page;
	ck_assert_int_eq(mincore(p->slots, p->n * p->slot_size, in), 0);
	for (size_t i = 0; i < pages; i++)
		n += in[i] & 1;
	return n;
}

/* However often slots go out: what counts is how many are out at once. */
START_TEST(only_what_is_needed_is_touched)
{
	struct pool p;
	ck_assert_int_eq(pool_open(&p, SLOTS, sizeof(struct slot)), 0);
	ck_assert_uint_eq(resident(&p), 0);
	for (int i = 0; i < 10 * SLOTS; i++) {
		struct slot *a = pool_take(&p), *b = pool_take(&p);
		memset(a, 1, sizeof *a);
		memset(b, 1, sizeof *b);
		pool_give(&p, a);
		pool_give(&p, b);
	}
	ck_assert_uint_eq(p.fresh, 2);
	ck_assert_uint_eq(resident(&p), 1);
	pool_close(&p);
}
END_TEST

UNIT_SUITE("pool", each_once_and_no_more, only_what_is_needed_is_touched)
