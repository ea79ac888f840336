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
	server_failed(table, &a, 10, 10);
	ck_assert_uint_eq(timeout_at(&a, 10), 3 * SERVER_RTT_UNKNOWN_MS);
	for (int k = 0; k < 300; k++)
		server_failed(table, &a, 10, 10);
	ck_assert_uint_eq(timeout_at(&a, 10), SERVER_TIMEOUT_MAX_MS);
	server_get(table, &i, &a, 10);
	ck_assert_uint_eq(i.rto_ms, SERVER_RTT_UNKNOWN_MS); /* that is of its answers */
	ck_assert_uint_eq(server_patience(100, 0), 100);
	ck_assert_uint_eq(server_patience(100, 2), 900);
	ck_assert_uint_eq(server_patience(100, 300), SERVER_TIMEOUT_MAX_MS);
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
	server_failed(table, &a, 10, 10);
	server_get(table, &i, &a, 10 + 900 * 1000 + 1);
	ck_assert(!i.known);
	server_replied(table, &a, 40, 2000 * 1000);
	server_get(table, &i, &a, 2000 * 1000);
	ck_assert_uint_eq(i.srtt_ms, 40);
	server_table_close(table);
}
END_TEST

START_TEST(dead_servers_rest)
{
	static const uint32_t rest[] = {1000, 2000, 4000, 8000, 16000, 16000, 16000};
	struct server_info i;
	struct addr a = server(1, 53);
	uint64_t now = 1000;
	open_table();
	for (int k = 1; k < SERVER_DEAD; k++)
		server_failed(table, &a, now, now);
	server_get(table, &i, &a, now);
	ck_assert(!i.resting);
	for (size_t k = 0; k < sizeof rest / sizeof *rest; k++) {
		server_failed(table, &a, now, now);
		server_get(table, &i, &a, now + rest[k] - 1);
		ck_assert_msg(i.resting, "%zu", k);
		now += rest[k];
		server_get(table, &i, &a, now);
		ck_assert_msg(!i.resting, "%zu", k);
	}
	server_probed(table, &a, now + 300); /* one tries, the others wait */
	server_get(table, &i, &a, now + 299);
	ck_assert(i.resting);
	server_get(table, &i, &a, now + 300);
	ck_assert(!i.resting);
	server_failed(table, &a, now, now);
	server_replied(table, &a, 10, now);
	server_get(table, &i, &a, now);
	ck_assert(!i.resting);
	server_probed(table, &a, now + 300); /* a living one is never closed */
	server_get(table, &i, &a, now);
	ck_assert(!i.resting);
	server_table_close(table);
}
END_TEST

/* A server that stands still for a moment while a hundred questions are under way. */
START_TEST(what_fails_together_counts_once)
{
	struct server_info i;
	struct addr a = server(1, 53);
	uint64_t now = 1000;
	open_table();
	for (int round = 1; round <= SERVER_DEAD; round++, now += 400) {
		for (unsigned k = 0; k < 100; k++)
			server_failed(table, &a, now + k, now + 400 + k);
		server_get(table, &i, &a, now + 500);
		ck_assert_int_eq(i.resting, round == SERVER_DEAD);
		now += 100;
	}
	server_table_close(table);
}
END_TEST

/* One proof is none: it may be a forger's, or a lost packet's. */
START_TEST(two_proofs)
{
	struct server_info i;
	struct addr a = server(1, 53);
	open_table();
	for (int k = 1; k <= 2; k++) {
		server_lacks_edns(table, &a, 10);
		server_needs_tcp(table, &a, 10);
		server_get(table, &i, &a, 10);
		ck_assert_int_eq(i.no_edns, k == 2);
		ck_assert_int_eq(i.tcp_only, k == 2);
	}
	server_lacks_edns(table, &a, 800 * 1000); /* does not prolong it */
	server_needs_tcp(table, &a, 800 * 1000);
	server_get(table, &i, &a, 10 + 900 * 1000);
	ck_assert(i.known && !i.no_edns && !i.tcp_only);
	server_lacks_edns(table, &a, 901 * 1000);
	server_needs_tcp(table, &a, 901 * 1000);
	server_get(table, &i, &a, 901 * 1000);
	ck_assert(!i.no_edns && !i.tcp_only);
	server_lacks_edns(table, &a, 901 * 1000);
	server_needs_tcp(table, &a, 901 * 1000);
	server_has_edns(table, &a, 901 * 1000);
	server_replied(table, &a, 10, 901 * 1000);
	server_get(table, &i, &a, 901 * 1000);
	ck_assert(!i.no_edns && !i.tcp_only);
	server_table_close(table);
}
END_TEST

START_TEST(lame_for_one_zone)
{
	struct addr a = server(1, 53), b = server(2, 53);
	open_table();
	const uint8_t com[] = "\3com", net[] = "\3net";
	server_lame(table, &a, com, 1000);
	ck_assert(server_is_lame(table, &a, com, 1000));
	ck_assert(!server_is_lame(table, &a, net, 1000));
	ck_assert(!server_is_lame(table, &b, com, 1000));
	ck_assert(!server_is_lame(table, &a, com, 1000 + 300 * 1000));
	server_table_close(table);
}
END_TEST

START_TEST(one_family_dead)
{
	const uint8_t six[16] = {0x20, 1};
	struct addr a = server(1, 53), b = addr_v6(six, 53);
	open_table();
	for (int k = 0; k < 16; k++) {
		ck_assert(!server_family_dead(table, 6));
		server_failed(table, &b, 10, 10);
	}
	ck_assert(server_family_dead(table, 6));
	ck_assert(!server_family_dead(table, 4));
	for (int k = 0; k < 16; k++)
		server_failed(table, &a, 10, 10);
	ck_assert(!server_family_dead(table, 6)); /* no better choice */
	server_replied(table, &a, 10, 10);
	ck_assert(server_family_dead(table, 6));
	server_replied(table, &b, 10, 10);
	ck_assert(!server_family_dead(table, 6));
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
	   old_knowledge_is_forgotten, dead_servers_rest, what_fails_together_counts_once,
	   two_proofs, lame_for_one_zone, one_family_dead, many_servers)
