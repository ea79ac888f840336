#include "zones/anchor_file.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define KEY                                                                            \
	"257 3 13 "                                                                    \
	"GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9x" \
	"MWyQLc8NAA=="

static int parse(struct anchor_records *out, const char *text, char *error)
{
	return anchor_records_parse(out, "anchors", text, strlen(text), error);
}

START_TEST(builtin_is_the_file)
{
	struct anchor_records built, read;
	char error[ZONE_FILE_ERROR_MAX];
	ck_assert_int_eq(anchor_records_builtin(&built), 0);
	int err = anchor_records_load(&read, "zones/root.anchors", error);
	ck_assert_msg(err == 0, "%s", error);
	ck_assert_int_eq(read.n, built.n);
	for (int i = 0; i < built.n; i++) {
		const struct anchor_record *a = &built.record[i], *b = &read.record[i];
		ck_assert_int_eq(a->zone[0], 0);
		ck_assert_int_eq(a->type, DNS_DS);
		ck_assert(name_equal(a->zone, b->zone));
		ck_assert(a->type == b->type && a->len == b->len);
		ck_assert_mem_eq(a->rdata, b->rdata, a->len);
	}
	anchor_records_fini(&built);
	anchor_records_fini(&read);
}
END_TEST

static const struct {
	const char *text;
	int n;
} good[] = {
	{". DS 20326 8 2 " DIGEST "\n", 1},
	{". 172800 IN DS 20326 8 2 " DIGEST " ; a comment", 1},
	{"$ORIGIN Example.\n$TTL 60\n\n@ DS 20326 8 2 " DIGEST "\n\tDNSKEY " KEY
	 "\nb DNSKEY ( " KEY "\n )\n",
	 3},
	{"example. DS 1 8 99 00\n", 1}, /* unknown to us; main warns */
	{"example. DS 1 8 1 0123456789012345678901234567890123456789\n", 1},
	{"example. DNSKEY 256 3 8 AwEAAQ==\n", 1},
};

START_TEST(good_files)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct anchor_records r;
		char error[ZONE_FILE_ERROR_MAX];
		int err = parse(&r, good[i].text, error);
		ck_assert_msg(err == 0 && r.n == good[i].n, "case %zu: %d %s", i, err,
			      error);
		anchor_records_fini(&r);
	}
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *says; /* part of the message */
} bad[] = {
	{"", ERR_INVAL, "no trust anchor in the file"},
	{"; nothing\n\n", ERR_INVAL, "recursion.trust_anchor: \"\""},
	{". DS 20326 8 2 E06D44\n", ERR_FORMAT, ":1: a digest of 3 bytes"},
	{". DS 20326 8 2 E06D44", ERR_FORMAT, ":1: a digest of 3 bytes"},
	{"\n. DS 1 8 4 " DIGEST "\n", ERR_FORMAT, ":2: a digest of 32 bytes"},
	{". DS 20326 8 2\n", ERR_FORMAT, ":1: "},
	{". DS 20326 8 2 xyz\n", ERR_FORMAT, ":1: not a record"},
	{". DS 1 8 99 " DIGEST DIGEST DIGEST "\n", ERR_FORMAT, "none above 64"},
	{". DNSKEY 257 3 8\n", ERR_FORMAT, ":1: "},
	{". DNSKEY 385 3 8 AwEAAQ==\n", ERR_INVAL, ":1: a revoked key (flags 385)"},
	{". DNSKEY 257 2 8 AwEAAQ==\n", ERR_INVAL, ":1: not a zone's key"},
	{". DNSKEY 1 3 8 AwEAAQ==\n", ERR_INVAL, ":1: not a zone's key"},
	{". CH DS 20326 8 2 " DIGEST "\n", ERR_INVAL, "class"},
	{". NS a.test.\n", ERR_INVAL, ":1: a record of type 2; only DS and DNSKEY"},
	{"$INCLUDE /etc/passwd\n", ERR_FORMAT, ":1: not a record"},
	{". DS 20326 8 2 " DIGEST "\ngarbage\n", ERR_FORMAT, ":2: not a record"},
};

START_TEST(bad_files)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct anchor_records r;
		char error[ZONE_FILE_ERROR_MAX];
		int err = parse(&r, bad[i].text, error);
		ck_assert_msg(err == bad[i].err && strstr(error, bad[i].says),
			      "case %zu: %d '%s'", i, err, error);
		ck_assert(r.record == NULL && r.n == 0);
	}
}
END_TEST

START_TEST(unreadable_files)
{
	struct anchor_records r;
	char error[ZONE_FILE_ERROR_MAX];
	ck_assert_int_eq(anchor_records_load(&r, unit_path("none"), error), ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(error, "recursion.trust_anchor"));
	ck_assert_int_eq(anchor_records_load(&r, unit_dir(), error), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(error, "not a plain file"));
}
END_TEST

START_TEST(too_many)
{
	static char text[(ANCHOR_RECORDS_MAX + 1) * 32];
	struct anchor_records r;
	char error[ZONE_FILE_ERROR_MAX];
	for (int i = 0; i <= ANCHOR_RECORDS_MAX; i++)
		snprintf(text + strlen(text), 32, "e%d. DS 1 8 99 00\n", i);
	ck_assert_int_eq(parse(&r, text, error), ERR_FULL);
	ck_assert_ptr_nonnull(strstr(error, ":257: more than 256 records"));
}
END_TEST

UNIT_SUITE("anchor_file", builtin_is_the_file, good_files, bad_files, unreadable_files,
	   too_many)
