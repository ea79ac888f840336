#include "zones/byte_ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The writer fills batches in a ring, the reader empties them; between a batch and its
 * owner stand only the two counts under the lock. A record is its length and bytes. */

enum {
	BATCHES = 32,	  /* who has to wait can sleep for half of them */
	BATCH = 16 << 10, /* bytes for one look at the lock; a longer record is alone */
};

struct batch {
	size_t used, room;
	uint8_t *bytes;
};

struct byte_ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;	  /* any of these: */
	uint64_t filled, emptied; /* batches so far; filled - emptied <= BATCHES */
	bool over;		  /* the writer has ended */
	int stop;
	struct batch batch[BATCHES];
	/* the writer's until it has ended */
	bool open; /* batch[filled % BATCHES] is being filled */
	byte_ring_write_fn *write;
	void *arg;
	int err;
	/* the reader's */
	bool taken; /* batch[emptied % BATCHES] is being read */
	size_t at;
	pthread_t writer;
};

/* ---- the writer ---- */

/* Hands on what is open. */
static void publish(struct byte_ring *r)
{
	if (!r->open)
		return;
	r->open = false;
	pthread_mutex_lock(&r->lock);
	r->filled++;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* Waits while there is no room. Returns what the reader said. */
static int wait_for_room(struct byte_ring *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->filled - r->emptied == BATCHES)
		while (r->filled - r->emptied > BATCHES / 2)
			pthread_cond_wait(&r->changed, &r->lock);
	int stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return stop;
}

uint8_t *byte_ring_room(struct byte_ring *r, size_t n, int *stop)
{
	n += sizeof(uint32_t);
	if (r->open && r->batch[r->filled % BATCHES].used + n > BATCH)
		publish(r);
	struct batch *b = &r->batch[r->filled % BATCHES];
	if (!r->open) {
		*stop = wait_for_room(r);
		if (*stop)
			return NULL;
		b->used = 0;
		r->open = true;
	}
	if (b->room < b->used + n) { /* empty: a long record, or the batch's first time */
		size_t room = n < BATCH ? BATCH : n;
		free(b->bytes);
		b->bytes = malloc(room);
		b->room = b->bytes ? room : 0;
		*stop = b->bytes ? 0 : ERR_NOMEM;
	}
	return b->bytes ? b->bytes + b->used + sizeof(uint32_t) : NULL;
}

void byte_ring_put(struct byte_ring *r, size_t n)
{
	struct batch *b = &r->batch[r->filled % BATCHES];
	const uint32_t len = (uint32_t)n;
	memcpy(b->bytes + b->used, &len, sizeof len);
	b->used += sizeof len + n;
}

static void *run(void *arg)
{
	struct byte_ring *r = arg;
	r->err = r->write(r, r->arg);
	publish(r);
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ---- the reader ---- */

static void byte_ring_free(struct byte_ring *r)
{
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	for (int i = 0; i < BATCHES; i++)
		free(r->batch[i].bytes);
	free(r);
}

int byte_ring_start(struct byte_ring **out, byte_ring_write_fn *write, void *arg)
{
	struct byte_ring *r = *out = calloc(1, sizeof *r);
	if (!r)
		return ERR_NOMEM;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->write = write;
	r->arg = arg;
	if (pthread_create(&r->writer, NULL, run, r) == 0)
		return ERR_OK;
	byte_ring_free(r);
	*out = NULL;
	return ERR_NOMEM;
}

/* Gives back the batch at hand and waits for the next one. */
static bool next_batch(struct byte_ring *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->taken) {
		r->emptied++;
		pthread_cond_signal(&r->changed);
	}
	while (r->filled == r->emptied && !r->over)
		pthread_cond_wait(&r->changed, &r->lock);
	r->taken = r->filled != r->emptied;
	pthread_mutex_unlock(&r->lock);
	r->at = 0;
	return r->taken;
}

const uint8_t *byte_ring_next(struct byte_ring *r)
{
	uint32_t len;
	while (!r->taken || r->at == r->batch[r->emptied % BATCHES].used)
		if (!next_batch(r))
			return NULL;
	const uint8_t *p = r->batch[r->emptied % BATCHES].bytes + r->at;
	memcpy(&len, p, sizeof len);
	r->at += sizeof len + len;
	return p + sizeof len;
}

int byte_ring_end(struct byte_ring *r, int stop)
{
	pthread_mutex_lock(&r->lock);
	r->stop = stop;
	pthread_mutex_unlock(&r->lock);
	while (next_batch(r))
		;
	pthread_join(r->writer, NULL);
	int err = stop ? stop : r->err;
	byte_ring_free(r);
	return err;
}
