#include <unistd.h>

#include "include/control.h"
#include "tools/blocklist_import.h"

/* check and diff: reading as import does, and nothing is changed. */

/* ---- check ---- */

int tool_check(const struct cli_command *self, int argc, char **argv)
{
	const struct cli_option own[] = {{0}};
	struct import_job *j = import_new("only a check");
	if (!j)
		return CLI_FAULT;
	int status = import_parse(j, self, own, argc, argv);
	if (status == CLI_GO)
		status = import_start_gate(j);
	if (status == CLI_GO)
		status = import_read(j);
	if (status != CLI_GO)
		return import_end(j, status);
	if (j->cli.json)
		cli_json(import_json(j));
	else
		import_print_read(j);
	status = CLI_DONE;
	if (j->accepted == 0)
		status = cli_no(
			"nothing in the input can be listed; is this the right file, "
			"and the right --format?");
	else if (j->skipped[FEED_SKIP_POPULAR].count)
		status = cli_no("it would block popular names: an import is refused");
	return import_end(j, status);
}

/* ---- diff ---- */

static int on_difference(void *arg, char how, const struct blocklist_item *item)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX], data[TOOL_DATA_TEXT_MAX];
	const char *cells[] = {(const char[]){how, 0},
			       blocklist_rule_text(rule, &item->key, item->kind),
			       blocklist_kind_text(&item->key, item->kind),
			       rule_action_text((enum rule_action)item->action),
			       item->entry.family,
			       tool_data_text(data, &item->entry.data, false)};
	cli_table_row(arg, cells);
	return 0;
}

/* What an import would say to these changes. */
static int judge_all(struct import_job *j)
{
	int status = import_judge(j);
	if (status != CLI_GO)
		return status;
	int err = blocklist_view_renew(j->tool.view);
	if (err)
		return tool_fail(&j->tool, j->list, err);
	const struct blocklist_list *l = blocklist_list_named(j->tool.view, j->list);
	return l && import_judge_changes(j, l, &j->changes) ? CLI_NO : CLI_DONE;
}

static int show_counts(struct import_job *j)
{
	const struct blocklist_changes *c = &j->changes;
	int status = judge_all(j);
	if (j->summary && j->cli.json)
		cli_json(import_json(j));
	else if (j->summary || (isatty(STDOUT_FILENO) && !j->cli.json))
		printf("%llu to add (+), %llu to change (~), %llu to remove (-), %llu as "
		       "they are\n",
		       (unsigned long long)c->added, (unsigned long long)c->changed,
		       (unsigned long long)c->removed, (unsigned long long)c->unchanged);
	return status;
}

static int show_differences(struct import_job *j)
{
	static const struct cli_column columns[] = {{"change", false},
						    {"rule", false},
						    {"kind", false},
						    {"action", false},
						    {"family", false},
						    {"data", false},
						    {0}};
	struct cli_table *t = j->summary ? NULL : cli_table_open(columns, j->cli.json);
	if (!t && !j->summary)
		return cli_fail("out of memory");
	int err = blocklist_import_diff(j->im, &j->changes, t ? on_difference : NULL, t);
	if (t)
		cli_table_close(t);
	return err ? tool_fail(&j->tool, j->list, err) : show_counts(j);
}

/* Nothing is written, so nothing may be made either. */
static int store_exists(const struct import_job *j)
{
	char dir[TOOL_PATH_MAX], path[TOOL_PATH_MAX + 16];
	int status = cli_state_path(dir, sizeof dir, &j->cli, CONTROL_BLOCKLIST_DIR);
	if (status != CLI_GO)
		return status;
	snprintf(path, sizeof path, "%s/data.mdb", dir);
	if (access(path, F_OK) == 0)
		return CLI_GO;
	return cli_fail("there is no blocklist store in %s: the first import makes one",
			dir);
}

int tool_diff(const struct cli_command *self, int argc, char **argv)
{
	struct import_job *j = import_new("only a comparison");
	if (!j)
		return CLI_FAULT;
	const struct cli_option own[] = {
		{"list", CLI_TEXT, &j->list, "NAME", "list to compare with", 0, 0},
		{"summary", CLI_FLAG, &j->summary, NULL, "only how many", 0, 0},
		{0},
	};
	j->for_list = true;
	int status = import_parse(j, self, own, argc, argv);
	if (status == CLI_GO)
		status = store_exists(j);
	if (status == CLI_GO)
		status = import_start(j);
	if (status == CLI_GO)
		status = import_read(j);
	if (status == CLI_GO)
		status = show_differences(j);
	return import_end(j, status);
}
