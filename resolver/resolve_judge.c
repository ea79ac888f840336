#include "resolver/note.h"
#include "resolver/rdata.h"
#include "resolver/resolve_parts.h"

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

static bool has_addresses(const struct rrset *s)
{
	return s->kind == RRSET_DATA && rdata_has_addrs(s->type);
}

static bool addresses_act(struct judge *j, const struct rrset *s)
{
	j->err = policy_answer(&j->v, &j->c->r->judged.monitor, j->c->io.env->policy,
			       &j->subject, s);
	return acts(j);
}

/* What proves an answer that was not asked for may be from several servers. */
static bool origins_act(struct judge *j, const struct rrset *s)
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

/* Server addresses are judged by the iterator that wants them, not as answers. */
static bool rrset_acts(struct judge *j, const struct rrset *s)
{
	return origins_act(j, s) ||
	       (!j->subject.own && has_addresses(s) && addresses_act(j, s));
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
	return r->negative && origins_act(j, r->negative) ? r->links : -1;
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
	struct resolve *r = c->r;
	int n = v->trigger == RULE_ON_ANSWER  ? r->chain_n
		: v->trigger == RULE_ON_QNAME ? r->upto[links]
					      : 0;
	r->held = !resolve_validate(c, n, NULL);
	if (!r->held)
		resolve_end_verdict(c, v, links);
}

/* True when nothing acts: the question goes on. */
bool resolve_judge(struct call *c)
{
	struct resolve *r = c->r;
	struct judge j = {.c = c, .subject = r->q.subject};
	r->verdict = (struct verdict){0};
	int links = first_act(&j);
	r->subject = j.subject;
	if (j.err)
		resolve_end_failed(c, DNS_EDE_NOT_READY, "the blocklist cannot be read");
	else if (links >= 0)
		act(c, &j.v, links);
	else if (c->io.env->noter)
		note_passed(c);
	return !j.err && links < 0;
}
