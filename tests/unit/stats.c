#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "resolver/stats.h"
#include "tests/unit/unit.h"

START_TEST(names)
{
	for (int c = 0; c < STATS_N; c++) {
		const char *name = stats_name((enum stats_counter)c);
		ck_assert_msg(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
				      strlen(name),
			      "%s", name);
		ck_assert_uint_gt(strlen(stats_help((enum stats_counter)c)), 5);
		for (int d = 0; d < c; d++)
			ck_assert_str_ne(name, stats_name((enum stats_counter)d));
	}
	ck_assert_str_eq(stats_name(STATS_N), "?");
	ck_assert_uint_eq(_Alignof(struct stats) % 64, 0);
	ck_assert_uint_eq(sizeof(struct stats) % 64, 0);
}
END_TEST

START_TEST(which)
{
	ck_assert_str_eq(stats_name(stats_of_rcode(DNS_NOERROR)), "answers_noerror");
	ck_assert_str_eq(stats_name(stats_of_rcode(DNS_NXDOMAIN)), "answers_nxdomain");
	ck_assert_str_eq(stats_name(stats_of_rcode(DNS_REFUSED)), "answers_refused");
	ck_assert_str_eq(stats_name(stats_of_rcode(DNS_BADVERS)), "answers_other");
	ck_assert_str_eq(stats_name(stats_of_rcode(4095)), "answers_other");
	for (int a = 0; a < RULE_ACTION_N; a++) {
		char name[64];
		enum stats_counter c = stats_of_action((enum rule_action)a);
		snprintf(name, sizeof name, "hits_%s",
			 rule_action_text((enum rule_action)a));
		ck_assert(c == STATS_HIT_OTHER || !strcmp(stats_name(c), name));
	}
}
END_TEST

static void *count_many(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		stats_count(arg, STATS_QUERY_UDP);
		stats_add(arg, STATS_CACHED, 3);
	}
	return NULL;
}

/* One writer each; a reader meanwhile sees no counter go backward. */
START_TEST(threads)
{
	static struct stats s[2];
	pthread_t t[2];
	uint64_t last = 0;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, count_many, &s[i]), 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t sums[STATS_N] = {0};
		stats_sum(sums, &s[0]);
		stats_sum(sums, &s[1]);
		ck_assert_uint_ge(sums[STATS_QUERY_UDP], last);
		last = sums[STATS_QUERY_UDP];
	}
	uint64_t sums[STATS_N] = {0};
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		stats_sum(sums, &s[i]);
	}
	ck_assert_uint_eq(sums[STATS_QUERY_UDP], 200000);
	ck_assert_uint_eq(sums[STATS_CACHED], 600000);
	ck_assert_uint_eq(sums[STATS_QUERY_TCP], 0);
}
END_TEST

UNIT_SUITE("stats", names, which, threads)
