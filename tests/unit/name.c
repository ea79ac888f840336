#include "include/name.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"
#define L61 "a234567890123456789012345678901234567890123456789012345678901"

static const uint8_t *name(const char *text)
{
	static uint8_t out[8][DNS_NAME_MAX];
	static unsigned at;
	uint8_t *n = out[at++ % 8];
	ck_assert_msg(name_from_str(n, text) == ERR_OK, "%s", text);
	return n;
}

START_TEST(from_text)
{
	static const struct {
		const char *in;
		size_t len;
		const char *wire; /* NULL: err */
		size_t wire_len;
		int err;
	} row[] = {
#define TEXT(t) t, sizeof t - 1
		{TEXT("example.com"), TEXT("\7example\3com\0"), 0},
		{TEXT("example.com."), TEXT("\7example\3com\0"), 0},
		{TEXT("WWW.Example.COM"), TEXT("\3www\7example\3com\0"), 0},
		{TEXT("."), TEXT("\0"), 0},
		{TEXT("a"), TEXT("\1a\0"), 0},
		{TEXT("*.example.com"), TEXT("\1*\7example\3com\0"), 0},
		{TEXT("_x.a b"), TEXT("\2_x\3a b\0"), 0},
		{TEXT("a\\.b.c"), TEXT("\3a.b\1c\0"), 0},
		{TEXT("a\\\\b"), TEXT("\3a\\b\0"), 0},
		{TEXT("\\065\\000\\255"), TEXT("\3a\0\xff\0"), 0}, /* 065 is A: lowered */
		{TEXT("\\q"), TEXT("\1q\0"), 0},
		{TEXT("\xe4"), TEXT("\1\xe4\0"), 0},
		{TEXT(""), NULL, 0, ERR_FORMAT},
		{TEXT(".."), NULL, 0, ERR_FORMAT},
		{TEXT(".a"), NULL, 0, ERR_FORMAT},
		{TEXT("a..b"), NULL, 0, ERR_FORMAT},
		{TEXT("a.."), NULL, 0, ERR_FORMAT},
		{TEXT("a\\"), NULL, 0, ERR_FORMAT},
		{TEXT("a\\1"), NULL, 0, ERR_FORMAT},
		{TEXT("a\\12"), NULL, 0, ERR_FORMAT},
		{TEXT("a\\12x"), NULL, 0, ERR_FORMAT},
		{TEXT("a\\256"), NULL, 0, ERR_FORMAT},
		{TEXT("a\\999"), NULL, 0, ERR_FORMAT},
		{TEXT(L63 "a"), NULL, 0, ERR_RANGE},
		{TEXT(L63 "a.com"), NULL, 0, ERR_RANGE},
		{TEXT(L63 "." L63 "." L63 "." L61 "a"), NULL, 0, ERR_RANGE},
		{TEXT(L63 "." L63 "." L63 "." L61 ".a"), NULL, 0, ERR_RANGE},
		{TEXT(L63 "." L63 "." L63 "." L61 ".."), NULL, 0, ERR_FORMAT},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		/* in exact blocks, so that a sanitizer sees a step outside */
		char *in = malloc(row[i].len + !row[i].len);
		uint8_t *out = malloc(DNS_NAME_MAX);
		ck_assert(in && out);
		memcpy(in, row[i].in, row[i].len);
		int err = name_from_text(out, in, row[i].len);
		ck_assert_msg(err == row[i].err, "%s gave %d", row[i].in, err);
		if (row[i].wire) {
			ck_assert_uint_eq(name_len(out), row[i].wire_len);
			ck_assert_mem_eq(out, row[i].wire, row[i].wire_len);
		}
		free(in);
		free(out);
	}
}
END_TEST

/* 255 bytes in all its forms; 254 and 255 end well, 256 does not. */
START_TEST(longest_names)
{
	uint8_t n[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(n, L63 "." L63 "." L63 "." L61), ERR_OK);
	ck_assert_uint_eq(name_len(n), 255);
	ck_assert_int_eq(name_from_str(n, L63 "." L63 "." L63 "." L61 "."), ERR_OK);
	ck_assert_uint_eq(name_len(n), 255);
	char text[256];
	for (int i = 0; i < 127; i++)
		memcpy(text + 2 * i, "a.", 3);
	ck_assert_int_eq(name_from_text(n, text, 254), ERR_OK);
	ck_assert_uint_eq(name_len(n), 255);
	ck_assert_uint_eq(name_labels(n), DNS_LABELS_MAX);
	ck_assert_int_eq(name_from_text(n, text, 253), ERR_OK);
	ck_assert_int_eq(name_from_str(n, strcat(text, "a")), ERR_RANGE);
}
END_TEST

/* Text without escapes is read all at once: the same comes out when one character of it
 * is escaped, and when there is nothing more to escape the errors are the same. */
START_TEST(escapes_change_nothing)
{
	static const char few[] = "aZ0-.";
	uint8_t plain[DNS_NAME_MAX], escaped[DNS_NAME_MAX];
	unsigned state = 1;
	for (unsigned round = 0; round < 20000; round++) {
		char text[256], same[264];
		size_t n = 1 + (state >> 8) % 253, at = n;
		unsigned kinds = 5 + round % 40; /* the more, the fewer dots */
		for (size_t i = 0; i < n; i++) {
			state = state * 1103515245 + 12345;
			unsigned c = (state >> 16) % kinds;
			text[i] = few[c < 5 ? c : 0];
			at = text[i] != '.' ? i : at;
		}
		if (at == n)
			continue;
		memcpy(same, text, at);
		sprintf(same + at, "\\%03d", text[at]);
		memcpy(same + at + 4, text + at + 1, n - at - 1);
		int err = name_from_text(plain, text, n);
		ck_assert_msg(name_from_text(escaped, same, n + 3) == err, "%.*s", (int)n,
			      text);
		ck_assert(err || name_len(plain) == name_len(escaped));
		ck_assert(err || !memcmp(plain, escaped, name_len(plain)));
	}
}
END_TEST

/* Every byte in a label comes back; the widest text fits its buffer. */
START_TEST(text_round_trip)
{
	uint8_t n[DNS_NAME_MAX], back[DNS_NAME_MAX];
	char *text = malloc(DNS_NAME_TEXT_MAX);
	for (unsigned c = 0; c < 256; c++) {
		n[0] = 63;
		memset(n + 1, name_lower_byte((uint8_t)c), 63);
		memcpy(n + 64, n, 64);
		memcpy(n + 128, n, 64);
		memcpy(n + 192, n, 62);
		n[192] = 61;
		n[254] = 0;
		name_to_text(text, n);
		ck_assert_uint_lt(strlen(text), DNS_NAME_TEXT_MAX);
		ck_assert_int_eq(name_from_str(back, text), ERR_OK);
		ck_assert_mem_eq(n, back, 255);
	}
	static const char *const same[] = {".", "example.com", "a\\.b.c", "\\000\\032.x",
					   "a\\\"\\;\\(\\)\\@\\$\\\\"};
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		ck_assert_str_eq(name_to_text(text, name(same[i])), same[i]);
	free(text);
}
END_TEST

START_TEST(relations)
{
	static const struct {
		const char *a, *b;
		bool equal, within;
	} row[] = {
		{"example.com", "example.com", true, true},
		{"www.example.com", "example.com", false, true},
		{"a.b.c.example.com", "example.com", false, true},
		{"example.com", "www.example.com", false, false},
		{"badexample.com", "example.com", false, false},
		{"example.com.test", "example.com", false, false},
		{"example.com", ".", false, true},
		{".", ".", true, true},
		{".", "com", false, false},
		{"a\\.example.com", "example.com", false, false},
		{"a.example.com", "a\\.example.com", false, false},
		{"ab.c", "a.bc", false, false},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		const uint8_t *a = name(row[i].a), *b = name(row[i].b);
		ck_assert_msg(name_equal(a, b) == row[i].equal, "%s", row[i].a);
		ck_assert_msg(name_within(a, b) == row[i].within, "%s", row[i].a);
		ck_assert(name_below(a, b) == (row[i].within && !row[i].equal));
	}
}
END_TEST

/* Words of eight give what single bytes do, wherever a byte stands and whatever beside.
 */
START_TEST(lower_by_words)
{
	uint8_t have[19], want[19];
	for (unsigned c = 0; c < 256; c++)
		for (size_t len = 1; len <= sizeof have; len++)
			for (unsigned beside = 0; beside < 256; beside += 51) {
				memset(have, (int)beside, sizeof have);
				have[(c + len) % len] = (uint8_t)c;
				memcpy(want, have, sizeof want);
				for (size_t i = 0; i < len; i++)
					want[i] = name_lower_byte(want[i]);
				name_lower(have, len);
				ck_assert_mem_eq(have, want, sizeof want);
			}
}
END_TEST

START_TEST(case_and_parts)
{
	uint8_t up[] = "\3WwW\7EXAMPLE\3cOm";
	const uint8_t *low = name("www.example.com");
	ck_assert(name_equal(up, low));
	ck_assert(name_within(up, name("example.com")));
	name_lower(up, sizeof up);
	ck_assert_mem_eq(up, low, name_len(low));
	/* only letters: '@' and '[' stand beside them, 0xc1 is 'A' with a high bit */
	static const uint8_t edge[] = {'@', '[', '`', '{', 0xc1, 0};
	for (size_t i = 0; i < sizeof edge; i++)
		ck_assert_uint_eq(name_lower_byte(edge[i]), edge[i]);
	ck_assert_uint_eq(name_labels(low), 3);
	ck_assert_uint_eq(name_labels(name(".")), 0);
	ck_assert(name_equal(name_parent(low), name("example.com")));
	ck_assert(name_equal(name_last(low, 1), name("com")));
	ck_assert(name_equal(name_last(low, 0), name(".")));
	ck_assert_ptr_eq(name_last(low, 3), low);
	ck_assert_ptr_eq(name_last(low, 9), low);
	const uint8_t *root = name(".");
	ck_assert_ptr_eq(name_parent(root), root);
	uint8_t copy[DNS_NAME_MAX];
	name_copy(copy, low);
	ck_assert(name_equal(copy, low));
}
END_TEST

UNIT_SUITE("name", from_text, longest_names, escapes_change_nothing, text_round_trip,
	   relations, case_and_parts, lower_by_words)
