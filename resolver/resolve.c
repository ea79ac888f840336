#include "resolver/resolve.h"

#include <assert.h>

#include "resolver/denial.h"
#include "resolver/iter.h"
#include "resolver/note.h"
#include "resolver/rebinding.h"
#include "resolver/sentinel.h"
#include "resolver/val.h"

/* The question as it stands. chain holds what was learnt so far, in order: CNAMEs, each
 * behind the DNAME that made it, then the end. Whatever is in it has been judged; at
 * every event all of it is judged again, for the list may have changed. */
struct resolve {
	struct arena *arena;
	struct question q;
	struct policy_subject subject; /* with a passthru found on the way */
	struct budget budget;
	uint32_t last_id;
	enum { RESOLVE_NEW, RESOLVE_ASKING, RESOLVE_DONE } state;
	struct rrset *chain[REPLY_ANSWER_MAX];
	int chain_n, links;			  /* links: targets followed */
	const uint8_t *name[REPLY_CHAIN_MAX + 1]; /* the question, then each target */
	int upto[REPLY_CHAIN_MAX + 1];		  /* how much of the chain leads there */
	struct rrset *negative;
	uint8_t end;		 /* enum rrset_kind of the chain's end, once complete */
	bool complete, too_long; /* too_long: a DNAME made more than a name can hold */
	struct judged judged;
	struct verdict verdict;	     /* passthru that was found, or pass */
	int noted_names, noted_sets; /* of name and chain: what a listener knows */
	struct resolve *before;	     /* the same question, from what was known before */
	bool expired;		     /* the chain has parts that have expired */
	bool denied;		     /* its end is from env->denial */
	struct iter iter;
	struct val val;
	uint8_t security; /* of what has been judged so far; UNCHECKED = nobody looked */
	struct {
		uint32_t id;
		struct val_set *set;
	} wanted[VAL_WANTS_MAX];
	int wanted_n;
	struct reply reply;
};

/* One step's tools. */
struct call {
	struct resolve *r;
	struct iter_io io;
};

struct resolve *resolve_open(struct arena *arena, const struct question *q,
			     const struct budget *budget)
{
	struct resolve *r = arena_zero(arena, sizeof *r);
	if (!r)
		return NULL;
	r->arena = arena;
	r->q = *q;
	r->budget = *budget;
	r->name[0] = r->q.qname;
	val_start(&r->val, arena);
	return r;
}

struct budget resolve_budget(const struct resolve *r)
{
	return r->budget;
}

/* ---- ends ---- */

static void add_reply_step(const struct call *c, enum step_kind kind,
			   const struct reply *reply)
{
	assert(c->io.out->n < RESOLVE_STEPS_MAX);
	c->io.out->step[c->io.out->n++] = (struct step){.kind = kind, .reply = reply};
}

static void end(const struct call *c)
{
	add_reply_step(c, STEP_DONE, &c->r->reply);
	c->r->state = RESOLVE_DONE;
}

static void done(struct call *c)
{
	struct resolve *r = c->r;
	r->reply.monitor = r->judged.monitor;
	r->reply.change = r->judged.change;
	end(c);
}

static void done_failed(struct call *c, int16_t ede, const char *text)
{
	c->r->reply = (struct reply){.rcode = DNS_SERVFAIL,
				     .ede = ede,
				     .ede_text = text,
				     .restricted = c->r->iter.restricted,
				     .starved = c->r->iter.starved,
				     .verdict = c->r->verdict};
	done(c);
}

static void copy_chain(struct reply *reply, const struct resolve *r, int n)
{
	for (int i = 0; i < n; i++)
		reply->answer[i] = r->chain[i];
	reply->answer_n = n;
}

/* What validation found is told beside the answer: policy never hides bogus. */
static void set_security(struct reply *reply, const struct resolve *r)
{
	reply->security = r->security;
	if (r->security != SECURITY_BOGUS)
		return;
	reply->ede = r->val.ede;
	reply->ede_text = r->val.text;
	reply->cacheable = false;
}

/* links targets lead to the name that v is about. */
static void done_verdict(struct call *c, const struct verdict *v, int links)
{
	const struct resolve *r = c->r;
	struct reply *reply = &c->r->reply;
	*reply = (struct reply){
		.ede = DNS_EDE_NONE, .verdict = *v, .target = r->name[links]};
	copy_chain(reply, r, r->upto[links]);
	set_security(reply, r);
	done(c);
}

/* Nothing of it is told, but that it is bogus. */
static void withhold(struct reply *reply)
{
	reply->rcode = DNS_REFUSED;
	reply->answer_n = 0;
	reply->negative = NULL;
	reply->cacheable = false;
	if (reply->security == SECURITY_BOGUS)
		return;
	reply->security = SECURITY_UNCHECKED;
	reply->ede = DNS_EDE_BLOCKED;
	reply->ede_text = "a private address";
}

static void done_answer(struct call *c)
{
	struct resolve *r = c->r;
	uint16_t rcode = r->too_long		    ? DNS_YXDOMAIN
			 : r->end == RRSET_NXDOMAIN ? DNS_NXDOMAIN
						    : DNS_NOERROR;
	r->reply = (struct reply){.rcode = rcode,
				  .ede = !r->expired		 ? DNS_EDE_NONE
					 : rcode == DNS_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
								 : DNS_EDE_STALE,
				  .negative = r->negative,
				  .verdict = r->verdict,
				  .expired = r->expired,
				  .denied = r->denied,
				  .target = r->name[r->links],
				  .cacheable = !r->expired &&
					       r->judged.monitor.kind == VERDICT_PASS};
	copy_chain(&r->reply, r, r->chain_n);
	if (r->security == SECURITY_SECURE &&
	    sentinel_hides(c->io.env->anchors, r->q.qname, r->q.qtype, c->io.env->now_s))
		r->security = SECURITY_BOGUS;
	set_security(&r->reply, r);
	if (!r->q.subject.own &&
	    rebinding_forbids(c->io.env->conf, r->name[0], &r->reply))
		withhold(&r->reply);
	done(c);
}

static bool no_room(struct call *c)
{
	done_failed(c, DNS_EDE_OTHER, "answers too large to hold");
	return false;
}

/* ---- validation ---- */

/* Our own questions bring what the validator asks for, and addresses of servers. */
static bool validates(const struct call *c)
{
	return c->io.env->anchors && c->io.env->conf->recursion.validate &&
	       !c->r->q.subject.own;
}

/* A CNAME that came out of the DNAME before it is not signed. */
static bool is_made(const struct rrset *s, const struct rrset *before)
{
	return s->type == DNS_CNAME && before && before->type == DNS_DNAME &&
	       name_below(s->owner, before->owner);
}

/* Of sets that the validator is done with: one that is not good is enough. */
static uint8_t worst(const struct val_part *parts, int n)
{
	uint8_t all = SECURITY_SECURE;
	for (int i = 0; i < n; i++) {
		if (parts[i].set->security == SECURITY_INSECURE)
			all = SECURITY_INSECURE;
		else if (parts[i].set->security != SECURITY_SECURE)
			return SECURITY_BOGUS;
	}
	return all;
}

/* What is to be judged of n sets of the chain and its denial; returns how many. */
static int list_parts(const struct resolve *r, struct val_part *out, int n,
		      struct rrset *negative)
{
	int parts = 0, link = 0;
	for (int i = 0; i < n; i++) {
		link += link < r->links && i == r->upto[link + 1];
		if (!is_made(r->chain[i], i ? r->chain[i - 1] : NULL))
			out[parts++] = (struct val_part){r->chain[i], r->name[link]};
	}
	if (negative)
		out[parts++] = (struct val_part){negative, r->name[r->links]};
	return parts;
}

/* False when there was nothing to ask for. */
static bool ask_for_keys(struct call *c)
{
	struct resolve *r = c->r;
	struct val_set *set;
	bool any = r->wanted_n > 0;
	for (; (set = val_want(&r->val)); any = true) {
		uint32_t id = iter_ask_own(&c->io, set->name, set->type);
		if (!id)
			val_take(&r->val, set, NULL);
		else {
			r->wanted[r->wanted_n].id = id;
			r->wanted[r->wanted_n++].set = set;
		}
	}
	return any;
}

static void take_keys(struct resolve *r, const struct event *ev)
{
	for (int i = 0; ev->kind == EVENT_SUB_DONE && i < r->wanted_n; i++)
		if (r->wanted[i].id == ev->id) {
			val_take(&r->val, r->wanted[i].set, ev->reply);
			r->wanted[i] = r->wanted[--r->wanted_n];
			return;
		}
}

static void fail(struct call *c, int16_t ede, const char *text);

/* Says nothing about the name. */
static void overloaded(struct call *c)
{
	c->r->iter.starved = true;
	fail(c, DNS_EDE_OTHER, "too many questions are waiting");
}

/* Whether n sets of the chain, and its denial, have their status. False: an event is
 * needed, or the question has ended. */
static bool validate(struct call *c, int n, struct rrset *negative)
{
	struct resolve *r = c->r;
	struct val_part parts[REPLY_ANSWER_MAX + 1];
	int parts_n = list_parts(r, parts, n, negative);
	while (validates(c) && parts_n) {
		switch (val_check(&r->val, c->io.env, parts, parts_n)) {
		case VAL_DONE:
			r->security = worst(parts, parts_n);
			return true;
		case VAL_WAITS:
			if (c->io.env->cached_only) {
				overloaded(c);
				return false;
			}
			if (!ask_for_keys(c))
				return no_room(c);
			if (r->wanted_n)
				return false;
			break; /* nothing of it could be asked: that is known now */
		case VAL_YIELDS:
			c->io.out->step[c->io.out->n++] =
				(struct step){.kind = STEP_YIELD};
			return false;
		case VAL_BLOCKED:
			done_verdict(c, &r->val.blocked, r->links);
			return false;
		case VAL_NO_ROOM:
			return no_room(c);
		}
	}
	return true;
}

/* ---- policy over everything known ---- */

struct judge {
	struct call *c;
	struct policy_subject subject;
	struct verdict v;
	int err;
};

/* Whether v ends the question; a passthru frees what follows. */
static bool acts(struct judge *j)
{
	struct resolve *r = j->c->r;
	if (j->err)
		return true;
	judged_note(&r->judged, &j->v);
	if (j->v.kind == VERDICT_PASSTHRU && !j->subject.passthru) {
		j->subject.passthru = true;
		r->verdict = j->v;
	}
	return j->v.kind == VERDICT_ACT;
}

static bool name_acts(struct judge *j, const uint8_t *name)
{
	j->err = policy_name(&j->v, &j->c->r->judged.monitor, j->c->io.env->policy,
			     &j->subject, name);
	return acts(j);
}

/* The server that gave an RRset may have been listed since. */
static bool origin_acts(struct judge *j, const struct origin *from)
{
	j->err = policy_server(&j->v, &j->c->r->judged.monitor, j->c->io.env->policy,
			       &j->subject, from->server, &from->addr);
	return acts(j);
}

static bool addresses_act(struct judge *j, const struct rrset *s)
{
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	while (rrset_next(s, &at, &rdata, &len)) {
		struct addr a;
		if (s->type == DNS_A && len == 4)
			a = addr_v4(rdata, 0);
		else if (s->type == DNS_AAAA && len == 16)
			a = addr_v6(rdata, 0);
		else
			continue;
		j->err = policy_answer(&j->v, &j->c->r->judged.monitor,
				       j->c->io.env->policy, &j->subject, &a);
		if (acts(j))
			return true;
	}
	return false;
}

/* Server addresses are judged by the iterator that wants them, not as answers. */
static bool rrset_acts(struct judge *j, const struct rrset *s)
{
	return origin_acts(j, &s->from) || (!j->subject.own && addresses_act(j, s));
}

/* What proves a denial that was not asked for may be from several servers. */
static bool denial_acts(struct judge *j, const struct rrset *s)
{
	if (origin_acts(j, &s->from))
		return true;
	for (int i = 0; i < s->proof_n; i++) {
		const struct origin *from = &s->proof[i]->from;
		bool same = from->server == s->from.server &&
			    addr_equal(&from->addr, &s->from.addr);
		if (!same && origin_acts(j, from))
			return true;
	}
	return false;
}

/* In the order in which things were learnt: the first rule to act decides. Returns the
 * number of the name that it is about, or -1 when none acts. */
static int first_act(struct judge *j)
{
	struct resolve *r = j->c->r;
	int at = 0;
	for (int k = 0; k <= r->links; k++) {
		int end = k < r->links ? r->upto[k + 1] : r->chain_n;
		if (name_acts(j, r->name[k]))
			return k;
		for (; at < end; at++)
			if (rrset_acts(j, r->chain[at]))
				return k;
	}
	return r->negative && denial_acts(j, r->negative) ? r->links : -1;
}

static bool has_addresses(const struct rrset *s)
{
	return s->kind == RRSET_DATA && (s->type == DNS_A || s->type == DNS_AAAA);
}

/* For who listens: what was judged for the first time, and passed. */
static void note_passed(const struct call *c)
{
	struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	for (; r->noted_names <= r->links; r->noted_names++)
		note(env, (struct note){.kind = NOTE_NAME,
					.name = r->name[r->noted_names],
					.verdict = &r->verdict});
	for (; r->noted_sets < r->chain_n; r->noted_sets++)
		if (has_addresses(r->chain[r->noted_sets]) && !r->q.subject.own)
			note(env, (struct note){.kind = NOTE_ADDRESSES,
						.rrset = r->chain[r->noted_sets],
						.verdict = &r->verdict});
}

/* A rule on what an answer led to acts once that answer has been validated: bogus stays
 * bogus. One on a server acts at once. */
static void act(struct call *c, const struct verdict *v, int links)
{
	const struct resolve *r = c->r;
	int n = v->trigger == RULE_ON_ANSWER  ? r->chain_n
		: v->trigger == RULE_ON_QNAME ? r->upto[links]
					      : 0;
	if (validate(c, n, NULL))
		done_verdict(c, v, links);
}

/* True when nothing acts: the question goes on. */
static bool judge(struct call *c)
{
	struct resolve *r = c->r;
	struct judge j = {.c = c, .subject = r->q.subject};
	r->verdict = (struct verdict){0};
	int links = first_act(&j);
	r->subject = j.subject;
	if (j.err)
		done_failed(c, DNS_EDE_NOT_READY, "the blocklist cannot be read");
	else if (links >= 0)
		act(c, &j.v, links);
	else if (c->io.env->noter)
		note_passed(c);
	return !j.err && links < 0;
}

/* ---- the chain ---- */

/* Our own questions want the name itself: an alias ends them. */
static bool is_link(const struct resolve *r, const struct rrset *s)
{
	return s->kind == RRSET_DATA && s->type == DNS_CNAME && r->q.qtype != DNS_CNAME &&
	       r->q.qtype != DNS_ANY && !r->q.subject.own;
}

static bool was_asked(const struct resolve *r, const uint8_t *name)
{
	for (int i = 0; i <= r->links; i++)
		if (name_equal(r->name[i], name))
			return true;
	return false;
}

/* False when the question has ended. */
static bool add_link(struct call *c, struct rrset *s)
{
	struct resolve *r = c->r;
	uint8_t target[DNS_NAME_MAX];
	iter_reply_target(target, s);
	if (was_asked(r, target)) {
		done_failed(c, DNS_EDE_OTHER, "CNAME loop");
		return false;
	}
	if (r->links == REPLY_CHAIN_MAX) {
		done_failed(c, DNS_EDE_OTHER, "CNAME chain too long");
		return false;
	}
	const uint8_t *name = arena_copy(r->arena, target, name_len(target));
	if (!name)
		return no_room(c);
	r->chain[r->chain_n++] = s;
	r->name[++r->links] = name;
	r->upto[r->links] = r->chain_n;
	return true;
}

static void add_end(struct resolve *r, struct rrset *s)
{
	r->complete = true;
	r->end = s->kind;
	if (s->kind == RRSET_DATA)
		r->chain[r->chain_n++] = s;
	else
		r->negative = s;
}

/* The CNAME that a DNAME makes for the name, RFC 6672 3.1; NULL when there is no room. */
static struct rrset *make_cname(struct resolve *r, const struct rrset *dname,
				const uint8_t *target)
{
	size_t len = name_len(target);
	struct rrset *s = arena_get(r->arena, sizeof *s);
	uint8_t *data = arena_get(r->arena, 2 + len);
	if (!s || !data)
		return NULL;
	wire_set16(data, (unsigned)len);
	memcpy(data + 2, target, len);
	*s = *dname;
	s->owner = r->name[r->links];
	s->type = DNS_CNAME;
	s->sig_n = 0;
	s->sigs_len = 0;
	s->data = data;
	s->data_len = (uint32_t)(2 + len);
	return s;
}

/* A DNAME above the name. False when the question has ended. */
static bool add_dname(struct call *c, struct rrset *dname)
{
	struct resolve *r = c->r;
	uint8_t target[DNS_NAME_MAX];
	r->chain[r->chain_n++] = dname;
	if (iter_reply_rename(target, r->name[r->links], dname)) {
		r->complete = r->too_long = true;
		return true;
	}
	struct rrset *s = make_cname(r, dname, target);
	if (!s)
		return no_room(c);
	if (r->q.qtype != DNS_CNAME && r->q.qtype != DNS_ANY)
		return add_link(c, s);
	add_end(r, s);
	return true;
}

/* Adds one RRset to the chain, or its denial. False when the question has ended. */
static bool add(struct call *c, struct rrset *s)
{
	struct resolve *r = c->r;
	if (is_link(r, s))
		return add_link(c, s);
	if (s->kind == RRSET_DATA && s->type == DNS_DNAME && !r->q.subject.own &&
	    name_below(r->name[r->links], s->owner))
		return add_dname(c, s);
	add_end(r, s);
	return true;
}

static void add_reply(struct call *c, const struct iter_reply *reply)
{
	for (int i = 0; i < reply->answer_n; i++)
		if (!add(c, reply->answer[i]))
			return;
	if (reply->negative)
		add(c, reply->negative);
}

/* What will soon be gone does not help to renew it; a client wants the SOA of a denial,
 * which what came with a referral lacks. */
static int lasting(const struct resolve *r, const struct rrset *s, int got)
{
	if (got != RRSET_CACHE_HIT)
		return got;
	bool bare = s->kind != RRSET_DATA && !s->rr_n && !r->q.subject.own;
	return bare || s->ttl <= r->q.refresh_s ? RRSET_CACHE_MISS : got;
}

static int get(const struct call *c, struct rrset *out, uint16_t type, uint32_t now_s)
{
	const struct resolve *r = c->r;
	int got = rrset_cache_get(c->io.env->cache, out, r->arena, r->name[r->links],
				  type, RANK_AUTHORITY, now_s);
	return lasting(r, out, got);
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
	if (got != RRSET_CACHE_MISS || r->q.qtype == DNS_ANY)
		return got;
	got = get(c, out, DNS_CNAME, now_s);
	if (got < 0 || (got == RRSET_CACHE_HIT && out->kind == RRSET_DATA))
		return got;
	got = rrset_cache_get_above(env->cache, out, r->arena, name,
				    known_from(env, name, r->q.qtype), now_s);
	return lasting(r, out, got);
}

/* What the name's zone has proved about others and so about this, RFC 8198: zones that
 * are to be validated, at or below a trust anchor and what the configuration gives. */
static int look_up_denied(const struct call *c, struct rrset *out)
{
	const struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	const uint8_t *name = r->name[r->links];
	if (!env->denial || !env->anchors)
		return DENIAL_MISS;
	if (find_anchor(env, name, r->q.qtype).kind != ANCHOR_TRUST)
		return DENIAL_MISS;
	int got = denial_get(env->denial, out, r->arena, name, r->q.qtype,
			     known_from(env, name, r->q.qtype), env->now_s);
	return lasting(r, out, got);
}

/* Never what proved to be forged, nor what nobody looked at while others were. */
static bool is_sound(const struct call *c, const struct rrset *s)
{
	return validates(c) ? s->security >= SECURITY_INSECURE
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

static int from_cache(struct call *c, struct rrset *out)
{
	const struct resolve_env *env = c->io.env;
	enum note_kind known = NOTE_CACHED;
	bool expired = false;
	int got = look_up(c, out, env->now_s);
	if (got == RRSET_CACHE_MISS) {
		got = look_up_denied(c, out);
		if (got == DENIAL_HIT)
			known = NOTE_DENIED;
		c->r->denied = got == DENIAL_HIT;
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

/* The question cannot be answered now: with what was known before, or not at all. */
static void fail(struct call *c, int16_t ede, const char *text)
{
	const struct resolve *before = known_before(c, text);
	if (!before) {
		done_failed(c, ede, text);
		return;
	}
	c->r->reply = before->reply;
	end(c);
}

/* Who waits has waited long enough. */
static void tell(struct call *c)
{
	const struct resolve *before = known_before(c, "no fresh answer in time");
	if (before)
		add_reply_step(c, STEP_TELL, &before->reply);
}

/* ---- the walk ---- */

/* The question as it stands, under the rules that hold for it now. */
static struct failure failure_of(const struct call *c)
{
	const struct resolve *r = c->r;
	const struct blocklist_stamp *stamp = &c->io.env->policy->stamp;
	return (struct failure){.name = r->name[r->links],
				.type = r->q.qtype,
				.rules = stamp->epoch ^
					 (stamp->generation << 9 | r->subject.class << 1 |
					  r->subject.passthru),
				.until_s = r->judged.change};
}

/* RFC 9520. Not what rules caused: they may change at once; nor what a sub-question could
 * not find out with its share of a budget. */
static void remember_failure(struct call *c)
{
	const struct resolve *r = c->r;
	struct failure f = failure_of(c);
	f.text = r->iter.ede_text;
	f.least_s = r->reply.rcode == DNS_SERVFAIL ? 0 : FAILURE_TTL_STALE_S;
	if (!r->iter.restricted && !(r->iter.starved && r->q.subject.own))
		rrset_cache_put_failure(c->io.env->cache, &f, c->io.env->now_s);
}

/* 1 when the name is known to have failed lately: the question has ended. */
static int failed_lately(struct call *c)
{
	struct failure f = failure_of(c);
	int got = rrset_cache_get_failure(c->io.env->cache, &f, c->r->arena,
					  c->io.env->now_s);
	if (got == RRSET_CACHE_HIT)
		fail(c, DNS_EDE_CACHED_ERROR, f.text);
	return got;
}

/* False when the question has ended; *more: the chain goes on with another name. */
static bool took(struct call *c, enum iter_result result, bool *more)
{
	struct resolve *r = c->r;
	*more = false;
	switch (result) {
	case ITER_WAITS:
		return true;
	case ITER_FAILED:
		if (r->iter.ede == DNS_EDE_NOT_READY) {
			done_failed(c, r->iter.ede, r->iter.ede_text);
			return false;
		}
		fail(c, r->iter.ede, r->iter.ede_text);
		remember_failure(c);
		return false;
	case ITER_BLOCKED:
		done_verdict(c, &r->iter.blocked, r->links);
		return false;
	case ITER_DONE:
		break;
	}
	rrset_cache_forgive(c->io.env->cache, r->name[r->links], r->q.qtype);
	add_reply(c, &r->iter.reply);
	*more = true;
	return r->state != RESOLVE_DONE;
}

/* Goes on until an event is needed or the question has ended. Each name is judged
 * before it is looked for. */
static void find(struct call *c)
{
	struct resolve *r = c->r;
	bool more = true;
	while (more && judge(c)) {
		if (r->complete) {
			if (validate(c, r->chain_n, r->negative))
				done_answer(c);
			return;
		}
		struct rrset *s = arena_get(r->arena, sizeof *s);
		int got = s ? from_cache(c, s) : ERR_NOMEM;
		if (got == RRSET_CACHE_HIT) {
			add(c, s);
			more = r->state != RESOLVE_DONE;
		} else if (got == RRSET_CACHE_MISS) {
			int failed = failed_lately(c);
			if (failed) {
				if (failed < 0)
					(void)no_room(c);
				return;
			}
			if (c->io.env->cached_only) {
				overloaded(c);
				return;
			}
			enum iter_result result = iter_start(
				&r->iter, &c->io, r->name[r->links], r->q.qtype);
			(void)took(c, result, &more);
		} else {
			(void)no_room(c);
			return;
		}
	}
}

/* What an event costs, and what a sub-question brings back. */
static void charge(struct resolve *r, const struct event *ev)
{
	if (ev->kind == EVENT_REPLY)
		r->budget.bytes -=
			(int32_t)(ev->len < BUDGET_BYTES ? ev->len : BUDGET_BYTES);
	if (ev->kind != EVENT_SUB_DONE)
		return;
	r->budget.sends += ev->left.sends;
	r->budget.bytes += ev->left.bytes;
}

void resolve_step(struct resolve *r, struct steps *out, const struct event *ev,
		  const struct resolve_env *env)
{
	struct call c = {.r = r,
			 .io = {.env = env,
				.arena = r->arena,
				.out = out,
				.budget = &r->budget,
				.subject = &r->subject,
				.judged = &r->judged,
				.last_id = &r->last_id}};
	bool more;
	out->n = 0;
	if (r->state == RESOLVE_DONE)
		return;
	charge(r, ev);
	take_keys(r, ev);
	if (!judge(&c))
		return;
	if (ev->kind == EVENT_LATE) {
		tell(&c);
	} else if (r->state == RESOLVE_NEW || r->complete) {
		r->state = RESOLVE_ASKING;
		find(&c);
	} else if (took(&c, iter_event(&r->iter, &c.io, ev), &more) && more) {
		find(&c);
	}
}
