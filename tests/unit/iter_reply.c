#include <ldns/ldns.h>

#include "resolver/iter_reply.h"
#include "tests/unit/unit.h"

enum { SECTION_MAX = 8 };

static uint8_t msg[DNS_MESSAGE_MAX];
static struct arena arena;

static void put_records(struct wire_writer *w, const char *const *text)
{
	for (int i = 0; i < SECTION_MAX && text[i]; i++) {
		ldns_rr *rr = NULL;
		uint8_t *wire = NULL;
		size_t len = 0;
		ck_assert_msg(ldns_rr_new_frm_str(&rr, text[i], 300, NULL, NULL) ==
				      LDNS_STATUS_OK,
			      "%s", text[i]);
		ck_assert_int_eq(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &len),
				 LDNS_STATUS_OK);
		wire_put(w, wire, len);
		free(wire);
		ldns_rr_free(rr);
	}
}

static uint16_t count(const char *const *text)
{
	uint16_t n = 0;
	while (n < SECTION_MAX && text[n])
		n++;
	return n;
}

struct row {
	const char *what;
	uint16_t type;
	unsigned flags;
	const char *answer[SECTION_MAX], *authority[SECTION_MAX],
		*additional[SECTION_MAX];
	enum iter_class class;
	int n;		  /* answer RRsets, or servers of a referral */
	const char *last; /* owner of the last answer RRset, or the cut */
	int more;	  /* records in it, or addresses of the first server */
};

/* Asked: www.example.com, of a server of example.com or (P) com. */
#define SOA "example.com. 300 SOA ns.example.com. h.example.com. 1 2 3 4 60"
/* F: of a forwarder; S: what it says is second-hand. */
enum { P = 1 << 20, F = 1 << 21, S = 1 << 22, AA = DNS_AA, RA = DNS_RA };
#define NSEC "a.example.com. 30 NSEC z.example.com. A RRSIG NSEC"

static const struct row rows[] = {
	{"data",
	 DNS_A,
	 AA,
	 {"www.example.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 1},
	{"case of owners",
	 DNS_A,
	 AA,
	 {"WWW.Example.com. A 192.0.2.1", "www.eXample.com. A 192.0.2.2"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 2},
	{"without AA",
	 DNS_A,
	 0,
	 {"www.example.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 1},
	{"a resolver's answer",
	 DNS_A,
	 RA | S,
	 {"www.example.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 1},
	{"another name",
	 DNS_A,
	 AA,
	 {"ftp.example.com. A 192.0.2.1"},
	 {SOA},
	 {0},
	 ITER_NODATA,
	 0,
	 NULL,
	 0},
	{"another type",
	 DNS_A,
	 AA,
	 {"www.example.com. TXT x"},
	 {SOA},
	 {0},
	 ITER_NODATA,
	 0,
	 NULL,
	 0},
	{"another class",
	 DNS_A,
	 AA,
	 {"www.example.com. CH A 192.0.2.1"},
	 {SOA},
	 {0},
	 ITER_NODATA,
	 0,
	 NULL,
	 0},
	{"data in the wrong section",
	 DNS_A,
	 AA,
	 {0},
	 {"www.example.com. A 192.0.2.1"},
	 {"www.example.com. A 192.0.2.1"},
	 ITER_NODATA,
	 0,
	 NULL,
	 0},
	{"alias out of the zone",
	 DNS_A,
	 AA,
	 {"www.example.com. CNAME a.example.net.", "a.example.net. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "www.example.com",
	 1},
	{"alias inside, with its end",
	 DNS_A,
	 AA,
	 {"a.example.com. A 192.0.2.1", "www.example.com. CNAME a.example.com."},
	 {0},
	 {0},
	 ITER_ANSWER,
	 2,
	 "a.example.com",
	 1},
	{"alias inside, end missing",
	 DNS_A,
	 AA,
	 {"www.example.com. CNAME a.example.com."},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "www.example.com",
	 1},
	{"alias inside, end denied",
	 DNS_A,
	 AA | DNS_NXDOMAIN,
	 {"www.example.com. CNAME a.example.com."},
	 {SOA},
	 {0},
	 ITER_NXDOMAIN,
	 1,
	 "www.example.com",
	 1},
	{"alias asked for",
	 DNS_CNAME,
	 AA,
	 {"www.example.com. CNAME a.example.com.", "a.example.com. CNAME b.example.com."},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 1},
	{"alias to itself",
	 DNS_A,
	 AA,
	 {"www.example.com. CNAME www.example.com."},
	 {0},
	 {0},
	 ITER_CNAME,
	 12,
	 "www.example.com",
	 1},
	{"two aliases",
	 DNS_A,
	 AA,
	 {"www.example.com. CNAME a.example.com.",
	  "www.example.com. CNAME b.example.com."},
	 {0},
	 {0},
	 ITER_ERROR,
	 0,
	 NULL,
	 0},
	{"DNAME and what it makes",
	 DNS_A,
	 AA,
	 {"example.com. DNAME example.net.", "www.example.com. CNAME www.example.net."},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "example.com",
	 1},
	{"signatures are left out",
	 DNS_ANY,
	 AA,
	 {"www.example.com. A 192.0.2.1",
	  "www.example.com. RRSIG A 8 3 300 20300101000000 20200101000000 1 example.com. "
	  "AAAA",
	  "www.example.com. TXT x", "example.com. TXT y"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 2,
	 "www.example.com",
	 1},
	{"nothing, SOA", DNS_A, AA, {0}, {SOA}, {0}, ITER_NODATA, 0, NULL, 0},
	{"no such name, SOA",
	 DNS_A,
	 AA | DNS_NXDOMAIN,
	 {0},
	 {SOA},
	 {0},
	 ITER_NXDOMAIN,
	 0,
	 NULL,
	 0},
	{"no such name, SOA from above",
	 DNS_A,
	 DNS_NXDOMAIN,
	 {0},
	 {"com. SOA ns.com. h.com. 1 2 3 4 60"},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"no such name, SOA from below",
	 DNS_A,
	 DNS_NXDOMAIN,
	 {0},
	 {"a.www.example.com. SOA ns.com. h.com. 1 2 3 4 60"},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"nothing at all", DNS_A, 0, {0}, {0}, {0}, ITER_LAME, 0, NULL, 0},
	{"nothing at all, AA", DNS_A, AA, {0}, {0}, {0}, ITER_NODATA, 0, NULL, 0},
	{"only a proof", DNS_A, 0, {0}, {NSEC}, {0}, ITER_NODATA, 0, NULL, 0},
	{"no such name, only a proof",
	 DNS_A,
	 DNS_NXDOMAIN,
	 {0},
	 {NSEC},
	 {0},
	 ITER_NXDOMAIN,
	 0,
	 NULL,
	 0},
	{"only a proof of another zone",
	 DNS_A,
	 0,
	 {0},
	 {"a.example.net. NSEC z.example.net. A"},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"only a proof, from a resolver",
	 DNS_A,
	 RA | S,
	 {0},
	 {NSEC},
	 {0},
	 ITER_NODATA,
	 0,
	 NULL,
	 0},
	{"nothing, but it points up",
	 DNS_A,
	 AA,
	 {0},
	 {"com. NS ns.com."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"forwarder: data",
	 DNS_A,
	 F | RA,
	 {"www.example.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 1,
	 "www.example.com",
	 1},
	{"forwarder: nothing", DNS_A, F | RA, {0}, {0}, {0}, ITER_NODATA, 0, NULL, 0},
	{"forwarder: no such name",
	 DNS_A,
	 F | RA | DNS_NXDOMAIN,
	 {0},
	 {0},
	 {0},
	 ITER_NXDOMAIN,
	 0,
	 NULL,
	 0},
	{"forwarder: referral",
	 DNS_A,
	 P | F | RA,
	 {0},
	 {"example.com. NS ns1.example.com."},
	 {"ns1.example.com. A 192.0.2.1"},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"DNAME above the zone",
	 DNS_A,
	 AA,
	 {"com. DNAME net.", "www.example.com. CNAME www.example.net."},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "www.example.com",
	 1},
	{"DNAME inside, and its end",
	 DNS_A,
	 P | AA,
	 {"example.com. DNAME new.com.", "www.example.com. CNAME www.new.com.",
	  "www.new.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ANSWER,
	 2,
	 "www.new.com",
	 1},
	{"DNAME, and what it cannot make",
	 DNS_A,
	 P | AA,
	 {"example.com. DNAME new.com.", "www.example.com. CNAME evil.com.",
	  "evil.com. A 192.0.2.66"},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "example.com",
	 1},
	{"DNAME, alias asked for",
	 DNS_CNAME,
	 AA,
	 {"example.com. DNAME example.net.", "www.example.com. CNAME www.example.net."},
	 {0},
	 {0},
	 ITER_CNAME,
	 1,
	 "example.com",
	 1},
	{"two DNAMEs",
	 DNS_A,
	 AA,
	 {"example.com. DNAME a.test.", "example.com. DNAME b.test."},
	 {0},
	 {0},
	 ITER_ERROR,
	 0,
	 NULL,
	 0},
	{"name exists, without a chain",
	 DNS_A,
	 AA | DNS_YXDOMAIN,
	 {"www.example.com. A 192.0.2.1"},
	 {0},
	 {0},
	 ITER_ERROR,
	 0,
	 NULL,
	 0},
	{"referral",
	 DNS_A,
	 P,
	 {0},
	 {"example.com. NS ns1.example.com.", "example.com. NS NS1.example.com.",
	  "example.com. NS ns.example.org."},
	 {"ns1.example.com. A 192.0.2.1", "ns1.example.com. AAAA 2001:db8::1",
	  "ns.example.org. A 192.0.2.66", "www.example.com. A 192.0.2.66"},
	 ITER_REFERRAL,
	 2,
	 "example.com",
	 2},
	{"glue of one family does not crowd out the other",
	 DNS_A,
	 P,
	 {0},
	 {"example.com. NS ns1.example.com."},
	 {"ns1.example.com. A 192.0.2.1", "ns1.example.com. A 192.0.2.2",
	  "ns1.example.com. A 192.0.2.3", "ns1.example.com. A 192.0.2.4",
	  "ns1.example.com. A 192.0.2.5", "ns1.example.com. A 192.0.2.6",
	  "ns1.example.com. AAAA 2001:db8::1"},
	 ITER_REFERRAL,
	 1,
	 "example.com",
	 4},
	{"referral to a sibling",
	 DNS_A,
	 P,
	 {0},
	 {"example2.com. NS ns1.example.com."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"referral to itself",
	 DNS_A,
	 P,
	 {0},
	 {"com. NS ns1.example.com."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"referral upward",
	 DNS_A,
	 P,
	 {0},
	 {". NS a.root.test."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"referral below the name",
	 DNS_A,
	 P,
	 {0},
	 {"a.www.example.com. NS ns.example.com."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"DS is not referred",
	 DNS_DS,
	 0,
	 {0},
	 {"www.example.com. NS ns.example.com."},
	 {0},
	 ITER_LAME,
	 0,
	 NULL,
	 0},
	{"refused", DNS_A, DNS_REFUSED, {0}, {0}, {0}, ITER_ERROR, 0, NULL, 0},
	{"FORMERR without OPT",
	 DNS_A,
	 DNS_FORMERR,
	 {0},
	 {0},
	 {0},
	 ITER_NO_EDNS,
	 0,
	 NULL,
	 0},
	{"FORMERR with OPT",
	 DNS_A,
	 DNS_FORMERR,
	 {0},
	 {0},
	 {"OPT"},
	 ITER_ERROR,
	 0,
	 NULL,
	 0},
};

static struct iter_asked asked_of(const struct row *r)
{
	static uint8_t name[DNS_NAME_MAX], zone[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(name, "www.example.com"), 0);
	ck_assert_int_eq(name_from_str(zone, r->flags & P ? "com" : "example.com"), 0);
	return (struct iter_asked){.id = 0x1234,
				   .type = r->type,
				   .name = name,
				   .sent = name,
				   .forward = (r->flags & F) != 0,
				   .from.zone = zone};
}

static size_t build(const struct row *r, const struct iter_asked *a)
{
	static const uint8_t opt[DNS_OPT_LEN] = {0, 0, DNS_OPT, 4, 208};
	struct wire_writer w = wire_writer(msg, sizeof msg);
	bool has_opt = r->additional[0] && !strcmp(r->additional[0], "OPT");
	const uint16_t counts[4] = {1, count(r->answer), count(r->authority),
				    count(r->additional)};
	wire_put_header(&w, a->id, DNS_QR | (r->flags & 0xffff), counts);
	wire_put_name(&w, a->sent);
	wire_put16(&w, a->type);
	wire_put16(&w, DNS_IN);
	put_records(&w, r->answer);
	put_records(&w, r->authority);
	if (has_opt)
		wire_put(&w, opt, sizeof opt);
	else
		put_records(&w, r->additional);
	ck_assert_int_eq(w.err, 0);
	return wire_written(&w);
}

START_TEST(classes_and_records)
{
	static const enum iter_class denials[] = {ITER_NODATA, ITER_NXDOMAIN};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct iter_asked a = asked_of(r);
		struct iter_reply out;
		uint8_t last[DNS_NAME_MAX];
		arena_init(&arena, 4096, 1 << 20);
		ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, build(r, &a)), 0);
		ck_assert_msg(out.class == r->class, "%s: class %d", r->what, out.class);
		int n = r->class == ITER_REFERRAL ? out.referral.servers_n : out.answer_n;
		ck_assert_msg(n == r->n || r->class == ITER_ERROR, "%s: %d", r->what, n);
		ck_assert_msg(out.second_hand == !!(r->flags & S), "%s: whose", r->what);
		bool denial = out.class == denials[0] || out.class == denials[1];
		ck_assert_msg((out.negative != NULL) == denial, "%s: denial", r->what);
		if (denial) {
			const char *word = r->authority[0] ? r->authority[0] : "";
			bool soa = strstr(word, " SOA ") != NULL;
			unsigned ttl = soa ? 60 : strstr(word, " NSEC ") ? 30 : 0;
			ck_assert_msg((out.negative->rr_n == 1) == soa, "%s", r->what);
			ck_assert_uint_eq(out.negative->ttl, ttl);
		}
		if (r->last) {
			ck_assert_int_eq(name_from_str(last, r->last), 0);
			bool ref = r->class == ITER_REFERRAL;
			ck_assert_msg(name_equal(last, ref ? out.referral.zone
							   : out.answer[n - 1]->owner),
				      "%s: owner", r->what);
			ck_assert_msg((ref ? out.referral.server[0].addr_n
					   : out.answer[n - 1]->rr_n) == r->more,
				      "%s: records", r->what);
		}
		arena_fini(&arena);
	}
}
END_TEST

#define SIG(type, labels)            \
	" RRSIG " type " 13 " labels \
	" 300 20260101000000 20250101000000 7 example.com. AAAA"
/* Signatures lie with what they are over, proofs with what needs them. */
START_TEST(signatures_and_proofs)
{
	static const struct {
		struct row row;
		int sigs, proofs; /* of the last answer, the denial or the DS */
		uint32_t ttl;
	} t[] = {
		{{.what = "signed",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {"www.example.com. A 192.0.2.1",
			     "www.example.com." SIG("A", "3"),
			     "www.example.com." SIG("TXT", "3"),
			     "a.example.com." SIG("A", "3")},
		  .authority = {NSEC}},
		 1,
		 1,
		 300},
		{{.what = "only signatures are no answer",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {"www.example.com." SIG("A", "3")},
		  .authority = {SOA}},
		 0,
		 0,
		 60},
		{{.what = "made from a wildcard",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {"www.example.com. A 192.0.2.1",
			     "www.example.com." SIG("A", "2")},
		  .authority = {NSEC, "a.example.com." SIG("NSEC", "3")}},
		 1,
		 1,
		 300},
		{{.what = "a signature in another section",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {"www.example.com. A 192.0.2.1"},
		  .authority = {"www.example.com." SIG("A", "3")}},
		 1,
		 0,
		 300},
		{{.what = "a denial",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {0},
		  .authority = {SOA, "example.com." SIG("SOA", "2"), NSEC,
				"a.example.com." SIG("NSEC", "3"),
				"q.example.com. 20 NSEC x.example.com. A"}},
		 1,
		 2,
		 20},
		{{.what = "a denial without SOA",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {0},
		  .authority = {NSEC}},
		 0,
		 1,
		 30},
		{{.what = "proofs of another zone",
		  .type = DNS_A,
		  .flags = AA,
		  .answer = {0},
		  .authority = {SOA, "a.example.net. NSEC z.example.net. A"}},
		 0,
		 0,
		 60},
		{{.what = "a signed cut",
		  .type = DNS_A,
		  .flags = P,
		  .answer = {0},
		  .authority = {"example.com. NS ns.example.com.",
				"example.com. DS 1 13 2 00",
				"example.com." SIG("DS", "2")}},
		 1,
		 0,
		 300},
		{{.what = "a cut without DS",
		  .type = DNS_A,
		  .flags = P,
		  .answer = {0},
		  .authority = {"example.com. NS ns.example.com.",
				"example.com. 40 NSEC f.com. NS RRSIG NSEC"}},
		 0,
		 1,
		 40},
		{{.what = "a cut that nothing is said of",
		  .type = DNS_A,
		  .flags = P,
		  .answer = {0},
		  .authority = {"example.com. NS ns.example.com."}},
		 0,
		 0,
		 0},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct iter_asked a = asked_of(&t[i].row);
		struct iter_reply out;
		arena_init(&arena, 4096, 1 << 20);
		size_t len = build(&t[i].row, &a);
		ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len), 0);
		const struct rrset *s = out.class == ITER_REFERRAL ? out.ds
					: out.negative		   ? out.negative
								   : out.answer[0];
		ck_assert_msg((s != NULL) == (t[i].ttl != 0), "%s", t[i].row.what);
		if (s) {
			ck_assert_msg(s->sig_n == t[i].sigs, "%s", t[i].row.what);
			ck_assert_msg((s->sigs_len != 0) == (s->sig_n != 0), "%s",
				      t[i].row.what);
			ck_assert_msg(s->proof_n == t[i].proofs, "%s", t[i].row.what);
			ck_assert_msg(s->ttl == t[i].ttl, "%s", t[i].row.what);
		}
		if (s && s->proof_n)
			ck_assert_int_eq(s->proof[0]->type, DNS_NSEC);
		arena_fini(&arena);
	}
}
END_TEST

/* One thing wrong with a good message: the wait goes on, but that a wrong ID tells of a
 * forger; over TCP there is no wait. */
START_TEST(junk)
{
	static const struct {
		size_t at;
		uint8_t mask;
	} spoilt[] = {
		{0, 1}, {1, 0x80},  {2, 0x80}, {2, 0x28}, {5, 1},
		{5, 3}, {13, 0x01}, {30, 1},   {32, 1},
	};
	struct iter_asked a = asked_of(&rows[0]);
	size_t len = build(&rows[0], &a);
	struct iter_reply out;
	arena_init(&arena, 4096, 1 << 20);
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++)
		for (int tcp = 0; tcp < 2; tcp++) {
			a.tcp = tcp != 0;
			msg[spoilt[i].at] ^= spoilt[i].mask;
			ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len), 0);
			bool id = spoilt[i].at < 2;
			ck_assert_msg(out.class == (tcp	 ? ITER_ERROR
						    : id ? ITER_FORGED
							 : ITER_JUNK),
				      "byte %zu", spoilt[i].at);
			msg[spoilt[i].at] ^= spoilt[i].mask;
		}
	a.tcp = false;
	for (size_t n = 0; n < len; n++) {
		ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, n), 0);
		ck_assert_int_eq(out.class, ITER_JUNK);
	}
	msg[2] |= (uint8_t)(DNS_TC >> 8); /* cut short, and says so */
	ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len - 3), 0);
	ck_assert_int_eq(out.class, ITER_TRUNCATED);
	arena_fini(&arena);
}
END_TEST

/* The echo must have the case that was sent; names made by pointers to it come out in
 * lower case. */
START_TEST(random_case)
{
	struct iter_asked a = asked_of(&rows[0]);
	uint8_t sent[DNS_NAME_MAX];
	struct iter_reply out;
	name_copy(sent, a.name);
	sent[1] = 'W';
	sent[6] = 'X';
	a.sent = sent;
	a.exact_case = true;
	a.type = DNS_MX;
	struct row r = rows[0];
	r.answer[0] = NULL;
	size_t len = build(&r, &a);
	/* www.example.com MX 10 (pointer to the question's example.com) */
	static const uint8_t mx[] = {0xc0, 12, 0, DNS_MX, 0, 1,	 0,    0,
				     1,	   44, 0, 4,	  0, 10, 0xc0, 16};
	memcpy(msg + len, mx, sizeof mx);
	len += sizeof mx;
	msg[7] = 1;
	arena_init(&arena, 4096, 1 << 20);
	ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len), 0);
	ck_assert_int_eq(out.class, ITER_ANSWER);
	ck_assert_mem_eq(out.answer[0]->data + 4, a.name + 4, 13);
	msg[13] ^= 0x20;
	ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len), 0);
	ck_assert_int_eq(out.class, ITER_JUNK);
	a.exact_case = false;
	ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, len), 0);
	ck_assert_int_eq(out.class, ITER_ANSWER);
	arena_fini(&arena);
}
END_TEST

/* What is told at once lives as long as what is told from the cache. */
START_TEST(ttl_is_clipped)
{
	static const struct {
		uint32_t min, max, want;
	} t[] = {{0, 0, 300}, {0, 86400, 300}, {0, 100, 100}, {600, 86400, 600}};
	static const struct row none = {
		.type = DNS_A,
		.flags = AA | DNS_NXDOMAIN,
		.authority = {"example.com. 90000 SOA ns.example.com. h.example.com. 1 2 "
			      "3 4 80000"}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct iter_asked a = asked_of(&rows[0]);
		struct iter_reply out;
		a.ttl_min = t[i].min;
		a.ttl_max = t[i].max;
		arena_init(&arena, 4096, 1 << 20);
		ck_assert_int_eq(
			iter_reply_read(&out, &arena, &a, msg, build(&rows[0], &a)), 0);
		ck_assert_uint_eq(out.answer[0]->ttl, t[i].want);
		ck_assert_int_eq(iter_reply_read(&out, &arena, &a, msg, build(&none, &a)),
				 0);
		ck_assert_uint_eq(out.negative->ttl, t[i].max == 100 ? 100 : 10800);
		arena_fini(&arena);
	}
}
END_TEST

/* An arena of any size: the reader says so and stays whole. */
START_TEST(small_arenas)
{
	for (size_t room = 0; room < 8192; room += 64)
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			struct iter_asked a = asked_of(&rows[i]);
			struct iter_reply out;
			arena_init(&arena, 64, room);
			int err = iter_reply_read(&out, &arena, &a, msg,
						  build(&rows[i], &a));
			ck_assert_msg(err == ERR_NOMEM ||
					      (!err && out.class == rows[i].class),
				      "%s: %d", rows[i].what, err);
			arena_fini(&arena);
		}
}
END_TEST

UNIT_SUITE("iter_reply", classes_and_records, signatures_and_proofs, ttl_is_clipped, junk,
	   random_case, small_arenas)
