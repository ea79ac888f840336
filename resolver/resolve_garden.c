#include "resolver/resolve_parts.h"

/* A walled garden: a rule answers with an alias, and what stands there is looked for as
 * a question of its own, freed from policy: nothing that policy made is judged again (RPZ
 * draft 6). Its answer goes behind the alias. */

/* False when there is no room. */
static bool add(struct call *c, const uint8_t *owner, uint16_t type, const uint8_t *rdata,
		size_t len)
{
	struct resolve *r = c->r;
	struct rrset *s = arena_zero(r->arena, sizeof *s);
	uint8_t *data = arena_get(r->arena, 2 + len);
	if (!s || !data || r->reply.answer_n == REPLY_ANSWER_MAX)
		return false;
	s->owner = arena_copy(r->arena, owner, name_len(owner));
	if (!s->owner)
		return false;
	wire_set16(data, (unsigned)len);
	memcpy(data + 2, rdata, len);
	s->type = type;
	s->ttl = c->io.env->conf->sinkhole.ttl_s;
	s->rr_n = 1;
	s->data = data;
	s->data_len = (uint32_t)(2 + len);
	r->reply.answer[r->reply.answer_n++] = s;
	return true;
}

/* All that is left may be used for it; "localhost" and the like nobody is asked about. */
static void ask(struct call *c, const uint8_t *target)
{
	struct resolve *r = c->r;
	struct local_answer local;
	enum local_kind kind = iter_local(&local, c->io.env->conf, target, r->q.qtype);
	if (kind != LOCAL_NONE) {
		r->reply.rcode = kind == LOCAL_NXDOMAIN ? DNS_NXDOMAIN : DNS_NOERROR;
		if (kind == LOCAL_RECORD &&
		    !add(c, target, local.type, local.rdata, local.rdata_len))
			(void)resolve_no_room(c);
		else
			resolve_end(c);
		return;
	}
	struct step *s = &c->io.out->step[c->io.out->n++];
	*s = (struct step){.kind = STEP_SUB, .id = ++r->last_id, .share = r->budget};
	r->budget.sends = r->budget.bytes = 0;
	name_copy(s->sub.qname, target);
	s->sub.qtype = r->q.qtype;
	s->sub.subject =
		(struct policy_subject){.class = r->q.subject.class, .passthru = true};
	r->garden = s->id;
	r->state = RESOLVE_GARDEN;
}

void resolve_garden_enter(struct call *c, const uint8_t *name)
{
	struct resolve *r = c->r;
	struct reply *reply = &r->reply;
	uint8_t target[DNS_NAME_MAX];
	int err = policy_garden(target, c->io.env->policy, &reply->verdict, name);
	if (err == ERR_RANGE) {
		reply->rcode = DNS_YXDOMAIN; /* as DNAME, RFC 6672 2.2 */
	} else if (err) {
		resolve_end_failed(c, DNS_EDE_NOT_READY, "the blocklist cannot be read");
		return;
	} else if (!name_equal(target, name) &&
		   !add(c, name, DNS_CNAME, target, name_len(target))) {
		(void)resolve_no_room(c);
		return;
	}
	/* Who may not have packets sent follows the alias alone. */
	if (err || r->q.qtype == DNS_CNAME || r->q.qtype == DNS_ANY ||
	    c->io.env->cached_only)
		resolve_end(c);
	else
		ask(c, target);
}

/* A garden that cannot be believed is none; that it is bogus is told of it alone. */
static void take(struct call *c, const struct reply *from)
{
	struct resolve *r = c->r;
	struct reply *reply = &r->reply;
	bool bogus = from->security == SECURITY_BOGUS;
	struct rrset *copy =
		arena_get(r->arena, sizeof *copy * (size_t)(from->answer_n + 1));
	if (!copy || reply->answer_n + from->answer_n > REPLY_ANSWER_MAX) {
		(void)resolve_no_room(c);
		return;
	}
	reply->rcode = bogus ? DNS_SERVFAIL : from->rcode;
	for (int i = 0; i < from->answer_n && !bogus; i++) {
		if (rrset_copy(&copy[i], from->answer[i], r->arena)) {
			(void)resolve_no_room(c);
			return;
		}
		reply->answer[reply->answer_n++] = &copy[i];
	}
	if (from->negative && !bogus &&
	    !rrset_copy(&copy[from->answer_n], from->negative, r->arena))
		reply->negative = &copy[from->answer_n];
	resolve_end(c);
}

void resolve_garden_event(struct call *c, const struct event *ev)
{
	if (ev->kind != EVENT_SUB_DONE || ev->id != c->r->garden)
		return;
	if (ev->reply) {
		take(c, ev->reply);
		return;
	}
	c->r->reply.rcode = DNS_SERVFAIL;
	resolve_end(c);
}
