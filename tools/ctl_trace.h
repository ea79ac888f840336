/* ctl_trace.h: the answer of sinkholectl's "trace", made readable.
 * Shape    the daemon's JSON in, with types and the message as words out
 * Memory   the answer's; ctl_trace_print() frees it
 * Errors   exit statuses of cli.h */
#ifndef SINKHOLED_TOOLS_CTL_TRACE_H
#define SINKHOLED_TOOLS_CTL_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "AAAA" or "TYPE28"; false when there is no such type. */
bool ctl_trace_type(uint16_t *out, const char *text);
int ctl_trace_print(json_t *answer, bool json);

#endif
