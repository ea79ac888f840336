#include "tools/popular.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static const char *line(const char *text)
{
	static char out[DNS_NAME_TEXT_MAX + 16];
	uint8_t name[DNS_NAME_MAX];
	uint32_t rank;
	if (!popular_line(name, &rank, text, strlen(text)))
		return "";
	name_to_text(out, name);
	snprintf(out + strlen(out), 16, " %u", rank);
	return out;
}

START_TEST(lines)
{
	static const struct {
		const char *text, *want;
	} row[] = {
		{"example.com", "example.com 0"},
		{"Example.COM.\r", "example.com 0"},
		{"1,example.com", "example.com 1"},
		{"17;www.example.com\r", "www.example.com 17"},
		{"3\texample.com", "example.com 3"},
		{"5,2,example.com,com,99", "example.com 5"}, /* rank, rank in its TLD */
		{"\"7\",\"example.com\"", "example.com 7"},
		{"    \"example.com\",", "example.com 0"},
		{"4294967295,example.com", "example.com 4294967295"},
		{"99999999999,example.com", "example.com 0"},
		{"", ""},
		{"# example.com", ""},
		{"1,com", ""},
		{"rank,name", ""},
		{"http://example.com/", ""},
		{"\"", ""},
		{"a..b", ""},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		ck_assert_str_eq(line(row[i].text), row[i].want);
}
END_TEST

static const char *write_list(const char *text)
{
	return unit_file("list", text);
}

static bool hit(const struct popular *p, uint32_t *rank, const char *text, int kind)
{
	uint8_t name[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(name, text), 0);
	return popular_hit(p, rank, name, (enum rule_kind)kind);
}

static void check_hits(const struct popular *p)
{
	uint32_t rank;
	uint8_t name[DNS_NAME_MAX];
	ck_assert_uint_eq(popular_count(p), 3);
	ck_assert(hit(p, &rank, "www.example.com", RULE_EXACT));
	ck_assert_uint_eq(rank, 9);
	ck_assert(hit(p, &rank, "www.example.com", RULE_SUBTREE));
	ck_assert(!hit(p, &rank, "www.example.com", RULE_WILDCARD));
	ck_assert(!hit(p, &rank, "a.www.example.com", RULE_SUBTREE));
	/* above it: by what covers the names below */
	ck_assert(!hit(p, &rank, "example.com", RULE_EXACT));
	ck_assert(hit(p, &rank, "example.com", RULE_SUBTREE));
	ck_assert_uint_eq(rank, 4); /* the best below */
	ck_assert(hit(p, &rank, "example.com", RULE_WILDCARD));
	ck_assert(hit(p, &rank, "example.net", RULE_EXACT));
	ck_assert_uint_eq(rank, 0);
	ck_assert(!hit(p, &rank, "example.org", RULE_SUBTREE));
	ck_assert_int_eq(name_from_str(name, "example.com"), 0);
	ck_assert(!popular_is(p, &rank, name));
	ck_assert_int_eq(name_from_str(name, "mail.example.com"), 0);
	ck_assert(popular_is(p, &rank, name));
}

START_TEST(hits)
{
	char error[POPULAR_ERROR_MAX];
	struct popular *p;
	char folder[256];
	const char *list =
		write_list("9,www.example.com\n4,mail.example.com\nexample.net\n");
	char copy[256];
	snprintf(copy, sizeof copy, "%s", list);
	snprintf(folder, sizeof folder, "%s", unit_path("folder"));
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	/* without a folder, the first time, and as it was made */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(popular_open(&p, copy, i ? folder : NULL, error), 0);
		check_hits(p);
		popular_close(p);
	}
	/* another list in its place */
	write_list("other.example\n");
	ck_assert_int_eq(popular_open(&p, copy, folder, error), 0);
	ck_assert_uint_eq(popular_count(p), 1);
	popular_close(p);
}
END_TEST

/* What lies in the folder is believed only as far as it is in form. */
START_TEST(damaged_tables_end)
{
	char error[POPULAR_ERROR_MAX], list[256], path[512], folder[256];
	struct popular *p;
	uint32_t rank;
	snprintf(list, sizeof list, "%s", write_list("1,example.com\n"));
	snprintf(folder, sizeof folder, "%s", unit_path("folder"));
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(popular_open(&p, list, folder, error), 0);
	popular_close(p);
	snprintf(path, sizeof path, "%s/popular.index", folder);
	/* no empty place: a look-up ends all the same */
	FILE *f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	fseek(f, 16 + 8 * 8, SEEK_SET);
	for (int i = 0; i < 4096 * 12; i++)
		fputc(0x55, f);
	fclose(f);
	ck_assert_int_eq(popular_open(&p, list, folder, error), 0);
	(void)hit(p, &rank, "example.net", RULE_SUBTREE);
	popular_close(p);
	/* too short: made again */
	ck_assert_int_eq(truncate(path, 5000), 0);
	ck_assert_int_eq(popular_open(&p, list, folder, error), 0);
	ck_assert(hit(p, &rank, "example.com", RULE_SUBTREE));
	popular_close(p);
}
END_TEST

/* A hole in the file would be a SIGBUS once the disk is full. */
START_TEST(room_is_taken)
{
	char error[POPULAR_ERROR_MAX], list[256], path[512], folder[256];
	struct popular *p;
	struct stat st;
	snprintf(list, sizeof list, "%s", write_list("1,example.com\n"));
	snprintf(folder, sizeof folder, "%s", unit_path("folder"));
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(popular_open(&p, list, folder, error), 0);
	popular_close(p);
	snprintf(path, sizeof path, "%s/popular.index", folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, st.st_size);
}
END_TEST

START_TEST(many)
{
	enum { N = 50000 }; /* more than the file's size lets expect */
	char error[POPULAR_ERROR_MAX], text[32];
	struct popular *p;
	uint32_t rank;
	const char *path = unit_path("list");
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 1; i <= N; i++)
		fprintf(f, "%x.%x.aa\n", i, i);
	fclose(f);
	ck_assert_int_eq(popular_open(&p, path, NULL, error), 0);
	ck_assert_uint_eq(popular_count(p), N);
	for (int i = 1; i <= N; i++) {
		snprintf(text, sizeof text, "%x.%x.aa", i, i);
		ck_assert(hit(p, &rank, text, RULE_EXACT));
		snprintf(text, sizeof text, "%x.%x.aa", i, i + 1);
		ck_assert(!hit(p, &rank, text, RULE_SUBTREE));
	}
	popular_close(p);
	ck_assert_int_eq(popular_open(&p, "/nonexistent", NULL, error), ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent"));
}
END_TEST

UNIT_SUITE("popular", lines, hits, damaged_tables_end, room_is_taken, many)
