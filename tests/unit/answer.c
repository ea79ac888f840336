#include "resolver/answer.h"

#include "resolver/wire_guard.h"
#include "tests/unit/unit.h"

enum { SERIAL = 42 };

static struct conf conf;
static const struct answer_form plain;

static void setup(void)
{
	memset(&conf, 0, sizeof conf);
	conf.sinkhole.ttl_s = 30;
	ck_assert_int_eq(addr_from_text(&conf.sinkhole.ipv4, "192.0.2.1", 9), 0);
	ck_assert_int_eq(addr_from_text(&conf.sinkhole.ipv6, "2001:db8::1", 11), 0);
}

/* The query for name and type, as a client would write it. */
static struct query ask(uint8_t msg[512], const char *name, unsigned type, bool edns)
{
	struct query q;
	uint8_t qname[DNS_NAME_MAX];
	const uint16_t counts[4] = {1, 0, 0, edns};
	struct wire_writer w = wire_writer(msg, 512);
	ck_assert_int_eq(name_from_str(qname, name), 0);
	wire_put_header(&w, 0x1234, DNS_RD | DNS_CD | DNS_AD, counts);
	wire_put_name(&w, qname);
	wire_put16(&w, type);
	wire_put16(&w, DNS_IN);
	if (edns) {
		static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0};
		wire_put(&w, opt, sizeof opt);
	}
	if (msg[DNS_HEADER_LEN + 1] == 'w')
		msg[DNS_HEADER_LEN + 1] = 'W'; /* www -> Www: the case must come back */
	ck_assert_int_eq(query_read(&q, msg, wire_written(&w)), QUERY_OK);
	return q;
}

/* What a message says, as text: "RCODE flags | section owner type ttl len | ..." */
static const char *show(const uint8_t *msg, size_t len)
{
	static char text[4096];
	char name[DNS_NAME_TEXT_MAX];
	uint8_t qname[DNS_NAME_MAX];
	uint16_t type, class;
	struct wire_walk walk;
	struct wire_rr rr;
	ck_assert_int_eq(guard_message(msg, len, GUARD_RECORDS_TCP), 0);
	ck_assert(wire_walk_start(&walk, msg, len, qname, &type, &class));
	ck_assert_uint_eq(wire_get16(msg), 0x1234);
	size_t n = (size_t)snprintf(text, sizeof text, "%04x", wire_get16(msg + 2));
	while (wire_walk_next(&walk, &rr))
		n += (size_t)snprintf(text + n, sizeof text - n, " | %c %s %u %u %u",
				      "ANX"[rr.section], name_to_text(name, rr.owner),
				      rr.type, rr.type == DNS_OPT ? 0 : rr.ttl,
				      rr.rdlength);
	return text;
}

static struct verdict listed(const char *matched)
{
	struct verdict v = {.kind = VERDICT_ACT, .trigger = RULE_ON_QNAME};
	ck_assert_int_eq(name_from_str(v.matched, matched), 0);
	return v;
}

static size_t verdict_answer(uint8_t *out, size_t room, const struct query *q,
			     const struct answer_policy *how)
{
	static uint8_t wire[DNS_MESSAGE_MAX];
	struct answer_body body;
	answer_verdict(&body, wire, sizeof wire, q, how);
	return answer_finish(out, room, q, &body, 0);
}

START_TEST(policy_answers_by_action_and_type)
{
	static const struct {
		const char *name;
		unsigned type;
		enum rule_action action;
		const char *want;
	} cases[] = {
		/* 8190: QR RD RA CD, no AA, no AD; 11+6+4: OPT with the EDE "text" */
		{"www.bad.example", DNS_A, RULE_ADDRESS,
		 "8190 | A www.bad.example 1 30 4 | X . 41 0 10"},
		{"www.bad.example", DNS_AAAA, RULE_ADDRESS,
		 "8190 | A www.bad.example 28 30 16 | X . 41 0 10"},
		{"www.bad.example", DNS_ANY, RULE_ADDRESS,
		 "8190 | A www.bad.example 1 30 4 | A www.bad.example 28 30 16 | X . 41 "
		 "0 10"},
		{"www.bad.example", DNS_HTTPS, RULE_ADDRESS,
		 "8190 | N bad.example 6 30 47 | X . 41 0 10"},
		{"www.bad.example", DNS_TXT, RULE_ADDRESS,
		 "8190 | N bad.example 6 30 47 | X . 41 0 10"},
		{"bad.example", DNS_A, RULE_NXDOMAIN,
		 "8193 | N bad.example 6 30 47 | X . 41 0 10"},
		{"bad.example", DNS_A, RULE_NODATA,
		 "8190 | N bad.example 6 30 47 | X . 41 0 10"},
		{"bad.example", DNS_A, RULE_REFUSE, "8195 | X . 41 0 10"},
		{"bad.example", DNS_A, RULE_TCP_ONLY, "8390 | X . 41 0 10"},
	};
	setup();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t msg[512], out[512];
		struct query q = ask(msg, cases[i].name, cases[i].type, true);
		struct verdict v = listed("bad.example");
		struct answer_policy how = {&v, cases[i].action, &conf, SERIAL,
					    15, "text",		 NULL,	NULL};
		size_t n = verdict_answer(out, q.room, &q, &how);
		ck_assert_str_eq(show(out, n), cases[i].want);
		ck_assert_mem_eq(out + DNS_HEADER_LEN, q.qname_raw, q.qname_len);
	}
}
END_TEST

/* RFC 5001, before the Extended DNS Error; it counts for what fits. */
START_TEST(nsid_is_told)
{
	uint8_t msg[512], out[512];
	struct query q = ask(msg, "www.example.com", DNS_A, true);
	const size_t bare = answer_error(out, q.room, &q, DNS_SERVFAIL, 22, "why");
	q.nsid = "ns7";
	size_t n = answer_error(out, q.room, &q, DNS_SERVFAIL, 22, "why");
	ck_assert_uint_eq(n, bare + 7);
	ck_assert_str_eq(show(out, n), "8192 | X . 41 0 16");
	ck_assert_mem_eq(out + n - 16, "\0\3\0\3ns7\0\x0f\0\5\0\x16why", 16);
	struct answer_body body;
	uint8_t wire[512];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
	const struct reply reply = {.ede = DNS_EDE_NONE};
	ck_assert_int_eq(answer_body(&body, wire, sizeof wire, ttl_at, q.qname, DNS_A,
				     &reply, plain),
			 0);
	n = answer_finish(out, body.len + DNS_OPT_LEN + 7, &q, &body, 0);
	ck_assert_str_eq(show(out, n), "8190 | X . 41 0 7");
	/* One byte less: TC, and NSID in an answer that fits it without the body. */
	n = answer_finish(out, body.len + DNS_OPT_LEN + 6, &q, &body, 0);
	ck_assert(wire_get16(out + 2) & DNS_TC);
}
END_TEST

static void put_rr(struct blocklist_data *d, unsigned type, uint32_t ttl,
		   const char *rdata, size_t len)
{
	const struct blocklist_rr rr = {(uint16_t)type, (uint16_t)len, ttl,
					(const uint8_t *)rdata};
	ck_assert_int_eq(blocklist_data_add(d, &rr), 0);
}

/* RPZ draft 3.6, and TTLs that end soon whatever a feed says. */
START_TEST(local_data_by_type)
{
	static const struct {
		unsigned type;
		const char *want;
	} cases[] = {
		{DNS_A, "8190 | A www.bad.example 1 60 4 | A www.bad.example 1 60 4 | "
			"X . 41 0 10"},
		{DNS_AAAA, "8190 | A www.bad.example 28 5 16 | X . 41 0 10"},
		{DNS_TXT, "8190 | A www.bad.example 16 60 2 | X . 41 0 10"},
		{DNS_MX, "8190 | A www.bad.example 15 60 9 | X . 41 0 10"},
		{DNS_HTTPS, "8190 | N bad.example 6 30 47 | X . 41 0 10"},
		{DNS_CNAME, "8190 | N bad.example 6 30 47 | X . 41 0 10"},
		{DNS_ANY, "8190 | A www.bad.example 1 60 4 | A www.bad.example 1 60 4 | "
			  "A www.bad.example 15 60 9 | A www.bad.example 16 60 2 | "
			  "A www.bad.example 28 5 16 | X . 41 0 10"},
	};
	struct blocklist_data d = {0};
	setup();
	put_rr(&d, DNS_A, 3600, "\300\0\2\7", 4);
	put_rr(&d, DNS_TXT, 61, "\1x", 2);
	put_rr(&d, DNS_AAAA, 5, "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\7", 16);
	put_rr(&d, DNS_A, 3600, "\300\0\2\10", 4);
	/* its name ends in the question's: compressed, 2 + 5 + 2 bytes */
	put_rr(&d, DNS_MX, 60, "\0\12\4mail\3bad\7example", 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t msg[512], out[512];
		struct query q = ask(msg, "www.bad.example", cases[i].type, true);
		struct verdict v = listed("bad.example");
		struct answer_policy how = {&v, RULE_LOCAL_DATA, &conf, SERIAL,
					    15, "text",		 NULL,	&d};
		size_t n = verdict_answer(out, q.room, &q, &how);
		ck_assert_str_eq(show(out, n), cases[i].want);
	}
}
END_TEST

/* All that a rule can hold, for a client with little room: TC, and whole over TCP. */
START_TEST(local_data_too_long_for_udp)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	uint8_t msg[512];
	struct blocklist_data d = {0};
	struct verdict v = listed("bad.example");
	struct answer_policy how = {&v, RULE_LOCAL_DATA, &conf, SERIAL,
				    15, "text",		 NULL,	&d};
	setup();
	for (uint8_t i = 0; i < BLOCKLIST_DATA_MAX / (BLOCKLIST_RR_HEAD + 4); i++)
		put_rr(&d, DNS_A, 60, (const char[]){1, 2, 3, (char)i}, 4);
	struct query q = ask(msg, "bad.example", DNS_A, false);
	ck_assert_str_eq(show(out, verdict_answer(out, q.room, &q, &how)), "8390");
	size_t n = verdict_answer(out, sizeof out, &q, &how);
	ck_assert_uint_eq(wire_get16(out + 6), 85);
	ck_assert_int_eq(guard_message(out, n, GUARD_RECORDS_TCP), 0);
}
END_TEST

START_TEST(policy_answer_fits_without_edns)
{
	uint8_t msg[512], out[512];
	setup();
	struct query q = ask(msg, "bad.example", DNS_A, false);
	struct verdict v = listed("bad.example");
	struct answer_policy how = {&v, RULE_ADDRESS, &conf, SERIAL,
				    15, "text",	      NULL,  NULL};
	size_t n = verdict_answer(out, q.room, &q, &how);
	ck_assert_str_eq(show(out, n), "8190 | A bad.example 1 30 4");
}
END_TEST

/* An RRset of records, each len bytes of RDATA starting with its number. */
static struct rrset rrset_of(uint8_t *owner, const char *name, unsigned type, int n,
			     uint16_t len, uint8_t *data)
{
	struct rrset s = {
		.owner = owner, .type = (uint16_t)type, .rr_n = (uint16_t)n, .ttl = 300};
	ck_assert_int_eq(name_from_str(owner, name), 0);
	for (int i = 0; i < n; i++, data += len + 2) {
		wire_set16(data, len);
		memset(data + 2, i, len);
		s.data_len += len + 2U;
	}
	s.data = data - s.data_len;
	return s;
}

static struct rrset cname_of(uint8_t *owner, const char *name, const char *target,
			     uint8_t *data)
{
	uint8_t to[DNS_NAME_MAX];
	ck_assert_int_eq(name_from_str(to, target), 0);
	struct rrset s = {
		.owner = owner, .type = DNS_CNAME, .rr_n = 1, .ttl = 60, .data = data};
	ck_assert_int_eq(name_from_str(owner, name), 0);
	wire_set16(data, (unsigned)name_len(to));
	name_copy(data + 2, to);
	s.data_len = (uint32_t)name_len(to) + 2;
	return s;
}

START_TEST(chain_before_a_listed_target)
{
	uint8_t msg[512], out[512], owner[DNS_NAME_MAX], target[DNS_NAME_MAX], data[300];
	setup();
	struct query q = ask(msg, "www.good.example", DNS_A, true);
	struct rrset cname = cname_of(owner, "www.good.example", "cdn.bad.example", data);
	ck_assert_int_eq(name_from_str(target, "cdn.bad.example"), 0);
	struct reply chain = {.answer = {&cname}, .answer_n = 1, .target = target};
	struct verdict v = listed("bad.example");
	struct answer_policy how = {&v, RULE_ADDRESS, &conf,  SERIAL,
				    15, "text",	      &chain, NULL};
	size_t n = verdict_answer(out, q.room, &q, &how);
	ck_assert_str_eq(show(out, n), "8190 | A www.good.example 5 60 10 | "
				       "A cdn.bad.example 1 30 4 | X . 41 0 10");
	struct blocklist_data d = {0};
	put_rr(&d, DNS_A, 60, "\300\0\2\7", 4);
	how.action = RULE_LOCAL_DATA;
	how.data = &d;
	n = verdict_answer(out, q.room, &q, &how);
	ck_assert_str_eq(show(out, n), "8190 | A www.good.example 5 60 10 | "
				       "A cdn.bad.example 1 60 4 | X . 41 0 10");
}
END_TEST

START_TEST(body_is_finished_for_each_client)
{
	uint8_t msg[512], out[DNS_UDP_MAX], owner[DNS_NAME_MAX], data[4096];
	static uint8_t wire[DNS_MESSAGE_MAX];
	static uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	setup();
	struct rrset s = rrset_of(owner, "www.example.com", DNS_A, 40, 4, data);
	struct reply r = {.answer = {&s}, .answer_n = 1, .ede = DNS_EDE_NONE};
	ck_assert_int_eq(
		answer_body(&body, wire, sizeof wire, ttl_at, owner, DNS_A, &r, plain),
		0);
	ck_assert_uint_eq(body.ttl_n, 40);
	struct query q = ask(msg, "www.example.com", DNS_A, true);
	size_t n = answer_finish(out, q.room, &q, &body, 10);
	ck_assert_str_eq(strncmp(show(out, n), "8190 | A www.example.com 1 290 4 | ", 35)
				 ? show(out, n)
				 : "ok",
			 "ok");
	ck_assert_mem_eq(out + DNS_HEADER_LEN, "\3Www", 4);
	/* 512 bytes are too few for 40 addresses: TC and nothing else, RFC 2181 9 */
	q = ask(msg, "www.example.com", DNS_A, false);
	n = answer_finish(out, q.room, &q, &body, 10);
	ck_assert_str_eq(show(out, n), "8390");
	ck_assert_uint_le(n, DNS_UDP_PLAIN);
	/* TTLs never go below zero */
	q = ask(msg, "www.example.com", DNS_A, true);
	n = answer_finish(out, q.room, &q, &body, 1000);
	ck_assert_ptr_nonnull(strstr(show(out, n), "www.example.com 1 0 4"));
}
END_TEST

START_TEST(secure_is_told_to_who_asks)
{
	static const struct {
		unsigned flags;
		const char *want;
	} cases[] = {{DNS_RD, "8180"},
		     {DNS_RD | DNS_AD, "81a0"},
		     {DNS_RD | DNS_CD, "8190"},
		     {DNS_RD | DNS_AD | DNS_CD, "8190"}};
	uint8_t msg[512], wire[512], out[DNS_UDP_MAX], owner[DNS_NAME_MAX], data[8];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	struct rrset s = rrset_of(owner, "www.example.com", DNS_A, 1, 4, data);
	struct reply r = {.answer = {&s},
			  .answer_n = 1,
			  .ede = DNS_EDE_NONE,
			  .security = SECURITY_SECURE};
	ck_assert_int_eq(
		answer_body(&body, wire, sizeof wire, ttl_at, owner, DNS_A, &r, plain),
		0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct query q = ask(msg, "www.example.com", DNS_A, false);
		q.flags = (uint16_t)cases[i].flags;
		size_t n = answer_finish(out, q.room, &q, &body, 0);
		char got[5] = {0};
		memcpy(got, show(out, n), 4);
		ck_assert_str_eq(got, cases[i].want);
	}
}
END_TEST

/* RFC 8482 4.1: over UDP the smallest RRset, with its signatures for DO; all over TCP. */
START_TEST(any_is_small_over_udp)
{
	static const struct {
		bool udp, edns;
		const char *want;
	} cases[] = {
		{true, true, "8190 | A www.example.com 28 300 16 | X . 41 0 0"},
		{true, false, "8190 | A www.example.com 1 300 4"},
		{false, true,
		 "8190 | A www.example.com 256 300 9 | A www.example.com 256 300 9 | "
		 "A www.example.com 28 300 16 | A www.example.com 1 300 4 | "
		 "A www.example.com 46 300 40 | X . 41 0 0"},
	};
	uint8_t msg[512], wire[512], out[DNS_UDP_MAX], owner[DNS_NAME_MAX], data[3][64];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	setup();
	struct rrset uri = rrset_of(owner, "www.example.com", 256, 2, 9, data[0]);
	struct rrset aaaa = rrset_of(owner, "www.example.com", DNS_AAAA, 1, 16, data[1]);
	struct rrset a = rrset_of(owner, "www.example.com", DNS_A, 1, 4, data[2]);
	a.sigs = (const uint8_t[42]){0, 40};
	a.sigs_len = 42;
	struct reply r = {
		.answer = {&uri, &aaaa, &a}, .answer_n = 3, .ede = DNS_EDE_NONE};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct query q = ask(msg, "www.example.com", DNS_ANY, cases[i].edns);
		ck_assert_int_eq(answer_body(&body, wire, sizeof wire, ttl_at, owner,
					     DNS_ANY, &r, answer_form(&q, cases[i].udp)),
				 0);
		size_t n = answer_finish(out, DNS_UDP_MAX, &q, &body, 0);
		ck_assert_str_eq(show(out, n), cases[i].want);
	}
}
END_TEST

/* It makes the only record there is below it. */
START_TEST(any_below_dname_is_whole)
{
	uint8_t msg[512], wire[512], out[DNS_UDP_MAX], owner[2][DNS_NAME_MAX],
		data[2][DNS_NAME_MAX + 2];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	struct rrset dname = cname_of(owner[0], "x", ".", data[0]);
	struct rrset made = cname_of(owner[1], "www.x", "www", data[1]);
	dname.type = DNS_DNAME;
	struct reply r = {.answer = {&dname, &made}, .answer_n = 2, .ede = DNS_EDE_NONE};
	struct query q = ask(msg, "www.x", DNS_ANY, false);
	ck_assert_int_eq(answer_body(&body, wire, sizeof wire, ttl_at, made.owner,
				     DNS_ANY, &r, answer_form(&q, true)),
			 0);
	size_t n = answer_finish(out, q.room, &q, &body, 0);
	ck_assert_str_eq(show(out, n), "8190 | A x 39 60 1 | A www.x 5 60 5");
}
END_TEST

/* It is used for www.x.x and again for what that becomes. */
START_TEST(dname_is_told_once)
{
	uint8_t msg[512], wire[512], out[DNS_UDP_MAX], owner[3][DNS_NAME_MAX],
		data[3][DNS_NAME_MAX + 2];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	struct rrset dname = cname_of(owner[0], "x", ".", data[0]);
	struct rrset first = cname_of(owner[1], "www.x.x", "www.x", data[1]);
	struct rrset second = cname_of(owner[2], "www.x", "www", data[2]);
	dname.type = DNS_DNAME;
	struct reply r = {.answer = {&dname, &first, &dname, &second},
			  .answer_n = 4,
			  .ede = DNS_EDE_NONE};
	ck_assert_int_eq(answer_body(&body, wire, sizeof wire, ttl_at, first.owner, DNS_A,
				     &r, plain),
			 0);
	struct query q = ask(msg, "www.x.x", DNS_A, false);
	size_t n = answer_finish(out, q.room, &q, &body, 0);
	ck_assert_str_eq(show(out, n),
			 "8190 | A x 39 60 1 | A www.x.x 5 60 6 | A www.x 5 60 5");
}
END_TEST

START_TEST(body_too_long_or_too_many)
{
	uint8_t owner[DNS_NAME_MAX];
	static uint8_t wire[DNS_MESSAGE_MAX], data[80000];
	static uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct answer_body body;
	struct rrset s = rrset_of(owner, "www.example.com", DNS_TXT, 300, 256, data);
	struct reply r = {.answer = {&s}, .answer_n = 1};
	ck_assert_int_eq(
		answer_body(&body, wire, sizeof wire, ttl_at, owner, DNS_TXT, &r, plain),
		ERR_RANGE);
	s = rrset_of(owner, "www.example.com", DNS_A, ANSWER_TTLS_MAX + 1, 4, data);
	ck_assert_int_eq(
		answer_body(&body, wire, sizeof wire, ttl_at, owner, DNS_A, &r, plain),
		0);
	ck_assert(!body.countable);
}
END_TEST

/* SECURITY.md 1B row 26, RFC 9267: names of answers point back to what stands before, and
 * a bound ends the search: 64 KiB of distinct deep names cost at most 2 ms. */
START_TEST(compression_is_bounded)
{
	static uint8_t wire[DNS_MESSAGE_MAX], data[DNS_MESSAGE_MAX];
	static uint16_t ttl_at[ANSWER_TTLS_MAX];
	enum { RECORDS = 300 };
	uint8_t owner[DNS_NAME_MAX], target[DNS_NAME_MAX];
	struct answer_body body;
	char text[300], *p;
	struct rrset s = {.owner = owner, .type = DNS_MX, .ttl = 1, .data = data};
	ck_assert_int_eq(name_from_str(owner, "example.com"), 0);
	for (int i = 0; i < RECORDS; i++) {
		p = text;
		for (int k = 0; k < 60; k++)
			p += sprintf(p, "%c%c.", 'a' + i % 26, 'a' + (i + k) % 26);
		sprintf(p, "m%d.test", i);
		ck_assert_int_eq(name_from_str(target, text), 0);
		uint8_t *at = data + s.data_len;
		wire_set16(at, (unsigned)name_len(target) + 2);
		wire_set16(at + 2, 10);
		name_copy(at + 4, target);
		s.data_len += (uint32_t)name_len(target) + 4;
		s.rr_n++;
	}
	struct reply r = {.answer = {&s}, .answer_n = 1};
	double best_ms = 1e9;
	for (int i = 0; i < 10; i++) {
		double start_ms = unit_cpu_ms();
		ck_assert_int_eq(answer_body(&body, wire, sizeof wire, ttl_at, owner,
					     DNS_MX, &r, plain),
				 0);
		double took_ms = unit_cpu_ms() - start_ms;
		best_ms = took_ms < best_ms ? took_ms : best_ms;
	}
	ck_assert_int_eq(guard_message(wire, body.len, GUARD_RECORDS_TCP), 0);
	ck_assert_uint_gt(body.len, 60000);
	ck_assert_msg(best_ms <= 2 * UNIT_SLOWER, "%.3f ms", best_ms);
}
END_TEST

START_TEST(errors_echo_what_was_read)
{
	uint8_t msg[512], out[512];
	struct query q = ask(msg, "www.example.com", DNS_A, true);
	size_t n = answer_error(out, q.room, &q, DNS_SERVFAIL, 22, "no server answered");
	ck_assert_str_eq(show(out, n), "8192 | X . 41 0 24");
	n = answer_error(out, q.room, &q, DNS_BADVERS, DNS_EDE_NONE, NULL);
	ck_assert_str_eq(show(out, n), "8190 | X . 41 0 0");
	ck_assert_uint_eq(out[n - 6], 1); /* upper bits of the code */
	q.qname_len = 0;
	q.edns = false;
	n = answer_error(out, q.room, &q, DNS_FORMERR, DNS_EDE_NONE, NULL);
	ck_assert_uint_eq(n, DNS_HEADER_LEN);
	ck_assert_uint_eq(out[5], 0);
}
END_TEST

UNIT_SUITE("answer", policy_answers_by_action_and_type, any_is_small_over_udp,
	   any_below_dname_is_whole, nsid_is_told, local_data_by_type,
	   local_data_too_long_for_udp, policy_answer_fits_without_edns,
	   chain_before_a_listed_target, body_is_finished_for_each_client,
	   secure_is_told_to_who_asks, dname_is_told_once, body_too_long_or_too_many,
	   compression_is_bounded, errors_echo_what_was_read)
