#include "include/hash_fold.h"

#include <stdio.h>

#include "tests/unit/unit.h"

/* Key 0, as CPython 3.11 hashes bytes with PYTHONHASHSEED=0. */
static const struct {
	const char *text;
	uint64_t want;
} zero_key[] = {
	{"a", 0x407448d2b89b1813ULL},
	{"abcdefg", 0x6db12aae9070f506ULL},
	{"abcdefgh", 0x3f7b849c0b8e35eaULL},
	{"abcdefghi", 0xf89b34a3d11eb6e5ULL},
};

START_TEST(known_values)
{
	const struct hash_key zero = {{0, 0}};
	for (size_t i = 0; i < sizeof zero_key / sizeof *zero_key; i++) {
		const char *t = zero_key[i].text;
		ck_assert_uint_eq(hash_bytes(&zero, t, strlen(t)), zero_key[i].want);
	}
	uint8_t bytes[63];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	ck_assert_uint_eq(hash_bytes(&zero, bytes, sizeof bytes), 0x385d3e39e5f37359ULL);
}
END_TEST

/* Key 00 01 .. 0f as in the reference vectors: the key's halves are where they belong. */
START_TEST(keyed_values)
{
	const struct hash_key key = {{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}};
	const uint8_t zero = 0;
	ck_assert_uint_eq(hash_bytes(&key, "", 0), 0xabac0158050fc4dcULL);
	/* the low half is the second test value of Linux's hsiphash */
	ck_assert_uint_eq(hash_bytes(&key, &zero, 1) & 0xffffffffU, 0x7d57ca93U);
}
END_TEST

/* Every byte and the length count, at every alignment, also in the last words that the
 * fold reads for a second time. */
START_TEST(all_bytes_count)
{
	static uint64_t (*const hash[])(const struct hash_key *, const void *,
					size_t) = {hash_bytes, hash_fold};
	const struct hash_key key = {{1, 2}};
	uint8_t data[80] = {0};
	for (size_t i = 0; i < 8 * 72 * 2; i++) {
		size_t off = i / 2 % 8, n = 1 + i / 16;
		uint64_t base = hash[i % 2](&key, data + off, n);
		ck_assert(base != hash[i % 2](&key, data + off, n - 1));
		for (size_t at = off; at < off + n; at++) {
			data[at] = 1;
			ck_assert(base != hash[i % 2](&key, data + off, n));
			data[at] = 0;
		}
	}
}
END_TEST

/* Names that differ in a digit or in their length spread over a filter's bits. */
START_TEST(fold)
{
	enum { N = 4096 };
	static const struct hash_key one = {{1}}, two = {{2}};
	static uint8_t seen[N];
	char text[16];
	int taken = 0;
	for (int i = 0; i < N; i++) {
		int n = snprintf(text, sizeof text, "n%d.test", i);
		uint8_t *at = &seen[hash_fold(&one, text, (size_t)n) % N];
		taken += !*at;
		*at = 1;
	}
	ck_assert_int_gt(taken, N * 6 / 10); /* by chance: 63 % */
	ck_assert(hash_fold(&one, text, 1) != hash_fold(&two, text, 1));
}
END_TEST

UNIT_SUITE("hash", known_values, keyed_values, all_bytes_count, fold)
