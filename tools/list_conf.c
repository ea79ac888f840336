#include "tools/list_conf.h"

const struct blocklist_list_set list_conf_nothing = {NULL, -1, -1,   -1, -1,
						     -1,   -1, NULL, 0,	 0};

void list_conf_set(struct blocklist_list_set *set, const struct conf_list *l)
{
	if (l->precedence >= 0)
		set->precedence = l->precedence;
	if (l->mode >= 0)
		set->mode = l->mode;
	if (l->ede >= 0)
		set->ede = l->ede;
	if (l->lease_s >= 0)
		set->lease_s = l->lease_s;
	if (*l->public_text)
		set->public_text = l->public_text;
	if (l->max_shrink > 0)
		set->max_shrink = l->max_shrink;
	if (l->max_growth > 0)
		set->max_growth = l->max_growth;
	if (l->action.action < 0)
		return;
	set->action = l->action.action;
	set->garden = l->action.action == RULE_CNAME ? l->action.garden : NULL;
}

static bool differ(int64_t told, int64_t by_hand, int64_t untold)
{
	return told != untold && by_hand != untold && told != by_hand;
}

/* The first setting that two sets give in two ways, or NULL. */
static const char *contested(const struct blocklist_list_set *a,
			     const struct blocklist_list_set *b)
{
	if (differ(a->precedence, b->precedence, -1))
		return "precedence";
	if (differ(a->mode, b->mode, -1))
		return "mode";
	if (differ(a->action, b->action, -1) ||
	    (a->garden && b->garden && !name_equal(a->garden, b->garden)))
		return "action";
	if (differ(a->ede, b->ede, -1))
		return "ede";
	if (differ(a->lease_s, b->lease_s, -1))
		return "lease";
	if (a->public_text && b->public_text && strcmp(a->public_text, b->public_text))
		return "public";
	if (differ(a->max_shrink, b->max_shrink, 0))
		return "max_shrink";
	return differ(a->max_growth, b->max_growth, 0) ? "max_growth" : NULL;
}

int list_conf_allows(const struct conf_list *l, const struct blocklist_list_set *set)
{
	struct blocklist_list_set told = list_conf_nothing;
	if (!l)
		return CLI_GO;
	list_conf_set(&told, l);
	const char *what = contested(&told, set);
	return what ? cli_no("the configuration says what the %s of list %s is: change "
			     "it "
			     "there, and run sinkhole-blocklist update",
			     what, l->name)
		    : CLI_GO;
}

bool list_conf_stale(const struct conf_list *l, const struct list_state *last,
		     uint32_t loaded, uint32_t now)
{
	uint32_t good = last->good > loaded ? last->good : loaded;
	return l->stale_after_s && good && now > good && now - good > l->stale_after_s;
}

int list_conf_apply(struct tool *t, const struct conf_list *l)
{
	struct blocklist_list_set told = list_conf_nothing;
	int err = blocklist_view_renew(t->view);
	const struct blocklist_list *have =
		err ? NULL : blocklist_list_named(t->view, l->name);
	if (!have)
		return err ? tool_fail(t, l->name, err) : CLI_GO;
	const struct blocklist_list_set stands = {
		.public_text = have->public_text,
		.precedence = have->precedence,
		.action = have->action,
		.mode = have->mode,
		.ede = have->ede,
		.lease_s = have->lease_s,
		.garden = have->garden,
		.max_shrink = have->max_shrink,
		.max_growth = have->max_growth,
	};
	list_conf_set(&told, l);
	const char *what = contested(&told, &stands);
	blocklist_view_reset(t->view);
	if (!what)
		return CLI_GO;
	err = blocklist_list_change(t->bl, l->name, &told);
	if (err)
		return tool_fail(t, l->name, err);
	return tool_record(t, "list set",
			   json_pack("{ss ss ss}", "list", l->name, "set", what, "reason",
				     "the configuration says so"));
}
