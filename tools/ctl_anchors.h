/* ctl_anchors.h: what sinkholectl asks and shows about trust anchors.
 * Shape    requests and answers of include/control.h
 * Memory   the printing functions free the answer
 * Errors   exit statuses of cli.h */
#ifndef SINKHOLED_TOOLS_CTL_ANCHORS_H
#define SINKHOLED_TOOLS_CTL_ANCHORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "anchors" of the answer, and "negative". */
int ctl_anchors_print(json_t *answer, bool json);
int ctl_anchors_print_negative(json_t *answer, bool json);

struct ctl_nta {
	int64_t for_s; /* 0 = as the daemon does without being told */
	const char *reason;
};
/* NULL after printing what is wrong. */
json_t *ctl_anchors_nta(const char *action, const char *zone, const struct ctl_nta *more);

#endif
