#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/utf8.h"
#include "tools/blocklist_gate.h"

/* add, remove. */

#define MANUAL "manual"		  /* the list of what people add by hand */
#define NEVER_BLOCK "never-block" /* and of what they let through before all others */

enum { EXPIRES_S = 30 * 86400 }; /* of an entry that is added without telling */

/* ---- add and remove ---- */

struct edit {
	struct cli cli;
	struct tool tool;
	const char *list, *reason, *authority, *action, *reference, *family, *popular;
	int64_t expires;
	bool exact, force, never_block;
	struct blocklist_item item;
};

static void copy(char *out, size_t size, const char *text)
{
	utf8_clean(out, size, text ? text : "", text ? strlen(text) : 0);
}

static int read_expiry(struct edit *e)
{
	int64_t now = time(NULL);
	if (e->expires > UINT32_MAX || (e->expires && e->expires <= now))
		return cli_fail("--expires names a moment that is over, or after 2106");
	/* P5: every rule that blocks ends. */
	if (e->expires == 0 && e->item.action != RULE_PASSTHRU)
		return cli_fail(
			"only a rule with --action passthru may be listed for ever; "
			"give --expires a time");
	e->item.expires = (uint32_t)e->expires;
	e->item.entry.expires = (uint32_t)e->expires;
	return CLI_GO;
}

static int read_never_block(struct edit *e)
{
	if (!e->never_block)
		return CLI_GO;
	if (e->action)
		return cli_fail("--never-block says what is done: let through; leave "
				"--action out");
	e->action = rule_action_text(RULE_PASSTHRU);
	e->list = e->list ? e->list : NEVER_BLOCK;
	e->expires = e->expires < 0 ? 0 : e->expires;
	return CLI_GO;
}

static int read_add(struct edit *e)
{
	struct blocklist_item *i = &e->item;
	uint8_t garden[DNS_NAME_MAX];
	int status = tool_need_reason(e->reason, "add");
	if (status == CLI_GO)
		status = read_never_block(e);
	e->list = e->list ? e->list : MANUAL;
	e->expires = e->expires < 0 ? (int64_t)time(NULL) + EXPIRES_S : e->expires;
	if (status == CLI_GO)
		status = tool_action(&i->action, garden, e->action);
	const struct blocklist_rr rr = {
		DNS_CNAME, (uint16_t)(status == CLI_GO ? name_len(garden) : 0), 0,
		garden};
	if (status == CLI_GO && i->action == RULE_CNAME &&
	    blocklist_data_alias(&i->entry.data, &rr))
		status = cli_fail("\"%s\" cannot be kept", e->action);
	if (status == CLI_GO)
		status = tool_key(&i->key, &i->kind, e->cli.operands[0], !e->force);
	if (status == CLI_GO)
		status = read_expiry(e);
	bool name = !i->key.prefix.addr.family;
	if (status == CLI_GO && e->exact && (!name || i->kind == RULE_WILDCARD))
		status = cli_fail("--exact is for plain names; \"%s\" is none",
				  e->cli.operands[0]);
	if (e->exact)
		i->kind = RULE_EXACT;
	i->entry.confidence = 255;
	copy(i->entry.reason, sizeof i->entry.reason, e->reason);
	copy(i->entry.authority, sizeof i->entry.authority, e->authority);
	copy(i->entry.reference, sizeof i->entry.reference, e->reference);
	copy(i->entry.family, sizeof i->entry.family, e->family);
	return status;
}

static json_t *edit_json(const struct edit *e)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX];
	const struct blocklist_item *i = &e->item;
	return json_pack("{ss so so so sb}", "list", e->list, "rule",
			 cli_json_text(blocklist_rule_text(rule, &i->key, i->kind)),
			 "reason", cli_json_text(e->reason), "authority",
			 cli_json_text_or_null(e->authority ? e->authority : ""),
			 "forced", e->force);
}

/* What was asked for is not what holds when the list's lease ends before. *imported: the
 * next import brings what it brings, and the entry is gone. */
static bool ended_by_lease(uint32_t *until, bool *imported, struct edit *e)
{
	const struct rule r = {.expires = e->item.expires};
	const struct blocklist_list *l = NULL;
	*until = r.expires;
	if (blocklist_view_renew(e->tool.view) == ERR_OK)
		l = blocklist_list_named(e->tool.view, e->list);
	*imported = l && l->loaded;
	*until = blocklist_until(&r, l);
	return *until != r.expires;
}

static void print_listed(const struct edit *e, const char *rule, const char *until,
			 bool by_lease, bool imported)
{
	const struct blocklist_item *i = &e->item;
	printf("listed %s (%s) on list %s, action %s, %s%s%s\n", rule,
	       blocklist_kind_text(&i->key, i->kind), e->list,
	       rule_action_text((enum rule_action)i->action),
	       *until ? "until " : "for ever", until,
	       by_lease ? ", when the list's lease ends, unless that is renewed" : "");
	if (imported)
		printf("list %s is imported: its next import takes the entry out, unless "
		       "the file has it; list " MANUAL " keeps what is added\n",
		       e->list);
}

static int say_edit(struct edit *e, const char *did)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX], until[CLI_TIME_TEXT_MAX];
	const struct blocklist_item *i = &e->item;
	uint32_t ends;
	bool imported, by_lease = ended_by_lease(&ends, &imported, e);
	blocklist_rule_text(rule, &i->key, i->kind);
	tool_time(until, ends);
	if (e->cli.json) {
		json_t *o = edit_json(e);
		json_object_set_new(o, "done", json_string(did));
		json_object_set_new(o, "until", cli_json_text_or_null(until));
		cli_json(o);
	} else if (strcmp(did, "removed") == 0) {
		printf("removed %s from list %s\n", rule, e->list);
	} else {
		print_listed(e, rule, until, by_lease, imported);
	}
	return CLI_DONE;
}

/* A person has looked, but may have slipped. */
static int ask_gate(struct edit *e)
{
	struct gate_options o = {.view = e->tool.view,
				 .folder = e->tool.dir,
				 .list = e->list,
				 .action = -1,
				 .precedence = -1,
				 .popular = e->popular};
	struct conf *conf;
	struct gate g;
	if (e->force)
		return CLI_GO;
	int status = cli_conf(&conf, &e->cli);
	if (status != CLI_GO)
		return status;
	o.conf = conf;
	status = gate_open(&g, &o);
	if (status != CLI_GO) {
		conf_free(conf);
		return status;
	}
	int why = gate_item(&g, &e->item, 0);
	if (why != FEED_WORD)
		status = cli_no("\"%s\" was not listed: %s%s%s%s; with --force it is "
				"nevertheless",
				e->cli.operands[0], feed_skip_text((enum feed_skip)why),
				*g.why ? " (" : "", g.why, *g.why ? ")" : "");
	gate_close(&g);
	conf_free(conf);
	return status;
}

/* A list of what lets through is before all others, and does not end. */
static int add_item(struct edit *e)
{
	const struct blocklist_list_set set = {.precedence = 0,
					       .action = RULE_PASSTHRU,
					       .mode = -1,
					       .ede = -1,
					       .lease_s = -1,
					       .serial = -1};
	bool is_new = !blocklist_list_named(e->tool.view, e->list);
	int err = blocklist_add(e->tool.bl, e->list, &e->item);
	if (!err && e->never_block && is_new)
		err = blocklist_list_change(e->tool.bl, e->list, &set);
	return err;
}

int tool_add(const struct cli_command *self, int argc, char **argv)
{
	struct edit e = {.expires = -1};
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &e.list, "NAME", "list to add to (" MANUAL ")", 0, 0},
		{"reason", CLI_TEXT, &e.reason, "TEXT", "why; must be given", 0, 0},
		{"expires", CLI_EXPIRY, &e.expires, "TIME",
		 "30d, 2026-01-31, or never for passthru (30d)", 0, 0},
		{"authority", CLI_TEXT, &e.authority, "TEXT", "who ordered it", 0, 0},
		{"reference", CLI_TEXT, &e.reference, "TEXT", "where it is told of", 0,
		 0},
		{"family", CLI_TEXT, &e.family, "NAME", "malware family", 0, 0},
		{"exact", CLI_FLAG, &e.exact, NULL, "not what is below the name", 0, 0},
		{"action", CLI_TEXT, &e.action, "ACTION",
		 "given, address, nxdomain, nodata, refuse, drop, passthru, tcp-only, "
		 "cname=NAME, monitor",
		 0, 0},
		{"never-block", CLI_FLAG, &e.never_block, NULL,
		 "let through, before all lists, for ever; on list " NEVER_BLOCK, 0, 0},
		{"popular", CLI_TEXT, &e.popular, "FILE",
		 "popular names, instead of the configuration's", 0, 0},
		{"force", CLI_FLAG, &e.force, NULL, "whatever the gate says", 0, 0},
		{0},
	};
	int status = cli_parse(&e.cli, self, options, 1, 1, argc, argv);
	if (status == CLI_GO)
		status = read_add(&e);
	if (status == CLI_GO)
		status = tool_open(&e.tool, &e.cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	copy(e.item.entry.operator_name, sizeof e.item.entry.operator_name, e.tool.user);
	status = ask_gate(&e);
	int err = status == CLI_GO ? add_item(&e) : ERR_OK;
	if (err)
		status = tool_fail(&e.tool, e.list, err);
	else if (status == CLI_GO)
		status = tool_record(&e.tool, "add", edit_json(&e));
	if (status == CLI_GO)
		status = say_edit(&e, "listed");
	tool_close(&e.tool);
	return status;
}

/* ERR_NOENT is either: no such list, or not on it. */
static int not_listed(struct edit *e)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX];
	if (blocklist_view_renew(e->tool.view) == ERR_OK &&
	    !blocklist_list_named(e->tool.view, e->list))
		return tool_fail(&e->tool, e->list, ERR_NOENT);
	blocklist_rule_text(rule, &e->item.key, e->item.kind);
	return cli_no(
		"%s is not on list %s; \"%s explain %s\" shows the rules that cover it",
		rule, e->list, program_invocation_short_name, rule);
}

int tool_remove(const struct cli_command *self, int argc, char **argv)
{
	struct edit e = {.list = MANUAL};
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &e.list, "NAME", "list to remove from (" MANUAL ")", 0,
		 0},
		{"reason", CLI_TEXT, &e.reason, "TEXT", "why; must be given", 0, 0},
		{0},
	};
	int status = cli_parse(&e.cli, self, options, 1, 1, argc, argv);
	if (status == CLI_GO)
		status = tool_need_reason(e.reason, "remove");
	if (status == CLI_GO)
		status = tool_key(&e.item.key, &e.item.kind, e.cli.operands[0], false);
	if (status == CLI_GO)
		status = tool_open(&e.tool, &e.cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	int err = blocklist_remove(e.tool.bl, e.list, &e.item.key);
	if (err == ERR_NOENT)
		status = not_listed(&e);
	else if (err)
		status = tool_fail(&e.tool, e.list, err);
	else
		status = tool_record(&e.tool, "remove", edit_json(&e));
	if (status == CLI_GO)
		status = say_edit(&e, "removed");
	tool_close(&e.tool);
	return status;
}
