#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/feed_lab.h"

START_TEST(words)
{
	static const struct {
		const char *word, *becomes;
	} rows[] = {
		{"c2.example.net", "1 subtree c2.example.net"},
		{"C2.Example.NET", "1 subtree c2.example.net"},
		{"c2.example.net.", "1 subtree c2.example.net"},
		{".c2.example.net", "1 subtree c2.example.net"},
		{"*.c2.example.net", "1 wildcard c2.example.net"},
		{"_dmarc.a_b.example.net", "1 subtree _dmarc.a_b.example.net"},
		{"-a-.example.net", "1 subtree -a-.example.net"},
		{"xn--bcher-kva.example", "1 subtree xn--bcher-kva.example"},
		{"4.example.net", "1 subtree 4.example.net"},
		{"192.0.2.1", "1 address 192.0.2.1/32"},
		{"192.0.2.0/24", "1 address 192.0.2.0/24"},
		{"2001:DB8::1", "1 address 2001:db8::1/128"},
		{"2001:db8::/32", "1 address 2001:db8::/32"},
		{"::ffff:192.0.2.1", "1 address 192.0.2.1/32"},
		{"64:ff9b::c000:200/120", "1 address 192.0.2.0/24"},
		{"2002:c000:201::/48", "1 address 192.0.2.1/32"},
		{"2002:c000:200::/40", "1 address 192.0.2.0/24"},
		{"64:ff9b::/64", "1 address 64:ff9b::/64"},
		/* not what they look like */
		{"192.0.2.1/24", "1 !syntax"}, /* host bits */
		{"192.0.2.0/33", "1 !syntax"},
		{"192.0.2.256", "1 !syntax"},
		{"192.0.2", "1 !syntax"},
		{"example.123", "1 !syntax"},
		{"foo..example.net", "1 !syntax"},
		{"..example.net", "1 !syntax"},
		{"foo.*.example.net", "1 !syntax"},
		{"*foo.example.net", "1 !syntax"},
		{"a b.example.net", "1 !syntax"},
		{"user@example.net", "1 !syntax"},
		{"||ads.example.net^", "1 !syntax"},
		{"(a|b)[0-9]\\.example.net", "1 !syntax"},
		{"2001:db8::xyz", "1 !syntax"},
		{"c2.example.net:", "1 !syntax"},
		/* a host that others may share */
		{"http://c2.example.net", "1 !url"},
		{"https://192.0.2.1:8080/x", "1 !url"},
		{"c2.example.net/gate.php", "1 !url"},
		{"c2.example.net/", "1 !url"},
		{"192.0.2.1/gate.php", "1 !url"},
		{"/gate.php", "1 !url"},
		{"c2.example.net?id=1", "1 !url"},
		{"c2.example.net:8080", "1 !port"},
		{"192.0.2.1:443", "1 !port"},
		{"192.0.2.1:443:8443", "1 !port"},
		{"[2001:db8::1]:443", "1 !port"},
		/* too much for one line */
		{".", "1 !single-label"},
		{"*", "1 !single-label"},
		{"*.", "1 !single-label"},
		{"com", "1 !single-label"},
		{"*.com", "1 !single-label"},
		{"COM.", "1 !single-label"},
		{"2.0.192.in-addr.arpa", "1 !arpa"},
		{"0.0.0.0/0", "1 !wide"},
		{"198.0.0.0/7", "1 !wide"},
		{"198.0.0.0/8", "1 !wide"},
		{"172.0.0.0/9", "1 !reserved"}, /* 172.16.0.0/12 is within */
		{"2000::/3", "1 !wide"},
		{"127.0.0.1", "1 !reserved"},
		{"0.0.0.0", "1 !reserved"},
		{"::1", "1 !reserved"},
		{"10.1.2.3", "1 !reserved"},
		{"::ffff:192.168.0.1", "1 !reserved"},
		{"fe80::1", "1 !reserved"},
		{"255.255.255.255", "1 !reserved"},
		{"localhost.localdomain", "1 !reserved"},
		{"a.localhost", "1 !reserved"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect(rows[i].word, FEED_DOMAINS, rows[i].becomes);
}
END_TEST

START_TEST(name_lengths)
{
	char text[600], label[64];
	memset(label, 'a', 63);
	label[63] = 0;
	snprintf(text, sizeof text, "%s.example", label);
	ck_assert_int_eq(read_as(text, FEED_DOMAINS), ERR_OK);
	ck_assert_uint_eq(result.items, 1);
	snprintf(text, sizeof text, "%sa.example", label);
	expect(text, FEED_DOMAINS, "1 !name-too-long");
	/* 3 x 64 + 61 + 1 = 254, and one more is 255 octets with the root's. */
	snprintf(text, sizeof text, "%s.%s.%s.%.61s", label, label, label, label);
	ck_assert_int_eq(read_as(text, FEED_DOMAINS), ERR_OK);
	ck_assert_uint_eq(result.items, 1);
	snprintf(text, sizeof text, "%s.%s.%s.%.62s", label, label, label, label);
	expect(text, FEED_DOMAINS, "1 !name-too-long");
}
END_TEST

START_TEST(force_takes_what_is_left_out_for_safety)
{
	static const char text[] =
		"com\n.\n2.0.192.in-addr.arpa\n0.0.0.0/0\n127.0.0.1\n/x\n";
	struct feed_options options = {.format = FEED_DOMAINS, .force = ~0U};
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_OK);
	ck_assert_str_eq(seen.text,
			 "1 subtree com; 2 subtree .; "
			 "3 subtree 2.0.192.in-addr.arpa; 4 address 0.0.0.0/0; "
			 "5 address 127.0.0.1/32; 6 !url");
	/* One reason at a time. */
	options.force = FEED_FORCE(FEED_SKIP_ARPA);
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_OK);
	ck_assert_str_eq(seen.text, "1 !single-label; 2 !single-label; "
				    "3 subtree 2.0.192.in-addr.arpa; 4 !wide; "
				    "5 !reserved; 6 !url");
}
END_TEST

START_TEST(domains_comments_and_ends)
{
	expect("\xef\xbb\xbf# head\r\n\r\n c2.example.net \t# why\r\n; x\n// y\n"
	       "a.example.net // z\nb.example.net ; z\nlast.example.net",
	       FEED_DOMAINS,
	       "3 subtree c2.example.net; 6 subtree a.example.net; 7 subtree "
	       "b.example.net; "
	       "8 subtree last.example.net");
	ck_assert_uint_eq(result.lines, 8);
	ck_assert_uint_eq(result.ignored, 4);
	ck_assert_uint_eq(result.items, 4);
	/* A mark inside a word is no comment. */
	expect("a.example.net#x\na.example.net;x\n", FEED_DOMAINS,
	       "1 !syntax; 2 !syntax");
	expect("", FEED_DOMAINS, "");
	expect("\n\n", FEED_DOMAINS, "");
}
END_TEST

START_TEST(domains_exact)
{
	static const char text[] = "a.example.net\n*.b.example.net\n192.0.2.1\n";
	struct feed_options options = {.format = FEED_DOMAINS, .exact = true};
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_OK);
	ck_assert_str_eq(seen.text, "1 exact a.example.net; 2 wildcard b.example.net; "
				    "3 address 192.0.2.1/32");
	ck_assert_uint_eq(seen.last.kind, RULE_ADDR_ANSWER | RULE_ADDR_SERVER);
}
END_TEST

START_TEST(domains_reference_and_reason)
{
	static const struct {
		const char *text, *reference, *reason;
	} rows[] = {
		{"a.example.net", "", ""},
		{"# Reference: https://x.test/1\n\na.example.net", "https://x.test/1",
		 ""},
		{"# Reference: https://x.test/1\na.test.example\nb.example.net # Bot",
		 "https://x.test/1", "Bot"},
		{"# Reference: https://x.test/1\n# Reference: "
		 "https://x.test/2\na.example.net",
		 "https://x.test/1 https://x.test/2", ""},
		/* the next comment ends it */
		{"# Reference: r1\na.example.net\n# Generic\n\nb.example.net", "", ""},
		{"# Reference: r1\na.example.net\n# References: r2\nb.example.net", "r2",
		 ""},
		/* also behind a line that was left out */
		{"# Reference: r1\n/path.php\n# Generic\nb.example.net", "", ""},
		/* but a note beside it does not */
		{"# Reference: r1\n# Note\nb.example.net", "r1", ""},
		{"# See: x\nb.example.net\t#\ttabs\x1b[2J", "", "tabs?[2J"},
		{"b.example.net # gr\xc3\xbc\xff", "", "gr\xc3\xbc?"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(read_as(rows[i].text, FEED_DOMAINS), ERR_OK);
		ck_assert_str_eq(seen.last.entry.reference, rows[i].reference);
		ck_assert_str_eq(seen.last.entry.reason, rows[i].reason);
		ck_assert_uint_eq(seen.last.entry.confidence, 255);
	}
}
END_TEST

START_TEST(family_from_options)
{
	static const char text[] = "domain,malware\na.example.net,\nb.example.net,own\n";
	struct feed_options options = {.format = FEED_CSV, .family = "given"};
	struct feed_callbacks cb = {.item = on_item, .arg = &seen};
	memset(&seen, 0, sizeof seen);
	seen.stop_at = 1;
	ck_assert_int_eq(feed_read_memory(&result, text, strlen(text), &options, &cb),
			 ERR_STOPPED);
	ck_assert_str_eq(seen.last.entry.family, "given");
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_OK);
	ck_assert_str_eq(seen.last.entry.family, "own");
}
END_TEST

START_TEST(hosts)
{
	expect("127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 "
	       "localhost\n"
	       "0.0.0.0 0.0.0.0\n"
	       "0.0.0.0 a.example.net b.example.net # c.example.net\n"
	       "::\ta.example.net\n127.0.0.1 d.example.net\n"
	       "192.0.2.7 e.example.net\n0.0.0.0\nf.example.net\n"
	       "0.0.0.0 com http://x.example.net 192.0.2.1 *.g.example.net\n",
	       FEED_HOSTS,
	       "1 !reserved; 2 !reserved; 2 !reserved; 3 !reserved; 4 !reserved; "
	       "5 exact a.example.net; 5 exact b.example.net; 6 exact a.example.net; "
	       "7 exact d.example.net; 8 !action; 9 !syntax; 10 !syntax; "
	       "11 !single-label; 11 !url; 11 !syntax; 11 !syntax");
}
END_TEST

START_TEST(csv)
{
	expect("Domain,Malware,Date added,Source\na.example.net,bot,2024-09-01,Someone\n",
	       FEED_CSV, "2 subtree a.example.net");
	ck_assert_str_eq(seen.last.entry.family, "bot");
	ck_assert_str_eq(seen.last.entry.reference, "Someone");
	ck_assert_uint_eq(seen.last.entry.first_listed, 1725148800);

	/* order, case, quotes, separators, extra columns, spaces */
	expect("id;\"FAMILY\";Confidence;IOC;Reference;Source;valid_until\n"
	       "1;\"a \"\"b\"\"; c\";80%;\" a.example.net\";http://x.test/;me;"
	       "2026-01-02T03:04:05Z\n",
	       FEED_CSV, "2 subtree a.example.net");
	ck_assert_str_eq(seen.last.entry.family, "a \"b\"; c");
	ck_assert_str_eq(seen.last.entry.reference, "me http://x.test/");
	ck_assert_uint_eq(seen.last.entry.confidence, 80);
	ck_assert_uint_eq(seen.last.expires, 1767323045);

	/* a preferred column wins, whatever the order */
	expect("ip,domain\n192.0.2.1,a.example.net\n", FEED_CSV,
	       "2 subtree a.example.net");
	expect("ip,x\n192.0.2.1,a.example.net\n", FEED_CSV, "2 address 192.0.2.1/32");
	/* a heading written as a comment */
	expect("# by someone\n# \"id\",\"ioc_value\"\n1,a.example.net\n", FEED_CSV,
	       "3 subtree a.example.net");
	/* what is no name stays out; empty lines and comments do not count */
	expect("domain,x\nhttp://a.example.net/,1\n192.0.2.1:80,1\n,1\n\n# "
	       "c\ncom,1\n\"\",1\n",
	       FEED_CSV, "2 !url; 3 !port; 4 !syntax; 7 !single-label; 8 !syntax");
	/* more and fewer fields than the heading has */
	expect("x,domain\n1\n1,a.example.net,2,3\n", FEED_CSV,
	       "2 !syntax; 3 subtree a.example.net");
}
END_TEST

START_TEST(csv_of_an_export)
{
	expect("domain,rule_kind,rule_action,authority\n"
	       "a.example.net,exact,nxdomain,court\nb.example.net,subtree,given,\n"
	       "*.c.example.net,wildcard,,\n192.0.2.1/32,address,drop,\n"
	       "d.example.net,below,,\ne.example.net,subtree,shoot,\n"
	       "f.example.net,subtree,disabled,\ng.example.net,exact,cname,\n",
	       FEED_CSV,
	       "2 exact a.example.net; nxdomain; 3 subtree b.example.net; "
	       "4 wildcard c.example.net; 5 address 192.0.2.1/32; drop; "
	       "6 !syntax; 7 !syntax; 8 !syntax; 9 !syntax");
	expect("domain,authority\na.example.net,court\n", FEED_CSV,
	       "2 subtree a.example.net");
	ck_assert_str_eq(seen.last.entry.authority, "court");
}
END_TEST

START_TEST(csv_local_data)
{
	static const struct {
		const char *data, *becomes;
	} rows[] = {
		{"local-data,TYPE1 30 \\# 4 c0000201",
		 "2 exact a.example.net; local-data; 1 30 c0000201"},
		{"local-data,TYPE16 60 \\# 2 0178; TYPE1 30 \\# 4 c0000201",
		 "2 exact a.example.net; local-data; 1 30 c0000201; 16 60 0178"},
		{"local-data,TYPE65280 2147483647 \\# 0",
		 "2 exact a.example.net; local-data; 65280 2147483647 "},
		{"local-data,", "2 !syntax"},
		{"local-data", "2 !syntax"},
		{"nxdomain,TYPE1 30 \\# 4 c0000201", "2 !syntax"},
		{"local-data,TYPE1 30 \\# 3 c00002", "2 !syntax"},
		{"local-data,TYPE1 soon \\# 4 c0000201", "2 !syntax"},
		{"local-data,TYPE2 30 \\# 1 00", "2 !syntax"},
		{"local-data,TYPE1 30 \\# 4 c0000201; ;", "2 !syntax"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text,
			 "domain,rule_kind,rule_action,rule_data\n"
			 "a.example.net,exact,%s\n",
			 rows[i].data);
		expect(text, FEED_CSV, rows[i].becomes);
	}
}
END_TEST

START_TEST(csv_records_over_lines)
{
	expect("domain,comment\na.example.net,\"one\nevil.example.net,\"\"two\"\"\"\n"
	       "b.example.net,x\n",
	       FEED_CSV, "2 subtree a.example.net; 4 subtree b.example.net");
	/* a quote that nobody closes: its record, not the file */
	expect("domain,comment\na.example.net,\"one\nb.example.net,x\n", FEED_CSV,
	       "2 !syntax");
	/* inside a field a quote is a character */
	expect("domain,comment\na.example.net,6\" pipe\nb.example.net,x\n", FEED_CSV,
	       "2 subtree a.example.net; 3 subtree b.example.net");

	size_t lines = 600, at;
	char *text = malloc(lines * 40);
	at = (size_t)sprintf(text, "domain,comment\na.example.net,\"open\n");
	for (size_t i = 0; i < lines; i++)
		at += (size_t)sprintf(text + at, "n%03zu.example.net,unquoted\n", i);
	ck_assert_int_eq(read_as(text, FEED_CSV), ERR_OK);
	ck_assert_uint_eq(result.skipped[FEED_SKIP_TOO_LONG], 1);
	ck_assert_uint_gt(result.items, 200);
	free(text);
}
END_TEST

START_TEST(csv_without_heading)
{
	ck_assert_int_eq(read_as("a.example.net,x\nb.example.net,y\n", FEED_CSV),
			 ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "no column is called domain"));
	ck_assert_ptr_nonnull(strstr(result.error, ":1:"));
}
END_TEST

#define ZONE                                                                          \
	"$TTL 30\n$ORIGIN rpz.example.\n@ SOA ns.example. h.example. 7 1 1 1 1\n NS " \
	"ns.\n"

START_TEST(rpz_actions)
{
	static const struct {
		const char *line, *becomes;
	} rows[] = {
		{"a.test CNAME .", "5 exact a.test; nxdomain"},
		{"A.TEST 300 IN CNAME .", "5 exact a.test; nxdomain"},
		{"a.test IN 1h30m cname .", "5 exact a.test; nxdomain"},
		{"a.test.rpz.example. CNAME .", "5 exact a.test; nxdomain"},
		{"*.a.test CNAME .", "5 wildcard a.test; nxdomain"},
		{"a.test CNAME *.", "5 exact a.test; nodata"},
		{"a.test CNAME rpz-passthru.", "5 exact a.test; passthru"},
		{"a.test CNAME RPZ-DROP.", "5 exact a.test; drop"},
		{"a.test CNAME rpz-tcp-only.", "5 exact a.test; tcp-only"},
		{"a.test CNAME a.test.", "5 exact a.test; passthru"},
		{"a.test CNAME . ; why", "5 exact a.test; nxdomain"},
		{"a.test CNAME ( . )", "5 exact a.test; nxdomain"},
		{"a.test ( 30\n IN\n CNAME ; x ) y\n . )", "5 exact a.test; nxdomain"},
		{"a\\.b.test CNAME .", "5 exact a\\.b.test; nxdomain"},
		{"\\097.test CNAME .", "5 exact a.test; nxdomain"},
		/* not done here, and never guessed */
		{"a.test CNAME rpz-later.", "5 !action"},
		{"a.test CNAME rpz-passthru", "5 !action"},
		{"x.RPZ-later CNAME .", "5 !rpz-trigger"},
		/* walled gardens */
		{"a.test CNAME g.test.", "5 exact a.test; cname; 5 30 0167047465737400"},
		{"a.test 5 CNAME *.G.test.",
		 "5 exact a.test; cname; 5 5 012a0167047465737400"},
		{"a.test CNAME g",
		 "5 exact a.test; cname; 5 30 01670372707a076578616d706c6500"},
		{"a.test CNAME rpz-drop.test.",
		 "5 exact a.test; cname; 5 30 0872707a2d64726f70047465737400"},
		/* names of servers */
		{"ns.a.test.rpz-nsdname CNAME .", "5 ns-exact ns.a.test; nxdomain"},
		{"*.a.test.RPZ-NSDNAME CNAME rpz-passthru.",
		 "5 ns-wildcard a.test; passthru"},
		{"com.rpz-nsdname CNAME .", "5 !single-label"},
		{"rpz-nsdname CNAME .", "5 !single-label"},
		/* apex, outside, too much */
		{"@ CNAME .", "5 !single-label"},
		{"rpz.example. A 192.0.2.1", "5 !single-label"},
		{"* CNAME .", "5 !single-label"},
		{"*.com CNAME .", "5 !single-label"},
		{"com CNAME .", "5 !single-label"},
		{"2.0.192.in-addr.arpa CNAME .", "5 !arpa"},
		{"a.test. CNAME .", "5 !outside"},
		{"other. TXT x", "5 !outside"},
		/* DNSSEC and name servers describe the zone, at its apex */
		{"@ NS ns2.", ""},
		{"@ NSEC b.test. NS SOA", ""},
		/* malformed */
		{"a.test CNAME", "5 !syntax"},
		{"a.test CNAME . .", "5 !syntax"},
		{"a.test", "5 !syntax"},
		{"a..test CNAME .", "5 !syntax"},
		{"a.test A 192.0.2.256", "5 !syntax"},
		{"a.test FOO bar", "5 !syntax"},
		{"a.test ) CNAME .", "5 !syntax"},
		{"a.test ( CNAME .", "5 !syntax"},
		{"a.test TXT \"open", "5 !syntax"},
		{"$INCLUDE other", "5 !syntax"},
		{"$GENERATE 1-9 $ CNAME .", "5 !syntax"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text, ZONE "%s\n", rows[i].line);
		expect(text, FEED_RPZ, rows[i].becomes);
		ck_assert_uint_eq(result.serial, 7);
	}
}
END_TEST

/* RPZ draft 3.6. */
START_TEST(rpz_local_data)
{
	static const struct {
		const char *line, *becomes;
	} rows[] = {
		{"a.test A 192.0.2.1", "5 exact a.test; local-data; 1 30 c0000201"},
		{"A.Test 1h a 192.0.2.1", "5 exact a.test; local-data; 1 3600 c0000201"},
		{"a.test IN 1m30s A 192.0.2.1",
		 "5 exact a.test; local-data; 1 90 c0000201"},
		{"a.test 9999999999 A 192.0.2.1",
		 "5 exact a.test; local-data; 1 2147483647 c0000201"},
		{"*.a.test AAAA 2001:db8::1", "5 wildcard a.test; local-data; 28 30 "
					      "20010db8000000000000000000000001"},
		{"a.test TXT \"a ; ( b\" c",
		 "5 exact a.test; local-data; 16 30 0761203b202820620163"},
		{"a.test MX 1 b.test.",
		 "5 exact a.test; local-data; 15 30 00010162047465737400"},
		{"a.test MX 1 b", "5 exact a.test; local-data; 15 30 "
				  "000101620372707a076578616d706c6500"},
		{"a.test PTR @",
		 "5 exact a.test; local-data; 12 30 0372707a076578616d706c6500"},
		{"a.test TYPE1 \\# 4 c0000201",
		 "5 exact a.test; local-data; 1 30 c0000201"},
		{"a.test TYPE65280 \\# 2 abcd",
		 "5 exact a.test; local-data; 65280 30 abcd"},
		{"a.test TYPE65280 \\# 0", "5 exact a.test; local-data; 65280 30 "},
		/* records are items of their own, which the store joins */
		{"a.test A 192.0.2.1\n 20 A 192.0.2.2\n TXT x",
		 "5 exact a.test; local-data; 1 30 c0000201; "
		 "6 exact a.test; local-data; 1 20 c0000202; "
		 "7 exact a.test; local-data; 16 30 0178"},
		{"$TTL 2m\na.test A 192.0.2.1",
		 "6 exact a.test; local-data; 1 120 c0000201"},
		{"$TTL soon", "5 !syntax"},
		/* what a rule never answers with, draft 3.6 */
		{"a.test NS ns.b.test.", "5 !rpz-type"},
		{"a.test SOA a. b. 1 1 1 1 1", "5 !rpz-type"},
		{"a.test DNAME b.test.", "5 !rpz-type"},
		{"a.test DS 1 8 2 "
		 "00000000000000000000000000000000000000000000000000000000000000"
		 "00",
		 "5 !rpz-type"},
		{"a.test NSEC b.test. CNAME", "5 !rpz-type"},
		{"a.test RRSIG A 8 2 30 20300101000000 20200101000000 1 b.test. AAAA",
		 "5 !rpz-type"},
		{"a.test DNSKEY 256 3 8 AAAA", "5 !rpz-type"},
		{"a.test TYPE249 \\# 1 00", "5 !rpz-type"},
		/* where no rule may be */
		{"@ A 192.0.2.1", "5 !single-label"},
		{"com A 192.0.2.1", "5 !single-label"},
		{"1.2.0.192.in-addr.arpa PTR b.test.", "5 !arpa"},
		{"32.1.2.0.192.rpz-ip A 192.0.2.1",
		 "5 answer 192.0.2.1/32; local-data; 1 30 c0000201"},
		{"ns.a.test.rpz-nsdname A 192.0.2.1",
		 "5 ns-exact ns.a.test; local-data; 1 30 c0000201"},
		{"a.test.rpz-later TXT x", "5 !rpz-trigger"},
		{"a.test. A 192.0.2.1", "5 !outside"},
		/* malformed */
		{"a.test A", "5 !syntax"},
		{"a.test A 192.0.2.1 192.0.2.2", "5 !syntax"},
		{"a.test AAAA 192.0.2.1", "5 !syntax"},
		{"a.test TYPE1 \\# 3 c00002", "5 !syntax"},
		{"a.test MX b.test.", "5 !syntax"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text, ZONE "%s\n", rows[i].line);
		expect(text, FEED_RPZ, rows[i].becomes);
	}
	/* without $TTL: the last one told, RFC 1035 5.1; without any: a short one */
	expect("$ORIGIN rpz.example.\na.test A 192.0.2.1\nb.test 5 A 192.0.2.1\n"
	       "c.test A 192.0.2.1\n",
	       FEED_RPZ,
	       "2 exact a.test; local-data; 1 60 c0000201; "
	       "3 exact b.test; local-data; 1 5 c0000201; "
	       "4 exact c.test; local-data; 1 5 c0000201");
	/* more than a rule holds */
	char text[4096], *p = text + sprintf(text, ZONE "a.test TXT");
	for (int i = 0; i < 6; i++)
		p += sprintf(p, " %0200d", i);
	sprintf(p, "\na.test TXT x\n");
	expect(text, FEED_RPZ,
	       "5 !line-too-long; 6 exact a.test; local-data; 16 30 0178");
}
END_TEST

/* RPZ draft 4.1.1: one spelling for each prefix. */
START_TEST(rpz_addresses)
{
	static const struct {
		const char *owner, *becomes;
	} rows[] = {
		{"32.1.2.0.192.rpz-ip", "5 answer 192.0.2.1/32; nxdomain"},
		{"24.0.2.0.192.rpz-nsip", "5 server 192.0.2.0/24; nxdomain"},
		{"8.0.0.0.10.rpz-client-ip", "5 client 10.0.0.0/8; nxdomain"},
		{"128.1.zz.db8.2001.rpz-ip", "5 answer 2001:db8::1/128; nxdomain"},
		{"48.zz.1.db8.2001.RPZ-IP", "5 answer 2001:db8:1::/48; nxdomain"},
		{"48.ZZ.1.DB8.2001.rpz-ip", "5 answer 2001:db8:1::/48; nxdomain"},
		{"128.8.7.6.5.4.3.db8.2001.rpz-client-ip",
		 "5 client 2001:db8:3:4:5:6:7:8/128; nxdomain"},
		{"128.8.7.6.5.4.0.db8.2001.rpz-ip",
		 "5 answer 2001:db8:0:4:5:6:7:8/128; nxdomain"},
		/* of two runs the one that comes last here, RFC 5952 4.2.3 */
		{"128.1.0.0.5.4.zz.2001.rpz-ip",
		 "5 answer 2001::4:5:0:0:1/128; nxdomain"},
		{"128.1.zz.5.4.0.0.2001.rpz-ip", "5 !rpz-address"},
		/* IPv4 in IPv6 dress is IPv4 to us */
		{"120.200.c000.ffff.zz.rpz-ip", "5 answer 192.0.2.0/24; nxdomain"},
		/* lengths */
		{"0.0.0.0.0.rpz-ip", "5 !rpz-address"},
		{"33.1.2.0.192.rpz-ip", "5 !rpz-address"},
		{"129.1.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"032.1.2.0.192.rpz-ip", "5 !rpz-address"},
		{"1.2.0.192.rpz-ip", "5 !rpz-address"}, /* no length */
		{"rpz-ip", "5 !rpz-address"},
		/* parts */
		{"24.2.0.192.rpz-ip", "5 !rpz-address"},
		{"32.1.1.2.0.192.rpz-ip", "5 !rpz-address"},
		{"32.01.2.0.192.rpz-ip", "5 !rpz-address"},
		{"32.1.2.0.256.rpz-ip", "5 !rpz-address"},
		{"32.a.2.0.192.rpz-ip", "5 !rpz-address"},
		{"128.1.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.g.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.00001.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.01.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.9.8.7.6.5.4.3.db8.2001.rpz-ip", "5 !rpz-address"},
		/* zz: once, for the longest run, of two at least */
		{"128.1.zz.2.zz.2001.rpz-ip", "5 !rpz-address"},
		{"128.8.7.6.5.4.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.8.7.6.5.0.0.db8.2001.rpz-ip", "5 !rpz-address"},
		{"128.8.7.6.5.4.3.2.1.zz.rpz-ip", "5 !rpz-address"},
		{"128.zz.rpz-ip", "5 !reserved"}, /* :: */
		/* bits behind the length, wildcards */
		{"8.2.0.0.10.rpz-client-ip", "5 !rpz-address"},
		{"32.1.zz.db8.2001.rpz-ip", "5 !rpz-address"},
		{"*.rpz-ip", "5 !rpz-address"},
		{"*.2.0.192.rpz-ip", "5 !rpz-address"},
		/* as for any list line */
		{"7.0.0.0.10.rpz-ip", "5 !wide"},
		{"32.1.0.0.10.rpz-ip", "5 !reserved"},
		{"32.1.0.0.127.rpz-nsip", "5 !reserved"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text, ZONE "%s CNAME .\n", rows[i].owner);
		expect(text, FEED_RPZ, rows[i].becomes);
	}
}
END_TEST

START_TEST(rpz_zone_name)
{
	/* as URLhaus writes it: no origin at all */
	expect("$TTL 30\n@ SOA ns.example. h.example. 9 1 1 1 1\n NS ns.\na.test CNAME "
	       ".\n"
	       "b.test. CNAME .\nc.test CNAME rpz-passthru\n",
	       FEED_AUTO, "4 exact a.test; nxdomain; 5 !outside; 6 !action");
	ck_assert_int_eq(result.format, FEED_RPZ);
	ck_assert_uint_eq(result.lines, 6);
	ck_assert_uint_eq(result.ignored, 3);
	ck_assert_uint_eq(result.serial, 9);
	/* the SOA's owner, absolute */
	expect("rpz.example. SOA ns. h. 1 1 1 1 1\na.test.rpz.example. CNAME .\n",
	       FEED_RPZ, "2 exact a.test; nxdomain");
	/* an origin above the zone, and one inside it */
	expect("$ORIGIN example.\nrpz SOA ns. h. 1 1 1 1 1\n$ORIGIN test.rpz.example.\n"
	       "a CNAME .\n$ORIGIN sub\nb CNAME .\n",
	       FEED_RPZ, "4 exact a.test; nxdomain; 6 exact b.sub.test; nxdomain");
	/* without SOA; given by the caller */
	static const char text[] =
		"a.test CNAME .\nb.test.rpz.example. CNAME .\n CNAME *.\n";
	struct feed_options options = {.format = FEED_RPZ, .origin = "rpz.example"};
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_OK);
	ck_assert_str_eq(seen.text, "1 exact a.test; nxdomain; 2 exact b.test; nxdomain; "
				    "3 exact b.test; nodata");
	options.origin = "rpz..example";
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_FORMAT);
	expect(" CNAME .\n", FEED_RPZ, "1 !syntax");
}
END_TEST

/* T2: what names of a zone say to wildcards above them is the store's to work out. */
START_TEST(rpz_names_are_of_a_zone)
{
	static const struct {
		const char *line;
		bool in_zone;
	} row[] = {
		{"a.x.test CNAME .", true},
		{"*.x.test CNAME .", true},
		{"a.x.test A 192.0.2.1", true},
		{"*.x.test.rpz-nsdname CNAME .", true},
		{"24.0.2.0.192.rpz-ip CNAME .", false},
	};
	char text[256];
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		snprintf(text, sizeof text, ZONE "%s\n", row[i].line);
		ck_assert_int_eq(read_as(text, FEED_RPZ), ERR_OK);
		ck_assert_int_eq(seen.items, 1);
		ck_assert_uint_eq(result.items, 1);
		ck_assert(seen.last.in_zone == row[i].in_zone);
	}
	ck_assert_int_eq(read_as("*.x.test\na.x.test\n", FEED_DOMAINS), ERR_OK);
	ck_assert(!seen.last.in_zone);
}
END_TEST

START_TEST(auto_detection)
{
	static const struct {
		const char *text;
		enum feed_format format;
	} rows[] = {
		{"", FEED_DOMAINS},
		{"# only\n# comments\n", FEED_DOMAINS},
		{"# c\n\na.example.net\n192.0.2.1\n/x\n", FEED_DOMAINS},
		{"a.example.net # c, d\n", FEED_DOMAINS},
		{"# hosts\n127.0.0.1 localhost\n0.0.0.0 a.example.net\n", FEED_HOSTS},
		{"0.0.0.0\ta.example.net b.example.net\n", FEED_HOSTS},
		{"Domain,Malware,Date added,Source\na.example.net,b,c,d\n", FEED_CSV},
		{"\xef\xbb\xbf\"IOC\";\"x\"\r\n", FEED_CSV},
		{"# by x\n# id,ioc,y\n1,a.example.net,2\n", FEED_CSV},
		{"$TTL 30\n@ SOA a. b. 1 1 1 1 1\n", FEED_RPZ},
		{"; c\n$ORIGIN rpz.example.\n", FEED_RPZ},
		{"a.example.net CNAME .\n", FEED_RPZ},
		{"a.example.net 300 IN CNAME .\n", FEED_RPZ},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(read_as(rows[i].text, FEED_AUTO), ERR_OK);
		ck_assert_msg(result.format == rows[i].format, "%s: %s", rows[i].text,
			      feed_format_text(result.format));
	}
}
END_TEST

START_TEST(other_files_are_named)
{
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} rows[] = {
		{"\x1f\x8b\x08\x00", 4, "gzip"},
		{"PK\x03\x04", 4, "zip"},
		{"\xff\xfe"
		 "a\0",
		 4, "UTF-16"},
		{"<!DOCTYPE html>\n", 16, "web page"},
		{"{\"a\": []}", 9, "JSON"},
		{"a.example.net\0b", 15, "NUL"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int f = FEED_AUTO; f < FEED_FORMAT_N; f++) {
			struct feed_options o = {.format = (enum feed_format)f};
			ck_assert_int_eq(read_bytes(rows[i].text, rows[i].len, o),
					 ERR_FORMAT);
			ck_assert_ptr_nonnull(strstr(result.error, rows[i].says));
		}
}
END_TEST

START_TEST(long_lines)
{
	static const size_t lens[] = {
		FEED_LINE_MAX, FEED_LINE_MAX + 1, 65535, 65536, 65537, 300000};
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		for (int crlf = 0; crlf < 2; crlf++) {
			size_t n = lens[i];
			char *text = malloc(n + 64);
			strcpy(text, "a.example.net\n");
			memset(text + 14, 'x', n);
			strcpy(text + 14 + n,
			       crlf ? "\r\nb.example.net" : "\nb.example.net");
			ck_assert_int_eq(read_as(text, FEED_DOMAINS), ERR_OK);
			const char *want =
				n + (size_t)crlf <= FEED_LINE_MAX
					? "1 subtree a.example.net; 2 !name-too-long; "
					  "3 subtree b.example.net"
					: "1 subtree a.example.net; 2 !line-too-long; "
					  "3 subtree b.example.net";
			ck_assert_str_eq(seen.text, want);
			ck_assert_uint_eq(result.lines, 3);
			free(text);
		}
}
END_TEST

static int read_path(const char *path, struct feed_options options)
{
	struct feed_callbacks cb = {.item = on_item, .skip = on_skip, .arg = &seen};
	memset(&seen, 0, sizeof seen);
	return feed_read(&result, path, &options, &cb);
}

START_TEST(files)
{
	struct feed_options any = {.format = FEED_AUTO};
	unit_file("list", "a.example.net\n");
	ck_assert_int_eq(read_path(unit_path("list"), any), ERR_OK);
	ck_assert_str_eq(seen.text, "1 subtree a.example.net");
	ck_assert_int_eq(read_path(unit_path("absent"), any), ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(result.error, "absent: No such file"));
	ck_assert_int_eq(read_path(unit_dir(), any), ERR_IO);
	ck_assert_ptr_nonnull(strstr(result.error, "Is a directory"));
}
END_TEST

START_TEST(standard_input)
{
	struct feed_options any = {.format = FEED_AUTO};
	int fd[2];
	ck_assert_int_eq(pipe(fd), 0);
	static const char zone[] = ZONE "a.x.test CNAME .\n*.x.test CNAME .\n";
	ck_assert_int_eq(write(fd[1], zone, strlen(zone)), (int)strlen(zone));
	close(fd[1]);
	ck_assert_int_eq(dup2(fd[0], 0), 0);
	ck_assert_int_eq(read_path("-", any), ERR_OK);
	ck_assert_str_eq(seen.text, "5 exact a.x.test; nxdomain; "
				    "6 wildcard x.test; nxdomain");
	/* a file that something was read of already begins there */
	unit_file("part", "first line\n" ZONE "a.x.test CNAME .\n");
	int file = open(unit_path("part"), O_RDONLY);
	lseek(file, 11, SEEK_SET);
	ck_assert_int_eq(dup2(file, 0), 0);
	ck_assert_int_eq(read_path("-", any), ERR_OK);
	ck_assert_str_eq(seen.text, "5 exact a.x.test; nxdomain");
}
END_TEST

/* Lines that lie across the edge of a buffer, in a pipe that gives a few bytes a time. */
START_TEST(every_line_arrives)
{
	enum { LINES = 20000 };
	int fd[2];
	ck_assert_int_eq(pipe(fd), 0);
	pid_t child = fork();
	if (child == 0) {
		close(fd[0]);
		FILE *f = fdopen(fd[1], "w");
		setvbuf(f, NULL, _IOFBF, 977);
		for (int i = 0; i < LINES; i++)
			fprintf(f, "n%d.example.net\n", i);
		fclose(f);
		_exit(0);
	}
	close(fd[1]);
	ck_assert_int_eq(dup2(fd[0], 0), 0);
	struct feed_options o = {.format = FEED_DOMAINS};
	struct feed_callbacks cb = {0};
	ck_assert_int_eq(feed_read(&result, "-", &o, &cb), ERR_OK);
	ck_assert_uint_eq(result.lines, LINES);
	ck_assert_uint_eq(result.items, LINES);
}
END_TEST

START_TEST(callbacks_stop_the_read)
{
	struct feed_options o = {.format = FEED_DOMAINS};
	struct feed_callbacks cb = {.item = on_item, .skip = on_skip, .arg = &seen};
	memset(&seen, 0, sizeof seen);
	seen.stop_at = 2;
	static const char text[] = "a.example.net\nb.example.net\nc.example.net\n";
	ck_assert_int_eq(feed_read_memory(&result, text, strlen(text), &o, &cb),
			 ERR_STOPPED);
	ck_assert_int_eq(seen.items, 2);
}
END_TEST

START_TEST(names_of_things)
{
	for (int f = 0; f < FEED_FORMAT_N; f++)
		ck_assert_int_eq(
			feed_format_from_text(feed_format_text((enum feed_format)f)), f);
	ck_assert_int_eq(feed_format_from_text("xml"), -1);
	for (int s = 0; s < FEED_SKIP_N; s++) {
		ck_assert_str_ne(feed_skip_text((enum feed_skip)s), "?");
		ck_assert_str_ne(feed_skip_key((enum feed_skip)s), "?");
	}
}
END_TEST

UNIT_SUITE("feed", words, name_lengths, force_takes_what_is_left_out_for_safety,
	   domains_comments_and_ends, domains_exact, domains_reference_and_reason,
	   family_from_options, hosts, csv, csv_of_an_export, csv_local_data,
	   csv_records_over_lines, csv_without_heading, rpz_actions, rpz_addresses,
	   rpz_local_data, rpz_zone_name, rpz_names_are_of_a_zone, auto_detection,
	   other_files_are_named, long_lines, files, standard_input, every_line_arrives,
	   callbacks_stop_the_read, names_of_things)
