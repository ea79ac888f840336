/* blocklist_import.h: what the files of import, check and diff share: one reading of the
 * input, three things to do with it.
 * Shape    import_new(), import_parse(), import_start() or import_start_gate(),
 *          import_read(), then the store or a report, import_end()
 * Units    times in milliseconds of cli_now_ms() unless the name says otherwise
 * Memory   import_end() frees all of a job; lines that are shown are kept, up to
 *          1,000 for each reason
 * Threads  one; a long input is read by another, see feed_ahead.h
 * Errors   printed; CLI_GO or an exit status */
#ifndef SINKHOLED_TOOLS_BLOCKLIST_IMPORT_H
#define SINKHOLED_TOOLS_BLOCKLIST_IMPORT_H

#include "tools/blocklist_gate.h"
#include "tools/blocklist_seen.h"
#include "tools/blocklist_tool.h"

/* Lines shown for each reason: of mistakes enough to see what is meant, of what the gate
 * says no to as many as a person reads, and a program takes. */
enum {
	IMPORT_EXAMPLES = 3,
	IMPORT_EXAMPLES_GATE = 20,
	IMPORT_EXAMPLES_JSON = 1000,
};

struct import_example {
	const char *file;
	uint64_t line;
	char text[FEED_TEXT_MAX], why[FEED_TEXT_MAX]; /* why may be empty */
};

struct import_skipped {
	uint64_t count;
	struct import_example *example;
	uint64_t examples;
};

struct import_job {
	struct cli cli;
	bool for_list;	  /* --list must be given */
	const char *list; /* NULL in check */
	/* options */
	const char *format, *action, *origin, *family, *reason, *public_text, *columns;
	const char *popular;
	long precedence, max_shrink, max_growth;
	int64_t lease_s;
	const char *force_text; /* NULL: not given */
	bool exact, ports, family_from_file, never_block, summary;
	bool force_shrink, force_growth, force_empty;
	struct feed_options feed;
	struct blocklist_list_set set;
	uint8_t garden[DNS_NAME_MAX]; /* of set */
	struct conf *conf;
	const struct conf_list *known; /* the list as the configuration has it, or NULL */
	char zone[DNS_NAME_TEXT_MAX];  /* of it */
	/* what is going on */
	struct tool tool;
	struct blocklist_import *im; /* NULL in check */
	struct gate gate;
	bool gated;  /* gate is open */
	int put_err; /* what the store said to an item */
	struct seen seen;
	const char *file;			      /* being read */
	uint64_t file_bytes, bytes_before, bytes_all; /* bytes_all 0: there is a pipe */
	const volatile int *stop;
	struct cli_progress progress;
	int64_t start_ms;
	/* what came of it */
	enum feed_format found;
	bool mixed; /* files of several formats */
	uint32_t serial;
	uint64_t lines, ignored, accepted, data; /* data: of the accepted, local data */
	struct import_skipped skipped[FEED_SKIP_N];
	struct blocklist_changes changes;
	const char *refused; /* the gate that said no, as --force calls it */
};

/* ---- set-up: blocklist_import.c ---- */

/* reason: for --force, NULL where a person must give one. NULL after printing why. */
struct import_job *import_new(const char *reason);
/* Returns status. */
int import_end(struct import_job *j, int status);
/* For check, which needs no store. */
MUST_CHECK int import_start_gate(struct import_job *j);
/* The store, the gate, and an import of the list. */
MUST_CHECK int import_start(struct import_job *j);

/* ---- options: blocklist_import_options.c ---- */

enum { IMPORT_OPTIONS_MAX = 32 }; /* a command's own, the common ones, and the end */

/* own: the command's options, before those that all three have. */
MUST_CHECK int import_parse(struct import_job *j, const struct cli_command *self,
			    const struct cli_option *own, int argc, char **argv);

/* ---- reading: blocklist_import_read.c ---- */

MUST_CHECK int import_read(struct import_job *j);

/* ---- the gate over all of it: blocklist_import_judge.c ---- */

/* After reading. */
MUST_CHECK int import_judge(struct import_job *j);
/* A blocklist_judge_fn, of a job: whether so much may change at once. */
int import_judge_changes(void *arg, const struct blocklist_list *was,
			 const struct blocklist_changes *changes);

/* ---- the report: blocklist_import_report.c ---- */

void import_print_read(const struct import_job *j);
void import_print_changes(const struct import_job *j);
/* Of reading and, but for check, of the changes. */
json_t *import_json(const struct import_job *j);
json_t *import_changes_json(const struct import_job *j);
/* Since import_new(). */
double import_seconds(const struct import_job *j);

#endif
