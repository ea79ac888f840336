/* client.h: who may ask, and which rules apply to whom.
 * Shape    an address in, a decision out
 * Threads  any; the view belongs to the caller
 * Errors   ERR_* of the store */
#ifndef SINKHOLED_CLIENT_H
#define SINKHOLED_CLIENT_H

#include "include/conf.h"
#include "resolver/policy.h"

/* Whether the configuration's allow list covers the client. ::ffff:0:0/96 counts as IPv4;
 * 6to4 and NAT64 do not, as anybody on the IPv6 Internet may send from the one that has
 * 127.0.0.1 in it. */
bool client_allowed(const struct conf *conf, const struct addr *client);

/* The policy class of a client: opt-out wins over everything (P6). For IPv4 dressed as
 * IPv6 either address counts. */
MUST_CHECK int client_class(uint8_t *class, struct blocklist_view *view,
			    const struct addr *client);

#endif
