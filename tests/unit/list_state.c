#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/unit/unit.h"
#include "tools/update_list.h"

enum { NOW = 1790000000, ROOM = 4096 };

/* ---- what is remembered ---- */

START_TEST(round_trip)
{
	struct list_state s = {.epoch = UINT64_MAX,
			       .names = 3,
			       .checked = NOW,
			       .good = NOW - 5,
			       .next = UINT32_MAX,
			       .failures = 2,
			       .result = LIST_FAILED,
			       .etag = "W/\"a b\"",
			       .modified = " two  blanks",
			       .text = "one\nresult 1"},
			  back;
	char text[ROOM];
	size_t n = list_state_print(text, sizeof text, &s);
	ck_assert_int_eq(list_state_parse(&back, text, n), 0);
	ck_assert_str_eq(back.text, "one result 1"); /* a line of its own it cannot be */
	strcpy(back.text, s.text);
	ck_assert_mem_eq(&s, &back, sizeof s);
}
END_TEST

START_TEST(damaged_text)
{
	static const char *const bad[] = {
		"",
		"sinkholed feed 2\n",
		"sinkholed feed 1\nnext 4294967296\n",
		"sinkholed feed 1\nnext -1\n",
		"sinkholed feed 1\nresult 5\n",
		"sinkholed feed 1\nepoch 18446744073709551616\n",
		"sinkholed feed 1\nnext \n",
	};
	struct list_state s;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(list_state_parse(&s, bad[i], strlen(bad[i])),
				 ERR_FORMAT);
	static const char later[] = "sinkholed feed 1\nof a later version\nnext 7";
	ck_assert_int_eq(list_state_parse(&s, later, sizeof later - 1), 0);
	ck_assert_uint_eq(s.next, 7);
}
END_TEST

START_TEST(files)
{
	struct list_state s = {.next = 7}, back;
	ck_assert_int_eq(list_state_read(&back, unit_dir(), "one"), 0);
	ck_assert_uint_eq(back.next, 0);
	ck_assert_int_eq(list_state_write(&s, unit_dir(), "one"), 0);
	ck_assert_int_eq(list_state_read(&back, unit_dir(), "one"), 0);
	ck_assert_uint_eq(back.next, 7);
	ck_assert_int_eq(truncate(unit_path("one.state"), 5), 0);
	ck_assert_int_eq(list_state_read(&back, unit_dir(), "one"), 0);
	ck_assert_uint_eq(back.next, 0);
}
END_TEST

/* ---- when ---- */

static uint32_t wait_after(uint32_t interval, unsigned failures, uint32_t asked)
{
	const struct conf_list l = {.interval_s = interval};
	const struct list_state s = {.result = failures ? LIST_FAILED : LIST_IMPORTED,
				     .failures = failures};
	return update_next(&l, &s, NOW, asked) - NOW;
}

START_TEST(waits)
{
	static const struct {
		uint32_t interval, failures, asked, least;
	} rows[] = {
		{3600, 0, 0, 3600},
		{3600, 1, 0, 300},
		{3600, 2, 0, 600},
		{3600, 3, 0, 1200},
		{3600, 4, 0, 2400},
		{3600, 5, 0, 3600},
		{3600, 99, 0, 3600},
		{60, 1, 0, 300},
		{60, 9, 0, 3600},
		{86400, 99, 0, 86400},
		{86400, 1, 0, 300},
		{3600, 1, 7200, 7200},
		{3600, 4000000000, 0, 3600},
		{2592000, 99, 0, 2592000},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t wait =
			wait_after(rows[i].interval, rows[i].failures, rows[i].asked);
		ck_assert_uint_ge(wait, rows[i].least);
		ck_assert_uint_le(wait, rows[i].least + rows[i].least / 10);
	}
}
END_TEST

START_TEST(due)
{
	const struct conf_list l = {.interval_s = 3600};
	struct list_state s = {.next = NOW};
	ck_assert(update_is_due(&l, &s, NOW));
	ck_assert(!update_is_due(&l, &s, NOW - 1));
	ck_assert(!update_is_due(&l, &s, NOW - 3960));
	ck_assert(update_is_due(&l, &s, NOW - 365 * 86400)); /* the clock was set back */
}
END_TEST

/* ---- files ---- */

#define SUM "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define LOW "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(published_sums)
{
	static const struct {
		const char *text, *sum;
	} rows[] = {
		{SUM, LOW},
		{SUM "\n", LOW},
		{SUM "  list.txt\n", LOW},
		{SUM " *other.txt\n", LOW}, /* the only one */
		{OTHER "  x\n" SUM "  ./list.txt\r\n", LOW},
		{"SHA256 (x) = " OTHER "\nSHA256 (list.txt) = " SUM "\n", LOW},
		{OTHER "  alist.txt\n" SUM "  list.txt.gz\n", NULL},
		{OTHER "\n" SUM "\n", NULL},
		{"0" SUM, NULL},
		{SUM "0", NULL},
		{"", NULL},
		{"list.txt", NULL},
	};
	char sum[FEED_FILE_SHA_MAX];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool found = feed_file_find_sum(sum, rows[i].text, strlen(rows[i].text),
						"list.txt");
		ck_assert_msg(found == (rows[i].sum != NULL), "%s", rows[i].text);
		ck_assert_str_eq(sum, rows[i].sum ? rows[i].sum : "");
	}
}
END_TEST

static int take(struct feed_file *f, const void *bytes, size_t n, size_t step,
		uint64_t max)
{
	int folder = open(unit_dir(), O_RDONLY | O_DIRECTORY), err;
	err = feed_file_open(f, folder, "part", max);
	close(folder);
	for (size_t at = 0, len; !err && at < n; at += len) {
		len = n - at < step ? n - at : step;
		err = feed_file_put(f, (const char *)bytes + at, len);
	}
	return err ? err : feed_file_done(f);
}

/* In pieces of any size; plain is the same text without gzip. */
START_TEST(pieces)
{
	static const char text[] = "a.example.net\nb.example.net\nc.example.net\n";
	uint8_t packed[512];
	struct feed_file f;
	char sum[FEED_FILE_SHA_MAX], got[64];
	z_stream z = {0};
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), 0);
	memcpy(got, text, sizeof text);
	z.next_in = (uint8_t *)got;
	z.avail_in = sizeof text - 1;
	z.next_out = packed;
	z.avail_out = sizeof packed;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t packed_n = sizeof packed - z.avail_out;
	deflateEnd(&z);
	memcpy(packed + packed_n, packed, packed_n); /* two members */
	for (size_t step = 1; step < 40; step++) {
		ck_assert_int_eq(take(&f, text, sizeof text - 1, step, 1000), 0);
		ck_assert_str_eq(f.packed, f.plain);
		strcpy(sum, f.plain);
		feed_file_close(&f);
		ck_assert_int_eq(take(&f, packed, packed_n, step, 1000), 0);
		ck_assert_str_eq(f.plain, sum);
		ck_assert_int_eq(feed_file_sum(f.packed, f.fd), 0);
		ck_assert_str_eq(f.packed, sum);
		ck_assert_int_eq(read(f.fd, got, sizeof got), sizeof text - 1);
		ck_assert_mem_eq(got, text, sizeof text - 1);
		feed_file_close(&f);
		ck_assert_int_eq(take(&f, packed, 2 * packed_n, step, 1000), 0);
		ck_assert_uint_eq(f.bytes, 2 * (sizeof text - 1));
		feed_file_close(&f);
		ck_assert_int_eq(take(&f, packed, packed_n - 1, step, 1000), ERR_FORMAT);
		feed_file_close(&f);
		ck_assert_int_eq(take(&f, packed, packed_n, step, sizeof text - 2),
				 ERR_RANGE);
		feed_file_close(&f);
	}
}
END_TEST

START_TEST(no_lists)
{
	static const char *const bad[] = {"<html>",   "\xef\xbb\xbf\n<!DOCTYPE html>",
					  "PK\3\4",   "BZh9",
					  "\3757zXZ", "\x1f\x8b rubbish behind it"};
	struct feed_file f;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(take(&f, bad[i], strlen(bad[i]), 5, 1000), ERR_FORMAT);
		ck_assert(*f.why);
		feed_file_close(&f);
	}
	ck_assert_int_eq(take(&f, "", 0, 5, 1000), 0);
	feed_file_close(&f);
	ck_assert_int_eq(take(&f, "<", 1, 5, 1000), 0);
	feed_file_close(&f);
}
END_TEST

UNIT_SUITE("list_state", round_trip, damaged_text, files, waits, due, published_sums,
	   pieces, no_lists)
