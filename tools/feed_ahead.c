#include "tools/feed_ahead.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/small_share.h"
#include "zones/byte_ring.h"

/* Events are short, for each byte goes from one processor to another. */

enum kind { ITEM, SKIP, POSITION };

/* Behind it: an item as blocklist_item_pack() makes it; a text with its NUL; a struct
 * feed_position. */
struct event {
	uint64_t line;
	uint8_t kind, why;
};

enum {
	EVENT_MAX = sizeof(struct event) + BLOCKLIST_PACKED_MAX,
};
_Static_assert((size_t)BLOCKLIST_PACKED_MAX >= FEED_TEXT_MAX, "a text fits");
_Static_assert(BLOCKLIST_PACKED_MAX >= sizeof(struct feed_position), "a position fits");

struct ahead {
	struct feed_result *out;
	const char *path;
	const struct feed_options *options;
};

/* ---- the reader ---- */

/* The place of what is behind the next event, or NULL with *stop. */
static uint8_t *next(struct byte_ring *r, int *stop)
{
	uint8_t *p = byte_ring_room(r, EVENT_MAX, stop);
	return p ? p + sizeof(struct event) : NULL;
}

/* len bytes are at what next() returned. */
static void keep(struct byte_ring *r, uint8_t *p, struct event e, size_t len)
{
	memcpy(p - sizeof e, &e, sizeof e);
	byte_ring_put(r, sizeof e + len);
}

static int keep_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	int stop = 0;
	uint8_t *p = next(arg, &stop);
	if (p)
		keep(arg, p, (struct event){.kind = ITEM, .line = line},
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
		keep(arg, p,
		     (struct event){.kind = SKIP, .why = (uint8_t)why, .line = line},
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
		keep(arg, p, (struct event){.kind = POSITION}, sizeof *at);
	}
	return stop;
}

static int read_ahead(struct byte_ring *r, void *arg)
{
	const struct ahead *a = arg;
	const struct feed_callbacks cb = {keep_item, keep_skip, keep_position, r};
	return feed_read(a->out, a->path, a->options, &cb);
}

/* ---- the caller ---- */

static int tell(const struct feed_callbacks *cb, struct blocklist_item *item,
		const uint8_t *p)
{
	struct feed_position at;
	struct event e;
	memcpy(&e, p, sizeof e);
	p += sizeof e;
	switch (e.kind) {
	case ITEM:
		if (!cb->item)
			return 0;
		blocklist_item_unpack(item, p);
		return cb->item(cb->arg, item, e.line);
	case SKIP:
		return !cb->skip ? 0
				 : cb->skip(cb->arg, (enum feed_skip)e.why, e.line,
					    (const char *)p);
	default:
		memcpy(&at, p, sizeof at);
		return cb->progress ? cb->progress(cb->arg, &at) : 0;
	}
}

static int tell_all(struct byte_ring *r, const struct feed_callbacks *cb)
{
	struct blocklist_item item;
	const uint8_t *p;
	int stop = 0;
	while (!stop && (p = byte_ring_next(r)))
		stop = tell(cb, &item, p);
	return byte_ring_end(r, stop);
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
	struct byte_ring *r;
	struct ahead a = {out, path, options};
	if (!is_long(path))
		return feed_read(out, path, options, cb);
	small_share(); /* both threads: before there is another */
	if (byte_ring_start(&r, read_ahead, &a))
		return feed_read(out, path, options, cb);
	return tell_all(r, cb);
}
