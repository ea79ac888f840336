#include "tools/feed_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

enum {
	CHUNK = 65536,
	GZIP_WINDOW = 16 + MAX_WBITS, /* zlib: gzip and nothing else */
	SUM_LEN = FEED_FILE_SHA_MAX - 1,
};

struct feed_file_parts {
	EVP_MD_CTX *packed, *plain;
	z_stream z;
	bool gzip, ended; /* ended: after a whole member */
	uint8_t out[CHUNK];
};

static int refuse(struct feed_file *f, int err, const char *why)
{
	snprintf(f->why, sizeof f->why, "%s", why);
	return err;
}

static int broken(struct feed_file *f)
{
	return refuse(f, ERR_FORMAT, "its gzip is broken");
}

/* ---- sums ---- */

static EVP_MD_CTX *sum_open(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(c);
		c = NULL;
	}
	return c;
}

static int sum_end(EVP_MD_CTX *c, char out[FEED_FILE_SHA_MAX])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (EVP_DigestFinal_ex(c, sum, &n) != 1 || 2 * n != SUM_LEN)
		return ERR_NOMEM;
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return ERR_OK;
}

int feed_file_sum(char out[FEED_FILE_SHA_MAX], int fd)
{
	uint8_t bytes[CHUNK];
	ssize_t n = -1;
	EVP_MD_CTX *c = sum_open();
	int err = c ? ERR_OK : ERR_NOMEM;
	if (!err && lseek(fd, 0, SEEK_SET) != 0)
		err = ERR_IO;
	while (!err && (n = read(fd, bytes, sizeof bytes)) > 0)
		err = EVP_DigestUpdate(c, bytes, (size_t)n) == 1 ? ERR_OK : ERR_NOMEM;
	if (!err && (n < 0 || lseek(fd, 0, SEEK_SET) != 0))
		err = ERR_IO;
	if (!err)
		err = sum_end(c, out);
	EVP_MD_CTX_free(c);
	return err;
}

/* ---- to disk ---- */

int feed_file_start(struct feed_file *out, int fd, uint64_t max)
{
	*out = (struct feed_file){.fd = fd, .max = max};
	out->parts = calloc(1, sizeof *out->parts);
	if (!out->parts)
		return ERR_NOMEM;
	out->parts->packed = sum_open();
	out->parts->plain = sum_open();
	return out->parts->packed && out->parts->plain ? ERR_OK : ERR_NOMEM;
}

int feed_file_open(struct feed_file *out, int folder, const char *name, uint64_t max)
{
	int err = feed_file_start(out, -1, max);
	if (err)
		return err;
	if (unlinkat(folder, name, 0) && errno != ENOENT)
		return refuse(out, ERR_IO, strerror(errno));
	out->fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			 FEED_FILE_MODE);
	return out->fd < 0 ? refuse(out, ERR_IO, strerror(errno)) : ERR_OK;
}

void feed_file_close(struct feed_file *f)
{
	struct feed_file_parts *p = f->parts;
	if (p) {
		EVP_MD_CTX_free(p->packed);
		EVP_MD_CTX_free(p->plain);
		if (p->gzip)
			inflateEnd(&p->z);
		free(p);
	}
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct feed_file){.fd = -1};
}

static int keep(struct feed_file *f, const uint8_t *bytes, size_t n)
{
	if (n > f->max - f->bytes)
		return refuse(f, ERR_RANGE, "");
	f->bytes += n;
	if (EVP_DigestUpdate(f->parts->plain, bytes, n) != 1)
		return ERR_NOMEM;
	while (n) {
		ssize_t wrote = write(f->fd, bytes, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return refuse(f, errno == ENOSPC ? ERR_FULL : ERR_IO,
				      strerror(errno));
		bytes += wrote;
		n -= (size_t)wrote;
	}
	return ERR_OK;
}

/* A gzip file may have several members, one behind the other. */
static int unpack(struct feed_file *f, uint8_t *bytes, size_t n)
{
	struct feed_file_parts *p = f->parts;
	int err = ERR_OK;
	p->z.next_in = bytes;
	p->z.avail_in = (uInt)n;
	while (!err) {
		if (p->ended && p->z.avail_in && inflateReset(&p->z) != Z_OK)
			return ERR_NOMEM;
		p->ended = p->ended && !p->z.avail_in;
		p->z.next_out = p->out;
		p->z.avail_out = sizeof p->out;
		int z = p->ended ? Z_BUF_ERROR : inflate(&p->z, Z_NO_FLUSH);
		if (z == Z_BUF_ERROR)
			return ERR_OK; /* it wants more */
		if (z == Z_MEM_ERROR)
			return ERR_NOMEM;
		if (z != Z_OK && z != Z_STREAM_END)
			return broken(f);
		p->ended = z == Z_STREAM_END;
		err = keep(f, p->out, sizeof p->out - p->z.avail_out);
	}
	return err;
}

static int take(struct feed_file *f, const uint8_t *bytes, size_t n)
{
	uint8_t some[CHUNK];
	int err = ERR_OK;
	if (!f->parts->gzip)
		return keep(f, bytes, n);
	for (size_t len; !err && n; bytes += len, n -= len) {
		len = n < sizeof some ? n : sizeof some;
		memcpy(some, bytes, len); /* zlib's input is not const */
		err = unpack(f, some, len);
	}
	return err;
}

/* ---- what it is ---- */

static bool begins(const struct feed_file *f, size_t at, const char *with, size_t n)
{
	return f->head_n >= at + n && !memcmp(f->head + at, with, n);
}

/* A feed's host that is down for repair likes to answer with a page, and 200. */
static bool is_page(const struct feed_file *f)
{
	static const char *const marks[] = {"<!doctype", "<html"};
	size_t at = begins(f, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
	while (at < f->head_n && isspace(f->head[at]))
		at++;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		size_t n = strlen(marks[i]);
		if (f->head_n >= at + n &&
		    !strncasecmp((const char *)f->head + at, marks[i], n))
			return true;
	}
	return false;
}

static int look(struct feed_file *f)
{
	f->begun = true;
	if (begins(f, 0, "PK\3\4", 4) || begins(f, 0, "\3757zXZ", 5) ||
	    begins(f, 0, "BZh", 3) || begins(f, 0, "\x28\xb5\x2f\xfd", 4))
		return refuse(
			f, ERR_FORMAT,
			"it is an archive of a kind that is not unpacked here; gzip "
			"is, and plain text is best");
	if (is_page(f))
		return refuse(f, ERR_FORMAT, "it is a web page, not a list");
	f->parts->gzip = begins(f, 0, "\x1f\x8b", 2);
	if (f->parts->gzip && inflateInit2(&f->parts->z, GZIP_WINDOW) != Z_OK) {
		f->parts->gzip = false;
		return ERR_NOMEM;
	}
	return take(f, f->head, f->head_n);
}

int feed_file_put(struct feed_file *f, const void *data, size_t n)
{
	const uint8_t *bytes = data;
	size_t room = sizeof f->head - f->head_n, first = n < room ? n : room;
	if (EVP_DigestUpdate(f->parts->packed, bytes, n) != 1)
		return ERR_NOMEM;
	if (f->begun)
		return take(f, bytes, n);
	memcpy(f->head + f->head_n, bytes, first);
	f->head_n += first;
	int err = f->head_n == sizeof f->head ? look(f) : ERR_OK;
	return err || n == first ? err : take(f, bytes + first, n - first);
}

int feed_file_done(struct feed_file *f)
{
	struct feed_file_parts *p = f->parts;
	int err = f->begun ? ERR_OK : look(f);
	if (!err && p->gzip && !p->ended)
		err = refuse(f, ERR_FORMAT, "its gzip ends too early");
	if (!err)
		err = sum_end(p->packed, f->packed);
	if (!err)
		err = sum_end(p->plain, f->plain);
	if (!err && (fsync(f->fd) || lseek(f->fd, 0, SEEK_SET) != 0))
		err = refuse(f, errno == ENOSPC ? ERR_FULL : ERR_IO, strerror(errno));
	return err;
}

/* ---- the sum that somebody publishes ---- */

/* "SUM", "SUM  NAME", "SUM *NAME" or "SHA256 (NAME) = SUM". */
static const char *sum_of_line(const char *line, size_t len, bool *named,
			       const char *name)
{
	size_t run = 0, name_n = strlen(name);
	const char *sum = NULL;
	for (size_t i = 0; i < len; i++) {
		run = isxdigit((unsigned char)line[i]) ? run + 1 : 0;
		bool whole = run == SUM_LEN &&
			     (i + 1 == len || !isalnum((unsigned char)line[i + 1]));
		if (whole && (i < SUM_LEN || !isalnum((unsigned char)line[i - SUM_LEN])))
			sum = line + i + 1 - SUM_LEN;
	}
	*named = false;
	for (size_t i = 0; sum && name_n && i + name_n <= len; i++) {
		bool left = i == 0 || strchr(" *(/", line[i - 1]);
		bool right = i + name_n == len || strchr(" )\r", line[i + name_n]);
		*named = *named || (left && right && !memcmp(line + i, name, name_n));
	}
	return sum;
}

bool feed_file_find_sum(char out[FEED_FILE_SHA_MAX], const char *text, size_t len,
			const char *name)
{
	const char *only = NULL, *mine = NULL, *end = text + len;
	int sums = 0;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		bool named;
		const char *sum = sum_of_line(text, n, &named, name);
		sums += sum != NULL;
		only = sum ? sum : only;
		mine = sum && named ? sum : mine;
		text = stop ? stop + 1 : end;
	}
	const char *sum = mine ? mine : sums == 1 ? only : NULL;
	for (size_t i = 0; sum && i < SUM_LEN; i++)
		out[i] = (char)tolower((unsigned char)sum[i]);
	out[sum ? SUM_LEN : 0] = 0;
	return sum != NULL;
}
