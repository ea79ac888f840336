/* client_line.h: one line of a file of subscriber prefixes.
 * Shape    PREFIX[,opt-out|GROUP[,REASON]]; blank lines and what is behind # before the
 *          first comma are nothing;
 *          a field may stand in double quotes, as in CSV; a first line whose first
 *          field is "prefix" is a heading
 * Memory   the caller's; no allocation
 * Threads  any; pure function
 * Errors   what is wrong with the line, see enum client_line_error */
#ifndef SINKHOLED_CLIENT_LINE_H
#define SINKHOLED_CLIENT_LINE_H

#include "include/blocklist_client.h"

#define CLIENT_LINE_OPT_OUT "opt-out" /* instead of a group's name */

struct client_line {
	struct prefix prefix;
	char group[HIT_LIST_MAX];	 /* "" = the line does not say */
	char reason[BLOCKLIST_TEXT_MAX]; /* clean UTF-8, cut to its room */
};

enum client_line_error {
	CLIENT_LINE_GOOD,
	CLIENT_LINE_NOTHING,
	CLIENT_LINE_PREFIX,    /* no address or prefix */
	CLIENT_LINE_HOST_BITS, /* bits behind the prefix: .prefix is the whole net */
	CLIENT_LINE_GROUP,     /* cannot be a group's name */
	CLIENT_LINE_FIELDS,    /* a quote without end, or too many fields */
};

enum client_line_error client_line_read(struct client_line *out, const char *line,
					size_t len);

#endif
