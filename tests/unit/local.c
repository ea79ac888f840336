#include <stdio.h>

#include "tests/unit/unit.h"
#include "zones/local.h"

static const struct {
	const char *qname;
	uint16_t qtype;
	enum local_kind kind;
	const char *zone;
	uint16_t type; /* of the record */
} cases[] = {
	{"localhost", DNS_A, LOCAL_RECORD, "localhost", DNS_A},
	{"localhost", DNS_AAAA, LOCAL_RECORD, "localhost", DNS_AAAA},
	{"a.b.localhost", DNS_A, LOCAL_RECORD, "localhost", DNS_A},
	{"a.localhost", DNS_ANY, LOCAL_RECORD, "localhost", DNS_A},
	{"a.localhost", DNS_MX, LOCAL_NODATA, "localhost", 0},
	{"a.localhost", DNS_SOA, LOCAL_NODATA, "localhost", 0},
	{"localhost", DNS_HTTPS, LOCAL_NODATA, "localhost", 0},
	{"localhost", DNS_SOA, LOCAL_RECORD, "localhost", DNS_SOA},
	{"localhost", DNS_NS, LOCAL_RECORD, "localhost", DNS_NS},
	{"localhost", DNS_DS, LOCAL_NODATA, "localhost", 0},
	{"xlocalhost", DNS_A, LOCAL_NONE, NULL, 0},
	{"localhost.example", DNS_A, LOCAL_NONE, NULL, 0},
	{"invalid", DNS_A, LOCAL_NODATA, "invalid", 0},
	{"x.invalid", DNS_A, LOCAL_NXDOMAIN, "invalid", 0},
	{"x.y.test", DNS_TXT, LOCAL_NXDOMAIN, "test", 0},
	{"x.onion", DNS_AAAA, LOCAL_NXDOMAIN, "onion", 0},
	{"printer.local", DNS_A, LOCAL_NXDOMAIN, "local", 0},
	{"example", DNS_A, LOCAL_NONE, NULL, 0},
	{"www.example.com", DNS_A, LOCAL_NONE, NULL, 0},
	{".", DNS_NS, LOCAL_NONE, NULL, 0},
	{"arpa", DNS_NS, LOCAL_NONE, NULL, 0},
	{"in-addr.arpa", DNS_NS, LOCAL_NONE, NULL, 0},
	{"ip6.arpa", DNS_NS, LOCAL_NONE, NULL, 0},
	{"ipv4only.arpa", DNS_A, LOCAL_NONE, NULL, 0},
	{"10.in-addr.arpa", DNS_SOA, LOCAL_RECORD, "10.in-addr.arpa", DNS_SOA},
	{"10.in-addr.arpa", DNS_NS, LOCAL_RECORD, "10.in-addr.arpa", DNS_NS},
	{"10.in-addr.arpa", DNS_ANY, LOCAL_RECORD, "10.in-addr.arpa", DNS_SOA},
	{"10.in-addr.arpa", DNS_PTR, LOCAL_NODATA, "10.in-addr.arpa", 0},
	{"10.in-addr.arpa", DNS_DS, LOCAL_NONE, NULL, 0},
	{"1.10.in-addr.arpa", DNS_DS, LOCAL_NXDOMAIN, "10.in-addr.arpa", 0},
	{"4.3.2.10.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "10.in-addr.arpa", 0},
	{"x.4.3.2.10.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "10.in-addr.arpa", 0},
	{"010.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"11.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"256.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"172.in-addr.arpa", DNS_NS, LOCAL_NONE, NULL, 0},
	{"15.172.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"16.172.in-addr.arpa", DNS_SOA, LOCAL_RECORD, "16.172.in-addr.arpa", DNS_SOA},
	{"1.31.172.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "31.172.in-addr.arpa", 0},
	{"32.172.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"5.168.192.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "168.192.in-addr.arpa", 0},
	{"63.100.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"9.64.100.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "64.100.in-addr.arpa", 0},
	{"9.127.100.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "127.100.in-addr.arpa", 0},
	{"128.100.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"1.0.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "0.in-addr.arpa", 0},
	{"1.0.0.127.in-addr.arpa", DNS_PTR, LOCAL_RECORD, "127.in-addr.arpa", DNS_PTR},
	{"1.0.0.127.in-addr.arpa", DNS_A, LOCAL_NODATA, "127.in-addr.arpa", 0},
	{"0.127.in-addr.arpa", DNS_PTR, LOCAL_NODATA, "127.in-addr.arpa", 0},
	{"2.0.0.127.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "127.in-addr.arpa", 0},
	{"x.1.0.0.127.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "127.in-addr.arpa", 0},
	{"254.169.in-addr.arpa", DNS_NS, LOCAL_RECORD, "254.169.in-addr.arpa", DNS_NS},
	{"1.2.0.192.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "2.0.192.in-addr.arpa", 0},
	{"1.100.51.198.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "100.51.198.in-addr.arpa",
	 0},
	{"1.113.0.203.in-addr.arpa", DNS_PTR, LOCAL_NXDOMAIN, "113.0.203.in-addr.arpa",
	 0},
	{"255.255.255.255.in-addr.arpa", DNS_PTR, LOCAL_NODATA,
	 "255.255.255.255.in-addr.arpa", 0},
	{"255.255.255.in-addr.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	 DNS_PTR, LOCAL_RECORD,
	 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	 DNS_PTR},
	{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	 DNS_PTR, LOCAL_NODATA,
	 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", 0},
	{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	 DNS_PTR, LOCAL_NONE, NULL, 0},
	{"1.d.f.ip6.arpa", DNS_PTR, LOCAL_NXDOMAIN, "d.f.ip6.arpa", 0},
	{"c.f.ip6.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"1.b.e.f.ip6.arpa", DNS_PTR, LOCAL_NXDOMAIN, "b.e.f.ip6.arpa", 0},
	{"c.e.f.ip6.arpa", DNS_PTR, LOCAL_NONE, NULL, 0},
	{"1.8.b.d.0.1.0.0.2.ip6.arpa", DNS_PTR, LOCAL_NXDOMAIN,
	 "8.b.d.0.1.0.0.2.ip6.arpa", 0},
	{"0.f.f.f.3.ip6.arpa", DNS_SOA, LOCAL_RECORD, "0.f.f.f.3.ip6.arpa", DNS_SOA},
	{"home.arpa", DNS_SOA, LOCAL_RECORD, "home.arpa", DNS_SOA},
	{"home.arpa", DNS_DS, LOCAL_NONE, NULL, 0},
	{"x.home.arpa", DNS_A, LOCAL_NXDOMAIN, "home.arpa", 0},
	{"_dns.resolver.arpa", DNS_SVCB, LOCAL_NODATA, "resolver.arpa", 0},
	{"default.service.arpa", DNS_A, LOCAL_NXDOMAIN, "service.arpa", 0},
};

START_TEST(table)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t name[DNS_NAME_MAX];
		char zone[DNS_NAME_TEXT_MAX];
		struct local_answer a;
		ck_assert_int_eq(name_from_str(name, cases[i].qname), 0);
		enum local_kind kind = local_find(&a, name, cases[i].qtype);
		ck_assert_msg(kind == cases[i].kind, "%s %u: kind %d, not %d",
			      cases[i].qname, cases[i].qtype, kind, cases[i].kind);
		if (kind == LOCAL_NONE)
			continue;
		ck_assert_str_eq(name_to_text(zone, a.zone), cases[i].zone);
		ck_assert_uint_eq(a.type, cases[i].type);
		ck_assert_uint_eq(a.ttl, LOCAL_TTL_S);
		ck_assert(a.type == 0 || a.rdata_len > 0);
	}
}
END_TEST

static struct local_answer ask(const char *text, uint16_t type)
{
	static uint8_t name[DNS_NAME_MAX];
	struct local_answer a = {0};
	ck_assert_int_eq(name_from_str(name, text), 0);
	ck_assert_int_eq(local_find(&a, name, type), LOCAL_RECORD);
	return a;
}

START_TEST(record_bytes)
{
	static const uint8_t six[16] = {[15] = 1};
	uint8_t apex[DNS_NAME_MAX];
	struct local_answer a = ask("x.localhost", DNS_A);
	ck_assert_uint_eq(a.rdata_len, 4);
	ck_assert_mem_eq(a.rdata, "\x7f\0\0\1", 4);
	a = ask("localhost", DNS_AAAA);
	ck_assert_uint_eq(a.rdata_len, 16);
	ck_assert_mem_eq(a.rdata, six, 16);
	a = ask("1.0.0.127.in-addr.arpa", DNS_PTR);
	ck_assert_uint_eq(a.rdata_len, 11);
	ck_assert_mem_eq(a.rdata, "\x09localhost", 11);
	a = ask("10.in-addr.arpa", DNS_NS);
	ck_assert_int_eq(name_from_str(apex, "10.in-addr.arpa"), 0);
	ck_assert_uint_eq(a.rdata_len, name_len(apex));
	ck_assert_mem_eq(a.rdata, apex, name_len(apex));
	/* Two names and five numbers, nothing behind them. */
	a = ask("10.in-addr.arpa", DNS_SOA);
	ck_assert_uint_eq(name_len(a.rdata), 11);
	ck_assert_uint_eq(11 + name_len(a.rdata + 11) + 20, a.rdata_len);
	ck_assert_mem_eq(a.rdata + a.rdata_len - 4, "\0\0\x2a\x30", 4);
}
END_TEST

/* The longest name there is, below a zone and not. */
START_TEST(longest)
{
	uint8_t name[DNS_NAME_MAX];
	struct local_answer a;
	for (int i = 0; i < 127; i++)
		memcpy(name + 2 * i, "\1x", 2);
	name[254] = 0;
	ck_assert_int_eq(local_find(&a, name, DNS_A), LOCAL_NONE);
	memcpy(name + 254 - 6, "\5local", 6);
	ck_assert_int_eq(local_find(&a, name, DNS_A), LOCAL_NXDOMAIN);
}
END_TEST

UNIT_SUITE("local", table, record_bytes, longest)
