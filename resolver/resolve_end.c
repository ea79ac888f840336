#include <assert.h>

#include "resolver/rebinding.h"
#include "resolver/resolve_parts.h"
#include "resolver/sentinel.h"

void resolve_reply_step(const struct call *c, enum step_kind kind,
			const struct reply *reply)
{
	assert(c->io.out->n < RESOLVE_STEPS_MAX);
	c->io.out->step[c->io.out->n++] = (struct step){.kind = kind, .reply = reply};
}

void resolve_end(const struct call *c)
{
	resolve_reply_step(c, STEP_DONE, &c->r->reply);
	c->r->state = RESOLVE_DONE;
}

static void done(struct call *c)
{
	struct resolve *r = c->r;
	r->reply.monitor = r->judged.monitor;
	r->reply.change = r->judged.change;
	resolve_end(c);
}

void resolve_end_failed(struct call *c, int16_t ede, const char *text)
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
	/* Signatures over what has expired may have, too: no AD. */
	if (r->expired && r->security == SECURITY_SECURE)
		reply->security = SECURITY_INSECURE;
	if (r->security != SECURITY_BOGUS)
		return;
	reply->ede = r->val.ede;
	reply->ede_text = r->val.text;
	reply->cacheable = false;
}

/* links targets lead to the name that v is about. */
void resolve_end_verdict(struct call *c, const struct verdict *v, int links)
{
	const struct resolve *r = c->r;
	struct reply *reply = &c->r->reply;
	*reply = (struct reply){
		.ede = DNS_EDE_NONE, .verdict = *v, .target = r->name[links]};
	copy_chain(reply, r, r->upto[links]);
	set_security(reply, r);
	reply->monitor = r->judged.monitor;
	reply->change = r->judged.change;
	if (v->action == RULE_CNAME && !r->q.subject.own)
		resolve_garden_enter(c, r->name[links]);
	else
		resolve_end(c);
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

void resolve_end_answer(struct call *c)
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

bool resolve_no_room(struct call *c)
{
	resolve_end_failed(c, DNS_EDE_OTHER, "answers too large to hold");
	return false;
}
