#include <stdlib.h>

#include "zones/feed_stix.h"

/* A pattern of a STIX indicator. What is refused hands out nothing; what is handed out
 * lies in the pattern. */

struct seen {
	const uint8_t *data;
	size_t size, terms;
};

static void must(bool true_thing)
{
	if (!true_thing)
		abort();
}

static void must_lie_in(const struct seen *s, struct feed_span span)
{
	const char *start = (const char *)s->data;
	must(span.text >= start && span.text + span.len <= start + s->size);
}

static int on_term(void *arg, const struct stix_term *t)
{
	struct seen *s = arg;
	must_lie_in(s, t->object);
	must_lie_in(s, t->op);
	must(t->value.len <= STIX_VALUE_MAX);
	s->terms++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = {data, size, 0};
	int stop;
	int why = feed_stix_pattern((struct feed_span){(const char *)data, size}, on_term,
				    &s, &stop);
	must(why == FEED_WORD || why == FEED_SKIP_SYNTAX || why == FEED_SKIP_PATTERN);
	must((why == FEED_WORD) == (s.terms > 0) && stop == 0);
	return 0;
}
