#include "resolver/iter_message.h"

enum {
	/* Of DELEGATION_ADDRS_MAX: neither family may crowd out the other. */
	ADDRS_PER_FAMILY = DELEGATION_ADDRS_MAX / 2,
	SOA_MINIMUM_LEN = 4,
	RRSIG_LABELS_AT = 3, /* RFC 4034 3.1 */
};

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

static bool authoritative(const struct iter_message *m)
{
	return m->flags & DNS_AA;
}

/* Whether it is this server's to say that something does not exist. */
static bool may_deny(const struct iter_message *m)
{
	return authoritative(m) || m->asked->forward;
}

/* What goes with s only makes sense with the proofs of its message. */
static void prove(struct rrset *s, const struct iter_message *m)
{
	s->proof = m->proof;
	s->proof_n = m->proof_n;
}

/* A wildcard made it: its signature speaks of fewer labels, RFC 4034 3.1.3. */
static bool is_expanded(const struct rrset *s)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	while (rrset_next_sig(s, &at, &rdata, &len))
		if (rdata[RRSIG_LABELS_AT] < name_labels(s->owner))
			return true;
	return false;
}

static int add_answer(struct iter_reply *out, const struct iter_message *m,
		      struct rrset *s)
{
	if (out->answer_n == REPLY_ANSWER_MAX)
		return ERR_FORMAT;
	if (is_expanded(s))
		prove(s, m);
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

/* The DNAME above name, as far as the asked zone may speak; *out is NULL when there is
 * none. */
static int take_dname(struct rrset **out, const struct iter_message *m,
		      const uint8_t *name)
{
	uint8_t owner[DNS_NAME_MAX];
	*out = NULL;
	for (int i = 0; i < m->n; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_ANSWER || r->type != DNS_DNAME)
			continue;
		iter_message_owner(owner, m, r);
		if (name_below(name, owner) && name_within(owner, m->asked->from.zone))
			return iter_message_rrset(out, m, WIRE_ANSWER, DNS_DNAME, owner);
	}
	return ERR_OK;
}

/* All RRsets of the name, for ANY; what does not fit the table is left out, RFC 8482.
 * Below a DNAME there is nothing but what that makes. */
static int read_any(struct iter_reply *out, const struct iter_message *m)
{
	const uint8_t *name = m->asked->name;
	uint64_t hash = iter_message_hash(name);
	struct rrset *s;
	int err = take_dname(&s, m, name);
	if (err || s) {
		out->class = ITER_CNAME;
		return err ? err : s->rr_n == 1 ? add_answer(out, m, s) : ERR_FORMAT;
	}
	for (int i = 0; i < m->n && out->answer_n < REPLY_ANSWER_MAX; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_ANSWER || r->type == DNS_RRSIG ||
		    has_type(out, r->type) || !iter_message_is_owner(m, r, name, hash))
			continue;
		err = iter_message_rrset(&s, m, WIRE_ANSWER, r->type, name);
		err = err ? err : add_answer(out, m, s);
		if (err)
			return err;
	}
	out->class = out->answer_n ? ITER_ANSWER : ITER_NODATA;
	return ERR_OK;
}

/* What was asked for, or CNAME: nothing stands beside an alias (RFC 1034 3.6.2), but
 * servers exist that give both. What they tell first is what they mean. */
static uint16_t first_type(const struct iter_message *m, const uint8_t *name)
{
	uint64_t hash = iter_message_hash(name);
	for (int i = 0; i < m->n; i++) {
		const struct iter_record *r = &m->record[i];
		bool meant = r->type == DNS_CNAME || r->type == m->asked->type;
		if (meant && r->section == WIRE_ANSWER &&
		    iter_message_is_owner(m, r, name, hash))
			return r->type;
	}
	return m->asked->type;
}

/* What stands at name. There is nothing of its own below a DNAME, RFC 6672 2.4: a CNAME
 * that came with it only repeats what it makes. *out is NULL when there is nothing. */
static int take_next(struct rrset **out, const struct iter_message *m,
		     const uint8_t *name)
{
	int err = take_dname(out, m, name);
	return err || *out ? err
			   : iter_message_rrset(out, m, WIRE_ANSWER, first_type(m, name),
						name);
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

/* Follows the chain from name as far as the asked zone may speak. name is left at its
 * end; class becomes ITER_ANSWER, ITER_CNAME (the zone may not speak of name) or
 * ITER_NODATA (nothing is there). */
static int read_chain(struct iter_reply *out, const struct iter_message *m,
		      uint8_t name[DNS_NAME_MAX])
{
	const struct iter_asked *a = m->asked;
	struct rrset *s;
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
static int find_soa(struct rrset **out, const struct iter_message *m, const uint8_t *name)
{
	uint8_t owner[DNS_NAME_MAX];
	*out = NULL;
	for (int i = 0; i < m->n; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY || r->type != DNS_SOA)
			continue;
		iter_message_owner(owner, m, r);
		if (name_within(name, owner) && name_within(owner, m->asked->from.zone))
			return iter_message_rrset(out, m, WIRE_AUTHORITY, DNS_SOA, owner);
	}
	return ERR_OK;
}

/* A denial that lives no longer than what proves it. */
static int make_denial(struct rrset **out, const struct iter_message *m,
		       const uint8_t *name, uint16_t type, uint8_t kind, uint32_t ttl)
{
	struct rrset *s = arena_zero(m->arena, sizeof *s);
	uint8_t *owner = arena_copy(m->arena, name, name_len(name));
	*out = s;
	if (!s || !owner)
		return ERR_NOMEM;
	*s = (struct rrset){.owner = owner,
			    .type = type,
			    .kind = kind,
			    .rank = RANK_AUTHORITY,
			    .ttl = ttl,
			    .from = m->asked->from};
	prove(s, m);
	for (int i = 0; i < s->proof_n; i++)
		s->ttl = s->proof[i]->ttl < s->ttl ? s->proof[i]->ttl : s->ttl;
	s->ttl = iter_message_ttl(m->asked, s->ttl);
	if (s->ttl > RRSET_NEGATIVE_TTL_MAX)
		s->ttl = RRSET_NEGATIVE_TTL_MAX;
	return ERR_OK;
}

/* soa may be NULL: then proofs alone say it, or nothing that could be kept. */
static int deny(struct iter_reply *out, const struct iter_message *m, const uint8_t *name,
		const struct rrset *soa, uint8_t kind)
{
	struct rrset *s;
	out->class = kind == RRSET_NXDOMAIN ? ITER_NXDOMAIN : ITER_NODATA;
	int err = make_denial(&s, m, name, m->asked->type, kind,
			      soa ? negative_ttl(soa) : RRSET_NEGATIVE_TTL_MAX);
	if (!err && soa) {
		s->soa_owner = soa->owner;
		s->rr_n = 1; /* a zone has one SOA; others are not looked at */
		s->data = soa->data;
		s->data_len = 2U + wire_get16(soa->data);
		s->sig_n = soa->sig_n;
		s->sigs = soa->sigs;
		s->sigs_len = soa->sigs_len;
	}
	if (!err && !soa && !s->proof_n)
		s->ttl = 0;
	out->negative = s;
	return err;
}

/* The cut that the NS records in the authority section speak of, if it leads on:
 * strictly below the zone asked, at or above the name. DS belongs to the parent. */
static bool find_cut(uint8_t cut[DNS_NAME_MAX], const struct iter_message *m)
{
	const struct iter_asked *a = m->asked;
	for (int i = 0; i < m->n; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY || r->type != DNS_NS)
			continue;
		iter_message_owner(cut, m, r);
		if (name_below(cut, a->from.zone) &&
		    (a->type == DNS_DS ? name_below(a->name, cut)
				       : name_within(a->name, cut)))
			return true;
	}
	return false;
}

/* NS of a zone that is not this server's to speak of: it points up or sideways. */
static bool points_away(const struct iter_message *m)
{
	uint8_t owner[DNS_NAME_MAX];
	for (int i = 0; i < m->n; i++) {
		const struct iter_record *r = &m->record[i];
		if (r->section != WIRE_AUTHORITY || r->type != DNS_NS)
			continue;
		iter_message_owner(owner, m, r);
		if (!name_within(owner, m->asked->from.zone))
			return true;
	}
	return false;
}

static void add_glue(struct delegation *d, struct delegation_server *s,
		     const struct iter_message *m, uint16_t type)
{
	uint64_t hash = iter_message_hash(s->name);
	size_t want = type == DNS_A ? 4 : 16;
	int at = 0, n = 0;
	const struct iter_record *r;
	while (n < ADDRS_PER_FAMILY &&
	       (r = iter_message_next(m, &at, WIRE_ADDITIONAL, type, s->name, hash))) {
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
static int read_servers(struct iter_reply *out, const struct iter_message *m,
			enum wire_section section, const uint8_t *cut)
{
	struct delegation *d = &out->referral;
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	struct rrset *ns;
	int err = iter_message_rrset(&ns, m, section, DNS_NS, cut);
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
		/* The parent may tell addresses of its own names. Of others it may at
		 * most say where this one cut is, when they cannot be had otherwise. */
		s->foreign = !name_within(name, m->asked->from.zone);
		add_glue(d, s, m, DNS_A);
		add_glue(d, s, m, DNS_AAAA);
	}
	return ERR_OK;
}

/* Whether the child is signed is the parent's to say, RFC 4035 3.1.4.1. */
static int read_ds(struct iter_reply *out, const struct iter_message *m,
		   const uint8_t *cut)
{
	struct rrset *ds;
	int err = iter_message_rrset(&ds, m, WIRE_AUTHORITY, DNS_DS, cut);
	if (!err && !ds && m->proof_n)
		err = make_denial(&ds, m, cut, DNS_DS, RRSET_NODATA, out->referral.ttl);
	if (!err && ds)
		ds->rank = RANK_AUTHORITY;
	out->ds = ds;
	return err;
}

static int refer(struct iter_reply *out, const struct iter_message *m, const uint8_t *cut)
{
	int err = read_servers(out, m, WIRE_AUTHORITY, cut);
	out->class = ITER_REFERRAL;
	return err ? err : read_ds(out, m, out->referral.zone);
}

/* The root has no parent: who its servers are, it says itself, RFC 8109. */
static bool is_prime(const struct iter_reply *out, const struct iter_message *m)
{
	const struct iter_asked *a = m->asked;
	return out->class == ITER_ANSWER && authoritative(m) && a->type == DNS_NS &&
	       *a->name == 0 && *a->from.zone == 0 && !a->forward;
}

/* ---- the whole ---- */

/* Nothing was found at name: why? */
static int read_denial(struct iter_reply *out, const struct iter_message *m,
		       const uint8_t *name)
{
	uint8_t cut[DNS_NAME_MAX];
	struct rrset *soa;
	int err = find_soa(&soa, m, name);
	if (err)
		return err;
	/* A proof is as good a word about its zone as an SOA. */
	bool trusted = may_deny(m) || m->proof_n;
	if (m->rcode == DNS_NXDOMAIN) {
		if (soa || (trusted && !out->answer_n))
			return deny(out, m, name, soa, RRSET_NXDOMAIN);
	} else if (soa) {
		return deny(out, m, name, soa, RRSET_NODATA);
	} else if (!out->answer_n && find_cut(cut, m)) {
		/* A referral is no answer from a resolver. */
		if (!m->asked->forward)
			return refer(out, m, cut);
	} else if (!out->answer_n && trusted && !points_away(m)) {
		return deny(out, m, name, NULL, RRSET_NODATA);
	}
	/* A chain without a word about its end: the end is asked for on its own. */
	out->class = out->answer_n ? ITER_CNAME : ITER_LAME;
	return ERR_OK;
}

static int classify(struct iter_reply *out, const struct iter_message *m)
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
	name_copy(name, m->asked->name);
	err = m->asked->type == DNS_ANY ? read_any(out, m) : read_chain(out, m, name);
	/* RFC 6672 3.1: only as the end of a chain is YXDOMAIN worth anything. */
	if (!err && m->rcode == DNS_YXDOMAIN && out->class != ITER_CNAME)
		out->class = ITER_ERROR;
	if (!err && out->class == ITER_NODATA)
		err = read_denial(out, m, name);
	if (!err && out->answer_n && !out->negative)
		prove(out->answer[out->answer_n - 1], m);
	if (!err && is_prime(out, m))
		err = read_servers(out, m, WIRE_ANSWER, name);
	out->second_hand =
		!err && out->class > ITER_REFERRAL && !may_deny(m) && (m->flags & DNS_RA);
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
	out->ds = NULL;
	out->has_opt = out->has_aa = out->second_hand = false;
	out->referral.servers_n = 0;
	out->class = iter_message_match(asked, msg, len);
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
	struct iter_message m = {
		.arena = arena, .asked = asked, .bytes = msg, .len = len};
	m.flags = wire_get16(msg + 2);
	m.rcode = m.flags & DNS_RCODE_MASK;
	int err = iter_message_index(&m);
	out->has_opt = m.has_opt;
	out->has_aa = authoritative(&m);
	err = err ? err : iter_message_proofs(&m);
	err = err ? err : classify(out, &m);
	if (err == ERR_FORMAT || err == ERR_RANGE) {
		out->class = ITER_ERROR;
		err = ERR_OK;
	}
	return err;
}
