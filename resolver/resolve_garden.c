#include "resolver/resolve_parts.h"

/* A walled garden: a rule answers with an alias, and what stands there is looked for as
 * a question of its own, freed from policy: nothing that policy made is judged again (RPZ
 * draft 6). Its answer goes behind the alias. */

/* False when there is no room. */
static bool add_alias(struct call *c, const uint8_t *name, const uint8_t *target)
{
	struct resolve *r = c->r;
	struct rrset *s = arena_zero(r->arena, sizeof *s);
	size_t len = name_len(target);
	uint8_t *data = arena_get(r->arena, 2 + len);
	if (!s || !data)
		return false;
	wire_set16(data, (unsigned)len);
	memcpy(data + 2, target, len);
	s->owner = name;
	s->type = DNS_CNAME;
	s->ttl = c->io.env->conf->sinkhole.ttl_s;
	s->rr_n = 1;
	s->data = data;
	s->data_len = (uint32_t)(2 + len);
	r->reply.answer[r->reply.answer_n++] = s;
	return true;
}

/* All that is left may be used for it. */
static void ask(struct call *c, const uint8_t *target)
{
	struct resolve *r = c->r;
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
	} else if (!name_equal(target, name) && !add_alias(c, name, target)) {
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
