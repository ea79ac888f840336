/* cli.h: what all tools share: commands and options, times, output for a person, a pipe
 * or a program, progress, Ctrl-C. Shape    a program is a table of commands; a command
 * calls cli_parse() with its options and writes rows through a cli_table Units    times
 * in seconds since 1970, UTC Memory   options point into argv; a table copies its cells
 * Threads  one
 * Errors   printed on stderr, one line that says what to do; the CLI_* exit status comes
 *          back */
#ifndef SINKHOLED_TOOLS_CLI_H
#define SINKHOLED_TOOLS_CLI_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "include/err.h"

/* Exit status of every program. */
enum {
	CLI_DONE = 0,
	CLI_NO = 1,    /* the answer is "no", or a check failed */
	CLI_FAULT = 2, /* wrong usage, or something is broken */
	CLI_GO = -1,   /* cli_parse() only: nothing to end for, go on */
};

#define CLI_CONF_FILE "/etc/sinkholed/sinkholed.yaml" /* read when it is there */

enum {
	CLI_TIME_TEXT_MAX = 24, /* 2026-01-02T03:04:05Z */
	CLI_SIZE_TEXT_MAX = 16,
	CLI_COUNT_TEXT_MAX = 28, /* 18,446,744,073,709,551,615 */
	CLI_COLUMNS_MAX = 16,
	CLI_MEASURE_ROWS = 512, /* rows kept back on a terminal to find column widths */
};

/* ---- commands and options ---- */

/* What the common options said: -c FILE, --state DIR, --json. */
struct cli {
	const char *command;   /* as given; "" in a program without commands */
	const char *conf_file; /* NULL unless -c */
	const char *state;     /* NULL unless --state */
	bool json;
	char **operands; /* what is left after the options */
	int operands_n;
};

enum cli_kind {
	CLI_FLAG,   /* bool *: set to true */
	CLI_TEXT,   /* const char **: the value itself */
	CLI_MAYBE,  /* const char **: what follows "=", "" where nothing does */
	CLI_NUMBER, /* long *: between min and max */
	CLI_SPAN,   /* int64_t *: "30d" as seconds */
	CLI_PAST,   /* int64_t *: a moment: "2h" ago, or RFC 3339 */
	CLI_EXPIRY, /* int64_t *: a moment: in "30d", or RFC 3339; 0 for "never" */
};

struct cli_option {
	const char *name; /* without the dashes; NULL ends the table */
	enum cli_kind kind;
	void *to;
	const char *value; /* what the help calls it: "FILE"; NULL for flags */
	const char *help;
	long min, max; /* CLI_NUMBER */
};

struct cli_command {
	const char *name;     /* NULL ends the table */
	const char *operands; /* for the usage line: "NAME|ADDRESS" */
	const char *help;     /* one line */
	int (*run)(const struct cli_command *self, int argc, char **argv);
};

struct cli_program {
	const char *name;
	const char *help; /* one line */
	const struct cli_command *commands;
	const char *more; /* printed below the commands, or NULL */
};

/* main() of a program with commands: --help, --version, the choice of the command, and
 * whether stdout took everything. Returns the exit status. */
int cli_main(const struct cli_program *p, int argc, char **argv);
/* Reads the options of a command (argv[0] is its name), the common ones among them, in
 * any order with the operands; at least min and at most max operands (-1: any number).
 * Prints help for --help. Anything but CLI_GO is the exit status. */
MUST_CHECK int cli_parse(struct cli *out, const struct cli_command *self,
			 const struct cli_option *options, int min, int max, int argc,
			 char **argv);
/* "program: text" on stderr; cli_fail() returns CLI_FAULT and cli_no() CLI_NO. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_no(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* CLI_FAULT after a sentence for an error of opening or writing path. */
int cli_fail_file(const char *path, const char *doing, int err);
/* The configuration that -c names, else the system's, else the defaults; conf_free() it.
 * CLI_GO, or an exit status after printing why not. */
struct conf;
MUST_CHECK int cli_conf(struct conf **out, const struct cli *c);
/* The folder sub (may be NULL) below the state folder: --state, else the configuration's,
 * else the default. CLI_GO, or an exit status after printing why not. */
MUST_CHECK int cli_state_path(char *out, size_t size, const struct cli *c,
			      const char *sub);
/* From here on SIGINT and SIGTERM only set the number this points to. */
const volatile int *cli_catch_interrupt(void);

/* ---- times, numbers, text ---- */

/* "90", "45s", "15m", "2h", "30d", "8w", "1y": seconds. */
MUST_CHECK int cli_span_from_text(int64_t *out, const char *text);
/* "2026-01-02", "2026-01-02 03:04[:05[.5]]", with T, with Z or +09:00 (UTC without), or
 * "@1767322800". */
MUST_CHECK int cli_time_from_text(int64_t *out, const char *text);
char *cli_time_text(char out[CLI_TIME_TEXT_MAX], int64_t t);
/* "3.2 MiB". */
char *cli_size_text(char out[CLI_SIZE_TEXT_MAX], uint64_t bytes);
/* "1,430,379". */
char *cli_count_text(char out[CLI_COUNT_TEXT_MAX], uint64_t n);
/* Copies text so that a terminal and a JSON reader are safe with it: control characters
 * and broken UTF-8 become '?'; cut at a whole character. */
char *cli_clean(char *out, size_t size, const char *text);

/* ---- output ---- */

/* Takes the value, prints it as one line, and frees it. */
void cli_json(json_t *value);
/* A JSON string of any bytes. */
json_t *cli_json_text(const char *text);
/* The same, but null for the empty string. */
json_t *cli_json_text_or_null(const char *text);

struct cli_column {
	const char *name; /* the key in JSON; NULL ends the table's columns */
	bool number;	  /* right-aligned; a number in JSON */
};

struct cli_table;
/* On a terminal aligned columns below a heading, in a short table without those that are
 * empty in every row; in a pipe TSV without heading; JSON
 * lines with json. NULL when out of memory. */
struct cli_table *cli_table_open(const struct cli_column *columns, bool json);
/* One text per column; "" is shown as "-" and is null in JSON. */
void cli_table_row(struct cli_table *t, const char *const *cells);
void cli_table_close(struct cli_table *t);

/* A bar on stderr when that is a terminal, else silent. */
struct cli_progress {
	const char *what;
	int64_t start_ms, last_ms; /* monotonic */
	bool on, drawn;
};
void cli_progress_start(struct cli_progress *p, const char *what);
/* total 0: unknown. Draws at most ten times a second. */
void cli_progress_at(struct cli_progress *p, uint64_t done, uint64_t total);
void cli_progress_end(struct cli_progress *p);
int64_t cli_now_ms(void); /* monotonic */

#endif
