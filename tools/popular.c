#include "tools/popular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/hash.h"

#define INDEX_FILE "popular.index"

enum {
	MAGIC_LEN = 16,
	SLOTS_FIRST = 1 << 12,
	SLOTS_MAX = 1 << 26,
	FILL_PERCENT = 75, /* a fuller table takes long to look through */
	/* The low bits of a slot, which are not of the hash. */
	IS_NAME = 1,
	IS_ABOVE = 2, /* a popular name is below it */
	FLAGS = 3,
};

/* "1" is the version: another layout or hash takes another one. */
static const char magic[MAGIC_LEN] = "sinkholed-popul1";

/* Crafted collisions would refuse an import, and name its line. */
static const struct hash_key fixed_key;

/* The file: this, the slots, their ranks. */
struct head {
	char magic[MAGIC_LEN];
	int64_t dev, ino, size, mtime_s, mtime_ns; /* of the list */
	uint64_t slots, used, names;
};

struct popular {
	struct head *head;
	uint64_t *slot;
	uint32_t *rank;
	size_t len;
};

/* ---- lines ---- */

static bool is_part_end(char c)
{
	return c == ',' || c == ';' || c == '\t' || c == ' ';
}

static bool number(uint32_t *out, const char *text, size_t len)
{
	uint64_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || n > UINT32_MAX / 10)
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (uint32_t)n;
	return len > 0;
}

bool popular_line(uint8_t name[DNS_NAME_MAX], uint32_t *rank, const char *text,
		  size_t len)
{
	const char *end = text + len;
	uint32_t n;
	*rank = 0;
	while (text < end && *text != '#') {
		const char *part = text;
		while (text < end && !is_part_end(*text) && *text != '\r')
			text++;
		size_t part_len = (size_t)(text - part);
		text += text < end;
		if (part_len >= 2 && *part == '"' && part[part_len - 1] == '"')
			part++, part_len -= 2;
		if (number(&n, part, part_len))
			*rank = *rank ? *rank : n;
		else if (memchr(part, '.', part_len) && !memchr(part, ':', part_len) &&
			 name_from_text(name, part, part_len) == ERR_OK &&
			 name_labels(name) > 1)
			return true;
	}
	return false;
}

/* ---- the table ---- */

static uint64_t hash_of(const uint8_t *name)
{
	return hash_bytes(&fixed_key, name, name_len(name));
}

/* The place of h, or the empty one where it belongs. */
static uint64_t find(const struct popular *p, uint64_t h)
{
	uint64_t mask = p->head->slots - 1, at = (h >> 8) & mask;
	/* A damaged file may have no empty place. */
	for (uint64_t n = 0; n < mask && p->slot[at]; n++) {
		if (!((p->slot[at] ^ h) & ~(uint64_t)FLAGS))
			break;
		at = (at + 1) & mask;
	}
	return at;
}

static void mark(struct popular *p, const uint8_t *name, unsigned flag, uint32_t rank)
{
	uint64_t h = hash_of(name), at = find(p, h);
	p->head->used += !p->slot[at];
	p->slot[at] |= (h & ~(uint64_t)FLAGS) | flag;
	if (rank && (!p->rank[at] || rank < p->rank[at]))
		p->rank[at] = rank;
}

static size_t room_of(uint64_t slots)
{
	return sizeof(struct head) + slots * (sizeof(uint64_t) + sizeof(uint32_t));
}

static void lay_out(struct popular *p, uint64_t slots)
{
	p->slot = (uint64_t *)(p->head + 1);
	p->rank = (uint32_t *)(p->slot + slots);
}

static int map_new(struct popular *p, int fd, uint64_t slots)
{
	p->len = room_of(slots);
	/* All of it at once: on a full disk a page of a hole is a SIGBUS. */
	errno = ftruncate(fd, 0) ? errno : posix_fallocate(fd, 0, (off_t)p->len);
	if (errno)
		return ERR_IO;
	p->head = mmap(NULL, p->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->head == MAP_FAILED) {
		p->head = NULL;
		return ERR_NOMEM;
	}
	lay_out(p, slots);
	p->head->slots = slots;
	return ERR_OK;
}

static void unmap(struct popular *p)
{
	if (p->head)
		munmap(p->head, p->len);
	p->head = NULL;
}

/* ERR_RANGE: the table is too small. */
static int fill(struct popular *p, FILE *list)
{
	uint8_t name[DNS_NAME_MAX];
	char *line = NULL;
	size_t room = 0;
	uint32_t rank;
	int err = ERR_OK;
	rewind(list);
	for (ssize_t n; !err && (n = getline(&line, &room, list)) >= 0;) {
		if (!popular_line(name, &rank, line, (size_t)n - (line[n - 1] == '\n')))
			continue;
		/* A name and all above it, but top-level domains. */
		mark(p, name, IS_NAME, rank);
		for (const uint8_t *up = name_parent(name); name_labels(up) > 1;
		     up = name_parent(up))
			mark(p, up, IS_ABOVE, rank);
		if (++p->head->names > POPULAR_NAMES_MAX)
			err = ERR_INVAL;
		else if (p->head->used > p->head->slots / 100 * FILL_PERCENT)
			err = ERR_RANGE;
	}
	if (!err && ferror(list))
		err = ERR_IO;
	free(line);
	return err;
}

static void head_of(struct head *h, const struct stat *st)
{
	memcpy(h->magic, magic, MAGIC_LEN);
	h->dev = (int64_t)st->st_dev;
	h->ino = (int64_t)st->st_ino;
	h->size = st->st_size;
	h->mtime_s = st->st_mtim.tv_sec;
	h->mtime_ns = st->st_mtim.tv_nsec;
}

static int make(struct popular *p, int fd, FILE *list, const struct stat *st)
{
	uint64_t slots = SLOTS_FIRST;
	int err;
	/* A line of a list is rarely shorter than 16 bytes. */
	while (slots < SLOTS_MAX && slots * 12 < (uint64_t)st->st_size)
		slots *= 2;
	do {
		unmap(p);
		err = map_new(p, fd, slots);
		if (!err)
			err = fill(p, list);
		slots *= 2;
	} while (err == ERR_RANGE && slots <= SLOTS_MAX);
	if (!err && !p->head->names)
		err = ERR_FORMAT;
	if (!err)
		head_of(p->head, st);
	return err;
}

/* ---- the file ---- */

/* What an earlier run has made, when it is of this very list. */
static bool open_made(struct popular *p, const char *path, const struct stat *list)
{
	struct head want = {0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (size_t)st.st_size < sizeof(struct head)) {
		close(fd);
		return false;
	}
	p->len = (size_t)st.st_size;
	p->head = mmap(NULL, p->len, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p->head == MAP_FAILED) {
		p->head = NULL;
		return false;
	}
	head_of(&want, list);
	const struct head *h = p->head;
	if (memcmp(h, &want, offsetof(struct head, slots)) == 0 &&
	    h->slots >= SLOTS_FIRST && h->slots <= SLOTS_MAX &&
	    !(h->slots & (h->slots - 1)) && h->used < h->slots &&
	    p->len == room_of(h->slots)) {
		lay_out(p, h->slots);
		return true;
	}
	unmap(p);
	return false;
}

/* A file without a name: it gets one when it is whole. */
static int open_new(const char *folder)
{
	int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644) : -1;
	if (fd >= 0)
		return fd;
	FILE *tmp = tmpfile();
	fd = tmp ? fcntl(fileno(tmp), F_DUPFD_CLOEXEC, 0) : -1;
	if (tmp)
		fclose(tmp);
	return fd;
}

/* Where that fails the table is made again the next time. */
static void give_name(int fd, const char *to)
{
	char from[32], between[4300];
	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	snprintf(between, sizeof between, "%s.%ld", to, (long)getpid());
	unlink(between);
	if (fchmod(fd, 0644) ||
	    linkat(AT_FDCWD, from, AT_FDCWD, between, AT_SYMLINK_FOLLOW))
		return;
	if (rename(between, to))
		unlink(between);
}

static int make_file(struct popular *p, const char *folder, const char *to, FILE *list,
		     const struct stat *st)
{
	int fd = open_new(folder);
	int err = fd < 0 ? ERR_IO : make(p, fd, list, st);
	if (!err && folder)
		give_name(fd, to);
	if (fd >= 0)
		close(fd);
	return err;
}

static int tell(char error[POPULAR_ERROR_MAX], const char *list, int err)
{
	const char *why = err == ERR_FORMAT  ? "no line of it has a domain name"
			  : err == ERR_INVAL ? "it has more names than can be kept"
			  : err == ERR_RANGE ? "it has more names than can be kept"
					     : strerror(errno);
	snprintf(error, POPULAR_ERROR_MAX, "cannot use the popular names in %s: %s", list,
		 why);
	return err;
}

int popular_open(struct popular **out, const char *list, const char *folder,
		 char error[POPULAR_ERROR_MAX])
{
	char to[4200] = "";
	struct stat st;
	*out = NULL;
	FILE *f = fopen(list, "re");
	if (!f || fstat(fileno(f), &st)) {
		int err = tell(error, list, errno == ENOENT ? ERR_NOENT : ERR_IO);
		if (f)
			fclose(f);
		return err;
	}
	struct popular *p = calloc(1, sizeof *p);
	int err = p ? ERR_OK : ERR_NOMEM;
	if (folder)
		snprintf(to, sizeof to, "%s/" INDEX_FILE, folder);
	if (!err && !(folder && open_made(p, to, &st)))
		err = make_file(p, folder, to, f, &st);
	fclose(f);
	if (!err) {
		*out = p;
		return ERR_OK;
	}
	popular_close(p);
	return tell(error, list, err);
}

void popular_close(struct popular *p)
{
	if (p)
		unmap(p);
	free(p);
}

uint64_t popular_count(const struct popular *p)
{
	return p->head->names;
}

static bool look(const struct popular *p, uint32_t *rank, const uint8_t *name,
		 unsigned flags)
{
	uint64_t at = find(p, hash_of(name));
	*rank = p->rank[at];
	return p->slot[at] & flags;
}

bool popular_hit(const struct popular *p, uint32_t *rank, const uint8_t *name,
		 enum rule_kind kind)
{
	return look(p, rank, name,
		    kind == RULE_SUBTREE	  ? IS_NAME | IS_ABOVE
		    : rule_kind_is_wildcard(kind) ? IS_ABOVE
						  : IS_NAME);
}

bool popular_is(const struct popular *p, uint32_t *rank, const uint8_t *name)
{
	return look(p, rank, name, IS_NAME);
}
