/* iter.h: from the closest known cut down to the servers that answer for one name.
 * Shape    name and type in; SEND and SUB steps out, events in, until one iter_reply
 * Units    ms, monotonic, for waiting; s, wall clock, for the cache
 * Memory   embedded in struct resolve; what it hands out lies in that arena
 * Threads  one owner
 * Errors   ITER_FAILED with an EDE; a full arena fails too
 * Source   RFC 1034 5.3.3, 7766, 6891, 5452, 8109, 9156, 9520; SECURITY.md 1A, 1B rows 8
 * to 14
 *
 * One server is waited for at a time. When it has had its time another is asked, and what
 * was given up stays open: the first answer of use ends all. A server is judged by policy
 * before each use of it, and again when its answer comes; one that is listed is not used,
 * its name not resolved. */
#ifndef SINKHOLED_ITER_H
#define SINKHOLED_ITER_H

#include "resolver/iter_reply.h"
#include "resolver/resolve.h"
#include "zones/local.h"

enum {
	ITER_SUBS_MAX = 3,	   /* address look-ups under way */
	ITER_SUB_FAILURES_MAX = 5, /* then nothing more is looked up: NXNSAttack */
	ITER_UDP_TRIES = 3,	   /* per address, RFC 9520 3.1 */
	ITER_UDP_TRIES_OWN = 2,	   /* one question brings several of these */
	ITER_KNOWN_SILENT = 3,	   /* failures in a row: then one try must do */
	ITER_LAST_TCP_MAX = 2,	   /* silent servers of a cut that are tried over TCP */
	ITER_LATE_MAX = 4, /* given up but open; each is a chance more for forgers */
	ITER_EXPLORE_ONE_IN = 20, /* questions that go to any server, as Knot Resolver */
	ITER_PATHS_MAX = DELEGATION_SERVERS_MAX * DELEGATION_ADDRS_MAX,
	ITER_PRIME_SENDS = 8,
	/* For given servers, when there is a way without them: it ends in time, too. */
	ITER_FIRST_MS = 1000,
	/* They may be back at any time: what others deny of their zone. */
	ITER_SECOND_DENIAL_S = 30,
};

/* What one event may use and change. */
struct iter_io {
	const struct resolve_env *env;
	struct arena *arena;
	struct steps *out;
	struct budget *budget;
	const struct policy_subject *subject;
	struct judged *judged;
	uint32_t *last_id;
};

/* What policy said so far, over all that was looked at. */
struct judged {
	struct verdict monitor; /* the first rule that only monitors */
	uint32_t change; /* the first moment that any of it may change; 0 = never */
};
void judged_note(struct judged *j, const struct verdict *v);

enum iter_result {
	ITER_WAITS,   /* for an event */
	ITER_DONE,    /* .reply is an answer, a CNAME or a denial */
	ITER_FAILED,  /* .ede, .ede_text */
	ITER_BLOCKED, /* .blocked: rules left no server */
};

/* One address of one server of the cut. */
struct iter_path {
	struct addr to;
	uint8_t server; /* index in the cut */
	uint8_t udp_tries;
	bool tcp_tried, no_edns, plain_case;
	bool one_try; /* of a last resort */
	bool silent;  /* UDP tries are used up */
	bool dead;    /* not to be asked again */
	bool blocked; /* by a rule */
};

/* One question to one server. */
struct iter_send {
	uint32_t id; /* 0 = none */
	struct iter_path *to;
	const uint8_t *bytes; /* the message: its ID, the name as it was written */
	uint64_t sent_ms;
	bool tcp, edns, exact_case;
	bool known_silent, tcp_works, lame; /* what was known of the server */
};

struct iter {
	const uint8_t *name;
	uint16_t type;
	/* What the servers of this cut are asked for: the name, or an end of it. */
	const uint8_t *ask;
	uint16_t ask_type;
	uint8_t qmin_steps, qmin_timeouts, cut_probes;
	bool whole; /* no minimising below this cut */
	struct delegation cut;
	bool given;   /* cut is a stub or forward zone of the configuration */
	bool forward; /* its servers are resolvers */
	bool barred;  /* deeper cuts are known, from servers that rules forbid */
	/* Of a given cut: there is a second way when its servers do not answer by then.
	 */
	bool first;
	uint64_t first_until_ms;
	unsigned rank; /* its place among the zones that are given */
	bool second;   /* that way is taken */
	struct iter_path path[ITER_PATHS_MAX];
	int path_n;
	uint8_t families_done[DELEGATION_SERVERS_MAX]; /* steps of learning: 0 to 3 */
	struct {
		uint32_t id;
		uint16_t type;
		uint8_t server;
	} sub[ITER_SUBS_MAX];
	int sub_n, sub_failures;
	bool resort;	      /* paths come from last resorts now: one try each */
	struct iter_send now; /* is waited for */
	struct iter_send late[ITER_LATE_MAX]; /* the same question, to who had its time */
	int late_n;
	bool forged;	  /* somebody guesses message IDs: TCP only */
	uint8_t last_tcp; /* tries over TCP of servers that UDP did not reach */
	/* Why servers were of no use. */
	bool timed_out, unreachable, useless, forbidden, rested;
	bool restricted, starved; /* as in struct reply */
	struct verdict blocked;
	struct iter_reply reply;
	const struct iter_reply *spare; /* second-hand: for want of a better */
	int16_t ede;
	const char *ede_text;
};

/* The deepest stub or forward zone that name lies in, or the root: what is known of names
 * above it does not count. */
const uint8_t *iter_given_zone(const struct conf *conf, const uint8_t *name);
/* What local zones answer: nobody is asked. A stub or forward zone within one is an
 * operator's wish. */
enum local_kind iter_local(struct local_answer *out, const struct conf *conf,
			   const uint8_t *name, uint16_t type);
/* Asks a question of our own: STEP_SUB with a share of the budget. Its id, or 0 when
 * there is too little left. */
uint32_t iter_ask_own(struct iter_io *io, const uint8_t *name, uint16_t type);
/* name is lower case and lives as long as the arena. */
enum iter_result iter_start(struct iter *it, struct iter_io *io, const uint8_t *name,
			    uint16_t type);
/* REPLY, TIMEOUT, SUB_DONE; ids it does not know are ignored. */
enum iter_result iter_event(struct iter *it, struct iter_io *io, const struct event *ev);

#endif
