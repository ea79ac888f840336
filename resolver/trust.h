/* trust.h: the trust anchors in force, and all that changes them: what is given, what
 * RFC 5011 makes of it, what the operator calls broken.
 * Shape    an owner on main's loop; the workers read shared->anchors
 * Units    s, wall clock
 * Memory   trust_open() allocates; an old set goes when nobody reads it any more
 * Threads  main
 * Errors   ERR_*; the commands with a text that says what to do, the others on the log
 * Source   RFC 5011, 7646
 *
 * What changes for a zone is forgotten by the caches, with all names below it: at once,
 * and again when the last question has ended that began before. In the state folder are
 * the followed anchors, see anchor_track.h, and the negative ones, see nta.h. */
#ifndef SINKHOLED_TRUST_H
#define SINKHOLED_TRUST_H

#include <jansson.h>

#include "include/control.h"
#include "resolver/anchor_track.h"
#include "resolver/worker.h"

#define TRUST_STATE_FILE "anchors"
#define TRUST_NEGATIVE_FILE "negative-anchors"

/* Reads what the configuration gives; nothing when validation is off. */
MUST_CHECK int trust_given(struct anchor_records *out, const struct conf *conf);

struct trust;

struct trust_hooks {
	void *arg;
	bool (*in_use)(void *arg, const struct anchors *set);
};

/* Copies given, and sets shared->anchors; shared has its cache. */
MUST_CHECK int trust_open(struct trust **out, struct shared *shared,
			  const struct anchor_records *given,
			  const struct trust_hooks *hooks);
/* After all who read shared->anchors. */
void trust_close(struct trust *t);
/* Each second. */
void trust_tick(struct trust *t, uint32_t now_s);

/* Commands "nta", "anchors" and "reload" of include/control.h. */
int trust_nta(struct trust *t, const json_t *request, char error[CONTROL_ERROR_MAX]);
int trust_list(struct trust *t, json_t *answer);
int trust_reload(struct trust *t, char error[CONTROL_ERROR_MAX]);
/* For "status". */
json_t *trust_status(const struct trust *t);

#endif
