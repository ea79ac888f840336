/* hits_link.h: a connection to whoever collects an export.
 * Shape    made once of "udp:HOST@PORT", "tcp:HOST@PORT", "tls:HOST@PORT" or "unix:PATH";
 *          then dialled, written to, settled, and dialled again as often as it takes
 * Units    seconds
 * Memory   hits_link_free()
 * Threads  one; a call waits for the other end, LINK_WAIT_S at most
 * Errors   of making one: printed, an exit status comes back. Later ERR_*, and
 *          hits_link_why() tells in words
 * Source   RFC 5425 (TLS: the server's certificate is checked by authority and name) */
#ifndef SINKHOLED_TOOLS_HITS_LINK_H
#define SINKHOLED_TOOLS_HITS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "include/err.h"

enum { HITS_LINK_WAIT_S = 10 }; /* a collector that takes nothing for so long is gone */

struct hits_link_conf {
	const char *to;	  /* as above; NULL = standard output */
	const char *ca;	  /* authorities' certificates; NULL = the system's */
	const char *name; /* that the certificate must have; NULL = HOST */
	const char *cert; /* our own certificate and its key; NULL = none */
};

enum hits_link_kind { HITS_LINK_UDP, HITS_LINK_TCP, HITS_LINK_TLS, HITS_LINK_UNIX };

struct hits_link;

/* CLI_GO, or an exit status after saying what is wrong. Ignores SIGPIPE from then on. */
MUST_CHECK int hits_link_new(struct hits_link **out, const struct hits_link_conf *conf);
void hits_link_free(struct hits_link *l);
enum hits_link_kind hits_link_kind(const struct hits_link *l);
/* Why the last call failed. */
const char *hits_link_why(const struct hits_link *l);

MUST_CHECK int hits_link_dial(struct hits_link *l);
bool hits_link_is_open(const struct hits_link *l);
/* All of it, or an error. */
MUST_CHECK int hits_link_write(struct hits_link *l, const void *data, size_t n);
/* All of it, or an error. */
MUST_CHECK int hits_link_read(struct hits_link *l, void *data, size_t n);
/* Says that nothing more comes, and waits until the other end has read all and hung up,
 * too: what was written has been taken then. Of datagrams nobody can tell. Closes. */
MUST_CHECK int hits_link_settle(struct hits_link *l);
void hits_link_hang_up(struct hits_link *l);

#endif
