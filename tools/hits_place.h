/* hits_place.h: how far an export has come, kept in a file.
 * Shape    a line for each folder: segment, row, and the folder's name
 * Memory   none
 * Threads  one process a file
 * Errors   as hits_tool.h */
#ifndef SINKHOLED_TOOLS_HITS_PLACE_H
#define SINKHOLED_TOOLS_HITS_PLACE_H

#include "tools/hits_tool.h"

/* After hits_rows_open(): the folders go on where the file says, if there is one; *there
 * says whether. */
MUST_CHECK int hits_place_read(struct hits *h, const char *file, bool *there);
/* What has been told so far has left: replaces the file whole. */
MUST_CHECK int hits_place_write(const struct hits *h, const char *file);

#endif
