#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "include/utf8.h"
#include "tools/blocklist_tool.h"

/* Beside the store: one JSON object a line for each change made by hand or by import,
 * only ever added to. */
#define RECORD_FILE "changes.jsonl"
enum { RECORD_MODE = 0640 };

/* ---- opening ---- */

static void find_user(char *out, size_t size)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");
	char buf[24];
	snprintf(buf, sizeof buf, "%u", (unsigned)getuid());
	const char *name = getuid() == 0 && sudo && *sudo ? sudo : pw ? pw->pw_name : buf;
	utf8_clean(out, size, name, strlen(name));
}

/* The folder is the group's: a link there may lead to somebody else's file. */
static int open_plain(const char *path, struct stat *st)
{
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      RECORD_MODE);
	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1)
		return fd;
	close(fd);
	errno = ELOOP;
	return -1;
}

/* Opened before anything is changed: what cannot be recorded is not done. */
static int open_record(struct tool *t)
{
	char path[TOOL_PATH_MAX + 32];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", t->dir, RECORD_FILE);
	t->record_fd = open_plain(path, &st);
	if (t->record_fd < 0)
		return cli_fail("cannot write %s: %s; changes are made only where they "
				"can be recorded",
				path,
				errno == ELOOP ? "it is a link or no plain file: find "
						 "out who put it there, and remove it"
					       : strerror(errno));
	/* For all list operators, against the umask. */
	if (st.st_uid == geteuid())
		(void)!fchmod(t->record_fd, RECORD_MODE | S_IWGRP);
	return CLI_GO;
}

int tool_open(struct tool *out, const struct cli *c, enum blocklist_open_mode mode)
{
	const char *why = NULL;
	*out = (struct tool){.record_fd = -1};
	int status = cli_state_path(out->dir, sizeof out->dir, c, CONTROL_BLOCKLIST_DIR);
	if (status != CLI_GO)
		return status;
	int err = blocklist_open(&out->bl, out->dir, mode, &why);
	if (err)
		return cli_fail("cannot open the blocklist store %s: %s", out->dir,
				why && *why ? why : err_text(err));
	err = blocklist_view_open(&out->view, out->bl);
	if (!err)
		err = blocklist_view_renew(out->view);
	if (err) {
		status = cli_fail("cannot read the blocklist store %s: %s", out->dir,
				  err_text(err));
		tool_close(out);
		return status;
	}
	find_user(out->user, sizeof out->user);
	if (mode == BLOCKLIST_WRITE)
		status = open_record(out);
	if (status != CLI_GO)
		tool_close(out);
	return status;
}

void tool_close(struct tool *t)
{
	if (t->view)
		blocklist_view_close(t->view);
	if (t->bl)
		blocklist_close(t->bl);
	if (t->record_fd >= 0)
		close(t->record_fd);
	*t = (struct tool){.record_fd = -1};
}

int tool_fail(const struct tool *t, const char *list, int err)
{
	switch (err) {
	case ERR_STOPPED:
		return cli_no("interrupted: nothing was changed; the same command does "
			      "the whole work");
	case ERR_BUSY:
		return cli_fail(
			"list %s is being changed by another process: nothing was "
			"changed here, try again when that is done",
			list);
	case ERR_INVAL:
	case ERR_RANGE:
		return cli_fail("\"%s\" cannot be the name of a list: up to %d letters, "
				"digits and signs, no blanks",
				list, HIT_LIST_MAX - 1);
	case ERR_NOENT:
		return cli_no("there is no list \"%s\"; \"%s lists\" shows what there is",
			      list, program_invocation_short_name);
	default:
		return cli_fail_file(t->dir, "change", err);
	}
}

int tool_record(struct tool *t, const char *command, json_t *what)
{
	char now[CLI_TIME_TEXT_MAX];
	json_t *line = json_object();
	json_object_set_new(line, "time",
			    json_string(cli_time_text(now, (int64_t)time(NULL))));
	json_object_set_new(line, "user", json_string(t->user));
	json_object_set_new(line, "uid", json_integer(getuid()));
	json_object_set_new(line, "command", json_string(command));
	json_object_update(line, what);
	json_decref(what);
	char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	if (!text)
		return cli_fail("out of memory: the change was made, but not recorded");
	size_t n = strlen(text);
	text[n++] = '\n'; /* in place of the NUL */
	/* One write: lines of two processes do not mix. */
	ssize_t wrote = write(t->record_fd, text, n);
	free(text);
	if (wrote == (ssize_t)n)
		return CLI_GO;
	return cli_fail("the change was made, but %s/%s cannot be written: %s", t->dir,
			RECORD_FILE, wrote < 0 ? strerror(errno) : "the disk is full");
}

/* ---- reading a command line ---- */

int tool_key(struct blocklist_key *key, uint8_t *kind, const char *text, bool safe)
{
	int why = feed_word(key, kind, text, strlen(text));
	/* A person who lists a private address means it: labs and split horizons do. */
	if (why == FEED_WORD || why == FEED_SKIP_RESERVED)
		return CLI_GO;
	if (feed_skip_forcible((enum feed_skip)why))
		return !safe ? CLI_GO
			     : cli_no("\"%s\" would cover too much (%s): it was not "
				      "listed; with --force it is nevertheless",
				      text, feed_skip_text((enum feed_skip)why));
	struct prefix p;
	if (prefix_from_text(&p, text, strlen(text)) == ERR_INVAL)
		return tool_host_bits(text, &p);
	return cli_fail("\"%s\" is no domain name, address or prefix (%s)", text,
			feed_skip_text((enum feed_skip)why));
}

int tool_host_bits(const char *text, const struct prefix *net)
{
	char whole[PREFIX_TEXT_MAX];
	return cli_fail("\"%s\" has bits set behind its length; write %s for all of that "
			"network, or %.*s for the one address",
			text, prefix_to_text(whole, net), (int)strcspn(text, "/"), text);
}

static int bad_action(const char *text)
{
	if (strcmp(text, rule_action_text(RULE_LOCAL_DATA)) == 0)
		return cli_fail(
			"--action local-data needs records to answer with: write them "
			"into a response policy zone and import that with --format rpz");
	return cli_fail(
		"--action takes given, address, nxdomain, nodata, refuse, drop, "
		"passthru, tcp-only, cname=NAME, monitor or, for a list, disabled; not "
		"\"%s\"",
		text);
}

int tool_action(uint8_t *out, uint8_t garden[DNS_NAME_MAX], const char *text)
{
	static const char cname[] = "cname=";
	int action = text ? rule_action_from_text(text) : RULE_GIVEN;
	*garden = 0;
	if (text && strncmp(text, cname, sizeof cname - 1) == 0) {
		const char *name = text + sizeof cname - 1;
		if (name_from_str(garden, name) || !*garden)
			return cli_fail("\"%s\" is no domain name to send clients to",
					name);
		*out = RULE_CNAME;
		return CLI_GO;
	}
	if (action < 0 || action == RULE_CNAME || action == RULE_LOCAL_DATA ||
	    action == RULE_DISABLED)
		return bad_action(text);
	*out = (uint8_t)action;
	return CLI_GO;
}

int tool_list_action(struct blocklist_list_set *set, uint8_t garden[DNS_NAME_MAX],
		     const char *text)
{
	uint8_t action = RULE_GIVEN;
	set->action = set->mode = -1;
	if (!text)
		return CLI_GO;
	if (strcmp(text, "disabled") == 0) {
		set->mode = BLOCKLIST_OFF;
		return CLI_GO;
	}
	int status = tool_action(&action, garden, text);
	set->mode = action == RULE_MONITOR ? BLOCKLIST_MONITOR : BLOCKLIST_LIVE;
	/* A list that only watches keeps the action it had, or will have. */
	set->action = action == RULE_MONITOR ? -1 : action;
	set->garden = action == RULE_CNAME ? garden : NULL;
	return status;
}

int tool_need_reason(const char *reason, const char *command)
{
	if (reason && *reason)
		return CLI_GO;
	return cli_fail("%s needs --reason TEXT: it is recorded with the change",
			command);
}

char *tool_time(char out[CLI_TIME_TEXT_MAX], uint32_t t)
{
	out[0] = 0;
	return t ? cli_time_text(out, t) : out;
}
