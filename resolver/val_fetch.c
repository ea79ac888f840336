#include "resolver/rrset_cache.h"
#include "resolver/val_parts.h"

/* Which sets of keys and DS a question has asked for, and what came of each. */

struct val_set *val_fetch_find(const struct val *v, const uint8_t *name, uint16_t type)
{
	for (int i = 0; i < v->sets_n; i++)
		if (v->sets[i]->type == type && name_equal(v->sets[i]->name, name))
			return v->sets[i];
	return NULL;
}

/* From the cache, or not. */
static void look_up(struct val *v, struct val_set *s)
{
	int got = rrset_cache_get(v->env->cache, &s->set, v->arena, s->name, s->type,
				  RANK_AUTHORITY, v->env->now_s);
	bool here = got == RRSET_CACHE_HIT &&
		    !(v->again && s->set.security == SECURITY_BOGUS);
	s->state = here ? VAL_HERE : VAL_MISSING;
	v->no_room |= got < 0;
}

struct val_set *val_fetch_get(struct val *v, const uint8_t *name, uint16_t type)
{
	struct val_set *s = val_fetch_find(v, name, type);
	if (s || v->sets_n == VAL_SETS_MAX)
		return s;
	s = arena_zero(v->arena, sizeof *s);
	uint8_t *copy = arena_copy(v->arena, name, name_len(name));
	if (!s || !copy) {
		v->no_room = true;
		return NULL;
	}
	name_lower(copy, name_len(copy));
	s->name = copy;
	s->type = type;
	look_up(v, s);
	v->sets[v->sets_n++] = s;
	return s;
}

bool val_fetch_need(struct val_set *s)
{
	if (s->state == VAL_MISSING)
		s->state = VAL_WANTED;
	return s->state == VAL_HERE;
}

struct val_set *val_want(struct val *v)
{
	for (int i = 0; i < v->sets_n && v->asked_n < VAL_WANTS_MAX; i++)
		if (v->sets[i]->state == VAL_WANTED) {
			v->sets[i]->state = VAL_ASKED;
			v->asked_n++;
			return v->sets[i];
		}
	return NULL;
}

/* An alias at the name is an answer too: there is no cut. */
static const struct rrset *set_of_reply(const struct reply *reply)
{
	if (!reply || reply->verdict.kind == VERDICT_ACT || reply->rcode == DNS_SERVFAIL)
		return NULL;
	return reply->answer_n ? reply->answer[0] : reply->negative;
}

void val_take(struct val *v, struct val_set *want, const struct reply *reply)
{
	const struct rrset *from = set_of_reply(reply);
	v->asked_n--;
	want->state = VAL_UNKNOWN;
	if (from) {
		want->state = VAL_HERE;
		v->no_room |= rrset_copy(&want->set, from, v->arena) != ERR_OK;
	} else if (reply && reply->verdict.kind == VERDICT_ACT) {
		v->blocked = reply->verdict;
	}
}
