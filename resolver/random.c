#include "resolver/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void fill(struct random_source *r)
{
	size_t n = 0;
	while (n < sizeof r->buffer) {
		ssize_t got = getrandom(r->buffer + n, sizeof r->buffer - n, 0);
		if (got < 0 && errno != EINTR)
			abort();
		n += got > 0 ? (size_t)got : 0;
	}
	r->left = n;
}

void random_bytes(void *arg, void *out, size_t n)
{
	struct random_source *r = arg;
	if (n > sizeof r->buffer)
		abort();
	if (r->left < n)
		fill(r);
	r->left -= n;
	memcpy(out, r->buffer + r->left, n);
	memset(r->buffer + r->left, 0, n);
}
