#include "tests/unit/feed_lab.h"

START_TEST(names_that_are_not_ascii)
{
	static const struct {
		const char *word, *becomes;
	} rows[] = {
		{"b\u00fccher.example", "1 subtree xn--bcher-kva.example"},
		{"B\u00dcCHER.Example", "1 subtree xn--bcher-kva.example"},
		{"*.b\u00fccher.example", "1 wildcard xn--bcher-kva.example"},
		{".b\u00fccher.example.", "1 subtree xn--bcher-kva.example"},
		{"_a.b\u00fccher.example", "1 subtree _a.xn--bcher-kva.example"},
		/* u and a combining mark are the same name */
		{"bu\u0308cher.example", "1 subtree xn--bcher-kva.example"},
		{"stra\u00dfe.example", "1 subtree xn--strae-oqa.example"},
		{"\u65e5\u672c\u8a9e.example", "1 subtree xn--wgv71a119e.example"},
		/* a full stop, and letters, of another width */
		{"a\u3002example\uff0ctest", "1 !syntax"},
		{"\uff41\u3002example.test", "1 subtree a.example.test"},
		{"\uff11\uff19\uff12.0.2.\uff11", "1 !syntax"},
		{"a\u200d.example", "1 !idn"},
		{"\u202ea.example", "1 !idn"},
		{"a\xff.example", "1 !idn"},
		{"b\u00fccher.example/x", "1 !url"},
		{"b\u00fccher.example:80", "1 !port"},
		{"b\u00fccher", "1 !single-label"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect(rows[i].word, FEED_DOMAINS, rows[i].becomes);
}
END_TEST

START_TEST(ports_by_option)
{
	static const struct {
		const char *word, *becomes;
	} rows[] = {
		{"192.0.2.1:443", "1 server 192.0.2.1/32"},
		{"[2001:db8::1]:53", "1 server 2001:db8::1/128"},
		{"192.0.2.1", "1 address 192.0.2.1/32"},
		{"c2.example.net:443", "1 !port"},
		{"192.0.2.1:443:80", "1 server 192.0.2.1/32"},
		{"10.0.0.1:443", "1 !reserved"},
		{"[::1]:443", "1 !reserved"},
		{"[192.0.2.1", "1 !syntax"},
		{"[]:1", "1 !port"},
		{"http://192.0.2.1:80/", "1 !url"},
	};
	const struct feed_options options = {.format = FEED_DOMAINS, .ports = true};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_with(rows[i].word, options, rows[i].becomes);
}
END_TEST

START_TEST(adblock)
{
	static const struct {
		const char *line, *becomes;
	} rows[] = {
		{"||c2.example.net^", "1 subtree c2.example.net"},
		{"||C2.example.net^|", "1 subtree c2.example.net"},
		{"||*.example.net^", "1 wildcard example.net"},
		{"||192.0.2.1^", "1 address 192.0.2.1/32"},
		{"||b\u00fccher.example^", "1 subtree xn--bcher-kva.example"},
		{"||c2.example.net^$important", "1 subtree c2.example.net"},
		{"||c2.example.net^$all,document", "1 subtree c2.example.net"},
		/* narrower than the name */
		{"||c2.example.net^$third-party", "1 !part"},
		{"||c2.example.net^$all,script", "1 !part"},
		{"||c2.example.net^$dnsrewrite=192.0.2.1", "1 !part"},
		{"||c2.example.net^$", "1 subtree c2.example.net"},
		{"||c2.example.net/x^", "1 !url"},
		{"||c2.example.net^/x", "1 !url"},
		{"||c2.example.net", "1 !url"},
		{"|https://c2.example.net^", "1 !url"},
		{"/banner[0-9]+/", "1 !url"},
		{"example.net##.ad", "1 !part"},
		{"##.ad", "1 !part"},
		{"example.net#@#.ad", "1 !part"},
		{"||com^", "1 !single-label"},
		{"||a..example^", "1 !syntax"},
		{"||^", "1 !syntax"},
		{"||", "1 !url"},
		{"^", "1 !syntax"},
		{"$", "1 !url"},
		/* exceptions would hold against other lists too */
		{"@@||www.example.net^", "1 !exception"},
		{"@@||www.example.net^$script", "1 !part"},
		{"@@||com^", "1 !single-label"},
		{"@@www.example.net", "1 !url"},
		/* what is no filter: comments, and lines of plain and of hosts lists */
		{"! comment", ""},
		{"[Adblock Plus 2.0]", ""},
		{"# comment", ""},
		{"", ""},
		{"c2.example.net", "1 exact c2.example.net"},
		{"0.0.0.0 c2.example.net", "1 exact c2.example.net"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect(rows[i].line, FEED_ADBLOCK, rows[i].becomes);
	expect_with("@@||www.example.net^\n@@||com^",
		    (struct feed_options){.format = FEED_ADBLOCK,
					  .force = FEED_FORCE(FEED_SKIP_EXCEPTION)},
		    "1 subtree www.example.net; passthru; 2 !single-label");
}
END_TEST

START_TEST(csv_of_feeds)
{
	/* headings as the feeds write them; all values are made up */
	expect("# "
	       "\"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\","
	       "\"fk_malware\",\"malware_printable\",\"confidence_level\",\"reference\"\n"
	       "\"2026-01-02 03:04:05\", \"1\", \"c2.example.net\", \"domain\", "
	       "\"botnet_cc\", \"win.x\", \"Xbot\", \"75\", \"https://x.test/\"\n"
	       "\"2026-01-02 03:04:05\", \"2\", \"192.0.2.1:443\", \"ip:port\", "
	       "\"botnet_cc\", \"win.x\", \"Xbot\", \"75\", \"\"\n"
	       "\"2026-01-02 03:04:05\", \"3\", \"d41d8cd98f00b204e9800998ecf8427e\", "
	       "\"md5_hash\", \"payload\", \"win.x\", \"Xbot\", \"75\", \"\"\n"
	       "\"2026-01-02 03:04:05\", \"4\", \"http://c2.example.net/x\", \"url\", "
	       "\"payload\", \"win.x\", \"Xbot\", \"75\", \"\"\n",
	       FEED_AUTO, "2 subtree c2.example.net; 3 !port; 4 !other-thing; 5 !url");
	ck_assert_int_eq(result.format, FEED_CSV);
	ck_assert_str_eq(seen.last.entry.family, "Xbot");
	ck_assert_str_eq(seen.last.entry.category, "botnet_cc");
	ck_assert_uint_eq(seen.last.entry.confidence, 75);
	expect("# "
	       "id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,"
	       "reporter\n"
	       "1,2026-01-02,http://c2.example.net/x,online,,malware,elf,https://"
	       "x.test,me\n",
	       FEED_AUTO, "2 !url");
	expect("timestamp,src_ip,infection,family,query,count\n"
	       "2026-01-02 03:04:05,192.0.2.9,xbot,,c2.example.net,3\n",
	       FEED_AUTO, "2 subtree c2.example.net");
	ck_assert_str_eq(seen.last.entry.family, "");
}
END_TEST

START_TEST(csv_with_named_columns)
{
	static const char text[] = "id;Rechner;Schad Familie;domain\n"
				   "1;c2.example.net;xbot;other.example.net\n";
	struct feed_options options = {.format = FEED_CSV,
				       .columns = "name=rechner,family=Schad Familie"};
	expect_with(text, options, "2 subtree c2.example.net");
	ck_assert_str_eq(seen.last.entry.family, "xbot");
	options.columns = "name=Host";
	ck_assert_int_eq(read_bytes(text, strlen(text), options), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(result.error, "--columns"));
	/* a role that is not named is found as ever */
	options.columns = "family=Schad Familie";
	expect_with(text, options, "2 subtree other.example.net");
	ck_assert_str_eq(seen.last.entry.family, "xbot");
	static const struct {
		const char *columns;
		bool good;
	} rows[] = {
		{"name=Host", true},
		{"name=Host,", true},
		{"name = a b , type=x", true},
		{"", false},
		{"name", false},
		{"name=", false},
		{"Name=Host", true},
		{"other=Host", false},
		{"name=a,,family=b", false},
		{",name=Host", false},
		{"name=a,host", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(feed_columns_good(rows[i].columns) == rows[i].good, "%s",
			      rows[i].columns);
}
END_TEST

START_TEST(what_has_ended_is_left_out)
{
	static const char text[] = "domain,expires\na.example.net,2026-01-02T03:04:05Z\n"
				   "192.0.2.1,2026-01-02T03:04:06Z\nb.example.net,\n";
	struct feed_options options = {.format = FEED_CSV, .now = 1767323045};
	expect_with(text, options,
		    "2 !expired; 3 address 192.0.2.1/32; 4 subtree b.example.net");
	options.now++;
	expect_with(text, options, "2 !expired; 3 !expired; 4 subtree b.example.net");
}
END_TEST

UNIT_SUITE("feed_formats", names_that_are_not_ascii, ports_by_option, adblock,
	   csv_of_feeds, csv_with_named_columns, what_has_ended_is_left_out)
