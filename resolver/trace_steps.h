/* trace_steps.h: what happens to a traced question, as a list in JSON.
 * Shape    notes of the machine in, one object of include/control.h's "trace" each
 * Units    us since the trace began
 * Memory   the list is a reference of jansson's; bounded by TRACE_STEPS_BYTES
 * Threads  one owner; between a batch's begin and end, as rules are looked up
 * Errors   none: what has no room is counted */
#ifndef SINKHOLED_TRACE_STEPS_H
#define SINKHOLED_TRACE_STEPS_H

#include <jansson.h>

#include "resolver/note.h"
#include "zones/local.h"

enum {
	TRACE_STEPS_BYTES = 768 << 10, /* with a message in hex, below 1 MiB */
	TRACE_QUESTIONS_MAX = 256, /* whose depth is known; the others are shown flat */
	TRACE_SENDS_MAX = 2 * BUDGET_SENDS, /* whose time is known */
};

struct trace_steps {
	const struct policy *policy;
	json_t *list;
	size_t bytes;
	uint64_t now_us;
	uint32_t left_out;
	uint32_t sends; /* that left */
	uint32_t sent_n;
	struct trace_send {
		uint32_t task, id;
		uint64_t us;
	} sent[TRACE_SENDS_MAX];
	struct policy_subject subject[TRACE_QUESTIONS_MAX]; /* by task */
	uint8_t depth[TRACE_QUESTIONS_MAX];
};

/* ERR_NOMEM. */
MUST_CHECK int trace_steps_init(struct trace_steps *s, const struct policy *policy);
void trace_steps_fini(struct trace_steps *s);

/* noter.note; arg is a struct trace_steps. */
void trace_steps_note(void *arg, const struct note *n);

/* What is decided before there is a task. */
void trace_steps_client(struct trace_steps *s, const struct addr *client, bool allowed,
			const char *class);
void trace_steps_local(struct trace_steps *s, enum local_kind kind,
		       const struct local_answer *local, bool overridden);
void trace_steps_policy(struct trace_steps *s, const uint8_t *name,
			const struct verdict *v);

#endif
