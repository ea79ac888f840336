#include "resolver/query.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

/* Flags as two bytes, counts below 256. */
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define RD "\1\0"
#define NAME "\3wWw\7Example\3com\0"
#define IN(type) NAME "\0" type "\0\1"
#define ASK HEAD(RD, "\1", "\0", "\0", "\0") IN("\1")
#define WITH(n) HEAD(RD, "\1", "\0", "\0", n) IN("\1")
#define OPT(size, ttl, len) "\0\0\x29" size ttl len
#define PLAIN_OPT OPT("\4\xd0", "\0\0\0\0", "\0\0")
#define ADDRESS "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"
#define L63    \
	"\x3f" \
	"a23456789012345678901234567890123456789012345678901234567890123"
#define L61    \
	"\x3d" \
	"a234567890123456789012345678901234567890123456789012345678901"
#define L62    \
	"\x3e" \
	"a2345678901234567890123456789012345678901234567890123456789012"
#define B(t) (const uint8_t *)t, sizeof t - 1

enum { NO = DNS_UDP_PLAIN, MAX = DNS_UDP_MAX };

static const struct message {
	const char *what;
	const uint8_t *msg;
	size_t len;
	enum query_result result;
	uint16_t rcode, room;
	bool edns, dnssec_ok, name; /* name: the question could be read */
} messages[] = {
	/* dropped: nothing to answer, or an answer would start a loop */
	{"empty", B(""), QUERY_DROP, 0, NO, 0, 0, 0},
	{"11 bytes", B("\x12\x34\1\0\0\1\0\0\0\0\0"), QUERY_DROP, 0, NO, 0, 0, 0},
	{"an answer", B(HEAD("\x81\x80", "\1", "\0", "\0", "\0") IN("\1")), QUERY_DROP, 0,
	 NO, 0, 0, 0},
	{"a bad answer", B(HEAD("\xf8\0", "\0", "\0", "\0", "\0")), QUERY_DROP, 0, NO, 0,
	 0, 0},
	/* questions */
	{"A", B(ASK), QUERY_OK, 0, NO, 0, 0, 1},
	{"root", B(HEAD(RD, "\1", "\0", "\0", "\0") "\0\0\2\0\1"), QUERY_OK, 0, NO, 0, 0,
	 1},
	{"ANY", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\xff")), QUERY_OK, 0, NO, 0, 0, 1},
	{"unknown type", B(HEAD(RD, "\1", "\0", "\0", "\0") NAME "\xff\xff\0\1"),
	 QUERY_OK, 0, NO, 0, 0, 1},
	{"all harmless flags", B(HEAD("\7\xff", "\1", "\0", "\0", "\0") IN("\1")),
	 QUERY_OK, 0, NO, 0, 0, 1},
	{"255 bytes", B(HEAD(RD, "\1", "\0", "\0", "\0") L63 L63 L63 L61 "\0\0\1\0\1"),
	 QUERY_OK, 0, NO, 0, 0, 1},
	/* EDNS */
	{"OPT", B(WITH("\1") PLAIN_OPT), QUERY_OK, 0, MAX, 1, 0, 1},
	{"DO", B(WITH("\1") OPT("\4\xd0", "\0\0\x80\0", "\0\0")), QUERY_OK, 0, MAX, 1, 1,
	 1},
	{"size 0 is 512", B(WITH("\1") OPT("\0\0", "\0\0\0\0", "\0\0")), QUERY_OK, 0, NO,
	 1, 0, 1},
	{"size 511 is 512", B(WITH("\1") OPT("\1\xff", "\0\0\0\0", "\0\0")), QUERY_OK, 0,
	 NO, 1, 0, 1},
	{"size 513", B(WITH("\1") OPT("\2\1", "\0\0\0\0", "\0\0")), QUERY_OK, 0, 513, 1,
	 0, 1},
	{"size 65535 is 1232", B(WITH("\1") OPT("\xff\xff", "\0\0\0\0", "\0\0")),
	 QUERY_OK, 0, MAX, 1, 0, 1},
	{"extended rcode and Z are no concern",
	 B(WITH("\1") OPT("\4\xd0", "\xff\0\x7f\xff", "\0\0")), QUERY_OK, 0, MAX, 1, 0,
	 1},
	{"options",
	 B(WITH("\1") OPT("\4\xd0", "\0\0\0\0", "\0\x0a") "\0\5\0\0\0\x0c\0\2ab"),
	 QUERY_OK, 0, MAX, 1, 0, 1},
	{"OPT behind another record", B(WITH("\2") ADDRESS PLAIN_OPT), QUERY_OK, 0, MAX,
	 1, 0, 1},
	{"version 1", B(WITH("\1") OPT("\4\xd0", "\0\1\x80\0", "\0\0")), QUERY_ERROR,
	 DNS_BADVERS, MAX, 1, 1, 1},
	{"version 1 of a CHAOS question",
	 B(HEAD(RD, "\1", "\0", "\0", "\1") NAME
	   "\0\1\0\3" OPT("\4\xd0", "\0\1\0\0", "\0\0")),
	 QUERY_ERROR, DNS_BADVERS, MAX, 1, 0, 1},
	{"two OPT", B(WITH("\2") PLAIN_OPT PLAIN_OPT), QUERY_ERROR, DNS_FORMERR, MAX, 1,
	 0, 1},
	{"OPT with an owner", B(WITH("\1") "\1a" PLAIN_OPT), QUERY_ERROR, DNS_FORMERR, NO,
	 0, 0, 1},
	{"option too long", B(WITH("\1") OPT("\4\xd0", "\0\0\0\0", "\0\4") "\0\3\0\1"),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"option cut", B(WITH("\1") OPT("\4\xd0", "\0\0\0\0", "\0\3") "\0\3\0"),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"OPT cut", B(WITH("\1") "\0\0\x29\4\xd0\0\0\0\0\0"), QUERY_ERROR, DNS_FORMERR,
	 NO, 0, 0, 1},
	/* other work */
	{"NOTIFY", B(HEAD("\x20\0", "\1", "\0", "\0", "\0") IN("\6")), QUERY_ERROR,
	 DNS_NOTIMP, NO, 0, 0, 0},
	{"UPDATE", B(HEAD("\x28\0", "\1", "\0", "\1", "\0")), QUERY_ERROR, DNS_NOTIMP, NO,
	 0, 0, 0},
	{"opcode 15", B(HEAD("\x78\0", "\0", "\0", "\0", "\0")), QUERY_ERROR, DNS_NOTIMP,
	 NO, 0, 0, 0},
	{"AXFR", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\xfc")), QUERY_ERROR, DNS_REFUSED,
	 NO, 0, 0, 1},
	{"IXFR", B(HEAD(RD, "\1", "\0", "\1", "\0") IN("\xfb") ADDRESS), QUERY_ERROR,
	 DNS_REFUSED, NO, 0, 0, 1},
	{"TKEY", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\xf9")), QUERY_ERROR, DNS_NOTIMP,
	 NO, 0, 0, 1},
	{"CHAOS", B(HEAD(RD, "\1", "\0", "\0", "\0") NAME "\0\x10\0\3"), QUERY_ERROR,
	 DNS_REFUSED, NO, 0, 0, 1},
	{"class ANY", B(HEAD(RD, "\1", "\0", "\0", "\0") NAME "\0\1\0\xff"), QUERY_ERROR,
	 DNS_REFUSED, NO, 0, 0, 1},
	{"TSIG", B(WITH("\1") "\0\0\xfa\0\xff\0\0\0\0\0\0"), QUERY_ERROR, DNS_REFUSED, NO,
	 0, 0, 1},
	{"SIG(0)", B(WITH("\1") "\0\0\x18\0\xff\0\0\0\0\0\0"), QUERY_ERROR, DNS_REFUSED,
	 NO, 0, 0, 1},
	{"TSIG and OPT", B(WITH("\2") PLAIN_OPT "\0\0\xfa\0\xff\0\0\0\0\0\0"),
	 QUERY_ERROR, DNS_REFUSED, MAX, 1, 0, 1},
	/* malformed */
	{"no question", B(HEAD(RD, "\0", "\0", "\0", "\0")), QUERY_ERROR, DNS_FORMERR, NO,
	 0, 0, 0},
	{"question not said", B(HEAD(RD, "\0", "\0", "\0", "\0") IN("\1")), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 0},
	{"two questions", B(HEAD(RD, "\2", "\0", "\0", "\0") IN("\1") IN("\1")),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 0},
	{"question missing", B(HEAD(RD, "\1", "\0", "\0", "\0")), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 0},
	{"question cut", B(HEAD(RD, "\1", "\0", "\0", "\0") NAME "\0\1\0"), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 0},
	{"pointer", B(HEAD(RD, "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1"), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 0},
	{"label type",
	 B(HEAD(RD, "\1", "\0", "\0", "\0") "\x41"
					    "a\0\0\1\0\1"),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 0},
	{"256 bytes", B(HEAD(RD, "\1", "\0", "\0", "\0") L63 L63 L63 L62 "\0\0\1\0\1"),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 0},
	{"with an answer", B(HEAD(RD, "\1", "\1", "\0", "\0") IN("\1") ADDRESS),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"with authority", B(HEAD(RD, "\1", "\0", "\1", "\0") IN("\1") ADDRESS),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"a byte too many", B(ASK "\0"), QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"additional missing", B(WITH("\1")), QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"additional too many", B(WITH("\5") ADDRESS ADDRESS ADDRESS ADDRESS PLAIN_OPT),
	 QUERY_ERROR, DNS_FORMERR, NO, 0, 0, 1},
	{"type 0", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\0")), QUERY_ERROR, DNS_FORMERR,
	 NO, 0, 0, 1},
	{"type OPT", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\x29")), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 1},
	{"type NXNAME", B(HEAD(RD, "\1", "\0", "\0", "\0") IN("\x80")), QUERY_ERROR,
	 DNS_FORMERR, NO, 0, 0, 1},
};

/* Reads from an exact block, so that a sanitizer sees a step outside. */
static enum query_result read_exact(struct query *q, const uint8_t *bytes, size_t len)
{
	uint8_t *msg = malloc(len + !len);
	memcpy(msg, bytes, len);
	memset(q, 0xa5, sizeof *q); /* nothing may be left as it was */
	enum query_result result = query_read(q, msg, len);
	if (q->qname_len) {
		ck_assert_ptr_eq(q->qname_raw, msg + DNS_HEADER_LEN);
		q->qname_raw = bytes + DNS_HEADER_LEN;
	}
	free(msg);
	return result;
}

START_TEST(each_message)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		const struct message *m = &messages[i];
		struct query q;
		enum query_result got = read_exact(&q, m->msg, m->len);
		ck_assert_msg(got == m->result, "%s: result %d", m->what, (int)got);
		if (got == QUERY_DROP)
			continue;
		ck_assert_uint_eq(q.id, 0x1234);
		ck_assert_msg(q.rcode == m->rcode, "%s: rcode %u", m->what, q.rcode);
		ck_assert_msg(q.room == m->room, "%s: room %u", m->what, q.room);
		ck_assert_msg(q.edns == m->edns, "%s: edns", m->what);
		ck_assert_msg(got == QUERY_ERROR || !q.wants_nsid, "%s: NSID", m->what);
		ck_assert_msg(q.dnssec_ok == m->dnssec_ok, "%s: DO", m->what);
		ck_assert_msg((q.qname_len > 0) == m->name, "%s: name", m->what);
	}
}
END_TEST

/* RFC 5001 2.1: what it holds is of no concern. */
START_TEST(nsid_wanted)
{
	struct query q;
	ck_assert_int_eq(read_exact(&q, B(WITH("\1") OPT("\4\xd0", "\0\0\0\0",
							 "\0\4") "\0\3\0\0")),
			 QUERY_OK);
	ck_assert(q.wants_nsid && !q.nsid);
	ck_assert_int_eq(read_exact(&q, B(WITH("\1") OPT("\4\xd0", "\0\0\0\0",
							 "\0\x0a") "\0\5\0\0\0\3\0\2ab")),
			 QUERY_OK);
	ck_assert(q.wants_nsid && !q.nsid);
}
END_TEST

START_TEST(fields)
{
	struct query q;
	char text[DNS_NAME_TEXT_MAX];
	ck_assert_int_eq(read_exact(&q, B(ASK)), QUERY_OK);
	ck_assert_uint_eq(q.flags, DNS_RD);
	ck_assert_uint_eq(q.qtype, DNS_A);
	ck_assert_uint_eq(q.qclass, DNS_IN);
	ck_assert_uint_eq(q.qname_len, 17);
	ck_assert_str_eq(name_to_text(text, q.qname), "www.example.com");
	ck_assert_mem_eq(q.qname_raw, NAME, 17);
}
END_TEST

/* A good message cut anywhere asks for nothing. */
START_TEST(every_cut)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		const struct message *m = &messages[i];
		for (size_t len = 0; m->result == QUERY_OK && len < m->len; len++) {
			struct query q;
			enum query_result got = read_exact(&q, m->msg, len);
			ck_assert_msg(got == (len < 12 ? QUERY_DROP : QUERY_ERROR),
				      "%s cut to %zu", m->what, len);
		}
	}
}
END_TEST

START_TEST(options_are_limited)
{
	uint8_t msg[256] = WITH("\1") OPT("\4\xd0", "\0\0\0\0", "\0\0");
	size_t len = sizeof(WITH("\1") OPT("\4\xd0", "\0\0\0\0", "\0\0")) - 1;
	struct query q;
	for (unsigned n = QUERY_OPTIONS_MAX; n <= QUERY_OPTIONS_MAX + 1; n++) {
		wire_set16(msg + len - 2, 4 * n);
		ck_assert_int_eq(read_exact(&q, msg, len + 4 * n),
				 n > QUERY_OPTIONS_MAX ? QUERY_ERROR : QUERY_OK);
	}
	ck_assert_uint_eq(q.rcode, DNS_FORMERR);
}
END_TEST

UNIT_SUITE("query", each_message, nsid_wanted, fields, every_cut, options_are_limited)
