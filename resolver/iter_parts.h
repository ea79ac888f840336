/* iter_parts.h: what the files of iter share; nobody else includes it.
 * Shape    iter.c walks, sends and reads; iter_cut.c says where the walk begins;
 * iter_path.c knows the addresses of a cut's servers, judges them, and finds those that
 * came without glue; iter_qmin.c says which name to ask for */
#ifndef SINKHOLED_ITER_PARTS_H
#define SINKHOLED_ITER_PARTS_H

#include <assert.h>

#include "resolver/iter.h"

static inline struct step *iter_add_step(struct iter_io *io, enum step_kind kind)
{
	assert(io->out->n < RESOLVE_STEPS_MAX);
	struct step *s = &io->out->step[io->out->n++];
	*s = (struct step){.kind = kind};
	return s;
}

/* Others are to be asked, if there are any. */
static inline bool iter_is_useless(const struct iter *it)
{
	return it->reply.class == ITER_ERROR || it->reply.class == ITER_LAME ||
	       it->reply.second_hand;
}

/* ---- iter_cut.c ---- */

/* Sets it->cut to where the walk begins: the deepest of what the configuration gives and
 * the cache knows, or the root hints. ERR_*. */
MUST_CHECK int iter_find_cut(struct iter *it, struct iter_io *io);
/* The servers of a zone that the configuration gives have failed: the same as if it did
 * not give the zone, where it allows that (1), or nothing changes (0). ERR_*. */
MUST_CHECK int iter_find_second_cut(struct iter *it, struct iter_io *io);
static inline bool iter_has_second_cut(const struct iter *it)
{
	return it->given && it->first;
}
/* it->reply refers to a cut: keeps it, also in the place of what a server told that a
 * rule forbids by now. ERR_*. */
MUST_CHECK int iter_keep_cut(struct iter *it, struct iter_io *io);
/* The root servers told who they are: keeps it. */
void iter_take_prime(struct iter *it, struct iter_io *io);

/* ---- iter_qmin.c ---- */

/* The cut is new. ERR_NOMEM. */
MUST_CHECK int iter_qmin_begin(struct iter *it, struct iter_io *io);
static inline bool iter_qmin_probes(const struct iter *it)
{
	return it->ask != it->name;
}
enum iter_qmin {
	ITER_QMIN_TAKE,	   /* the reply is about the name itself, or as good */
	ITER_QMIN_FURTHER, /* it->ask has moved on: any server may be asked */
	ITER_QMIN_AGAIN,   /* the same server is to be asked for the whole name */
};
/* What a reply that is no referral means for the name. ERR_NOMEM, or enum iter_qmin. */
MUST_CHECK int iter_qmin_reply(struct iter *it, struct iter_io *io);
void iter_qmin_timeout(struct iter *it, struct iter_io *io);
/* No server has an answer for a part of the name, and some have said so: whether all are
 * to be asked for the whole. */
bool iter_qmin_give_up(struct iter *it);

/* ---- iter_path.c ---- */

/* it->cut is new: nothing of the old one counts. Look-ups under way for it end unheard.
 */
void iter_enter_cut(struct iter *it, struct iter_io *io);
/* ERR_*, or 1 when a rule forbids the server; addr may be NULL. */
int iter_judge_server(struct iter *it, struct iter_io *io, int server,
		      const struct addr *addr);
/* The same for who told what is in the cache. */
int iter_judge_origin(struct iter *it, struct iter_io *io, const struct origin *from);
void iter_block_path(struct iter_path *p);
/* Another name is asked for: tries begin anew, what the servers are stays known. */
void iter_renew_paths(struct iter *it);
/* All may be asked again, but those that rules forbid. */
void iter_revive_paths(struct iter *it);
/* A server that UDP did not reach and TCP may; NULL when there is none. ERR_* only. */
int iter_silent_path(struct iter_path **out, struct iter *it, struct iter_io *io);
/* The best path that no rule forbids; NULL when there is none. */
int iter_allowed_path(struct iter_path **out, struct iter *it, struct iter_io *io);
/* Starts as many look-ups as are allowed. Unless no path is left (last), only for servers
 * that have no address yet. ERR_* only. */
int iter_learn_addresses(struct iter *it, struct iter_io *io, bool last);
/* The sub-question at that place is done: its address, or a failure more. */
void iter_take_sub(struct iter *it, struct iter_io *io, const struct reply *reply,
		   int at);

#endif
