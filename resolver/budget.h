/* budget.h: what one client question may cost, over all its sub-questions, never reset.
 * Shape    a sub-question gets a share on the way in; what it left comes back with its
 *          reply
 * Source   SECURITY.md 1A, 1B rows 10 to 15 */
#ifndef SINKHOLED_BUDGET_H
#define SINKHOLED_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
	int32_t sends;	      /* packets that may still be sent */
	int32_t bytes;	      /* that may still be received */
	uint64_t deadline_ms; /* monotonic */
	uint8_t depth;	      /* sub-questions below this one */
};

enum {
	BUDGET_SENDS = 64, /* best peer: 50, Unbound 200 */
	BUDGET_BYTES = 256 * 1024,
	BUDGET_MS = 6000,
	BUDGET_DEPTH = 8,
	BUDGET_SUB_SENDS_MIN = 3, /* less cannot get from a cold TLD to an answer */
	BUDGET_SUB_SENDS_MAX = 24,
};

/* Takes a sub-question's part out of the own budget; false when there is too little.
 * Asking costs one packet, even if it then needs none: loops of names end by that. */
static inline bool budget_share(struct budget *own, struct budget *share)
{
	int32_t sends = (own->sends - 1) / 2;
	if (own->depth == 0 || sends < BUDGET_SUB_SENDS_MIN)
		return false;
	*share = *own;
	share->depth--;
	share->sends = sends < BUDGET_SUB_SENDS_MAX ? sends : BUDGET_SUB_SENDS_MAX;
	share->bytes = own->bytes / 2;
	own->sends -= share->sends + 1;
	own->bytes -= share->bytes;
	return true;
}

#endif
