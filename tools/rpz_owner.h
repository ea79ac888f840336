/* rpz_owner.h: how a response policy zone spells a prefix.
 * Memory   the caller's
 * Source   draft-vixie-dnsop-dns-rpz-00, 4.1.1 */
#ifndef SINKHOLED_TOOLS_RPZ_OWNER_H
#define SINKHOLED_TOOLS_RPZ_OWNER_H

#include "include/rule.h"

enum { RPZ_OWNER_MAX = 96 };

/* "24.0.2.0.192.rpz-ip"; use: one of RULE_ADDR_*. */
char *rpz_owner(char out[RPZ_OWNER_MAX], const struct prefix *p, unsigned use);

#endif
