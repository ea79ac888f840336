/* hits_place.h: how far an export has come, kept in a file.
 * Shape    a line for each folder: segment, row, and the folder's name
 * Memory   none
 * Threads  one process a file
 * Errors   as hits_tool.h */
#ifndef SINKHOLED_TOOLS_HITS_PLACE_H
#define SINKHOLED_TOOLS_HITS_PLACE_H

#include "tools/hits_tool.h"

enum {
	HITS_PLACE_TEXT_MAX = sizeof((struct hits *)0)->folders +
			      HITS_FOLDERS_MAX * 2 * HITS_NUMBER_TEXT_MAX
};

/* The text of such a file, which is changed, to h->folder[].passed, and back. Returns 0
 * or the number of the first line that is no place of these folders; the length. */
MUST_CHECK int hits_place_parse(struct hits *h, char *text);
size_t hits_place_print(char text[HITS_PLACE_TEXT_MAX], const struct hits *h);

/* After hits_rows_open(): the folders go on where the file says, if there is one; *there
 * says whether. */
MUST_CHECK int hits_place_read(struct hits *h, const char *file, bool *there);
/* What has been told so far has left: replaces the file whole. */
MUST_CHECK int hits_place_write(const struct hits *h, const char *file);

#endif
