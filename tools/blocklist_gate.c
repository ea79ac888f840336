#include "tools/blocklist_gate.h"

#include <string.h>
#include <time.h>

#include "include/blocklist_client.h"
#include "include/hash_fold.h"

enum { RENEW_EVERY = 4096 }; /* an old view keeps pages from being used again */

/* ---- opening ---- */

/* What may decide before the list at hand: a live list that lets through. */
static bool is_never_block(const struct gate *g, const struct blocklist_list *l,
			   unsigned precedence)
{
	return l->action == RULE_PASSTHRU && l->mode == BLOCKLIST_LIVE &&
	       l->precedence <= precedence && strcmp(l->name, g->list) != 0;
}

static void read_lists(struct gate *g, int action, int precedence)
{
	const struct blocklist_list *own = blocklist_list_named(g->view, g->list);
	g->precedence = precedence >= 0 ? (unsigned)precedence
			: own		? own->precedence
					: BLOCKLIST_PRECEDENCE;
	if (action < 0 && own)
		g->frees = own->action == RULE_PASSTHRU;
	if (own && own->max_shrink)
		g->max_shrink = own->max_shrink;
	if (own && own->max_growth)
		g->max_growth = own->max_growth;
	for (unsigned id = 0; id < BLOCKLIST_LISTS_MAX && !g->never; id++) {
		const struct blocklist_list *l = blocklist_list(g->view, (uint16_t)id);
		g->never = l && is_never_block(g, l, g->precedence);
	}
}

static int load_root(struct gate *g)
{
	char error[ROOT_ERROR_MAX];
	if (!*g->conf->recursion.root_hints) {
		root_hints_builtin(&g->root);
		return CLI_GO;
	}
	int err = root_hints_load(&g->root, g->conf->recursion.root_hints, error);
	return err ? cli_fail("%s", error) : CLI_GO;
}

static int load_popular(struct gate *g, const char *file, const char *folder)
{
	char error[POPULAR_ERROR_MAX];
	if (!file)
		file = g->conf->gates.popular;
	if (!*file)
		return CLI_GO;
	return popular_open(&g->popular, file, folder, error) ? cli_fail("%s", error)
							      : CLI_GO;
}

/* ---- own names ---- */

static uint64_t label_bit(unsigned labels)
{
	return 1ULL << (labels < 64 ? labels : 63);
}

static uint32_t own_bit(const uint8_t *name)
{
	return (uint32_t)hash_fold(&(struct hash_key){{0}}, name, name_len(name)) %
	       GATE_OWN_BITS;
}

static void own_add(struct gate_own *o, const uint8_t *name)
{
	unsigned labels = name_labels(name);
	uint64_t *which = &o->within;
	for (;; name = name_parent(name), labels--, which = &o->above) {
		uint32_t bit = own_bit(name);
		*which |= label_bit(labels);
		o->bits[bit / 8] |= (uint8_t)(1U << bit % 8);
		if (!labels)
			return;
	}
}

static void own_fill(struct gate *g)
{
	for (int i = 0; i < g->conf->gates.own_names_n; i++)
		own_add(&g->own, g->conf->gates.own_names[i]);
	for (int i = 0; i < g->root.server_n; i++)
		own_add(&g->own, g->root.server[i].name);
}

/* False: name is neither an own name, nor below one, nor above one. */
static bool own_maybe(const struct gate_own *o, const uint8_t *name)
{
	unsigned labels = name_labels(name);
	uint64_t which = o->within | o->above; /* of those above name only the own ones */
	for (;; name = name_parent(name), labels--, which = o->within) {
		if (which & label_bit(labels)) {
			uint32_t bit = own_bit(name);
			if (o->bits[bit / 8] & 1U << bit % 8)
				return true;
		}
		if (!labels)
			return false;
	}
}

int gate_open(struct gate *g, const struct gate_options *o)
{
	int status = CLI_GO;
	*g = (struct gate){.conf = o->conf, .view = o->view};
	g->list = o->list ? o->list : "";
	g->frees = o->action == RULE_PASSTHRU;
	g->max_shrink = g->conf->gates.max_shrink;
	g->max_growth = g->conf->gates.max_growth;
	if (g->view)
		read_lists(g, o->action, o->precedence);
	if (suffix_open(&g->suffix))
		status = cli_fail("there is no list of public suffixes: install the "
				  "package publicsuffix");
	if (status == CLI_GO)
		status = load_root(g);
	if (status == CLI_GO)
		status = load_popular(g, o->popular, o->folder);
	if (status == CLI_GO)
		own_fill(g);
	else
		gate_close(g);
	return status;
}

void gate_close(struct gate *g)
{
	popular_close(g->popular);
	suffix_close(&g->suffix);
	*g = (struct gate){0};
}

/* ---- names ---- */

static int suffix(struct gate *g, const struct blocklist_item *item)
{
	bool alone = item->kind == RULE_EXACT || item->kind == RULE_NS_EXACT;
	/* Single labels have a gate of their own. */
	if (name_labels(item->key.name) < 2)
		return FEED_WORD;
	switch (suffix_of(&g->suffix, item->key.name)) {
	case SUFFIX_REGISTRY:
		return FEED_SKIP_SUFFIX;
	case SUFFIX_SHARED:
		return alone ? FEED_WORD : FEED_SKIP_PRIVATE;
	default:
		return FEED_WORD;
	}
}

/* Within what is to be kept, or a rule that covers it. */
static bool touches(struct gate *g, const struct blocklist_item *item,
		    const uint8_t *keep)
{
	bool below = item->kind == RULE_SUBTREE || rule_kind_is_wildcard(item->kind);
	if (!name_within(item->key.name, keep) &&
	    !(below && name_within(keep, item->key.name)))
		return false;
	name_to_text(g->why, keep);
	return true;
}

static bool own_name(struct gate *g, const struct blocklist_item *item)
{
	if (!own_maybe(&g->own, item->key.name))
		return false;
	for (int i = 0; i < g->conf->gates.own_names_n; i++)
		if (touches(g, item, g->conf->gates.own_names[i]))
			return true;
	for (int i = 0; i < g->root.server_n; i++)
		if (touches(g, item, g->root.server[i].name))
			return true;
	return false;
}

/* ---- addresses ---- */

static bool hits(struct gate *g, const struct prefix *p, const struct prefix *keep)
{
	if (!keep->addr.family || !prefix_overlaps(p, keep))
		return false;
	prefix_to_text(g->why, keep);
	return true;
}

static bool hits_one(struct gate *g, const struct prefix *p, const struct addr *a)
{
	static const struct addr any;
	struct prefix keep = prefix_of(a, a->family == 4 ? 32 : 128);
	/* To listen on any address tells nothing about which. */
	return memcmp(a->bytes, any.bytes, sizeof any.bytes) != 0 && hits(g, p, &keep);
}

static bool hits_zones(struct gate *g, const struct prefix *p,
		       const struct conf_zone *zone, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < zone[i].servers_n; j++)
			if (hits_one(g, p, &zone[i].servers[j]))
				return true;
	return false;
}

static bool hits_here(struct gate *g, const struct prefix *p)
{
	const struct conf *c = g->conf;
	for (int i = 0; i < c->listen_n; i++)
		if (hits_one(g, p, &c->listen[i]))
			return true;
	return hits_one(g, p, &c->sinkhole.ipv4) || hits_one(g, p, &c->sinkhole.ipv6) ||
	       hits_one(g, p, &c->recursion.source4) ||
	       hits_one(g, p, &c->recursion.source6);
}

static bool hits_root(struct gate *g, const struct prefix *p)
{
	for (int i = 0; i < g->root.server_n; i++)
		for (int j = 0; j < g->root.server[i].addr_n; j++)
			if (hits_one(g, p, &g->root.server[i].addr[j]))
				return true;
	return false;
}

static bool own_addr(struct gate *g, const struct prefix *p)
{
	const struct conf *c = g->conf;
	for (int i = 0; i < c->gates.own_nets.n; i++)
		if (hits(g, p, &c->gates.own_nets.net[i]))
			return true;
	return hits_here(g, p) || hits_root(g, p) ||
	       hits_zones(g, p, c->recursion.stub, c->recursion.stub_n) ||
	       hits_zones(g, p, c->recursion.forward, c->recursion.forward_n);
}

/* ---- never-block lists ---- */

static bool lets_through(struct gate *g, const struct rule *rule, int n)
{
	uint32_t now = (uint32_t)time(NULL);
	for (int i = 0; i < n; i++) {
		const struct blocklist_list *l = blocklist_list(g->view, rule[i].list);
		if (!l || !is_never_block(g, l, g->precedence) || rule[i].starts > now ||
		    (rule[i].expires && rule[i].expires <= now) ||
		    (l->lease && l->lease <= now))
			continue;
		snprintf(g->why, sizeof g->why, "list %s", l->name);
		return true;
	}
	return false;
}

static bool never_block(struct gate *g, const struct blocklist_item *item)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	const struct prefix *p = &item->key.prefix;
	if (!g->never || (g->asked++ % RENEW_EVERY == 0 && blocklist_view_renew(g->view)))
		return false;
	int n = p->addr.family
			? blocklist_find_addr(g->view, rule, BLOCKLIST_MATCHES_MAX,
					      BLOCKLIST_CLASS_ALL, item->kind, &p->addr)
			: blocklist_find_name(g->view, rule, BLOCKLIST_MATCHES_MAX,
					      BLOCKLIST_CLASS_ALL, item->key.name);
	return n > 0 && lets_through(g, rule, n);
}

/* ---- popular names ---- */

/* What stands on the list already has been decided about. */
static bool is_listed(struct gate *g, const struct blocklist_item *item)
{
	struct rule rule[BLOCKLIST_MATCHES_MAX];
	bool there = false;
	if (!g->view || blocklist_view_renew(g->view))
		return false;
	const struct blocklist_list *l = blocklist_list_named(g->view, g->list);
	int n = !l ? 0
		   : blocklist_find_name(g->view, rule, BLOCKLIST_MATCHES_MAX,
					 BLOCKLIST_CLASS_ALL, item->key.name);
	for (int i = 0; i < n; i++)
		there = there || (rule[i].list == l->id && rule[i].kind == item->kind &&
				  rule[i].labels == name_labels(item->key.name));
	if (!g->never)
		blocklist_view_reset(g->view);
	return there;
}

static bool is_popular(struct gate *g, const struct blocklist_item *item)
{
	uint32_t rank;
	if (!g->popular || !popular_hit(g->popular, &rank, item->key.name, item->kind) ||
	    is_listed(g, item))
		return false;
	if (rank)
		snprintf(g->why, sizeof g->why, "rank %u", rank);
	return true;
}

/* ---- one rule, and all ---- */

static bool lifted(unsigned force, int why)
{
	return force & FEED_FORCE((unsigned)why);
}

static int gate_name(struct gate *g, const struct blocklist_item *item, unsigned force,
		     bool frees)
{
	int why = suffix(g, item);
	if (why != FEED_WORD && !lifted(force, why))
		return why;
	if (frees)
		return FEED_WORD;
	if (!lifted(force, FEED_SKIP_OWN) && own_name(g, item))
		return FEED_SKIP_OWN;
	if (!lifted(force, FEED_SKIP_NEVER) && never_block(g, item))
		return FEED_SKIP_NEVER;
	return !lifted(force, FEED_SKIP_POPULAR) && is_popular(g, item)
		       ? FEED_SKIP_POPULAR
		       : FEED_WORD;
}

int gate_item(struct gate *g, const struct blocklist_item *item, unsigned force)
{
	bool frees = g->frees || item->action == RULE_PASSTHRU;
	g->why[0] = 0;
	if (!item->key.prefix.addr.family)
		return gate_name(g, item, force, frees);
	/* Subscribers' addresses may be one's own. */
	if (frees || item->kind == RULE_ADDR_CLIENT)
		return FEED_WORD;
	if (!lifted(force, FEED_SKIP_OWN) && own_addr(g, &item->key.prefix))
		return FEED_SKIP_OWN;
	return !lifted(force, FEED_SKIP_NEVER) && never_block(g, item) ? FEED_SKIP_NEVER
								       : FEED_WORD;
}

static bool over(uint64_t part, uint64_t whole, unsigned percent)
{
	return part * 100 > whole * percent;
}

enum gate_share gate_share(const struct gate *g, char why[GATE_WHY_MAX],
			   const struct blocklist_list *was,
			   const struct blocklist_changes *c)
{
	char a[CLI_COUNT_TEXT_MAX], b[CLI_COUNT_TEXT_MAX];
	uint64_t now = was->names + was->addresses;
	uint64_t lost = c->removed > c->added ? c->removed - c->added : 0;
	if (now >= GATE_REPLACED_FROM)
		lost = c->removed;
	if (g->max_shrink < 100 && over(lost, now, g->max_shrink)) {
		snprintf(why, GATE_WHY_MAX,
			 "%s of the %s rules of list %s would go, more than %u %%",
			 cli_count_text(a, c->removed), cli_count_text(b, now), g->list,
			 g->max_shrink);
		return GATE_SHRINKS;
	}
	if (now >= GATE_GROWTH_FROM && g->max_growth < BLOCKLIST_GROWTH_MAX &&
	    over(c->added, now, g->max_growth)) {
		snprintf(why, GATE_WHY_MAX,
			 "%s rules would come to the %s of list %s, more than %u %%",
			 cli_count_text(a, c->added), cli_count_text(b, now), g->list,
			 g->max_growth);
		return GATE_GROWS;
	}
	return GATE_FITS;
}
