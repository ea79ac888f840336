#include "resolver/wire_guard.h"

#include <stdlib.h>

#include "resolver/rdata.h"
#include "tests/unit/unit.h"

/* Counts below 256; the question example.com IN A stands at 12, its end at 29. */
#define HEAD(qd, an, ns, ar) "\x12\x34\x81\x80\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\7Example\3com\0\0\1\0\1"
#define ONE(an, ns, ar) HEAD("\1", an, ns, ar) QUESTION
#define PTR "\xc0\x0c"
#define TTL "\0\1\0\0\0\x3c"
#define A_RR PTR "\0\1" TTL "\0\4abcd"
#define OPT "\0\0\x29\4\xd0\0\0\x80\0\0\0"
#define B(t) (const uint8_t *)t, sizeof t - 1

static const struct message {
	const char *what;
	const uint8_t *msg;
	size_t len;
	int err;
} messages[] = {
	{"empty", B(""), ERR_FORMAT},
	{"half a header", B("\x12\x34\x81\x80\0\0\0\0\0\0\0"), ERR_FORMAT},
	{"header alone", B(HEAD("\0", "\0", "\0", "\0")), 0},
	{"a byte too many", B(HEAD("\0", "\0", "\0", "\0") "\0"), ERR_FORMAT},
	{"question", B(ONE("\0", "\0", "\0")), 0},
	{"question cut", B(HEAD("\1", "\0", "\0", "\0") "\7example\3com\0\0\1\0"),
	 ERR_FORMAT},
	{"question missing", B(HEAD("\1", "\0", "\0", "\0")), ERR_FORMAT},
	{"two questions", B(HEAD("\2", "\0", "\0", "\0") QUESTION QUESTION), ERR_FORMAT},
	{"two questions said", B(HEAD("\2", "\0", "\0", "\0") QUESTION), ERR_FORMAT},
	{"question by pointer", B(HEAD("\1", "\0", "\0", "\0") PTR "\0\1\0\1"),
	 ERR_FORMAT},
	{"answer without question",
	 B(HEAD("\0", "\1", "\0", "\0") "\0\0\1" TTL "\0\4abcd"), 0},
	{"each section", B(ONE("\1", "\1", "\2") A_RR A_RR A_RR OPT), 0},
	{"fewer records than said", B(ONE("\2", "\0", "\0") A_RR), ERR_FORMAT},
	{"more records than said", B(ONE("\1", "\0", "\0") A_RR A_RR), ERR_FORMAT},
	{"record cut", B(ONE("\1", "\0", "\0") PTR "\0\1" TTL), ERR_FORMAT},
	{"RDATA cut", B(ONE("\1", "\0", "\0") PTR "\0\1" TTL "\0\4abc"), ERR_FORMAT},
	{"RDATA too long", B(ONE("\1", "\0", "\0") PTR "\0\1" TTL "\0\5abcde"),
	 ERR_FORMAT},
	{"no RDATA", B(ONE("\1", "\0", "\0") PTR "\0\x2e" TTL "\0\0"), ERR_FORMAT},
	{"RDATA borrows from the next record",
	 B(ONE("\2", "\0", "\0") PTR "\0\2" TTL "\0\1\1a\0" A_RR), ERR_FORMAT},
	{"unknown type", B(ONE("\1", "\0", "\0") PTR "\xff\0" TTL "\0\3abc"), 0},
	{"owner forward", B(ONE("\1", "\0", "\0") "\xc0\x1f\0\1" TTL "\0\4abcd"),
	 ERR_FORMAT},
	{"owner into the header", B(ONE("\1", "\0", "\0") "\xc0\x02\0\1" TTL "\0\4abcd"),
	 ERR_FORMAT},
	{"OPT", B(ONE("\0", "\0", "\1") OPT), 0},
	{"OPT twice", B(ONE("\0", "\0", "\2") OPT OPT), ERR_FORMAT},
	{"OPT in answer", B(ONE("\1", "\0", "\0") OPT), ERR_FORMAT},
	{"OPT in authority", B(ONE("\0", "\1", "\0") OPT), ERR_FORMAT},
	{"OPT with a name", B(ONE("\0", "\0", "\1") PTR "\0\x29\4\xd0\0\0\x80\0\0\0"),
	 ERR_FORMAT},
	{"OPT with a short option",
	 B(ONE("\0", "\0", "\1") "\0\0\x29\4\xd0\0\0\0\0\0\4\0\3\0\1"), ERR_FORMAT},
	{"TSIG", B(ONE("\0", "\0", "\1") "\0\0\xfa\0\xff\0\0\0\0\0\0"), ERR_REFUSED},
	{"TKEY", B(ONE("\1", "\0", "\0") PTR "\0\xf9" TTL "\0\0"), ERR_REFUSED},
	{"SIG(0)",
	 B(ONE("\0", "\0", "\1") "\0\0\x18\0\xff\0\0\0\0\0\x14"
				 "\0\0\x0d\0\0\0\0\0\0\0\0\2\0\0\0\1\x12\x34\0s"),
	 ERR_REFUSED},
	{"SIG of old zones",
	 B(ONE("\1", "\0", "\0") PTR
	   "\0\x18" TTL "\0\x14\0\1\x0d\2\0\0\0\0\0\0\0\2\0\0\0\1\x12\x34\0s"),
	 0},
	{"SIG without RDATA, then A",
	 B(ONE("\2", "\0", "\0") PTR "\0\x18" TTL "\0\0" A_RR), ERR_FORMAT},
};

static int guard(const uint8_t *bytes, size_t len, unsigned max)
{
	uint8_t *msg = malloc(len + !len); /* exact: a sanitizer sees a step outside */
	memcpy(msg, bytes, len);
	int err = guard_message(msg, len, max);
	free(msg);
	return err;
}

START_TEST(each_message)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		const struct message *m = &messages[i];
		int err = guard(m->msg, m->len, GUARD_RECORDS_UDP);
		ck_assert_msg(err == m->err, "%s: %d", m->what, err);
	}
}
END_TEST

/* A good message cut anywhere is none. */
START_TEST(every_cut)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		const struct message *m = &messages[i];
		for (size_t len = 0; m->err == ERR_OK && len < m->len; len++)
			ck_assert_msg(guard(m->msg, len, GUARD_RECORDS_UDP) == ERR_FORMAT,
				      "%s cut to %zu", m->what, len);
	}
}
END_TEST

enum { BIG = DNS_MESSAGE_MAX };

/* Ends a message: answer_n records were written. */
static size_t finish(struct wire_writer *w, unsigned answer_n)
{
	ck_assert_int_eq(w->err, ERR_OK);
	wire_set16(w->base + 6, answer_n);
	return wire_written(w);
}

static struct wire_writer begin(uint8_t *msg)
{
	struct wire_writer w = wire_writer(msg, BIG);
	wire_put(&w, ONE("\0", "\0", "\0"), sizeof ONE("\0", "\0", "\0") - 1);
	return w;
}

static void record(struct wire_writer *w, unsigned owner, unsigned type, const void *data,
		   unsigned len)
{
	wire_put16(w, 0xc000 | owner);
	wire_put16(w, type);
	wire_put16(w, DNS_IN);
	wire_put32(w, 60);
	wire_put16(w, len);
	wire_put(w, data, len);
}

START_TEST(records_are_limited)
{
	uint8_t *msg = malloc(BIG);
	for (unsigned n = GUARD_RECORDS_UDP; n <= GUARD_RECORDS_UDP + 1; n++) {
		struct wire_writer w = begin(msg);
		for (unsigned i = 0; i < n; i++)
			record(&w, 12, 65280, "", 0);
		size_t len = finish(&w, n);
		ck_assert_int_eq(guard(msg, len, GUARD_RECORDS_UDP),
				 n > GUARD_RECORDS_UDP ? ERR_REFUSED : ERR_OK);
		ck_assert_int_eq(guard(msg, len, GUARD_RECORDS_TCP), ERR_OK);
		wire_set16(msg + 6, 1); /* too many only together */
		wire_set16(msg + 8, 2);
		wire_set16(msg + 10, n - 3);
		ck_assert_int_eq(guard(msg, len, GUARD_RECORDS_UDP),
				 n > GUARD_RECORDS_UDP ? ERR_REFUSED : ERR_OK);
	}
	/* refused before any is looked for */
	ck_assert_int_eq(guard((const uint8_t *)"\0\0\x80\0\0\0\xff\xff\xff\xff\xff\xff",
			       12, GUARD_RECORDS_TCP),
			 ERR_REFUSED);
	free(msg);
}
END_TEST

/* What a real 64 KiB answer can look like passes: addresses of one long name, and
 * reverse names with 34 labels. */
START_TEST(large_honest_messages)
{
	uint8_t *msg = malloc(BIG);
	struct wire_writer w = begin(msg);
	unsigned n = 0;
	for (; n < 4000; n++)
		record(&w, 12, DNS_A, "abcd", 4);
	ck_assert_int_eq(guard(msg, finish(&w, n), GUARD_RECORDS_TCP), ERR_OK);

	w = begin(msg);
	unsigned owner = (unsigned)wire_written(&w);
	for (int i = 0; i < 34; i++)
		wire_put(&w, "\1a", 2);
	wire_put(&w, "\0\xff\0" TTL "\0\0", 11);
	for (n = 1; n < 2000; n++)
		record(&w, owner, DNS_PTR, "\6host12\xc0\x0c", 9);
	ck_assert_int_eq(guard(msg, finish(&w, n), GUARD_RECORDS_TCP), ERR_OK);
	free(msg);
}
END_TEST

/* Makes an owner of 127 labels; returns its place. */
static unsigned put_longest(struct wire_writer *w)
{
	unsigned at = (unsigned)wire_written(w);
	for (int i = 0; i < 127; i++)
		wire_put(w, "\1a", 2);
	wire_put(w, "\0\xff\0" TTL "\0\0", 11);
	return at;
}

START_TEST(a_udp_message_of_long_names)
{
	uint8_t *msg = malloc(BIG);
	struct wire_writer w = begin(msg);
	unsigned owner = put_longest(&w), n = 1;
	for (; wire_written(&w) + 16 <= DNS_UDP_MAX; n++)
		record(&w, owner, DNS_A, "abcd", 4);
	ck_assert_int_eq(guard(msg, finish(&w, n), GUARD_RECORDS_UDP), ERR_OK);
	free(msg);
}
END_TEST

/* The builders of hostile messages fill 64 KiB. */
static size_t names_of(uint8_t *msg, bool in_owner)
{
	struct wire_writer w = begin(msg);
	unsigned owner = put_longest(&w), n = 1;
	for (; n < GUARD_RECORDS_TCP - 1 && wire_written(&w) + 16 <= BIG; n++) {
		uint8_t data[4];
		wire_set16(data, 0xc000 | owner);
		wire_set16(data + 2, 0xc000 | owner);
		record(&w, in_owner ? owner : 12, DNS_MINFO, data, 4);
	}
	return finish(&w, n);
}

static size_t long_owners(uint8_t *msg)
{
	return names_of(msg, true);
}

static size_t long_targets(uint8_t *msg)
{
	return names_of(msg, false);
}

/* One chain of pointers as long as an offset can reach, used by all records. */
static size_t long_chain(uint8_t *msg, unsigned links)
{
	struct wire_writer w = begin(msg);
	unsigned at = (unsigned)wire_written(&w) + 12, before = 12, n = 1;
	wire_put(&w, PTR "\xff\0" TTL, 10);
	wire_put16(&w, 2 * links);
	for (unsigned i = 0; i < links; i++) {
		wire_put16(&w, 0xc000 | before);
		before = at + 2 * i;
	}
	for (; n < GUARD_RECORDS_TCP && wire_written(&w) + 12 <= BIG; n++)
		record(&w, before, 65280, "", 0);
	return finish(&w, n);
}

static size_t chain_8150(uint8_t *msg)
{
	return long_chain(msg, 8150);
}

static size_t chain_legal(uint8_t *msg)
{
	return long_chain(msg, WIRE_HOPS_MAX - 1);
}

static size_t options(uint8_t *msg)
{
	struct wire_writer w = begin(msg);
	wire_put(&w, "\0\0\x29\4\xd0\0\0\0\0", 9);
	wire_put16(&w, 4 * 16000);
	memset(wire_room(&w, 4 * 16000), 0, 4 * 16000);
	wire_set16(msg + 10, 1);
	return finish(&w, 0);
}

static size_t strings(uint8_t *msg)
{
	struct wire_writer w = begin(msg);
	uint8_t zeros[GUARD_STRINGS] = {0};
	unsigned n = 0;
	for (; wire_written(&w) + 12 + sizeof zeros <= BIG; n++)
		record(&w, 12, DNS_TXT, zeros, sizeof zeros);
	return finish(&w, n);
}

static size_t addresses(uint8_t *msg)
{
	struct wire_writer w = begin(msg);
	unsigned n = 0;
	for (; n < GUARD_RECORDS_TCP && wire_written(&w) + 16 <= BIG; n++)
		record(&w, 12, DNS_A, "abcd", 4);
	return finish(&w, n);
}

/* What is done with each record of a guarded message. Check's assertions would cost more
 * than the reading, so they stay outside. */
static bool read_all(const uint8_t *msg, size_t len)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct wire_walk w;
	struct wire_rr rr;
	uint16_t type, class;
	bool good = wire_walk_start(&w, msg, len, out, &type, &class);
	while (wire_walk_next(&w, &rr))
		good &= rdata_expand(out, sizeof out, msg, len, rr.rdata, rr.rdlength,
				     rr.type) >= 0;
	return good && !w.r.err;
}

/* SECURITY.md 1B rows 27, 28 and 30: a hostile message costs at most 1 ms. */
START_TEST(hostile_messages_are_cheap)
{
	static const struct {
		const char *what;
		size_t (*make)(uint8_t *);
		int err;
		double guard_ms, read_ms;
	} row[] = {
		{"127-label owners", long_owners, ERR_REFUSED, 1, 0},
		{"127-label names in RDATA", long_targets, ERR_REFUSED, 1, 0},
		{"8150-link chain", chain_8150, ERR_FORMAT, 1, 0},
		{"16-link chains", chain_legal, ERR_REFUSED, 1, 0},
		{"16000 options", options, ERR_REFUSED, 0.2, 0},
		{"empty strings", strings, ERR_OK, 1, 1},
		{"4000 addresses", addresses, ERR_OK, 1, 1},
	};
	uint8_t *msg = malloc(BIG);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		size_t len = row[i].make(msg);
		double guard_best = 1e9, read_best = 1e9;
		for (int k = 0; k < 10; k++) {
			double t0 = unit_cpu_ms();
			int err = guard_message(msg, len, GUARD_RECORDS_TCP);
			double t1 = unit_cpu_ms();
			ck_assert_msg(err == row[i].err, "%s: %d", row[i].what, err);
			bool read = err || read_all(msg, len);
			double t2 = unit_cpu_ms();
			ck_assert(read);
			guard_best = t1 - t0 < guard_best ? t1 - t0 : guard_best;
			read_best = t2 - t1 < read_best ? t2 - t1 : read_best;
		}
		ck_assert_msg(guard_best <= row[i].guard_ms * UNIT_SLOWER,
			      "%s: guard %.3f ms", row[i].what, guard_best);
		ck_assert_msg(row[i].err || read_best <= row[i].read_ms * UNIT_SLOWER,
			      "%s: reading %.3f ms", row[i].what, read_best);
	}
	free(msg);
}
END_TEST

START_TEST(walk)
{
	static const uint8_t msg[] =
		ONE("\1", "\1", "\3") "\3WWW" PTR "\0\1\0\1\x80\0\0\0\0\4abcd" /* TTL */
		PTR "\0\2\0\3\x7f\xff\xff\xff\0\5\2NS" PTR A_RR		       /* class */
				      "\0\0\x29\4\xd0\x81\0\x80\0\0\0" PTR "\xff\0" TTL
				      "\0\0";
	static const struct {
		const char *owner;
		enum wire_section section;
		uint16_t type, class;
		uint32_t ttl;
		uint16_t rdlength;
	} want[] = {
		{"www.example.com", WIRE_ANSWER, DNS_A, DNS_IN, 0, 4},
		{"example.com", WIRE_AUTHORITY, DNS_NS, DNS_CH, 0x7fffffff, 5},
		{"example.com", WIRE_ADDITIONAL, DNS_A, DNS_IN, 60, 4},
		{".", WIRE_ADDITIONAL, DNS_OPT, 1232, 0x81008000, 0},
		{"example.com", WIRE_ADDITIONAL, 65280, DNS_IN, 60, 0},
	};
	struct wire_walk w;
	struct wire_rr rr;
	uint8_t qname[DNS_NAME_MAX];
	uint16_t type, class;
	char text[DNS_NAME_TEXT_MAX];
	ck_assert_int_eq(guard(msg, sizeof msg - 1, GUARD_RECORDS_UDP), ERR_OK);
	ck_assert(wire_walk_start(&w, msg, sizeof msg - 1, qname, &type, &class));
	ck_assert_str_eq(name_to_text(text, qname), "example.com");
	ck_assert(type == DNS_A && class == DNS_IN);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		ck_assert(wire_walk_next(&w, &rr));
		ck_assert_str_eq(name_to_text(text, rr.owner), want[i].owner);
		ck_assert_int_eq(rr.section, want[i].section);
		ck_assert_uint_eq(rr.type, want[i].type);
		ck_assert_uint_eq(rr.class, want[i].class);
		ck_assert_uint_eq(rr.ttl, want[i].ttl);
		ck_assert_uint_eq(rr.rdlength, want[i].rdlength);
	}
	ck_assert(!wire_walk_next(&w, &rr));
	ck_assert(!wire_walk_next(&w, &rr));
	ck_assert_uint_eq(wire_left(&w.r), 0);
}
END_TEST

START_TEST(walk_without_question)
{
	static const uint8_t msg[] = HEAD("\0", "\1", "\0", "\0") "\0\0\1" TTL "\0\4abcd";
	struct wire_walk w;
	struct wire_rr rr;
	uint8_t qname[DNS_NAME_MAX] = {1};
	uint16_t type = 9, class = 9;
	ck_assert(!wire_walk_start(&w, msg, sizeof msg - 1, qname, &type, &class));
	ck_assert(qname[0] == 0 && type == 0 && class == 0);
	ck_assert(wire_walk_next(&w, &rr)); /* the records are still there */
	ck_assert_mem_eq(rr.rdata, "abcd", 4);
	ck_assert(!wire_walk_next(&w, &rr));
}
END_TEST

UNIT_SUITE("wire_guard", each_message, every_cut, records_are_limited,
	   large_honest_messages, a_udp_message_of_long_names, hostile_messages_are_cheap,
	   walk, walk_without_question)
