/* check.h: what was answered and sent, held against what a scenario expects.
 * Shape    a step in; differences are printed and counted by world_differ()
 * Source   how far: our own files wholly, others as far as a client can rely on it: the
 *          return code, the answer section as a set, an SOA with a denial */
#ifndef SINKHOLED_CHECK_H
#define SINKHOLED_CHECK_H

#include "tests/scenarios/world.h"

/* Lets time pass until the answer is there. */
void check_answer(struct world *w, const struct script_step *s);
/* A packet like the step's, sent already or soon. */
void check_out_query(struct world *w, const struct script_step *s);
/* Steps about the number of packets and the time; false when the step is none. */
bool check_counts(struct world *w, const struct script_step *s);
/* At the end: entries marked MANDATORY were asked for. */
void check_mandatory(struct world *w);

#endif
