/* What may leave: a pseudonym, no port, no rule that is a client's prefix. */
#include "tools/hits_privacy.h"

#include <sys/stat.h>

#include "tests/unit/unit.h"

static const char *key_file(const char *text, mode_t mode)
{
	const char *path = unit_file("export.key", text);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

#define LINE "ipcrypt-deterministic 2b7e151628aed2a6abf7158809cf4f3c\n"

static struct hit_row row_of(void)
{
	struct hit_row row = {.hit = {.trigger = RULE_ON_CLIENT, .count = 1}};
	row.hit.client = addr_v4((const uint8_t[]){192, 0, 2, 1}, 4711);
	row.hit.prefix = prefix_of(&row.hit.client, 24);
	return row;
}

START_TEST(test_pseudonyms)
{
	struct hits_privacy p = {.key_file = key_file(LINE, 0600)};
	struct hit_row row = row_of();
	char text[ADDR_TEXT_MAX];
	ck_assert_int_eq(hits_privacy_open(&p), CLI_GO);
	ck_assert_int_eq(hits_privacy_row(&p, &row), ERR_OK);
	ck_assert_str_eq(addr_to_text(text, &row.hit.client),
			 "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777");
	ck_assert_uint_eq(row.hit.client.port, 0);
	ck_assert_uint_eq(row.hit.prefix.addr.family, 0);
	ck_assert_ptr_nonnull(strstr(p.remark, "evidence=dns-only key="));
	row = row_of(); /* the rule of an answer is not the client's */
	row.hit.trigger = RULE_ON_ANSWER;
	ck_assert_int_eq(hits_privacy_row(&p, &row), ERR_OK);
	ck_assert_uint_eq(row.hit.prefix.bits, 24);
	hits_privacy_fini(&p);
}
END_TEST

START_TEST(test_purpose_and_case)
{
	struct hits_privacy p = {.purpose = "abuse-desk", .case_number = "2026/17"};
	struct hit_row row = row_of();
	ck_assert_int_eq(hits_privacy_open(&p), CLI_GO);
	ck_assert_int_eq(hits_privacy_row(&p, &row), ERR_OK);
	ck_assert_uint_eq(row.hit.client.port, 4711);
	ck_assert_str_eq(p.remark, "evidence=dns-only purpose=abuse-desk case=2026/17");
	hits_privacy_fini(&p);
	static const char *const bad[][2] = {
		{"abuse", NULL}, {NULL, "17"}, {"abuse", ""}, {"abuse", "a\"b"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		p = (struct hits_privacy){.purpose = bad[i][0], .case_number = bad[i][1]};
		ck_assert_int_eq(hits_privacy_open(&p), CLI_FAULT);
	}
}
END_TEST

START_TEST(test_key_files)
{
	static const struct {
		const char *text;
		mode_t mode;
	} bad[] = {
		{LINE, 0640},
		{LINE, 0604},
		{"", 0600},
		{"ipcrypt-deterministic 2b7e\n", 0600},
		{LINE LINE, 0600},
		{"ipcrypt-deterministic 2B7E151628AED2A6ABF7158809CF4F3C\n", 0600},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct hits_privacy p = {.key_file = key_file(bad[i].text, bad[i].mode)};
		ck_assert_int_eq(hits_privacy_open(&p), CLI_FAULT);
		hits_privacy_fini(&p);
	}
	struct hits_privacy p = {.key_file = unit_path("nothing.key")};
	ck_assert_int_eq(hits_privacy_open(&p), CLI_FAULT);
}
END_TEST

UNIT_SUITE("hits_privacy", test_pseudonyms, test_purpose_and_case, test_key_files)
