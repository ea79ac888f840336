#include "resolver/denial.h"
#include "resolver/note.h"
#include "resolver/resolve_parts.h"
#include "resolver/val_proof.h"

/* What will soon be gone does not help to renew it, nor what is bogus; a client wants the
 * SOA of a denial, which what came with a referral lacks. */
static int lasting(const struct resolve *r, const struct rrset *s, int got)
{
	if (got != RRSET_CACHE_HIT)
		return got;
	bool own = r->q.subject.own, bogus = s->security == SECURITY_BOGUS;
	bool bare = s->kind != RRSET_DATA && !s->rr_n && !own && !bogus;
	bool refused = bogus && (own || r->val.again);
	bool due = r->q.refresh_s && s->ttl <= r->q.refresh_s;
	return bare || refused || due ? RRSET_CACHE_MISS : got;
}

static int get_at(const struct call *c, struct rrset *out, const uint8_t *name,
		  uint16_t type, uint32_t now_s)
{
	const struct resolve *r = c->r;
	int got = rrset_cache_get(c->io.env->cache, out, r->arena, name, type,
				  RANK_AUTHORITY, now_s);
	return lasting(r, out, got);
}

static int get(const struct call *c, struct rrset *out, uint16_t type, uint32_t now_s)
{
	return get_at(c, out, c->r->name[c->r->links], type, now_s);
}

static struct anchor find_anchor(const struct resolve_env *env, const uint8_t *name,
				 uint16_t type)
{
	return anchors_find(env->anchors, name, type == DNS_DS, env->now_s);
}

/* What is known of names above this one says nothing about name: a zone that the
 * configuration gives, or the nearest trust anchor's. */
static const uint8_t *known_from(const struct resolve_env *env, const uint8_t *name,
				 uint16_t type)
{
	const uint8_t *given = iter_given_zone(env->conf, name);
	const struct anchor a = find_anchor(env, name, type);
	return a.kind == ANCHOR_TRUST && name_within(a.zone, given) ? a.zone : given;
}

/* The type asked for, a denial, or else an alias; or what a name above says of all below
 * it. */
static int look_up(const struct call *c, struct rrset *out, uint32_t now_s)
{
	const struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	const uint8_t *name = r->name[r->links];
	int got = get(c, out, r->q.qtype, now_s);
	if (got != RRSET_CACHE_MISS)
		return got;
	/* Of an alias, too, ANY wants all that is beside it. */
	got = get(c, out, DNS_CNAME, now_s);
	if (got < 0 ||
	    (got == RRSET_CACHE_HIT && out->kind == RRSET_DATA && r->q.qtype != DNS_ANY))
		return got;
	got = rrset_cache_get_above(env->cache, out, r->arena, name,
				    known_from(env, name, r->q.qtype), now_s);
	/* What was bogus is asked for, not concluded. */
	if (got == RRSET_CACHE_HIT && out->kind == RRSET_NXDOMAIN && r->val.again)
		return RRSET_CACHE_MISS;
	return lasting(r, out, got);
}

/* What has a proof of its own, a wildcard made: its name has an asterisk by chance, and
 * another's proof does not fit its signature. */
static bool is_wild(const struct rrset *s, int got)
{
	return got == RRSET_CACHE_HIT && s->kind == RRSET_DATA &&
	       s->security == SECURITY_SECURE && !s->proof_n;
}

/* The wildcard that stands for the name; its type, or its alias. */
static int look_up_wildcard(const struct call *c, struct rrset *out, const uint8_t *top)
{
	const struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	const uint8_t *name = r->name[r->links], *at = name;
	const uint8_t *zone = denial_zone_of(env->denial, name, top);
	uint8_t wildcard[DNS_NAME_MAX];
	/* ANY wants all there is; a DS is no wildcard's. */
	if (!zone || r->q.qtype == DNS_ANY || r->q.qtype == DNS_DS)
		return DENIAL_MISS;
	while (!name_equal(at, zone)) {
		at = name_parent(at);
		proof_wildcard_name(wildcard, at);
		int got = get_at(c, out, wildcard, r->q.qtype, env->now_s);
		if (got >= 0 && !is_wild(out, got))
			got = get_at(c, out, wildcard, DNS_CNAME, env->now_s);
		if (got < 0)
			return got;
		if (is_wild(out, got))
			return denial_expand(env->denial, out, r->arena, name, zone,
					     env->now_s);
	}
	return DENIAL_MISS;
}

/* What the name's zone has proved about others and so about this, RFC 8198: zones that
 * are to be validated, at or below a trust anchor and what the configuration gives. */
static int look_up_proved(const struct call *c, struct rrset *out)
{
	const struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	const uint8_t *name = r->name[r->links];
	if (!env->denial || !env->anchors || r->val.again)
		return DENIAL_MISS;
	if (find_anchor(env, name, r->q.qtype).kind != ANCHOR_TRUST)
		return DENIAL_MISS;
	const uint8_t *top = known_from(env, name, r->q.qtype);
	int got =
		denial_get(env->denial, out, r->arena, name, r->q.qtype, top, env->now_s);
	if (got == DENIAL_MISS)
		got = look_up_wildcard(c, out, top);
	return lasting(r, out, got);
}

/* Never what proved to be forged, nor what nobody looked at while others were. */
static bool is_sound(const struct call *c, const struct rrset *s)
{
	return resolve_validates(c) ? s->security >= SECURITY_INSECURE
				    : s->security != SECURITY_BOGUS;
}

/* What has expired. An alias that came later has taken the place of what the name had
 * before. */
static int look_up_expired(const struct call *c, struct rrset *out)
{
	const struct conf *conf = c->io.env->conf;
	uint32_t then_s = c->io.env->now_s - conf->serve_stale.max_age_s;
	struct rrset alias;
	int got = look_up(c, out, then_s);
	if (got == RRSET_CACHE_HIT &&
	    get(c, &alias, DNS_CNAME, then_s) == RRSET_CACHE_HIT &&
	    alias.kind == RRSET_DATA && (int32_t)(alias.stored_s - out->stored_s) > 0)
		*out = alias;
	if (got == RRSET_CACHE_HIT && !is_sound(c, out))
		return RRSET_CACHE_MISS;
	out->ttl = conf->serve_stale.ttl_s;
	return got;
}

int resolve_from_cache(struct call *c, struct rrset *out)
{
	const struct resolve_env *env = c->io.env;
	enum note_kind known = NOTE_CACHED;
	bool expired = false;
	int got = look_up(c, out, env->now_s);
	if (got == RRSET_CACHE_MISS) {
		got = look_up_proved(c, out);
		if (got == DENIAL_HIT)
			known = NOTE_DENIED;
		c->r->denied = got == DENIAL_HIT && out->kind != RRSET_DATA;
	}
	if (got == RRSET_CACHE_MISS && env->stale) {
		got = look_up_expired(c, out);
		expired = got == RRSET_CACHE_HIT;
		c->r->expired |= expired;
	}
	if (got == RRSET_CACHE_HIT && env->noter)
		note(env, (struct note){.kind = known, .rrset = out, .expired = expired});
	return got;
}

/* ---- what was known before, RFC 8767 ---- */

static bool is_answer(const struct resolve *b)
{
	return b->state == RESOLVE_DONE && b->reply.rcode != DNS_SERVFAIL &&
	       b->reply.security != SECURITY_BOGUS;
}

/* The same question, answered from what is in the cache, expired or not, and judged as
 * the rules are now, by a machine that sends nothing; its reply has text for a reason.
 * NULL when that is no answer. Not for our own questions: servers that are no more would
 * get our packets. */
static const struct resolve *known_before(const struct call *c, const char *text)
{
	static const struct event start = {.kind = EVENT_START};
	static const struct budget none;
	struct resolve *r = c->r, *b = r->before;
	struct resolve_env env = *c->io.env;
	struct steps steps;
	if (!env.conf->serve_stale.enabled || env.stale || r->q.subject.own)
		return NULL;
	if (!b) {
		b = r->before = resolve_open(r->arena, &r->q, &none);
		if (!b)
			return NULL;
		b->q.refresh_s = 0;
	} else if (!is_answer(b)) {
		return NULL;
	}
	env.stale = env.cached_only = true;
	b->state = RESOLVE_NEW;
	resolve_step(b, &steps, &start, &env);
	b->reply.ede_text = text;
	return is_answer(b) ? b : NULL;
}

/* When it was asked again because of something bogus, that is the reason still. */
void resolve_fail(struct call *c, int16_t ede, const char *text)
{
	struct resolve *r = c->r;
	const struct resolve *before = r->val.again ? NULL : known_before(c, text);
	if (before) {
		r->reply = before->reply;
		resolve_end(c);
	} else if (r->val.again) {
		resolve_end_failed(c, r->val.ede, r->val.text);
	} else {
		resolve_end_failed(c, ede, text);
	}
}

/* Says nothing about the name. */
void resolve_overloaded(struct call *c)
{
	c->r->iter.starved = true;
	resolve_fail(c, DNS_EDE_OTHER, "too many questions are waiting");
}

/* Who waits has waited long enough. */
void resolve_tell(struct call *c)
{
	const struct resolve *before = known_before(c, "no fresh answer in time");
	if (before)
		resolve_reply_step(c, STEP_TELL, &before->reply);
}
