#include <stdlib.h>

#include "include/blocklist_client.h"
#include "tools/blocklist_export.h"

/* A file for nft -f with two sets, of the addresses that name servers must not be asked
 * at: with a rule on the host's output a second wall, should the resolver ever fail to be
 * one. Sets are made, emptied and filled in one transaction of the kernel. */

enum { ELEMENTS = 256 }; /* in one line */

struct nft {
	uint8_t family; /* of the open line; 0 = none is open */
	unsigned n;
};

static int nft_begin(struct export *x)
{
	x->state = calloc(1, sizeof(struct nft));
	if (!x->state)
		return ERR_NOMEM;
	printf("add table inet sinkholed\n");
	for (int v = 4; v <= 6; v += 2)
		printf("add set inet sinkholed flagged%d { type ipv%d_addr; "
		       "flags interval; auto-merge; }\n"
		       "flush set inet sinkholed flagged%d\n",
		       v, v, v);
	return ERR_OK;
}

static void close_line(struct nft *s)
{
	if (s->family)
		printf(" }\n");
	s->family = 0;
}

/* Whether a list of better precedence lets that very address through. */
static bool is_free(const struct export *x, const struct export_rule *r)
{
	struct rule found[BLOCKLIST_MATCHES_MAX];
	int n = blocklist_find_addr(x->tool->view, found, BLOCKLIST_MATCHES_MAX,
				    BLOCKLIST_CLASS_ALL, RULE_ADDR_SERVER,
				    &r->key->prefix.addr);
	for (int i = 0; i < n; i++) {
		const struct blocklist_list *l =
			blocklist_list(x->tool->view, found[i].list);
		uint32_t until = blocklist_until(&found[i], l);
		bool passes =
			l && l->mode == BLOCKLIST_LIVE &&
			(l->action == RULE_PASSTHRU ||
			 (l->action == RULE_GIVEN && found[i].action == RULE_PASSTHRU));
		if (passes && l->precedence <= r->list->precedence &&
		    found[i].labels <= r->key->prefix.bits && (!until || until > x->now))
			return true;
	}
	return false;
}

static int nft_rule(struct export *x, const struct export_rule *r)
{
	struct nft *s = x->state;
	char text[PREFIX_TEXT_MAX];
	uint8_t family = r->key->prefix.addr.family;
	if (!(r->rule->kind & RULE_ADDR_SERVER) || r->list->mode != BLOCKLIST_LIVE ||
	    is_free(x, r))
		return ERR_OK;
	if (s->family != family || s->n == ELEMENTS) {
		close_line(s);
		printf("add element inet sinkholed flagged%u { ", family);
		s->family = family;
		s->n = 0;
	}
	printf("%s%s", s->n++ ? ", " : "", prefix_to_text(text, &r->key->prefix));
	return ERR_OK;
}

static int nft_end(struct export *x)
{
	close_line(x->state);
	return ERR_OK;
}

const struct export_format export_nft = {
	.name = "nft",
	.every = true,
	.in_force = true,
	.blocks = true,
	.addresses = true,
	.begin = nft_begin,
	.rule = nft_rule,
	.end = nft_end,
};
