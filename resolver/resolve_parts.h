/* resolve_parts.h: what the files of resolve share; nobody else includes it.
 * Shape    resolve.c walks; resolve_known.c looks into the caches, for what has expired
 *          too; resolve_chain.c puts together what was found; resolve_judge.c asks policy
 *          about all of it; resolve_check.c has it validated; resolve_end.c makes the
 *          reply; resolve_garden.c asks what a walled garden answers */
#ifndef SINKHOLED_RESOLVE_PARTS_H
#define SINKHOLED_RESOLVE_PARTS_H

#include "resolver/iter.h"
#include "resolver/val.h"

/* The question as it stands. chain holds what was learnt so far, in order: CNAMEs, each
 * behind the DNAME that made it, then the end. Whatever is in it has been judged; at
 * every event all of it is judged again, for the list may have changed. */
struct resolve {
	struct arena *arena;
	struct question q;
	struct policy_subject subject; /* with a passthru found on the way */
	struct budget budget;
	uint32_t last_id;
	enum { RESOLVE_NEW, RESOLVE_ASKING, RESOLVE_GARDEN, RESOLVE_DONE } state;
	struct rrset *chain[REPLY_ANSWER_MAX];
	int chain_n, links;			  /* links: targets followed */
	const uint8_t *name[REPLY_CHAIN_MAX + 1]; /* the question, then each target */
	int upto[REPLY_CHAIN_MAX + 1];		  /* how much of the chain leads there */
	struct rrset *negative;
	uint8_t end;		 /* enum rrset_kind of the chain's end, once complete */
	bool complete, too_long; /* too_long: a DNAME made more than a name can hold */
	struct judged judged;
	struct verdict verdict;	     /* passthru that was found, or pass */
	int noted_names, noted_sets; /* of name and chain: what a listener knows */
	struct resolve *before;	     /* the same question, from what was known before */
	bool held;		     /* a verdict waits for validation */
	bool expired;		     /* the chain has parts that have expired */
	bool denied;		     /* its end is from env->denial */
	struct iter iter;
	struct val val;
	uint8_t security; /* of what has been judged so far; UNCHECKED = nobody looked */
	struct {
		uint32_t id;
		struct val_set *set;
	} wanted[VAL_WANTS_MAX];
	int wanted_n;
	uint32_t garden; /* the sub-question for it */
	struct reply reply;
};

/* One step's tools. */
struct call {
	struct resolve *r;
	struct iter_io io;
};

/* ---- resolve_known.c ---- */

/* What the cache says of the chain's last name, or what it proves. RRSET_CACHE_*, ERR_*.
 */
int resolve_from_cache(struct call *c, struct rrset *out);
/* The question cannot be answered now: with what was known before, or not at all. */
void resolve_fail(struct call *c, int16_t ede, const char *text);
/* Nothing may be sent for it. Says nothing about the name. */
void resolve_overloaded(struct call *c);
/* Who waits has waited long enough. */
void resolve_tell(struct call *c);

/* ---- resolve_chain.c ---- */

/* Adds one RRset to the chain, or its denial. False when the question has ended. */
bool resolve_add(struct call *c, struct rrset *s);
void resolve_add_reply(struct call *c, const struct iter_reply *reply);

/* ---- resolve_judge.c ---- */

/* True when nothing acts: the question goes on. */
bool resolve_judge(struct call *c);

/* ---- resolve_check.c ---- */

/* Our own questions bring what the validator asks for, and addresses of servers: they
 * are not validated. */
bool resolve_validates(const struct call *c);
/* Whether n sets of the chain, and its denial, have their status. False: an event is
 * needed, or the question has ended. */
bool resolve_validate(struct call *c, int n, struct rrset *negative);
void resolve_take_keys(struct resolve *r, const struct event *ev);

/* ---- resolve_garden.c ---- */

/* c->r->reply stands, but for where its verdict of action RULE_CNAME sends name. */
void resolve_garden_enter(struct call *c, const uint8_t *name);
/* In state RESOLVE_GARDEN. */
void resolve_garden_event(struct call *c, const struct event *ev);

/* ---- resolve_end.c ---- */

void resolve_reply_step(const struct call *c, enum step_kind kind,
			const struct reply *reply);
/* With c->r->reply as it is. */
void resolve_end(const struct call *c);
void resolve_end_failed(struct call *c, int16_t ede, const char *text);
/* links targets lead to the name that v is about. */
void resolve_end_verdict(struct call *c, const struct verdict *v, int links);
void resolve_end_answer(struct call *c);
/* The arena is full; false. */
bool resolve_no_room(struct call *c);

#endif
