#include "resolver/hit_walk.h"

int hit_walk_run(struct hit_run *out, struct hit_store *s, uint32_t number)
{
	struct hit_page page;
	int got = hit_store_page(s, &page, HIT_TAG_RUN, number, 0, HIT_PAGE_AT);
	if (got == 1)
		return hit_run_read(out, page.bytes, page.len);
	return got < 0 ? got : ERR_DAMAGED;
}

int hit_walk_day(struct hit_day *out, struct hit_store *s, uint32_t number)
{
	struct hit_page page;
	int got = hit_store_page(s, &page, HIT_TAG_DAY, number, 0, HIT_PAGE_AT);
	if (got == 1)
		return hit_day_read(out, page.bytes, page.len);
	return got < 0 ? got : ERR_DAMAGED;
}

static int next_page(struct hit_walk *h, uint64_t id, enum hit_page_which which)
{
	int got = hit_store_page(h->store, &h->page, h->tag, h->number, id, which);
	if (got == 1)
		h->at = hit_sums_at(h->page.bytes, h->page.len, HIT_PAGE_HEAD);
	h->first_page = 0;
	return got;
}

int hit_walk_open(struct hit_walk *h, struct hit_store *s, enum hit_tag tag,
		  uint32_t number, const struct hit_run *run, uint64_t from, uint64_t to)
{
	h->store = s;
	h->run = run;
	h->number = number;
	h->tag = tag;
	h->from = from;
	h->to = to;
	h->hits = 0;
	int got = next_page(h, from, HIT_PAGE_AT);
	if (got == 0)
		got = next_page(h, from, HIT_PAGE_AFTER);
	if (got == 0) /* none at all, or none that reaches so far */
		h->at = (struct hit_sums_at){0};
	return got < 0 ? got : ERR_OK;
}

/* Reads one into out and says which and how much it is: 1, 0 at the page's end. */
typedef int read_fn(struct hit_walk *h, void *out, uint64_t *id, uint64_t *hits);

/* All heads together have the hits of their run. Else the tree, which no check covers,
 * has not led to all of them. */
static int end_of(const struct hit_walk *h)
{
	bool all = h->from == 0 && h->to == UINT64_MAX;
	return all && h->hits != h->run->hits ? ERR_DAMAGED : 0;
}

static inline int next_of(struct hit_walk *h, void *out, read_fn *read)
{
	uint64_t id, hits;
	int got;
	while (h->at.p) {
		if ((got = read(h, out, &id, &hits)) < 0)
			return got;
		if (got == 1) {
			h->hits += hits;
			if (id >= h->from)
				return id <= h->to;
		} else if ((got = next_page(h, h->page.id, HIT_PAGE_AFTER)) < 0) {
			return got;
		} else if (got == 0) {
			h->at.p = NULL;
		}
	}
	return end_of(h);
}

static int read_head(struct hit_walk *h, void *out, uint64_t *id, uint64_t *hits)
{
	struct hit_head *head = out;
	int got = hit_heads_next(&h->at, head, h->run, &h->first_page);
	*id = head->id;
	*hits = head->hits;
	return got;
}

static int read_client(struct hit_walk *h, void *out, uint64_t *id, uint64_t *hits)
{
	struct hit_day_client *c = out;
	int got = hit_day_clients_next(&h->at, c, h->run->base_hour / HIT_DAY_HOURS);
	*id = c->id;
	*hits = c->hits;
	return got;
}

int hit_walk_next(struct hit_walk *h, struct hit_head *out)
{
	return next_of(h, out, read_head);
}

int hit_walk_next_client(struct hit_walk *h, struct hit_day_client *out)
{
	return next_of(h, out, read_client);
}

void hit_walk_sums_init(struct hit_walk_sums *s, struct hit_store *store,
			enum hit_tag tag, uint32_t number, const struct hit_run *run)
{
	s->store = store;
	s->run = run;
	s->number = number;
	s->tag = tag;
	s->loaded = false;
	s->left = 0;
}

static int load(struct hit_walk_sums *s, uint64_t page, size_t offset)
{
	if (!s->loaded || s->page.id != page) {
		int got = hit_store_page(s->store, &s->page, s->tag, s->number, page,
					 HIT_PAGE_AT);
		s->loaded = got == 1 && s->page.id == page;
		if (!s->loaded)
			return got < 0 ? got : ERR_DAMAGED;
	}
	s->at = hit_sums_at(s->page.bytes, s->page.len, offset);
	return ERR_OK;
}

int hit_walk_sums_open(struct hit_walk_sums *s, const struct hit_head *head)
{
	s->id = head->id;
	s->left = head->sums;
	return load(s, head->page, head->offset);
}

/* To the page after this one, which has more of the same head. */
static int load_next(struct hit_walk_sums *s)
{
	return load(s, s->page.id + 1, HIT_PAGE_HEAD);
}

int hit_walk_sums_next(struct hit_walk_sums *s, struct hit_sum *out)
{
	bool by_client = s->tag == HIT_TAG_CLIENT_SUMS;
	if (s->left == 0)
		return 0;
	int got = hit_sums_next(&s->at, out, s->run, by_client);
	if (got == 0) {
		int err = load_next(s);
		got = err ? err : hit_sums_next(&s->at, out, s->run, by_client);
	}
	if (got <= 0)
		return got ? got : ERR_DAMAGED;
	s->left--;
	if (by_client)
		out->client = s->id;
	else
		out->rule = (uint32_t)s->id;
	return 1;
}

int hit_walk_pairs_next(struct hit_walk_sums *s, uint64_t *client, uint64_t *hits)
{
	if (s->left == 0)
		return 0;
	int got = hit_day_pairs_next(&s->at, client, hits);
	if (got == 0) {
		int err = load_next(s);
		got = err ? err : hit_day_pairs_next(&s->at, client, hits);
	}
	if (got <= 0)
		return got ? got : ERR_DAMAGED;
	s->left--;
	return 1;
}
