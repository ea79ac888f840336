/* upstream.h: the one place that sends packets to other name servers.
 * Shape    upstream_send() starts one exchange; its events go to the callback
 * Units    timeouts in ms
 * Memory   the message is copied; event bytes live for the callback
 * Threads  one per worker, on its loop
 * Errors   what upstream_send() returns is a send_failure at once, no callback follows
 * Source   RFC 5452 (ports, IDs), 7766, 8085; SECURITY.md 1A "Off-path" and 4
 *
 * P1 rests here: transmit() is the only function of the program that gives bytes to a
 * socket towards a name server, and it asks policy_send() and the address filter each
 * time, for a UDP datagram, a TCP connect, a TCP write and each retransmission. UDP: one
 * connected socket per exchange, random port from the whole range, bound before use.
 * After cancel or reply the socket stays open, unread, until its deadline. */
#ifndef SINKHOLED_UPSTREAM_H
#define SINKHOLED_UPSTREAM_H

#include <uv.h>

#include "resolver/resolve.h"

enum {
	UPSTREAM_UDP_MAX =
		8192, /* open UDP sockets per loop, when RLIMIT_NOFILE allows */
	UPSTREAM_MEMORY_SHARE = 16, /* of cache.size, for the sockets of all loops */
	UPSTREAM_TCP_MAX = 256,
	UPSTREAM_PORT_MIN = 1024,	 /* below are other services' own ports */
	UPSTREAM_PORT_TRIES = 8,	 /* random ports tried before giving up */
	UPSTREAM_TIMEOUT_MAX_MS = 10000, /* longer ones are cut; a question has 6 s */
	UPSTREAM_QUIET_MS =
		3000, /* a socket stays open so long after its datagram, or to
		       * its deadline if that is later, while there are others */
	UPSTREAM_MESSAGE_MAX = 1232, /* of a question; real ones are below 400 bytes */
	UPSTREAM_SYN_MS = 900,	   /* a connect is done anew, and judged anew, before the
				    * kernel repeats its SYN unasked at 1 s */
	UPSTREAM_REJUDGE_MS = 100, /* open TCP connections: still allowed? */
};

struct stats;
struct upstream;

struct upstream_hooks {
	void *arg;
	/* Renews the policy view; before any event or retransmission. */
	void (*begin)(void *arg);
	/* owner is what upstream_send() was given. EVENT_REPLY may come several times,
	 * from the asked address only but not otherwise checked; the owner cancels when
	 * it is content. EVENT_TIMEOUT is the exchange's last, but for UDP that timed
	 * out: late replies are told until it is cancelled or its socket is closed. */
	void (*event)(void *arg, void *owner, const struct event *ev);
	void (*end)(void *arg);
};

struct upstream_conf {
	const struct conf *conf;
	const struct policy *policy; /* the worker's: valid between begin and end */
	struct stats *stats;
	void (*random)(void *arg, void *out, size_t n);
	void *random_arg;
	uint32_t udp_max;  /* sockets of this worker; 0 = its part of RLIMIT_NOFILE */
	uint32_t quiet_ms; /* 0 = UPSTREAM_QUIET_MS; shorter for tests */
};

MUST_CHECK int upstream_open(struct upstream **out, uv_loop_t *loop,
			     const struct upstream_conf *conf,
			     const struct upstream_hooks *hooks);
/* From the next question on. */
void upstream_set_conf(struct upstream *u, const struct conf *conf);
/* Starts closing all handles, without events; free after the loop has run them. */
void upstream_shutdown(struct upstream *u);
void upstream_free(struct upstream *u);

enum upstream_result {
	UPSTREAM_SENT = -1, /* events will follow; else an enum send_failure */
};
/* owner and id name the exchange in events and upstream_cancel(). Call it between begin
 * and end. Returns UPSTREAM_SENT or an enum send_failure. */
int upstream_send(struct upstream *u, void *owner, uint32_t id,
		  const struct policy_subject *subject, const struct step_send *send);
/* No event of that exchange comes after this. Unknown ids are ignored. */
void upstream_cancel(struct upstream *u, void *owner, uint32_t id);
/* The same for all exchanges of an owner. */
void upstream_cancel_all(struct upstream *u, void *owner);

/* Exchanges with events to come. */
uint32_t upstream_live(const struct upstream *u);

/* Loopback, private, reserved, multicast and unspecified addresses, also in IPv6 dress:
 * never asked unless conf permits (permit_private; stub and forward servers, with their
 * port). Our own listeners: never. */
bool upstream_address_allowed(const struct conf *conf, const struct addr *a);

#endif
