#include "resolver/rdata.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#include "resolver/wire_guard.h"
#include "tests/unit/unit.h"

/* Every RDATA here stands in a message behind a header and example.com, at offset 12,
 * and has something readable after it that does not belong to it. */
#define BEFORE "\0\0\0\0\0\0\0\0\0\0\0\0\7example\3com\0"
#define AFTER "\1z\0\1z\0"
enum { AT = sizeof BEFORE - 1, AFTER_LEN = sizeof AFTER - 1 };
#define PTR "\xc0\x0c"
#define RRSIG_HEAD "\0\1\x0d\2\0\0\0\1\0\0\0\2\0\0\0\3\x12\x34"

static uint8_t *message(size_t *msg_len, const void *rdata, size_t len)
{
	*msg_len = AT + len + AFTER_LEN;
	uint8_t *msg = malloc(*msg_len);
	ck_assert_ptr_nonnull(msg);
	memcpy(msg, BEFORE, AT);
	memcpy(msg + AT, rdata, len);
	memcpy(msg + AT + len, AFTER, AFTER_LEN);
	return msg;
}

static int check(unsigned type, const void *rdata, size_t len)
{
	size_t msg_len;
	uint8_t *msg = message(&msg_len, rdata, len);
	struct wire_reader r = wire_reader(msg, msg_len);
	r.at += AT;
	int err = rdata_check(&r, type, len);
	if (!err)
		ck_assert_ptr_eq(r.at, msg + AT + len);
	free(msg);
	return err;
}

#define B(t) t, sizeof t - 1

static const struct shape {
	unsigned type;
	const char *rdata;
	size_t len;
	int err;
} shapes[] = {
	{DNS_A, B("abcd"), 0},
	{DNS_A, B("abc"), ERR_FORMAT},
	{DNS_A, B("abcde"), ERR_FORMAT},
	{DNS_A, B(""), ERR_FORMAT},
	{DNS_AAAA, B("abcdefghijklmnop"), 0},
	{DNS_AAAA, B("abcdefghijklmno"), ERR_FORMAT},
	{DNS_AAAA, B("abcdefghijklmnopq"), ERR_FORMAT},
	{DNS_NS, B("\2ns" PTR), 0},
	{DNS_NS, B("\2ns\0"), 0},
	{DNS_NS, B("\2ns"), ERR_FORMAT}, /* would go on in what follows */
	{DNS_NS, B("\2ns\1"), ERR_FORMAT},
	{DNS_NS, B("\2ns\0\0"), ERR_FORMAT},
	{DNS_NS, B("\xc0"), ERR_FORMAT},
	{DNS_NS, B("\xc0\x19"), ERR_FORMAT}, /* itself */
	{DNS_NS, B(""), ERR_FORMAT},
	{DNS_SOA, B("\1a" PTR "\1b" PTR "abcdefghijklmnopqrst"), 0},
	{DNS_SOA, B("\1a" PTR "\1b" PTR "abcdefghijklmnopqrs"), ERR_FORMAT},
	{DNS_SOA, B("\1a" PTR "\1b" PTR "abcdefghijklmnopqrstu"), ERR_FORMAT},
	{DNS_SOA, B("\1a" PTR), ERR_FORMAT},
	{DNS_MX, B("\0\1" PTR), 0},
	{DNS_MX, B("\0\1"), ERR_FORMAT},
	{DNS_MX, B("\0"), ERR_FORMAT},
	{DNS_MINFO, B(PTR PTR), 0},
	{DNS_HINFO, B("\1a\0"), 0},
	{DNS_HINFO, B("\1a"), ERR_FORMAT},
	{DNS_HINFO, B("\1a\0\0"), ERR_FORMAT},
	{DNS_WKS, B("abcd\6"), 0},
	{DNS_WKS, B("abcd"), ERR_FORMAT},
	{DNS_TXT, B("\0"), 0},
	{DNS_TXT, B("\1a\2bc"), 0},
	{DNS_TXT, B(""), ERR_FORMAT},
	{DNS_TXT, B("\2a"), ERR_FORMAT},
	{DNS_TXT, B("\1a\1"), ERR_FORMAT},
	{DNS_NULL, B(""), 0},
	{DNS_NULL, B("anything"), 0},
	{DNS_X25, B("\1a"), 0},
	{DNS_X25, B("\1a\0"), ERR_FORMAT},
	{DNS_ISDN, B("\1a"), 0},
	{DNS_ISDN, B("\1a\0"), 0},
	{DNS_ISDN, B("\1a\0\0"), ERR_FORMAT},
	{DNS_GPOS, B("\1a\1b\1c"), 0},
	{DNS_GPOS, B("\1a\1b"), ERR_FORMAT},
	{DNS_LOC, B("\0bcdefghijklmnop"), 0},
	{DNS_LOC, B("\0bcdefghijklmno"), ERR_FORMAT},
	{DNS_LOC, B("\1bc"), 0}, /* another version */
	{DNS_LOC, B(""), ERR_FORMAT},
	/* RFC 3597 4: readers take pointers here */
	{DNS_RP, B(PTR PTR), 0},
	{DNS_AFSDB, B("\0\1" PTR), 0},
	{DNS_RT, B("\0\1" PTR), 0},
	{DNS_PX, B("\0\1" PTR PTR), 0},
	{DNS_SRV, B("\0\1\0\2\0\3" PTR), 0},
	{DNS_SRV, B("\0\1\0\2\0\3"), ERR_FORMAT},
	{DNS_NAPTR, B("\0\1\0\2\1s\0\3a!b" PTR), 0},
	{DNS_NAPTR, B("\0\1\0\2\1s\0" PTR), ERR_FORMAT}, /* a string is missing */
	{DNS_NXT, B(PTR "\x42"), 0},
	{DNS_SIG, B(RRSIG_HEAD PTR "sig"), 0},
	/* and nowhere else */
	{DNS_RRSIG, B(RRSIG_HEAD "\1a\0s"), 0},
	{DNS_RRSIG, B(RRSIG_HEAD "\1a\0"), ERR_FORMAT},
	{DNS_RRSIG, B(RRSIG_HEAD PTR "sig"), ERR_FORMAT},
	{DNS_RRSIG, B(RRSIG_HEAD), ERR_FORMAT},
	{DNS_RRSIG, B(""), ERR_FORMAT},
	{DNS_KX, B("\0\1\1a\0"), 0},
	{DNS_KX, B("\0\1" PTR), ERR_FORMAT},
	{DNS_DNAME, B("\1a\0"), 0},
	{DNS_DNAME, B("\0"), 0},
	{DNS_DNAME, B("\1a" PTR), ERR_FORMAT},
	{DNS_DNAME, B(PTR), ERR_FORMAT},
	{DNS_NSEC, B("\1a\0\0\1\x42"), 0},
	{DNS_NSEC, B(PTR "\0\1\x42"), ERR_FORMAT},
	{DNS_NSEC, B("\1a\0"), ERR_FORMAT},	    /* no types */
	{DNS_NSEC, B("\1a\0\0\0"), ERR_FORMAT},	    /* empty window */
	{DNS_NSEC, B("\1a\0\0\1\0"), ERR_FORMAT},   /* trailing zero */
	{DNS_NSEC, B("\1a\0\0\2\x42"), ERR_FORMAT}, /* short */
	{DNS_NSEC, B("\1a\0\0\1\x42\1\1\1"), 0},
	{DNS_NSEC, B("\1a\0\1\1\x42\0\1\1"), ERR_FORMAT}, /* windows descend */
	{DNS_NSEC, B("\1a\0\0\1\x42\0\1\1"), ERR_FORMAT},
	{DNS_NSEC,
	 B("\1a\0\0\x20"
	   "abcdefghijklmnopqrstuvwxyz012345"),
	 0},
	{DNS_NSEC,
	 B("\1a\0\0\x21"
	   "abcdefghijklmnopqrstuvwxyz0123456"),
	 ERR_FORMAT},
	{DNS_NSEC3, B("\1\0\0\0\0\2hh"), 0}, /* an empty non-terminal has no types */
	{DNS_NSEC3, B("\1\0\0\0\2ss\2hh\0\1\x42"), 0},
	{DNS_NSEC3, B("\1\0\0\0\0\0"), ERR_FORMAT}, /* no hash */
	{DNS_NSEC3, B("\1\0\0\0\3ss"), ERR_FORMAT},
	{DNS_NSEC3, B("\1\0\0\0\0\3hh"), ERR_FORMAT},
	{DNS_NSEC3, B(""), ERR_FORMAT},
	{DNS_NSEC3PARAM, B("\1\0\0\0\0"), 0},
	{DNS_NSEC3PARAM, B("\1\0\0\0\1s"), 0},
	{DNS_NSEC3PARAM, B("\1\0\0\0\1"), ERR_FORMAT},
	{DNS_NSEC3PARAM, B("\1\0\0\0\1ss"), ERR_FORMAT},
	{DNS_DS, B("\x12\x34\x0d\2d"), 0},
	{DNS_DS, B("\x12\x34\x0d\2"), ERR_FORMAT},
	{DNS_DLV, B("\x12\x34\x0d\2"), ERR_FORMAT},
	{DNS_CDS, B("\0\0\0\0\0"), 0},
	{DNS_DNSKEY, B("\1\1\3\x0dk"), 0},
	{DNS_DNSKEY, B("\1\1\3\x0d"), ERR_FORMAT},
	{DNS_KEY, B("\xc0\0\3\5"), 0}, /* RFC 2535 3.1.2: no key */
	{DNS_CERT, B("\0\1\0\2\5c"), 0},
	{DNS_CERT, B("\0\1\0\2\5"), ERR_FORMAT},
	{DNS_SSHFP, B("\1\2f"), 0},
	{DNS_SSHFP, B("\1\2"), ERR_FORMAT},
	{DNS_TLSA, B("\1\2\3t"), 0},
	{DNS_SMIMEA, B("\1\2\3"), ERR_FORMAT},
	{DNS_IPSECKEY, B("\1\0\2k"), 0},
	{DNS_IPSECKEY, B("\1\1\2abcdk"), 0},
	{DNS_IPSECKEY, B("\1\1\2abc"), ERR_FORMAT},
	{DNS_IPSECKEY, B("\1\2\2abcdefghijklmnop"), 0},
	{DNS_IPSECKEY, B("\1\3\2\1a\0k"), 0},
	{DNS_IPSECKEY, B("\1\3\2" PTR "k"), ERR_FORMAT},
	{DNS_AMTRELAY, B("\1\x80"), 0},
	{DNS_AMTRELAY,
	 B("\1\x81"
	   "abcd"),
	 0},
	{DNS_AMTRELAY,
	 B("\1\x81"
	   "abcde"),
	 ERR_FORMAT},
	{DNS_AMTRELAY, B("\1\3\1a\0"), 0},
	{DNS_HIP, B("\2\1\0\3hhkkk\1a\0\1b\0"), 0},
	{DNS_HIP, B("\2\1\0\3hhkkk"), 0},
	{DNS_HIP, B("\2\1\0\3hhkk"), ERR_FORMAT},
	{DNS_HIP, B("\2\1\0\3hhkkk" PTR), ERR_FORMAT},
	{DNS_HIP, B("\0\1\0\3kkk"), ERR_FORMAT},
	{DNS_APL, B(""), 0},
	{DNS_APL,
	 B("\0\1\x18\3abc\0\2\x80\x90"
	   "abcdefghijklmnop"),
	 0},
	{DNS_APL, B("\0\1\x21\3abc"), ERR_FORMAT},
	{DNS_APL, B("\0\1\x18\5abcde"), ERR_FORMAT},
	{DNS_APL, B("\0\1\x18\3ab"), ERR_FORMAT},
	{DNS_SVCB, B("\0\0\1a\0"), 0},
	{DNS_HTTPS, B("\0\1\0\0\1\0\3\2h2\0\4\0\4abcd"), 0},
	{DNS_HTTPS, B("\0\1\0\0\4\0\4abcd\0\1\0\3\2h2"), ERR_FORMAT}, /* descending */
	{DNS_HTTPS, B("\0\1\0\0\1\0\0\0\1\0\0"), ERR_FORMAT},	      /* twice */
	{DNS_HTTPS, B("\0\1\0\0\1\0\5\2h2"), ERR_FORMAT},
	{DNS_HTTPS, B("\0\1\0\0\1\0"), ERR_FORMAT},
	{DNS_HTTPS, B("\0\1" PTR), ERR_FORMAT},
	{DNS_CSYNC, B("\0\0\0\1\0\3"), 0},
	{DNS_CSYNC, B("\0\0\0\1\0\3\0\1\x42"), 0},
	{DNS_CSYNC, B("\0\0\0\1\0"), ERR_FORMAT},
	{DNS_ZONEMD, B("\0\0\0\1\1\1d"), 0},
	{DNS_ZONEMD, B("\0\0\0\1\1\1"), ERR_FORMAT},
	{DNS_NID, B("\0\1abcdefgh"), 0},
	{DNS_NID, B("\0\1abcdefg"), ERR_FORMAT},
	{DNS_L32, B("\0\1abcd"), 0},
	{DNS_L64, B("\0\1abcd"), ERR_FORMAT},
	{DNS_LP, B("\0\1\1a\0"), 0},
	{DNS_LP, B("\0\1" PTR), ERR_FORMAT},
	{DNS_EUI48, B("abcdef"), 0},
	{DNS_EUI48, B("abcdefg"), ERR_FORMAT},
	{DNS_EUI64, B("abcdefgh"), 0},
	{DNS_EUI64, B("abcdefg"), ERR_FORMAT},
	{DNS_URI, B("\0\1\0\2u"), 0},
	{DNS_URI, B("\0\1\0\2"), ERR_FORMAT},
	{DNS_CAA, B("\0\5issue"), 0},
	{DNS_CAA, B("\0\5issueca.example"), 0},
	{DNS_CAA, B("\0\0ca.example"), ERR_FORMAT},
	{DNS_CAA, B("\0\6issue"), ERR_FORMAT},
	{DNS_SPF, B("\1a"), 0},
	{DNS_SPF, B(""), ERR_FORMAT},
	{DNS_OPT, B(""), 0},
	{DNS_OPT, B("\0\3\0\0\0\x0a\0\2ab"), 0},
	{DNS_OPT, B("\0\3\0\1"), ERR_FORMAT},
	{DNS_OPT, B("\0\3\0"), ERR_FORMAT},
	{0, B("any"), 0}, /* not in the table */
	{65280, B(""), 0},
	{65535, B(PTR), 0},
};

START_TEST(each_shape)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const struct shape *s = &shapes[i];
		int err = check(s->type, s->rdata, s->len);
		ck_assert_msg(err == s->err, "row %zu, type %u: %d", i, s->type, err);
	}
}
END_TEST

/* A length that reaches past the message is never read. */
START_TEST(length_past_the_message)
{
	static const unsigned types[] = {DNS_A, DNS_NS, DNS_TXT, DNS_RRSIG, 65280};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		uint8_t *msg = malloc(AT + 1);
		memcpy(msg, BEFORE, AT);
		msg[AT] = 0;
		struct wire_reader r = wire_reader(msg, AT + 1);
		r.at += AT;
		ck_assert_int_eq(rdata_check(&r, types[i], 2), ERR_FORMAT);
		free(msg);
	}
}
END_TEST

START_TEST(counts_are_limited)
{
	uint8_t zeros[4 * (GUARD_OPTIONS + 1) + GUARD_STRINGS + 1] = {0};
	ck_assert_int_eq(check(DNS_TXT, zeros, GUARD_STRINGS), ERR_OK);
	ck_assert_int_eq(check(DNS_TXT, zeros, GUARD_STRINGS + 1), ERR_REFUSED);
	ck_assert_int_eq(check(DNS_OPT, zeros, 4 * GUARD_OPTIONS), ERR_OK);
	ck_assert_int_eq(check(DNS_OPT, zeros, 4 * (GUARD_OPTIONS + 1)), ERR_REFUSED);
}
END_TEST

static const struct {
	unsigned type;
	const char *in;
	size_t in_len;
	const char *out;
	size_t out_len;
	int names;
	uint16_t at[2];
} expansions[] = {
#define EX "\7example\3com\0"
	{DNS_A, B("abcd"), B("abcd"), 0, {0}},
	{DNS_NS, B("\2Ns" PTR), B("\2Ns" EX), 1, {0}}, /* case stays */
	{DNS_CNAME, B(PTR), B(EX), 1, {0}},
	{DNS_MX, B("\0\1" PTR), B("\0\1" EX), 1, {2}},
	{DNS_SOA,
	 B("\1a" PTR "\1b" PTR "abcdefghijklmnopqrst"),
	 B("\1a" EX "\1b" EX "abcdefghijklmnopqrst"),
	 2,
	 {0, 15}},
	{DNS_MINFO, B(PTR "\0"), B(EX "\0"), 2, {0, 13}},
	{DNS_RP, B(PTR "\1x" PTR), B(EX "\1x" EX), 0, {0}},
	{DNS_SRV, B("\0\1\0\2\0\3" PTR), B("\0\1\0\2\0\3" EX), 0, {0}},
	{DNS_NAPTR, B("\0\1\0\2\1s\0\3a!b" PTR), B("\0\1\0\2\1s\0\3a!b" EX), 0, {0}},
	{DNS_SIG, B(RRSIG_HEAD PTR "sig"), B(RRSIG_HEAD EX "sig"), 0, {0}},
	{DNS_NXT, B(PTR "\x42"), B(EX "\x42"), 0, {0}},
	{DNS_RRSIG, B(RRSIG_HEAD "\1a\0s"), B(RRSIG_HEAD "\1a\0s"), 0, {0}},
	{DNS_TXT, B("\1a"), B("\1a"), 0, {0}},
	{65280, B(PTR), B(PTR), 0, {0}}, /* no name as far as anybody knows */
	{65280, B(""), B(""), 0, {0}},
};

START_TEST(expansion_and_names)
{
	for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++) {
		unsigned type = expansions[i].type;
		size_t msg_len, in_len = expansions[i].in_len, n = expansions[i].out_len;
		uint8_t *msg = message(&msg_len, expansions[i].in, in_len);
		uint8_t *out = malloc(n + !n);
		ck_assert_msg(rdata_expand(out, n, msg, msg_len, msg + AT,
					   (uint16_t)in_len, type) == (int)n,
			      "row %zu", i);
		ck_assert_mem_eq(out, expansions[i].out, n);
		for (size_t room = 0; room < n; room++)
			ck_assert_int_eq(rdata_expand(out, room, msg, msg_len, msg + AT,
						      (uint16_t)in_len, type),
					 ERR_RANGE);
		uint16_t off[4];
		ck_assert_int_eq(rdata_names(off, 4, out, (uint16_t)n, type),
				 expansions[i].names);
		for (int k = 0; k < expansions[i].names; k++)
			ck_assert_uint_eq(off[k], expansions[i].at[k]);
		if (expansions[i].names > 1)
			ck_assert_int_eq(rdata_names(off, 1, out, (uint16_t)n, type), 1);
		free(out);
		free(msg);
	}
}
END_TEST

/* What ldns makes of text passes, and with the last byte cut or one more only where the
 * end is open. Written by others, so no mistake is shared. */
START_TEST(agrees_with_ldns)
{
	static const struct {
		const char *text;
		bool open; /* may be longer or shorter */
	} row[] = {
		{"a.test. IN A 192.0.2.1", false},
		{"a.test. IN NS ns.example.", false},
		{"a.test. IN SOA ns.example. host.example. 1 2 3 4 5", false},
		{"a.test. IN PTR ns.example.", false},
		{"a.test. IN HINFO \"cpu\" \"os\"", false},
		{"a.test. IN MINFO a.example. b.example.", false},
		{"a.test. IN MX 10 mx.example.", false},
		{"a.test. IN TXT \"some\" \"text\"", false},
		{"a.test. IN RP a.example. b.example.", false},
		{"a.test. IN AFSDB 1 a.example.", false},
		{"a.test. IN X25 311061700956", false},
		{"a.test. IN RT 10 a.example.", false},
		{"a.test. IN PX 10 a.example. b.example.", false},
		{"a.test. IN AAAA 2001:db8::1", false},
		{"a.test. IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
		 false},
		{"a.test. IN SRV 1 2 3 a.example.", false},
		{"a.test. IN NAPTR 1 2 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.", false},
		{"a.test. IN KX 10 a.example.", false},
		{"a.test. IN CERT 1 2 8 AQIDBA==", true},
		{"a.test. IN DNAME b.example.", false},
		{"a.test. IN APL 1:192.0.2.0/24 2:2001:db8::/32", false},
		{"a.test. IN DS 1234 13 1 0123456789abcdef0123456789abcdef01234567",
		 true},
		{"a.test. IN SSHFP 1 1 0123456789abcdef0123456789abcdef01234567", true},
		{"a.test. IN IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb", true},
		{"a.test. IN RRSIG A 13 2 3600 20300101000000 20200101000000 1234 test. "
		 "AAAA",
		 true},
		{"a.test. IN NSEC b.test. A NS RRSIG NSEC TYPE65280", false},
		{"a.test. IN DNSKEY 257 3 13 AQIDBA==", true},
		{"a.test. IN DHCID AQIDBA==", true},
		{"a.test. IN NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A RRSIG",
		 false},
		{"a.test. IN NSEC3PARAM 1 0 5 aabb", false},
		{"a.test. IN TLSA 3 1 1 0123456789abcdef0123456789abcdef", true},
		{"a.test. IN CDS 0 0 0 00", true},
		{"a.test. IN OPENPGPKEY AQIDBA==", true},
		{"a.test. IN CSYNC 1 3 A NS AAAA", false},
		{"a.test. IN ZONEMD 1 1 1 0123456789abcdef0123456789abcdef", true},
		{"a.test. IN SVCB 0 b.example.", false},
		{"a.test. IN HTTPS 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1", false},
		{"a.test. IN SPF \"v=spf1 -all\"", false},
		{"a.test. IN NID 10 14:4fff:ff20:ee64", false},
		{"a.test. IN L32 10 10.1.2.0", false},
		{"a.test. IN L64 10 2001:db8:1140:1000", false},
		{"a.test. IN LP 10 l64.example.", false},
		{"a.test. IN EUI48 00-00-5e-00-53-2a", false},
		{"a.test. IN EUI64 00-00-5e-ef-10-00-00-2a", false},
		{"a.test. IN URI 10 1 \"ftp://ftp.example/public\"", true},
		{"a.test. IN CAA 0 issue \"ca.example\"", true},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		ldns_rr *rr;
		uint8_t *wire;
		size_t n;
		ldns_status st = ldns_rr_new_frm_str(&rr, row[i].text, 60, NULL, NULL);
		ck_assert_msg(st == LDNS_STATUS_OK, "%s: %s", row[i].text,
			      ldns_get_errorstr_by_id(st));
		ck_assert_int_eq(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &n),
				 LDNS_STATUS_OK);
		/* owner a.test. and the fixed part */
		size_t at = 8 + 10, len = n - at;
		unsigned type = ldns_rr_get_type(rr);
		ck_assert_msg(check(type, wire + at, len) == ERR_OK, "%s", row[i].text);
		ck_assert(check(type, wire + at, 0) == ERR_FORMAT || type == DNS_APL);
		if (!row[i].open && type != DNS_APL)
			ck_assert_msg(check(type, wire + at, len - 1) == ERR_FORMAT, "%s",
				      row[i].text);
		uint8_t *longer = calloc(1, len + 1);
		memcpy(longer, wire + at, len);
		if (!row[i].open && type != DNS_TXT && type != DNS_SPF)
			ck_assert_msg(check(type, longer, len + 1) == ERR_FORMAT, "%s",
				      row[i].text);
		free(longer);
		free(wire);
		ldns_rr_free(rr);
	}
}
END_TEST

UNIT_SUITE("rdata", each_shape, length_past_the_message, counts_are_limited,
	   expansion_and_names, agrees_with_ldns)
