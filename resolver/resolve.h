/* resolve.h: the answer to one question, as a machine without sockets, clock or threads.
 * Shape    resolve_step(task's state, event, world) -> steps for the caller to carry out
 * Units    now_ms monotonic, now_s wall clock
 * Memory   all state lives in the arena given at open; freed with it
 * Threads  one owner per struct resolve; caches and server table are shared
 * Errors   none: what goes wrong becomes a reply with SERVFAIL and an EDE
 * Source   RFC 1034 5.3.3, 2181 5.4.1, 2308, 6891, 7766, 8767, 9520; SECURITY.md 1A
 *
 * The driver follows CNAMEs, asks policy about every name and answer; iter.c walks the
 * delegations; neither sends. Nothing here calls time(), a socket or libuv. */
#ifndef SINKHOLED_RESOLVE_H
#define SINKHOLED_RESOLVE_H

#include "include/arena.h"
#include "include/conf.h"
#include "resolver/anchor.h"
#include "resolver/anchor_mail.h"
#include "resolver/budget.h"
#include "resolver/policy.h"
#include "resolver/reply.h"

struct question {
	uint8_t qname[DNS_NAME_MAX]; /* lower case */
	uint16_t qtype;
	uint32_t refresh_s; /* what is cached for no longer than this counts as gone */
	struct policy_subject subject;
};

struct rrset_cache;
struct denial;
struct server_table;
struct root_hints;
struct noter;

/* What the world looks like at this event. */
struct resolve_env {
	uint64_t now_ms;
	uint32_t now_s;
	const struct policy *policy;
	struct rrset_cache *cache;
	struct denial *denial; /* NULL = nothing is denied that was not asked for */
	struct server_table *servers;
	const struct root_hints *hints;
	const struct conf *conf;
	/* NULL = nothing is validated. May be another set at the next event; the old one
	 * lives as long as the tasks that have seen it. */
	const struct anchors *anchors;
	struct anchor_mail *anchor_mail; /* where keys of their zones are told, or NULL */
	bool cached_only; /* the question ends where a packet would be needed: overload */
	bool stale;	  /* what has expired will do; set by the machine itself */
	bool prime;	  /* ask the root servers who they are, RFC 8109; hints are old */
	void (*random)(void *arg, void *out, size_t n); /* cryptographic */
	void *random_arg;
	const struct noter *noter; /* who listens, see note.h; NULL = nobody */
	uint32_t task;		   /* the one that the event is for, when noter is set */
};

enum event_kind {
	EVENT_START,
	EVENT_REPLY,	/* bytes came on the socket of send id; may be junk */
	EVENT_TIMEOUT,	/* send id has ended without a reply, see why; one over UDP that
			 * timed out is open until its CANCEL: a late REPLY may come */
	EVENT_SUB_DONE, /* the sub-question id has its reply */
	EVENT_RESUME,	/* after YIELD */
	EVENT_LATE, /* clients have waited long enough for what is fresh, RFC 8767 5 */
};

enum send_failure {
	SEND_TIMED_OUT,
	SEND_UNREACHABLE, /* no route, refused, reset */
	SEND_CLOSED,	  /* TCP ended before a whole message */
	SEND_FORBIDDEN,	  /* the sending function refused: listed or private address */
	SEND_NO_RESOURCE, /* no socket, port or memory */
};

struct event {
	enum event_kind kind;
	uint32_t id;
	enum send_failure why; /* TIMEOUT */
	const uint8_t *bytes;  /* REPLY: borrowed for the call, not yet guarded */
	size_t len;
	const struct reply *reply; /* SUB_DONE: borrowed for the call */
	struct budget left;	   /* SUB_DONE: what the sub-question did not use */
};

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

enum step_kind {
	STEP_SEND,
	STEP_CANCEL,
	STEP_SUB,
	STEP_YIELD,
	STEP_TELL, /* .reply is for who waits now; the question goes on */
	STEP_DONE
};

struct step_send {
	struct addr to;
	enum transport transport;
	uint32_t timeout_ms;
	const uint8_t
		*server; /* name of the server; NULL = unknown (hints have names too) */
	const uint8_t *qname; /* that the bytes ask about: for the sending function */
	bool own;	      /* qname is not the client's own or a target of it */
	bool passthru;	      /* a passthru rule freed the question: names and servers */
	const uint8_t *bytes; /* the message without TCP's length */
	uint16_t len;
};

struct step {
	enum step_kind kind;
	uint32_t id; /* SEND, CANCEL, SUB: chosen by the machine, never used twice */
	struct step_send send;
	struct question sub;
	struct budget share;	   /* SUB */
	const struct reply *reply; /* DONE, TELL: in the machine's arena */
};

enum { RESOLVE_STEPS_MAX = 16 }; /* most that one event can ask for */

struct steps {
	int n;
	struct step step[RESOLVE_STEPS_MAX];
};

struct resolve;

/* NULL when the arena is full. */
struct resolve *resolve_open(struct arena *arena, const struct question *q,
			     const struct budget *budget);
/* After STEP_DONE no further event may come; sends still open are to be cancelled by
 * the caller. Pointers in steps live until the arena goes. */
void resolve_step(struct resolve *r, struct steps *out, const struct event *ev,
		  const struct resolve_env *env);
/* What is left now, for the task that shared it out. */
struct budget resolve_budget(const struct resolve *r);

#endif
