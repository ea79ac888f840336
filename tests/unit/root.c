#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "zones/root.h"

static const char *put(const char *text)
{
	return unit_file("hints", text);
}

START_TEST(builtin_is_the_file)
{
	struct root_hints built, read;
	char error[ROOT_ERROR_MAX];
	root_hints_builtin(&built);
	ck_assert_int_eq(built.server_n, 13);
	int err = root_hints_load(&read, "zones/root.hints", error);
	ck_assert_msg(err == 0, "%s", error);
	ck_assert_int_eq(read.server_n, built.server_n);
	for (int i = 0; i < built.server_n; i++) {
		ck_assert(name_equal(read.server[i].name, built.server[i].name));
		ck_assert_int_eq(read.server[i].addr_n, 2);
		ck_assert_int_eq(built.server[i].addr_n, 2);
		for (int k = 0; k < 2; k++)
			ck_assert(addr_equal(&read.server[i].addr[k],
					     &built.server[i].addr[k]));
	}
}
END_TEST

/* Order, case, $ORIGIN, brackets, comments and repeated lines do not matter. */
START_TEST(lab_file)
{
	struct root_hints h;
	char error[ROOT_ERROR_MAX], text[DNS_NAME_TEXT_MAX];
	int err = root_hints_load(&h,
				  put("; a lab\n$TTL 60\n\n"
				      "ns.Root.TEST. IN A 127.0.0.10\n"
				      ". 3600000 IN NS ns.root.test.\n"
				      ". NS NS.ROOT.test. ; again\n"
				      "$ORIGIN root.test.\n"
				      "ns AAAA ( ::1\n )\n"
				      "ns A 127.0.0.10\n"
				      ". NS b\n"
				      "b A 127.0.0.11\n"),
				  error);
	ck_assert_msg(err == 0, "%s", error);
	ck_assert_int_eq(h.server_n, 2);
	ck_assert_str_eq(name_to_text(text, h.server[0].name), "ns.root.test");
	ck_assert_int_eq(h.server[0].addr_n, 2);
	ck_assert_str_eq(name_to_text(text, h.server[1].name), "b.root.test");
	ck_assert_int_eq(h.server[1].addr_n, 1);
	ck_assert_int_eq(h.server[1].addr[0].port, 0);
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *says; /* part of the message */
} bad[] = {
	{"", ERR_INVAL, "no NS record"},
	{"; nothing\n", ERR_INVAL, "no NS record"},
	{". NS a.test.\n", ERR_INVAL, "no address of server a.test"},
	{". NS a.test.\nb.test. A 127.0.0.1\n", ERR_INVAL, ":2: an address of b.test"},
	{"test. NS a.test.\na.test. A 127.0.0.1\n", ERR_INVAL, ":1: an NS record of "},
	{". NS a.test.\n. MX 1 a.test.\n", ERR_INVAL, ":2: a record of type 15"},
	{". CH NS a.test.\n", ERR_INVAL, "class"},
	{". NS a.test.\na.test. A 127.0.0.x\n", ERR_FORMAT, ":2: not a record"},
	{"\n\ngarbage\n", ERR_FORMAT, ":3: not a record"},
	{"$INCLUDE /etc/passwd\n", ERR_FORMAT, ":1: not a record"},
};

START_TEST(bad_files)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct root_hints h;
		char error[ROOT_ERROR_MAX];
		int err = root_hints_load(&h, put(bad[i].text), error);
		ck_assert_msg(err == bad[i].err && strstr(error, bad[i].says),
			      "case %zu: %d '%s'", i, err, error);
	}
}
END_TEST

START_TEST(too_many)
{
	char text[4096] = "", error[ROOT_ERROR_MAX];
	struct root_hints h;
	for (int i = 0; i < 14; i++)
		snprintf(text + strlen(text), 64, ". NS s%d.test.\n", i);
	ck_assert_int_eq(root_hints_load(&h, put(text), error), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(error, "more than 13"));
	strcpy(text, ". NS s.test.\n");
	for (int i = 0; i < 7; i++)
		snprintf(text + strlen(text), 64, "s.test. A 127.0.0.%d\n", i);
	ck_assert_int_eq(root_hints_load(&h, put(text), error), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(error, "more than 6"));
}
END_TEST

START_TEST(no_file)
{
	struct root_hints h;
	char error[ROOT_ERROR_MAX];
	ck_assert_int_eq(root_hints_load(&h, unit_path("none"), error), ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(error, "recursion.root_hints"));
	ck_assert_int_eq(root_hints_load(&h, unit_dir(), error), ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(error, "not a plain file"));
	const char *big = put("");
	ck_assert_int_eq(truncate(big, ZONE_FILE_MAX + 1), 0);
	ck_assert_int_eq(root_hints_load(&h, big, error), ERR_INVAL);
}
END_TEST

UNIT_SUITE("root", builtin_is_the_file, lab_file, bad_files, too_many, no_file)
