/* hit_pages.h: filling pages of sums one after the other, see hit_format.h.
 * Shape    start, then bytes or heads; a page that is full goes to fn
 * Memory   one page
 * Threads  one per struct
 * Errors   what fn gives */
#ifndef SINKHOLED_HIT_PAGES_H
#define SINKHOLED_HIT_PAGES_H

#include <stddef.h>

#include "include/err.h"
#include "resolver/hit_format.h"

/* Takes a page: it has room for the check in front of its body. */
typedef int hit_page_fn(void *arg, enum hit_tag tag, uint64_t id, uint8_t *page,
			size_t len);

struct hit_pages {
	hit_page_fn *fn;
	void *arg;
	enum hit_tag tag;
	uint64_t id;	 /* of the page being filled */
	uint64_t before; /* what the next one in it is told against; 0 in a new page */
	size_t len;
	uint8_t bytes[HIT_PAGE_MAX];
};

/* A head of sums: where they begin, and what they add up to. */
struct hit_head {
	uint64_t id, hits, sums;
	uint32_t first_s, last_s; /* since 1970 */
	uint32_t page, offset;	  /* where its sums begin */
};

void hit_pages_start(struct hit_pages *p, enum hit_tag tag, hit_page_fn *fn, void *arg);
/* Hands the page over, when there is anything in it; the next one's id is one more. */
MUST_CHECK int hit_pages_flush(struct hit_pages *p);
static inline bool hit_pages_fit(const struct hit_pages *p, size_t n)
{
	return p->len + n <= HIT_PAGE_MAX;
}
/* n bytes that fit. */
void hit_pages_put(struct hit_pages *p, const uint8_t *bytes, size_t n);
/* *page_before: of the head before, 0 at first. Times are told from base_s on. */
MUST_CHECK int hit_pages_head(struct hit_pages *p, const struct hit_head *h,
			      uint32_t base_s, uint32_t *page_before);
/* Where h's sums begin: at p's end; or in the page after it, once the first of them, just
 * put, has turned out not to fit. */
static inline void hit_pages_begin(const struct hit_pages *p, struct hit_head *h)
{
	h->page = (uint32_t)p->id;
	h->offset = (uint32_t)p->len;
}
static inline void hit_pages_began(const struct hit_pages *p, struct hit_head *h)
{
	h->offset = h->page == (uint32_t)p->id ? h->offset : HIT_PAGE_HEAD;
	h->page = (uint32_t)p->id;
}

#endif
