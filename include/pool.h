/* pool.h: a fixed number of equal slots, taken and given back singly.
 * Shape    slots that were never used, and those that were given back, last first: so as
 *          many pages are touched as the largest crowd needs, and no more
 * Memory   all reserved at open, none of it in use before its first take; a slot given
 *          back keeps what it holds but for its first pointer
 * Threads  one owner
 * Errors   ERR_NOMEM from open; NULL when all are taken */
#ifndef SINKHOLED_POOL_H
#define SINKHOLED_POOL_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "include/err.h"

struct pool {
	uint8_t *slots;
	void *given_back; /* the first pointer in each leads to the next */
	size_t slot_size;
	uint32_t n, fresh, left; /* fresh: the first slot that was never taken */
};

/* Not malloc(), which may hand out, and clears, memory that is in use already. */
MUST_CHECK static inline int pool_open(struct pool *p, uint32_t n, size_t slot_size)
{
	*p = (struct pool){.slot_size = slot_size, .n = n, .left = n};
	void *m = mmap(NULL, n * slot_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return ERR_NOMEM;
	p->slots = m;
	return ERR_OK;
}

static inline void pool_close(struct pool *p)
{
	if (p->slots)
		munmap(p->slots, p->n * p->slot_size);
	*p = (struct pool){0};
}

static inline void *pool_at(const struct pool *p, uint32_t i)
{
	return p->slots + i * p->slot_size;
}

static inline uint32_t pool_index(const struct pool *p, const void *slot)
{
	return (uint32_t)((size_t)((const uint8_t *)slot - p->slots) / p->slot_size);
}

/* All zero at its first use. */
static inline void *pool_take(struct pool *p)
{
	void *slot = p->given_back;
	if (slot)
		memcpy(&p->given_back, slot, sizeof p->given_back);
	else if (p->fresh < p->n)
		slot = pool_at(p, p->fresh++);
	else
		return NULL;
	p->left--;
	return slot;
}

static inline void pool_give(struct pool *p, void *slot)
{
	memcpy(slot, &p->given_back, sizeof p->given_back);
	p->given_back = slot;
	p->left++;
}

#endif
