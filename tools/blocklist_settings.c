#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/blocklist_client.h"
#include "include/utf8.h"
#include "tools/blocklist_hits.h"
#include "tools/list_conf.h"

/* list set, list remove, promote: a list's settings. */

static int bad_value(const char *key, const char *value, const char *takes)
{
	return cli_fail("%s takes %s, not \"%s\"", key, takes, value);
}

/* -1 for what is no number up to max. */
static long number(const char *text, long max)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno || n > max ? -1 : n;
}

static int set_number(int *to, const char *key, const char *value)
{
	*to = (int)number(value, UINT16_MAX);
	return *to < 0 ? bad_value(key, value, "a number from 0 to 65535") : CLI_GO;
}

static int set_percent(int *to, const char *key, const char *value, int max)
{
	char takes[48];
	snprintf(takes, sizeof takes, "percent, from 1 to %d", max);
	*to = (int)number(value, max);
	return *to < 1 ? bad_value(key, value, takes) : CLI_GO;
}

static int set_mode(struct blocklist_list_set *set, const char *value)
{
	for (set->mode = BLOCKLIST_LIVE; set->mode <= BLOCKLIST_OFF; set->mode++)
		if (strcmp(value, blocklist_mode_text((unsigned)set->mode)) == 0)
			return CLI_GO;
	return bad_value("mode", value, "live, monitor or disabled");
}

/* The mode has a key of its own here. */
static int set_action(struct blocklist_list_set *set, uint8_t garden[DNS_NAME_MAX],
		      const char *value)
{
	uint8_t action = RULE_GIVEN;
	int status = tool_action(&action, garden, value);
	if (status == CLI_GO && action == RULE_MONITOR)
		status = cli_fail("to watch only, set mode=monitor");
	set->action = action;
	set->garden = action == RULE_CNAME ? garden : NULL;
	return status;
}

static int set_lease(struct blocklist_list_set *set, const char *value)
{
	set->lease_s = 0;
	if (strcmp(value, "never") == 0)
		return CLI_GO;
	bool fits = cli_span_from_text(&set->lease_s, value) == ERR_OK &&
		    set->lease_s > 0 && set->lease_s <= UINT32_MAX;
	return fits ? CLI_GO
		    : bad_value("lease", value,
				"a span as 30d; of a list that lets through also "
				"never");
}

static int set_one(struct blocklist_list_set *set, uint8_t garden[DNS_NAME_MAX],
		   char *text)
{
	char *value = strchr(text, '=');
	if (!value)
		return cli_fail("list set takes KEY=VALUE, not \"%s\"", text);
	*value++ = 0;
	if (strcmp(text, "precedence") == 0)
		return set_number(&set->precedence, text, value);
	if (strcmp(text, "ede") == 0)
		return set_number(&set->ede, text, value);
	if (strcmp(text, "mode") == 0)
		return set_mode(set, value);
	if (strcmp(text, "action") == 0)
		return set_action(set, garden, value);
	if (strcmp(text, "lease") == 0)
		return set_lease(set, value);
	if (strcmp(text, "max-shrink") == 0)
		return set_percent(&set->max_shrink, text, value, 100);
	if (strcmp(text, "max-growth") == 0)
		return set_percent(&set->max_growth, text, value, BLOCKLIST_GROWTH_MAX);
	if (strcmp(text, "public") == 0) {
		set->public_text = value;
		return CLI_GO;
	}
	return cli_fail(
		"there is no setting \"%s\": a list has precedence, action, mode, "
		"lease, ede, max-shrink, max-growth and public",
		text);
}

static int allowed(const struct cli *c, const char *list,
		   const struct blocklist_list_set *set)
{
	struct conf *conf;
	int status = cli_conf(&conf, c);
	if (status != CLI_GO)
		return status;
	status = list_conf_allows(conf_list_named(conf, list), set);
	conf_free(conf);
	return status;
}

/* Opens, changes, records, says what was done. */
static int change(const struct cli *c, const char *list,
		  const struct blocklist_list_set *set, const char *command, json_t *what)
{
	struct tool t;
	int status = allowed(c, list, set);
	if (status == CLI_GO)
		status = tool_open(&t, c, BLOCKLIST_WRITE);
	if (status != CLI_GO) {
		json_decref(what);
		return status;
	}
	const struct blocklist_list *l = blocklist_list_named(t.view, list);
	int action = set->action >= 0 || !l ? set->action : l->action;
	int err = ERR_OK;
	if (l && set->lease_s == 0 && action != RULE_PASSTHRU)
		status = cli_fail("only a list with action passthru may have no lease: "
				  "what blocks ends by itself");
	else
		err = blocklist_list_change(t.bl, list, set);
	if (err == ERR_RANGE)
		status = cli_fail("the public text has room for %d bytes",
				  BLOCKLIST_PUBLIC_MAX - 1);
	else if (err)
		status = tool_fail(&t, list, err);
	if (status == CLI_GO)
		status = tool_record(&t, command, json_incref(what));
	tool_close(&t);
	if (status == CLI_GO && c->json)
		cli_json(json_incref(what));
	else if (status == CLI_GO)
		printf("list %s: set\n", list);
	json_decref(what);
	return status == CLI_GO ? CLI_DONE : status;
}

int tool_list_set(const struct cli *c)
{
	struct blocklist_list_set set = list_conf_nothing;
	uint8_t garden[DNS_NAME_MAX];
	char clean[BLOCKLIST_PUBLIC_MAX + 8];
	json_t *texts = json_array();
	int status = c->operands_n < 3 ? cli_fail("list set needs NAME KEY=VALUE ...")
				       : CLI_GO;
	for (int i = 2; status == CLI_GO && i < c->operands_n; i++) {
		json_array_append_new(texts, cli_json_text(c->operands[i]));
		status = set_one(&set, garden, c->operands[i]);
	}
	if (status != CLI_GO) {
		json_decref(texts);
		return status;
	}
	if (set.public_text) {
		utf8_clean(clean, sizeof clean, set.public_text, strlen(set.public_text));
		set.public_text = clean;
	}
	return change(c, c->operands[1], &set, "list set",
		      json_pack("{ss so}", "list", c->operands[1], "set", texts));
}

/* ---- list remove ---- */

/* A group that names it would be left with the others, or with none: silently less is
 * watched, or more, than who made the group meant. */
static int named_by_group(const struct tool *t, const struct blocklist_list *l)
{
	for (uint16_t id = 0; id < BLOCKLIST_GROUPS_MAX; id++) {
		const struct blocklist_group *g = blocklist_group(t->view, id);
		if (g && g->lists[l->id / 64] >> l->id % 64 & 1)
			return cli_no("group %s names list %s: give the group other "
				      "lists first (\"group set %s ...\")",
				      g->name, l->name, g->name);
	}
	return CLI_GO;
}

int tool_list_remove(const struct cli *c, const char *reason)
{
	struct tool t;
	json_t *what;
	const char *name = c->operands[1];
	int status = c->operands_n == 2 ? tool_need_reason(reason, "list remove")
					: cli_fail("list remove needs one NAME");
	if (status == CLI_GO)
		status = tool_open(&t, c, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l = blocklist_list_named(t.view, name);
	status = l ? named_by_group(&t, l) : tool_fail(&t, name, ERR_NOENT);
	if (status != CLI_GO) {
		tool_close(&t);
		return status;
	}
	what = json_pack("{ss sI sI so}", "list", name, "names", (json_int_t)l->names,
			 "addresses", (json_int_t)l->addresses, "reason",
			 cli_json_text(reason));
	int err = blocklist_list_remove(t.bl, name);
	status = err ? tool_fail(&t, name, err)
		     : tool_record(&t, "list remove", json_incref(what));
	if (status == CLI_GO && c->json)
		cli_json(json_incref(what));
	else if (status == CLI_GO)
		printf("list %s: removed, with %lld names and %lld addresses\n", name,
		       json_integer_value(json_object_get(what, "names")),
		       json_integer_value(json_object_get(what, "addresses")));
	json_decref(what);
	tool_close(&t);
	return status == CLI_GO ? CLI_DONE : status;
}

/* ---- promote ---- */

enum { PROMOTE_SPAN_S = 30 * 86400, PROMOTE_ENTRIES = 10 };

/* What the list matched while it only watched, as JSON; NULL after saying why not. */
static json_t *watched(const struct cli *c, const struct blocklist_list *l, int64_t since)
{
	struct blocklist_hits h;
	json_t *entries = NULL, *out = NULL;
	uint64_t hits = 0;
	size_t clients = 0;
	int status = blocklist_hits_open(&h, c, l->name, RULE_MONITOR, since);
	if (status != CLI_GO)
		return NULL;
	if (blocklist_hits_total(&h, &hits, &clients) == CLI_GO)
		entries = blocklist_hits_entries(&h, PROMOTE_ENTRIES);
	if (entries)
		out = json_pack("{s:s s:I s:I s:b s:I s:I s:o}", "list", l->name, "names",
				(json_int_t)l->names, "addresses",
				(json_int_t)l->addresses, "log", h.there, "hits",
				(json_int_t)hits, "clients", (json_int_t)clients,
				"entries", entries);
	blocklist_hits_close(&h);
	return out;
}

static void print_entries(const json_t *entries)
{
	static const struct cli_column columns[] = {
		{"hits", true}, {"clients", true}, {"entry", false}, {0}};
	struct cli_table *table = cli_table_open(columns, false);
	char hits[24], clients[24];
	json_t *e;
	size_t i;
	json_array_foreach(entries, i, e)
	{
		const char *entry = json_string_value(json_object_get(e, "entry"));
		snprintf(hits, sizeof hits, "%lld",
			 json_integer_value(json_object_get(e, "hits")));
		snprintf(clients, sizeof clients, "%lld",
			 json_integer_value(json_object_get(e, "clients")));
		if (table)
			cli_table_row(table, (const char *const[]){hits, clients, entry});
	}
	if (table)
		cli_table_close(table);
}

static void print_watched(json_t *seen)
{
	long long names, addresses, hits, clients;
	int log;
	json_t *entries;
	json_unpack(seen, "{s:I s:I s:b s:I s:I s:o}", "names", &names, "addresses",
		    &addresses, "log", &log, "hits", &hits, "clients", &clients,
		    "entries", &entries);
	if (!log)
		printf("there is no hit log here that could be read, so nothing is known "
		       "of what it matched\n");
	else
		printf("%lld questions of %lld clients matched while it watched\n", hits,
		       clients);
	print_entries(entries);
	printf("%lld names and %lld addresses will be acted on\n", names, addresses);
}

/* CLI_GO with what it matched in *seen, when it only watches. */
static int promotable(json_t **seen, const struct cli *c, int64_t since)
{
	struct tool t;
	const char *name = c->operands[0];
	int status = tool_open(&t, c, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l = blocklist_list_named(t.view, name);
	if (!l)
		status = tool_fail(&t, name, ERR_NOENT);
	else if (l->mode != BLOCKLIST_MONITOR)
		status = cli_no("list %s does not only watch: it is %s already", name,
				blocklist_mode_text(l->mode));
	else if (!(*seen = watched(c, l, since)))
		status = CLI_FAULT;
	tool_close(&t);
	return status;
}

int tool_promote(const struct cli_command *self, int argc, char **argv)
{
	struct blocklist_list_set set = list_conf_nothing;
	const char *reason = NULL;
	bool dry_run = false;
	int64_t since = (int64_t)time(NULL) - PROMOTE_SPAN_S;
	json_t *seen = NULL;
	struct cli c;
	const struct cli_option options[] = {
		{"reason", CLI_TEXT, &reason, "TEXT", "recorded with the change", 0, 0},
		{"since", CLI_PAST, &since, "TIME",
		 "report hits from then on; default 30d (ago)", 0, 0},
		{"dry-run", CLI_FLAG, &dry_run, NULL, "report only, change nothing", 0,
		 0},
		{0},
	};
	int status = cli_parse(&c, self, options, 1, 1, argc, argv);
	set.mode = BLOCKLIST_LIVE;
	if (status == CLI_GO && !dry_run)
		status = tool_need_reason(reason, "promote");
	if (status == CLI_GO)
		status = promotable(&seen, &c, since);
	if (status != CLI_GO)
		return status;
	if (!c.json)
		print_watched(seen);
	else if (dry_run)
		cli_json(json_incref(seen));
	if (dry_run) {
		json_decref(seen);
		return CLI_DONE;
	}
	json_object_set_new(seen, "reason", cli_json_text(reason));
	return change(&c, c.operands[0], &set, "promote", seen);
}
