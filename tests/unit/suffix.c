#include "tools/suffix.h"

#include "tests/unit/unit.h"

static enum suffix_kind kind(struct suffix *s, const char *text)
{
	uint8_t name[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(name, text), 0);
	return suffix_of(s, name);
}

static FILE *text_of(const char *text)
{
	FILE *f = fopen(unit_file("list.dat", text), "r");
	ck_assert_ptr_nonnull(f);
	return f;
}

START_TEST(kinds)
{
	static const struct {
		const char *name;
		enum suffix_kind want;
	} row[] = {
		{"co.uk", SUFFIX_REGISTRY},
		{"example.co.uk", SUFFIX_NONE},
		{"github.io", SUFFIX_SHARED},
		{"user.github.io", SUFFIX_NONE},
		{"anything.ck", SUFFIX_REGISTRY}, /* *.ck */
		{"www.ck", SUFFIX_NONE},	  /* !www.ck */
		{"a.b.c.d.e.f.g.co.uk", SUFFIX_NONE},
		{"example.com", SUFFIX_NONE},
		{"nothing.invalid", SUFFIX_NONE}, /* a top-level domain of no list */
	};
	struct suffix s;
	ck_assert_int_eq(suffix_open(&s), 0);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < sizeof row / sizeof *row; i++)
			for (int twice = 0; twice < 2; twice++)
				ck_assert_msg(kind(&s, row[i].name) == row[i].want, "%s",
					      row[i].name);
	suffix_close(&s);
}
END_TEST

/* What is asked about is what the text has: exactly that shows in the answers. */
START_TEST(filter)
{
	struct suffix s;
	ck_assert_int_eq(suffix_open(&s), 0);
	FILE *f = text_of("// ac.uk\nuk\nco.uk rest\n\n*.ck\n!www.ck\ngithub.io\r\n");
	ck_assert_int_eq(suffix_filter(&s, f), 0);
	fclose(f);
	ck_assert_int_eq(kind(&s, "co.uk"), SUFFIX_REGISTRY);
	ck_assert_int_eq(kind(&s, "anything.ck"), SUFFIX_REGISTRY);
	ck_assert_int_eq(kind(&s, "www.ck"), SUFFIX_NONE);
	ck_assert_int_eq(kind(&s, "github.io"), SUFFIX_SHARED);
	ck_assert_int_eq(kind(&s, "ac.uk"), SUFFIX_NONE); /* not in that text */
	f = text_of("ac.uk\nno name at all\n*.\xff\n");
	ck_assert_int_eq(suffix_filter(&s, f), ERR_FORMAT);
	fclose(f);
	ck_assert_int_eq(kind(&s, "co.uk"), SUFFIX_REGISTRY);
	ck_assert_int_eq(kind(&s, "ac.uk"), SUFFIX_NONE);
	suffix_close(&s);
}
END_TEST

/* With the system's own text behind SUFFIX_FILTER_AFTER names nothing else comes out. */
START_TEST(filter_changes_nothing)
{
	struct suffix plain, quick;
	char line[512], longer[600];
	int suffixes = 0;
	FILE *f = fopen("/usr/share/publicsuffix/public_suffix_list.dat", "r");
	if (!f)
		return;
	ck_assert_int_eq(suffix_open(&plain), 0);
	ck_assert_int_eq(suffix_open(&quick), 0);
	for (int i = 0; i < SUFFIX_FILTER_AFTER; i++)
		ck_assert_int_eq(kind(&quick, "example.com"), SUFFIX_NONE);
	while (fgets(line, sizeof line, f)) {
		const char *p = line + strspn(line, "!*.");
		line[strcspn(line, "\r\n ")] = 0;
		if (!strchr(p, '.') || strncmp(p, "//", 2) == 0)
			continue;
		snprintf(longer, sizeof longer, "n.%s", p);
		plain.asked = 0; /* it stays without */
		ck_assert_msg(kind(&plain, p) == kind(&quick, p), "%s", p);
		ck_assert_msg(kind(&plain, longer) == kind(&quick, longer), "%s", longer);
		suffixes += kind(&quick, p) != SUFFIX_NONE;
	}
	ck_assert_int_gt(suffixes, 1000);
	ck_assert_ptr_null(plain.filter);
	fclose(f);
	suffix_close(&plain);
	suffix_close(&quick);
}
END_TEST

UNIT_SUITE("suffix", kinds, filter, filter_changes_nothing)
