#include "resolver/val.h"

#include "include/dns_text.h"
#include "resolver/denial.h"
#include "resolver/note.h"
#include "resolver/rrset_cache.h"
#include "resolver/server.h"
#include "resolver/val_parts.h"
#include "resolver/val_proof.h"

/* ---- verdicts on sets ---- */

/* Status of an RRset on the way; UNCHECKED: something has to be fetched or done first. */
typedef uint8_t status;

static const char *reason(int16_t ede)
{
	switch (ede) {
	case DNS_EDE_SIGNATURE_EXPIRED:
		return "signature expired";
	case DNS_EDE_SIGNATURE_NOT_YET_VALID:
		return "signature not yet valid";
	case DNS_EDE_DNSKEY_MISSING:
		return "no key that its parent vouches for";
	case DNS_EDE_RRSIGS_MISSING:
		return "signature missing";
	case DNS_EDE_NO_ZONE_KEY_BIT:
		return "not a zone's key";
	case DNS_EDE_NSEC_MISSING:
		return "no proof";
	case DNS_EDE_INDETERMINATE:
		return "cannot be validated";
	default:
		return "signature wrong";
	}
}

/* The first reason is told. */
static status fail(struct val *v, status st, int16_t ede, const uint8_t *name,
		   uint16_t type)
{
	char owner[DNS_NAME_TEXT_MAX], number[DNS_TYPE_TEXT_MAX], text[VAL_TEXT_MAX];
	if (v->text)
		return st;
	int n = snprintf(text, sizeof text, "%s: %s %s", reason(ede),
			 name_to_text(owner, name), dns_type_text(number, type));
	v->ede = ede;
	v->text = arena_copy(v->arena, text, (size_t)n + 1);
	v->failed = arena_copy(v->arena, name, name_len(name));
	v->failed_type = type;
	v->no_room |= !v->text || !v->failed;
	return st;
}

static status unknown(struct val *v, const uint8_t *name, uint16_t type)
{
	return fail(v, SECURITY_INDETERMINATE, DNS_EDE_INDETERMINATE, name, type);
}

/* RFC 5011: who follows the anchors sees their zones' keys. */
static void tell_keys(const struct val *v, const struct rrset *s)
{
	if (s->type != DNS_DNSKEY || s->kind != RRSET_DATA || !v->env->anchor_mail)
		return;
	struct anchor a = anchors_find(v->env->anchors, s->owner, false, v->env->now_s);
	if (a.kind == ANCHOR_TRUST && name_equal(a.zone, s->owner))
		anchor_mail_seen(v->env->anchor_mail, s);
}

/* One server of a zone may have old signatures, or none, where others have good ones: who
 * told s is to be asked last. */
static void blame(struct val *v, const struct rrset *s)
{
	v->fresh = true;
	if (s->from.zone)
		server_lame(v->env->servers, &s->from.addr, s->from.zone, v->env->now_ms);
}

static status known_bogus(struct val *v, const struct rrset *s)
{
	v->known |= !v->fresh;
	return s->why_name ? fail(v, SECURITY_BOGUS, s->why, s->why_name, s->why_type)
			   : fail(v, SECURITY_BOGUS, s->why, s->owner, s->type);
}

/* The status is final: it stands with the RRset, here and in the cache. */
static status settle(struct val *v, struct rrset *s, status st)
{
	if (st == SECURITY_UNCHECKED || st == SECURITY_INDETERMINATE)
		return st;
	s->security = st;
	if (st == SECURITY_SECURE)
		tell_keys(v, s);
	if (st == SECURITY_BOGUS) {
		blame(v, s);
		s->why = v->ede;
		s->why_name = v->failed;
		s->why_type = v->failed_type;
		if (s->ttl > VAL_BOGUS_TTL_S)
			s->ttl = VAL_BOGUS_TTL_S;
	}
	rrset_cache_put(v->env->cache, s, v->env->now_s);
	if (v->env->noter)
		note(v->env,
		     (struct note){.kind = NOTE_VALIDATED,
				   .rrset = s,
				   .text = st == SECURITY_BOGUS ? v->text : NULL});
	return st;
}

/* ---- signatures ---- */

/* The records of a denial are its zone's SOA. */
static struct rrset soa_of(const struct rrset *s)
{
	struct rrset soa = *s;
	soa.owner = s->soa_owner;
	soa.type = DNS_SOA;
	soa.kind = RRSET_DATA;
	return soa;
}

/* RFC 4035 2.4; the root has no parent. */
static bool is_parents(const struct rrset *s)
{
	return s->type == DNS_DS && *s->owner;
}

/* Which zone says that it made s; NULL = nobody does. */
static const uint8_t *signer_of(const struct rrset *s)
{
	const uint8_t *signer = NULL;
	if (s->kind == RRSET_DATA)
		return val_sig_signer(s);
	if (s->soa_owner) {
		const struct rrset soa = soa_of(s);
		signer = val_sig_signer(&soa);
	}
	for (int i = 0; i < s->proof_n && !signer; i++)
		signer = val_sig_signer(s->proof[i]);
	bool may = signer && (is_parents(s) ? name_below(s->owner, signer)
					    : name_within(s->owner, signer));
	return may ? signer : NULL;
}

static void limit_ttl(struct rrset *s, uint32_t ttl_max)
{
	s->ttl = s->ttl < ttl_max ? s->ttl : ttl_max;
}

static bool sha1(const struct val *v)
{
	return v->env->conf->recursion.validate_sha1;
}

static void check_sig(struct val *v, struct val_sig *out, const struct rrset *s,
		      const uint8_t *zone, const struct rrset *keys)
{
	int32_t before = v->work.question;
	val_sig_check(out, s, zone, keys, sha1(v), &v->work, v->env->now_s);
	v->slice -= before - v->work.question;
}

/* One answer's hashes are bounded; those of a question's are paid for like checks. */
static void pay_hashes(struct val *v)
{
	int32_t n = VAL_HASHES_MAX - v->work.hashes;
	int32_t cost = (n + VAL_HASHES_PER_CHECK - 1) / VAL_HASHES_PER_CHECK;
	v->work.question -= cost;
	v->slice -= cost;
}

/* Those proofs of s that p->zone has signed. What a wildcard made proves nothing. False:
 * there is no work left to look at them all. */
static bool take_proofs(struct val *v, struct proof *p, struct rrset *s,
			const struct rrset *keys, const struct rrset *list[])
{
	bool all = true;
	p->set = list;
	p->n = 0;
	for (int i = 0; i < s->proof_n; i++) {
		struct val_sig sig;
		check_sig(v, &sig, s->proof[i], p->zone, keys);
		all &= sig.security != SECURITY_INDETERMINATE;
		if (sig.security != SECURITY_SECURE || sig.encloser)
			continue;
		limit_ttl(s, sig.ttl_max);
		list[p->n++] = s->proof[i];
	}
	return all;
}

/* What proved s denies other names too, RFC 8198. */
static void keep_proofs(const struct val *v, const struct rrset *s, const struct proof *p)
{
	struct denial *d = v->env->denial;
	for (int i = 0; d && i < p->n; i++) {
		const struct rrset *set = p->set[i];
		denial_put(d, p->zone, set, set->ttl < s->ttl ? set->ttl : s->ttl,
			   v->env->now_s);
	}
	if (d && s->kind != RRSET_DATA && s->soa_owner) {
		const struct rrset soa = soa_of(s);
		denial_put(d, p->zone, &soa, s->ttl, v->env->now_s);
	}
}

/* What made s stands for other names too, RFC 8198 5.3. */
static void keep_wildcard(const struct val *v, const struct rrset *s,
			  const uint8_t *encloser)
{
	uint8_t owner[DNS_NAME_MAX];
	struct rrset w = *s;
	if (!v->env->denial)
		return;
	proof_wildcard_name(owner, encloser);
	w.owner = owner;
	w.security = SECURITY_SECURE;
	w.proof_n = 0;
	rrset_cache_put(v->env->cache, &w, v->env->now_s);
}

/* all: the proofs that were looked at are all there are. */
static status of_proof(struct val *v, enum proof_result r, const struct rrset *s,
		       const struct proof *p, bool all)
{
	switch (r) {
	case PROOF_SECURE:
		keep_proofs(v, s, p);
		return SECURITY_SECURE;
	case PROOF_INSECURE:
		return SECURITY_INSECURE;
	case PROOF_SPENT:
		return unknown(v, s->owner, s->type);
	case PROOF_NOTHING:
		break;
	}
	if (!all)
		return unknown(v, s->owner, s->type);
	return fail(v, SECURITY_BOGUS, DNS_EDE_NSEC_MISSING, s->owner, s->type);
}

static status of_sig(struct val *v, const struct val_sig *sig, const struct rrset *s)
{
	if (sig->security == SECURITY_BOGUS)
		return fail(v, SECURITY_BOGUS, sig->ede, s->owner, s->type);
	return unknown(v, s->owner, s->type);
}

static status check_denial(struct val *v, struct rrset *s, const uint8_t *zone,
			   const struct rrset *keys)
{
	const struct rrset *list[RRSET_PROOF_MAX];
	struct proof p = {.zone = zone, .work = &v->work};
	struct val_sig sig;
	if (s->soa_owner) {
		const struct rrset soa = soa_of(s);
		check_sig(v, &sig, &soa, zone, keys);
		if (sig.security != SECURITY_SECURE)
			return of_sig(v, &sig, &soa);
		limit_ttl(s, sig.ttl_max);
	}
	bool all = take_proofs(v, &p, s, keys, list);
	return of_proof(v,
			s->kind == RRSET_NXDOMAIN
				? proof_nxdomain(&p, s->owner)
				: proof_nodata(&p, s->owner, s->type, &s->cut),
			s, &p, all);
}

/* Proofs that s does not need may spare later questions: that a cut behind an alias is
 * not signed. They are looked at while there is work to spare, and go no further. */
static void keep_beside(struct val *v, struct rrset *s, const uint8_t *zone,
			const struct rrset *keys)
{
	const struct rrset *list[RRSET_PROOF_MAX];
	struct proof p = {.zone = zone, .work = &v->work};
	struct rrset beside = *s;
	if (v->env->denial && v->work.question > VAL_SIGS_QUESTION / 2) {
		(void)take_proofs(v, &p, &beside, keys, list);
		keep_proofs(v, &beside, &p);
	}
	s->proof_n = 0;
}

static status check_data(struct val *v, struct rrset *s, const uint8_t *zone,
			 const struct rrset *keys)
{
	const struct rrset *list[RRSET_PROOF_MAX];
	struct proof p = {.zone = zone, .work = &v->work};
	struct val_sig sig;
	check_sig(v, &sig, s, zone, keys);
	if (sig.security != SECURITY_SECURE)
		return of_sig(v, &sig, s);
	limit_ttl(s, sig.ttl_max);
	if (!sig.encloser) {
		keep_beside(v, s, zone, keys);
		return SECURITY_SECURE;
	}
	bool all = take_proofs(v, &p, s, keys, list);
	status st = of_proof(v, proof_wildcard(&p, s->owner, sig.encloser), s, &p, all);
	if (st == SECURITY_SECURE)
		keep_wildcard(v, s, sig.encloser);
	return st;
}

/* ---- the chain ---- */

enum cut { CUT_WAITS, CUT_SIGNED, CUT_UNSIGNED, CUT_NONE, CUT_BOGUS, CUT_UNKNOWN };

static status set_status(struct val *v, struct rrset *s, int depth);

static struct anchor anchor_of(const struct val *v, const uint8_t *name, bool above)
{
	return anchors_find(v->env->anchors, name, above, v->env->now_s);
}

/* RFC 4035 5.2: without an algorithm and a digest that we know the zone is unsigned. */
static bool usable(const struct val *v, const struct rrset *ds)
{
	int16_t ede;
	return val_sig_usable(ds, sha1(v), &ede);
}

static enum cut cut_of_ds(const struct val *v, const struct rrset *ds, status st)
{
	switch (st) {
	case SECURITY_SECURE:
		if (ds->kind == RRSET_NODATA && ds->cut)
			return CUT_UNSIGNED;
		if (ds->kind != RRSET_DATA)
			return CUT_NONE;
		return usable(v, ds) ? CUT_SIGNED : CUT_UNSIGNED;
	case SECURITY_INSECURE:
		return CUT_UNSIGNED;
	case SECURITY_BOGUS:
		return CUT_BOGUS;
	case SECURITY_INDETERMINATE:
		return CUT_UNKNOWN;
	default:
		return CUT_WAITS;
	}
}

static enum cut cut_at(struct val *v, const uint8_t *zone, const struct rrset **ds,
		       int depth);

/* Below a zone that is not signed nobody has to be asked for a DS. CUT_SIGNED when that
 * is not known. */
static enum cut cut_above(struct val *v, const uint8_t *zone, const struct anchor *a,
			  int depth)
{
	const struct rrset *ds;
	struct delegation d;
	int got = rrset_cache_get_delegation(v->env->cache, &d, v->arena, zone, false,
					     v->env->now_s);
	v->no_room |= got < 0;
	if (got != RRSET_CACHE_HIT || !name_equal(d.zone, zone) || !d.from.zone ||
	    !name_below(zone, d.from.zone) || !name_within(d.from.zone, a->zone))
		return CUT_SIGNED;
	enum cut cut = cut_at(v, d.from.zone, &ds, depth);
	return cut == CUT_UNSIGNED || cut == CUT_WAITS ? cut : CUT_SIGNED;
}

/* The first zone below top, at or above end, of which more is known than that it is
 * signed or none; else CUT_NONE. */
static enum cut cut_between(struct val *v, const uint8_t *top, const uint8_t *end,
			    const uint8_t **zone, int depth)
{
	const struct rrset *ds;
	for (unsigned n = name_labels(top) + 1; n <= name_labels(end); n++) {
		*zone = name_last(end, n);
		enum cut cut = cut_at(v, *zone, &ds, depth);
		if (cut != CUT_SIGNED && cut != CUT_NONE)
			return cut;
	}
	return CUT_NONE;
}

/* What zone's parents say of its keys. *ds: what vouches for them, when CUT_SIGNED. Whose
 * servers do not say it may lie below a zone that is not signed all the same. */
static enum cut cut_at(struct val *v, const uint8_t *zone, const struct rrset **ds,
		       int depth)
{
	const uint8_t *where;
	const struct anchor a = anchor_of(v, zone, false);
	if (a.kind != ANCHOR_TRUST)
		return CUT_UNSIGNED;
	if (name_equal(a.zone, zone)) {
		*ds = a.ds;
		return usable(v, a.ds) ? CUT_SIGNED : CUT_UNSIGNED;
	}
	struct val_set *s = val_fetch_get(v, zone, DNS_DS);
	if (s && s->state == VAL_UNKNOWN && depth) {
		enum cut cut =
			cut_between(v, a.zone, name_parent(zone), &where, depth - 1);
		if (cut != CUT_NONE)
			return cut;
	}
	if (!s || s->state == VAL_UNKNOWN || depth == 0) {
		unknown(v, zone, DNS_DS);
		return CUT_UNKNOWN;
	}
	if (s->state == VAL_MISSING) {
		enum cut above = cut_above(v, zone, &a, depth - 1);
		if (above != CUT_SIGNED)
			return above;
	}
	if (!val_fetch_need(s))
		return CUT_WAITS;
	/* An alias, signed or not, or word from above the anchor: at worst something
	 * becomes bogus. */
	if ((s->set.kind == RRSET_DATA && s->set.type != DNS_DS) ||
	    !name_within(s->set.owner, a.zone))
		return CUT_NONE;
	*ds = &s->set;
	return cut_of_ds(v, &s->set, set_status(v, &s->set, depth - 1));
}

static status status_of_cut(struct val *v, enum cut cut, const uint8_t *zone)
{
	switch (cut) {
	case CUT_UNSIGNED:
		return SECURITY_INSECURE;
	case CUT_BOGUS:
		return SECURITY_BOGUS;
	case CUT_UNKNOWN:
		return SECURITY_INDETERMINATE;
	case CUT_NONE: /* the parent knows of no such zone */
		return fail(v, SECURITY_BOGUS, DNS_EDE_DNSKEY_MISSING, zone, DNS_DNSKEY);
	default:
		return SECURITY_UNCHECKED;
	}
}

/* Keys that are not good are as short-lived as anything that is bogus: they may have been
 * forged, whatever TTL they came with. */
static status check_keys(struct val *v, struct rrset *keys, const struct rrset *ds)
{
	struct val_sig sig;
	int32_t before = v->work.question;
	if (keys->security == SECURITY_SECURE)
		return SECURITY_SECURE;
	if (keys->security == SECURITY_BOGUS)
		return known_bogus(v, keys);
	if (keys->kind != RRSET_DATA || keys->type != DNS_DNSKEY)
		return settle(v, keys,
			      fail(v, SECURITY_BOGUS, DNS_EDE_DNSKEY_MISSING, keys->owner,
				   DNS_DNSKEY));
	v->work.response = VAL_SIGS_RESPONSE;
	val_sig_check_keys(&sig, keys, ds, sha1(v), &v->work, v->env->now_s);
	v->slice -= before - v->work.question;
	if (sig.security != SECURITY_SECURE)
		return settle(v, keys, of_sig(v, &sig, keys));
	limit_ttl(keys, sig.ttl_max);
	return settle(v, keys, SECURITY_SECURE);
}

/* SECURE: *keys are the keys of zone. They are asked for beside its DS as soon as that
 * promises to be there. */
static status zone_status(struct val *v, const uint8_t *zone, const struct rrset **keys,
			  int depth)
{
	const struct rrset *ds;
	enum cut cut = cut_at(v, zone, &ds, depth);
	const struct val_set *early = val_fetch_find(v, zone, DNS_DS);
	bool promising =
		early && early->state == VAL_HERE && early->set.kind == RRSET_DATA;
	if (cut != CUT_SIGNED && !(cut == CUT_WAITS && promising))
		return status_of_cut(v, cut, zone);
	struct val_set *s = val_fetch_get(v, zone, DNS_DNSKEY);
	if (!s || s->state == VAL_UNKNOWN)
		return fail(v, SECURITY_INDETERMINATE, DNS_EDE_DNSKEY_MISSING, zone,
			    DNS_DNSKEY);
	bool here = val_fetch_need(s);
	if (cut == CUT_WAITS || !here || v->slice <= 0) {
		v->yields |= cut == CUT_SIGNED && here;
		return SECURITY_UNCHECKED;
	}
	*keys = &s->set;
	return check_keys(v, &s->set, ds);
}

/* Nobody signed s: somewhere between the trust anchor and its owner there must be a cut
 * that is proved to have no DS. Most likely it is the one that s was got from. */
static status unsigned_status(struct val *v, const struct rrset *s,
			      const struct anchor *a, int depth)
{
	const uint8_t *zone = s->from.zone, *end = s->owner, *top = a->zone;
	const struct rrset *ds;
	enum cut cut = CUT_NONE;
	if (zone && name_within(zone, a->zone))
		cut = cut_at(v, zone, &ds, depth);
	if (cut == CUT_SIGNED)
		top = zone;
	else if (cut != CUT_NONE)
		return status_of_cut(v, cut, zone);
	cut = cut_between(v, top, is_parents(s) ? name_parent(end) : end, &zone, depth);
	if (cut != CUT_NONE)
		return status_of_cut(v, cut, zone);
	return fail(v, SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING, s->owner, s->type);
}

static status signed_status(struct val *v, struct rrset *s, const uint8_t *signer,
			    int depth)
{
	const uint8_t *given = s->from.zone;
	const struct rrset *keys, *ds;
	/* The servers of an unsigned zone say what they like, in anybody's name. */
	if (given && name_below(given, signer) && name_within(s->owner, given)) {
		enum cut cut = cut_at(v, given, &ds, depth);
		if (cut == CUT_UNSIGNED || cut == CUT_WAITS)
			return status_of_cut(v, cut, given);
	}
	status st = zone_status(v, signer, &keys, depth);
	if (st != SECURITY_SECURE)
		return st;
	if (v->slice <= 0) {
		v->yields = true;
		return SECURITY_UNCHECKED;
	}
	v->work.response = VAL_SIGS_RESPONSE;
	v->work.hashes = VAL_HASHES_MAX;
	st = s->kind == RRSET_DATA ? check_data(v, s, signer, keys)
				   : check_denial(v, s, signer, keys);
	pay_hashes(v);
	return st;
}

static status set_status(struct val *v, struct rrset *s, int depth)
{
	uint8_t signer[DNS_NAME_MAX];
	if (s->security == SECURITY_BOGUS)
		return known_bogus(v, s);
	if (s->security != SECURITY_UNCHECKED)
		return s->security;
	/* Signatures are not signed, RFC 4035 2.2: who asks for them may check them. */
	if (s->type == DNS_RRSIG && s->kind == RRSET_DATA)
		return settle(v, s, SECURITY_INSECURE);
	const struct anchor a = anchor_of(v, s->owner, is_parents(s));
	if (a.kind != ANCHOR_TRUST)
		return settle(v, s, SECURITY_INSECURE);
	const uint8_t *by = signer_of(s);
	if (by) {
		name_copy(signer, by);
		name_lower(signer, name_len(signer));
		status st = signed_status(v, s, signer, depth);
		/* From above the nearest anchor a signature may tell what is so (RFC 6840
		 * C.3), not that nobody needs to sign. */
		if (st == SECURITY_SECURE || st == SECURITY_UNCHECKED ||
		    name_within(signer, a.zone))
			return settle(v, s, st);
	}
	return settle(v, s, unsigned_status(v, s, &a, depth));
}

/* ---- answers ---- */

void val_start(struct val *v, struct arena *arena)
{
	*v = (struct val){.arena = arena,
			  .work = {.question = VAL_SIGS_QUESTION},
			  .ede = DNS_EDE_NONE};
}

bool val_again(struct val *v)
{
	if (v->again || v->known || !v->fresh)
		return false;
	v->again = true;
	v->sets_n = 0; /* what is under way comes to nothing */
	return true;
}

/* What nobody signed above the nearest trust anchor of a name, an alias (DNAME) or that
 * there is nothing, is no word about that name. Of itself it may be all right. */
static status part_status(struct val *v, const struct val_part *p)
{
	status st = set_status(v, p->set, VAL_DEPTH_MAX);
	if (st != SECURITY_INSECURE || name_equal(p->set->owner, p->name))
		return st;
	const struct anchor a = anchor_of(v, p->name, false);
	if (a.kind != ANCHOR_TRUST || name_within(p->set->owner, a.zone))
		return st;
	st = fail(v, SECURITY_BOGUS, DNS_EDE_RRSIGS_MISSING, p->set->owner, p->set->type);
	p->set->security = st;
	p->set->why = v->ede;
	return st;
}

/* What came with p may prove what next is judged by. */
static bool tells_of(const struct val_part *p, const struct val_part *next)
{
	const struct rrset *s = p->set;
	return s->kind == RRSET_DATA && s->proof_n && s->from.zone &&
	       name_within(next->name, s->from.zone);
}

enum val_result val_check(struct val *v, const struct resolve_env *env,
			  const struct val_part *parts, int n)
{
	bool waits = false, failed = false;
	v->env = env;
	v->slice = VAL_SLICE;
	v->yields = false;
	for (int i = 0; i < n && !failed; i++) {
		v->fresh |= parts[i].set->security == SECURITY_BOGUS;
		status st = part_status(v, &parts[i]);
		waits |= st == SECURITY_UNCHECKED;
		failed = st == SECURITY_BOGUS || st == SECURITY_INDETERMINATE;
		if (waits && i + 1 < n && tells_of(&parts[i], &parts[i + 1]))
			break;
	}
	if (v->no_room)
		return VAL_NO_ROOM;
	if (v->blocked.kind == VERDICT_ACT)
		return VAL_BLOCKED;
	if (failed || !waits)
		return VAL_DONE;
	return v->yields ? VAL_YIELDS : VAL_WAITS;
}
