#include "include/utf8.h"
#include "zones/feed_parse.h"

/* One name or address a line. "# Reference: ..." lines speak for the rules below them, up
 * to the next comment; a comment behind a rule is its reason. */

struct domains {
	char reference[BLOCKLIST_TEXT_MAX];
	bool in_comments; /* no rule since the last comment line */
};

static int domains_open(struct feed *f)
{
	f->state = calloc(1, sizeof(struct domains));
	return f->state ? ERR_OK : ERR_NOMEM;
}

static void domains_close(struct feed *f)
{
	free(f->state);
}

/* "Reference: TEXT" and its like. */
static bool is_reference(struct feed_span *text)
{
	static const char *const words[] = {"reference", "references", "ref", "source"};
	const char *colon = memchr(text->text, ':', text->len);
	if (!colon)
		return false;
	struct feed_span word = feed_trim(text->text, (size_t)(colon - text->text));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (feed_span_is(word, words[i])) {
			const char *end = text->text + text->len;
			*text = feed_trim(colon + 1, (size_t)(end - colon - 1));
			return true;
		}
	return false;
}

static void comment_line(struct domains *d, struct feed_span text)
{
	if (!d->in_comments)
		d->reference[0] = 0;
	d->in_comments = true;
	if (!is_reference(&text) || text.len == 0)
		return;
	size_t have = strlen(d->reference);
	/* Several references in a row: as many as fit, none of them cut. */
	if (have && have + 1 + text.len >= sizeof d->reference)
		return;
	if (have)
		d->reference[have++] = ' ';
	utf8_clean(d->reference + have, sizeof d->reference - have, text.text, text.len);
}

/* Length of the comment mark at p, 0 for none. */
static size_t comment_mark(const char *p, size_t left)
{
	if (*p == '#' || *p == ';')
		return 1;
	return left >= 2 && p[0] == '/' && p[1] == '/' ? 2 : 0;
}

/* Splits line at a comment mark that starts it or follows white space: a mark inside a
 * word is part of a URL. */
static struct feed_span cut_comment(struct feed_span *line)
{
	const char *p = line->text, *end = p + line->len;
	for (; p < end; p++) {
		size_t mark = comment_mark(p, (size_t)(end - p));
		if (!mark || (p > line->text && !feed_is_space(p[-1])))
			continue;
		struct feed_span c = feed_trim(p + mark, (size_t)(end - p) - mark);
		*line = feed_trim(line->text, (size_t)(p - line->text));
		return c;
	}
	return (struct feed_span){end, 0};
}

static int domains_line(struct feed *f, const char *text, size_t len)
{
	struct domains *d = f->state;
	struct feed_span line = feed_trim(text, len);
	if (line.len == 0) {
		f->out->ignored++;
		return 0;
	}
	struct feed_span comment = cut_comment(&line);
	if (line.len == 0) {
		f->out->ignored++;
		comment_line(d, comment);
		return 0;
	}
	d->in_comments = false;
	struct blocklist_entry *e = &feed_item_new(f)->entry;
	strcpy(e->reference, d->reference);
	utf8_clean(e->reason, sizeof e->reason, comment.text, comment.len);
	return feed_put_word(f, line.text, line.len, NULL);
}

const struct feed_parser feed_parser_domains = {
	.open = domains_open,
	.line = domains_line,
	.close = domains_close,
};
