/* rebinding.h: public names that point into private networks.
 * Shape    a reply in, whether it is to be withheld out
 * Memory   none
 * Threads  any
 * Source   RFC 9460 (address hints); Jackson et al., "Protecting Browsers from DNS
 *          Rebinding Attacks", 2007; SECURITY.md 1B row 38
 *
 * A page from the attacker's name may talk to that name: when the name's second answer is
 * 192.168.1.1, it talks to the reader's router. Who asks decides, not the end of a chain
 * of aliases: an alias to a name that may have such an address is the same attack. */
#ifndef SINKHOLED_REBINDING_H
#define SINKHOLED_REBINDING_H

#include "include/conf.h"
#include "resolver/reply.h"

/* Whether conf forbids an address in the answer to a question for qname. */
bool rebinding_forbids(const struct conf *conf, const uint8_t *qname,
		       const struct reply *reply);

#endif
