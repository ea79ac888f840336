#include "tools/feed_ahead.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The reader fills batches of events in a ring, the caller empties them; between a batch
 * and its owner stand only the two counts under the lock. */

enum {
	BATCH = 64,   /* events for one look at the lock */
	BATCHES = 32, /* who has to wait can sleep for half of them */
};

enum kind { ITEM, SKIP, POSITION };

/* Only what its kind has is written. */
struct event {
	enum kind kind;
	enum feed_skip why;
	uint64_t line;
	struct feed_position at;
	char text[FEED_TEXT_MAX];
	struct blocklist_item item;
};

struct batch {
	unsigned n;
	struct event event[BATCH];
};

struct ahead {
	pthread_mutex_t lock;
	pthread_cond_t changed;	  /* any of these: */
	uint64_t filled, emptied; /* batches so far; filled - emptied <= BATCHES */
	bool over;		  /* the reader has ended */
	int stop;		  /* what a callback said */
	struct batch batch[BATCHES];
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

/* The next event's place, or NULL with *stop. */
static struct event *next(struct ahead *a, int *stop)
{
	struct batch *b = &a->batch[a->filled % BATCHES];
	if (a->open && b->n == BATCH) {
		publish(a);
		b = &a->batch[a->filled % BATCHES];
	}
	if (!a->open) {
		*stop = wait_for_room(a);
		if (*stop)
			return NULL;
		b->n = 0;
		a->open = true;
	}
	return &b->event[b->n++];
}

/* Most are empty. */
static void copy_text(char *to, const char *from)
{
	if (*from)
		strcpy(to, from);
	else
		*to = 0;
}

/* What there is of it: all of it would be 2.5 kB a line. */
static void copy_item(struct blocklist_item *to, const struct blocklist_item *from)
{
	struct blocklist_entry *e = &to->entry;
	const struct blocklist_entry *f = &from->entry;
	name_copy(to->key.name, from->key.name);
	to->key.prefix = from->key.prefix;
	to->kind = from->kind;
	to->action = from->action;
	to->in_zone = from->in_zone;
	to->starts = from->starts;
	to->expires = from->expires;
	e->id = f->id;
	e->first_listed = f->first_listed;
	e->expires = f->expires;
	e->confidence = f->confidence;
	copy_text(e->family, f->family);
	copy_text(e->category, f->category);
	copy_text(e->reason, f->reason);
	copy_text(e->reference, f->reference);
	copy_text(e->authority, f->authority);
	copy_text(e->operator_name, f->operator_name);
	e->data.len = f->data.len;
	if (f->data.len)
		memcpy(e->data.bytes, f->data.bytes, f->data.len);
}

static int keep_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	int stop = 0;
	struct event *e = next(arg, &stop);
	if (!e)
		return stop;
	e->kind = ITEM;
	e->line = line;
	copy_item(&e->item, item);
	return 0;
}

static int keep_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	int stop = 0;
	struct event *e = next(arg, &stop);
	if (!e)
		return stop;
	e->kind = SKIP;
	e->why = why;
	e->line = line;
	snprintf(e->text, sizeof e->text, "%s", text);
	return 0;
}

static int keep_position(void *arg, const struct feed_position *at)
{
	int stop = 0;
	struct event *e = next(arg, &stop);
	if (!e)
		return stop;
	e->kind = POSITION;
	e->at = *at;
	return 0;
}

static void *read_ahead(void *arg)
{
	struct ahead *a = arg;
	const struct feed_callbacks cb = {keep_item, keep_skip, keep_position, a};
	const struct sched_param none = {0};
	/* A resolver beside us comes first where there are no more processors. */
	(void)!pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
	a->err = feed_read(a->out, a->path, a->options, &cb);
	publish(a);
	pthread_mutex_lock(&a->lock);
	a->over = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- the caller ---- */

static int tell(const struct event *e, const struct feed_callbacks *cb)
{
	switch (e->kind) {
	case ITEM:
		return cb->item ? cb->item(cb->arg, &e->item, e->line) : 0;
	case SKIP:
		return cb->skip ? cb->skip(cb->arg, e->why, e->line, e->text) : 0;
	default:
		return cb->progress ? cb->progress(cb->arg, &e->at) : 0;
	}
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
		for (unsigned i = 0; i < b->n && !stop; i++)
			stop = tell(&b->event[i], cb);
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

int feed_ahead_read(struct feed_result *out, const char *path,
		    const struct feed_options *options, const struct feed_callbacks *cb)
{
	struct stat st;
	struct ahead *a = NULL;
	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= FEED_AHEAD_FROM)
		a = calloc(1, sizeof *a);
	if (!a)
		return feed_read(out, path, options, cb);
	a->out = out;
	a->path = path;
	a->options = options;
	int err = read_apart(a, cb);
	free(a);
	return err;
}
