/* update_list.h: one list of the configuration, brought to what its URL has now.
 * Shape    fetch to a file beside the state, import that in a child process as a person
 *          would, remember what came of it; what fails leaves the list as it was
 * Units    times in seconds since 1970, UTC
 * Memory   flat
 * Threads  one; a lock per list against other processes
 * Errors   told on stderr; the exit status comes back
 *
 * The store is locked for writing only while it is written: the file is fetched and
 * checked before. Names of files in the folder: LIST.state, LIST.copy (the last good
 * one), LIST.part (while it is fetched), LIST.refused (by a safety gate), LIST.lock. */
#ifndef SINKHOLED_TOOLS_UPDATE_LIST_H
#define SINKHOLED_TOOLS_UPDATE_LIST_H

#include "include/conf.h"
#include "tools/blocklist_tool.h"
#include "tools/list_state.h"

enum {
	UPDATE_JITTER_SHARE = 10,  /* up to a tenth of the interval later, at random: a
				    * feed's users do not all come at the full hour */
	UPDATE_RETRY_S = 300,	   /* after the first failure; doubled after each */
	UPDATE_RETRY_MAX_S = 3600, /* or the interval, whichever is longer */
	UPDATE_SUM_MAX = 64 << 10, /* of a file of SHA-256 sums */
};

/* One run of the command. */
struct update {
	const struct cli *cli;
	const struct conf *conf;
	char dir[TOOL_PATH_MAX]; /* feeds */
	int folder;		 /* the same, open */
	const volatile int *stop;
	bool dry_run, from_copy;
};

/* CLI_DONE: imported, or nothing new. CLI_NO: refused or not to be had. */
int update_list(const struct update *u, const struct conf_list *l);
/* When to ask again, after s. */
uint32_t update_next(const struct conf_list *l, const struct list_state *s, uint32_t now,
		     uint32_t retry_after_s);
/* Whether it is time; a clock that was set back does not stop it for long. */
bool update_is_due(const struct conf_list *l, const struct list_state *s, uint32_t now);

#endif
