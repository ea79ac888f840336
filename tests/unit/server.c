#include "resolver/server.h"
#include "tests/unit/unit.h"

static struct server_table *table;

static void open_table(void)
{
	ck_assert_int_eq(server_table_open(&table), 0);
}

static struct addr server(unsigned n, uint16_t port)
{
	uint8_t b[4] = {192, 0, (uint8_t)(n >> 8), (uint8_t)n};
	return addr_v4(b, port);
}

static uint32_t timeout_at(const struct addr *a, uint64_t now_ms)
{
	struct server_info i;
	server_get(table, &i, a, now_ms);
	return i.timeout_ms;
}

START_TEST(unknown_server)
{
	struct server_info i;
	struct addr a = server(1, 53);
	open_table();
	server_get(table, &i, &a, 5);
	ck_assert(!i.known);
	ck_assert_uint_eq(i.timeout_ms, SERVER_RTT_UNKNOWN_MS);
	ck_assert_uint_eq(i.failures, 0);
	server_table_close(table);
}
END_TEST

START_TEST(rtt_is_smoothed)
{
	struct server_info i;
	struct addr a = server(1, 53), other = server(1, 5353);
	open_table();
	server_replied(table, &a, 100, 1000);
	server_get(table, &i, &a, 1000);
	ck_assert(i.known);
	ck_assert_uint_eq(i.srtt_ms, 100);
	ck_assert_uint_eq(i.timeout_ms, 300); /* 100 + 4 * 50 */
	server_replied(table, &a, 180, 2000);
	server_get(table, &i, &a, 2000);
	ck_assert_uint_eq(i.srtt_ms, 110);
	server_get(table, &i, &other, 2000);
	ck_assert(!i.known); /* a port is part of the address */
	for (int k = 0; k < 50; k++)
		server_replied(table, &a, 1, 3000);
	ck_assert_uint_eq(timeout_at(&a, 3000), SERVER_TIMEOUT_MIN_MS);
	server_table_close(table);
}
END_TEST

START_TEST(failures_stretch_the_wait)
{
	struct server_info i;
	struct addr a = server(1, 53);
	open_table();
	server_failed(table, &a, 10);
	ck_assert_uint_eq(timeout_at(&a, 10), 3 * SERVER_RTT_UNKNOWN_MS);
	for (int k = 0; k < 300; k++)
		server_failed(table, &a, 10);
	ck_assert_uint_eq(timeout_at(&a, 10), SERVER_TIMEOUT_MAX_MS);
	server_replied(table, &a, 40, 20); /* its first measured time */
	server_get(table, &i, &a, 20);
	ck_assert_uint_eq(i.srtt_ms, 40);
	ck_assert_uint_eq(i.failures, 0);
	ck_assert_uint_eq(timeout_at(&a, 20), 120);
	server_table_close(table);
}
END_TEST

START_TEST(old_knowledge_is_forgotten)
{
	struct server_info i;
	struct addr a = server(1, 53);
	open_table();
	server_failed(table, &a, 10);
	server_get(table, &i, &a, 10 + 900 * 1000 + 1);
	ck_assert(!i.known);
	server_replied(table, &a, 40, 2000 * 1000);
	server_get(table, &i, &a, 2000 * 1000);
	ck_assert_uint_eq(i.srtt_ms, 40);
	server_table_close(table);
}
END_TEST

/* More servers than fit: the table keeps answering, the newest are known. */
START_TEST(many_servers)
{
	struct server_info i;
	int known = 0;
	open_table();
	for (unsigned n = 0; n < 65536; n++) {
		struct addr a = server(n, 53);
		server_replied(table, &a, 20, n);
		server_get(table, &i, &a, n);
		ck_assert(i.known);
	}
	for (unsigned n = 65536 - 8192; n < 65536; n++) {
		struct addr a = server(n, 53);
		server_get(table, &i, &a, 65536);
		known += i.known;
	}
	ck_assert_int_gt(known, 7500);
	server_table_close(table);
}
END_TEST

UNIT_SUITE("server", unknown_server, rtt_is_smoothed, failures_stretch_the_wait,
	   old_knowledge_is_forgotten, many_servers)
