#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/blocklist_care.h"
#include "include/control.h"
#include "tools/blocklist_tool.h"

/* verify, backup, restore, compact.
 *
 * Reading a damaged file can end a process by a signal, and LMDB must not be carried over
 * a fork: what may be damaged is read in a child that opens it. */

#define LAST_GOOD "last-good.mdb" /* in the store's folder: the copy without a name */

enum {
	/* How a child ended, besides CLI_DONE. */
	CHILD_DAMAGED = 1,
	CHILD_FAULT = 2,   /* said on stderr */
	CHILD_CRASHED = 3, /* by a signal, as reading damage does */
};

/* Runs work in a child. Returns its exit status. */
static int in_child(int (*work)(void *arg), void *arg)
{
	int ended = 0;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(work(arg));
	while (child > 0 && waitpid(child, &ended, 0) < 0 && errno == EINTR)
		;
	if (child < 0) {
		cli_fail("cannot start a process: %s", strerror(errno));
		return CHILD_FAULT;
	}
	return WIFEXITED(ended) ? WEXITSTATUS(ended) : CHILD_CRASHED;
}

static void on_verify(void *arg, uint64_t done, uint64_t total)
{
	cli_progress_at(arg, done, total);
}

static int verify(struct blocklist *bl)
{
	struct blocklist_view *v = NULL;
	struct cli_progress p;
	int err = blocklist_view_open(&v, bl);
	if (!err)
		err = blocklist_view_renew(v);
	cli_progress_start(&p, "verifying");
	if (!err)
		err = blocklist_verify(v, on_verify, &p);
	cli_progress_end(&p);
	blocklist_view_close(v);
	if (err && err != ERR_DAMAGED)
		cli_fail("the store cannot be read: %s", err_text(err));
	return !err ? CLI_DONE : err == ERR_DAMAGED ? CHILD_DAMAGED : CHILD_FAULT;
}

struct care {
	struct cli cli;
	char dir[TOOL_PATH_MAX], file[TOOL_PATH_MAX + 32];
	bool named; /* the file, on the command line */
	bool restoring, if_damaged;
	const char *reason;
	bool replaced; /* data.mdb is a new file */
};

static int care_paths(struct care *c)
{
	int status =
		cli_state_path(c->dir, sizeof c->dir, &c->cli, CONTROL_BLOCKLIST_DIR);
	if (status != CLI_GO)
		return status;
	c->named = c->cli.operands_n > 0;
	int n = c->named ? snprintf(c->file, sizeof c->file, "%s", c->cli.operands[0])
			 : snprintf(c->file, sizeof c->file, "%s/" LAST_GOOD, c->dir);
	return n > 0 && (size_t)n < TOOL_PATH_MAX ? CLI_GO
						  : cli_fail("the path is too long");
}

/* ---- verify ---- */

/* How the store itself is. One that is gone or of another format is as good as damaged
 * for who puts a copy in its place. */
static int verify_store(void *arg)
{
	const struct care *c = arg;
	const char *why = NULL;
	struct blocklist *bl;
	int err = blocklist_open(&bl, c->dir, BLOCKLIST_READ, &why);
	if (err == ERR_DAMAGED ||
	    (c->restoring && (err == ERR_NOENT || err == ERR_VERSION)))
		return CHILD_DAMAGED;
	if (err) {
		cli_fail("cannot open the blocklist store %s: %s", c->dir,
			 why && *why ? why : err_text(err));
		return CHILD_FAULT;
	}
	int status = verify(bl);
	blocklist_close(bl);
	return status;
}

int tool_verify(const struct cli_command *self, int argc, char **argv)
{
	struct care c = {.named = false};
	int status = cli_parse(&c.cli, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = care_paths(&c);
	if (status != CLI_GO)
		return status;
	status = in_child(verify_store, &c);
	if (status == CHILD_FAULT)
		return CLI_FAULT;
	if (c.cli.json)
		cli_json(json_pack("{sb}", "good", status == CLI_DONE));
	if (status != CLI_DONE)
		return cli_no(
			"the store is damaged: put a copy back (\"%s restore\"), or "
			"move it aside and import all lists again",
			program_invocation_short_name);
	if (!c.cli.json)
		printf("the store is good\n");
	return CLI_DONE;
}

/* ---- backup ---- */

static int verify_copy(void *arg)
{
	const char *why = NULL, *file = arg;
	struct blocklist *bl;
	int err = blocklist_copy_open(&bl, file, &why);
	if (err) {
		cli_fail("%s cannot be put back: %s", file,
			 err == ERR_DAMAGED ? "it is damaged" : why);
		return CHILD_FAULT;
	}
	int status = verify(bl);
	blocklist_close(bl);
	return status;
}

static int write_copy(void *arg)
{
	char made[sizeof((struct care *)0)->file + 8];
	const struct care *c = arg;
	const char *why = NULL;
	struct blocklist *bl;
	int err = blocklist_open(&bl, c->dir, BLOCKLIST_READ, &why);
	if (err) {
		cli_fail("cannot open the blocklist store %s: %s", c->dir,
			 why && *why ? why : err_text(err));
		return CHILD_FAULT;
	}
	snprintf(made, sizeof made, "%s.new", c->file);
	(void)unlink(made); /* what a killed one left */
	err = blocklist_copy(bl, made);
	blocklist_close(bl);
	if (!err)
		return CLI_DONE;
	cli_fail_file(made, "write", err);
	return CHILD_FAULT;
}

/* A copy takes the place of an older one only when it has been read and found whole. */
static int backup(struct care *c)
{
	char made[sizeof c->file + 8];
	snprintf(made, sizeof made, "%s.new", c->file);
	int status = in_child(write_copy, c);
	if (status == CLI_DONE)
		status = in_child(verify_copy, made);
	if (status == CLI_DONE && rename(made, c->file))
		return cli_fail("cannot write %s: %s", c->file, strerror(errno));
	if (status == CLI_DONE)
		return CLI_GO;
	(void)unlink(made);
	if (status == CHILD_FAULT)
		return CLI_FAULT;
	return cli_no("the store is damaged: no copy was made, and %s is as it was",
		      c->file);
}

int tool_backup(const struct cli_command *self, int argc, char **argv)
{
	struct care c = {.named = false};
	int status = cli_parse(&c.cli, self, NULL, 0, 1, argc, argv);
	if (status == CLI_GO)
		status = care_paths(&c);
	if (status == CLI_GO)
		status = backup(&c);
	if (status != CLI_GO)
		return status;
	if (c.cli.json)
		cli_json(json_pack("{so}", "copy", cli_json_text(c.file)));
	else
		printf("%s: written, and read again\n", c.file);
	return CLI_DONE;
}

/* ---- restore ---- */

/* Held by the resolver as long as it runs. A file that is not there was never held. */
static bool resolver_runs(const struct care *c)
{
	char path[TOOL_PATH_MAX + 64], state[TOOL_PATH_MAX];
	if (cli_state_path(state, sizeof state, &c->cli, NULL) != CLI_GO)
		return true;
	snprintf(path, sizeof path, "%s/" CONTROL_LOCK_FILE, state);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno != ENOENT;
	bool held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

static int into_living(const struct care *c, struct blocklist *from)
{
	const char *why = NULL;
	struct blocklist *bl;
	int err = blocklist_open(&bl, c->dir, BLOCKLIST_WRITE, &why);
	if (err)
		return cli_fail("cannot open the blocklist store %s: %s", c->dir,
				why && *why ? why : err_text(err));
	err = blocklist_restore(bl, from);
	blocklist_close(bl);
	return err ? cli_fail_file(c->dir, "change", err) : CLI_GO;
}

static int into_new_file(struct care *c, struct blocklist *from)
{
	if (resolver_runs(c))
		return cli_fail("the store is damaged and sinkholed is running with it: "
				"stop it (sinkholectl stop), restore, and start it");
	int err = blocklist_replace(c->dir, from);
	c->replaced = true;
	return err ? cli_fail_file(c->dir, "replace the store in", err) : CLI_GO;
}

static int restore(struct care *c, bool damaged)
{
	const char *why = NULL;
	struct blocklist *from;
	int err = blocklist_copy_open(&from, c->file, &why);
	if (err)
		return cli_fail("cannot open %s: %s", c->file, why);
	int status = damaged ? into_new_file(c, from) : into_living(c, from);
	blocklist_close(from);
	return status;
}

static int check_copy(struct care *c)
{
	if (access(c->file, R_OK))
		return cli_fail("cannot read %s: %s; %s", c->file, strerror(errno),
				c->named ? "nothing was changed"
					 : "\"backup\" without FILE makes it");
	int status = in_child(verify_copy, c->file);
	if (status == CLI_DONE)
		return CLI_GO;
	return status == CHILD_FAULT
		       ? CLI_FAULT
		       : cli_no("%s is damaged: nothing was changed", c->file);
}

/* A copy may be older than the leases in it: what has lapsed blocks nothing. */
static void warn_lapsed(const struct tool *t)
{
	uint32_t now = (uint32_t)time(NULL);
	char until[CLI_TIME_TEXT_MAX];
	for (uint16_t id = 0; id < BLOCKLIST_LISTS_MAX; id++) {
		const struct blocklist_list *l = blocklist_list(t->view, id);
		if (l && l->lease && l->lease <= now)
			(void)cli_no("list %s lapsed at %s and blocks nothing: import it "
				     "again",
				     l->name, tool_time(until, l->lease));
	}
}

static int record_restore(const struct care *c)
{
	struct tool t;
	int status = tool_open(&t, &c->cli, BLOCKLIST_WRITE);
	if (status == CLI_GO)
		warn_lapsed(&t);
	if (status == CLI_GO)
		status = tool_record(
			&t, "restore",
			json_pack("{so so sb}", "copy", cli_json_text(c->file), "reason",
				  cli_json_text_or_null(c->reason ? c->reason : ""),
				  "replaced", c->replaced));
	tool_close(&t);
	return status;
}

int tool_restore(const struct cli_command *self, int argc, char **argv)
{
	struct care c = {.named = false};
	const struct cli_option options[] = {
		{"reason", CLI_TEXT, &c.reason, "TEXT", "recorded with the change", 0, 0},
		{"if-damaged", CLI_FLAG, &c.if_damaged, NULL,
		 "only when the store is damaged or gone", 0, 0},
		{0},
	};
	int status = cli_parse(&c.cli, self, options, 0, 1, argc, argv);
	if (status == CLI_GO)
		status = care_paths(&c);
	if (status != CLI_GO)
		return status;
	c.restoring = true;
	int store = in_child(verify_store, &c);
	if (store == CHILD_FAULT)
		return CLI_FAULT;
	if (c.if_damaged && store == CLI_DONE) {
		printf("the store is good: nothing was changed\n");
		return CLI_DONE;
	}
	status = check_copy(&c);
	if (status == CLI_GO)
		status = restore(&c, store != CLI_DONE);
	if (status == CLI_GO)
		status = record_restore(&c);
	if (status != CLI_GO)
		return status;
	if (c.cli.json)
		cli_json(json_pack("{so sb}", "copy", cli_json_text(c.file), "replaced",
				   c.replaced));
	else
		printf("%s: restored%s\n", c.file,
		       c.replaced ? "; what was there before is data.mdb.old" : "");
	return CLI_DONE;
}

/* ---- compact ---- */

/* What data.mdb takes on the disk: it has holes. */
static uint64_t disk_bytes(const struct care *c)
{
	char path[TOOL_PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof path, "%s/data.mdb", c->dir);
	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static int compact(const struct care *c)
{
	const char *why = NULL;
	struct blocklist *bl;
	if (resolver_runs(c))
		return cli_no("sinkholed is running: its file cannot be exchanged. Free "
			      "room in it is used again by later changes; to make it "
			      "small, stop sinkholed, compact, and start it");
	int status = in_child(verify_store, (void *)(uintptr_t)c);
	if (status == CHILD_FAULT)
		return CLI_FAULT;
	if (status != CLI_DONE)
		return cli_no("the store is damaged: see \"%s restore\"",
			      program_invocation_short_name);
	int err = blocklist_open(&bl, c->dir, BLOCKLIST_WRITE, &why);
	if (err)
		return cli_fail("cannot open the blocklist store %s: %s", c->dir,
				why && *why ? why : err_text(err));
	err = blocklist_compact(bl);
	blocklist_close(bl);
	return err ? cli_fail_file(c->dir, "compact", err) : CLI_GO;
}

int tool_compact(const struct cli_command *self, int argc, char **argv)
{
	struct care c = {.named = false};
	char was[CLI_SIZE_TEXT_MAX], is[CLI_SIZE_TEXT_MAX];
	int status = cli_parse(&c.cli, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = care_paths(&c);
	uint64_t before = disk_bytes(&c);
	if (status == CLI_GO)
		status = compact(&c);
	if (status != CLI_GO)
		return status;
	uint64_t after = disk_bytes(&c);
	if (c.cli.json)
		cli_json(json_pack("{sb sI sI}", "compact", true, "bytes_before",
				   (json_int_t)before, "bytes", (json_int_t)after));
	else
		printf("%s: compact, %s instead of %s\n", c.dir, cli_size_text(is, after),
		       cli_size_text(was, before));
	return CLI_DONE;
}
