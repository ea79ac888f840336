/* arena.h: one block of memory that is handed out in pieces and given back whole.
 * Shape    a cursor over a caller's block; arena_grow() adds blocks from malloc
 * Memory   pieces live until arena_reset() or arena_fini(); none is freed alone
 * Threads  one owner
 * Errors   NULL when the limit is reached; the arena stays usable */
#ifndef SINKHOLED_ARENA_H
#define SINKHOLED_ARENA_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	max_align_t data[];
};

struct arena {
	struct arena_block *head; /* block being filled; older ones behind it */
	size_t used;		  /* bytes taken from head */
	size_t total;		  /* bytes of all blocks, never above limit */
	size_t block_size;
	size_t limit;
};

/* Nothing is allocated before the first arena_get(). */
static inline void arena_init(struct arena *a, size_t block_size, size_t limit)
{
	*a = (struct arena){.block_size = block_size, .limit = limit};
}

static inline void arena_fini(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;
		a->head = b->next;
		free(b);
	}
	a->used = a->total = 0;
}

/* Forgets all pieces and keeps the first block for reuse. */
static inline void arena_reset(struct arena *a)
{
	while (a->head && a->head->next) {
		struct arena_block *b = a->head;
		a->head = b->next;
		a->total -= b->size;
		free(b);
	}
	a->used = 0;
}

/* n bytes, aligned for any type, not cleared; NULL at the limit. */
static inline void *arena_get(struct arena *a, size_t n)
{
	const size_t align = sizeof(max_align_t);
	if (n > a->limit)
		return NULL;
	n = (n + align - 1) / align * align;
	if (!a->head || n > a->head->size - a->used) {
		size_t size = n > a->block_size ? n : a->block_size;
		if (size > a->limit - a->total)
			size = a->limit - a->total; /* the last block is what is left */
		if (size < n)
			return NULL;
		struct arena_block *b = malloc(sizeof *b + size);
		if (!b)
			return NULL;
		b->size = size;
		b->next = a->head;
		a->head = b;
		a->used = 0;
		a->total += size;
	}
	void *p = (char *)a->head->data + a->used;
	a->used += n;
	return p;
}

static inline void *arena_zero(struct arena *a, size_t n)
{
	void *p = arena_get(a, n);
	return p ? memset(p, 0, n) : NULL;
}

static inline void *arena_copy(struct arena *a, const void *src, size_t n)
{
	void *p = arena_get(a, n);
	return p && n ? memcpy(p, src, n) : p;
}

#endif
