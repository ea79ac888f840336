#include "resolver/policy.h"

#include <string.h>

/* Why a record does not decide, in the order in which they are looked at. */
static const char lost_list[] = "its list is gone";
static const char lost_off[] = "its list is disabled";
static const char lost_lease[] = "its list's lease has lapsed";
static const char lost_starts[] = "it has not begun yet";
static const char lost_expired[] = "it has expired";
static const char lost_disabled[] = "its action is disabled";
static const char lost_monitor[] = "it only monitors";
static const char lost_order[] = "a rule before it decides";

/* One record with what decides its place. */
struct candidate {
	const struct rule *rule;
	const struct blocklist_list *list;
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
	return c->rule->action != RULE_GIVEN ? c->rule->action : p->default_action;
}

/* Whether r counts now; if not, why. *change gets the next moment this may differ. */
static const char *weigh(struct candidate *c, uint32_t *change, const struct policy *p,
			 const struct rule *r)
{
	*c = (struct candidate){.rule = r, .list = blocklist_list(p->view, r->list)};
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

/* a is decided before b: list precedence, list name, exact, more labels (or bits). */
static bool before(const struct candidate *a, const struct candidate *b, bool names)
{
	if (a->rule->list != b->rule->list) {
		if (a->list->precedence != b->list->precedence)
			return a->list->precedence < b->list->precedence;
		return strcmp(a->list->name, b->list->name) < 0;
	}
	bool a_exact = names && a->rule->kind == RULE_EXACT;
	bool b_exact = names && b->rule->kind == RULE_EXACT;
	return a_exact != b_exact ? a_exact : a->rule->labels > b->rule->labels;
}

static const uint8_t *suffix(const uint8_t *name, unsigned labels)
{
	for (unsigned have = name_labels(name); have > labels; have--)
		name = name_parent(name);
	return name;
}

/* What the rules are compared with: a name, or an address when name is NULL. */
struct subject {
	enum rule_trigger trigger;
	const uint8_t *name;
	const struct addr *addr;
};

static void fill(struct verdict *v, const struct candidate *c, const struct subject *s)
{
	v->kind = c->action == RULE_PASSTHRU && !c->monitor ? VERDICT_PASSTHRU
							    : VERDICT_ACT;
	v->action = c->monitor ? RULE_MONITOR : c->action;
	v->trigger = s->trigger;
	v->rule = *c->rule;
	v->prefix = (struct prefix){0};
	if (s->name)
		name_copy(v->matched, suffix(s->name, c->rule->labels));
	else
		v->prefix = prefix_of(s->addr, c->rule->labels);
}

/* Lets the n records decide; exact records are left out for our own questions. */
static void decide(struct verdict *out, struct verdict *monitor, const struct policy *p,
		   const struct subject *s, const struct rule *rule, int n, bool own)
{
	struct candidate best = {0}, watch = {0};
	for (int i = 0; i < n; i++) {
		struct candidate c;
		if (own && s->name && rule[i].kind == RULE_EXACT)
			continue;
		if (weigh(&c, &out->change, p, &rule[i]))
			continue;
		struct candidate *place = c.monitor ? &watch : &best;
		if (!place->rule || before(&c, place, s->name != NULL))
			*place = c;
	}
	if (best.rule)
		fill(out, &best, s);
	if (watch.rule && monitor && monitor->kind == VERDICT_PASS &&
	    (!best.rule || before(&watch, &best, s->name != NULL))) {
		monitor->change = 0;
		fill(monitor, &watch, s);
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
static bool begin(struct verdict *out, const struct policy_subject *s)
{
	out->kind = VERDICT_PASS;
	out->action = RULE_GIVEN;
	out->trigger = RULE_ON_NONE;
	out->matched[0] = 0;
	out->prefix.addr.family = 0;
	out->change = 0;
	return s->class != POLICY_NONE;
}

static int judge_name(struct verdict *out, struct verdict *monitor,
		      const struct policy *p, enum rule_trigger trigger,
		      const struct policy_subject *who, const uint8_t *name, bool own)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	int n = blocklist_find_name(p->view, rule, BLOCKLIST_MATCHES_MAX, who->class,
				    name);
	if (n > 0)
		decide(out, monitor, p, &(struct subject){trigger, name, NULL}, rule, n,
		       own);
	return n < 0 ? n : ERR_OK;
}

static int judge_addr(struct verdict *out, struct verdict *monitor,
		      const struct policy *p, enum rule_trigger trigger,
		      const struct policy_subject *who, unsigned use,
		      const struct addr *addr)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	struct addr plain = addr_unmap(addr);
	int n = blocklist_find_addr(p->view, rule, BLOCKLIST_MATCHES_MAX, who->class, use,
				    &plain);
	if (n > 0)
		decide(out, monitor, p, &(struct subject){trigger, NULL, &plain}, rule, n,
		       false);
	return n < 0 ? n : ERR_OK;
}

int policy_name(struct verdict *out, struct verdict *monitor, const struct policy *p,
		const struct policy_subject *s, const uint8_t *name)
{
	if (!begin(out, s) || s->passthru)
		return ERR_OK;
	return judge_name(out, monitor, p, RULE_ON_QNAME, s, name, s->own);
}

int policy_server(struct verdict *out, struct verdict *monitor, const struct policy *p,
		  const struct policy_subject *s, const uint8_t *server,
		  const struct addr *addr)
{
	int err = ERR_OK;
	if (!begin(out, s) || s->passthru)
		return ERR_OK;
	if (server)
		err = judge_name(out, monitor, p, RULE_ON_NS_NAME, s, server, false);
	if (!err && out->kind == VERDICT_PASS && addr && addr->family)
		err = judge_addr(out, monitor, p, RULE_ON_NS_ADDR, s, RULE_ADDR_SERVER,
				 addr);
	return err;
}

int policy_answer(struct verdict *out, struct verdict *monitor, const struct policy *p,
		  const struct policy_subject *s, const struct addr *addr)
{
	if (!begin(out, s) || s->passthru)
		return ERR_OK;
	return judge_addr(out, monitor, p, RULE_ON_ANSWER, s, RULE_ADDR_ANSWER, addr);
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

/* Records that lost for a reason of their own stay behind those that counted. */
static void sort_reasons(struct policy_reason *out, int n, const struct policy *p,
			 bool names)
{
	for (int i = 1; i < n; i++) {
		struct policy_reason r = out[i];
		struct candidate c, d;
		uint32_t change = 0;
		int at = i;
		for (; at > 0; at--) {
			bool r_counts = !weigh(&c, &change, p, &r.rule);
			bool d_counts = !weigh(&d, &change, p, &out[at - 1].rule);
			if (!(r_counts && (!d_counts || before(&c, &d, names))))
				break;
			out[at] = out[at - 1];
		}
		out[at] = r;
	}
}

int policy_explain(struct policy_reason *out, int max, int *winner,
		   const struct policy *p, const uint8_t *name, const struct addr *addr)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	if (max > BLOCKLIST_MATCHES_MAX)
		max = BLOCKLIST_MATCHES_MAX;
	int n;
	if (name) {
		n = blocklist_find_name(p->view, rule, max, POLICY_ALL, name);
	} else {
		struct addr plain = addr_unmap(addr);
		unsigned any = RULE_ADDR_CLIENT | RULE_ADDR_ANSWER | RULE_ADDR_SERVER;
		n = blocklist_find_addr(p->view, rule, max, POLICY_ALL, any, &plain);
	}
	*winner = -1;
	for (int i = 0; i < n; i++)
		out[i] = (struct policy_reason){.rule = rule[i]};
	if (n > 0)
		sort_reasons(out, n, p, name != NULL);
	for (int i = 0; i < n; i++) {
		struct candidate c;
		uint32_t change = 0;
		out[i].lost = weigh(&c, &change, p, &out[i].rule);
		if (!out[i].lost && c.monitor)
			out[i].lost = lost_monitor;
		else if (!out[i].lost && *winner >= 0)
			out[i].lost = lost_order;
		else if (!out[i].lost)
			*winner = i;
	}
	return n;
}
