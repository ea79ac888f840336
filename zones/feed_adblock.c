#include "zones/feed_parse.h"

/* Filter lists of browsers, as far as they speak of whole names: ||NAME^. Whatever
 * narrows a filter to some requests or to a part of a page is left out: the name would
 * be too much. An exception lets a name through, and in the store that holds against all
 * later lists, so it is taken only when the caller asks for it. */

/* What follows the name says nothing that DNS could tell apart. */
static bool options_are_whole(struct feed_span options)
{
	static const char *const whole[] = {"all", "important", "document", "doc"};
	const char *at = options.text, *end = at + options.len;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		comma = comma ? comma : end;
		struct feed_span one = feed_trim(at, (size_t)(comma - at));
		bool found = false;
		for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
			found = found || feed_span_is(one, whole[i]);
		if (!found)
			return false;
		at = comma + 1;
	}
	return true;
}

/* "SITE##SELECTOR" and its kin hide parts of pages. */
static bool is_cosmetic(struct feed_span line)
{
	static const char *const marks[] = {"##", "#@#", "#?#", "#$#", "#%#"};
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (memmem(line.text, line.len, marks[i], strlen(marks[i])))
			return true;
	return false;
}

static bool take(struct feed_span *s, const char *prefix)
{
	size_t n = strlen(prefix);
	if (s->len < n || memcmp(s->text, prefix, n) != 0)
		return false;
	s->text += n;
	s->len -= n;
	return true;
}

/* "NAME^", "NAME^|": the name. False when the filter is for other URLs as well. */
static bool cut_end(struct feed_span *s)
{
	const char *caret = memchr(s->text, '^', s->len);
	if (!caret)
		return false;
	struct feed_span rest = {caret, (size_t)(s->text + s->len - caret)};
	s->len = (size_t)(caret - s->text);
	return feed_span_is(rest, "^") || feed_span_is(rest, "^|");
}

static int exception(struct feed *f, struct feed_span name, struct feed_span line)
{
	struct blocklist_item *item = &f->item;
	int why = feed_word(&item->key, &item->kind, name.text, name.len);
	if (!feed_takes(f, why))
		return feed_skip(f, (enum feed_skip)why, line.text, line.len);
	if (!feed_takes(f, FEED_SKIP_EXCEPTION))
		return feed_skip(f, FEED_SKIP_EXCEPTION, line.text, line.len);
	item->action = RULE_PASSTHRU;
	return feed_put(f);
}

static int filter(struct feed *f, struct feed_span line)
{
	static const struct feed_told alone = {.exact = true};
	struct feed_span s = line;
	bool except = take(&s, "@@"), anchored = take(&s, "||");
	const char *dollar = memrchr(s.text, '$', s.len);
	if (dollar) {
		const char *end = s.text + s.len;
		s.len = (size_t)(dollar - s.text);
		if (!options_are_whole(
			    (struct feed_span){dollar + 1, (size_t)(end - dollar - 1)}))
			return feed_skip(f, FEED_SKIP_PART, line.text, line.len);
	}
	feed_item_new(f);
	/* Without marks it is a line of a plain list, which such files may hold. */
	if (!anchored && !except && !dollar)
		return feed_put_word(f, s.text, s.len, &alone);
	if (!anchored || !cut_end(&s))
		return feed_skip(f, FEED_SKIP_URL, line.text, line.len);
	return except ? exception(f, s, line) : feed_put_word(f, s.text, s.len, NULL);
}

static int adblock_line(struct feed *f, const char *text, size_t len)
{
	struct feed_span line = feed_trim(text, len);
	const char *at = line.text, *end = at + line.len;
	struct addr a;
	if (line.len && is_cosmetic(line))
		return feed_skip(f, FEED_SKIP_PART, line.text, line.len);
	if (line.len == 0 || strchr("!#[", *line.text)) {
		f->out->ignored++;
		return 0;
	}
	struct feed_span word = feed_next_word(&at, end);
	if (at < end && addr_from_text(&a, word.text, word.len) == ERR_OK)
		return feed_parser_hosts.line(f, text, len);
	return filter(f, line);
}

const struct feed_parser feed_parser_adblock = {.line = adblock_line};
