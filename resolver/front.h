/* front.h: what both fronts (UDP, TCP) and the worker agree on.
 * Shape    a front receives messages and hands each to serve(); an answer that comes
 *          later goes back through the asker it was given
 * Memory   message and answer buffers are the front's, borrowed for the call
 * Threads  one worker; everything happens on its loop
 * Source   RFC 1035 4.2, 7766
 *
 * Order (P4): receive a batch, then begin() (renews the policy view), expect() and then
 * serve() for each message, send, end() (drops view and scratch memory). */
#ifndef SINKHOLED_FRONT_H
#define SINKHOLED_FRONT_H

#include "include/addr.h"
#include "include/hit.h"

struct stats;

/* Who asked, and where the answer goes. A copy may be kept as long as one likes: a TCP
 * connection that is gone by then is recognised by its serial. */
struct asker {
	struct addr client;   /* with port */
	struct addr listener; /* the address it asked, with port; never a wildcard */
	uint8_t transport;    /* enum hit_transport */
	uint32_t slot;	      /* UDP: index of the socket; TCP: of the connection */
	uint64_t serial;      /* TCP: of the connection, never used twice; UDP: the zone
			       * of a link-local client */
};

enum serve_result {
	SERVE_ANSWER, /* *len bytes stand in out */
	SERVE_LATER,  /* front_*_send() follows, once, with an answer or with none */
	SERVE_NONE,   /* no answer ever; over TCP the connection stays */
	SERVE_CLOSE,  /* no answer; over TCP the connection is closed */
};

struct front_hooks {
	void *arg;
	struct stats *stats; /* the worker's */
	int busy_us;	     /* UDP: asks for so long before it sleeps */
	void (*begin)(void *arg);
	/* A message that serve() will be given within this batch, in the order in which
	 * they are told: what it needs can be fetched from memory meanwhile. May be NULL,
	 * and need not be called. */
	void (*expect)(void *arg, const uint8_t *msg, size_t msg_len);
	/* out has room for DNS_MESSAGE_MAX bytes over TCP, DNS_UDP_MAX over UDP. */
	enum serve_result (*serve)(void *arg, const struct asker *from,
				   const uint8_t *msg, size_t msg_len, uint8_t *out,
				   size_t *len);
	void (*end)(void *arg);
};

/* A non-blocking socket (SOCK_DGRAM or SOCK_STREAM) bound to one address for each of n
 * workers, with what both fronts need; see front_udp_bind(). */
MUST_CHECK int front_bind(int *fds, int n, int type, const struct addr *listen);

enum { FRONT_WHY_MAX = 256 };
/* One line for a person: which address cannot be bound, why, and what to do. err and
 * saved_errno are those of front_udp_bind() or front_tcp_bind(). */
void front_bind_why(char out[FRONT_WHY_MAX], const struct addr *listen, int err,
		    int saved_errno);

/* 0.0.0.0 or ::, any port. */
static inline bool front_wildcard(const struct addr *a)
{
	static const uint8_t none[16];
	return memcmp(a->bytes, none, sizeof none) == 0;
}

#endif
