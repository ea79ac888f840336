#include "tools/update_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "resolver/policy.h"
#include "resolver/random.h"
#include "tools/update_parts.h"

enum { LOCK_MODE = 0660 };

/* ---- when ---- */

static uint32_t jitter(uint32_t interval)
{
	struct random_source source = {0};
	uint32_t n;
	random_bytes(&source, &n, sizeof n);
	return n % (interval / UPDATE_JITTER_SHARE + 1);
}

static uint32_t retry_max(const struct conf_list *l)
{
	return l->interval_s > UPDATE_RETRY_MAX_S ? l->interval_s : UPDATE_RETRY_MAX_S;
}

uint32_t update_next(const struct conf_list *l, const struct list_state *s, uint32_t now,
		     uint32_t retry_after_s)
{
	uint32_t wait = l->interval_s;
	if (s->result == LIST_FAILED) {
		wait = UPDATE_RETRY_S;
		for (uint32_t i = 1; i < s->failures && wait < retry_max(l); i++)
			wait *= 2;
		wait = wait < retry_max(l) ? wait : retry_max(l);
		wait = wait > retry_after_s ? wait : retry_after_s;
	}
	return now + wait + jitter(wait);
}

bool update_is_due(const struct conf_list *l, const struct list_state *s, uint32_t now)
{
	uint32_t longest = 2 * (retry_max(l) + FETCH_RETRY_MAX_S);
	return s->next <= now || s->next - now > longest;
}

/* ---- what there is ---- */

static int lock_list(struct job *j)
{
	j->lock =
		openat(j->u->folder, j->file_name[FILE_LOCK],
		       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, LOCK_MODE);
	if (j->lock < 0)
		return cli_fail("cannot open %s/%s: %s", j->u->dir,
				j->file_name[FILE_LOCK], strerror(errno));
	(void)!fchmod(j->lock, LOCK_MODE); /* for all list operators; its owner can */
	if (flock(j->lock, LOCK_EX | LOCK_NB) == 0)
		return CLI_GO;
	return cli_no("list %s is being fetched by another process", j->list->name);
}

static bool store_exists(const struct job *j)
{
	char path[TOOL_PATH_MAX];
	return cli_state_path(path, sizeof path, j->u->cli,
			      CONTROL_BLOCKLIST_DIR "/data.mdb") == CLI_GO &&
	       access(path, F_OK) == 0;
}

/* Whether the list is as the last update left it, read as it is to be read now: only then
 * does "nothing new" of its source mean that there is nothing to do. */
static int look_at_store(struct job *j)
{
	const struct list_state *s = &j->state;
	list_read_as(j->read_as, j->list);
	if (!store_exists(j))
		return CLI_GO;
	int status = tool_open(&j->tool, j->u->cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l =
		blocklist_list_named(j->tool.view, j->list->name);
	j->stands = l && *s->content && !strcmp(s->read_as, j->read_as) &&
		    s->epoch == blocklist_view_stamp(j->tool.view).epoch &&
		    s->names == l->names && s->addresses == l->addresses;
	blocklist_view_reset(j->tool.view);
	return CLI_GO;
}

/* ---- what came of it ---- */

static void note(struct job *j, enum list_result result, const char *text)
{
	j->state.result = result;
	cli_clean(j->state.text, sizeof j->state.text, text);
}

static int failed(struct job *j, const char *text)
{
	note(j, LIST_FAILED, text);
	return cli_no("list %s could not be fetched: %s", j->list->name, text);
}

/* The source says that what is there still stands: only the lease is new. */
static int renew(struct job *j)
{
	struct blocklist_delta *d = NULL;
	const char *list = j->list->name;
	tool_close(&j->tool);
	int status = tool_open(&j->tool, j->u->cli, BLOCKLIST_WRITE);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l = blocklist_list_named(j->tool.view, list);
	uint32_t serial = l ? l->serial : 0, lease_s = l ? l->lease_s : 0;
	blocklist_view_reset(j->tool.view);
	int err = blocklist_delta_open(&d, j->tool.bl, list);
	if (!err)
		err = blocklist_delta_commit(d, serial, lease_s);
	blocklist_delta_close(d);
	tool_close(&j->tool);
	if (err)
		return tool_fail(&j->tool, list, err);
	note(j, LIST_UNCHANGED, "");
	return CLI_DONE;
}

/* ---- the file ---- */

static void rename_part(struct job *j, enum update_file to)
{
	if (renameat(j->u->folder, j->file_name[FILE_PART], j->u->folder,
		     j->file_name[to]) != 0)
		cli_no("list %s: %s/%s cannot be kept: %s", j->list->name, j->u->dir,
		       j->file_name[to], strerror(errno));
}

/* The last good copy, as it was when it was good. */
static int open_copy(struct job *j)
{
	char sum[FEED_FILE_SHA_MAX];
	j->fd = openat(j->u->folder, j->file_name[FILE_COPY],
		       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (j->fd < 0)
		return cli_no("list %s has no copy in %s: %s", j->list->name, j->u->dir,
			      strerror(errno));
	if (feed_file_sum(sum, j->fd) != ERR_OK)
		return cli_fail("the copy of list %s cannot be read: %s", j->list->name,
				strerror(errno));
	if (*j->state.content && strcmp(sum, j->state.content) != 0)
		return cli_no("the copy of list %s in %s is damaged, or was changed: it "
			      "is not what was fetched; remove it, and fetch again",
			      j->list->name, j->u->dir);
	strcpy(j->file.plain, sum);
	return CLI_GO;
}

/* ---- the import, as a person would do it ---- */

/* Passes on what the child says, and keeps its first line. */
static void listen_to(int fd, char *first, size_t size)
{
	char bytes[4096];
	size_t len = 0;
	ssize_t n;
	bool whole = false;
	while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			(void)!write(STDERR_FILENO, bytes, (size_t)n);
		for (ssize_t i = 0; i < n && !whole; i++) {
			whole = bytes[i] == '\n' || len + 1 == size;
			if (!whole)
				first[len++] = bytes[i];
		}
	}
	first[len] = 0;
	char *text = strstr(first, ": "); /* behind the program's name */
	if (text)
		memmove(first, text + 2, strlen(text + 2) + 1);
}

static int in_child(const struct job *j, int fd, int errors)
{
	static const struct cli_command import = {"import", "", "", tool_import},
					diff = {"diff", "", "", tool_diff};
	const struct cli_command *command = j->u->dry_run ? &diff : &import;
	const struct cli *c = j->u->cli;
	char reason[FETCH_SHOWN_MAX + FEED_FILE_SHA_MAX + 32], shown[FETCH_SHOWN_MAX];
	const char *args[16];
	char *argv[16];
	int n = 0;
	snprintf(reason, sizeof reason, "%s %s, SHA-256 %s",
		 j->u->from_copy ? "the copy from" : "fetched from",
		 fetch_shown(shown, j->list->url), j->file.plain);
	args[n++] = command->name;
	if (c->conf_file)
		args[n++] = "-c", args[n++] = c->conf_file;
	if (c->state)
		args[n++] = "--state", args[n++] = c->state;
	if (c->json)
		args[n++] = "--json";
	args[n++] = "--list", args[n++] = j->list->name;
	if (!j->u->dry_run)
		args[n++] = "--reason", args[n++] = reason;
	args[n++] = "-";
	for (int i = 0; i < n; i++)
		if (!(argv[i] = strdup(args[i])))
			return CLI_FAULT;
	argv[n] = NULL;
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
		return CLI_FAULT;
	return command->run(command, n, argv);
}

/* A child of its own: whatever a file does to its reader, it does to no other list. Its
 * exit status; CLI_FAULT where it crashed. */
static int run_child(struct job *j, int fd, char *why, size_t size)
{
	int errors[2], status;
	*why = 0;
	fflush(NULL);
	if (pipe2(errors, O_CLOEXEC) != 0)
		return cli_fail("cannot start the import: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		status = in_child(j, fd, errors[1]);
		fflush(NULL);
		_exit(status);
	}
	close(errors[1]);
	if (pid > 0)
		listen_to(errors[0], why, size);
	close(errors[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(why, size, "the import ended by signal %d",
		 pid > 0 ? WTERMSIG(status) : 0);
	return cli_fail("list %s: %s", j->list->name, why);
}

/* What the store has now is what "nothing new" will be about. */
static int remember(struct job *j, uint32_t now)
{
	struct list_state *s = &j->state;
	int status = tool_open(&j->tool, j->u->cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	const struct blocklist_list *l =
		blocklist_list_named(j->tool.view, j->list->name);
	s->epoch = blocklist_view_stamp(j->tool.view).epoch;
	s->names = l ? l->names : 0;
	s->addresses = l ? l->addresses : 0;
	tool_close(&j->tool);
	if (strcmp(s->content, j->file.plain) != 0)
		s->changed = now;
	strcpy(s->content, j->file.plain);
	strcpy(s->read_as, j->read_as);
	if (!j->u->from_copy) {
		strcpy(s->etag, j->news.etag);
		strcpy(s->modified, j->news.modified);
	}
	return CLI_GO;
}

static int import(struct job *j, uint32_t now)
{
	char why[LIST_STATE_TEXT_MAX], path[TOOL_PATH_MAX + LIST_STATE_FILE_MAX];
	tool_close(&j->tool); /* a store is opened by one process, after the fork */
	int status = run_child(j, j->fd, why, sizeof why);
	if (j->u->dry_run)
		return status;
	if (*j->u->stop)
		return CLI_NO;
	if (status == CLI_NO && !j->u->from_copy) {
		rename_part(j, FILE_REFUSED);
		snprintf(path, sizeof path, "%s/%s", j->u->dir,
			 j->file_name[FILE_REFUSED]);
		cli_no("what was fetched is kept in %s; to take it after all: "
		       "sinkhole-blocklist import --list %s --force --reason TEXT %s",
		       path, j->list->name, path);
	}
	note(j,
	     status == CLI_DONE ? LIST_IMPORTED
	     : status == CLI_NO ? LIST_REFUSED
				: LIST_FAILED,
	     why);
	if (status != CLI_DONE)
		return status;
	if (!j->u->from_copy && j->list->keep_copy)
		rename_part(j, FILE_COPY);
	(void)!unlinkat(j->u->folder, j->file_name[FILE_REFUSED], 0);
	status = remember(j, now);
	return status == CLI_GO ? CLI_DONE : status;
}

/* ---- one list ---- */

static int get_and_import(struct job *j, uint32_t now)
{
	int status = look_at_store(j);
	if (status != CLI_GO)
		return status;
	if (j->u->from_copy) {
		status = open_copy(j);
		return status == CLI_GO ? import(j, now) : status;
	}
	switch (update_fetch(j)) {
	case FETCH_UNCHANGED:
		return renew(j);
	case FETCH_STOPPED:
		return cli_no("interrupted: list %s stays as it is", j->list->name);
	case FETCH_FAILED:
		return failed(j, j->news.why);
	default:
		j->fd = j->file.fd;
		if (j->stands && !j->u->dry_run &&
		    !strcmp(j->file.plain, j->state.content))
			return renew(j);
		return import(j, now);
	}
}

static int save(struct job *j, uint32_t now)
{
	struct list_state *s = &j->state;
	bool good = s->result == LIST_IMPORTED || s->result == LIST_UNCHANGED;
	s->checked = now;
	s->good = good ? now : s->good;
	s->failures = good ? 0 : s->failures + 1;
	s->next = update_next(j->list, s, now, j->news.retry_after_s);
	int err = list_state_write(s, j->u->dir, j->list->name);
	return err ? cli_fail_file(j->u->dir, "write", err) : CLI_GO;
}

static void tell(const struct job *j)
{
	const char *result = list_result_text(j->state.result);
	if (j->u->cli->json)
		cli_json(json_pack("{ss ss so}", "list", j->list->name, "result", result,
				   "why", cli_json_text_or_null(j->state.text)));
	else
		printf("%s: %s\n", j->list->name, result);
}

static void name_files(struct job *j)
{
	static const char *const suffix[FILE_N] = {"part", "copy", "refused", "lock"};
	for (int i = 0; i < FILE_N; i++)
		snprintf(j->file_name[i], sizeof j->file_name[i], "%s.%s", j->list->name,
			 suffix[i]);
}

int update_list(const struct update *u, const struct conf_list *l)
{
	struct job *j = calloc(1, sizeof *j);
	uint32_t now = (uint32_t)time(NULL);
	if (!j)
		return cli_fail("out of memory");
	*j = (struct job){.u = u, .list = l, .fd = -1, .lock = -1, .file = {.fd = -1}};
	j->tool.record_fd = -1;
	name_files(j);
	int status = lock_list(j);
	if (status == CLI_GO && list_state_read(&j->state, u->dir, l->name) != ERR_OK)
		status = cli_fail("cannot read what is remembered of list %s in %s: %s",
				  l->name, u->dir, strerror(errno));
	if (status == CLI_GO) {
		status = get_and_import(j, now);
		bool told = !u->dry_run && !*u->stop;
		if (told && status == CLI_FAULT)
			j->state.result = LIST_FAILED;
		if (told && save(j, now) != CLI_GO)
			status = CLI_FAULT;
		if (told)
			tell(j);
		if (!u->from_copy)
			(void)!unlinkat(u->folder, j->file_name[FILE_PART], 0);
	}
	if (j->fd >= 0 && j->fd != j->file.fd)
		close(j->fd);
	feed_file_close(&j->file);
	tool_close(&j->tool);
	if (j->lock >= 0)
		close(j->lock);
	free(j);
	return status;
}
