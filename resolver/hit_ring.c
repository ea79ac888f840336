#include "resolver/hit_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 4096, /* one page: the slots behind it start aligned */
	CACHE_LINE = 64,
	FOLD_N = 65536,	    /* remembered records: about what half a ring holds */
	CREATE_MODE = 0600, /* clients' addresses: nobody else reads them here */
	SLOT_ALIGN = 8,
};

#define MAGIC "SHRING3" /* the digit is the format's version */
#define TAKEN 0x80000000U
#define COUNT_MAX 0x7fffffffU
#define SKIP \
	0xffffffffU /* in a slot's len: the rest up to the end of the ring is unused */
#define FOLD_NONE UINT64_MAX

/* First page of the file. Producer and consumer write to lines of their own. */
struct ring_header {
	char magic[8]; /* written last when the ring is made */
	uint64_t boot, bytes;
	uint32_t worker, unused;
	char node[HIT_NODE_MAX];
	alignas(CACHE_LINE) _Atomic uint64_t head; /* the producer's */
	_Atomic uint64_t stored, folded, no_room;
	alignas(CACHE_LINE) _Atomic uint64_t tail; /* the consumer's */
	_Atomic uint64_t damaged;
};

struct slot {
	uint32_t len;		/* of packed, or SKIP */
	uint32_t check;		/* hit_bind() to boot and position */
	_Atomic uint32_t count; /* and TAKEN */
	uint8_t packed[];
};

enum {
	SLOT_HEAD = offsetof(struct slot, packed),
	SLOT_MAX =
		(SLOT_HEAD + HIT_PACKED_MAX + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN,
};

_Static_assert(sizeof(struct ring_header) <= HEADER_BYTES, "positions fit their page");
_Static_assert(HIT_RING_BYTES_MIN >= 8 * SLOT_MAX, "half a small ring holds some hits");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
	       "atomics in a shared mapping must not use a lock");

struct hit_ring {
	struct ring_header *header;
	uint8_t *slots;
	uint64_t bytes;
	int fd; /* holds the lock that says: this process lives */
	char path[HIT_RING_PATH_MAX];
	/* the producer's own */
	alignas(CACHE_LINE) uint64_t head;
	uint64_t tail_seen; /* the tail when last looked at */
	struct hit_origin origin;
	uint64_t folded, no_room;
	struct hash_key fold_key;
	uint64_t *fold; /* hash of what makes hits identical -> position */
};

static struct slot *slot_at(const struct hit_ring *r, uint64_t position)
{
	return (struct slot *)(void *)(r->slots + (position & (r->bytes - 1)));
}

static uint64_t slot_size(size_t packed_len)
{
	return (SLOT_HEAD + packed_len + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
}

/* ---- making and opening ---- */

static int system_error(int number)
{
	errno = number;
	switch (number) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_FULL;
	case ENOENT:
		return ERR_NOENT;
	case EEXIST:
		return ERR_EXIST;
	case EAGAIN:
		return ERR_BUSY;
	case EACCES:
	case EPERM:
		return ERR_ACCESS;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

/* Says that this process lives; unlike flock(), a forked child does not keep it. */
static int lock_file(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_SETLK, &l);
}

static int map_file(struct hit_ring *r)
{
	void *p = mmap(NULL, HEADER_BYTES + r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       r->fd, 0);
	if (p == MAP_FAILED)
		return system_error(errno);
	r->header = p;
	r->slots = (uint8_t *)p + HEADER_BYTES;
	return ERR_OK;
}

static int allocate_file(struct hit_ring *r)
{
	int err;
	do {
		err = posix_fallocate(r->fd, 0, (off_t)(HEADER_BYTES + r->bytes));
	} while (err == EINTR);
	return err ? system_error(err) : map_file(r);
}

static void fill_header(struct hit_ring *r, uint64_t boot, uint16_t worker,
			const char *node)
{
	struct ring_header *h = r->header;
	memset(h, 0, HEADER_BYTES + r->bytes); /* also brings every page in */
	h->boot = boot;
	h->worker = worker;
	h->bytes = r->bytes;
	memcpy(h->node, node, strnlen(node, sizeof h->node - 1));
	atomic_thread_fence(memory_order_release);
	memcpy(h->magic, MAGIC, sizeof h->magic);
}

static int make_fold(struct hit_ring *r)
{
	r->fold = malloc(FOLD_N * sizeof *r->fold);
	if (!r->fold)
		return ERR_NOMEM;
	memset(r->fold, 0xff, FOLD_N * sizeof *r->fold); /* FOLD_NONE */
	ssize_t n = getrandom(&r->fold_key, sizeof r->fold_key, 0);
	return n == (ssize_t)sizeof r->fold_key ? ERR_OK : ERR_IO;
}

static struct hit_ring *ring_new(void)
{
	struct hit_ring *r = aligned_alloc(alignof(struct hit_ring), sizeof *r);
	if (r)
		*r = (struct hit_ring){.fd = -1};
	return r;
}

int hit_ring_create(struct hit_ring **out, const char *dir, uint64_t boot,
		    uint16_t worker, const char *node, size_t bytes)
{
	*out = NULL;
	if (bytes < HIT_RING_BYTES_MIN || (bytes & (bytes - 1)))
		return ERR_INVAL;
	struct hit_ring *r = ring_new();
	if (!r)
		return ERR_NOMEM;
	r->bytes = bytes;
	r->origin = (struct hit_origin){.boot = boot, .sequence = 1, .worker = worker};
	int n = snprintf(r->path, sizeof r->path, "%s/hits-%016llx-%u.ring", dir,
			 (unsigned long long)boot, worker);
	int err = n < (int)sizeof r->path ? ERR_OK : ERR_RANGE;
	if (err)
		goto out;
	r->fd = open(r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, CREATE_MODE);
	if (r->fd < 0 || lock_file(r->fd)) {
		err = system_error(errno);
		goto out;
	}
	err = allocate_file(r);
	if (!err)
		err = make_fold(r);
	if (!err)
		fill_header(r, boot, worker, node);
out:
	if (err) {
		int saved = errno;
		hit_ring_close(r, r->fd >= 0);
		errno = saved;
		return err;
	}
	*out = r;
	return ERR_OK;
}

/* A file that another process may have left in any state. */
static int check_header(const struct hit_ring *r)
{
	static const char none[sizeof r->header->magic];
	const struct ring_header *h = r->header;
	if (!memcmp(h->magic, none, sizeof none))
		return ERR_NOENT; /* killed while making it: nothing was put */
	if (memcmp(h->magic, MAGIC, sizeof h->magic))
		return ERR_VERSION;
	if (h->bytes != r->bytes || (r->bytes & (r->bytes - 1)) ||
	    r->bytes < HIT_RING_BYTES_MIN || h->worker > UINT16_MAX ||
	    h->node[sizeof h->node - 1])
		return ERR_DAMAGED;
	return ERR_OK;
}

int hit_ring_open(struct hit_ring **out, const char *path)
{
	struct stat st;
	*out = NULL;
	struct hit_ring *r = ring_new();
	if (!r)
		return ERR_NOMEM;
	int err = strlen(path) < sizeof r->path ? ERR_OK : ERR_RANGE;
	if (err)
		goto out;
	memcpy(r->path, path, strlen(path) + 1);
	r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0 || lock_file(r->fd) || fstat(r->fd, &st)) {
		err = system_error(errno);
		goto out;
	}
	/* Shorter than allocated: killed before anything could be put. */
	err = st.st_size < HEADER_BYTES + HIT_RING_BYTES_MIN ? ERR_NOENT : ERR_OK;
	if (err)
		goto out;
	r->bytes = (uint64_t)st.st_size - HEADER_BYTES;
	err = map_file(r);
	if (!err)
		err = check_header(r);
	if (err)
		goto out;
	r->origin.boot = r->header->boot;
	r->origin.worker = (uint16_t)r->header->worker;
out:
	if (err) {
		int saved = errno;
		hit_ring_close(r, false);
		errno = saved;
		return err;
	}
	*out = r;
	return ERR_OK;
}

void hit_ring_close(struct hit_ring *r, bool remove_file)
{
	if (!r)
		return;
	if (remove_file)
		unlink(r->path);
	if (r->header)
		munmap(r->header, HEADER_BYTES + r->bytes);
	if (r->fd >= 0)
		close(r->fd);
	free(r->fold);
	free(r);
}

/* ---- putting: the worker ---- */

/* Bytes between position and the ring's end that no whole record may fit in. */
static uint64_t gap_at(const struct hit_ring *r, uint64_t position)
{
	uint64_t left = r->bytes - (position & (r->bytes - 1));
	return left < SLOT_MAX ? left : 0;
}

static bool has_room(const struct hit_ring *r)
{
	return r->head + gap_at(r, r->head) + SLOT_MAX - r->tail_seen <= r->bytes;
}

/* The free slot that comes next. Not visible before publish(). */
static struct slot *next_slot(struct hit_ring *r, uint64_t *position)
{
	uint64_t gap = gap_at(r, r->head);
	if (gap)
		slot_at(r, r->head)->len = SKIP;
	*position = r->head + gap;
	return slot_at(r, *position);
}

/* The record is complete: from here on it survives us. */
static inline void publish(struct hit_ring *r, struct slot *s, uint64_t position,
			   size_t len)
{
	s->len = (uint32_t)len;
	s->check = hit_check(s->packed, len, r->origin.boot, position);
	atomic_store_explicit(&s->count, 1, memory_order_relaxed);
	r->head = position + slot_size(len);
	atomic_store_explicit(&r->header->head, r->head, memory_order_release);
	atomic_store_explicit(&r->header->stored, r->origin.sequence++,
			      memory_order_relaxed);
}

static bool is_identical(const struct slot *s, const uint8_t *packed, size_t len)
{
	return s->len == len &&
	       memcmp(s->packed + HIT_RECORD_OWN, packed + HIT_RECORD_OWN,
		      len - HIT_RECORD_OWN) == 0;
}

/* Adds one to the record at position when it is identical and not taken. */
static bool fold_into(struct hit_ring *r, uint64_t position, const uint8_t *packed,
		      size_t len)
{
	if (position == FOLD_NONE || position < r->tail_seen)
		return false;
	struct slot *s = slot_at(r, position);
	if (!is_identical(s, packed, len))
		return false;
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
	while (!(count & TAKEN) && count < COUNT_MAX)
		if (atomic_compare_exchange_weak_explicit(&s->count, &count, count + 1,
							  memory_order_acq_rel,
							  memory_order_relaxed))
			return true;
	return false;
}

/* Over half full: first try to count it where it stands already. */
static enum hit_put_result put_crowded(struct hit_ring *r, const struct hit_source *h)
{
	uint8_t packed[HIT_PACKED_MAX];
	size_t len = hit_pack(packed, h, &r->origin);
	uint64_t hash =
		hash_fold(&r->fold_key, packed + HIT_RECORD_OWN, len - HIT_RECORD_OWN);
	uint64_t *known = &r->fold[hash & (FOLD_N - 1)];
	if (fold_into(r, *known, packed, len)) {
		atomic_store_explicit(&r->header->folded, ++r->folded,
				      memory_order_relaxed);
		return HIT_FOLDED;
	}
	if (!has_room(r)) {
		atomic_store_explicit(&r->header->no_room, ++r->no_room,
				      memory_order_relaxed);
		return HIT_NO_ROOM;
	}
	struct slot *s = next_slot(r, known);
	memcpy(s->packed, packed, len);
	publish(r, s, *known, len);
	return HIT_STORED;
}

enum hit_put_result hit_ring_put(struct hit_ring *r, const struct hit_source *h)
{
	uint64_t position;
	if (r->head - r->tail_seen > r->bytes / 2)
		r->tail_seen =
			atomic_load_explicit(&r->header->tail, memory_order_acquire);
	if (r->head - r->tail_seen > r->bytes / 2)
		return put_crowded(r, h);
	struct slot *s = next_slot(r, &position);
	publish(r, s, position, hit_pack(s->packed, h, &r->origin));
	return HIT_STORED;
}

/* ---- taking: the writer ---- */

/* A record that starts at position and ends before head, or NULL; *hash is its
 * hit_record_hash(). */
static struct slot *whole_slot(const struct hit_ring *r, uint64_t *hash,
			       uint64_t position, uint64_t head)
{
	uint64_t left = r->bytes - (position & (r->bytes - 1));
	left = left < head - position ? left : head - position;
	struct slot *s = slot_at(r, position);
	if (left < SLOT_HEAD || s->len > HIT_PACKED_MAX || slot_size(s->len) > left)
		return NULL;
	*hash = hit_record_hash(s->packed, s->len);
	return s->check == hit_bind(*hash, r->origin.boot, position) ? s : NULL;
}

void hit_ring_damaged(struct hit_ring *r, size_t bytes)
{
	atomic_fetch_add_explicit(&r->header->damaged, bytes, memory_order_relaxed);
}

int hit_ring_take(struct hit_ring *r, uint64_t *position, struct hit_ring_item *out)
{
	uint64_t head = atomic_load_explicit(&r->header->head, memory_order_acquire);
	uint64_t at = *position, bad = 0;
	if (at >= head) { /* beyond it: a power cut set the file back, not the segment */
		*position = head;
		return 0;
	}
	if (head - at > r->bytes || (at | head) % SLOT_ALIGN) {
		/* Only a damaged file can say so: nothing here can be trusted. */
		bad = r->bytes;
		at = head;
	}
	struct slot *s = NULL;
	uint64_t hash;
	while (at < head && !(s = whole_slot(r, &hash, at, head))) {
		uint64_t gap = gap_at(r, at);
		if (gap && slot_at(r, at)->len == SKIP) {
			at += gap;
			continue;
		}
		at += SLOT_ALIGN; /* torn by a power cut: look for the next whole one */
		bad += SLOT_ALIGN;
	}
	if (bad)
		hit_ring_damaged(r, bad);
	*position = at;
	if (!s)
		return 0;
	uint32_t count = atomic_fetch_or_explicit(&s->count, TAKEN, memory_order_acq_rel);
	count &= COUNT_MAX;
	*out = (struct hit_ring_item){s->packed, s->len, hash, count ? count : 1};
	*position = at + slot_size(s->len);
	return 1;
}

void hit_ring_give_back(struct hit_ring *r, uint64_t from, uint64_t to)
{
	if (to - from > r->bytes) /* a damaged head: there was nothing to take */
		return;
	while (from < to) {
		uint64_t hash;
		struct slot *s = whole_slot(r, &hash, from, to);
		if (!s) {
			uint64_t gap = gap_at(r, from);
			from += gap && slot_at(r, from)->len == SKIP ? gap : SLOT_ALIGN;
			continue;
		}
		atomic_fetch_and_explicit(&s->count, COUNT_MAX, memory_order_acq_rel);
		from += slot_size(s->len);
	}
}

void hit_ring_advance(struct hit_ring *r, uint64_t position)
{
	atomic_store_explicit(&r->header->tail, position, memory_order_release);
}

uint64_t hit_ring_tail(const struct hit_ring *r)
{
	return atomic_load_explicit(&r->header->tail, memory_order_relaxed);
}

uint64_t hit_ring_used(const struct hit_ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->header->tail, memory_order_acquire);
	return atomic_load_explicit(&r->header->head, memory_order_relaxed) - tail;
}

struct hit_ring_counts hit_ring_counts(const struct hit_ring *r)
{
	const struct ring_header *h = r->header;
	return (struct hit_ring_counts){
		.stored = atomic_load_explicit(&h->stored, memory_order_relaxed),
		.folded = atomic_load_explicit(&h->folded, memory_order_relaxed),
		.no_room = atomic_load_explicit(&h->no_room, memory_order_relaxed),
		.damaged = atomic_load_explicit(&h->damaged, memory_order_relaxed),
	};
}

uint64_t hit_ring_boot(const struct hit_ring *r)
{
	return r->origin.boot;
}

uint16_t hit_ring_worker(const struct hit_ring *r)
{
	return r->origin.worker;
}

const char *hit_ring_node(const struct hit_ring *r)
{
	return r->header->node;
}

const char *hit_ring_path(const struct hit_ring *r)
{
	return r->path;
}

size_t hit_ring_size(const struct hit_ring *r)
{
	return r->bytes;
}
