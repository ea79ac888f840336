#include "resolver/crowd.h"

#include "resolver/random.h"
#include "tests/unit/unit.h"

static struct crowd *crowd;

static void open_crowd(void)
{
	struct random_source r = {0};
	crowd = calloc(1, sizeof *crowd);
	ck_assert_ptr_nonnull(crowd);
	random_bytes(&r, &crowd->key, sizeof crowd->key);
}

static struct addr at(const char *text, unsigned last)
{
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), 0);
	a.bytes[addr_len(&a) - 1] = (uint8_t)last;
	return a;
}

static bool enter(const char *text, unsigned last)
{
	struct addr a = at(text, last);
	return crowd_enter(crowd, &a);
}

/* Returns how many entered of those that tried. */
static int enter_all(const char *text, int tries)
{
	int n = 0;
	for (int i = 0; i < tries; i++)
		n += enter(text, 1);
	return n;
}

START_TEST(one_client)
{
	static const char *const clients[] = {"192.0.2.0", "2001:db8::"};
	open_crowd();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(enter_all(clients[i], 300), CROWD_CLIENT_MAX);
		struct addr a = at(clients[i], 1);
		crowd_leave(crowd, &a);
		ck_assert(enter(clients[i], 1));
		ck_assert(!enter(clients[i], 1));
	}
	/* The next address is another client only in IPv4. */
	ck_assert(enter("192.0.2.0", 2));
	ck_assert(!enter("2001:db8::", 2));
	ck_assert(enter("2001:db8:0:1::", 2));
	free(crowd);
}
END_TEST

START_TEST(a_neighbourhood)
{
	open_crowd();
	int n = 0;
	for (unsigned i = 0; i < 250; i++)
		for (int k = 0; k < 10; k++)
			n += enter("192.0.2.0", i);
	ck_assert_int_eq(n, CROWD_PREFIX_MAX);
	ck_assert(enter("192.0.3.0", 1));
	n = 0;
	for (unsigned i = 0; i < 250; i++) {
		struct addr a = at("2001:db8::", 1);
		a.bytes[7] = (uint8_t)i; /* /64s of one /56 */
		for (int k = 0; k < 10; k++)
			n += crowd_enter(crowd, &a);
	}
	ck_assert_int_eq(n, CROWD_PREFIX_MAX);
	ck_assert(enter("2001:db8:0:100::", 1));
	free(crowd);
}
END_TEST

/* Every place comes back to zero, and one crowd harms no other client. */
START_TEST(others_are_not_concerned)
{
	static const struct crowd none;
	struct crowd *before = calloc(1, sizeof *before);
	ck_assert_ptr_nonnull(before);
	open_crowd();
	enter_all("192.0.2.0", CROWD_CLIENT_MAX);
	*before = *crowd;
	for (uint32_t i = 0; i < 50000; i++) {
		const uint8_t b[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
				      (uint8_t)i};
		struct addr a = addr_v4(b, 0);
		ck_assert(crowd_enter(crowd, &a));
		crowd_leave(crowd, &a);
	}
	ck_assert_mem_eq(before, crowd, sizeof *crowd);
	struct addr a = at("192.0.2.0", 1);
	for (int i = 0; i < CROWD_CLIENT_MAX; i++)
		crowd_leave(crowd, &a);
	ck_assert_mem_eq(crowd->client, none.client, sizeof none.client);
	ck_assert_mem_eq(crowd->prefix, none.prefix, sizeof none.prefix);
	free(before);
	free(crowd);
}
END_TEST

UNIT_SUITE("crowd", one_client, a_neighbourhood, others_are_not_concerned)
