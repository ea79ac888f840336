/* explain.h: why the running resolver decides as it does about a name.
 * Shape    a control request in, its answer out: nothing is sent, nothing is logged
 * Memory   the answer is the caller's
 * Threads  the main thread; the view is the caller's and renewed
 * Errors   ERR_*, with a sentence for a person in error
 * Source   include/control.h, command "explain"; POLICY.md "Our decision order" */
#ifndef SINKHOLED_EXPLAIN_H
#define SINKHOLED_EXPLAIN_H

#include <jansson.h>

#include "include/conf.h"
#include "include/control.h"
#include "resolver/policy.h"

MUST_CHECK int explain(json_t *answer, const json_t *request, struct blocklist_view *view,
		       const struct conf *conf, char error[CONTROL_ERROR_MAX]);

#endif
