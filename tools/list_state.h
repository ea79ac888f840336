/* list_state.h: what is remembered of a list's source, and what came of asking it.
 * Shape    one small text a list, NAME.state in the folder feeds below the state folder
 * Units    times in seconds since 1970, UTC; 0 = never
 * Memory   flat
 * Threads  one writer per list
 * Errors   as state_file.h; a damaged text counts as none */
#ifndef SINKHOLED_TOOLS_LIST_STATE_H
#define SINKHOLED_TOOLS_LIST_STATE_H

#include "include/hit.h"
#include "tools/feed_file.h"
#include "tools/fetch.h"

#define LIST_STATE_DIR "feeds" /* below the state folder */

enum {
	LIST_STATE_TEXT_MAX = 256,
	LIST_STATE_FILE_MAX = HIT_LIST_MAX + 16, /* a name in that folder */
};

enum list_result {
	LIST_NONE,	/* never asked */
	LIST_IMPORTED,	/* something new came, and is in the store */
	LIST_UNCHANGED, /* what is there still stands */
	LIST_REFUSED,	/* by a safety gate: what was there stays */
	LIST_FAILED,
	LIST_RESULT_N
};

struct list_state {
	char read_as[FEED_FILE_SHA_MAX]; /* of how the configuration says to read it */
	char content[FEED_FILE_SHA_MAX]; /* of the last good content */
	char etag[FETCH_TAG_MAX], modified[FETCH_TAG_MAX]; /* of the same */
	uint64_t epoch, names, addresses; /* of store and list after it */
	uint32_t checked, good, changed;  /* asked; good news; new content */
	uint32_t next;			  /* when to ask again */
	uint32_t failures;		  /* in a row */
	uint32_t result;		  /* enum list_result */
	char text[LIST_STATE_TEXT_MAX];	  /* why */
};

struct cli;
/* The folder below the state folder; makes it. CLI_GO, or an exit status after saying why
 * not. */
MUST_CHECK int list_state_folder(char *out, size_t size, const struct cli *c);
/* Zero where there is none. */
MUST_CHECK int list_state_read(struct list_state *out, const char *dir, const char *list);
MUST_CHECK int list_state_write(const struct list_state *s, const char *dir,
				const char *list);
const char *list_result_text(uint32_t result);

/* From and to the text, for tests. ERR_FORMAT: it is none of ours. */
MUST_CHECK int list_state_parse(struct list_state *out, const char *text, size_t len);
size_t list_state_print(char *out, size_t size, const struct list_state *s);

#endif
