/* ctl_ask.h: one request to a running sinkholed, over its control socket.
 * Shape    JSON in, JSON out: include/control.h tells what is in it
 * Memory   the answer is the caller's
 * Threads  one; waits CONTROL_TIMEOUT_S at most
 * Errors   printed, an exit status comes back; CLI_NO: it is not running */
#ifndef SINKHOLED_TOOLS_CTL_ASK_H
#define SINKHOLED_TOOLS_CTL_ASK_H

#include "tools/cli.h"

/* Sends request, which it frees. given: --socket, or NULL: in --state, else in the
 * configuration's runtime folder. CLI_GO: *out is the answer, without "ok". */
MUST_CHECK int ctl_ask(json_t **out, const struct cli *c, const char *given,
		       json_t *request);

#endif
