#include "resolver/resolve_parts.h"

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

/* The question as it stands, under the rules that hold for it now. */
static struct failure failure_of(const struct call *c)
{
	const struct resolve *r = c->r;
	const struct blocklist_stamp stamp =
		policy_stamp(c->io.env->policy, r->subject.class);
	return (struct failure){.name = r->name[r->links],
				.type = r->q.qtype,
				.rules = stamp.epoch ^ (stamp.generation << 9 |
							(uint64_t)r->subject.class << 1 |
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
		resolve_fail(c, DNS_EDE_CACHED_ERROR, f.text);
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
			resolve_end_failed(c, r->iter.ede, r->iter.ede_text);
			return false;
		}
		resolve_fail(c, r->iter.ede, r->iter.ede_text);
		remember_failure(c);
		return false;
	case ITER_BLOCKED:
		resolve_end_verdict(c, &r->iter.blocked, r->links);
		return false;
	case ITER_DONE:
		break;
	}
	rrset_cache_forgive(c->io.env->cache, r->name[r->links], r->q.qtype);
	resolve_add_reply(c, &r->iter.reply);
	*more = true;
	return r->state != RESOLVE_DONE;
}

/* Once, from the start: what is bogus may be so at one of a zone's servers only, or for
 * who led there. What stays bogus is a failure. */
static bool begin_again(struct call *c)
{
	struct resolve *r = c->r;
	const struct resolve_env *env = c->io.env;
	struct failure f = failure_of(c);
	f.name = r->name[0];
	if (r->security != SECURITY_BOGUS || env->cached_only)
		return false;
	if (r->val.again) {
		f.text = r->val.text;
		f.least_s = VAL_BOGUS_TTL_S;
		rrset_cache_put_failure(env->cache, &f, env->now_s);
		return false;
	}
	if (rrset_cache_get_failure(env->cache, &f, r->arena, env->now_s) !=
		    RRSET_CACHE_MISS ||
	    !val_again(&r->val))
		return false;
	r->chain_n = r->links = r->noted_names = r->noted_sets = 0;
	r->negative = NULL;
	r->complete = r->too_long = r->denied = false;
	r->security = SECURITY_UNCHECKED;
	return true;
}

/* Goes on until an event is needed or the question has ended. Each name is judged
 * before it is looked for. */
static void find(struct call *c)
{
	struct resolve *r = c->r;
	bool more = true;
	while (more && resolve_judge(c)) {
		if (r->complete) {
			if (!resolve_validate(c, r->chain_n, r->negative))
				return;
			if (begin_again(c))
				continue;
			resolve_end_answer(c);
			return;
		}
		struct rrset *s = arena_get(r->arena, sizeof *s);
		int got = s ? resolve_from_cache(c, s) : ERR_NOMEM;
		if (got == RRSET_CACHE_HIT) {
			resolve_add(c, s);
			more = r->state != RESOLVE_DONE;
		} else if (got == RRSET_CACHE_MISS) {
			int failed = failed_lately(c);
			if (failed) {
				if (failed < 0)
					(void)resolve_no_room(c);
				return;
			}
			if (c->io.env->cached_only) {
				resolve_overloaded(c);
				return;
			}
			enum iter_result result = iter_start(
				&r->iter, &c->io, r->name[r->links], r->q.qtype);
			(void)took(c, result, &more);
		} else {
			(void)resolve_no_room(c);
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
	if (r->state == RESOLVE_GARDEN) {
		resolve_garden_event(&c, ev);
		return;
	}
	resolve_take_keys(r, ev);
	if (!resolve_judge(&c))
		return;
	if (ev->kind == EVENT_LATE) {
		resolve_tell(&c);
		return;
	}
	/* A rule that held the question has gone: what came meanwhile was not looked at.
	 */
	bool anew = r->state == RESOLVE_NEW || r->complete || r->held;
	r->held = false;
	if (anew) {
		r->state = RESOLVE_ASKING;
		find(&c);
	} else if (took(&c, iter_event(&r->iter, &c.io, ev), &more) && more) {
		find(&c);
	}
}
