#include "resolver/sentinel.h"

#include "tests/unit/unit.h"

START_TEST(what_is_withheld)
{
	static const struct {
		const char *name;
		uint16_t type;
		bool hides;
	} t[] = {
		{"root-key-sentinel-is-ta-20326.example", DNS_A, false},
		{"root-key-sentinel-is-ta-20326.example", DNS_AAAA, false},
		{"root-key-sentinel-is-ta-00001.example", DNS_A, true},
		{"root-key-sentinel-is-ta-00001.example", DNS_AAAA, true},
		{"root-key-sentinel-is-ta-00001.example", DNS_TXT, false},
		{"root-key-sentinel-not-ta-20326.example", DNS_A, true},
		{"root-key-sentinel-not-ta-00001.example", DNS_A, false},
		{"root-key-sentinel-is-ta-0001.example", DNS_A, false},
		{"root-key-sentinel-is-ta-000001.example", DNS_A, false},
		{"root-key-sentinel-is-ta-0000x.example", DNS_A, false},
		{"root-key-sentinel-is-ta-99999.example", DNS_A, false},
		{"www.root-key-sentinel-is-ta-00001.example", DNS_A, false},
		{"example", DNS_A, false},
		{".", DNS_A, false},
	};
	struct anchor_records builtin;
	struct anchors *set;
	uint8_t name[DNS_NAME_MAX];
	ck_assert_int_eq(anchor_records_builtin(&builtin), 0);
	ck_assert_int_eq(anchors_new(&set, &builtin, NULL, 0), 0);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		ck_assert_int_eq(name_from_str(name, t[i].name), 0);
		ck_assert_msg(sentinel_hides(set, name, t[i].type, 1) == t[i].hides, "%s",
			      t[i].name);
	}
	anchors_free(set);
	anchor_records_fini(&builtin);
}
END_TEST

UNIT_SUITE("sentinel", what_is_withheld)
