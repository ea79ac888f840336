#include "resolver/anchor.h"

#include "include/arena.h"
#include "resolver/val_sig.h"

enum {
	BLOCK = 4096,
	/* Both lists at their limits, each entry with the longest name and key. */
	MEMORY_MAX = 4 << 20,
};

/* All that was said of one zone. Sorted by the bytes of the name, for bisection. */
struct entry {
	const uint8_t *zone;
	size_t zone_len;
	struct rrset ds; /* rr_n 0: no trust anchor */
	bool negative;
	uint32_t until_s; /* of the negative one; 0 = always */
};

struct anchors {
	struct arena arena;
	struct entry *entry;
	int n;
};

static int order(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
}

/* Where zone is, or is to be put. */
static int place(const struct anchors *a, const uint8_t *zone, size_t len, bool *found)
{
	int lo = 0, hi = a->n;
	*found = false;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;
		int d = order(a->entry[mid].zone, a->entry[mid].zone_len, zone, len);
		if (d == 0)
			*found = true;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- making ---- */

/* There is room for one more. */
static struct entry *enter(struct anchors *a, const uint8_t *zone)
{
	size_t len = name_len(zone);
	bool found;
	int i = place(a, zone, len, &found);
	if (found)
		return &a->entry[i];
	const uint8_t *copy = arena_copy(&a->arena, zone, len);
	if (!copy)
		return NULL;
	memmove(&a->entry[i + 1], &a->entry[i], (size_t)(a->n - i) * sizeof *a->entry);
	a->n++;
	a->entry[i] = (struct entry){.zone = copy,
				     .zone_len = len,
				     .ds = {.owner = copy,
					    .type = DNS_DS,
					    .kind = RRSET_DATA,
					    .rank = RANK_AUTH_ANSWER,
					    .security = SECURITY_SECURE,
					    .why = DNS_EDE_NONE}};
	return &a->entry[i];
}

static bool has_record(const struct rrset *s, const uint8_t *rdata, uint16_t len)
{
	const uint8_t *have;
	uint16_t have_len;
	for (uint32_t at = 0; rrset_next(s, &at, &have, &have_len);)
		if (have_len == len && !memcmp(have, rdata, len))
			return true;
	return false;
}

static int add_ds(struct anchors *a, struct rrset *s, const uint8_t *rdata, uint16_t len)
{
	if (has_record(s, rdata, len))
		return ERR_OK;
	uint8_t *data = arena_get(&a->arena, s->data_len + 2U + len);
	if (!data)
		return ERR_NOMEM;
	if (s->data_len)
		memcpy(data, s->data, s->data_len);
	wire_set16(data + s->data_len, len);
	memcpy(data + s->data_len + 2, rdata, len);
	s->data = data;
	s->data_len += 2U + len;
	s->rr_n++;
	return ERR_OK;
}

static int add_trusted(struct anchors *a, const struct anchor_record *r)
{
	uint8_t ds[VAL_DS_LEN];
	struct entry *e = enter(a, r->zone);
	if (!e)
		return ERR_NOMEM;
	if (r->type == DNS_DS)
		return add_ds(a, &e->ds, r->rdata, r->len);
	val_sig_ds(ds, r->zone, r->rdata, r->len);
	return add_ds(a, &e->ds, ds, sizeof ds);
}

static int add_negative(struct anchors *a, const struct anchor_negative *n)
{
	struct entry *e = enter(a, n->zone);
	if (!e)
		return ERR_NOMEM;
	/* Of two the longer one holds. */
	if (!e->negative || (e->until_s && (!n->until_s || n->until_s > e->until_s)))
		e->until_s = n->until_s;
	e->negative = true;
	return ERR_OK;
}

int anchors_new(struct anchors **out, const struct anchor_records *trusted,
		const struct anchor_negative *negative, int negative_n)
{
	struct anchors *a = calloc(1, sizeof *a);
	size_t most = (size_t)(trusted->n + negative_n);
	*out = NULL;
	if (!a)
		return ERR_NOMEM;
	arena_init(&a->arena, BLOCK, MEMORY_MAX);
	a->entry = arena_get(&a->arena, (most + 1) * sizeof *a->entry);
	int err = a->entry ? ERR_OK : ERR_NOMEM;
	for (int i = 0; i < trusted->n && !err; i++)
		err = add_trusted(a, &trusted->record[i]);
	for (int i = 0; i < negative_n && !err; i++)
		err = add_negative(a, &negative[i]);
	if (err) {
		anchors_free(a);
		return err;
	}
	*out = a;
	return ERR_OK;
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	arena_fini(&a->arena);
	free(a);
}

/* ---- asking ---- */

static struct anchor of_entry(const struct entry *e, uint32_t now_s)
{
	if (e->negative && (e->until_s == 0 || now_s < e->until_s))
		return (struct anchor){.kind = ANCHOR_NEGATIVE, .zone = e->zone};
	if (e->ds.rr_n)
		return (struct anchor){ANCHOR_TRUST, e->zone, &e->ds};
	return (struct anchor){.kind = ANCHOR_NONE};
}

struct anchor anchors_find(const struct anchors *a, const uint8_t *name, bool above,
			   uint32_t now_s)
{
	struct anchor found = {.kind = ANCHOR_NONE};
	uint8_t lower[DNS_NAME_MAX];
	size_t len = name_len(name);
	if (!a || a->n == 0 || (above && !*name))
		return found;
	memcpy(lower, name, len);
	name_lower(lower, len);
	for (const uint8_t *zone = above ? name_parent(lower) : lower;;
	     zone = name_parent(zone)) {
		bool is_entry;
		int i = place(a, zone, len - (size_t)(zone - lower), &is_entry);
		if (is_entry)
			found = of_entry(&a->entry[i], now_s);
		if (found.kind != ANCHOR_NONE || !*zone)
			return found;
	}
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->negative == b->negative && a->until_s == b->until_s &&
	       a->ds.data_len == b->ds.data_len &&
	       (!a->ds.data_len || !memcmp(a->ds.data, b->ds.data, a->ds.data_len));
}

bool anchors_next_change(const struct anchors *a, const struct anchors *b, int at[2],
			 const uint8_t **zone)
{
	while (at[0] < a->n || at[1] < b->n) {
		const struct entry *x = at[0] < a->n ? &a->entry[at[0]] : NULL;
		const struct entry *y = at[1] < b->n ? &b->entry[at[1]] : NULL;
		int d = !y   ? -1
			: !x ? 1
			     : order(x->zone, x->zone_len, y->zone, y->zone_len);
		at[0] += d <= 0;
		at[1] += d >= 0;
		if (d == 0 && same(x, y))
			continue;
		*zone = d <= 0 ? x->zone : y->zone;
		return true;
	}
	return false;
}

bool anchors_next(const struct anchors *a, int *at, struct anchor *out)
{
	while (a && *at < a->n) {
		const struct entry *e = &a->entry[(*at)++];
		if (e->ds.rr_n) {
			*out = (struct anchor){ANCHOR_TRUST, e->zone, &e->ds};
			return true;
		}
	}
	return false;
}
