/* nta.h: negative trust anchors that the operator set at run time.
 * Shape    a short list; a text of it for the state folder
 * Units    s, wall clock
 * Memory   the caller's struct
 * Threads  one
 * Errors   ERR_FULL, ERR_FORMAT
 * Source   RFC 7646: each has an end, a week away at most as in BIND
 *
 * The text. "sinkholed negative anchors 1", then a line for each:
 *   ZONE UNTIL REASON     until: seconds since 1970; the reason to the line's end */
#ifndef SINKHOLED_NTA_H
#define SINKHOLED_NTA_H

#include "resolver/anchor.h"

enum {
	NTA_MAX = 256,
	NTA_REASON_MAX = 128, /* with its NUL */
	NTA_FOR_S = 3600,
	NTA_FOR_MAX_S = 7 * 86400,
	NTA_TEXT_MAX = 64 + NTA_MAX * (DNS_NAME_TEXT_MAX + NTA_REASON_MAX + 16),
};

struct nta_list {
	struct anchor_negative at[NTA_MAX];
	char reason[NTA_MAX][NTA_REASON_MAX]; /* clean: no control characters */
	int n;
};

/* The reason is cleaned, and cut where it is too long. A zone that is there already gets
 * the new end and reason. */
MUST_CHECK int nta_add(struct nta_list *l, const uint8_t *zone, uint32_t until_s,
		       const char *reason, size_t reason_len);
/* False when it is not there. */
bool nta_remove(struct nta_list *l, const uint8_t *zone);
/* Removes the first that has ended; false when none has. */
bool nta_expire(struct nta_list *l, uint32_t now_s, uint8_t zone[DNS_NAME_MAX]);

/* Returns the length of the text. */
size_t nta_print(char out[NTA_TEXT_MAX], const struct nta_list *l);
/* On failure *line is the bad one. */
MUST_CHECK int nta_parse(struct nta_list *l, const char *text, size_t len, int *line);

#endif
