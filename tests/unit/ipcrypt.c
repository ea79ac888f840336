/* Pseudonyms: the draft's vectors, back again, never the same for two. */
#include "tools/ipcrypt.h"

#include "tests/unit/unit.h"

static struct addr addr(const char *text)
{
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), ERR_OK);
	return a;
}

static struct ipcrypt *open_key(const char *hex)
{
	struct ipcrypt *c;
	uint8_t key[IPCRYPT_KEY_LEN];
	for (int i = 0; i < IPCRYPT_KEY_LEN; i++)
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2hhx", &key[i]), 1);
	ck_assert_int_eq(ipcrypt_open(&c, key), ERR_OK);
	return c;
}

START_TEST(test_vectors)
{
	static const char *const vector[][3] = {
		{"0123456789abcdeffedcba9876543210", "0.0.0.0",
		 "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb"},
		{"1032547698badcfeefcdab8967452301", "255.255.255.255",
		 "aed2:92f6:ea23:58c3:48fd:8b8:74e8:45d8"},
		{"2b7e151628aed2a6abf7158809cf4f3c", "192.0.2.1",
		 "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777"},
	};
	for (size_t i = 0; i < sizeof vector / sizeof *vector; i++) {
		struct ipcrypt *c = open_key(vector[i][0]);
		struct addr a = addr(vector[i][1]);
		char text[ADDR_TEXT_MAX];
		a.port = 4711;
		ck_assert_int_eq(ipcrypt_hide(c, &a), ERR_OK);
		ck_assert_str_eq(addr_to_text(text, &a), vector[i][2]);
		ck_assert_uint_eq(a.port, 0);
		ck_assert_int_eq(ipcrypt_reveal(c, &a), ERR_OK);
		ck_assert_str_eq(addr_to_text(text, &a), vector[i][1]);
		ipcrypt_close(c);
	}
}
END_TEST

START_TEST(test_same_and_different)
{
	struct ipcrypt *one = open_key("000102030405060708090a0b0c0d0e0f");
	struct ipcrypt *two = open_key("000102030405060708090a0b0c0d0e10");
	struct addr a = addr("2001:db8::1"), again = a, other = a;
	struct addr near = addr("2001:db8::2");
	ck_assert_int_eq(ipcrypt_hide(one, &a), ERR_OK);
	ck_assert_int_eq(ipcrypt_hide(one, &again), ERR_OK);
	ck_assert_int_eq(ipcrypt_hide(two, &other), ERR_OK);
	ck_assert_int_eq(ipcrypt_hide(one, &near), ERR_OK);
	ck_assert(addr_equal(&a, &again));
	ck_assert(!addr_equal(&a, &other));
	ck_assert_int_ne(memcmp(a.bytes, near.bytes, 4), 0); /* no prefix is kept */
	ck_assert_int_eq(ipcrypt_reveal(one, &a), ERR_OK);
	again = addr("2001:db8::1");
	ck_assert(addr_equal(&a, &again));
	ipcrypt_close(one);
	ipcrypt_close(two);
}
END_TEST

UNIT_SUITE("ipcrypt", test_vectors, test_same_and_different)
