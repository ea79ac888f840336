#include "include/arena.h"

#include "tests/unit/unit.h"

START_TEST(pieces_are_apart_and_aligned)
{
	static const size_t sizes[] = {1, 7, 0, 16, 33, 300, 64, 5000, 1};
	enum { N = sizeof sizes / sizeof *sizes };
	struct arena a;
	uint8_t *p[N];
	arena_init(&a, 256, 1 << 20);
	ck_assert_ptr_null(a.head); /* nothing before the first piece */
	for (size_t i = 0; i < N; i++) {
		p[i] = arena_get(&a, sizes[i]);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_eq((uintptr_t)p[i] % _Alignof(max_align_t), 0);
		memset(p[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			ck_assert_uint_eq(p[i][k], i + 1);
	arena_fini(&a);
	ck_assert_ptr_null(a.head);
}
END_TEST

START_TEST(limit_holds)
{
	struct arena a;
	static const uint8_t data[32];
	size_t got = 0;
	arena_init(&a, 256, 1000);
	ck_assert_ptr_null(arena_get(&a, 1001));
	ck_assert_ptr_null(arena_get(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_get(&a, SIZE_MAX - 5));
	while (arena_get(&a, 32))
		got += 32;
	/* the last block shrinks to what is left: little is wasted */
	ck_assert_uint_le(got, 1000);
	ck_assert_uint_ge(got, 900);
	ck_assert_uint_le(a.total, a.limit);
	ck_assert_ptr_null(arena_zero(&a, 32));
	ck_assert_ptr_null(arena_copy(&a, data, sizeof data));
	arena_reset(&a);
	ck_assert_ptr_nonnull(arena_get(&a, 32)); /* usable again */
	arena_fini(&a);
}
END_TEST

START_TEST(limit_below_block_size)
{
	struct arena a;
	arena_init(&a, 4096, 128);
	ck_assert_ptr_nonnull(arena_get(&a, 64));
	ck_assert_uint_le(a.total, 128);
	arena_fini(&a);
}
END_TEST

START_TEST(reset_keeps_the_first_block)
{
	struct arena a;
	arena_init(&a, 256, 1 << 20);
	void *first = arena_get(&a, 10);
	for (int i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(arena_get(&a, 100));
	ck_assert_uint_gt(a.total, 5000);
	arena_reset(&a);
	ck_assert_uint_eq(a.total, 256);
	ck_assert_ptr_eq(arena_get(&a, 10), first);
	arena_fini(&a);
	arena_fini(&a); /* harmless twice, as is a reset of nothing */
	arena_reset(&a);
}
END_TEST

START_TEST(zero_and_copy)
{
	struct arena a;
	arena_init(&a, 64, 1 << 20);
	for (int round = 0; round < 2; round++) {
		uint8_t *z = arena_zero(&a, 40);
		for (int i = 0; i < 40; i++)
			ck_assert_uint_eq(z[i], 0);
		memset(z, 0xff, 40);
		arena_reset(&a);
	}
	char *c = arena_copy(&a, "text", 5);
	ck_assert_str_eq(c, "text");
	ck_assert_ptr_nonnull(arena_copy(&a, NULL, 0));
	arena_fini(&a);
}
END_TEST

UNIT_SUITE("arena", pieces_are_apart_and_aligned, limit_holds, limit_below_block_size,
	   reset_keeps_the_first_block, zero_and_copy)
