/* Any bytes as what is remembered of a list's source, as a file of sums, and as what a
 * server sends: refused, or read and printed to a text that reads back as the same. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/list_state.h"

enum { ROOM = 4096, FILE_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void state(const char *text, size_t len)
{
	struct list_state s, again;
	char one[ROOM], two[ROOM];
	if (list_state_parse(&s, text, len))
		return;
	size_t n = list_state_print(one, sizeof one, &s);
	if (!n || list_state_parse(&again, one, n) ||
	    list_state_print(two, sizeof two, &again) != n || memcmp(one, two, n) != 0)
		abort();
}

static void sums(const char *text, size_t len)
{
	char sum[FEED_FILE_SHA_MAX];
	if (feed_file_find_sum(sum, text, len, "list.txt") !=
	    (strlen(sum) == FEED_FILE_SHA_MAX - 1))
		abort();
}

/* The first byte says how large the pieces are that it comes in. */
static void file(const uint8_t *data, size_t size)
{
	struct feed_file f;
	int err = feed_file_start(&f, memfd_create("feed", 0), FILE_MAX);
	size_t step = size ? data[0] + 1U : 1;
	for (size_t at = 1; !err && at < size; at += step)
		err = feed_file_put(&f, data + at, size - at < step ? size - at : step);
	if (!err)
		err = feed_file_done(&f);
	if (f.bytes > FILE_MAX || (!err && strlen(f.plain) != FEED_FILE_SHA_MAX - 1))
		abort();
	feed_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	state((const char *)data, size);
	sums((const char *)data, size);
	file(data, size);
	return 0;
}
