#include "tools/feed_ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli.h"

/* The reader fills batches with events in a ring, the caller empties them; between a
 * batch and its owner stand only the two counts under the lock. Events are short, for
 * each byte goes from one processor to another. */

enum {
	BATCH = 16 << 10, /* bytes for one look at the lock: about 150 names */
	BATCHES = 32,	  /* who has to wait can sleep for half of them */
};

enum kind { ITEM, SKIP, POSITION };

/* Behind it, in len bytes: an item as blocklist_item_pack() makes it; a text with its
 * NUL; a struct feed_position. */
struct event {
	uint64_t line;
	uint16_t len;
	uint8_t kind, why;
};

enum {
	EVENT_MAX = sizeof(struct event) + BLOCKLIST_PACKED_MAX,
};
_Static_assert((size_t)BLOCKLIST_PACKED_MAX >= FEED_TEXT_MAX, "a text fits");
_Static_assert(BLOCKLIST_PACKED_MAX >= sizeof(struct feed_position), "a position fits");

struct batch {
	size_t used;
	uint8_t bytes[BATCH];
};

struct ahead {
	pthread_mutex_t lock;
	pthread_cond_t changed;	  /* any of these: */
	uint64_t filled, emptied; /* batches so far; filled - emptied <= BATCHES */
	bool over;		  /* the reader has ended */
	int stop;		  /* what a callback said */
	struct batch batch[BATCHES];
	struct blocklist_item item; /* the caller's: at hand */
	/* the reader's until it has ended */
	bool open; /* batch[filled % BATCHES] is being filled */
	struct feed_result *out;
	const char *path;
	const struct feed_options *options;
	int err;
};

/* ---- the reader ---- */

/* Hands on what is open. */
static void publish(struct ahead *a)
{
	if (!a->open)
		return;
	a->open = false;
	pthread_mutex_lock(&a->lock);
	a->filled++;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* Waits while there is no room. Returns what the caller said. */
static int wait_for_room(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	if (a->filled - a->emptied == BATCHES)
		while (a->filled - a->emptied > BATCHES / 2)
			pthread_cond_wait(&a->changed, &a->lock);
	int stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return stop;
}

/* The place of what is behind the next event, or NULL with *stop. */
static uint8_t *next(struct ahead *a, int *stop)
{
	struct batch *b = &a->batch[a->filled % BATCHES];
	if (a->open && sizeof b->bytes - b->used < EVENT_MAX) {
		publish(a);
		b = &a->batch[a->filled % BATCHES];
	}
	if (!a->open) {
		*stop = wait_for_room(a);
		if (*stop)
			return NULL;
		b->used = 0;
		a->open = true;
	}
	return b->bytes + b->used + sizeof(struct event);
}

/* What next() gave room for is there now. */
static void keep(struct ahead *a, struct event e, size_t len)
{
	struct batch *b = &a->batch[a->filled % BATCHES];
	e.len = (uint16_t)len;
	memcpy(b->bytes + b->used, &e, sizeof e);
	b->used += sizeof e + len;
}

static int keep_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	int stop = 0;
	uint8_t *p = next(arg, &stop);
	if (p)
		keep(arg, (struct event){.kind = ITEM, .line = line},
		     blocklist_item_pack(p, item));
	return stop;
}

static int keep_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	int stop = 0;
	uint8_t *p = next(arg, &stop);
	size_t n = strnlen(text, FEED_TEXT_MAX - 1);
	if (p) {
		memcpy(p, text, n);
		p[n] = 0;
		keep(arg, (struct event){.kind = SKIP, .why = (uint8_t)why, .line = line},
		     n + 1);
	}
	return stop;
}

static int keep_position(void *arg, const struct feed_position *at)
{
	int stop = 0;
	uint8_t *p = next(arg, &stop);
	if (p) {
		memcpy(p, at, sizeof *at);
		keep(arg, (struct event){.kind = POSITION}, sizeof *at);
	}
	return stop;
}

static void *read_ahead(void *arg)
{
	struct ahead *a = arg;
	const struct feed_callbacks cb = {keep_item, keep_skip, keep_position, a};
	a->err = feed_read(a->out, a->path, a->options, &cb);
	publish(a);
	pthread_mutex_lock(&a->lock);
	a->over = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- the caller ---- */

static int tell(struct ahead *a, const struct event *e, const uint8_t *p,
		const struct feed_callbacks *cb)
{
	struct feed_position at;
	switch (e->kind) {
	case ITEM:
		if (!cb->item)
			return 0;
		blocklist_item_unpack(&a->item, p);
		return cb->item(cb->arg, &a->item, e->line);
	case SKIP:
		return !cb->skip ? 0
				 : cb->skip(cb->arg, (enum feed_skip)e->why, e->line,
					    (const char *)p);
	default:
		memcpy(&at, p, sizeof at);
		return cb->progress ? cb->progress(cb->arg, &at) : 0;
	}
}

static int tell_all(struct ahead *a, const struct batch *b,
		    const struct feed_callbacks *cb)
{
	struct event e;
	int stop = 0;
	for (size_t at = 0; at < b->used && !stop; at += sizeof e + e.len) {
		memcpy(&e, b->bytes + at, sizeof e);
		stop = tell(a, &e, b->bytes + at + sizeof e, cb);
	}
	return stop;
}

static void take_all(struct ahead *a, const struct feed_callbacks *cb)
{
	int stop = 0;
	pthread_mutex_lock(&a->lock);
	for (;;) {
		while (a->filled == a->emptied && !a->over)
			pthread_cond_wait(&a->changed, &a->lock);
		if (a->filled == a->emptied)
			break;
		const struct batch *b = &a->batch[a->emptied % BATCHES];
		pthread_mutex_unlock(&a->lock);
		if (!stop)
			stop = tell_all(a, b, cb);
		pthread_mutex_lock(&a->lock);
		a->stop = stop;
		a->emptied++;
		pthread_cond_signal(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
}

static int read_apart(struct ahead *a, const struct feed_callbacks *cb)
{
	pthread_t reader;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	bool apart = pthread_create(&reader, NULL, read_ahead, a) == 0;
	if (apart) {
		take_all(a, cb);
		pthread_join(reader, NULL);
	}
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	if (!apart)
		return feed_read(a->out, a->path, a->options, cb);
	return a->stop ? a->stop : a->err;
}

static bool is_long(const char *path)
{
	struct stat st;
	bool there = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &st) == 0
					    : stat(path, &st) == 0;
	return there && S_ISREG(st.st_mode) && st.st_size >= FEED_AHEAD_FROM;
}

int feed_ahead_read(struct feed_result *out, const char *path,
		    const struct feed_options *options, const struct feed_callbacks *cb)
{
	struct ahead *a = is_long(path) ? calloc(1, sizeof *a) : NULL;
	if (!a)
		return feed_read(out, path, options, cb);
	cli_give_way();
	a->out = out;
	a->path = path;
	a->options = options;
	int err = read_apart(a, cb);
	free(a);
	return err;
}
