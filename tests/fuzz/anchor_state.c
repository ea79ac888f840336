/* Any bytes as the state of followed anchors, and of negative ones: refused, or read and
 * printed to a text that reads back as the same. */
#include <stdlib.h>

#include "resolver/anchor_track.h"
#include "resolver/nta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char one[TRACK_TEXT_MAX], two[TRACK_TEXT_MAX];
_Static_assert((int)NTA_TEXT_MAX <= (int)TRACK_TEXT_MAX, "room for either");

static void track(const char *text, size_t len)
{
	struct track t = {0}, again = {0};
	int line;
	if (track_parse(&t, text, len, &line)) {
		if (t.n || t.zone)
			abort();
		return;
	}
	size_t n = track_print(one, &t);
	if (n >= TRACK_TEXT_MAX || track_parse(&again, one, n, &line) ||
	    track_print(two, &again) != n || memcmp(one, two, n) != 0)
		abort();
	track_fini(&t);
	track_fini(&again);
}

static void negative(const char *text, size_t len)
{
	static struct nta_list l, again;
	int line;
	if (nta_parse(&l, text, len, &line))
		return;
	size_t n = nta_print(one, &l);
	if (n >= NTA_TEXT_MAX || nta_parse(&again, one, n, &line) ||
	    nta_print(two, &again) != n || memcmp(one, two, n) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	track((const char *)data, size);
	negative((const char *)data, size);
	return 0;
}
