#include "resolver/random.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { IDS = 1 << 20, SIGMAS = 5 };

static uint16_t next_id(struct random_source *r)
{
	uint16_t id;
	random_bytes(r, &id, sizeof id);
	return id;
}

/* SECURITY.md 1B row 3, after NIST SP 800-22: a million IDs as one string of bits. A
 * fair source leaves five deviations once in 1.7 million times. */
START_TEST(a_million_ids)
{
	static struct random_source r;
	static unsigned bytes[2][256];
	unsigned ones = 0, runs = 0, serial = 0;
	int last_bit = 0;
	uint16_t last = next_id(&r);
	for (int i = 0; i < IDS; i++) {
		uint16_t id = next_id(&r);
		ones += (unsigned)__builtin_popcount(id);
		serial += (unsigned)__builtin_popcount(id ^ last);
		for (int k = 0; k < 16; k++, last_bit = id >> (k - 1) & 1)
			runs += (id >> k & 1) != last_bit;
		bytes[0][id & 0xff]++;
		bytes[1][id >> 8]++;
		last = id;
	}
	/* each is a count of 2^24 fair coins: 2^11 is its standard deviation */
	double half = 8.0 * IDS, deviation = sqrt(16.0 * IDS) / 2;
	ck_assert_double_lt(fabs(ones - half), SIGMAS * deviation);
	ck_assert_double_lt(fabs(runs - half), SIGMAS * deviation);
	ck_assert_double_lt(fabs(serial - half), SIGMAS * deviation);
	for (int half_id = 0; half_id < 2; half_id++) {
		double chi = 0, want = IDS / 256.0;
		for (int v = 0; v < 256; v++)
			chi += (bytes[half_id][v] - want) * (bytes[half_id][v] - want) /
			       want;
		ck_assert_double_lt(fabs(chi - 255), SIGMAS * sqrt(2 * 255.0));
	}
}
END_TEST

/* What was handed out is nowhere in the buffer any more, and comes once only. */
START_TEST(handed_out_once)
{
	static struct random_source r;
	uint8_t a[32], b[32];
	random_bytes(&r, a, sizeof a);
	ck_assert_ptr_null(memmem(r.buffer, sizeof r.buffer, a, sizeof a));
	for (int i = 0; i < 2 * RANDOM_BUFFER / 32; i++) {
		random_bytes(&r, b, sizeof b);
		ck_assert(memcmp(a, b, sizeof a) != 0);
	}
}
END_TEST

/* All of it in one piece, and after a remainder too small for the next. */
START_TEST(whole_buffers)
{
	static struct random_source r;
	static uint8_t a[RANDOM_BUFFER], zero[64];
	random_bytes(&r, a, 7);
	for (int i = 0; i < 3; i++) {
		memset(a, 0, sizeof a);
		random_bytes(&r, a, sizeof a);
		ck_assert_uint_eq(r.left, 0);
		ck_assert_ptr_null(memmem(a, sizeof a, zero, sizeof zero));
	}
}
END_TEST

/* Two workers that begin alike do not go on alike. */
START_TEST(sources_differ)
{
	static struct random_source r, other;
	int same = 0;
	for (int i = 0; i < 1000; i++)
		same += next_id(&r) == next_id(&other);
	ck_assert_int_lt(same, 5);
}
END_TEST

UNIT_SUITE("random", a_million_ids, handed_out_once, whole_buffers, sources_differ)
