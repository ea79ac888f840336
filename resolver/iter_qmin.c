#include "resolver/iter_parts.h"

/* RFC 9156: servers see no more of a name than they need for a referral. Probes ask for A
 * (2.1: the type that fares best with broken servers and tells least). They are questions
 * of our own: policy holds subtree rules against them, not exact ones. */
enum {
	STEPS_MAX = 10,	  /* minimised questions for one name, 2.3 */
	STEPS_SINGLE = 4, /* of these, with one label more each */
	TIMEOUTS_MAX = 2, /* then it may be the probe that is not answered */
	/* For a server's address: a referral to many servers must not buy many probes
	 * each at one victim. So one at most of the servers of a cut, and none below the
	 * top-level domains, whose zones are the server's own or its hoster's. */
	CUT_PROBES_OWN = 1,
	CUT_LABELS_OWN = 1,
};

static bool is_relaxed(const struct iter_io *io)
{
	return io->env->conf->recursion.qname_minimisation != CONF_QMIN_STRICT;
}

static bool spares_probes(const struct iter *it, const struct iter_io *io)
{
	return io->subject->own && (it->cut_probes >= CUT_PROBES_OWN ||
				    name_labels(it->cut.zone) > CUT_LABELS_OWN);
}

/* Labels of the next name to ask for when so many are known to exist. */
static unsigned next_labels(const struct iter *it, const struct iter_io *io,
			    unsigned known)
{
	unsigned all = name_labels(it->name), more = 1;
	if (io->env->conf->recursion.qname_minimisation == CONF_QMIN_OFF || it->forward ||
	    it->whole || it->qmin_steps >= STEPS_MAX || spares_probes(it, io))
		return all;
	if (it->qmin_steps >= STEPS_SINGLE) {
		unsigned steps = STEPS_MAX - it->qmin_steps;
		more = (all - known + steps - 1) / steps;
	}
	return known + (more ? more : 1);
}

/* 1 when the cache knows that the name exists, 0, or ERR_NOMEM. */
static int is_known(struct iter_io *io, const uint8_t *name)
{
	struct rrset s;
	int r = rrset_cache_get(io->env->cache, &s, io->arena, name, DNS_A,
				RANK_AUTHORITY, io->env->now_s);
	return r == RRSET_CACHE_HIT ? s.kind != RRSET_NXDOMAIN : r;
}

static int choose(struct iter *it, struct iter_io *io, unsigned known)
{
	unsigned all = name_labels(it->name), n;
	it->ask = it->name;
	it->ask_type = it->type;
	while ((n = next_labels(it, io, known)) < all) {
		const uint8_t *probe = name_last(it->name, n);
		int r = is_known(io, probe);
		if (r < 0)
			return r;
		if (r == 0) {
			it->ask = probe;
			it->ask_type = DNS_A;
			it->qmin_steps++;
			it->cut_probes++;
			break;
		}
		known = n;
	}
	return ERR_OK;
}

int iter_qmin_begin(struct iter *it, struct iter_io *io)
{
	it->whole = false;
	it->qmin_timeouts = it->cut_probes = 0;
	return choose(it, io, name_labels(it->cut.zone));
}

static void ask_whole(struct iter *it)
{
	it->whole = true;
	it->ask = it->name;
	it->ask_type = it->type;
}

/* A DNAME on the way says it all already: the driver finds it in the answer. */
static bool has_dname(const struct iter *it)
{
	for (int i = 0; i < it->reply.answer_n; i++)
		if (it->reply.answer[i]->type == DNS_DNAME &&
		    name_below(it->name, it->reply.answer[i]->owner))
			return true;
	return false;
}

/* Servers exist that deny a name with nothing but names below it (RFC 8020 has their
 * story): relaxed asks for the whole name then, strict when it is not even said with
 * authority. The root's own do not. */
static bool believes_denial(const struct iter *it, const struct iter_io *io)
{
	return (!is_relaxed(io) && it->reply.has_aa) || *it->cut.zone == 0;
}

int iter_qmin_reply(struct iter *it, struct iter_io *io)
{
	if (!iter_qmin_probes(it))
		return ITER_QMIN_TAKE;
	if (iter_is_useless(it)) {
		if (!is_relaxed(io))
			return ITER_QMIN_TAKE;
		ask_whole(it);
		return ITER_QMIN_AGAIN;
	}
	switch (it->reply.class) {
	case ITER_NXDOMAIN:
		if (believes_denial(it, io))
			return ITER_QMIN_TAKE;
		ask_whole(it);
		return ITER_QMIN_AGAIN;
	case ITER_ANSWER:
	case ITER_CNAME:
	case ITER_NODATA:
		break;
	default:
		return ITER_QMIN_TAKE;
	}
	if (has_dname(it)) {
		ask_whole(it);
		return ITER_QMIN_FURTHER;
	}
	int err = choose(it, io, name_labels(it->ask));
	return err ? err : ITER_QMIN_FURTHER;
}

bool iter_qmin_give_up(struct iter *it)
{
	if (!iter_qmin_probes(it) || !it->useless)
		return false;
	ask_whole(it);
	return true;
}

void iter_qmin_timeout(struct iter *it, struct iter_io *io)
{
	if (iter_qmin_probes(it) && is_relaxed(io) && ++it->qmin_timeouts >= TIMEOUTS_MAX)
		ask_whole(it);
}
