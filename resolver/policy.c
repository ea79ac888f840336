#include "resolver/policy.h"

#include <string.h>

#include "resolver/rdata.h"
#include "resolver/val_proof.h"

/* Why a record does not decide, in the order in which they are looked at. */
static const char lost_list[] = "its list is gone";
static const char lost_off[] = "its list is disabled";
static const char lost_lease[] = "its list's lease has lapsed";
static const char lost_starts[] = "it has not begun yet";
static const char lost_expired[] = "it has expired";
static const char lost_disabled[] = "its action is disabled";
static const char lost_monitor[] = "it only monitors";
static const char lost_class[] = "its list does not apply to this client";
static const char lost_out[] = "this client opted out";
static const char lost_moment[] = "a rule about the client decides before";
static const char lost_precedence[] = "a list of better precedence decides";
static const char lost_name[] = "a list of the same precedence, first by name, decides";
static const char lost_trigger[] = "what its list says of another trigger comes first";
static const char lost_fit[] = "a rule of its list fits better";

/* What a record is compared with: a name, or an address when name is NULL. */
struct subject {
	enum rule_trigger trigger;
	const uint8_t *name;
	struct addr addr;
};

/* One record with what decides its place. */
struct candidate {
	struct rule rule;
	struct subject subject;
	const struct blocklist_list *list; /* NULL: there is none */
	enum rule_action action;
	bool monitor;
};

static void change_at(uint32_t *change, uint32_t when)
{
	if (when && (!*change || when < *change))
		*change = when;
}

static enum rule_action effective_action(const struct policy *p,
					 const struct candidate *c)
{
	if (c->list->action != RULE_GIVEN)
		return c->list->action;
	return c->rule.action != RULE_GIVEN ? c->rule.action : p->default_action;
}

/* Whether r counts now; if not, why. *change gets the next moment this may differ. */
static const char *weigh(struct candidate *c, uint32_t *change, const struct policy *p,
			 const struct rule *r)
{
	c->rule = *r;
	c->list = blocklist_list(p->view, r->list);
	if (!c->list)
		return lost_list;
	if (c->list->mode == BLOCKLIST_OFF)
		return lost_off;
	if (c->list->lease && c->list->lease <= p->now_s)
		return lost_lease;
	if (r->expires && r->expires <= p->now_s)
		return lost_expired;
	if (r->starts > p->now_s) {
		change_at(change, r->starts);
		return lost_starts;
	}
	c->action = effective_action(p, c);
	if (c->action == RULE_DISABLED)
		return lost_disabled;
	c->monitor = c->list->mode == BLOCKLIST_MONITOR || c->action == RULE_MONITOR;
	change_at(change, c->list->lease);
	change_at(change, r->expires);
	return NULL;
}

static const uint8_t *suffix(const uint8_t *name, unsigned labels)
{
	for (unsigned have = name_labels(name); have > labels; have--)
		name = name_parent(name);
	return name;
}

static bool is_exact(const struct candidate *c)
{
	return c->rule.kind == RULE_EXACT || c->rule.kind == RULE_NS_EXACT;
}

/* RPZ draft 5: exact names first, then more labels (PR3); of servers' names the last one
 * in the order of RFC 4034 6.1 (PR5). */
static bool name_before(const struct candidate *a, const struct candidate *b)
{
	if (is_exact(a) != is_exact(b))
		return is_exact(a);
	if (a->rule.labels != b->rule.labels)
		return a->rule.labels > b->rule.labels;
	int order = proof_order(suffix(a->subject.name, a->rule.labels),
				suffix(b->subject.name, b->rule.labels));
	return order ? order > 0 : a->rule.kind > b->rule.kind;
}

/* The longer prefix, IPv4 within ::/96 (PR6); then the smaller address (PR7). */
static bool addr_before(const struct candidate *a, const struct candidate *b)
{
	enum { IPV4_WITHIN = 96 };
	static const uint8_t zero[12];
	const struct addr *x = &a->subject.addr, *y = &b->subject.addr;
	int a_bits = a->rule.labels + (x->family == 4 ? IPV4_WITHIN : 0);
	int b_bits = b->rule.labels + (y->family == 4 ? IPV4_WITHIN : 0);
	if (a_bits != b_bits)
		return a_bits > b_bits;
	if (x->family == y->family)
		return memcmp(x->bytes, y->bytes, sizeof x->bytes) < 0;
	const struct addr *v4 = x->family == 4 ? x : y, *v6 = x->family == 4 ? y : x;
	int order = memcmp(zero, v6->bytes, sizeof zero);
	if (!order)
		order = memcmp(v4->bytes, v6->bytes + sizeof zero, 4);
	return v4 == x ? order < 0 : order > 0;
}

/* a is decided before b: by list (PR2), by what was compared (PR4: the order of enum
 * rule_trigger), within that by the rule's own place. Never by action (PR8). */
static bool before(const struct candidate *a, const struct candidate *b)
{
	if (a->rule.list != b->rule.list) {
		if (a->list->precedence != b->list->precedence)
			return a->list->precedence < b->list->precedence;
		return strcmp(a->list->name, b->list->name) < 0;
	}
	if (a->subject.trigger != b->subject.trigger)
		return a->subject.trigger < b->subject.trigger;
	return a->subject.name ? name_before(a, b) : addr_before(a, b);
}

/* Everything that is known at one moment, and may decide. */
struct contest {
	const struct policy *p;
	const struct policy_subject *s;
	struct verdict *out;	      /* its change is kept up to date */
	struct candidate best, watch; /* the first to act, the first to monitor */
};

static void fill(struct verdict *v, const struct candidate *c)
{
	const struct subject *s = &c->subject;
	v->kind = c->action == RULE_PASSTHRU && !c->monitor ? VERDICT_PASSTHRU
							    : VERDICT_ACT;
	v->action = c->monitor ? RULE_MONITOR : c->action;
	v->trigger = s->trigger;
	v->rule = c->rule;
	v->prefix = (struct prefix){0};
	if (s->name)
		name_copy(v->matched, suffix(s->name, c->rule.labels));
	else
		v->prefix = prefix_of(&s->addr, c->rule.labels);
}

void policy_remembered(struct verdict *out, const struct rule *rule,
		       enum rule_action action, const uint8_t *name)
{
	const struct candidate c = {.rule = *rule,
				    .action = action,
				    .subject = {.trigger = RULE_ON_QNAME, .name = name}};
	fill(out, &c);
	out->change = 0;
}

/* Exact records are left out for our own questions. */
static void enter(struct contest *k, const struct subject *s, const struct rule *rule,
		  int n)
{
	struct candidate c = {.subject = *s};
	for (int i = 0; i < n; i++) {
		if (k->s->own && s->trigger == RULE_ON_QNAME &&
		    rule[i].kind == RULE_EXACT)
			continue;
		if (weigh(&c, &k->out->change, k->p, &rule[i]))
			continue;
		struct candidate *place = c.monitor ? &k->watch : &k->best;
		if (!place->list || before(&c, place))
			*place = c;
	}
}

static void decide(struct contest *k, struct verdict *monitor)
{
	if (k->best.list)
		fill(k->out, &k->best);
	if (k->watch.list && monitor && monitor->kind == VERDICT_PASS &&
	    (!k->best.list || before(&k->watch, &k->best))) {
		monitor->change = 0;
		fill(monitor, &k->watch);
	}
}

struct blocklist_stamp policy_stamp(const struct policy *p, unsigned class)
{
	struct blocklist_stamp s = p->stamp;
	/* Epochs are random numbers: a set of lists in its place makes it another one. */
	if (class >= BLOCKLIST_CLASS_GROUPS)
		s.epoch ^= blocklist_class_since(p->view, class) * 0x9e3779b97f4a7c15ULL;
	return s;
}

/* Leaves pass in place and says whether there is anything to ask. */
static bool begin(struct contest *k, struct verdict *out, const struct policy *p,
		  const struct policy_subject *s)
{
	out->kind = VERDICT_PASS;
	out->action = RULE_GIVEN;
	out->trigger = RULE_ON_NONE;
	out->matched[0] = 0;
	out->prefix.addr.family = 0;
	out->change = 0;
	k->p = p;
	k->s = s;
	k->out = out;
	k->best.list = k->watch.list = NULL;
	return s->class != POLICY_NONE && !s->passthru;
}

static int enter_name(struct contest *k, enum rule_trigger trigger, const uint8_t *name)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	int n = trigger == RULE_ON_NS_NAME
			? blocklist_find_server(k->p->view, rule, BLOCKLIST_MATCHES_MAX,
						k->s->class, name)
			: blocklist_find_name(k->p->view, rule, BLOCKLIST_MATCHES_MAX,
					      k->s->class, name);
	if (n > 0)
		enter(k, &(struct subject){.trigger = trigger, .name = name}, rule, n);
	return n < 0 ? n : ERR_OK;
}

static int enter_addr(struct contest *k, enum rule_trigger trigger,
		      const struct addr *addr)
{
	static const unsigned use[RULE_TRIGGER_N] = {
		[RULE_ON_CLIENT] = RULE_ADDR_CLIENT,
		[RULE_ON_ANSWER] = RULE_ADDR_ANSWER,
		[RULE_ON_NS_ADDR] = RULE_ADDR_SERVER,
	};
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	struct addr plain = addr_unmap(addr);
	int n = blocklist_find_addr(k->p->view, rule, BLOCKLIST_MATCHES_MAX, k->s->class,
				    use[trigger], &plain);
	if (n > 0)
		enter(k, &(struct subject){.trigger = trigger, .addr = plain}, rule, n);
	return n < 0 ? n : ERR_OK;
}

int policy_name(struct verdict *out, struct verdict *monitor, const struct policy *p,
		const struct policy_subject *s, const uint8_t *name)
{
	struct contest k;
	if (!begin(&k, out, p, s))
		return ERR_OK;
	int err = enter_name(&k, RULE_ON_QNAME, name);
	if (!err && s->client.family && !s->own)
		err = enter_addr(&k, RULE_ON_CLIENT, &s->client);
	if (!err)
		decide(&k, monitor);
	return err;
}

/* A rule that is not only about servers lets this one be asked, no more: who is hosted
 * beside a name that is never blocked is not freed by that. */
static void narrow(struct verdict *v)
{
	bool by_name = v->trigger == RULE_ON_NS_NAME;
	bool only = by_name ? rule_kind_is_ns(v->rule.kind)
			    : v->rule.kind == RULE_ADDR_SERVER;
	if (v->kind == VERDICT_PASSTHRU && !only)
		v->kind = VERDICT_PASS;
}

int policy_server(struct verdict *out, struct verdict *monitor, const struct policy *p,
		  const struct policy_subject *s, const uint8_t *server,
		  const struct addr *addr)
{
	struct contest k;
	int err = ERR_OK;
	if (!begin(&k, out, p, s))
		return ERR_OK;
	if (server)
		err = enter_name(&k, RULE_ON_NS_NAME, server);
	if (!err && addr && addr->family)
		err = enter_addr(&k, RULE_ON_NS_ADDR, addr);
	if (err)
		return err;
	decide(&k, monitor);
	narrow(out);
	return ERR_OK;
}

int policy_answer(struct verdict *out, struct verdict *monitor, const struct policy *p,
		  const struct policy_subject *s, const struct rrset *set)
{
	struct contest k;
	struct rdata_addrs addrs;
	struct addr a;
	const uint8_t *rdata;
	uint16_t len;
	uint32_t at = 0;
	int err = ERR_OK;
	if (!begin(&k, out, p, s) || !rdata_has_addrs(set->type))
		return ERR_OK;
	while (!err && rrset_next(set, &at, &rdata, &len)) {
		rdata_addrs(&addrs, set->type, rdata, len);
		while (!err && rdata_addrs_next(&addrs, &a))
			err = enter_addr(&k, RULE_ON_ANSWER, &a);
	}
	if (!err)
		decide(&k, monitor);
	return err;
}

int policy_send(struct verdict *out, const struct policy *p,
		const struct policy_subject *s, const uint8_t *qname,
		const uint8_t *server, const struct addr *addr)
{
	int err = policy_server(out, NULL, p, s, server, addr);
	if (err || out->kind == VERDICT_ACT)
		return err;
	return policy_name(out, NULL, p, s, qname);
}

static void recall(struct candidate *c, const struct policy *p, const struct verdict *v)
{
	*c = (struct candidate){
		.rule = v->rule,
		.subject = {v->trigger, v->prefix.addr.family ? NULL : v->matched,
			    v->prefix.addr},
		.list = blocklist_list(p->view, v->rule.list),
	};
}

bool policy_before(const struct policy *p, const struct verdict *a,
		   const struct verdict *b)
{
	struct candidate x, y;
	if (a->kind == VERDICT_PASS || b->kind == VERDICT_PASS)
		return a->kind != VERDICT_PASS;
	recall(&x, p, a);
	recall(&y, p, b);
	return x.list && (!y.list || before(&x, &y));
}

void policy_settle(struct policy_subject *s, const struct verdict *v)
{
	bool client = v->trigger == RULE_ON_CLIENT;
	if (client && v->kind == VERDICT_PASSTHRU)
		s->passthru = true;
	if (!client || v->kind != VERDICT_ACT || v->action != RULE_CNAME)
		s->client = (struct addr){0};
}

/* RPZ draft 3.5. */
static int expand(uint8_t out[DNS_NAME_MAX], const uint8_t *target, const uint8_t *name)
{
	if (target[0] != 1 || target[1] != '*') {
		name_copy(out, target);
		return ERR_OK;
	}
	target = name_parent(target);
	size_t have = name_len(name) - 1, more = name_len(target);
	if (have + more > DNS_NAME_MAX)
		return ERR_RANGE;
	memcpy(out, name, have);
	memcpy(out + have, target, more);
	return ERR_OK;
}

int policy_garden(uint8_t out[DNS_NAME_MAX], const struct policy *p,
		  const struct verdict *v, const uint8_t *name)
{
	const struct blocklist_list *list = blocklist_list(p->view, v->rule.list);
	struct blocklist_key key = {.prefix = v->prefix};
	struct blocklist_entry entry;
	struct blocklist_rr rr;
	size_t at = 0;
	if (list && list->action == RULE_CNAME)
		return expand(out, list->garden, name);
	if (!v->prefix.addr.family)
		name_copy(key.name, v->matched);
	int err = blocklist_entry_of_rule(p->view, &entry, &v->rule, &key);
	if (!err && !blocklist_data_next(&entry.data, &at, &rr))
		err = ERR_DAMAGED;
	return err ? err : expand(out, rr.rdata, name);
}

/* ---- why ---- */

/* All that matches, in the order of decision. */
struct field {
	const struct policy *p;
	const struct policy_asked *q;
	struct policy_reason *out;
	struct candidate c[POLICY_REASONS_MAX];
	int n;
};

/* The client is judged with the question, before there is an answer or a server. */
static bool other_moment(const struct candidate *a, const struct candidate *b)
{
	return !a->subject.name && !b->subject.name &&
	       (a->subject.trigger == RULE_ON_CLIENT) !=
		       (b->subject.trigger == RULE_ON_CLIENT);
}

/* What cannot decide stays behind what can. */
static bool goes_before(const struct field *f, int i, const struct candidate *c,
			const char *lost)
{
	if (!lost != !f->out[i].lost)
		return !lost;
	if (!c->list || !f->c[i].list)
		return c->list && !f->c[i].list;
	if (other_moment(c, &f->c[i]))
		return c->subject.trigger == RULE_ON_CLIENT;
	return before(c, &f->c[i]);
}

/* barred (may be NULL): why no rule of that list can decide. */
static void put(struct field *f, const struct subject *s, const struct rule *r,
		const char *barred)
{
	uint32_t change = 0;
	struct candidate c = {.subject = *s};
	const char *lost = weigh(&c, &change, f->p, r);
	lost = barred ? barred : lost;
	if (f->n == POLICY_REASONS_MAX) {
		if (!goes_before(f, f->n - 1, &c, lost))
			return;
		f->n--;
	}
	int at = f->n++;
	for (; at > 0 && goes_before(f, at - 1, &c, lost); at--) {
		f->c[at] = f->c[at - 1];
		f->out[at] = f->out[at - 1];
	}
	f->c[at] = c;
	f->out[at] =
		(struct policy_reason){.rule = *r,
				       .trigger = s->trigger,
				       .action = c.list ? effective_action(f->p, &c)
							: (enum rule_action)r->action,
				       .lost = lost};
}

static int find(struct rule out[BLOCKLIST_MATCHES_MAX], const struct field *f,
		const struct subject *s, unsigned class, unsigned use)
{
	struct blocklist_view *v = f->p->view;
	if (!s->name)
		return blocklist_find_addr(v, out, BLOCKLIST_MATCHES_MAX, class, use,
					   &s->addr);
	return s->trigger == RULE_ON_NS_NAME
		       ? blocklist_find_server(v, out, BLOCKLIST_MATCHES_MAX, class,
					       s->name)
		       : blocklist_find_name(v, out, BLOCKLIST_MATCHES_MAX, class,
					     s->name);
}

/* An address that answers and servers have is told of once. */
static enum rule_trigger addr_trigger(unsigned kind)
{
	return kind & RULE_ADDR_CLIENT	 ? RULE_ON_CLIENT
	       : kind & RULE_ADDR_ANSWER ? RULE_ON_ANSWER
					 : RULE_ON_NS_ADDR;
}

/* Those of the client's lists first, so that others do not crowd them out. */
static int put_all(struct field *f, struct subject *s, unsigned use)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	unsigned class = f->q->class;
	int n = find(rule, f, s, class, use), others = 0;
	for (int i = 0; i < n; i++) {
		s->trigger = use ? addr_trigger(rule[i].kind & use) : s->trigger;
		put(f, s, &rule[i], NULL);
	}
	if (n >= 0 && class != POLICY_ALL)
		others = find(rule, f, s, POLICY_ALL, use);
	for (int i = 0; i < others; i++) {
		s->trigger = use ? addr_trigger(rule[i].kind & use) : s->trigger;
		if (!blocklist_class_has(f->p->view, class, rule[i].list))
			put(f, s, &rule[i], class == POLICY_NONE ? lost_out : lost_class);
	}
	return n < 0 ? n : others < 0 ? others : ERR_OK;
}

/* Why the one that wins comes before this one. */
static const char *outranked(const struct candidate *wins, const struct candidate *c)
{
	if (other_moment(wins, c))
		return lost_moment;
	if (wins->rule.list == c->rule.list)
		return wins->subject.trigger == c->subject.trigger ? lost_fit
								   : lost_trigger;
	return wins->list->precedence == c->list->precedence ? lost_name
							     : lost_precedence;
}

int policy_explain(struct policy_reason out[POLICY_REASONS_MAX], struct verdict *v,
		   const struct policy *p, const struct policy_asked *q)
{
	struct field f = {.p = p, .q = q, .out = out};
	struct subject name = {.trigger = q->server ? RULE_ON_NS_NAME : RULE_ON_QNAME,
			       .name = q->name};
	struct subject client = {.addr = addr_unmap(&q->client)};
	struct subject addr = {.addr = addr_unmap(&q->addr)};
	const struct candidate *wins = NULL;
	int err = q->name ? put_all(&f, &name, 0) : ERR_OK;
	if (!err && q->client.family && !q->server)
		err = put_all(&f, &client, RULE_ADDR_CLIENT);
	if (!err && q->addr.family)
		err = put_all(&f, &addr,
			      RULE_ADDR_SERVER | (q->server ? 0 : RULE_ADDR_ANSWER));
	*v = (struct verdict){.kind = VERDICT_PASS};
	for (int i = 0; i < f.n && !err; i++) {
		if (out[i].lost)
			continue;
		if (wins)
			out[i].lost = outranked(wins, &f.c[i]);
		else if (f.c[i].monitor)
			out[i].lost = lost_monitor;
		else
			wins = &f.c[i];
	}
	if (wins && !err)
		fill(v, wins);
	return err ? err : f.n;
}
