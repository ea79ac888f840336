#include "resolver/iter_message.h"

#include "include/hash.h"
#include "resolver/rdata.h"

enum {
	RDATA_MAX =
		65535 + 2 * DNS_NAME_MAX, /* expanded; no type has more than 2 names */
	RCODE_HIGH_SHIFT = 24,		  /* of the OPT record's TTL, RFC 6891 6.1.3 */
	RRSIG_FIXED = 18,		  /* before the signer's name, RFC 4034 3.1 */
};

uint64_t iter_message_hash(const uint8_t *name)
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

enum iter_class iter_message_match(const struct iter_asked *a, const uint8_t *msg,
				   size_t len)
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

static void index_opt(struct iter_message *m, const struct wire_rr *rr)
{
	m->has_opt = true;
	m->rcode |= rr->ttl >> RCODE_HIGH_SHIFT << 4;
}

int iter_message_index(struct iter_message *m)
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
		if (rr.class != DNS_IN || dns_type_is_meta(rr.type))
			continue;
		m->record[m->n++] =
			(struct iter_record){.owner_hash = iter_message_hash(rr.owner),
					     .owner = owner,
					     .rdata = rr.rdata,
					     .ttl = rr.ttl,
					     .type = rr.type,
					     .rdlength = rr.rdlength,
					     .section = (uint8_t)rr.section};
	}
}

void iter_message_owner(uint8_t out[DNS_NAME_MAX], const struct iter_message *m,
			const struct iter_record *r)
{
	struct wire_reader rd = wire_reader(m->bytes, m->len);
	rd.at = r->owner;
	out[0] = 0; /* the guard has read it before: it cannot fail */
	name_lower(out, wire_name(&rd, out));
}

bool iter_message_is_owner(const struct iter_message *m, const struct iter_record *r,
			   const uint8_t *name, uint64_t hash)
{
	uint8_t owner[DNS_NAME_MAX];
	if (r->owner_hash != hash)
		return false;
	iter_message_owner(owner, m, r);
	return name_equal(owner, name);
}

const struct iter_record *iter_message_next(const struct iter_message *m, int *at,
					    enum wire_section section, uint16_t type,
					    const uint8_t *owner, uint64_t hash)
{
	while (*at < m->n) {
		const struct iter_record *r = &m->record[(*at)++];
		if (r->section == section && r->type == type &&
		    iter_message_is_owner(m, r, owner, hash))
			return r;
	}
	return NULL;
}

/* ---- RRsets ---- */

static int expand(uint8_t *out, size_t room, const struct iter_message *m,
		  const struct iter_record *r)
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
static int measure(const struct iter_message *m, enum wire_section section, uint16_t type,
		   const uint8_t *owner, uint64_t hash, int *records)
{
	uint8_t rdata[RDATA_MAX];
	int total = 0;
	*records = 0;
	for (int at = 0;;) {
		const struct iter_record *r =
			iter_message_next(m, &at, section, type, owner, hash);
		if (!r)
			return total;
		int n = expand(rdata, sizeof rdata, m, r);
		if (n < 0 || n > DNS_MESSAGE_MAX || ++*records > RRSET_RECORDS_MAX)
			return -1;
		total += 2 + n;
	}
}

uint32_t iter_message_ttl(const struct iter_asked *a, uint32_t ttl)
{
	if (a->ttl_max == 0)
		return ttl;
	ttl = ttl < a->ttl_min ? a->ttl_min : ttl;
	return ttl > a->ttl_max ? a->ttl_max : ttl;
}

static bool is_sig_over(const struct iter_record *r, const struct iter_message *m,
			const struct rrset *s, uint64_t hash)
{
	return r->type == DNS_RRSIG && r->rdlength > RRSIG_FIXED &&
	       wire_get16(r->rdata) == s->type &&
	       iter_message_is_owner(m, r, s->owner, hash);
}

/* The signatures over s, in whatever section they are: they speak for themselves. What is
 * more than anybody needs is left out. */
static int add_sigs(struct rrset *s, const struct iter_message *m, uint64_t hash)
{
	const struct iter_record *found[RRSET_SIGS_MAX];
	size_t room = 0;
	int n = 0;
	for (int i = 0; i < m->n && n < RRSET_SIGS_MAX; i++)
		if (is_sig_over(&m->record[i], m, s, hash)) {
			found[n++] = &m->record[i];
			room += 2U + m->record[i].rdlength + DNS_NAME_MAX;
		}
	uint8_t *sigs = n ? arena_get(m->arena, room) : NULL;
	if (n && !sigs)
		return ERR_NOMEM;
	for (int i = 0; i < n; i++) {
		uint8_t *to = sigs + s->sigs_len;
		int len = expand(to + 2, room - s->sigs_len - 2, m, found[i]);
		if (len < 0)
			return ERR_FORMAT;
		wire_set16(to, (unsigned)len);
		s->sigs_len += 2U + (uint32_t)len;
	}
	s->sigs = sigs;
	s->sig_n = (uint16_t)n;
	return ERR_OK;
}

int iter_message_rrset(struct rrset **out, const struct iter_message *m,
		       enum wire_section section, uint16_t type, const uint8_t *owner)
{
	uint64_t hash = iter_message_hash(owner);
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
		const struct iter_record *r =
			iter_message_next(m, &at, section, type, owner, hash);
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
	s->ttl = iter_message_ttl(m->asked, s->ttl);
	*out = s;
	return add_sigs(s, m, hash);
}

/* ---- proofs ---- */

static bool has_proof(const struct iter_message *m, const uint8_t *owner, uint16_t type)
{
	for (int i = 0; i < m->proof_n; i++)
		if (m->proof[i]->type == type && name_equal(m->proof[i]->owner, owner))
			return true;
	return false;
}

static int add_proof(struct iter_message *m, const uint8_t *owner, uint16_t type)
{
	struct rrset *s;
	int err = iter_message_rrset(&s, m, WIRE_AUTHORITY, type, owner);
	if (!err && !m->proof)
		m->proof = arena_get(m->arena, RRSET_PROOF_MAX * sizeof *m->proof);
	if (err || !m->proof)
		return err ? err : ERR_NOMEM;
	m->proof[m->proof_n++] = s;
	return ERR_OK;
}

int iter_message_proofs(struct iter_message *m)
{
	uint8_t owner[DNS_NAME_MAX];
	int err = ERR_OK;
	for (int i = 0; !err && i < m->n && m->proof_n < RRSET_PROOF_MAX; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY ||
		    (r->type != DNS_NSEC && r->type != DNS_NSEC3))
			continue;
		iter_message_owner(owner, m, r);
		if (name_within(owner, m->asked->from.zone) &&
		    !has_proof(m, owner, r->type))
			err = add_proof(m, owner, r->type);
	}
	return err;
}
