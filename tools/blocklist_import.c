#include <stdlib.h>
#include <string.h>

#include "tools/blocklist_import.h"

/* import: a list is replaced by what the input has, all of it at once or not at all. */

struct import_job *import_new(const char *reason)
{
	struct import_job *j = calloc(1, sizeof *j);
	if (!j) {
		cli_fail("out of memory");
		return NULL;
	}
	j->reason = reason;
	j->precedence = -1;
	j->lease_s = -1;
	j->tool.record_fd = -1;
	j->start_ms = cli_now_ms();
	j->stop = cli_catch_interrupt();
	seen_init(&j->seen);
	return j;
}

int import_end(struct import_job *j, int status)
{
	cli_progress_end(&j->progress);
	blocklist_import_close(j->im);
	if (j->gated)
		gate_close(&j->gate);
	tool_close(&j->tool);
	conf_free(j->conf);
	seen_fini(&j->seen);
	for (int why = 0; why < FEED_SKIP_N; why++)
		free(j->skipped[why].example);
	free(j);
	return status;
}

int import_start_gate(struct import_job *j)
{
	const struct gate_options o = {.conf = j->conf,
				       .view = j->tool.view,
				       .folder = j->tool.view ? j->tool.dir : NULL,
				       .list = j->list,
				       .action = j->set.action,
				       .precedence = j->set.precedence,
				       .popular = j->popular};
	int status = gate_open(&j->gate, &o);
	j->gated = status == CLI_GO;
	return status;
}

static void on_commit(void *arg, uint64_t done, uint64_t total)
{
	struct import_job *j = arg;
	cli_progress_at(&j->progress, done, total);
}

int import_start(struct import_job *j)
{
	int status = tool_open(&j->tool, &j->cli, BLOCKLIST_WRITE);
	if (status == CLI_GO)
		status = import_start_gate(j);
	if (status != CLI_GO)
		return status;
	blocklist_view_reset(j->tool.view);
	int err = blocklist_import_open(&j->im, j->tool.bl, j->list, &j->set);
	return err ? tool_fail(&j->tool, j->list, err) : CLI_GO;
}

/* What is known only after reading: the serial, and that all of it lets through. */
static int settle(struct import_job *j)
{
	bool never = j->never_block || (j->found == FEED_WARNINGLIST && !j->mixed &&
					!j->action && j->accepted);
	int err = blocklist_view_renew(j->tool.view);
	if (err)
		return tool_fail(&j->tool, j->list, err);
	bool is_new = !blocklist_list_named(j->tool.view, j->list);
	blocklist_view_reset(j->tool.view);
	j->set.serial = j->serial ? (int64_t)j->serial : -1;
	if (never)
		j->set.action = RULE_PASSTHRU;
	if (never && is_new && j->set.precedence < 0)
		j->set.precedence = 0; /* before all others */
	blocklist_import_judge(j->im, import_judge_changes, j, j->force_text != NULL);
	err = blocklist_import_set(j->im, &j->set);
	return err ? tool_fail(&j->tool, j->list, err) : CLI_GO;
}

static int commit(struct import_job *j)
{
	int status = settle(j);
	if (status != CLI_GO)
		return status;
	seen_fini(&j->seen); /* writing needs memory, too */
	cli_progress_start(&j->progress, "writing");
	int err = blocklist_import_commit(j->im, &j->changes, on_commit, j, j->stop);
	cli_progress_end(&j->progress);
	if (err)
		return j->refused ? CLI_NO : tool_fail(&j->tool, j->list, err);
	json_t *what = import_changes_json(j);
	json_object_set_new(what, "list", json_string(j->list));
	json_object_set_new(what, "file", cli_json_text(j->cli.operands[0]));
	json_object_set_new(what, "forced", json_boolean(j->force_text));
	if (j->force_text && *j->force_text)
		json_object_set_new(what, "force", cli_json_text(j->force_text));
	json_object_set_new(what, "reason",
			    cli_json_text_or_null(j->reason ? j->reason : ""));
	return tool_record(&j->tool, "import", what);
}

static void report(const struct import_job *j)
{
	if (!j->cli.json) {
		import_print_read(j);
		if (!j->refused)
			import_print_changes(j);
		return;
	}
	json_t *o = import_json(j);
	json_object_set_new(o, "list", json_string(j->list));
	json_object_set_new(o, "seconds", json_real(import_seconds(j)));
	cli_json(o);
}

int tool_import(const struct cli_command *self, int argc, char **argv)
{
	struct import_job *j = import_new(NULL);
	if (!j)
		return CLI_FAULT;
	j->for_list = true;
	const struct cli_option own[] = {
		{"list", CLI_TEXT, &j->list, "NAME", "list that the input replaces", 0,
		 0},
		{"reason", CLI_TEXT, &j->reason, "TEXT",
		 "why; must be given with --force", 0, 0},
		{"precedence", CLI_NUMBER, &j->precedence, "N",
		 "the lower number wins (new lists: 100)", 0, UINT16_MAX},
		{"action", CLI_TEXT, &j->action, "ACTION",
		 "given, address, nxdomain, nodata, refuse, drop, passthru, tcp-only, "
		 "monitor, disabled",
		 0, 0},
		{"expires", CLI_SPAN, &j->lease_s, "SPAN",
		 "lease that each import renews (new lists: 30d)", 0, 0},
		{"public", CLI_TEXT, &j->public_text, "TEXT",
		 "what clients may be told about the list", 0, 0},
		{"never-block", CLI_FLAG, &j->never_block, NULL,
		 "what the list has is let through, before other lists, for ever", 0, 0},
		{"max-shrink", CLI_NUMBER, &j->max_shrink, "PERCENT",
		 "of the list's rules that an import may take out", 1, 100},
		{"max-growth", CLI_NUMBER, &j->max_growth, "PERCENT",
		 "of the list's rules that an import may add", 1, BLOCKLIST_GROWTH_MAX},
		{0},
	};
	int status = import_parse(j, self, own, argc, argv);
	if (status == CLI_GO)
		status = import_start(j);
	if (status == CLI_GO)
		status = import_read(j);
	if (status == CLI_GO)
		status = import_judge(j);
	if (status == CLI_GO)
		status = commit(j);
	if (status == CLI_GO || j->refused)
		report(j);
	return import_end(j, status == CLI_GO ? CLI_DONE : status);
}
