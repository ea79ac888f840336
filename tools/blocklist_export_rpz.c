#include <stdlib.h>
#include <string.h>

#include "tools/blocklist_export.h"
#include "tools/rpz_owner.h"

/* A response policy zone. A name in a zone ends the wildcards above it, our subtree rules
 * do not end: so each name of the zone, also the empty ones between, gets what it
 * inherits from above written out. The walk comes in key order, ancestors first; all that
 * is kept is the way down to the name at hand. */

enum {
	TTL = 30,
	NAME_MAX_OCTETS = 200, /* leaves 55 for the zone's name: with one name over 255
				* octets a server would refuse the whole zone */
	SOA_EXPIRE_S = 30 * 86400,
};

/* What a rule answers with; action RULE_DISABLED: there is none. */
struct answer {
	enum rule_action action;
	struct blocklist_data data;
};

/* What holds below a name. */
struct level {
	struct answer subtree, wildcard;
	uint8_t subtree_depth, wildcard_depth;
};

struct node {
	uint8_t name[DNS_NAME_MAX];
	unsigned depth;
	bool marker;
	struct answer own[RULE_KIND_N];
};

struct rpz {
	bool open; /* a node is being collected */
	struct node node;
	struct node empty;			/* has no rules */
	unsigned depth;				/* of the last node */
	uint8_t last[DNS_NAME_MAX];		/* it */
	struct level level[DNS_LABELS_MAX + 1]; /* of it and those above */
};

static const struct answer nothing = {.action = RULE_DISABLED};

static bool is_some(const struct answer *a)
{
	return a->action != RULE_DISABLED;
}

/* ---- records ---- */

static const char *target(enum rule_action a)
{
	switch (a) {
	case RULE_NODATA:
		return "*.";
	case RULE_PASSTHRU:
		return "rpz-passthru.";
	case RULE_DROP:
		return "rpz-drop.";
	case RULE_TCP_ONLY:
		return "rpz-tcp-only.";
	default: /* the sinkhole's address is each resolver's own */
		return ".";
	}
}

static void put_records(const char *owner, const struct answer *a)
{
	struct blocklist_rr rr;
	char garden[DNS_NAME_TEXT_MAX];
	if (a->action != RULE_LOCAL_DATA && a->action != RULE_CNAME) {
		printf("%s CNAME %s\n", owner, target(a->action));
		return;
	}
	for (size_t at = 0; blocklist_data_next(&a->data, &at, &rr);) {
		if (rr.type == DNS_CNAME) {
			name_to_text(garden, rr.rdata);
			printf("%s %u CNAME %s.\n", owner, rr.ttl, garden);
			continue;
		}
		printf("%s %u TYPE%u \\# %u ", owner, rr.ttl, rr.type, rr.len);
		for (unsigned i = 0; i < rr.len; i++)
			printf("%02x", rr.rdata[i]);
		putchar('\n');
	}
}

/* ---- names ---- */

static const struct answer *nearer(const struct level *l)
{
	if (!is_some(&l->wildcard))
		return &l->subtree;
	return is_some(&l->subtree) && l->subtree_depth >= l->wildcard_depth
		       ? &l->subtree
		       : &l->wildcard;
}

/* The name, and all below it that the zone does not name. */
static void put_node(struct export *x, const struct node *n)
{
	struct rpz *z = x->state;
	struct level *l = &z->level[n->depth];
	char owner[DNS_NAME_TEXT_MAX + 2] = "*.";
	const struct answer *exact = &n->own[RULE_EXACT],
			    *subtree = &n->own[RULE_SUBTREE];
	*l = n->depth ? z->level[n->depth - 1]
		      : (struct level){.subtree = nothing, .wildcard = nothing};
	if (is_some(exact) || is_some(&n->own[RULE_WILDCARD]) || n->marker)
		l->wildcard = nothing;
	const struct answer self = is_some(exact)     ? *exact
				   : is_some(subtree) ? *subtree
						      : *nearer(l);
	if (is_some(subtree)) {
		l->subtree = *subtree;
		l->subtree_depth = (uint8_t)n->depth;
	}
	if (is_some(&n->own[RULE_WILDCARD])) {
		l->wildcard = n->own[RULE_WILDCARD];
		l->wildcard_depth = (uint8_t)n->depth;
	}
	name_to_text(owner + 2, n->name);
	/* The zone's own name is no trigger. */
	if (is_some(&self) && n->depth)
		put_records(owner + 2, &self);
	if (is_some(nearer(l)))
		put_records(n->depth ? owner : "*", nearer(l));
	name_copy(z->last, n->name);
	z->depth = n->depth;
}

static unsigned labels_in_common(const uint8_t *a, const uint8_t *b)
{
	unsigned n = name_labels(b);
	while (!name_within(a, b))
		b = name_parent(b), n--;
	return n;
}

/* Names between the last node, or what it has in common with this one, and this one. */
static void put_between(struct export *x, const struct node *n)
{
	struct rpz *z = x->state;
	struct node *empty = &z->empty;
	unsigned common = labels_in_common(z->last, n->name);
	for (unsigned d = common + 1; d < n->depth; d++) {
		const uint8_t *name = n->name;
		for (unsigned have = n->depth; have > d; have--)
			name = name_parent(name);
		name_copy(empty->name, name);
		empty->depth = d;
		put_node(x, empty);
	}
}

static void close_node(struct export *x)
{
	struct rpz *z = x->state;
	if (!z->open)
		return;
	z->open = false;
	put_between(x, &z->node);
	put_node(x, &z->node);
}

static void clear_node(struct node *n)
{
	n->marker = false;
	for (int k = 0; k < RULE_KIND_N; k++)
		n->own[k].action = RULE_DISABLED;
}

static void open_node(struct rpz *z, const uint8_t *name)
{
	z->open = true;
	clear_node(&z->node);
	name_copy(z->node.name, name);
	z->node.depth = name_labels(name);
}

/* A list's own action stands in place of a rule's records. */
static struct answer answer_of(const struct export_rule *r)
{
	const uint8_t *garden = r->list->garden;
	const struct blocklist_rr rr = {DNS_CNAME, (uint16_t)name_len(garden), TTL,
					garden};
	struct answer a = {r->action, r->entry.data};
	if (a.action == RULE_CNAME && r->list->action == RULE_CNAME &&
	    blocklist_data_alias(&a.data, &rr))
		a.action = RULE_NXDOMAIN;
	if (a.action == RULE_LOCAL_DATA && !a.data.len)
		a.action = RULE_NODATA;
	return a;
}

/* Names of servers stand below a name of their own, where nothing of ours ends. */
static void put_server(const struct export_rule *r)
{
	char owner[DNS_NAME_TEXT_MAX + sizeof "*..rpz-nsdname"], name[DNS_NAME_TEXT_MAX];
	struct answer a = answer_of(r);
	bool wildcard = r->rule->kind == RULE_NS_WILDCARD;
	snprintf(owner, sizeof owner, "%s%s.rpz-nsdname", wildcard ? "*." : "",
		 name_to_text(name, r->key->name));
	put_records(owner, &a);
}

static int name_rule(struct export *x, const struct export_rule *r)
{
	struct rpz *z = x->state;
	if (name_len(r->key->name) > NAME_MAX_OCTETS ||
	    (!*r->key->name && r->rule->kind == RULE_EXACT)) {
		x->lost[EXPORT_LONG]++;
		return ERR_OK;
	}
	if (rule_kind_is_ns(r->rule->kind)) {
		if (!rule_kind_is_marker(r->rule->kind))
			put_server(r);
		return ERR_OK;
	}
	if (!z->open || !name_equal(z->node.name, r->key->name)) {
		close_node(x);
		open_node(z, r->key->name);
	}
	if (r->rule->kind == RULE_ENT) {
		z->node.marker = true;
		return ERR_OK;
	}
	z->node.own[r->rule->kind] = answer_of(r);
	return ERR_OK;
}

/* ---- addresses ---- */

static int address_rule(struct export *x, const struct export_rule *r)
{
	static const uint8_t uses[] = {RULE_ADDR_CLIENT, RULE_ADDR_ANSWER,
				       RULE_ADDR_SERVER};
	const struct prefix *p = &r->key->prefix;
	char owner[RPZ_OWNER_MAX];
	struct answer a = answer_of(r);
	close_node(x);
	if (p->bits == 0) { /* there is no such trigger */
		x->lost[EXPORT_LONG]++;
		return ERR_OK;
	}
	for (size_t i = 0; i < sizeof uses; i++)
		if (r->rule->kind & uses[i])
			put_records(rpz_owner(owner, p, uses[i]), &a);
	return ERR_OK;
}

/* ---- the zone ---- */

/* Whoever serves or transfers the zone and hears no more of us withdraws it when the
 * list's lease ends. */
static int rpz_begin(struct export *x)
{
	const struct blocklist_list *l = blocklist_list_named(x->tool->view, x->list);
	uint32_t expire = l && l->lease > x->now ? l->lease - x->now : SOA_EXPIRE_S;
	uint32_t serial = (uint32_t)blocklist_view_stamp(x->tool->view).generation;
	struct rpz *z = x->state = calloc(1, sizeof *z);
	if (!z)
		return ERR_NOMEM;
	clear_node(&z->empty);
	z->level[0].subtree.action = z->level[0].wildcard.action = RULE_DISABLED;
	printf("$TTL %d\n@ SOA localhost. hostmaster.localhost. %u 3600 600 %u %d\n"
	       "@ NS localhost.\n",
	       TTL, serial, expire, TTL);
	return ERR_OK;
}

static int rpz_rule(struct export *x, const struct export_rule *r)
{
	/* A rule that only watches has no form in a zone, and must not become another. */
	bool watches = r->action == RULE_MONITOR;
	if (watches)
		x->lost[EXPORT_HARMLESS]++;
	return watches			    ? ERR_OK
	       : r->key->prefix.addr.family ? address_rule(x, r)
					    : name_rule(x, r);
}

static int rpz_end(struct export *x)
{
	close_node(x);
	return ERR_OK;
}

const struct export_format export_rpz = {
	.name = "rpz",
	.in_force = true,
	.markers = true,
	.begin = rpz_begin,
	.rule = rpz_rule,
	.end = rpz_end,
};
