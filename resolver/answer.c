#include "resolver/answer.h"

#include <string.h>

#include "resolver/rdata.h"

enum {
	SECTIONS = 4,
	POINTERS_MAX = 64,	/* names that later ones may point at */
	POINTER_LIMIT = 0x3fff, /* RFC 1035 4.1.4: 14 bits */
	COUNTS_AT = 4,		/* of the four counts in the header */
	SOA_NUMBERS = 20,	/* serial, refresh, retry, expire, minimum */
	SOA_REFRESH_S = 3600,
	SOA_RETRY_S = 1200,
	SOA_EXPIRE_S = 604800,
};

/* mname localhost., rname nobody.invalid.: RFC 6303 3 and 6761 6.4 */
static const uint8_t soa_names[] = "\x09localhost\x00\x06nobody\x07invalid";

struct writer {
	struct wire_writer w;
	uint16_t count[SECTIONS];
	uint16_t *ttl_at; /* NULL = positions are not wanted */
	int ttl_n;	  /* -1: more than ANSWER_TTLS_MAX */
	uint16_t name_at[POINTERS_MAX];
	int names, tries;
	const uint8_t *qname; /* the question's: most owners are this very pointer */
};

/* The name at offset at in the message, itself perhaps compressed, equals name. */
static bool same_name(const struct writer *a, unsigned at, const uint8_t *name)
{
	const uint8_t *p = a->w.base + at;
	for (;;) {
		while ((*p & 0xc0) == 0xc0)
			p = a->w.base + (wire_get16(p) & POINTER_LIMIT);
		if (*p != *name)
			return false;
		if (!*p)
			return true;
		for (unsigned i = 1; i <= *p; i++)
			if (name_lower_byte(p[i]) != name_lower_byte(name[i]))
				return false;
		p += *p + 1;
		name += *name + 1;
	}
}

/* Where name stands already, or 0. */
static unsigned find_name(struct writer *a, const uint8_t *name)
{
	if (a->tries >= ANSWER_COMPRESS_TRIES)
		return 0;
	a->tries++;
	for (int i = 0; i < a->names; i++)
		if (same_name(a, a->name_at[i], name))
			return a->name_at[i];
	return 0;
}

static void put_name(struct writer *a, const uint8_t *name)
{
	if (name == a->qname && *name) {
		wire_put16(&a->w, 0xc000 | DNS_HEADER_LEN);
		return;
	}
	int known = a->names;
	for (; *name; name = name_parent(name)) {
		unsigned at = find_name(a, name);
		if (at) {
			wire_put16(&a->w, 0xc000 | at);
			break;
		}
		size_t here = wire_written(&a->w);
		if (known < POINTERS_MAX && here <= POINTER_LIMIT)
			a->name_at[known++] = (uint16_t)here;
		wire_put(&a->w, name, *name + 1U);
	}
	if (!*name)
		wire_put8(&a->w, 0);
	a->names = a->w.err ? a->names : known;
}

static void start(struct writer *a, uint8_t *out, size_t room, uint16_t id,
		  unsigned flags)
{
	*a = (struct writer){.w = wire_writer(out, room)};
	wire_put_header(&a->w, id, flags, a->count);
}

/* Its name stands first: there is nothing to compress it with. */
static void put_question(struct writer *a, const uint8_t *name, unsigned type,
			 unsigned class)
{
	unsigned at = DNS_HEADER_LEN;
	wire_put(&a->w, name, name_len(name));
	wire_put16(&a->w, type);
	wire_put16(&a->w, class);
	a->count[0] = 1;
	a->qname = name;
	for (; *name && a->names < POINTERS_MAX && !a->w.err; name = name_parent(name)) {
		a->name_at[a->names++] = (uint16_t)at;
		at += *name + 1U;
	}
}

/* Owner, type, class, TTL; the RDATA and its length are the caller's. */
static void put_owner(struct writer *a, int section, const uint8_t *owner, unsigned type,
		      uint32_t ttl)
{
	put_name(a, owner);
	wire_put16(&a->w, type);
	wire_put16(&a->w, DNS_IN);
	if (a->ttl_at && a->ttl_n >= 0) {
		if (a->ttl_n == ANSWER_TTLS_MAX)
			a->ttl_n = -1;
		else
			a->ttl_at[a->ttl_n++] = (uint16_t)wire_written(&a->w);
	}
	wire_put32(&a->w, ttl);
	a->count[section]++;
}

/* RDATA with its length; names that may be compressed are. */
static void put_rdata(struct writer *a, unsigned type, const uint8_t *rdata, uint16_t len)
{
	uint16_t name_at[2];
	int names = rdata_names(name_at, 2, rdata, len, type);
	uint8_t *length = wire_room(&a->w, 2);
	unsigned done = 0;
	for (int i = 0; i < names; i++) {
		wire_put(&a->w, rdata + done, name_at[i] - done);
		put_name(a, rdata + name_at[i]);
		done = name_at[i] + (unsigned)name_len(rdata + name_at[i]);
	}
	wire_put(&a->w, rdata + done, len - done);
	if (!a->w.err)
		wire_set16(length, (unsigned)(a->w.at - length - 2));
}

static void put_record(struct writer *a, int section, const uint8_t *owner, unsigned type,
		       uint32_t ttl, const uint8_t *rdata, uint16_t len)
{
	put_owner(a, section, owner, type, ttl);
	put_rdata(a, type, rdata, len);
}

static void put_rrset(struct writer *a, int section, const uint8_t *owner, unsigned type,
		      const struct rrset *s)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	for (int i = 0; i < s->rr_n && rrset_next(s, &at, &rdata, &len); i++)
		put_record(a, section, owner, type, s->ttl, rdata, len);
}

static void put_signed(struct writer *a, int section, const uint8_t *owner, unsigned type,
		       const struct rrset *s)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	put_rrset(a, section, owner, type, s);
	while (rrset_next_sig(s, &at, &rdata, &len))
		put_record(a, section, owner, DNS_RRSIG, s->ttl, rdata, len);
}

/* The proofs of several parts of a chain may be the same ones. */
static bool was_put(const struct rrset *const *before, int n, const struct rrset *p)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < before[i]->proof_n; k++)
			if (before[i]->proof[k]->type == p->type &&
			    name_equal(before[i]->proof[k]->owner, p->owner))
				return true;
	return false;
}

static void put_proofs(struct writer *a, const struct rrset *const *set, int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < set[i]->proof_n; k++) {
			const struct rrset *p = set[i]->proof[k];
			if (!was_put(set, i, p))
				put_signed(a, 2, p->owner, p->type, p);
		}
}

static void put_soa(struct writer *a, const uint8_t *owner, uint32_t serial, uint32_t ttl)
{
	put_owner(a, 2, owner, DNS_SOA, ttl);
	wire_put16(&a->w, sizeof soa_names + SOA_NUMBERS);
	wire_put(&a->w, soa_names, sizeof soa_names);
	wire_put32(&a->w, serial);
	wire_put32(&a->w, SOA_REFRESH_S);
	wire_put32(&a->w, SOA_RETRY_S);
	wire_put32(&a->w, SOA_EXPIRE_S);
	wire_put32(&a->w, ttl);
}

static void put_counts(struct writer *a)
{
	for (int i = 0; i < SECTIONS; i++)
		wire_set16(a->w.base + COUNTS_AT + 2 * i, a->count[i]);
}

/* Flags of every answer: what the client's own are worth is copied, RFC 1035 4.1.1. */
static unsigned answer_flags(const struct query *q, unsigned rcode)
{
	return DNS_QR | DNS_RA | (q->flags & (DNS_OPCODE_MASK | DNS_RD | DNS_CD)) |
	       (rcode & DNS_RCODE_MASK);
}

/* An Extended DNS Error, RFC 8914. */
struct ede {
	int code; /* enum dns_ede */
	uint8_t len;
	const char *text;
};

static const struct ede no_ede = {.code = DNS_EDE_NONE};

static uint8_t text_len(const char *text)
{
	return (uint8_t)(text ? strnlen(text, ANSWER_EDE_TEXT_MAX) : 0);
}

static struct ede ede_of(const struct answer_body *b)
{
	return (struct ede){b->ede, b->text_len, b->text};
}

static size_t opt_len(const struct query *q, const struct ede *ede)
{
	if (!q->edns)
		return 0;
	return DNS_OPT_LEN + (ede->code == DNS_EDE_NONE ? 0 : 6U + ede->len) +
	       (q->nsid ? 4 + strlen(q->nsid) : 0);
}

static void put_opt(struct wire_writer *w, const struct query *q, unsigned rcode,
		    const struct ede *ede)
{
	uint8_t *p = wire_room(w, DNS_OPT_LEN);
	if (!p)
		return;
	p[0] = 0;
	wire_set16(p + 1, DNS_OPT);
	wire_set16(p + 3, DNS_UDP_MAX);
	wire_set32(p + 5,
		   (uint32_t)(rcode >> 4) << 24 | (q->dnssec_ok ? DNS_EDNS_DO : 0));
	wire_set16(p + 9, (unsigned)(opt_len(q, ede) - DNS_OPT_LEN));
	if (q->nsid) {
		wire_put16(w, DNS_OPTION_NSID);
		wire_put16(w, (unsigned)strlen(q->nsid));
		wire_put(w, q->nsid, strlen(q->nsid));
	}
	if (ede->code == DNS_EDE_NONE)
		return;
	wire_put16(w, DNS_OPTION_EDE);
	wire_put16(w, 2U + ede->len);
	wire_put16(w, (unsigned)ede->code);
	wire_put(w, ede->text, ede->len);
}

/* Closes an answer that was written straight into its send buffer: counts and OPT, or the
 * empty answer with TC when it did not fit. */
static size_t finish(struct writer *a, const struct query *q, unsigned rcode,
		     const struct ede *ede)
{
	if (!a->w.err && q->edns) {
		put_opt(&a->w, q, rcode, ede);
		a->count[3]++;
	}
	if (a->w.err) {
		size_t room = (size_t)(a->w.end - a->w.base);
		start(a, a->w.base, room, q->id, answer_flags(q, rcode) | DNS_TC);
		put_question(a, q->qname_raw, q->qtype, q->qclass);
		if (q->edns) {
			put_opt(&a->w, q, rcode, &no_ede);
			a->count[3]++;
		}
	}
	put_counts(a);
	return wire_written(&a->w);
}

/* A DNAME may make several names of a chain: it is told once. */
static bool is_repeated(const struct rrset *const *set, int at)
{
	for (int i = 0; set[at]->type == DNS_DNAME && i < at; i++)
		if (set[i]->type == DNS_DNAME &&
		    name_equal(set[i]->owner, set[at]->owner))
			return true;
	return false;
}

static size_t weight(const struct rrset *s, struct answer_form form)
{
	return s->data_len + (form.dnssec ? s->sigs_len : 0);
}

/* What of the reply is told; returns how many. What a DNAME makes of qname is one answer.
 */
static int choose(const struct rrset *set[], const struct reply *reply,
		  const uint8_t *qname, struct answer_form form)
{
	int n = reply->answer_n;
	memcpy(set, reply->answer, (size_t)n * sizeof *set);
	if (!form.one || n == 0 || !name_equal(set[0]->owner, qname))
		return n;
	for (int i = 1; i < n; i++)
		if (weight(set[i], form) < weight(set[0], form))
			set[0] = set[i];
	return 1;
}

int answer_body(struct answer_body *out, uint8_t *buf, size_t room, uint16_t *ttl_at,
		const uint8_t *qname, uint16_t qtype, const struct reply *reply,
		struct answer_form form)
{
	void (*put)(struct writer *, int, const uint8_t *, unsigned,
		    const struct rrset *) = form.dnssec ? put_signed : put_rrset;
	const struct rrset *set[REPLY_ANSWER_MAX + 1];
	int n = choose(set, reply, qname, form);
	struct writer a;
	start(&a, buf, room, 0, DNS_QR | DNS_RA | (reply->rcode & DNS_RCODE_MASK));
	a.ttl_at = ttl_at;
	put_question(&a, qname, qtype, DNS_IN);
	for (int i = 0; i < n; i++)
		if (!is_repeated(set, i))
			put(&a, 1, set[i]->owner, set[i]->type, set[i]);
	if (reply->negative) {
		set[n++] = reply->negative;
		if (reply->negative->soa_owner)
			put(&a, 2, reply->negative->soa_owner, DNS_SOA, reply->negative);
	}
	if (form.dnssec)
		put_proofs(&a, set, n);
	put_counts(&a);
	*out = (struct answer_body){
		.wire = buf,
		.ttl_at = ttl_at,
		.text = reply->ede_text,
		.len = (uint16_t)wire_written(&a.w),
		.ttl_n = (uint16_t)(a.ttl_n < 0 ? 0 : a.ttl_n),
		.ede = reply->ede,
		.text_len = text_len(reply->ede_text),
		.countable = a.ttl_n >= 0,
		.secure = reply->security == SECURITY_SECURE,
	};
	return a.w.err;
}

/* The answer of a body that is too long for this client. */
static size_t truncated(uint8_t *out, size_t room, const struct query *q, unsigned rcode)
{
	struct writer a;
	start(&a, out, room, q->id, answer_flags(q, rcode) | DNS_TC);
	put_question(&a, q->qname_raw, q->qtype, q->qclass);
	return finish(&a, q, rcode, &no_ede);
}

size_t answer_finish(uint8_t *out, size_t room, const struct query *q,
		     const struct answer_body *body, uint32_t age_s)
{
	const unsigned flags = wire_get16(body->wire + 2);
	const unsigned rcode = flags & DNS_RCODE_MASK;
	const struct ede ede = ede_of(body);
	if (body->len + opt_len(q, &ede) > room)
		return truncated(out, room, q, rcode);
	memcpy(out, body->wire, body->len);
	wire_set16(out, q->id);
	/* Who says CD checks on its own: nothing is said of what we found. */
	bool ad = body->secure && !(q->flags & DNS_CD) &&
		  (q->dnssec_ok || q->flags & DNS_AD);
	wire_set16(out + 2,
		   answer_flags(q, rcode) | (flags & DNS_TC) | (ad ? DNS_AD : 0));
	memcpy(out + DNS_HEADER_LEN, q->qname_raw, q->qname_len);
	for (int i = 0; i < body->ttl_n; i++) {
		uint8_t *p = out + body->ttl_at[i];
		uint32_t ttl = wire_get32(p);
		wire_set32(p, ttl > age_s ? ttl - age_s : 0);
	}
	if (!q->edns)
		return body->len;
	struct wire_writer w = wire_writer(out + body->len, room - body->len);
	put_opt(&w, q, rcode, &ede);
	wire_set16(out + COUNTS_AT + 6, 1);
	return body->len + wire_written(&w);
}

size_t answer_error(uint8_t *out, size_t room, const struct query *q, unsigned rcode,
		    int ede, const char *text)
{
	const struct ede told = {ede, text_len(text), text};
	struct writer a;
	start(&a, out, room, q->id, answer_flags(q, rcode));
	if (q->qname_len)
		put_question(&a, q->qname_raw, q->qtype, q->qclass);
	return finish(&a, q, rcode, &told);
}

/* RPZ draft 3.6: the RRset of the type that was asked for, all of them for ANY. */
static void put_data(struct writer *a, const uint8_t *owner, unsigned qtype,
		     const struct blocklist_data *data)
{
	struct blocklist_rr rr;
	for (size_t at = 0; blocklist_data_next(data, &at, &rr);) {
		uint32_t ttl =
			rr.ttl < ANSWER_DATA_TTL_MAX_S ? rr.ttl : ANSWER_DATA_TTL_MAX_S;
		if (qtype == DNS_ANY || qtype == rr.type)
			put_record(a, 1, owner, rr.type, ttl, rr.rdata, rr.len);
	}
}

/* The chain that led to the listed name, then what the action gives under that name. */
static void put_action(struct writer *a, const struct query *q,
		       const struct answer_policy *how)
{
	const struct reply *chain = how->chain;
	const uint8_t *owner = chain && chain->target ? chain->target : q->qname;
	const struct addr *v4 = &how->conf->sinkhole.ipv4,
			  *v6 = &how->conf->sinkhole.ipv6;
	uint32_t ttl = how->conf->sinkhole.ttl_s;
	bool any = q->qtype == DNS_ANY;
	for (int i = 0; chain && i < chain->answer_n; i++)
		put_rrset(a, 1, chain->answer[i]->owner, chain->answer[i]->type,
			  chain->answer[i]);
	int before = a->count[1];
	if (how->action == RULE_ADDRESS && (any || q->qtype == DNS_A) && v4->family)
		put_record(a, 1, owner, DNS_A, ttl, v4->bytes, 4);
	if (how->action == RULE_ADDRESS && (any || q->qtype == DNS_AAAA) && v6->family)
		put_record(a, 1, owner, DNS_AAAA, ttl, v6->bytes, 16);
	if (how->action == RULE_LOCAL_DATA && how->data)
		put_data(a, owner, q->qtype, how->data);
	if (how->action == RULE_CNAME) {
		/* The chain leads into the garden, and has its answer. */
		const struct rrset *n = chain ? chain->negative : NULL;
		if (n && n->soa_owner)
			put_rrset(a, 2, n->soa_owner, DNS_SOA, n);
		return;
	}
	/* RFC 2308 2: a negative answer without SOA is not cached by anyone. */
	if (a->count[1] == before && how->action != RULE_REFUSE) {
		const uint8_t *matched = how->verdict->matched;
		bool above = *matched && name_within(owner, matched);
		put_soa(a, above ? matched : owner, (uint32_t)how->generation, ttl);
	}
}

void answer_verdict(struct answer_body *out, uint8_t *buf, size_t room,
		    const struct query *q, const struct answer_policy *how)
{
	struct writer a;
	unsigned flags = how->action == RULE_NXDOMAIN		   ? DNS_NXDOMAIN
			 : how->action == RULE_REFUSE		   ? DNS_REFUSED
			 : how->action == RULE_TCP_ONLY		   ? DNS_TC
			 : how->action == RULE_CNAME && how->chain ? how->chain->rcode
								   : DNS_NOERROR;
	start(&a, buf, room, 0, DNS_QR | DNS_RA | flags);
	put_question(&a, q->qname, q->qtype, q->qclass);
	if (how->action != RULE_TCP_ONLY)
		put_action(&a, q, how);
	if (a.w.err) {
		start(&a, buf, room, 0, DNS_QR | DNS_RA | DNS_TC | flags);
		put_question(&a, q->qname, q->qtype, q->qclass);
	}
	put_counts(&a);
	*out = (struct answer_body){
		.wire = buf,
		.text = how->text,
		.len = (uint16_t)wire_written(&a.w),
		.ede = how->ede,
		.text_len = text_len(how->text),
		.countable = true, /* a rule's TTLs stay as they are, however old */
	};
}

size_t answer_local(uint8_t *out, size_t room, const struct query *q,
		    enum local_kind kind, const struct local_answer *local)
{
	struct writer a;
	unsigned rcode = kind == LOCAL_NXDOMAIN ? DNS_NXDOMAIN : DNS_NOERROR;
	start(&a, out, room, q->id, answer_flags(q, rcode));
	put_question(&a, q->qname_raw, q->qtype, q->qclass);
	if (kind == LOCAL_RECORD)
		put_record(&a, 1, q->qname_raw, local->type, local->ttl, local->rdata,
			   local->rdata_len);
	else
		put_soa(&a, local->zone, 1, LOCAL_TTL_S);
	return finish(&a, q, rcode, &no_ede);
}
