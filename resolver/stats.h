/* stats.h: the counters of one worker, and their sum.
 * Shape    one struct stats per thread that counts; a new counter is one line of
 *          STATS_COUNTERS
 * Units    events since the process began
 * Memory   the caller's; 64-byte aligned, so that two workers share no cache line
 * Threads  one writer each, any readers: relaxed atomics, so a sum may fall between
 *          two counts of one event, but no counter ever goes backward
 * A counter has no name, address or client in it (P3). */
#ifndef SINKHOLED_STATS_H
#define SINKHOLED_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "include/dns.h"
#include "include/rule.h"

/* X(word of the enum, name in `sinkholectl stats`, what is counted) */
#define STATS_COUNTERS(X)                                                                \
	X(QUERY_UDP, "queries_udp", "well-formed questions over UDP")                    \
	X(QUERY_TCP, "queries_tcp", "well-formed questions over TCP")                    \
	X(NOERROR, "answers_noerror", "answers with NOERROR")                            \
	X(FORMERR, "answers_formerr", "answers with FORMERR")                            \
	X(SERVFAIL, "answers_servfail", "answers with SERVFAIL")                         \
	X(NXDOMAIN, "answers_nxdomain", "answers with NXDOMAIN")                         \
	X(NOTIMP, "answers_notimp", "answers with NOTIMP")                               \
	X(REFUSED, "answers_refused", "answers with REFUSED")                            \
	X(RCODE_OTHER, "answers_other", "answers with any other code")                   \
	X(TRUNCATED, "answers_truncated", "answers cut with TC")                         \
	X(LOCAL, "answers_local", "answers from local zones")                            \
	X(CACHED, "answers_cached", "answers from the answer cache")                     \
	X(STALE, "answers_stale", "answers from expired data, RFC 8767")                 \
	X(HIT_ADDRESS, "hits_address", "hits answered with the sinkhole's address")      \
	X(HIT_NXDOMAIN, "hits_nxdomain", "hits answered with NXDOMAIN")                  \
	X(HIT_NODATA, "hits_nodata", "hits answered with NODATA")                        \
	X(HIT_REFUSE, "hits_refuse", "hits answered with REFUSED")                       \
	X(HIT_DROP, "hits_drop", "hits left unanswered, as their rule says")             \
	X(HIT_MONITOR, "hits_monitor", "hits of rules that only watch")                  \
	X(HIT_OTHER, "hits_other", "hits with any other action")                         \
	X(NOT_ALLOWED, "not_allowed", "questions of clients outside `allow`")            \
	X(DROP_MALFORMED, "dropped_malformed", "messages that are no question")          \
	X(DROP_RESPONSE, "dropped_response", "messages with QR=1")                       \
	X(DROP_UNLOGGED, "dropped_unlogged",                                             \
	  "listed questions the hit log had no room for")                                \
	X(DROP_OVERLOAD, "dropped_overload",                                             \
	  "questions beyond what is worked on at once")                                  \
	X(DROP_CROWD, "dropped_crowd", "questions of clients with too many waiting")     \
	X(DROP_LATE, "dropped_late", "answers later than answers.max_wait")              \
	X(DROP_SEND, "dropped_send", "answers the kernel had no room for")               \
	X(TCP_OPENED, "tcp_opened", "connections taken from clients")                    \
	X(TCP_REFUSED, "tcp_refused", "connections over a limit, closed at once")        \
	X(TCP_TIMEOUT, "tcp_timeout", "connections closed for being idle or slow")       \
	X(TASK, "recursions", "look-ups begun")                                          \
	X(TASK_JOINED, "recursions_joined", "questions that joined a running look-up")   \
	X(TASK_REFRESH, "prefetches", "popular names looked up before they expired")     \
	X(TASK_SHED, "recursions_shed", "look-ups ended to make room for newer ones")    \
	X(TASK_DENIED, "recursions_denied",                                              \
	  "look-ups ended by what a zone proved before (RFC 8198)")                      \
	X(TASK_FAILED, "recursions_failed", "look-ups that ended without an answer")     \
	X(SEND_UDP, "sent_udp", "questions sent to servers over UDP")                    \
	X(SEND_TCP, "sent_tcp", "questions sent to servers over TCP")                    \
	X(SEND_TIMEOUT, "sent_timeout", "of these, not answered in time")                \
	X(SEND_ERROR, "sent_error", "of these, not sent or reported unreachable")        \
	X(REPLY_BAD, "replies_rejected", "replies that did not match or were malformed") \
	X(GUARD_NAME, "guard_name", "sends refused: the name asked for is listed")       \
	X(GUARD_NS_NAME, "guard_ns_name", "sends refused: the server's name is listed")  \
	X(GUARD_NS_ADDR, "guard_ns_address",                                             \
	  "sends refused: the server's address is listed")                               \
	X(GUARD_PRIVATE, "guard_private",                                                \
	  "sends refused: a private or reserved address")                                \
	X(GUARD_TCP_OPEN, "guard_tcp_closed",                                            \
	  "connections that were open when their server was listed")

enum stats_counter {
#define STATS_WORD(word, name, help) STATS_##word,
	STATS_COUNTERS(STATS_WORD)
#undef STATS_WORD
		STATS_N
};

struct stats {
	_Alignas(64) _Atomic uint64_t n[STATS_N];
};

/* Load and store, not a locked add: there is one writer. */
static inline void stats_add(struct stats *s, enum stats_counter c, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&s->n[c], memory_order_relaxed);
	atomic_store_explicit(&s->n[c], v + n, memory_order_relaxed);
}

static inline void stats_count(struct stats *s, enum stats_counter c)
{
	stats_add(s, c, 1);
}

/* Which counter an answer with that code belongs to. */
static inline enum stats_counter stats_of_rcode(unsigned rcode)
{
	return rcode <= DNS_REFUSED ? (enum stats_counter)(STATS_NOERROR + rcode)
				    : STATS_RCODE_OTHER;
}

/* Which counter a hit with that action belongs to. */
enum stats_counter stats_of_action(enum rule_action action);

/* Adds one thread's counters to sums the caller has cleared. */
void stats_sum(uint64_t sums[STATS_N], const struct stats *s);

const char *stats_name(enum stats_counter c);
const char *stats_help(enum stats_counter c);

#endif
