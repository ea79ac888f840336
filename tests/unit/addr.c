#include "include/addr.h"

#include "tests/unit/unit.h"

static struct addr addr(const char *text)
{
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, text, strlen(text)), ERR_OK);
	return a;
}

START_TEST(text_round_trip)
{
	static const struct {
		const char *in, *out; /* out NULL: no address */
	} row[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"2001:DB8::1", "2001:db8::1"},
		{"::", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.2.1 ", NULL},
		{" 192.0.2.1", NULL},
		{"192.0.2.01x", NULL},
		{"2001:db8::1::", NULL},
		{"fe80::1%lo", NULL},
		{"[::1]", NULL},
		{"www.example.com", NULL},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct addr a;
		char text[ADDR_TEXT_MAX];
		int err = addr_from_text(&a, row[i].in, strlen(row[i].in));
		ck_assert_msg(err == (row[i].out ? ERR_OK : ERR_FORMAT), "%s", row[i].in);
		if (row[i].out)
			ck_assert_str_eq(addr_to_text(text, &a), row[i].out);
	}
	struct addr a;
	ck_assert_int_eq(addr_from_text(&a, "192.0.2.1\0x", 11), ERR_FORMAT);
	ck_assert_int_eq(addr_from_text(&a, "192.0.2.123", 9), ERR_OK); /* len counts */
	ck_assert_uint_eq(a.bytes[3], 1);
}
END_TEST

START_TEST(ports)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{"192.0.2.1@5300", "192.0.2.1@5300"},
		{"::1", "::1@53"},
		{"::1@0", "::1@0"},
		{"::1@65535", "::1@65535"},
		{"::1@65536", NULL},
		{"::1@", NULL},
		{"::1@-1", NULL},
		{"::1@+1", NULL},
		{"::1@53 ", NULL},
		{"::1@000053", NULL},
		{"@53", NULL},
		{"192.0.2.1:53", NULL},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct addr a;
		char text[ADDR_TEXT_MAX];
		int err = addr_port_from_text(&a, row[i].in, 53);
		ck_assert_msg(err == (row[i].out ? ERR_OK : ERR_FORMAT), "%s", row[i].in);
		if (row[i].out)
			ck_assert_str_eq(addr_port_to_text(text, &a), row[i].out);
	}
	struct addr longest = addr("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	char text[ADDR_TEXT_MAX];
	longest.port = 65535;
	ck_assert_str_eq(addr_port_to_text(text, &longest),
			 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff@65535");
}
END_TEST

START_TEST(prefix_text)
{
	static const struct {
		const char *in, *out; /* out NULL: err */
		int err;
	} row[] = {
		{"192.0.2.0/24", "192.0.2.0/24", 0},
		{"192.0.2.1", "192.0.2.1/32", 0},
		{"0.0.0.0/0", "0.0.0.0/0", 0},
		{"::/0", "::/0", 0},
		{"2001:db8::/33", "2001:db8::/33", 0},
		{"2001:db8::1", "2001:db8::1/128", 0},
		{"192.0.2.1/24", NULL, ERR_INVAL},
		{"192.0.2.128/24", NULL, ERR_INVAL},
		{"192.0.2.128/25", "192.0.2.128/25", 0},
		{"2001:db8::1/64", NULL, ERR_INVAL},
		{"2001:db8:4000::/33", NULL, ERR_INVAL},
		{"192.0.2.0/33", NULL, ERR_FORMAT},
		{"::/129", NULL, ERR_FORMAT},
		{"192.0.2.0/", NULL, ERR_FORMAT},
		{"192.0.2.0/2x", NULL, ERR_FORMAT},
		{"192.0.2.0/24/1", NULL, ERR_FORMAT},
		{"/24", NULL, ERR_FORMAT},
		{"", NULL, ERR_FORMAT},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct prefix p;
		char text[PREFIX_TEXT_MAX];
		int err = prefix_from_text(&p, row[i].in, strlen(row[i].in));
		ck_assert_msg(err == row[i].err, "%s gave %d", row[i].in, err);
		if (row[i].out)
			ck_assert_str_eq(prefix_to_text(text, &p), row[i].out);
	}
}
END_TEST

START_TEST(covers)
{
	static const struct {
		const char *prefix, *addr;
		bool want;
	} row[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.1/32", "192.0.2.1", true},
		{"192.0.2.1/32", "192.0.2.0", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "192.0.2.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
		{"2001:db8::1/128", "2001:db8::2", false},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct prefix p;
		struct addr a = addr(row[i].addr);
		ck_assert_int_eq(
			prefix_from_text(&p, row[i].prefix, strlen(row[i].prefix)),
			ERR_OK);
		ck_assert_msg(prefix_covers(&p, &a) == row[i].want, "%s %s",
			      row[i].prefix, row[i].addr);
		a.port = 4711; /* a port is no part of an address's place */
		ck_assert(prefix_covers(&p, &a) == row[i].want);
		/* prefix_of() agrees: the prefix of an address it covers is itself */
		struct prefix of = prefix_of(&a, p.bits);
		ck_assert(a.family != p.addr.family ||
			  addr_equal(&of.addr, &p.addr) == row[i].want);
	}
}
END_TEST

START_TEST(unmap)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"64:ff9b::192.0.2.1", "192.0.2.1"},
		{"2002:c000:0201::5", "192.0.2.1"},
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"64:ff9b:1::192.0.2.1", "64:ff9b:1::c000:201"},
		{"::192.0.2.1", "::192.0.2.1"},
		{"2003:c000:0201::5", "2003:c000:201::5"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct addr a = addr(row[i].in), want = addr(row[i].out);
		a.port = want.port = 99;
		struct addr got = addr_unmap(&a);
		ck_assert_msg(addr_equal(&got, &want), "%s", row[i].in);
	}
}
END_TEST

START_TEST(equality)
{
	struct addr a = addr("192.0.2.1"), b = a, zero4 = addr("0.0.0.0"),
		    zero6 = addr("::");
	ck_assert(addr_equal(&a, &b));
	b.port = 1;
	ck_assert(!addr_equal(&a, &b));
	ck_assert(!addr_equal(&zero4, &zero6));
	ck_assert_uint_eq(addr_len(&zero4), 4);
	ck_assert_uint_eq(addr_len(&zero6), 16);
}
END_TEST

START_TEST(sockaddr)
{
	static const char *const row[] = {"192.0.2.1@53", "2001:db8::1@65535"};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct addr a;
		struct sockaddr_storage ss;
		ck_assert_int_eq(addr_port_from_text(&a, row[i], 0), ERR_OK);
		socklen_t n = addr_to_sockaddr(&ss, &a);
		ck_assert_uint_eq(n, i ? sizeof(struct sockaddr_in6)
				       : sizeof(struct sockaddr_in));
		struct addr back = addr_from_sockaddr((struct sockaddr *)&ss);
		ck_assert(addr_equal(&a, &back));
	}
	struct sockaddr un = {.sa_family = AF_UNIX};
	ck_assert_uint_eq(addr_from_sockaddr(&un).family, 0);
}
END_TEST

UNIT_SUITE("addr", text_round_trip, ports, prefix_text, covers, unmap, equality, sockaddr)
