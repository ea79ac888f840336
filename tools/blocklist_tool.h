/* blocklist_tool.h: what the commands of sinkhole-blocklist share.
 * Shape    a command opens the store, does one thing, says what it did
 * Memory   tool_close() frees all of a struct tool
 * Threads  one; tool_verify() works in a child process
 * Errors   printed here; CLI_GO or an exit status comes back */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_TOOL_H
#define SINKHOLED_TOOLS_BLOCKLIST_TOOL_H

#include "include/blocklist.h"
#include "include/feed.h"
#include "tools/cli.h"

enum {
	TOOL_PATH_MAX = 4096,
	TOOL_SHRINK_PERCENT =
		20, /* a list that loses more is more likely a broken file */
	TOOL_DATA_TEXT_MAX = 8 * BLOCKLIST_DATA_MAX, /* \\DDD for each byte, and more */
};

struct tool {
	struct blocklist *bl;
	struct blocklist_view *view; /* renewed once, at opening */
	char dir[TOOL_PATH_MAX];
	char user[64];
	int record_fd; /* of the record of changes; -1 when opened for reading */
};

/* BLOCKLIST_WRITE makes the folder and the store where there is none. */
MUST_CHECK int tool_open(struct tool *out, const struct cli *c,
			 enum blocklist_open_mode mode);
void tool_close(struct tool *t);
/* A sentence for what a function of the store returned. Returns the exit status. */
int tool_fail(const struct tool *t, const char *list, int err);
/* Adds one line to the record of changes: who, when, what. Takes the value. */
MUST_CHECK int tool_record(struct tool *t, const char *command, json_t *what);

/* "NAME", "*.NAME" or "PREFIX" of a command line. safe: refuse what no rule should be
 * about; force has been given when it is false. */
MUST_CHECK int tool_key(struct blocklist_key *key, uint8_t *kind, const char *text,
			bool safe);
/* Says that of a prefix which prefix_from_text() refused with ERR_INVAL. CLI_FAULT. */
int tool_host_bits(const char *text, const struct prefix *net);
/* Of --action, garden of "cname=NAME"; for a list also monitor and disabled, which are
 * modes. NULL text keeps -1. */
MUST_CHECK int tool_list_action(struct blocklist_list_set *set,
				uint8_t garden[DNS_NAME_MAX], const char *text);
MUST_CHECK int tool_action(uint8_t *out, uint8_t garden[DNS_NAME_MAX], const char *text);
MUST_CHECK int tool_need_reason(const char *reason, const char *command);

/* "A 30 192.0.2.1". */
char *tool_rr_text(char out[TOOL_DATA_TEXT_MAX], const struct blocklist_rr *rr);
/* All records with "; " between them; generic: the form that import reads. */
char *tool_data_text(char out[TOOL_DATA_TEXT_MAX], const struct blocklist_data *d,
		     bool generic);
/* The id of a list by its name, or what blocklist_walk() takes for all lists for NULL. */
MUST_CHECK int tool_list_id(uint16_t *out, const struct tool *t, const char *name);
/* "" for 0. */
char *tool_time(char out[CLI_TIME_TEXT_MAX], uint32_t t);

/* The commands. */
int tool_import(const struct cli_command *self, int argc, char **argv);
int tool_check(const struct cli_command *self, int argc, char **argv);
int tool_diff(const struct cli_command *self, int argc, char **argv);
int tool_simulate(const struct cli_command *self, int argc, char **argv);
int tool_update(const struct cli_command *self, int argc, char **argv);
int tool_follow(const struct cli_command *self, int argc, char **argv);
int tool_add(const struct cli_command *self, int argc, char **argv);
int tool_remove(const struct cli_command *self, int argc, char **argv);
int tool_client(const struct cli_command *self, int argc, char **argv);
int tool_group(const struct cli_command *self, int argc, char **argv);
int tool_verify(const struct cli_command *self, int argc, char **argv);
int tool_backup(const struct cli_command *self, int argc, char **argv);
int tool_restore(const struct cli_command *self, int argc, char **argv);
int tool_compact(const struct cli_command *self, int argc, char **argv);
int tool_explain(const struct cli_command *self, int argc, char **argv);
int tool_list(const struct cli_command *self, int argc, char **argv);
/* "list set NAME KEY=VALUE ...". */
int tool_list_set(const struct cli *c);
/* "list remove NAME". */
int tool_list_remove(const struct cli *c, const char *reason);
int tool_promote(const struct cli_command *self, int argc, char **argv);
int tool_lists(const struct cli_command *self, int argc, char **argv);
int tool_export(const struct cli_command *self, int argc, char **argv);
int tool_stats(const struct cli_command *self, int argc, char **argv);

#endif
