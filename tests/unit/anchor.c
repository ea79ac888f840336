#include "resolver/anchor.h"

#include "tests/unit/unit.h"

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define KEY                                                                            \
	"257 3 13 "                                                                    \
	"GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9x" \
	"MWyQLc8NAA=="

static struct anchors *set(const char *text, const struct anchor_negative *n, int n_n)
{
	struct anchor_records r = {0};
	struct anchors *a;
	char error[ZONE_FILE_ERROR_MAX];
	if (*text)
		ck_assert_int_eq(
			anchor_records_parse(&r, "anchors", text, strlen(text), error),
			0);
	ck_assert_int_eq(anchors_new(&a, &r, n, n_n), 0);
	anchor_records_fini(&r);
	return a;
}

static struct anchor find(const struct anchors *a, const char *name, bool above,
			  uint32_t now_s)
{
	uint8_t wire[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(wire, name), 0);
	return anchors_find(a, wire, above, now_s);
}

enum { NOW = 1000 };

static struct anchor_negative negative(const char *zone, uint32_t until_s)
{
	struct anchor_negative n = {.until_s = until_s};
	ck_assert_int_eq(name_from_str(n.zone, zone), 0);
	return n;
}

START_TEST(which_one_decides)
{
	const struct anchor_negative n[] = {
		negative("broken.example", 0), negative("late.example", NOW + 1),
		negative("signed.test", NOW + 1), negative("twice.example", NOW),
		negative("twice.example", NOW + 1)};
	static const struct {
		const char *name;
		bool above;
		uint32_t now_s;
		enum anchor_kind kind;
		const char *zone;
	} t[] = {
		{".", false, NOW, ANCHOR_TRUST, "."},
		{".", true, NOW, ANCHOR_NONE, ""},
		{"www.example.com", false, NOW, ANCHOR_TRUST, "."},
		{"broken.example", false, NOW, ANCHOR_NEGATIVE, "broken.example"},
		{"a.b.broken.example", false, NOW, ANCHOR_NEGATIVE, "broken.example"},
		{"xbroken.example", false, NOW, ANCHOR_TRUST, "."},
		{"broken.example", true, NOW, ANCHOR_TRUST, "."},
		{"late.example", false, NOW, ANCHOR_NEGATIVE, "late.example"},
		{"late.example", false, NOW + 1, ANCHOR_TRUST, "."},
		{"twice.example", false, NOW, ANCHOR_NEGATIVE, "twice.example"},
		/* an island below a negative anchor is validated */
		{"island.broken.example", false, NOW, ANCHOR_TRUST,
		 "island.broken.example"},
		{"a.island.broken.example", false, NOW, ANCHOR_TRUST,
		 "island.broken.example"},
		{"island.broken.example", true, NOW, ANCHOR_NEGATIVE, "broken.example"},
		{"signed.test", false, NOW, ANCHOR_NEGATIVE, "signed.test"},
		{"SIGNED.test", false, NOW + 1, ANCHOR_TRUST, "signed.test"},
	};
	struct anchors *a = set(". DS 20326 8 2 " DIGEST "\n"
				"Island.Broken.Example. DS 1 8 2 " DIGEST "\n"
				"signed.test. DNSKEY " KEY "\n",
				n, sizeof n / sizeof *n);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct anchor f = find(a, t[i].name, t[i].above, t[i].now_s);
		char text[DNS_NAME_TEXT_MAX] = "";
		if (f.kind != ANCHOR_NONE)
			name_to_text(text, f.zone);
		ck_assert_msg(f.kind == t[i].kind && !strcmp(text, t[i].zone),
			      "case %zu: %d '%s'", i, f.kind, text);
		if (f.kind == ANCHOR_TRUST) {
			ck_assert(name_equal(f.ds->owner, f.zone));
			ck_assert_int_eq(f.ds->type, DNS_DS);
			ck_assert_int_eq(f.ds->security, SECURITY_SECURE);
		}
	}
	anchors_free(a);
}
END_TEST

START_TEST(what_has_changed)
{
	static const struct {
		const char *before, *after, *zones;
	} t[] = {
		{"", "", ""},
		{". DS 1 8 2 " DIGEST "\n", ". DS 1 8 2 " DIGEST "\n", ""},
		{". DS 1 8 2 " DIGEST "\n", "", ". "},
		{"", ". DS 1 8 2 " DIGEST "\nb. DS 1 8 2 " DIGEST "\n", ". b "},
		{"a. DS 1 8 2 " DIGEST "\nb. DS 1 8 2 " DIGEST "\n",
		 "b. DS 2 8 2 " DIGEST "\nc. DS 1 8 2 " DIGEST "\n", "a b c "},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct anchors *a = set(t[i].before, NULL, 0);
		struct anchors *b = set(t[i].after, NULL, 0);
		char zones[64] = "", text[DNS_NAME_TEXT_MAX];
		const uint8_t *zone;
		for (int at[2] = {0, 0}; anchors_next_change(a, b, at, &zone);) {
			strcat(zones, name_to_text(text, zone));
			strcat(zones, " ");
		}
		ck_assert_str_eq(zones, t[i].zones);
		anchors_free(a);
		anchors_free(b);
	}
	const struct anchor_negative n[] = {negative("a", 1), negative("a", 2),
					    negative("b", 0)};
	struct anchors *a = set("", n, 1), *b = set("", n + 1, 2);
	int changes = 0;
	const uint8_t *zone;
	for (int at[2] = {0, 0}; anchors_next_change(a, b, at, &zone);)
		changes++;
	ck_assert_int_eq(changes, 2);
	anchors_free(a);
	anchors_free(b);
}
END_TEST

START_TEST(upper_case_names)
{
	static const uint8_t name[] = "\7EXAMPLE";
	struct anchors *a = set("example. DS 1 8 2 " DIGEST "\n", NULL, 0);
	ck_assert_int_eq(anchors_find(a, name, false, NOW).kind, ANCHOR_TRUST);
	anchors_free(a);
}
END_TEST

START_TEST(nothing_is_validated_without_anchors)
{
	struct anchors *a = set("", NULL, 0);
	ck_assert_int_eq(find(a, "www.example", false, NOW).kind, ANCHOR_NONE);
	ck_assert_int_eq(find(NULL, "www.example", false, NOW).kind, ANCHOR_NONE);
	anchors_free(a);
}
END_TEST

/* RFC 6605 6.1 gives the key; a DNSKEY line and its DS line are one record. */
START_TEST(keys_become_ds)
{
	struct anchors *a =
		set("example.net. DNSKEY 257 3 13 "
		    "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+"
		    "e+MAnLr+Wi9xMWyQLc8NAA==\n"
		    "example.net. DS 55648 13 2 "
		    "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17\n"
		    "example.net. DS 1 13 2 " DIGEST "\n",
		    NULL, 0);
	struct anchor f = find(a, "example.net", false, NOW);
	int at = 0;
	ck_assert_int_eq(f.kind, ANCHOR_TRUST);
	ck_assert_int_eq(f.ds->rr_n, 2);
	ck_assert_int_eq(f.ds->data_len, 2 * (2 + 36));
	ck_assert_int_eq(wire_get16(f.ds->data + 2), 55648);
	ck_assert(anchors_next(a, &at, &f));
	ck_assert(!anchors_next(a, &at, &f));
	anchors_free(a);
}
END_TEST

/* Both lists at their limits fit. */
START_TEST(full)
{
	static struct anchor_negative n[256];
	struct anchor_records r = {0};
	struct anchors *a;
	uint8_t ds[68] = {0}, zone[] = "\2e0";
	for (int i = 0; i < ANCHOR_RECORDS_MAX; i++) {
		ds[4] = (uint8_t)i;
		zone[2] = (uint8_t)i;
		ck_assert_int_eq(anchor_records_add(&r, (const uint8_t *)"", DNS_DS, ds,
						    sizeof ds),
				 0);
		memcpy(n[i].zone, zone, sizeof zone);
	}
	ck_assert_int_eq(anchor_records_add(&r, zone, DNS_DS, ds, 68), ERR_FULL);
	ck_assert_int_eq(anchors_new(&a, &r, n, 256), 0);
	ck_assert_int_eq(find(a, "x", false, NOW).ds->rr_n, ANCHOR_RECORDS_MAX);
	anchors_free(a);
	anchor_records_fini(&r);
}
END_TEST

UNIT_SUITE("anchor", which_one_decides, what_has_changed, upper_case_names,
	   nothing_is_validated_without_anchors, keys_become_ds, full)
