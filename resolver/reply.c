#include "resolver/reply.h"

#include "include/name.h"

/* NULL stays NULL. */
static bool copy(const uint8_t **p, struct arena *arena, size_t n)
{
	if (!*p)
		return true;
	*p = arena_copy(arena, *p, n);
	return *p != NULL;
}

static bool copy_name(const uint8_t **name, struct arena *arena)
{
	return !*name || copy(name, arena, name_len(*name));
}

static bool copy_parts(struct rrset *s, struct arena *arena)
{
	return copy_name(&s->owner, arena) && copy_name(&s->soa_owner, arena) &&
	       copy_name(&s->why_name, arena) && copy_name(&s->from.zone, arena) &&
	       copy_name(&s->from.server, arena) && copy(&s->data, arena, s->data_len) &&
	       copy(&s->sigs, arena, s->sigs_len);
}

int rrset_copy(struct rrset *out, const struct rrset *s, struct arena *arena)
{
	*out = *s;
	if (!copy_parts(out, arena))
		return ERR_NOMEM;
	if (!s->proof_n)
		return ERR_OK;
	struct rrset *set = arena_get(arena, s->proof_n * sizeof *set);
	const struct rrset **list = arena_get(arena, s->proof_n * sizeof *list);
	if (!set || !list)
		return ERR_NOMEM;
	for (int i = 0; i < s->proof_n; i++) {
		set[i] = *s->proof[i];
		list[i] = &set[i];
		if (!copy_parts(&set[i], arena))
			return ERR_NOMEM;
	}
	out->proof = list;
	return ERR_OK;
}
