#include "resolver/nta.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "resolver/state_file.h"
#include "tests/unit/unit.h"

static struct nta_list list;
static char text[NTA_TEXT_MAX];

static int add(const char *zone, uint32_t until_s, const char *reason)
{
	uint8_t wire[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(wire, zone), 0);
	return nta_add(&list, wire, until_s, reason, strlen(reason));
}

START_TEST(add_replace_remove)
{
	list.n = 0;
	ck_assert_int_eq(add("a.example", 100, "one"), 0);
	ck_assert_int_eq(add("b.example", 200, "two"), 0);
	ck_assert_int_eq(add("A.Example", 300, "three\n\x1b[1m"), 0);
	ck_assert_int_eq(list.n, 2);
	ck_assert_int_eq(list.at[0].until_s, 300);
	ck_assert_str_eq(list.reason[0], "three??[1m");
	ck_assert(nta_remove(&list, (const uint8_t *)"\1a\7example"));
	ck_assert(!nta_remove(&list, (const uint8_t *)"\1a\7example"));
	ck_assert_int_eq(list.n, 1);
	ck_assert_str_eq(list.reason[0], "two");
}
END_TEST

START_TEST(they_end)
{
	uint8_t zone[DNS_NAME_MAX];
	list.n = 0;
	ck_assert_int_eq(add("a.example", 100, ""), 0);
	ck_assert_int_eq(add("b.example", 200, ""), 0);
	ck_assert(!nta_expire(&list, 99, zone));
	ck_assert(nta_expire(&list, 100, zone));
	ck_assert(name_equal(zone, (const uint8_t *)"\1a\7example"));
	ck_assert(!nta_expire(&list, 199, zone));
	ck_assert(nta_expire(&list, 4000, zone));
	ck_assert_int_eq(list.n, 0);
}
END_TEST

START_TEST(text_and_back)
{
	static struct nta_list back;
	char zone[32], reason[200];
	int line;
	list.n = 0;
	memset(reason, 'r', sizeof reason);
	reason[199] = 0;
	for (int i = 0; i < NTA_MAX; i++) {
		snprintf(zone, sizeof zone, "z\\032%d.example", i);
		ck_assert_int_eq(add(zone, 1 + (uint32_t)i, i ? reason : ""), 0);
	}
	ck_assert_int_eq(add("more.example", 1, ""), ERR_FULL);
	size_t len = nta_print(text, &list);
	ck_assert_int_eq(nta_parse(&back, text, len, &line), 0);
	ck_assert_int_eq(back.n, NTA_MAX);
	for (int i = 0; i < NTA_MAX; i++) {
		ck_assert(name_equal(back.at[i].zone, list.at[i].zone));
		ck_assert_int_eq(back.at[i].until_s, list.at[i].until_s);
		ck_assert_str_eq(back.reason[i], list.reason[i]);
	}
}
END_TEST

START_TEST(bad_texts)
{
	static const char *const bad[] = {
		"",
		"sinkholed negative anchors 2\n",
		"sinkholed negative anchors 1\na..b 1 x\n",
		"sinkholed negative anchors 1\na.example x y\n",
		"sinkholed negative anchors 1\na.example 0 y\n",
		"sinkholed negative anchors 1\na.example 4294967296 y\n",
		"sinkholed negative anchors 1\na.example 1\n",
		"sinkholed negative anchors 1\n\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int line;
		ck_assert_msg(nta_parse(&list, bad[i], strlen(bad[i]), &line) ==
				      ERR_FORMAT,
			      "case %zu", i);
		ck_assert_int_eq(line, *bad[i] ? 1 + (i > 1) : 0);
	}
}
END_TEST

START_TEST(state_files)
{
	char *read;
	size_t len;
	const char *dir = unit_dir();
	ck_assert_int_eq(state_file_read(&read, &len, dir, "list"), ERR_NOENT);
	ck_assert_int_eq(state_file_write(dir, "list", "one", 3), 0);
	ck_assert_int_eq(state_file_write(dir, "list", "second", 6), 0);
	ck_assert_int_eq(state_file_read(&read, &len, dir, "list"), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_str_eq(read, "second");
	free(read);
	/* a killed process left half of a new one */
	FILE *f = fopen(unit_path("list.new"), "w");
	fputs("ha", f);
	fclose(f);
	ck_assert_int_eq(state_file_write(dir, "list", "third", 5), 0);
	ck_assert_int_eq(access(unit_path("list.new"), F_OK), -1);
	/* who leads it elsewhere does not get there */
	ck_assert_int_eq(symlink(unit_path("other"), unit_path("list.new")), 0);
	ck_assert_int_eq(state_file_write(dir, "list", "fourth", 6), 0);
	ck_assert_int_eq(access(unit_path("other"), F_OK), -1);
	ck_assert_int_eq(state_file_set_aside(dir, "list"), 0);
	ck_assert_int_eq(access(unit_path("list.damaged"), F_OK), 0);
	ck_assert_int_eq(state_file_write(unit_path("none"), "list", "x", 1), ERR_IO);
}
END_TEST

UNIT_SUITE("nta", add_replace_remove, they_end, text_and_back, bad_texts, state_files)
