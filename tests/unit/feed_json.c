#include "include/tlp.h"
#include "tests/unit/feed_lab.h"
#include "zones/feed_stix.h"

/* ---- STIX ---- */

static int on_term(void *arg, const struct stix_term *t)
{
	add(arg, "%.*s %.*s %.*s", (int)t->object.len, t->object.text, (int)t->op.len,
	    t->op.text, (int)t->value.len, t->value.text);
	return 0;
}

START_TEST(stix_patterns)
{
	static const struct {
		const char *pattern, *terms;
		int why;
	} rows[] = {
		{"[domain-name:value = 'a.test']", "domain-name:value = a.test",
		 FEED_WORD},
		{"[domain-name:value='a.test']", "domain-name:value = a.test", FEED_WORD},
		{" [ domain-name:value\t==\n'a.test' ] ", "domain-name:value == a.test",
		 FEED_WORD},
		{"[a:b = 'x' OR c:d = 'y']", "a:b = x; c:d = y", FEED_WORD},
		{"[a:b = 'x'] OR [c:d = 'y']", "a:b = x; c:d = y", FEED_WORD},
		{"([a:b = 'x']) or ([(c:d = 'y' OR (e:f = 'z'))])",
		 "a:b = x; c:d = y; e:f = z", FEED_WORD},
		{"[a:b IN ('x', 'y','z')]", "a:b IN x; a:b IN y; a:b IN z", FEED_WORD},
		{"[a:b LIKE '%.x']", "a:b LIKE %.x", FEED_WORD},
		{"[a:b != 'x']", "a:b != x", FEED_WORD},
		{"[a:b >= 5]", "a:b >= 5", FEED_WORD},
		{"[a:b = 'it\\'s \\\\ OR ]']", "a:b = it's \\ OR ]", FEED_WORD},
		{"[file:hashes.'SHA-256' = 'x']", "file:hashes.'SHA-256' = x", FEED_WORD},
		{"[a:b[*].c = 'x']", "a:b[*].c = x", FEED_WORD},
		{"[a:b = t'2026-01-02T03:04:05Z']", "a:b = t'2026-01-02T03:04:05Z'",
		 FEED_WORD},
		/* more than a list of alternatives */
		{"[a:b = 'x' AND c:d = 'y']", "", FEED_SKIP_PATTERN},
		{"[a:b = 'x'] AND [c:d = 'y']", "", FEED_SKIP_PATTERN},
		{"[a:b = 'x'] FOLLOWEDBY [c:d = 'y']", "", FEED_SKIP_PATTERN},
		{"[a:b = 'x'] WITHIN 5 SECONDS", "", FEED_SKIP_PATTERN},
		{"[a:b = 'x'] REPEATS 5 TIMES", "", FEED_SKIP_PATTERN},
		{"[a:b = 'x' OR c:d = 'y'] START t'2026-01-01T00:00:00Z'", "",
		 FEED_SKIP_PATTERN},
		{"[NOT a:b = 'x']", "", FEED_SKIP_PATTERN},
		{"[a:b NOT = 'x']", "", FEED_SKIP_PATTERN},
		/* malformed */
		{"", "", FEED_SKIP_SYNTAX},
		{"[", "", FEED_SKIP_SYNTAX},
		{"[]", "", FEED_SKIP_SYNTAX},
		{"a:b = 'x'", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x'", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x]", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x\\", "", FEED_SKIP_SYNTAX},
		{"[a:b 'x']", "", FEED_SKIP_SYNTAX},
		{"[ab = 'x']", "", FEED_SKIP_SYNTAX},
		{"[a:b =]", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x' OR]", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x'] OR", "", FEED_SKIP_SYNTAX},
		{"[[a:b = 'x']]", "", FEED_SKIP_SYNTAX},
		{"[(a:b = 'x']", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x')]", "", FEED_SKIP_SYNTAX},
		{"([a:b = 'x']", "", FEED_SKIP_SYNTAX},
		{"[a:b = 'x']]", "", FEED_SKIP_SYNTAX},
		{"[a:b IN 'x']", "", FEED_SKIP_SYNTAX},
		{"[a:b IN ('x'", "", FEED_SKIP_SYNTAX},
		{"[a:b IN ()]", "", FEED_SKIP_SYNTAX},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct transcript t = {.len = 0};
		int stop;
		int why = feed_stix_pattern(
			(struct feed_span){rows[i].pattern, strlen(rows[i].pattern)},
			on_term, &t, &stop);
		ck_assert_msg(why == rows[i].why && strcmp(t.text, rows[i].terms) == 0,
			      "%s\n got: %d %s\nwant: %d %s", rows[i].pattern, why,
			      t.text, rows[i].why, rows[i].terms);
	}
}
END_TEST

#define BUNDLE(objects)                                                                 \
	"{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000000\"," \
	"\n"                                                                            \
	"\"objects\":[\n" objects "]}"
#define INDICATOR(pattern, more)                                  \
	"{\"type\":\"indicator\",\"pattern_type\":\"stix\"," more \
	"\"pattern\":\"" pattern "\"}"

START_TEST(stix_indicators)
{
	static const struct {
		const char *text, *becomes;
	} rows[] = {
		{BUNDLE(INDICATOR("[domain-name:value = 'C2.example.net']", "")),
		 "3 subtree c2.example.net"},
		{BUNDLE(INDICATOR("[domain-name:value LIKE '%.example.net']", "")),
		 "3 wildcard example.net"},
		{BUNDLE(INDICATOR("[ipv4-addr:value = '192.0.2.1' OR ipv6-addr:value = "
				  "'2001:db8::1']",
				  "")),
		 "3 address 192.0.2.1/32; 3 address 2001:db8::1/128"},
		{BUNDLE(INDICATOR("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", "")),
		 "3 address 192.0.2.0/24"},
		{BUNDLE(INDICATOR("[domain-name:value IN ('a.test','b.test')]", "")),
		 "3 subtree a.test; 3 subtree b.test"},
		/* two on two lines; other objects are no rules */
		{BUNDLE("{\"type\":\"malware\",\"name\":\"x\"},\n" INDICATOR(
			 "[domain-name:value = 'a.test']",
			 "") ",\n" INDICATOR("[domain-name:"
					     "value = "
					     "'b.test']",
					     "")),
		 "4 subtree a.test; 5 subtree b.test"},
		/* alternatives that are no rules are left out one by one */
		{BUNDLE(INDICATOR(
			 "[url:value = 'http://a.test/' OR domain-name:value = "
			 "'a.test' OR file:hashes.MD5 = 'x' OR domain-name:value "
			 "!= 'b.test' OR domain-name:value = 'com']",
			 "")),
		 "3 !url; 3 subtree a.test; 3 !other-thing; 3 !pattern; 3 !single-label"},
		{BUNDLE(INDICATOR("[domain-name:value LIKE '%a.test']", "")),
		 "3 !pattern"},
		{BUNDLE(INDICATOR("[domain-name:value LIKE '%.a%.test']", "")),
		 "3 !pattern"},
		{BUNDLE(INDICATOR("[domain-name:value MATCHES 'a.*']", "")),
		 "3 !pattern"},
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test' AND ipv4-addr:value = "
				  "'192.0.2.1']",
				  "")),
		 "3 !pattern"},
		{BUNDLE(INDICATOR("[domain-name:value = ", "")), "3 !syntax"},
		{BUNDLE("{\"type\":\"indicator\",\"pattern_type\":\"yara\","
			"\"pattern\":\"x\"}"),
		 "3 !pattern"},
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']", "\"revoked\":true,")),
		 "3 !revoked"},
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				  "\"revoked\":false,")),
		 "3 subtree a.test"},
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				  "\"valid_until\":\"2020-01-01T00:00:00Z\",")),
		 "3 !expired"},
		{BUNDLE("{\"type\":\"indicator\"}"), "3 !syntax"},
		{BUNDLE("{}"), ""},
		/* what an export of ours adds */
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				  "\"extensions\":{\"" FEED_STIX_EXTENSION
				  "\":{\"rule_kind\":\"exact\",\"rule_action\":"
				  "\"nxdomain\"}},")),
		 "3 exact a.test; nxdomain"},
		{BUNDLE(INDICATOR("[ipv4-addr:value = '192.0.2.1']",
				  "\"extensions\":{\"" FEED_STIX_EXTENSION
				  "\":{\"rule_kind\":\"server\"}},")),
		 "3 server 192.0.2.1/32"},
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				  "\"extensions\":{\"" FEED_STIX_EXTENSION
				  "\":{\"rule_kind\":\"below\"}},")),
		 "3 !syntax"},
		/* an extension of somebody else */
		{BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				  "\"extensions\":{\"x\":{\"rule_kind\":\"below\"}},")),
		 "3 subtree a.test"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		expect_with(rows[i].text, (struct feed_options){.now = 1767323045},
			    rows[i].becomes);
		ck_assert_int_eq(result.format, FEED_STIX);
	}
}
END_TEST

START_TEST(stix_fields)
{
	expect(BUNDLE("{\"type\":\"identity\",\"id\":\"identity--1\",\"name\":\"CERT\"},"
		      "\n"
		      "{\"pattern\":\"[domain-name:value = 'a.test']\",\"confidence\":85,"
		      "\"created_by_ref\":\"identity--1\",\"name\":\"Beacon\","
		      "\"created\":\"2026-01-01T00:00:00.000Z\","
		      "\"valid_from\":\"2026-01-02T03:04:05.678Z\","
		      "\"valid_until\":\"2026-01-02T03:04:06Z\","
		      "\"indicator_types\":[\"malicious-activity\",\"c2\"],"
		      "\"external_references\":[{\"source_name\":\"s\",\"url\":"
		      "\"https://x.test/1\"},{\"source_name\":\"cve\",\"external_id\":"
		      "\"CVE-1\"}],"
		      "\"object_marking_refs\":[\"marking-definition--"
		      "34098fce-860f-48ae-8e50-ebd3cc5e41da\",\"marking-definition--"
		      "939a9414-2ddd-4d32-a0cd-375ea402b003\"],"
		      "\"type\":\"indicator\"}"),
	       FEED_STIX, "4 subtree a.test");
	const struct blocklist_item *i = &seen.last;
	ck_assert_uint_eq(i->starts, 1767323045);
	ck_assert_uint_eq(i->expires, 1767323046);
	ck_assert_uint_eq(i->entry.expires, 1767323046);
	ck_assert_uint_eq(i->entry.first_listed, 1767225600);
	ck_assert_uint_eq(i->entry.confidence, 85);
	ck_assert_str_eq(i->entry.reason, "Beacon");
	ck_assert_str_eq(i->entry.authority, "CERT");
	ck_assert_str_eq(i->entry.category, "malicious-activity c2");
	ck_assert_str_eq(i->entry.reference, "TLP:AMBER+STRICT https://x.test/1 CVE-1");
	/* nothing of it is left for the next one; an author that is not in the file */
	expect(BUNDLE(INDICATOR("[domain-name:value = 'a.test']",
				"\"revoked\":true,") ",\n" INDICATOR("[domain-name:value "
								     "= 'b.test']",
								     "")),
	       FEED_STIX, "3 !revoked; 4 subtree b.test");
	expect(BUNDLE("{\"type\":\"indicator\",\"confidence\":85,\"name\":\"Beacon\","
		      "\"valid_until\":\"2030-01-01T00:00:00Z\","
		      "\"pattern\":\"[domain-name:value = 'a.test']\"},\n"
		      "{\"type\":\"indicator\",\"created_by_ref\":\"identity--9\","
		      "\"pattern\":\"[domain-name:value = 'b.test']\"}"),
	       FEED_STIX, "3 subtree a.test; 4 subtree b.test");
	ck_assert_uint_eq(i->expires, 0);
	ck_assert_uint_eq(i->entry.confidence, 255);
	ck_assert_str_eq(i->entry.reason, "");
	ck_assert_str_eq(i->entry.authority, "identity--9");
}
END_TEST

/* ---- MISP ---- */

#define ATTRIBUTE(type, value)                                      \
	"{\"type\":\"" type "\",\"to_ids\":true,\"value\":\"" value \
	"\",\"category\":\"Network activity\",\"timestamp\":\"1767323045\"}"
#define EVENT(attributes, more)                                              \
	"{\"Event\":{\"info\":\"Campaign\",\"uuid\":\"u-1\",\"Attribute\":[" \
	"\n" attributes "]" more "}}"

START_TEST(misp_attributes)
{
	static const struct {
		const char *text, *becomes;
	} rows[] = {
		{EVENT(ATTRIBUTE("domain", "a.test"), ""), "2 subtree a.test"},
		{EVENT(ATTRIBUTE("hostname", "www.a.test"), ""), "2 subtree www.a.test"},
		{EVENT(ATTRIBUTE("ip-dst", "192.0.2.1"), ""), "2 address 192.0.2.1/32"},
		{EVENT(ATTRIBUTE("ip-dst", "192.0.2.0/24"), ""),
		 "2 address 192.0.2.0/24"},
		{EVENT(ATTRIBUTE("domain|ip", "a.test|192.0.2.1"), ""),
		 "2 subtree a.test; 2 address 192.0.2.1/32"},
		{EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.1|443"), ""), "2 !port"},
		{EVENT(ATTRIBUTE("ip-dst|port", "2001:db8::1|443"), ""), "2 !port"},
		{EVENT(ATTRIBUTE("hostname|port", "a.test|443"), ""), "2 !port"},
		{EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.1"), ""), "2 !other-thing"},
		/* the machine that was attacked from, or that others share */
		{EVENT(ATTRIBUTE("ip-src", "192.0.2.1"), ""), "2 !other-thing"},
		{EVENT(ATTRIBUTE("url", "http://a.test/"), ""), "2 !url"},
		{EVENT(ATTRIBUTE("md5", "x"), ""), "2 !other-thing"},
		{EVENT(ATTRIBUTE("domain", "com"), ""), "2 !single-label"},
		{EVENT("{\"type\":\"domain\",\"value\":\"a.test\",\"to_ids\":false}", ""),
		 "2 !not-ids"},
		{EVENT("{\"type\":\"domain\",\"value\":\"a.test\"}", ""), "2 !not-ids"},
		{EVENT("{\"type\":\"domain\",\"value\":\"a.test\",\"to_ids\":\"1\"}", ""),
		 "2 subtree a.test"},
		{EVENT("{\"type\":\"domain\",\"value\":\"a.test\",\"to_ids\":true,"
		       "\"deleted\":true}",
		       ""),
		 "2 !revoked"},
		/* in objects, in arrays, as answers to searches */
		{EVENT("", ",\"Object\":[{\"name\":\"o\",\"Attribute\":[" ATTRIBUTE(
				   "domain", "a.test") "]}]"),
		 "2 subtree a.test"},
		{"[" EVENT(ATTRIBUTE("domain", "a.test"),
			   "") ",\n" EVENT(ATTRIBUTE("domain", "b.test"), "") "]",
		 "2 subtree a.test; 4 subtree b.test"},
		{"{\"response\":[" EVENT(ATTRIBUTE("domain", "a.test"), "") "]}",
		 "2 subtree a.test"},
		{"{\"response\":{\"Attribute\":[" ATTRIBUTE("domain", "a.test") "]}}",
		 "1 subtree a.test"},
		/* another event's */
		{EVENT("", ",\"RelatedEvent\":[{\"Event\":{\"Attribute\":[" ATTRIBUTE(
				   "domain", "a.test") "]}}]"),
		 ""},
		{EVENT("", ",\"ShadowAttribute\":[" ATTRIBUTE("domain", "a.test") "]"),
		 ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		expect(rows[i].text, FEED_AUTO, rows[i].becomes);
		ck_assert_int_eq(result.format, FEED_MISP);
	}
	expect_with(EVENT(ATTRIBUTE("ip-dst|port", "2001:db8::1|443"), ""),
		    (struct feed_options){.format = FEED_MISP, .ports = true},
		    "2 server 2001:db8::1/128");
}
END_TEST

START_TEST(misp_fields)
{
	/* tags that stand behind the attributes they are about */
	expect(EVENT(ATTRIBUTE("domain", "a.test"),
		     ",\"Orgc\":{\"name\":\"CIRCUS\"},"
		     "\"Tag\":[{\"name\":\"tlp:amber\"},{\"name\":"
		     "\"misp-galaxy:malpedia=\\\"Xbot\\\"\"}]"),
	       FEED_MISP, "2 subtree a.test");
	const struct blocklist_entry *e = &seen.last.entry;
	ck_assert_str_eq(e->reference, "TLP:AMBER MISP event u-1");
	ck_assert_str_eq(e->reason, "Campaign");
	ck_assert_str_eq(e->category, "Network activity");
	ck_assert_uint_eq(e->first_listed, 1767323045);
	/* an attribute's own say more, and are its own */
	expect(EVENT("{\"type\":\"domain\",\"to_ids\":true,\"value\":\"a.test\","
		     "\"comment\":\"stage 2\",\"Tag\":[{\"name\":\"tlp:red\"},{\"name\":"
		     "\"misp-galaxy:botnet=\\\"Ybot\\\"\"}]}",
		     ",\"Tag\":[{\"name\":\"tlp:green\"}]"),
	       FEED_MISP, "2 subtree a.test");
	ck_assert_str_eq(e->reference, "TLP:RED MISP event u-1");
	ck_assert_str_eq(e->reason, "stage 2");
	ck_assert_str_eq(e->family, "Ybot");
	/* the second event is not the first one */
	expect("[" EVENT(
		       ATTRIBUTE("domain", "a.test"),
		       ",\"Tag\":[{\"name\":\"tlp:red\"}]") "," EVENT(ATTRIBUTE("domain",
										"b.test"),
								      "") "]",
	       FEED_MISP, "2 subtree a.test; 3 subtree b.test");
	ck_assert_str_eq(e->reference, "MISP event u-1");
	ck_assert_str_eq(e->family, "");
	/* tags that are cut short */
	expect(EVENT(ATTRIBUTE("domain", "a.test"),
		     ",\"Tag\":[{\"name\":\"misp-galaxy:tool=\\\"\"},{\"name\":\"\\\"\"},"
		     "{\"name\":\"\"},{\"name\":\"tlp:\"}]"),
	       FEED_MISP, "2 subtree a.test");
	ck_assert_str_eq(e->family, "");
}
END_TEST

START_TEST(misp_warning_lists)
{
	static const struct {
		const char *text, *becomes;
	} rows[] = {
		/* the type may stand behind */
		{"{\"name\":\"n\",\"list\":[\"a.test\",\"192.0.2.1\"],\"type\":"
		 "\"string\"}",
		 "1 exact a.test; passthru; 1 address 192.0.2.1/32; passthru"},
		{"{\"type\":\"hostname\",\"list\":[\"a.test\",\".b.test\"]}",
		 "1 subtree a.test; passthru; 1 subtree b.test; passthru"},
		{"{\"type\":\"cidr\",\"list\":[\"192.0.2.0/24\",\"2001:db8::/32\"]}",
		 "1 address 192.0.2.0/24; passthru; 1 address 2001:db8::/32; passthru"},
		{"{\"type\":\"regex\",\"list\":[\"/a.*/\"]}", "1 !pattern"},
		{"{\"type\":\"substring\",\"list\":[\"a.test\"]}", "1 !pattern"},
		{"{\"type\":\"hostname\",\"list\":[\"com\",\"/x/\"]}",
		 "1 !single-label; 1 !url"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		expect(rows[i].text, FEED_AUTO, rows[i].becomes);
		ck_assert_int_eq(result.format, FEED_WARNINGLIST);
	}
	ck_assert_int_eq(read_as("{\"list\":[\"a.test\"]}", FEED_AUTO), ERR_FORMAT);
	ck_assert_int_eq(read_as("{\"list\":[],\"type\":\"string\"}", FEED_AUTO),
			 ERR_FORMAT);
}
END_TEST

/* ---- exports of ours ---- */

#define RULE(rule, more) "{\"list\":\"l\",\"rule\":\"" rule "\"" more "}"

START_TEST(rules_of_an_export)
{
	static const struct {
		const char *text, *becomes;
	} rows[] = {
		{RULE("a.test", ""), "1 subtree a.test"},
		{RULE("a.test", "") "\n" RULE("b.test", "") "\n",
		 "1 subtree a.test; 2 subtree b.test"},
		{"[\n" RULE("a.test", "") ",\n" RULE("b.test", "") "]",
		 "2 subtree a.test; 3 subtree b.test"},
		{"{\"kind\":\"exact\",\n\"rule\":\"a.test\"}", "1 exact a.test"},
		{RULE("*.a.test", ",\"kind\":\"wildcard\""), "1 wildcard a.test"},
		{RULE("a.test", ",\"kind\":\"ns-exact\""), "1 ns-exact a.test"},
		{RULE("192.0.2.0/24", ",\"kind\":\"client+answer\""),
		 "1 client+answer 192.0.2.0/24"},
		{RULE("a.test", ",\"action\":\"drop\",\"data\":null"),
		 "1 subtree a.test; drop"},
		/* a semicolon ends a record where it is no data */
		{RULE("a.test",
		      ",\"action\":\"local-data\",\"data\":\"TXT 5 \\\"a;\\\\\\\""
		      "b\\\"; A 5 192.0.2.7\""),
		 "1 subtree a.test; local-data; 1 5 c0000207; 16 5 04613b2262"},
		{RULE("a.test", ",\"action\":\"cname\",\"data\":\"CNAME 5 b.test.\""),
		 "1 subtree a.test; cname; 5 5 0162047465737400"},
		/* objects inside of a rule are somebody else's */
		{RULE("a.test", ",\"x\":{\"rule\":\"b.test\",\"kind\":\"exact\"}"),
		 "1 subtree a.test"},
		/* what is not understood must not become another rule */
		{RULE("a.test", ",\"kind\":\"below\""), "1 !syntax"},
		{RULE("a.test", ",\"action\":\"allow\""), "1 !syntax"},
		{RULE("a.test", ",\"action\":\"disabled\""), "1 !syntax"},
		{RULE("a.test", ",\"action\":\"local-data\""), "1 !syntax"},
		{RULE("a.test", ",\"action\":\"local-data\",\"data\":\"A 5 \\\"\""),
		 "1 !syntax"},
		{RULE("a.test", ",\"expires\":\"soon\""), "1 !syntax"},
		{RULE("a.test", ",\"confidence\":101"), "1 !syntax"},
		{RULE("a.test", ",\"expires\":\"2020-01-01T00:00:00Z\""), "1 !expired"},
		{RULE("com", ""), "1 !single-label"},
		{"{\"rule\":null}", "1 !syntax"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		expect_with(rows[i].text, (struct feed_options){.now = 1767323045},
			    rows[i].becomes);
		ck_assert_int_eq(result.format, FEED_JSON);
	}
	ck_assert_int_eq(read_as("[]", FEED_JSON), ERR_FORMAT);
	ck_assert_int_eq(read_as(RULE("a.test", "") "{", FEED_AUTO), ERR_FORMAT);
	/* two lists may differ in what they do */
	ck_assert_int_eq(read_as(RULE("a.test", "") "{\"list\":\"m\"}", FEED_AUTO),
			 ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "several lists"));
}
END_TEST

START_TEST(fields_of_an_export)
{
	expect(RULE("a.test", ",\"starts\":\"2026-01-02T03:04:05Z\","
			      "\"expires\":\"2026-01-02T03:04:06Z\","
			      "\"first_listed\":\"2026-01-01T00:00:00Z\","
			      "\"until\":\"2020-01-01T00:00:00Z\",\"confidence\":85,"
			      "\"family\":\"null\",\"category\":\"c2\",\"reason\":\"w\","
			      "\"reference\":\"TLP:RED\",\"authority\":\"CERT\""),
	       FEED_JSON, "1 subtree a.test");
	const struct blocklist_item *i = &seen.last;
	ck_assert_uint_eq(i->starts, 1767323045);
	ck_assert_uint_eq(i->expires, 1767323046);
	ck_assert_uint_eq(i->entry.expires, 1767323046);
	ck_assert_uint_eq(i->entry.first_listed, 1767225600);
	ck_assert_uint_eq(i->entry.confidence, 85);
	ck_assert_str_eq(i->entry.family, "null");
	ck_assert_str_eq(i->entry.category, "c2");
	ck_assert_str_eq(i->entry.reason, "w");
	ck_assert_str_eq(i->entry.reference, "TLP:RED");
	ck_assert_str_eq(i->entry.authority, "CERT");
	/* nothing of it is left for the next one */
	expect(RULE("a.test", ",\"family\":\"f\",\"confidence\":1")
		       RULE("b.test", ",\"family\":null,\"confidence\":null"),
	       FEED_JSON, "1 subtree a.test; 1 subtree b.test");
	ck_assert_str_eq(i->entry.family, "");
	ck_assert_uint_eq(i->entry.confidence, 255);
}
END_TEST

START_TEST(texts_of_records)
{
	struct blocklist_rr rr = {.type = 16,
				  .ttl = 5,
				  .len = 4,
				  .rdata = (const uint8_t *)"\x03"
							    "a;b"};
	ck_assert(feed_reads_as("TXT 5 \"a;b\"", &rr));
	ck_assert(feed_reads_as("TYPE16 5 \\# 4 03613b62", &rr));
	ck_assert(!feed_reads_as("TXT 5 a;b", &rr));
	ck_assert(!feed_reads_as("TXT 6 \"a;b\"", &rr));
	ck_assert(!feed_reads_as("TXT 5 \"a;c\"", &rr));
	ck_assert(!feed_reads_as("TXT 5 \"a;b", &rr));
	ck_assert(!feed_reads_as("", &rr));
}
END_TEST

/* ---- all JSON ---- */

START_TEST(a_broken_file_is_refused)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"{\"type\":\"bundle\",\"objects\":[", "no good JSON"},
		{"{\"type\":\"bundle\",\n\"objects\":[}", ":2: this is no good JSON"},
		{"{\"type\":\"bundle\"}x", "no good JSON"},
		{"{\"type\":\"bundle\"}", "no STIX bundle"},
		{"{\"type\":\"bundle\",\"a\":\"\t\"}", "no good JSON"},
		{"{\"Event\":5}", "no MISP event"},
		{"{\"x\":5}", "this is JSON, but no STIX"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(read_as(rows[i].text, FEED_AUTO), ERR_FORMAT);
		ck_assert_msg(strstr(result.error, rows[i].says) != NULL, "%s: %s",
			      rows[i].text, result.error);
	}
	ck_assert_int_eq(read_as("a.test\n", FEED_STIX), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "no JSON"));
	ck_assert_int_eq(read_as("{\"type\":\"bundle\"}", FEED_DOMAINS), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "leave --format out"));
}
END_TEST

/* A bundle with head, n times fill, and tail in an object beside an indicator. */
static int read_filled(const char *head, char fill, size_t n, const char *tail)
{
	static const char rest[] =
		"},{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = "
		"'a.test']\"}]}";
	char *text = malloc(n + 512), *p = text;
	p += sprintf(p, "{\"type\":\"bundle\",\"objects\":[{%s", head);
	memset(p, fill, n);
	p += n;
	p += sprintf(p, "%s%s", tail, rest);
	int err = read_bytes(text, (size_t)(p - text), (struct feed_options){0});
	free(text);
	return err;
}

START_TEST(limits)
{
	ck_assert_int_eq(read_filled("\"x\":\"", 'a', 1 << 19, "\""), ERR_OK);
	ck_assert_uint_eq(result.items, 1);
	ck_assert_int_eq(read_filled("\"x\":\"", 'a', 3 << 20, "\""), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "longer than 1 MiB"));
	ck_assert_int_eq(read_filled("\"x\":", '[', 20, "]]]]]]]]]]]]]]]]]]]]"), ERR_OK);
	ck_assert_int_eq(read_filled("\"x\":", '[', 22, "]]]]]]]]]]]]]]]]]]]]]]"),
			 ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "nested deeper"));
	ck_assert_int_eq(read_filled("\"x\":", '[', 1 << 20, ""), ERR_FORMAT);
	/* keys and patterns that are too long are no keys and no rules */
	ck_assert_int_eq(read_filled("\"", 'k', 100000, "\":1"), ERR_OK);
	ck_assert_int_eq(read_filled("\"a/b\":1,\"", 'k', 64, "\":1"), ERR_OK);
	ck_assert_int_eq(
		read_filled("\"type\":\"indicator\",\"pattern\":\"", 'p', 70000, "\""),
		ERR_OK);
	ck_assert_str_eq(seen.text, "1 !line-too-long; 1 subtree a.test");
	/* a text over the border between two pieces, lines counted in both */
	ck_assert_int_eq(read_filled("\"x\":\"", 'a', 70000, "\"\n\n"), ERR_OK);
	ck_assert_str_eq(seen.text, "3 subtree a.test");
	ck_assert_uint_eq(result.lines, 3);
	/* lines without a value to the end of a piece */
	ck_assert_int_eq(read_filled("", '\n', 70000, "\"x\":1"), ERR_OK);
	ck_assert_str_eq(seen.text, "70001 subtree a.test");
	/* bytes that are no UTF-8 */
	ck_assert_int_eq(read_filled("\"name\":\"", '\xff', 10, "\""), ERR_OK);
}
END_TEST

START_TEST(tlp_marks)
{
	static const struct {
		const char *text;
		enum tlp level;
		size_t len;
	} rows[] = {
		{"TLP:RED", TLP_RED, 7},
		{"tlp:amber+strict x", TLP_AMBER_STRICT, 16},
		{"TLP:AMBER https://x.test", TLP_AMBER, 9},
		{"tlp:white", TLP_CLEAR, 9},
		{"TLP:CLEAR", TLP_CLEAR, 9},
		{"TLP:", TLP_NONE, 0},
		{"TLP:REDDISH", TLP_NONE, 0},
		{"https://x.test TLP:RED", TLP_NONE, 0},
		{"", TLP_NONE, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len;
		ck_assert_int_eq(tlp_from_text(rows[i].text, &len), rows[i].level);
		ck_assert_uint_eq(len, rows[i].len);
	}
	ck_assert_int_eq(tlp_from_stix("marking-definition--", 20), TLP_NONE);
	ck_assert_int_eq(tlp_from_stix("x", 1), TLP_NONE);
}
END_TEST

UNIT_SUITE("feed_json", stix_patterns, stix_indicators, stix_fields, misp_attributes,
	   misp_fields, misp_warning_lists, rules_of_an_export, fields_of_an_export,
	   texts_of_records, a_broken_file_is_refused, limits, tlp_marks)
