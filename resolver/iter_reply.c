#include "resolver/iter_reply.h"

#include "include/hash.h"
#include "resolver/rdata.h"
#include "resolver/wire_guard.h"

enum {
	RDATA_MAX =
		65535 + 2 * DNS_NAME_MAX, /* expanded; no type has more than 2 names */
	/* Of DELEGATION_ADDRS_MAX: neither family may crowd out the other. */
	ADDRS_PER_FAMILY = DELEGATION_ADDRS_MAX / 2,
	SOA_MINIMUM_LEN = 4,
	RCODE_HIGH_SHIFT = 24, /* of the OPT record's TTL, RFC 6891 6.1.3 */
};

/* One record of the message; its owner stays compressed until it is needed. */
struct record {
	uint64_t owner_hash;
	const uint8_t *owner, *rdata;
	uint32_t ttl;
	uint16_t type, rdlength;
	uint8_t section;
};

struct message {
	struct arena *arena;
	const struct iter_asked *asked;
	const uint8_t *bytes;
	size_t len;
	uint16_t flags;
	unsigned rcode;
	bool has_opt;
	struct record *record;
	int n;
};

static uint64_t hash_name(const uint8_t *name)
{
	static const struct hash_key fixed = {{0, 0}}; /* collisions cost a comparison */
	return hash_bytes(&fixed, name, name_len(name));
}

/* ---- is it an answer to this question at all? ---- */

static bool same_question(const struct iter_asked *a, const uint8_t *msg, size_t len)
{
	uint8_t name[DNS_NAME_MAX];
	struct wire_reader r = wire_reader(msg, len);
	wire_take(&r, DNS_HEADER_LEN);
	size_t n = wire_name(&r, name);
	uint16_t type = wire_u16(&r), class = wire_u16(&r);
	if (r.err || type != a->type || class != DNS_IN || n != name_len(a->sent))
		return false;
	return a->exact_case ? !memcmp(name, a->sent, n) : name_equal(name, a->sent);
}

/* A server that cannot read the question may answer without one. */
static bool may_lack_question(unsigned flags)
{
	unsigned rcode = flags & DNS_RCODE_MASK;
	return rcode == DNS_FORMERR || rcode == DNS_NOTIMP;
}

/* ITER_ANSWER: worth guarding and reading. */
static enum iter_class match(const struct iter_asked *a, const uint8_t *msg, size_t len)
{
	if (len < DNS_HEADER_LEN)
		return ITER_JUNK;
	if (wire_get16(msg) != a->id)
		return wire_get16(msg + 2) & DNS_QR ? ITER_FORGED : ITER_JUNK;
	unsigned flags = wire_get16(msg + 2), questions = wire_get16(msg + 4);
	if (!(flags & DNS_QR) || (flags & DNS_OPCODE_MASK))
		return ITER_JUNK;
	if (questions == 1 ? !same_question(a, msg, len) : !may_lack_question(flags))
		return ITER_JUNK;
	if (questions > 1)
		return ITER_JUNK;
	/* What is behind a truncation, or longer than we asked for, is not looked at. */
	if (!a->tcp && ((flags & DNS_TC) || len > DNS_UDP_MAX))
		return ITER_TRUNCATED;
	unsigned most = a->tcp ? GUARD_RECORDS_TCP : GUARD_RECORDS_UDP;
	return guard_message(msg, len, most) ? ITER_JUNK : ITER_ANSWER;
}

/* ---- index of the records ---- */

static void index_opt(struct message *m, const struct wire_rr *rr)
{
	m->has_opt = true;
	m->rcode |= rr->ttl >> RCODE_HIGH_SHIFT << 4;
}

static int index_records(struct message *m)
{
	uint8_t qname[DNS_NAME_MAX];
	uint16_t qtype, qclass;
	struct wire_walk w;
	struct wire_rr rr;
	wire_walk_start(&w, m->bytes, m->len, qname, &qtype, &qclass);
	size_t most = (size_t)w.left[0] + w.left[1] + w.left[2];
	m->record = arena_get(m->arena, most * sizeof *m->record);
	if (!m->record)
		return ERR_NOMEM;
	for (;;) {
		const uint8_t *owner = w.r.at;
		if (!wire_walk_next(&w, &rr))
			return ERR_OK;
		if (rr.type == DNS_OPT)
			index_opt(m, &rr);
		/* We ask without DO, so signatures are no answer unless asked for. */
		bool unasked = rr.type == DNS_RRSIG && m->asked->type != DNS_RRSIG;
		if (rr.class != DNS_IN || dns_type_is_meta(rr.type) || unasked)
			continue;
		m->record[m->n++] = (struct record){.owner_hash = hash_name(rr.owner),
						    .owner = owner,
						    .rdata = rr.rdata,
						    .ttl = rr.ttl,
						    .type = rr.type,
						    .rdlength = rr.rdlength,
						    .section = (uint8_t)rr.section};
	}
}

static void record_owner(uint8_t out[DNS_NAME_MAX], const struct message *m,
			 const struct record *r)
{
	struct wire_reader rd = wire_reader(m->bytes, m->len);
	rd.at = r->owner;
	name_lower(out, wire_name(&rd, out));
}

static bool is_owner(const struct message *m, const struct record *r, const uint8_t *name,
		     uint64_t hash)
{
	uint8_t owner[DNS_NAME_MAX];
	if (r->owner_hash != hash)
		return false;
	record_owner(owner, m, r);
	return name_equal(owner, name);
}

/* The next record from *at on of that section, type and owner; moves *at behind it. */
static const struct record *next_of(const struct message *m, int *at,
				    enum wire_section section, uint16_t type,
				    const uint8_t *owner, uint64_t hash)
{
	while (*at < m->n) {
		const struct record *r = &m->record[(*at)++];
		if (r->section == section && r->type == type &&
		    is_owner(m, r, owner, hash))
			return r;
	}
	return NULL;
}

/* ---- RRsets ---- */

static int expand(uint8_t *out, size_t room, const struct message *m,
		  const struct record *r)
{
	return rdata_expand(out, room, m->bytes, m->len, r->rdata, r->rdlength, r->type);
}

static bool holds(const struct rrset *s, const uint8_t *rdata, uint16_t len)
{
	const uint8_t *have;
	uint16_t have_len;
	uint32_t at = 0;
	while (rrset_next(s, &at, &have, &have_len))
		if (have_len == len && !memcmp(have, rdata, len))
			return true;
	return false;
}

/* Room for all records of the set; -1 when they are more than we take. */
static int measure(const struct message *m, enum wire_section section, uint16_t type,
		   const uint8_t *owner, uint64_t hash, int *records)
{
	uint8_t rdata[RDATA_MAX];
	int total = 0;
	*records = 0;
	for (int at = 0;;) {
		const struct record *r = next_of(m, &at, section, type, owner, hash);
		if (!r)
			return total;
		int n = expand(rdata, sizeof rdata, m, r);
		if (n < 0 || n > DNS_MESSAGE_MAX || ++*records > RRSET_RECORDS_MAX)
			return -1;
		total += 2 + n;
	}
}

/* The RRset of that name and type in a section; *out is NULL when there is none. An
 * RRset that breaks a limit is ERR_FORMAT: half of one would be a lie. */
static int take_rrset(struct rrset **out, const struct message *m,
		      enum wire_section section, uint16_t type, const uint8_t *owner)
{
	uint64_t hash = hash_name(owner);
	int records, room = measure(m, section, type, owner, hash, &records);
	*out = NULL;
	if (room < 0)
		return ERR_FORMAT;
	if (records == 0)
		return ERR_OK;
	struct rrset *s = arena_zero(m->arena, sizeof *s);
	uint8_t *data = arena_get(m->arena, (size_t)room);
	uint8_t *name = arena_copy(m->arena, owner, name_len(owner));
	if (!s || !data || !name)
		return ERR_NOMEM;
	*s = (struct rrset){.owner = name,
			    .type = type,
			    .ttl = DNS_TTL_MAX,
			    .data = data,
			    .from = m->asked->from};
	for (int at = 0;;) {
		const struct record *r = next_of(m, &at, section, type, owner, hash);
		if (!r)
			break;
		uint8_t *to = data + s->data_len;
		int n = expand(to + 2, (size_t)room - s->data_len - 2, m, r);
		if (n < 0)
			return ERR_FORMAT;
		s->ttl = r->ttl < s->ttl ? r->ttl : s->ttl; /* RFC 2181 5.2 */
		if (holds(s, to + 2, (uint16_t)n))
			continue;
		wire_set16(to, (unsigned)n);
		s->data_len += 2U + (uint32_t)n;
		s->rr_n++;
	}
	*out = s;
	return ERR_OK;
}

void iter_reply_target(uint8_t out[DNS_NAME_MAX], const struct rrset *cname)
{
	name_copy(out, cname->data + 2);
	name_lower(out, name_len(out));
}

int iter_reply_rename(uint8_t out[DNS_NAME_MAX], const uint8_t *name,
		      const struct rrset *dname)
{
	uint8_t target[DNS_NAME_MAX];
	size_t head = name_len(name) - name_len(dname->owner);
	iter_reply_target(target, dname);
	size_t tail = name_len(target);
	if (head + tail > DNS_NAME_MAX)
		return ERR_RANGE;
	memmove(out, name, head);
	memcpy(out + head, target, tail);
	return ERR_OK;
}

/* ---- the answer section: the question's chain ---- */

static bool authoritative(const struct message *m)
{
	return m->flags & DNS_AA;
}

/* Whether it is this server's to say that something does not exist. */
static bool may_deny(const struct message *m)
{
	return authoritative(m) || m->asked->forward;
}

static int add_answer(struct iter_reply *out, const struct message *m, struct rrset *s)
{
	if (out->answer_n == REPLY_ANSWER_MAX)
		return ERR_FORMAT;
	s->rank = authoritative(m) ? RANK_AUTH_ANSWER : RANK_ANSWER;
	out->answer[out->answer_n++] = s;
	return ERR_OK;
}

static bool has_type(const struct iter_reply *out, uint16_t type)
{
	for (int i = 0; i < out->answer_n; i++)
		if (out->answer[i]->type == type)
			return true;
	return false;
}

/* All RRsets of the name, for ANY; what does not fit the table is left out, RFC 8482. */
static int read_any(struct iter_reply *out, const struct message *m)
{
	uint64_t hash = hash_name(m->asked->name);
	struct rrset *s;
	for (int i = 0; i < m->n && out->answer_n < REPLY_ANSWER_MAX; i++) {
		const struct record *r = &m->record[i];
		if (r->section != WIRE_ANSWER || has_type(out, r->type) ||
		    !is_owner(m, r, m->asked->name, hash))
			continue;
		int err = take_rrset(&s, m, WIRE_ANSWER, r->type, m->asked->name);
		err = err ? err : add_answer(out, m, s);
		if (err)
			return err;
	}
	out->class = out->answer_n ? ITER_ANSWER : ITER_NODATA;
	return ERR_OK;
}

/* The DNAME above name, as far as the asked zone may speak; *out is NULL when there is
 * none. */
static int take_dname(struct rrset **out, const struct message *m, const uint8_t *name)
{
	uint8_t owner[DNS_NAME_MAX];
	*out = NULL;
	for (int i = 0; i < m->n; i++) {
		const struct record *r = &m->record[i];
		if (r->section != WIRE_ANSWER || r->type != DNS_DNAME)
			continue;
		record_owner(owner, m, r);
		if (name_below(name, owner) && name_within(owner, m->asked->from.zone))
			return take_rrset(out, m, WIRE_ANSWER, DNS_DNAME, owner);
	}
	return ERR_OK;
}

/* What stands at name. There is nothing of its own below a DNAME, RFC 6672 2.4: a CNAME
 * that came with it only repeats what it makes. *out is NULL when there is nothing. */
static int take_next(struct rrset **out, const struct message *m, const uint8_t *name)
{
	int err = take_dname(out, m, name);
	if (!err && !*out)
		err = take_rrset(out, m, WIRE_ANSWER, m->asked->type, name);
	if (!err && !*out)
		err = take_rrset(out, m, WIRE_ANSWER, DNS_CNAME, name);
	return err;
}

/* Moves name along a link; false when the asked zone may not speak of it any more, or
 * there is no more to ask for. */
static bool follow(const struct iter_asked *a, uint8_t name[DNS_NAME_MAX],
		   const struct rrset *link)
{
	if (link->type == DNS_CNAME)
		iter_reply_target(name, link);
	else if (iter_reply_rename(name, name, link))
		return false;
	return a->type != DNS_CNAME && name_within(name, a->from.zone);
}

/* Follows the chain as far as the asked zone may speak. name is left at its end; class
 * becomes ITER_ANSWER, ITER_CNAME (the zone may not speak of name) or ITER_NODATA
 * (nothing is there). */
static int read_chain(struct iter_reply *out, const struct message *m,
		      uint8_t name[DNS_NAME_MAX])
{
	const struct iter_asked *a = m->asked;
	struct rrset *s;
	name_copy(name, a->name);
	out->class = ITER_NODATA;
	for (int links = 0; links <= REPLY_CHAIN_MAX; links++) {
		int err = take_next(&s, m, name);
		if (err || !s)
			return err;
		bool dname = s->type == DNS_DNAME && !name_equal(s->owner, name);
		bool is_link = dname || (s->type == DNS_CNAME && a->type != DNS_CNAME);
		if (is_link && s->rr_n != 1) /* RFC 2181 10.1, 6672 2.4 */
			return ERR_FORMAT;
		err = add_answer(out, m, s);
		if (err || !is_link) {
			out->class = ITER_ANSWER;
			return err;
		}
		if (!follow(a, name, s))
			break;
	}
	out->class = ITER_CNAME;
	return ERR_OK;
}

/* ---- the authority section: denials and referrals ---- */

/* RFC 2308 5: a denial lives as long as the SOA, and as its MINIMUM says. */
static uint32_t negative_ttl(const struct rrset *soa)
{
	uint16_t len = wire_get16(soa->data);
	uint32_t minimum = wire_get32(soa->data + 2 + len - SOA_MINIMUM_LEN);
	minimum = minimum > DNS_TTL_MAX ? 0 : minimum;
	return minimum < soa->ttl ? minimum : soa->ttl;
}

/* The SOA whose zone denies name: at or above name, inside the zone that was asked. */
static int find_soa(struct rrset **out, const struct message *m, const uint8_t *name)
{
	uint8_t owner[DNS_NAME_MAX];
	*out = NULL;
	for (int i = 0; i < m->n; i++) {
		const struct record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY || r->type != DNS_SOA)
			continue;
		record_owner(owner, m, r);
		if (name_within(name, owner) && name_within(owner, m->asked->from.zone))
			return take_rrset(out, m, WIRE_AUTHORITY, DNS_SOA, owner);
	}
	return ERR_OK;
}

static int deny(struct iter_reply *out, const struct message *m, const uint8_t *name,
		struct rrset *soa, uint8_t kind)
{
	out->class = kind == RRSET_NXDOMAIN ? ITER_NXDOMAIN : ITER_NODATA;
	if (!soa)
		return ERR_OK;
	uint8_t *owner = arena_copy(m->arena, name, name_len(name));
	if (!owner)
		return ERR_NOMEM;
	soa->soa_owner = soa->owner;
	soa->owner = owner;
	soa->type = m->asked->type;
	soa->kind = kind;
	soa->rank = RANK_AUTHORITY;
	soa->ttl = negative_ttl(soa);
	soa->rr_n = 1; /* a zone has one SOA; others are not looked at */
	soa->data_len = 2U + wire_get16(soa->data);
	out->negative = soa;
	return ERR_OK;
}

/* The cut that the NS records in the authority section speak of, if it leads on:
 * strictly below the zone asked, at or above the name. DS belongs to the parent. */
static bool find_cut(uint8_t cut[DNS_NAME_MAX], const struct message *m)
{
	const struct iter_asked *a = m->asked;
	for (int i = 0; i < m->n; i++) {
		const struct record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY || r->type != DNS_NS)
			continue;
		record_owner(cut, m, r);
		if (name_below(cut, a->from.zone) &&
		    (a->type == DNS_DS ? name_below(a->name, cut)
				       : name_within(a->name, cut)))
			return true;
	}
	return false;
}

static void add_glue(struct delegation *d, struct delegation_server *s,
		     const struct message *m, uint16_t type)
{
	uint64_t hash = hash_name(s->name);
	size_t want = type == DNS_A ? 4 : 16;
	int at = 0, n = 0;
	const struct record *r;
	while (n < ADDRS_PER_FAMILY &&
	       (r = next_of(m, &at, WIRE_ADDITIONAL, type, s->name, hash))) {
		if (r->rdlength != want)
			continue;
		s->addr[s->addr_n++] =
			type == DNS_A ? addr_v4(r->rdata, 0) : addr_v6(r->rdata, 0);
		d->ttl = r->ttl < d->ttl ? r->ttl : d->ttl;
		n++;
	}
}

static bool has_server(const struct delegation *d, const uint8_t *name)
{
	for (int i = 0; i < d->servers_n; i++)
		if (name_equal(d->server[i].name, name))
			return true;
	return false;
}

/* The servers of cut by its NS records in that section, and what the message may say of
 * their addresses. */
static int read_servers(struct iter_reply *out, const struct message *m,
			enum wire_section section, const uint8_t *cut)
{
	struct delegation *d = &out->referral;
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	struct rrset *ns;
	int err = take_rrset(&ns, m, section, DNS_NS, cut);
	if (err)
		return err;
	*d = (struct delegation){.zone = ns->owner, .ttl = ns->ttl, .from = ns->from};
	while (d->servers_n < DELEGATION_SERVERS_MAX &&
	       rrset_next(ns, &at, &rdata, &len)) {
		uint8_t *name = arena_copy(m->arena, rdata, len);
		if (!name)
			return ERR_NOMEM;
		name_lower(name, len);
		if (has_server(d, name))
			continue;
		struct delegation_server *s = &d->server[d->servers_n++];
		s->name = name;
		/* The parent may tell addresses of its own names only. */
		if (!name_within(name, m->asked->from.zone))
			continue;
		add_glue(d, s, m, DNS_A);
		add_glue(d, s, m, DNS_AAAA);
	}
	return ERR_OK;
}

static int refer(struct iter_reply *out, const struct message *m, const uint8_t *cut)
{
	int err = read_servers(out, m, WIRE_AUTHORITY, cut);
	out->class = ITER_REFERRAL;
	return err;
}

/* The root has no parent: who its servers are, it says itself, RFC 8109. */
static bool is_prime(const struct iter_reply *out, const struct message *m)
{
	const struct iter_asked *a = m->asked;
	return out->class == ITER_ANSWER && authoritative(m) && a->type == DNS_NS &&
	       *a->name == 0 && *a->from.zone == 0 && !a->forward;
}

/* ---- the whole ---- */

/* Nothing was found at name: why? */
static int read_denial(struct iter_reply *out, const struct message *m,
		       const uint8_t *name)
{
	uint8_t cut[DNS_NAME_MAX];
	struct rrset *soa;
	int err = find_soa(&soa, m, name);
	if (err)
		return err;
	if (m->rcode == DNS_NXDOMAIN) {
		if (soa || (may_deny(m) && !out->answer_n))
			return deny(out, m, name, soa, RRSET_NXDOMAIN);
	} else if (soa) {
		return deny(out, m, name, soa, RRSET_NODATA);
	} else if (!out->answer_n && find_cut(cut, m)) {
		/* A referral is no answer from a resolver. */
		if (!m->asked->forward)
			return refer(out, m, cut);
	} else if (!out->answer_n && may_deny(m)) {
		return deny(out, m, name, NULL, RRSET_NODATA);
	}
	/* A chain without a word about its end: the end is asked for on its own. */
	out->class = out->answer_n ? ITER_CNAME : ITER_LAME;
	return ERR_OK;
}

static int classify(struct iter_reply *out, const struct message *m)
{
	uint8_t name[DNS_NAME_MAX];
	int err;
	if (m->rcode == DNS_FORMERR && !m->has_opt) {
		out->class = ITER_NO_EDNS;
		return ERR_OK;
	}
	if (m->rcode != DNS_NOERROR && m->rcode != DNS_NXDOMAIN &&
	    m->rcode != DNS_YXDOMAIN) {
		out->class = ITER_ERROR;
		return ERR_OK;
	}
	if (m->asked->type == DNS_ANY) {
		name_copy(name, m->asked->name);
		err = read_any(out, m);
	} else {
		err = read_chain(out, m, name);
	}
	/* RFC 6672 3.1: only as the end of a chain is YXDOMAIN worth anything. */
	if (!err && m->rcode == DNS_YXDOMAIN && out->class != ITER_CNAME)
		out->class = ITER_ERROR;
	if (!err && out->class == ITER_NODATA)
		err = read_denial(out, m, name);
	if (!err && is_prime(out, m))
		err = read_servers(out, m, WIRE_ANSWER, name);
	/* Data that a resolver has from somewhere else proves nothing here. */
	if (!err && out->class != ITER_REFERRAL && !may_deny(m) && (m->flags & DNS_RA))
		out->class = ITER_LAME;
	return err;
}

/* The echoed question in lower case, so that names compressed towards it do not bring
 * the random case into the cache. */
static void lower_question(uint8_t *copy, const uint8_t *msg, size_t len,
			   const uint8_t *name)
{
	memcpy(copy, msg, len);
	if (wire_get16(msg + 4) == 1)
		memcpy(copy + DNS_HEADER_LEN, name, name_len(name));
}

int iter_reply_read(struct iter_reply *out, struct arena *arena,
		    const struct iter_asked *asked, const uint8_t *msg, size_t len)
{
	uint8_t copy[DNS_UDP_MAX];
	out->answer_n = 0;
	out->negative = NULL;
	out->has_opt = false;
	out->referral.servers_n = 0;
	out->class = match(asked, msg, len);
	if (out->class != ITER_ANSWER) {
		/* A stream has one answer; there is nothing to wait for behind it. */
		if (asked->tcp)
			out->class = ITER_ERROR;
		return ERR_OK;
	}
	if (asked->exact_case && len <= sizeof copy) {
		lower_question(copy, msg, len, asked->name);
		msg = copy;
	}
	struct message m = {.arena = arena, .asked = asked, .bytes = msg, .len = len};
	m.flags = wire_get16(msg + 2);
	m.rcode = m.flags & DNS_RCODE_MASK;
	int err = index_records(&m);
	out->has_opt = m.has_opt;
	err = err ? err : classify(out, &m);
	if (err == ERR_FORMAT || err == ERR_RANGE) {
		out->class = ITER_ERROR;
		err = ERR_OK;
	}
	return err;
}
