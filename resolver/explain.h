/* explain.h: why policy decides as it does about a name or an address.
 * Shape    a control request in, its answer out: nothing is sent, nothing is logged
 * Memory   the answer is the caller's
 * Threads  the view's owner; it has been renewed
 * Errors   ERR_*, with a sentence for a person in error
 * Source   include/control.h, command "explain"; POLICY.md "Our decision order"
 *
 * Two callers: the running resolver, with its own configuration, and the list operators'
 * tool, with the store alone. */
#ifndef SINKHOLED_EXPLAIN_H
#define SINKHOLED_EXPLAIN_H

#include <jansson.h>

#include "include/conf.h"
#include "include/control.h"
#include "resolver/policy.h"

MUST_CHECK int explain(json_t *answer, const json_t *request, struct blocklist_view *view,
		       const struct conf *conf, char error[CONTROL_ERROR_MAX]);

#endif
