/* reply.c: bytes as the answers to a question's packets, in each of its states.
 * Input: a byte for the question's type, one of options, then for each answer a 16-bit
 * length and its bytes. With option bit 0 the ID and the question are made right, so
 * that the rest is read. Sub-questions get the first answer as their address. */
#include <stdlib.h>

#include "resolver/resolve.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
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
	ANSWERS_MAX = 64
};

static struct resolve_env env;
static struct conf conf;
static struct policy policy;
static struct root_hints hints;

static void no_random(void *arg, void *out, size_t n)
{
	(void)arg;
	memset(out, 0xa5, n);
}

static void open_world(void)
{
	const struct rrset_cache_conf cache = {1 << 20, 0, 86400};
	root_hints_builtin(&hints);
	conf.recursion.port = DNS_PORT;
	conf.recursion.ipv4 = conf.recursion.ipv6 = true;
	env = (struct resolve_env){
		.policy = &policy, .hints = &hints, .conf = &conf, .random = no_random};
	if (rrset_cache_open(&env.cache, &cache) || server_table_open(&env.servers))
		abort();
}

/* The next answer of the input, made to fit the question sent. */
static struct event next_answer(struct wire_reader *in, uint8_t options,
				const struct step *s, uint8_t msg[DNS_MESSAGE_MAX])
{
	size_t len = wire_u16(in);
	len = len < wire_left(in) ? len : wire_left(in);
	const uint8_t *bytes = wire_take(in, len);
	struct event ev = {.kind = EVENT_REPLY, .id = s->id, .bytes = msg, .len = len};
	size_t question = name_len(s->send.qname) + 4;
	if (len == 0) {
		ev.kind = EVENT_TIMEOUT;
		ev.why = options & OPTION_TIMEOUTS ? SEND_TIMED_OUT : SEND_UNREACHABLE;
		return ev;
	}
	if (!(options & OPTION_FIT) || len < DNS_HEADER_LEN ||
	    len + question > DNS_MESSAGE_MAX) {
		memcpy(msg, bytes, len);
		return ev;
	}
	/* header from the input, question from the packet, then the rest of the input */
	memcpy(msg, bytes, DNS_HEADER_LEN);
	memcpy(msg, s->send.bytes, 2);
	msg[2] |= 0x80;
	msg[4] = 0;
	msg[5] = 1;
	memcpy(msg + DNS_HEADER_LEN, s->send.bytes + DNS_HEADER_LEN, question);
	memcpy(msg + DNS_HEADER_LEN + question, bytes + DNS_HEADER_LEN,
	       len - DNS_HEADER_LEN);
	ev.len += question;
	return ev;
}

/* What every caller relies on. */
static void check_reply(const struct reply *r)
{
	uint32_t sum = 0;
	if (r->answer_n < 0 || r->answer_n > REPLY_ANSWER_MAX)
		abort();
	for (int i = 0; i < r->answer_n; i++) {
		const struct rrset *s = r->answer[i];
		const uint8_t *rdata;
		uint16_t len;
		uint32_t at = 0, n = 0;
		for (; rrset_next(s, &at, &rdata, &len); n++)
			for (int k = 0; k < len; k++)
				sum += rdata[k];
		if (n != s->rr_n || at != s->data_len ||
		    name_len(s->owner) > DNS_NAME_MAX)
			abort();
	}
	if (r->negative && r->negative->rr_n != 1)
		abort();
	if (sum == 0xffffffff)
		env.now_ms++; /* all data was read */
}

static void check_step(const struct step *s, uint32_t *last_id)
{
	if (s->kind == STEP_CANCEL)
		return;
	if (s->kind == STEP_DONE)
		check_reply(s->reply);
	else if (s->id <= *last_id)
		abort();
	else
		*last_id = s->id;
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {DNS_A,	 DNS_AAAA, DNS_CNAME, DNS_MX,  DNS_TXT,
					 DNS_NS, DNS_DS,   DNS_ANY,   DNS_SOA, DNS_RRSIG};
	static uint8_t msg[DNS_MESSAGE_MAX];
	static const struct reply none = {.rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE};
	struct wire_reader in = wire_reader(data, size);
	struct question q = {.subject.class = POLICY_NONE};
	struct arena arena;
	struct steps steps;
	struct event ev = {.kind = EVENT_START};
	uint32_t last_id = 0;
	if (!env.cache)
		open_world();
	rrset_cache_flush(env.cache, NULL, true);
	env.now_ms += 1000000; /* what was known of servers is forgotten */
	env.now_s += 10;
	struct budget b = {BUDGET_SENDS, BUDGET_BYTES, env.now_ms + BUDGET_MS,
			   BUDGET_DEPTH};
	q.qtype = types[wire_u8(&in) % (sizeof types / sizeof *types)];
	uint8_t options = wire_u8(&in);
	set_options(options);
	if (name_from_str(q.qname, "a.b.c.www.example.com"))
		abort();
	arena_init(&arena, 16384, 1 << 20);
	struct resolve *r = resolve_open(&arena, &q, &b);
	for (int n = 0; r && n < ANSWERS_MAX; n++) {
		const struct step *send = NULL, *sub = NULL;
		resolve_step(r, &steps, &ev, &env);
		bool done = false;
		for (int i = 0; i < steps.n; i++) {
			const struct step *s = &steps.step[i];
			check_step(s, &last_id);
			done |= s->kind == STEP_DONE;
			send = s->kind == STEP_SEND ? s : send;
			sub = s->kind == STEP_SUB ? s : sub;
		}
		if (done || (!send && !sub && ev.kind != EVENT_REPLY))
			break;
		if (send)
			ev = next_answer(&in, options, send, msg);
		else if (sub)
			ev = (struct event){EVENT_SUB_DONE, sub->id,   0, NULL, 0,
					    &none,	    sub->share};
		else if (!wire_left(&in))
			break;
	}
	arena_fini(&arena);
	return 0;
}
