/* front_udp.h: questions and answers over UDP.
 * Shape    front_udp_bind() makes one socket per worker before privileges go;
 *          front_udp_open() puts a worker's sockets on its loop
 * Memory   buffers for one batch are allocated at open, nothing after that
 * Threads  bind: the main thread; all else: one worker, on its loop
 * Errors   bind: see there; a lost answer is counted, the client asks again
 * Source   RFC 1035 4.2.1, 9715 (no fragments); SECURITY.md row 34 and 4 */
#ifndef SINKHOLED_FRONT_UDP_H
#define SINKHOLED_FRONT_UDP_H

#include <uv.h>

#include "resolver/front.h"

enum {
	FRONT_UDP_BATCH = 64,	    /* datagrams per recvmmsg */
	FRONT_UDP_BATCHES = 16,	    /* per wake-up, then timers and TCP have their turn */
	FRONT_UDP_BUFFER = 4 << 20, /* asked for each way; the kernel gives its maximum */
};

struct front_udp;

/* Binds n sockets with SO_REUSEPORT, one per worker, to one address. That nobody else
 * has it is found out first, by a bind without SO_REUSEPORT: with it the kernel lets any
 * program of the same user share the port in silence. ERR_BUSY (in use), ERR_NOENT (not
 * an address of this machine), ERR_ACCESS, ERR_IO; errno is kept and no socket is left
 * open. 0.0.0.0 and :: work too: answers leave from the address that was asked. */
MUST_CHECK int front_udp_bind(int *fds, int n, const struct addr *listen);

/* fds[i] is this worker's socket for listen[i]; all are closed by front_udp_shutdown(),
 * or at once when open fails. */
MUST_CHECK int front_udp_open(struct front_udp **out, uv_loop_t *loop,
			      const struct front_hooks *hooks, const struct addr *listen,
			      const int *fds, int n);
/* The answer to a question that was SERVE_LATER; len 0 = there will be none. An answer
 * that the kernel has no room for is dropped and counted. */
void front_udp_send(struct front_udp *f, const struct asker *to, const uint8_t *bytes,
		    size_t len);
/* Starts closing all handles; free after the loop has run them. */
void front_udp_shutdown(struct front_udp *f);
void front_udp_free(struct front_udp *f);

#endif
