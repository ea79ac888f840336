#include "resolver/hit_pages.h"

#include <string.h>

#include "include/wire.h"

enum { HEAD_MAX = 6 * HIT_VARINT_MAX + 2 };

void hit_pages_start(struct hit_pages *p, enum hit_tag tag, hit_page_fn *fn, void *arg)
{
	p->fn = fn;
	p->arg = arg;
	p->tag = tag;
	p->id = 0;
	p->before = 0;
	p->len = HIT_PAGE_HEAD;
}

int hit_pages_flush(struct hit_pages *p)
{
	int err = ERR_OK;
	if (p->len > HIT_PAGE_HEAD)
		err = p->fn(p->arg, p->tag, p->id, p->bytes, p->len);
	p->id++;
	p->before = 0;
	p->len = HIT_PAGE_HEAD;
	return err;
}

void hit_pages_put(struct hit_pages *p, const uint8_t *bytes, size_t n)
{
	memcpy(p->bytes + p->len, bytes, n);
	p->len += n;
}

static uint8_t *put_head(uint8_t *p, const struct hit_head *h, uint32_t base_s,
			 uint64_t id_before, uint32_t page_before)
{
	p = hit_put_varint(p, h->id - id_before);
	p = hit_put_varint(p, h->hits);
	p = hit_put_varint(p, h->sums);
	p = hit_put_varint(p, h->first_s - base_s);
	p = hit_put_varint(p, h->last_s - h->first_s);
	p = hit_put_varint(p, h->page - page_before);
	wire_set16(p, h->offset);
	return p + 2;
}

int hit_pages_head(struct hit_pages *p, const struct hit_head *h, uint32_t base_s,
		   uint32_t *page_before)
{
	uint8_t bytes[HEAD_MAX];
	uint8_t *end = put_head(bytes, h, base_s, p->before, *page_before);
	if (!hit_pages_fit(p, (size_t)(end - bytes))) {
		int err = hit_pages_flush(p); /* the new page tells all from 0 on */
		if (err)
			return err;
		end = put_head(bytes, h, base_s, 0, 0);
	}
	if (p->len == HIT_PAGE_HEAD)
		p->id = h->id;
	hit_pages_put(p, bytes, (size_t)(end - bytes));
	p->before = h->id;
	*page_before = h->page;
	return ERR_OK;
}
