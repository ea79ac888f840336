#include "resolver/resolve_parts.h"

/* Our own questions bring what the validator asks for, and addresses of servers. */
bool resolve_validates(const struct call *c)
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

void resolve_take_keys(struct resolve *r, const struct event *ev)
{
	for (int i = 0; ev->kind == EVENT_SUB_DONE && i < r->wanted_n; i++)
		if (r->wanted[i].id == ev->id) {
			val_take(&r->val, r->wanted[i].set, ev->reply);
			r->wanted[i] = r->wanted[--r->wanted_n];
			return;
		}
}

/* Whether n sets of the chain, and its denial, have their status. False: an event is
 * needed, or the question has ended. */
bool resolve_validate(struct call *c, int n, struct rrset *negative)
{
	struct resolve *r = c->r;
	struct val_part parts[REPLY_ANSWER_MAX + 1];
	int parts_n = list_parts(r, parts, n, negative);
	while (resolve_validates(c) && parts_n) {
		switch (val_check(&r->val, c->io.env, parts, parts_n)) {
		case VAL_DONE:
			r->security = worst(parts, parts_n);
			return true;
		case VAL_WAITS:
			if (c->io.env->cached_only) {
				resolve_overloaded(c);
				return false;
			}
			if (!ask_for_keys(c))
				return resolve_no_room(c);
			if (r->wanted_n)
				return false;
			break; /* nothing of it could be asked: that is known now */
		case VAL_YIELDS:
			c->io.out->step[c->io.out->n++] =
				(struct step){.kind = STEP_YIELD};
			return false;
		case VAL_BLOCKED:
			resolve_end_verdict(c, &r->val.blocked, r->links);
			return false;
		case VAL_NO_ROOM:
			return resolve_no_room(c);
		}
	}
	return true;
}
