/* explain_text.h: the command "explain", as two programs have it: its options, the
 * question, and what is printed.
 * Shape    options in, a control request out; its answer in, text or JSON out
 * Memory   explain_print() takes the answer
 * Threads  one
 * Source   include/control.h, command "explain" */
#ifndef SINKHOLED_TOOLS_EXPLAIN_TEXT_H
#define SINKHOLED_TOOLS_EXPLAIN_TEXT_H

#include "tools/cli.h"

struct explain_options {
	const char *client;
	int64_t at; /* 0: now */
	bool server;
};

/* clang-format off */
#define EXPLAIN_OPTIONS(o) \
	{"client", CLI_TEXT, &(o).client, "ADDRESS", "on behalf of that client", 0, 0}, \
	{"at", CLI_EXPIRY, &(o).at, "TIME", \
	 "of what is listed now, at that time: 3d, 2026-01-31", 0, 0}, \
	{"server", CLI_FLAG, &(o).server, NULL, "as a name server's name or address", 0, 0}
/* clang-format on */

json_t *explain_request(const struct explain_options *o, const char *what);
/* CLI_DONE when a rule decides, else CLI_NO. */
int explain_print(const struct cli *c, json_t *answer);

#endif
