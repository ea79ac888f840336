#include "zones/feed_stix.h"

/* A list of alternatives needs no tree: between terms only OR may stand, so brackets and
 * parentheses have to match and mean nothing more. Whatever combines or narrows (AND,
 * NOT, FOLLOWEDBY, qualifiers) makes the pattern more than a list of names. */

struct scan {
	const char *at, *end;
	stix_term_fn *each; /* NULL: only looks whether all is well */
	void *arg;
	int stop;
	char value[STIX_VALUE_MAX];
};

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (feed_is_space(*s->at) || *s->at == '\n'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* A run of characters that end neither a path nor an operator. */
static struct feed_span take_word(struct scan *s)
{
	skip_space(s);
	const char *start = s->at;
	bool sign = s->at < s->end && strchr("=!<>", *s->at);
	for (; s->at < s->end && *s->at && !feed_is_space(*s->at) && *s->at != '\n';
	     s->at++) {
		bool is_sign = strchr("=!<>", *s->at) != NULL;
		/* Steps of a path may be indexed and quoted: a['b'][*].c */
		if (is_sign != sign || strchr("()", *s->at) ||
		    (*s->at == ']' && !memchr(start, '[', (size_t)(s->at - start))) ||
		    (sign && *s->at == '\'') || (*s->at == '[' && s->at == start))
			break;
	}
	return (struct feed_span){start, (size_t)(s->at - start)};
}

/* 'text' with \' and \\ in it, into s->value; longer ones are cut, and are then no
 * names. */
static bool take_text(struct scan *s, struct feed_span *out)
{
	size_t n = 0;
	if (!take(s, '\''))
		return false;
	while (s->at < s->end && *s->at != '\'') {
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		if (n < sizeof s->value)
			s->value[n++] = *s->at;
		s->at++;
	}
	*out = (struct feed_span){s->value, n};
	return s->at < s->end && *s->at++ == '\'';
}

/* A number, a time, a hash: no name is one of these. */
static bool take_other(struct scan *s, struct feed_span *out)
{
	skip_space(s);
	const char *start = s->at;
	while (s->at < s->end && !feed_is_space(*s->at) && !strchr("])(,\n", *s->at))
		s->at++;
	*out = (struct feed_span){start, (size_t)(s->at - start)};
	return out->len > 0;
}

static bool take_value(struct scan *s, struct stix_term *t)
{
	skip_space(s);
	bool text = s->at < s->end && *s->at == '\'';
	if (!(text ? take_text(s, &t->value) : take_other(s, &t->value)))
		return false;
	if (s->each && !s->stop)
		s->stop = s->each(s->arg, t);
	return true;
}

/* OBJECT:PATH OPERATOR VALUE. */
static int take_term(struct scan *s)
{
	struct stix_term t = {0};
	t.object = take_word(s);
	if (feed_span_is(t.object, "not"))
		return FEED_SKIP_PATTERN;
	t.op = take_word(s);
	if (feed_span_is(t.op, "not"))
		return FEED_SKIP_PATTERN;
	if (!memchr(t.object.text, ':', t.object.len) || !t.op.len)
		return FEED_SKIP_SYNTAX;
	if (!feed_span_is(t.op, "in"))
		return take_value(s, &t) ? FEED_WORD : FEED_SKIP_SYNTAX;
	bool good = take(s, '(') && take_value(s, &t);
	while (good && take(s, ','))
		good = take_value(s, &t);
	return good && take(s, ')') ? FEED_WORD : FEED_SKIP_SYNTAX;
}

/* What stands before a term, in any nesting. */
struct nesting {
	bool bracket;
	unsigned outer, inner; /* parentheses outside and inside of it */
};

static void open_nesting(struct scan *s, struct nesting *n)
{
	for (;;) {
		if (take(s, '('))
			*(n->bracket ? &n->inner : &n->outer) += 1;
		else if (!n->bracket && take(s, '['))
			n->bracket = true;
		else
			return;
	}
}

/* False when something is closed that was not open. */
static bool close_nesting(struct scan *s, struct nesting *n)
{
	for (;;) {
		unsigned *open = n->bracket ? &n->inner : &n->outer;
		if (take(s, ')')) {
			if (!*open)
				return false;
			--*open;
		} else if (take(s, ']')) {
			if (!n->bracket || n->inner)
				return false;
			n->bracket = false;
		} else {
			return true;
		}
	}
}

static int scan(struct scan *s)
{
	struct nesting n = {0};
	for (;;) {
		open_nesting(s, &n);
		int why = n.bracket ? take_term(s) : FEED_SKIP_SYNTAX;
		if (why != FEED_WORD)
			return why;
		if (!close_nesting(s, &n))
			return FEED_SKIP_SYNTAX;
		struct feed_span word = take_word(s);
		if (!word.len && s->at == s->end)
			return n.bracket || n.outer ? FEED_SKIP_SYNTAX : FEED_WORD;
		/* AND, FOLLOWEDBY, or a qualifier such as WITHIN and REPEATS */
		if (!feed_span_is(word, "or"))
			return word.len ? FEED_SKIP_PATTERN : FEED_SKIP_SYNTAX;
	}
}

int feed_stix_pattern(struct feed_span pattern, stix_term_fn *each, void *arg, int *stop)
{
	struct scan s = {.at = pattern.text, .end = pattern.text + pattern.len};
	*stop = 0;
	int why = scan(&s);
	if (why != FEED_WORD)
		return why;
	s.at = pattern.text;
	s.each = each;
	s.arg = arg;
	why = scan(&s);
	*stop = s.stop;
	return why;
}
