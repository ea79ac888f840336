#include "tools/tsig.h"
#include "tests/unit/unit.h"

enum { NOW = 1790000000, ROOM = 512 };

static const char key_text[] =
	"hmac-sha256:Key.example:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

/* A question for example's SOA. */
static size_t question(uint8_t *msg)
{
	static const uint8_t bytes[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\7example\0\0\6\0\1";
	memcpy(msg, bytes, sizeof bytes - 1);
	return sizeof bytes - 1;
}

static void keys(struct tsig_key *key)
{
	const char *why;
	ck_assert_int_eq(tsig_key_parse(key, key_text, &why), 0);
	ck_assert_uint_eq(key->secret_len, 32);
	ck_assert(name_equal(key->name, (const uint8_t *)"\3key\7example"));
}

START_TEST(key_files)
{
	static const char *const bad[] = {"",
					  "name",
					  "a:b",
					  "a:AAAA",
					  "hmac-md5:a:MDEyMzQ1Njc4OWFiY2RlZg==",
					  "a:MDEyMzQ1Njc4OWFiY2RlZg=",
					  "a..b:MDEyMzQ1Njc4OWFiY2RlZg==",
					  "a:===="};
	struct tsig_key key;
	const char *why;
	keys(&key);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(tsig_key_parse(&key, bad[i], &why) == ERR_FORMAT, "%s",
			      bad[i]);
}
END_TEST

/* Each signs for the other, over an answer of five messages of which two are signed. */
START_TEST(exchange)
{
	uint8_t msg[ROOM];
	struct tsig_key key;
	struct tsig a, b;
	keys(&key);
	ck_assert_int_eq(tsig_open(&a, &key), 0);
	ck_assert_int_eq(tsig_open(&b, &key), 0);
	size_t bare = question(msg), len = bare;
	ck_assert_int_eq(tsig_sign(&a, msg, &len, sizeof msg, NOW), 0);
	ck_assert_int_eq(tsig_check(&b, msg, &len, NOW + 200), 1);
	ck_assert_uint_eq(len, bare);
	ck_assert_uint_eq(msg[11], 0);
	b.go_on = false; /* an answer, not the next question */
	ck_assert_int_eq(tsig_sign(&b, msg, &len, sizeof msg, NOW), 0);
	ck_assert_int_eq(tsig_check(&a, msg, &len, NOW), 1);
	for (int i = 0; i < TSIG_UNSIGNED_MAX; i++)
		ck_assert_int_eq(tsig_check(&a, msg, &len, NOW), 0);
	ck_assert_int_eq(tsig_check(&a, msg, &len, NOW), ERR_ACCESS);
	tsig_close(&a);
	tsig_close(&b);
}
END_TEST

/* Whatever is changed of a signed message, it is not taken for signed. */
START_TEST(any_byte)
{
	uint8_t good[ROOM], msg[ROOM];
	struct tsig_key key;
	struct tsig t;
	keys(&key);
	size_t len = question(good);
	ck_assert_int_eq(tsig_open(&t, &key), 0);
	ck_assert_int_eq(tsig_sign(&t, good, &len, sizeof good, NOW), 0);
	tsig_close(&t);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			size_t n = len;
			memcpy(msg, good, len);
			msg[i] ^= (uint8_t)(1 << bit);
			ck_assert_int_eq(tsig_open(&t, &key), 0);
			int got = tsig_check(&t, msg, &n, NOW);
			/* Case of names is nothing; the ID may be a forwarder's, and the
			 * original one is what is signed. */
			bool same = (bit == 5 && got == 1) || i < 2;
			ck_assert_msg(got != 1 || same, "byte %zu bit %d", i, bit);
			tsig_close(&t);
		}
	}
	for (size_t n = 0; n < len; n++) {
		size_t cut = n;
		ck_assert_int_eq(tsig_open(&t, &key), 0);
		memcpy(msg, good, len);
		ck_assert_int_lt(tsig_check(&t, msg, &cut, NOW), 1);
		tsig_close(&t);
	}
}
END_TEST

START_TEST(late_or_early)
{
	uint8_t msg[ROOM];
	struct tsig_key key;
	struct tsig a, b;
	keys(&key);
	for (int i = -1; i < 2; i += 2) {
		size_t len = question(msg);
		ck_assert_int_eq(tsig_open(&a, &key), 0);
		ck_assert_int_eq(tsig_open(&b, &key), 0);
		ck_assert_int_eq(tsig_sign(&a, msg, &len, sizeof msg, NOW), 0);
		ck_assert_int_eq(tsig_check(&b, msg, &len, NOW + i * (TSIG_FUDGE_S + 1)),
				 ERR_ACCESS);
		tsig_close(&a);
		tsig_close(&b);
	}
}
END_TEST

UNIT_SUITE("tsig", key_files, exchange, any_byte, late_or_early)
