#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "tools/list_conf.h"
#include "tools/update_list.h"

/* update: fetches the lists of the configuration that have a URL, those that are due or
 * those that are named. */

struct run {
	struct cli cli;
	struct conf *conf;
	struct update u;
	bool all;
	int worst;   /* exit status */
	int fetched; /* lists that something was done with */
};

/* The worst that happened to one of them is what the run ends with. */
static void take_status(struct run *r, int status)
{
	r->worst = status > r->worst ? status : r->worst;
}

static int open_folder(struct run *r)
{
	struct update *u = &r->u;
	int status = list_state_folder(u->dir, sizeof u->dir, &r->cli);
	if (status != CLI_GO)
		return status;
	u->folder = open(u->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (u->folder >= 0)
		return CLI_GO;
	return cli_fail("cannot open %s: %s", u->dir, strerror(errno));
}

/* ---- which ---- */

static int check_names(const struct run *r)
{
	for (int i = 0; i < r->cli.operands_n; i++) {
		const char *name = r->cli.operands[i];
		const struct conf_list *l = conf_list_named(r->conf, name);
		if (!l)
			return cli_fail("the configuration has no list \"%s\"", name);
		if (!*l->url)
			return cli_fail("list %s is a zone that \"sinkhole-blocklist "
					"follow\" transfers: it has no url",
					name);
	}
	return CLI_GO;
}

static bool is_meant(const struct run *r, const struct conf_list *l)
{
	struct list_state s;
	for (int i = 0; i < r->cli.operands_n; i++)
		if (!strcmp(r->cli.operands[i], l->name))
			return true;
	if (r->cli.operands_n || !*l->url)
		return false;
	if (r->all || r->u.dry_run || r->u.from_copy)
		return true;
	/* What cannot be read is told when the list is taken. */
	return list_state_read(&s, r->u.dir, l->name) != ERR_OK ||
	       update_is_due(l, &s, (uint32_t)time(NULL));
}

/* ---- settings ---- */

/* What the configuration says of a list holds at once, due or not. */
static int apply_settings(struct run *r)
{
	char path[TOOL_PATH_MAX];
	struct tool t;
	int status = cli_state_path(path, sizeof path, &r->cli,
				    CONTROL_BLOCKLIST_DIR "/data.mdb");
	if (status != CLI_GO || access(path, F_OK) != 0)
		return status;
	status = tool_open(&t, &r->cli, BLOCKLIST_WRITE);
	for (int i = 0; status == CLI_GO && i < r->conf->lists_n; i++)
		status = list_conf_apply(&t, &r->conf->lists[i]);
	tool_close(&t);
	return status;
}

static int run_lists(struct run *r)
{
	int status = CLI_GO;
	for (int i = 0; i < r->conf->lists_n && !*r->u.stop; i++) {
		const struct conf_list *l = &r->conf->lists[i];
		if (!is_meant(r, l))
			continue;
		r->fetched++;
		take_status(r, update_list(&r->u, l));
	}
	if (!r->u.dry_run)
		status = apply_settings(r);
	if (!r->fetched && isatty(STDOUT_FILENO))
		printf("no list is due; name one, or give --all\n");
	return status == CLI_GO ? r->worst : status;
}

int tool_update(const struct cli_command *self, int argc, char **argv)
{
	struct run r = {.u = {.folder = -1}, .worst = CLI_DONE};
	const struct cli_option options[] = {
		{"all", CLI_FLAG, &r.all, NULL, "all that have a URL, due or not", 0, 0},
		{"dry-run", CLI_FLAG, &r.u.dry_run, NULL,
		 "fetch, and only show what would change", 0, 0},
		{"from-copy", CLI_FLAG, &r.u.from_copy, NULL,
		 "fetch nothing: import the last good copies, for a store that was lost",
		 0, 0},
		{0},
	};
	int status = cli_parse(&r.cli, self, options, 0, -1, argc, argv);
	if (status == CLI_GO)
		status = cli_conf(&r.conf, &r.cli);
	if (status == CLI_GO)
		status = check_names(&r);
	if (status == CLI_GO)
		status = open_folder(&r);
	if (status == CLI_GO) {
		r.u.cli = &r.cli;
		r.u.conf = r.conf;
		r.u.stop = cli_catch_interrupt();
		status = run_lists(&r);
	}
	if (r.u.folder >= 0)
		close(r.u.folder);
	conf_free(r.conf);
	return status;
}
