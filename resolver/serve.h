/* serve.h: one question from message to answer, the same for every front.
 * Shape    query -> client -> local zone -> answer cache -> policy -> hit -> answer, or a
 *          task; the only place that puts a hit and answers with a sinkhole
 * Memory   one struct serve per worker, no allocation from datagram to answer on the
 *          sinkhole and cached paths
 * Threads  one worker, between its batch's begin and end
 * Errors   what the store or the log cannot do is SERVFAIL or silence, never contact
 * Source   DESIGN.md "One query, socket to socket", P1 to P6
 *
 * P2: act() puts the hit first and answers second; no room in the log = no answer. */
#ifndef SINKHOLED_SERVE_H
#define SINKHOLED_SERVE_H

#include "resolver/answer_cache.h"
#include "resolver/hit_ring.h"
#include "resolver/task.h"

struct serve_send {
	void *arg;
	/* A late answer; len 0 = there will be none; close: end the TCP connection too.
	 */
	void (*send)(void *arg, const struct asker *to, const uint8_t *bytes, size_t len,
		     bool close);
};

enum {
	SERVE_AHEAD = 64, /* questions read before the first is answered: a batch */
};

/* A question that was read ahead. */
struct serve_ahead {
	const uint8_t *msg;
	struct query query;
	enum query_result read;
	uint64_t hash; /* of its name */
};

struct serve {
	const struct conf *conf;
	struct policy policy; /* renewed at each batch edge */
	struct answer_cache *answers;
	struct task_table *tasks;
	struct hit_ring *ring;
	struct stats *stats;
	struct serve_send out;
	uint64_t now_us; /* wall clock */
	uint64_t now_ms; /* monotonic */
	bool clock_synced;
	/* Of this batch; both numbers are set to 0 when it begins. */
	struct serve_ahead ahead[SERVE_AHEAD];
	unsigned ahead_n, ahead_at;
	/* The question being served now, so that its own task can answer in place. */
	const struct waiter *current;
	uint8_t *current_out;
	size_t current_len;
	enum serve_result current_result;
	bool current_expired; /* its answer has */
	/* Room for one body, and for one late answer. */
	uint8_t body[DNS_MESSAGE_MAX], late_out[DNS_MESSAGE_MAX];
	uint16_t ttl_at[ANSWER_TTLS_MAX];
};

/* front_hooks.expect; arg is a struct serve. */
void serve_expect(void *arg, const uint8_t *msg, size_t msg_len);

/* front_hooks.serve; arg is a struct serve. */
enum serve_result serve_question(void *arg, const struct asker *from, const uint8_t *msg,
				 size_t msg_len, uint8_t *out, size_t *len);

/* task_hooks.done; arg is a struct serve. */
void serve_done(void *arg, const struct question *q, const struct waiter *list,
		const struct reply *reply);

#endif
