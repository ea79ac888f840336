/* hits_tool.h: what the commands of sinkhole-hits share.
 * Shape    a command opens the log with its filter, takes row after row, prints
 * Units    microseconds since 1970, UTC
 * Memory   hits_close() frees all of a struct hits
 * Threads  one
 * Errors   printed here; CLI_GO or an exit status comes back. Damaged segments are named
 *          and left out, and make the exit status CLI_NO at the end */
#ifndef SINKHOLED_TOOLS_HITS_TOOL_H
#define SINKHOLED_TOOLS_HITS_TOOL_H

#include "resolver/hit_read.h"
#include "tools/cli.h"

enum {
	HITS_PATH_MAX = 1100,
	HITS_TIME_TEXT_MAX = 32, /* 2026-01-02T03:04:05.123456Z */
	HITS_TYPE_TEXT_MAX = 16,
	HITS_OPTIONS_MAX = 16,
};

struct hits {
	struct cli cli;
	char dir[HITS_PATH_MAX];
	struct hit_reader *reader;
	/* the filter, as given and as used; NULL or family 0 = not asked for */
	const char *since, *until, *list, *family, *client_text, *name_text;
	bool subtree;
	long limit; /* rows; 0 = no limit */
	uint64_t since_us, until_us;
	struct prefix client;
	uint8_t name[DNS_NAME_MAX];
	/* the work */
	struct cli_progress progress;
	const volatile int *interrupted;
	uint64_t rows; /* read so far, wanted or not */
	bool trouble;
};

/* Reads the options every command has and extra ones (may be NULL). */
MUST_CHECK int hits_parse(struct hits *h, const struct cli_command *self,
			  const struct cli_option *extra, int min, int max, int argc,
			  char **argv);
/* Reads the filter's texts and opens the log; what (may be NULL) names the progress bar.
 */
MUST_CHECK int hits_open(struct hits *h, const char *what);
/* The next wanted row: 1; 0 at the end and after Ctrl-C. *status is set when it fails. */
int hits_next(struct hits *h, struct hit_row *row, int *status);
/* Returns the exit status: what came before, or CLI_NO after trouble. */
int hits_close(struct hits *h, int status);

/* "2026-01-02T03:04:05.123456Z". */
char *hits_time_text(char out[HITS_TIME_TEXT_MAX], uint64_t time_us);
/* "AAAA", "TYPE65280". */
char *hits_type_text(char out[HITS_TYPE_TEXT_MAX], uint16_t type);
/* The rule's owner, or its prefix: what an analyst knows an entry by. */
char *hits_rule_text(char out[DNS_NAME_TEXT_MAX], const struct hit *hit);

/* The commands. */
int hits_summary(const struct cli_command *self, int argc, char **argv);
int hits_top(const struct cli_command *self, int argc, char **argv);
int hits_timeline(const struct cli_command *self, int argc, char **argv);
int hits_client(const struct cli_command *self, int argc, char **argv);
int hits_name(const struct cli_command *self, int argc, char **argv);
int hits_follow(const struct cli_command *self, int argc, char **argv);
int hits_export(const struct cli_command *self, int argc, char **argv);

#endif
