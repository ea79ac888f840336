/* cause.h: what the store says of the rule that acts, and the answer that follows.
 * Shape    a verdict in; its list, its entry and what answer_verdict() needs out
 * Memory   no allocation; list and words belong to the policy's view
 * Threads  the policy's owner
 * Errors   none: what the store does not say stays empty */
#ifndef SINKHOLED_CAUSE_H
#define SINKHOLED_CAUSE_H

#include "resolver/answer.h"
#include "resolver/policy.h"

struct cause {
	const struct blocklist_list *list; /* NULL = it has gone */
	const char *family, *category;
	const struct blocklist_data *data; /* NULL = not read; within entry */
	struct blocklist_entry entry;	   /* only read when there is no shorter way */
};

/* What a hit says. */
void cause_find(struct cause *out, const struct policy *p, const struct verdict *v);

/* What an answer says. Fills .generation, .ede, .text and .data: the list's public words
 * or its name, and the entry to ask about (P8). */
void cause_tell(struct answer_policy *out, char text[ANSWER_EDE_TEXT_MAX],
		struct cause *why, const struct policy *p);

/* A rule at or below a local zone's apex is an operator's wish to override it. */
static inline bool cause_overrides(const struct verdict *v,
				   const struct local_answer *local)
{
	return v->kind == VERDICT_ACT && v->trigger == RULE_ON_QNAME &&
	       v->rule.labels >= name_labels(local->zone);
}

#endif
