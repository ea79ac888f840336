#include "tests/scenarios/servers.h"

bool servers_read(struct sent *t, const struct step_send *s)
{
	struct wire_reader r = wire_reader(s->bytes, s->len);
	*t = (struct sent){
		.to = s->to, .tcp = s->transport == TRANSPORT_TCP, .open = true};
	if (s->len > sizeof t->bytes)
		return false;
	memcpy(t->bytes, s->bytes, s->len);
	t->len = s->len;
	wire_take(&r, DNS_HEADER_LEN);
	size_t n = wire_name(&r, t->qname);
	name_lower(t->qname, n);
	t->qtype = wire_u16(&r);
	wire_u16(&r);
	t->question_len = (uint16_t)(n + 4);
	t->udp_max = DNS_UDP_PLAIN;
	if (r.err || wire_left(&r) < DNS_OPT_LEN)
		return !r.err;
	wire_u8(&r);
	t->edns = wire_u16(&r) == DNS_OPT;
	t->udp_max = wire_u16(&r);
	t->dnssec_ok = wire_u32(&r) & DNS_EDNS_DO;
	return true;
}

/* ---- which entry ---- */

bool servers_match(const struct entry *e, const struct sent *t)
{
	if (((e->match & MATCH_UDP) && t->tcp) || ((e->match & MATCH_TCP) && !t->tcp))
		return false;
	if (((e->match & MATCH_NOEDNS) && t->edns) ||
	    ((e->match & MATCH_DO) && !t->dnssec_ok))
		return false;
	if ((e->match & MATCH_OPCODE) && e->opcode != DNS_OPCODE_QUERY)
		return false;
	if (!e->has_question)
		return true;
	if ((e->match & MATCH_QNAME) && !name_equal(e->qname, t->qname))
		return false;
	if ((e->match & MATCH_SUBDOMAIN) && !name_within(t->qname, e->qname))
		return false;
	return !(e->match & MATCH_QTYPE) || e->qtype == t->qtype;
}

bool servers_same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool servers_match_step(const struct script_step *p, const struct sent *t)
{
	return (!p->addr.family || servers_same_host(&p->addr, &t->to)) &&
	       (!p->entry || !p->entry->match_given || servers_match(p->entry, t));
}

static bool range_has_addr(const struct range *r, const struct addr *a)
{
	for (const struct range_addr *p = r->addrs; p; p = p->next)
		if (servers_same_host(&p->addr, a))
			return true;
	return false;
}

static bool is_range_of(const struct range *r, long long step, const struct sent *t)
{
	return step >= r->from && step <= r->to &&
	       (!r->addrs || range_has_addr(r, &t->to));
}

bool servers_know(const struct script *s, const struct addr *a)
{
	for (const struct range *r = s->ranges; r; r = r->next)
		if (!r->addrs || range_has_addr(r, a))
			return true;
	return !s->ranges;
}

/* Deckard: replies of steps to come are in store for the questions under way, once. */
static struct entry *find_stored(const struct script *s, long long step,
				 const struct sent *t)
{
	for (struct script_step *p = s->steps; p; p = p->next)
		if (p->number >= step && is_word(p->words.w[0], "REPLY") && p->entry &&
		    p->entry->match_given && !p->entry->fired &&
		    servers_match(p->entry, t))
			return p->entry;
	return NULL;
}

struct entry *servers_find(const struct script *s, long long step, const struct sent *t)
{
	for (const struct range *r = s->ranges; r; r = r->next)
		for (struct entry *e = r->entries; e && is_range_of(r, step, t);
		     e = e->next)
			if ((e->match_given || s->dialect == DIALECT_OWN) &&
			    servers_match(e, t))
				return e;
	return s->dialect == DIALECT_DECKARD ? find_stored(s, step, t) : NULL;
}

/* ---- answers that are derived ----
 * Another product's file has entries for that product's questions. For ours, the records
 * in the file are given as an honest server would. */

struct found {
	struct script *s;
	const struct sent *t;
	const struct entry *referral; /* the deepest one */
	const uint8_t *cut;
	const struct record *soa;
	bool exists; /* the name, or one below it */
	struct records data, alias;
	const struct records *data_from, *alias_from;
};

static void copy_record(struct found *f, struct records *to, const struct record *r)
{
	struct record *copy = script_zero(f->s, sizeof *copy);
	*copy = *r;
	records_add(to, copy);
}

/* Records of one section of one entry only: others may have another version. */
static void take(struct found *f, struct records *to, const struct records **from,
		 const struct records *section, const struct record *r)
{
	if (!*from)
		*from = section;
	if (*from == section)
		copy_record(f, to, r);
}

static void look_at_cut(struct found *f, const struct entry *e, const struct record *r)
{
	if (e->rr[WIRE_ANSWER].n || (e->flags & DNS_AA) || r->type != DNS_NS ||
	    r->owner[0] == 0 || !name_within(f->t->qname, r->owner))
		return;
	if (!f->referral || name_labels(r->owner) > name_labels(f->cut)) {
		f->referral = e;
		f->cut = r->owner;
	}
}

static bool may_answer(int section, uint16_t qtype)
{
	return section == WIRE_ANSWER ||
	       (section == WIRE_ADDITIONAL && (qtype == DNS_A || qtype == DNS_AAAA)) ||
	       (section == WIRE_AUTHORITY && qtype == DNS_DS);
}

static void look_at_record(struct found *f, const struct entry *e, int section,
			   const struct record *r)
{
	bool delegates = section == WIRE_AUTHORITY &&
			 (r->type == DNS_NS || r->type == DNS_RRSIG || r->type == DNS_DS);
	bool same = name_equal(r->owner, f->t->qname);
	if (r->type != DNS_NSEC3 && !delegates && name_within(r->owner, f->t->qname))
		f->exists = true;
	if (section == WIRE_AUTHORITY) {
		look_at_cut(f, e, r);
		if (r->type == DNS_SOA && !f->soa && name_within(f->t->qname, r->owner))
			f->soa = r;
	}
	if (same && r->type == f->t->qtype && may_answer(section, r->type))
		take(f, &f->data, &f->data_from, &e->rr[section], r);
	else if (same && r->type == DNS_CNAME && section == WIRE_ANSWER)
		take(f, &f->alias, &f->alias_from, &e->rr[section], r);
}

static void look_at_entry(struct found *f, const struct entry *e)
{
	if (e->raw || e->silent || e->fails || e->opcode ||
	    (e->rcode != DNS_NOERROR && e->rcode != DNS_NXDOMAIN))
		return;
	if ((e->match & MATCH_QNAME) && e->has_question &&
	    name_within(e->qname, f->t->qname))
		f->exists = true;
	for (int section = 0; section < 3; section++)
		for (const struct record *r = e->rr[section].first; r; r = r->next)
			look_at_record(f, e, section, r);
}

static void copy_records(struct found *f, struct records *to, const struct records *from,
			 bool soa)
{
	for (const struct record *r = from->first; r; r = r->next)
		if (soa || r->type != DNS_SOA)
			copy_record(f, to, r);
}

static struct entry *derived(struct found *f)
{
	struct entry *e = script_zero(f->s, sizeof *e);
	bool at_cut =
		f->referral && f->t->qtype == DNS_DS && name_equal(f->cut, f->t->qname);
	e->copy_id = e->copy_query = true;
	e->flags = DNS_QR;
	if (f->referral && !at_cut) {
		copy_records(f, &e->rr[WIRE_AUTHORITY], &f->referral->rr[WIRE_AUTHORITY],
			     false);
		copy_records(f, &e->rr[WIRE_ADDITIONAL],
			     &f->referral->rr[WIRE_ADDITIONAL], true);
		return e;
	}
	e->flags |= DNS_AA;
	if (f->data.n)
		e->rr[WIRE_ANSWER] = f->data;
	else if (f->alias.n)
		e->rr[WIRE_ANSWER] = f->alias;
	else if (!at_cut && !f->exists)
		return NULL;
	else if (f->soa)
		copy_record(f, &e->rr[WIRE_AUTHORITY], f->soa);
	return e;
}

struct entry *servers_derive(struct script *s, long long step, const struct sent *t)
{
	struct found f = {.s = s, .t = t};
	for (const struct range *r = s->ranges; r; r = r->next)
		for (const struct entry *e = r->entries; e && is_range_of(r, step, t);
		     e = e->next)
			look_at_entry(&f, e);
	return derived(&f);
}

/* ---- bytes ---- */

/* The question as it was sent keeps its letters, which are part of the proof. */
static void put_question(struct wire_writer *w, const struct entry *e,
			 const struct sent *t)
{
	bool same =
		e->has_question && name_equal(e->qname, t->qname) && e->qtype == t->qtype;
	if (e->copy_query || same) {
		uint8_t *at = w->at;
		wire_put(w, t->bytes + DNS_HEADER_LEN, t->question_len);
		if (e->lower_case && !w->err)
			name_lower(at, t->question_len - 4U);
		return;
	}
	wire_put_name(w, e->qname);
	wire_put16(w, e->qtype);
	wire_put16(w, DNS_IN);
}

static void put_opt(struct wire_writer *w, const struct entry *e)
{
	wire_put8(w, 0);
	wire_put16(w, DNS_OPT);
	wire_put16(w, DNS_UDP_MAX);
	wire_put32(w, e->rcode >> 4 << 24);
	wire_put16(w, 0);
}

/* cut: no records, and TC. */
static size_t build(uint8_t *out, const struct entry *e, const struct sent *t, bool cut)
{
	struct wire_writer w = wire_writer(out, DNS_MESSAGE_MAX);
	bool has_question = !e->no_question && (e->has_question || e->copy_query);
	bool edns = t->edns && !e->no_edns && e->rcode != DNS_FORMERR &&
		    e->rcode != DNS_NOTIMP;
	uint16_t counts[4] = {has_question, 0, 0, edns};
	for (int i = 0; i < 3 && !cut; i++)
		counts[i + 1] = (uint16_t)(counts[i + 1] + e->rr[i].n);
	wire_put_header(&w, e->copy_id ? wire_get16(t->bytes) : 0,
			e->flags | (cut ? DNS_TC : 0) | (e->opcode << DNS_OPCODE_SHIFT) |
				(e->rcode & DNS_RCODE_MASK),
			counts);
	if (has_question)
		put_question(&w, e, t);
	for (int i = 0; i < 3 && !cut; i++)
		for (const struct record *r = e->rr[i].first; r; r = r->next)
			wire_put(&w, r->wire, r->wire_len);
	if (edns)
		put_opt(&w, e);
	return w.err ? DNS_MESSAGE_MAX + 1 : wire_written(&w);
}

size_t servers_build(uint8_t out[SERVERS_MESSAGE_MAX], const struct script *s,
		     const struct entry *e, const struct sent *t)
{
	if (e->raw) {
		memcpy(out, e->raw, e->raw_len);
		if (e->copy_id && e->raw_len >= 2)
			memcpy(out, t->bytes, 2);
		return e->raw_len;
	}
	size_t room = t->tcp || s->dialect == DIALECT_OWN ? DNS_MESSAGE_MAX : t->udp_max;
	size_t n = build(out, e, t, false);
	return n > room ? build(out, e, t, true) : n;
}

size_t servers_spoil(uint8_t *msg, size_t len, unsigned junk)
{
	switch (junk) {
	case JUNK_ID:
		msg[1] ^= 1;
		break;
	case JUNK_QUESTION:
		msg[DNS_HEADER_LEN + 1] ^= 1;
		break;
	case JUNK_RESPONSE:
		msg[2] &= 0x7f;
		break;
	case JUNK_OPCODE:
		msg[2] |= 5 << 3;
		break;
	case JUNK_CASE:
		for (unsigned i = 1; i <= msg[DNS_HEADER_LEN]; i++)
			msg[DNS_HEADER_LEN + i] ^= 0x20;
		break;
	case JUNK_QUESTIONS:
		msg[5] = 2;
		break;
	case JUNK_GUARD:
		msg[len++] = 0;
		break;
	case JUNK_HEADER:
		return DNS_HEADER_LEN - 1;
	}
	return len;
}
