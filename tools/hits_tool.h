/* hits_tool.h: what the commands of sinkhole-hits share.
 * Shape    a command reads its options, then either takes row after row (hits_rows_open,
 *          hits_next) or adds up (hits_sums_open, hits_scan), and prints
 * Units    microseconds since 1970, UTC
 * Memory   hits_close() frees all of a struct hits
 * Threads  one for the caller; hits_add_up() may use two
 * Errors   printed here; CLI_GO or an exit status comes back. Damaged segments are named
 *          and left out, and make the exit status CLI_NO at the end */
#ifndef SINKHOLED_TOOLS_HITS_TOOL_H
#define SINKHOLED_TOOLS_HITS_TOOL_H

#include "tools/cli.h"
#include "tools/hits_groups.h"
#include "tools/hits_scan.h"

#define HITS_EVIDENCE "dns-only" /* no connection was seen: a crawler asks, too */

#define HITS_HELD_DIR "held" /* in the state folder, where retention does not look */

enum {
	HITS_PATH_MAX = 1100,
	HITS_FOLDERS_MAX = 64,	 /* one for each node */
	HITS_TIME_TEXT_MAX = 32, /* 2026-01-02T03:04:05.123456Z */
	HITS_NUMBER_TEXT_MAX = 24,
	HITS_OPTIONS_MAX = 32,
	HITS_FOLLOW_EVERY_MS = 200,
};

struct hits_folder {
	struct hit_reader *reader;
	struct hit_row row; /* its next one */
	bool has;
	struct hit_cursor passed; /* the last one that was told, or not wanted */
};

struct hits {
	struct cli cli;
	/* the folders; NULL ends them */
	const char *folders_text;
	char folders[HITS_FOLDERS_MAX * 64 + HITS_PATH_MAX];
	const char *dir[HITS_FOLDERS_MAX + 1];
	/* the filter, as given and as used; NULL = not asked for */
	const char *since, *until, *client_text, *name_text, *entry_text, *action_text,
		*trigger_text;
	uint64_t since_us, until_us;
	uint8_t name[DNS_NAME_MAX], matched[DNS_NAME_MAX];
	struct hits_filter filter;
	long limit; /* rows; 0 = no limit */
	/* the work */
	struct hits_folder folder[HITS_FOLDERS_MAX];
	int folders_n;
	struct hits_log log;
	struct cli_progress progress;
	const volatile int *interrupted;
	uint64_t rows;	      /* read so far, wanted or not */
	_Atomic bool trouble; /* two threads add up */
};

/* Reads the options every command has and extra ones (may be NULL). */
MUST_CHECK int hits_parse(struct hits *h, const struct cli_command *self,
			  const struct cli_option *extra, int min, int max, int argc,
			  char **argv);
/* Reads the filter's texts and opens the log for rows; what (may be NULL) names the
 * progress bar. */
MUST_CHECK int hits_rows_open(struct hits *h, const char *what);
/* Before the first row of that folder: only rows after that one come. */
void hits_rows_after(struct hits *h, int folder, struct hit_cursor at);
/* Reads again: in each folder what is after that row, segment 0 = everything. */
MUST_CHECK int hits_rows_again(struct hits *h, const struct hit_cursor *after);
/* The next wanted row, by time when there are several folders: 1; 0 at the end and after
 * Ctrl-C. *status is set when it fails. */
int hits_next(struct hits *h, struct hit_row *row, int *status);
/* Reads the filter's texts and opens the log for sums from since_us on, or from
 * h->since_us when that is earlier. */
MUST_CHECK int hits_sums_open(struct hits *h, uint64_t since_us);
/* hits_scan() of all segments, by two threads when there is an arg_late. CLI_GO or an
 * exit status. */
MUST_CHECK int hits_add_up(struct hits *h, struct hits_scan *scan);
/* Any filter but --client was given, or --limit. */
bool hits_is_filtered(const struct hits *h);
/* Returns the exit status: what came before, or CLI_NO after trouble. */
int hits_close(struct hits *h, int status);
/* A moment as --since takes it. CLI_GO or an exit status after saying what is wrong. */
MUST_CHECK int hits_time(uint64_t *out, const char *option, const char *text);
/* An address or prefix of clients. */
MUST_CHECK int hits_client_text(struct prefix *out, const char *text);

/* "2026-01-02T03:04:05.123456Z". */
char *hits_time_text(char out[HITS_TIME_TEXT_MAX], uint64_t time_us);
/* The rule's owner, or its prefix: what an analyst knows an entry by. */
char *hits_rule_text(char out[DNS_NAME_TEXT_MAX], const struct hit *hit);
/* An address, or an IPv6 prefix: what a client number stands for. */
char *hits_client_name(char out[PREFIX_TEXT_MAX], uint64_t client);
char *hits_number(char out[HITS_NUMBER_TEXT_MAX], uint64_t v);

/* Anything but 0 ends it: out of memory. */
typedef int hits_row_fn(void *arg, const struct hit_row *row);
/* Tells every wanted row, in the order they were recorded; with --limit the newest.
 * Returns the exit status. */
MUST_CHECK int hits_tell_rows(struct hits *h, hits_row_fn *fn, void *arg);
/* Opens the log and prints every wanted row. Returns the exit status. */
int hits_print_rows(struct hits *h);
/* Opens the log and prints what top does; withholds what fewer clients asked for. leaves:
 * all of it, as evidence for others. Returns the exit status. */
int hits_print_top(struct hits *h, const char *what, long min_clients, bool leaves);
/* A table whose headings of times say on a terminal that they are UTC. */
struct hits_headings {
	struct cli_column column[CLI_COLUMNS_MAX + 1]; /* lives as long as the table */
};
struct cli_table *hits_table(struct hits_headings *used, const struct hits *h,
			     const struct cli_column *columns);
/* On a terminal, and not for a program. */
void hits_note(const struct hits *h, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The commands. */
int hits_summary(const struct cli_command *self, int argc, char **argv);
int hits_top(const struct cli_command *self, int argc, char **argv);
int hits_timeline(const struct cli_command *self, int argc, char **argv);
int hits_client(const struct cli_command *self, int argc, char **argv);
int hits_name(const struct cli_command *self, int argc, char **argv);
int hits_entry(const struct cli_command *self, int argc, char **argv);
int hits_family(const struct cli_command *self, int argc, char **argv);
int hits_new(const struct cli_command *self, int argc, char **argv);
int hits_cleaned(const struct cli_command *self, int argc, char **argv);
int hits_compare(const struct cli_command *self, int argc, char **argv);
int hits_follow(const struct cli_command *self, int argc, char **argv);
int hits_export(const struct cli_command *self, int argc, char **argv);
int hits_verify(const struct cli_command *self, int argc, char **argv);
int hits_hold(const struct cli_command *self, int argc, char **argv);
int hits_forget(const struct cli_command *self, int argc, char **argv);
int hits_key(const struct cli_command *self, int argc, char **argv);

#endif
