/* trust_parts.h: what the files of trust share; nobody else includes it.
 * Shape    trust.c holds what is in force, trust_control.c reads commands and tells
 * Errors   a text that says what to do */
#ifndef SINKHOLED_TRUST_PARTS_H
#define SINKHOLED_TRUST_PARTS_H

#include "include/conf.h"
#include "resolver/log.h"
#include "resolver/nta.h"
#include "resolver/trust.h"

enum {
	TRUST_SETS_MAX = 16, /* old ones whose questions have not ended; those take 6 s */
};

struct trust {
	struct shared *shared;
	struct trust_hooks hooks;
	struct track track;
	struct nta_list nta;
	struct anchors *set[TRUST_SETS_MAX]; /* oldest first; the last one is in force */
	int set_n;
	bool unsaved;	  /* the followed anchors */
	bool unpublished; /* there was no room for a set */
	struct log_limit save_limit;
	struct anchor_letter letter;
};

/* The negative anchors in force and saved, or as they were before. */
MUST_CHECK int trust_settle(struct trust *t, const struct nta_list *before,
			    char error[CONTROL_ERROR_MAX]);

#endif
