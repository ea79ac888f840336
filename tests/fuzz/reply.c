/* reply.c: bytes as the answers to a question's packets, in each of its states.
 * Input: a byte of options, then up to QUESTIONS_MAX questions to one cache, each a byte
 * for its name and type and then its answers: a 16-bit length and as many bytes. The top
 * two bits of a length say which open exchange it is for; length 0 is silence. With
 * OPTION_FIT the ID and the question are made right, so that the rest is read. What a
 * question ends with is written as its client would get it. */
#include <stdlib.h>

#include "resolver/answer.h"
#include "resolver/rdata.h"
#include "resolver/resolve.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "resolver/wire_guard.h"
#include "zones/root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OPTION_FIT = 1,
	OPTION_CASE = 2,
	OPTION_TIMEOUTS = 4,
	OPTION_QMIN = 8,
	OPTION_STRICT = 16,
	OPTION_FORWARD = 32,
	OPTION_PRIME = 64,
	OPTION_SUBS = 128, /* sub-questions get an address */
	QUESTIONS_MAX = 3,
	EVENTS_MAX = 128, /* per question: all its packets and some junk */
	OPEN_MAX = 16,
};

static struct resolve_env env;
static struct conf conf;
static struct policy policy;
static struct root_hints hints;

/* What waits for an event: sends and sub-questions. */
struct open {
	struct step step[OPEN_MAX];
	unsigned n;
	uint32_t last_id;
	int sends; /* so far */
	bool done;
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void no_random(void *arg, void *out, size_t n)
{
	(void)arg;
	memset(out, 0xa5, n);
}

/* Two root servers: more of them cost time and tell nothing new. */
static void open_world(void)
{
	const struct rrset_cache_conf cache = {1 << 20, 0, 86400, 0};
	root_hints_builtin(&hints);
	hints.server_n = 2;
	conf.recursion.port = DNS_PORT;
	conf.recursion.ipv4 = conf.recursion.ipv6 = true;
	conf.cache.max_ttl_s = cache.max_ttl_s;
	env = (struct resolve_env){
		.policy = &policy, .hints = &hints, .conf = &conf, .random = no_random};
	if (rrset_cache_open(&env.cache, &cache) || server_table_open(&env.servers))
		abort();
}

static void set_options(uint8_t options)
{
	static struct conf_zone root = {.servers_n = 2};
	for (uint8_t i = 0; i < 2; i++)
		root.servers[i] = addr_v4((const uint8_t[4]){192, 0, 2, i}, DNS_PORT);
	conf.recursion.case_randomisation = options & OPTION_CASE;
	conf.recursion.qname_minimisation = options & OPTION_STRICT ? CONF_QMIN_STRICT
					    : options & OPTION_QMIN ? CONF_QMIN_RELAXED
								    : CONF_QMIN_OFF;
	conf.recursion.forward = &root;
	conf.recursion.forward_n = options & OPTION_FORWARD ? 1 : 0;
	env.prime = options & OPTION_PRIME;
}

static struct question next_question(struct wire_reader *in)
{
	static const uint16_t types[] = {DNS_A,	 DNS_AAAA, DNS_CNAME, DNS_MX,  DNS_TXT,
					 DNS_NS, DNS_DS,   DNS_ANY,   DNS_SOA, DNS_RRSIG};
	static const char *names[] = {"a.b.c.www.example.com", "www.example.com",
				      "example.com", "."};
	enum {
		TYPES = sizeof types / sizeof *types,
		NAMES = sizeof names / sizeof *names
	};
	struct question q = {.subject.class = POLICY_NONE};
	uint8_t which = wire_u8(in);
	q.qtype = types[which % TYPES];
	must(name_from_str(q.qname, names[which / TYPES % NAMES]) == ERR_OK);
	return q;
}

/* The answer of the input, with OPTION_FIT made to fit the question sent. */
static size_t fit(uint8_t msg[DNS_MESSAGE_MAX], const uint8_t *bytes, size_t len,
		  const struct step_send *send, uint8_t options)
{
	size_t question = name_len(send->qname) + 4;
	if (!(options & OPTION_FIT) || len < DNS_HEADER_LEN ||
	    len + question > DNS_MESSAGE_MAX) {
		memcpy(msg, bytes, len);
		return len;
	}
	memcpy(msg, bytes, DNS_HEADER_LEN);
	memcpy(msg, send->bytes, 2);
	msg[2] |= 0x80;
	msg[4] = 0;
	msg[5] = 1;
	memcpy(msg + DNS_HEADER_LEN, send->bytes + DNS_HEADER_LEN, question);
	memcpy(msg + DNS_HEADER_LEN + question, bytes + DNS_HEADER_LEN,
	       len - DNS_HEADER_LEN);
	return len + question;
}

static struct event sub_event(const struct step *s, uint8_t options)
{
	static const uint8_t data[6] = {0, 4, 192, 0, 2, 53};
	static const struct rrset address = {.owner = (const uint8_t *)"",
					     .type = DNS_A,
					     .rank = RANK_AUTH_ANSWER,
					     .rr_n = 1,
					     .ttl = 300,
					     .data = data,
					     .data_len = sizeof data};
	static const struct reply none = {.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE};
	static const struct reply good = {
		.ede = DNS_EDE_NONE, .answer = {&address}, .answer_n = 1};
	return (struct event){.kind = EVENT_SUB_DONE,
			      .id = s->id,
			      .left = s->share,
			      .reply = options & OPTION_SUBS ? &good : &none};
}

/* What happens next to one of the open exchanges. */
static struct event next_event(struct open *o, struct wire_reader *in, uint8_t options,
			       uint8_t msg[DNS_MESSAGE_MAX])
{
	unsigned head = wire_u16(in), at = o->n - 1 - (head >> 14) % o->n;
	const struct step s = o->step[at];
	size_t len = head & 0x3fff;
	len = len < wire_left(in) ? len : wire_left(in);
	if (s.kind == STEP_SEND && len) {
		const uint8_t *bytes = wire_take(in, len);
		len = fit(msg, bytes, len, &s.send, options);
		return (struct event){
			.kind = EVENT_REPLY, .id = s.id, .bytes = msg, .len = len};
	}
	o->step[at] = o->step[--o->n];
	if (s.kind == STEP_SUB)
		return sub_event(&s, options);
	return (struct event){.kind = EVENT_TIMEOUT,
			      .id = s.id,
			      .why = options & OPTION_TIMEOUTS ? SEND_TIMED_OUT
							       : SEND_UNREACHABLE};
}

static void write_answer(const struct reply *r, const struct question *question)
{
	static uint8_t body_bytes[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	static uint16_t ttl_at[ANSWER_TTLS_MAX];
	struct query q = {.qtype = question->qtype,
			  .qclass = DNS_IN,
			  .dnssec_ok = question->qtype != DNS_A,
			  .qname_len = (uint8_t)name_len(question->qname),
			  .qname_raw = question->qname,
			  .edns = true,
			  .room = DNS_UDP_MAX};
	struct answer_body body;
	name_copy(q.qname, question->qname);
	if (answer_body(&body, body_bytes, sizeof body_bytes, ttl_at, q.qname, q.qtype, r,
			answer_form(&q, true)))
		return;
	size_t len = answer_finish(out, q.room, &q, &body, 1);
	must(len <= q.room && guard_message(out, len, GUARD_RECORDS_UDP) == ERR_OK);
	len = answer_finish(out, sizeof out, &q, &body, 1);
	must(guard_message(out, len, GUARD_RECORDS_TCP) == ERR_OK);
}

/* data is n records of that type, to its last byte. */
static void check_records(const uint8_t *data, uint32_t data_len, unsigned n,
			  unsigned type)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	for (; rdata_next(data, data_len, &at, &rdata, &len); n--) {
		struct wire_reader in = wire_reader(rdata, len);
		must(n && rdata_check(&in, type, len) == ERR_OK);
	}
	must(n == 0 && at == data_len);
}

static void check_rrset(const struct rrset *s)
{
	must(name_len(s->owner) <= DNS_NAME_MAX && s->ttl <= DNS_TTL_MAX);
	check_records(s->data, s->data_len, s->rr_n,
		      s->kind == RRSET_DATA ? s->type : DNS_SOA);
	check_records(s->sigs, s->sigs_len, s->sig_n, DNS_RRSIG);
	for (int i = 0; i < s->proof_n; i++)
		check_rrset(s->proof[i]);
}

/* What every caller relies on. */
static void check_reply(const struct reply *r)
{
	must(r->answer_n >= 0 && r->answer_n <= REPLY_ANSWER_MAX);
	for (int i = 0; i < r->answer_n; i++)
		check_rrset(r->answer[i]);
	if (r->negative)
		check_rrset(r->negative);
}

static void take_step(struct open *o, const struct step *s, const struct question *q)
{
	if (s->kind == STEP_CANCEL) {
		for (unsigned i = 0; i < o->n; i++)
			if (o->step[i].id == s->id)
				o->step[i] = o->step[--o->n];
		return;
	}
	if (s->kind == STEP_DONE) {
		check_reply(s->reply);
		write_answer(s->reply, q);
		o->done = true;
		return;
	}
	must(s->id > o->last_id && o->n < OPEN_MAX);
	o->last_id = s->id;
	o->step[o->n++] = *s;
	o->sends += s->kind == STEP_SEND;
	must(o->sends <= BUDGET_SENDS);
}

static void ask(const struct question *q, struct wire_reader *in, uint8_t options)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, env.now_ms + BUDGET_MS,
			   BUDGET_DEPTH};
	struct event ev = {.kind = EVENT_START};
	struct open o = {.n = 0};
	struct arena arena;
	struct steps steps;
	arena_init(&arena, 16384, 1 << 20);
	struct resolve *r = resolve_open(&arena, q, &b);
	for (int n = 0; r && n < EVENTS_MAX; n++) {
		resolve_step(r, &steps, &ev, &env);
		for (int i = 0; i < steps.n; i++)
			take_step(&o, &steps.step[i], q);
		if (o.done || !o.n || !wire_left(in))
			break;
		ev = next_event(&o, in, options, msg);
		env.now_ms += 10;
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader in = wire_reader(data, size);
	if (!env.cache)
		open_world();
	rrset_cache_flush(env.cache, NULL, true);
	env.now_ms += 1000000; /* what was known of servers is forgotten */
	uint8_t options = wire_u8(&in);
	set_options(options);
	for (int n = 0; n < QUESTIONS_MAX && wire_left(&in); n++) {
		struct question q = next_question(&in);
		env.now_s += 10;
		ask(&q, &in, options);
	}
	return 0;
}
