#include "resolver/resolve_parts.h"

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
		resolve_end_failed(c, DNS_EDE_OTHER, "CNAME loop");
		return false;
	}
	if (r->links == REPLY_CHAIN_MAX) {
		resolve_end_failed(c, DNS_EDE_OTHER, "CNAME chain too long");
		return false;
	}
	const uint8_t *name = arena_copy(r->arena, target, name_len(target));
	if (!name)
		return resolve_no_room(c);
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
		return resolve_no_room(c);
	if (r->q.qtype != DNS_CNAME && r->q.qtype != DNS_ANY)
		return add_link(c, s);
	add_end(r, s);
	return true;
}

/* Adds one RRset to the chain, or its denial. False when the question has ended. */
bool resolve_add(struct call *c, struct rrset *s)
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

void resolve_add_reply(struct call *c, const struct iter_reply *reply)
{
	for (int i = 0; i < reply->answer_n; i++)
		if (!resolve_add(c, reply->answer[i]))
			return;
	if (reply->negative)
		resolve_add(c, reply->negative);
}
