/* opt_out.h: one line for what several tests do to a client. */
#ifndef SINKHOLED_TEST_OPT_OUT_H
#define SINKHOLED_TEST_OPT_OUT_H

#include "include/blocklist_client.h"

static inline int unit_opt_out(struct blocklist *bl, const struct prefix *p)
{
	const struct blocklist_client c = {
		.prefix = *p, .opt_out = true, .group = BLOCKLIST_NO_GROUP};
	return blocklist_client_put(bl, &c);
}

#endif
