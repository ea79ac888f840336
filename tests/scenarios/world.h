/* world.h: what surrounds resolve_step() in a scenario: clock, randomness, store, caches,
 * and servers that answer at their time.
 * Shape    questions in, packets noted, events due; time moves only by world_pass()
 * Memory   one struct world, closed by world_close()
 * Errors   world_differ() prints a difference and counts it; what cannot be set up ends
 *          the program
 *
 * Every packet is also held against policy_send(), as the sending function would: one
 * that it forbids is a difference, whatever the steps say. */
#ifndef SINKHOLED_WORLD_H
#define SINKHOLED_WORLD_H

#include "tests/scenarios/servers.h"

enum { WORLD_SENT_MAX = 4096, WORLD_EVENTS_MAX = 200000 };

struct job { /* a question being resolved, as a task is in the resolver */
	struct job *next, *parent;
	uint32_t parent_id;
	struct arena arena;
	struct question q;
	struct resolve *resolve;
	const struct reply *reply; /* that the asker was told; there may be more work */
	uint64_t asked_ms, done_ms;
	bool ended;
	bool client, checked; /* asked by a QUERY; its answer was looked at */
	unsigned flags;	      /* the client's CD and AD */
	bool dnssec_ok;
};

struct due;

struct world {
	struct script *script;
	struct resolve_env env;
	struct policy policy;
	struct blocklist *store;
	struct anchors *anchors;
	char dir[64];
	struct job *jobs, *asked;
	struct due *due;
	struct sent sent[WORLD_SENT_MAX];
	int sent_n, sent_from; /* from: the first since the last QUERY */
	long long step;
	int line, failures;
	uint64_t random;
	uint32_t start_s;
	long events;
};

void world_open(struct world *w, struct script *s);
void world_close(struct world *w);
void world_differ(struct world *w, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* rule name NAME exact|subtree|ns-exact ACTION [expires S], rule address PREFIX
 * server|answer ACTION; each action has a list of its own, as an operator would have it.
 */
void world_add_rule(struct world *w, const struct words *words);
void world_remove_rule(struct world *w, const struct words *words);

/* Asks for a client; what can be sent without waiting is sent. */
void world_ask(struct world *w, const struct entry *question, bool optout);
/* Everything due until then happens; the clock stands at the last event. */
void world_pass(struct world *w, uint64_t until_ms);
/* As world_pass() up to the next event; false when none will come. */
bool world_pass_one(struct world *w);
void world_set_clock(struct world *w, uint64_t ms);
/* An open packet is answered, or ends without an answer, now. */
void world_reply(struct world *w, struct sent *t, struct entry *e);
void world_fail(struct world *w, struct sent *t, enum send_failure why);
/* Prints what was sent since the last QUERY and what became of it. */
void world_print_sent(const struct world *w);

#endif
