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

/* The policy class of a client: opt-out wins over everything (P6), then the group of the
 * longest prefix. For IPv4 dressed as IPv6 either address counts, the plain one first. */
MUST_CHECK int client_class(uint8_t *class, struct blocklist_view *view,
			    const struct addr *client);

/* The prefix that decides about a client: 1 with *out, or 0. */
MUST_CHECK int client_find(struct blocklist_view *view, struct blocklist_client *out,
			   const struct addr *client);
/* The same for a person: "all lists", "opted out", "group NAME". */
enum { CLIENT_TEXT_MAX = HIT_LIST_MAX + 8 };
char *client_text(char out[CLIENT_TEXT_MAX], struct blocklist_view *view,
		  const struct addr *client);

#endif
