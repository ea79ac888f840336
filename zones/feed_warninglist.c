#include "zones/feed_json.h"

/* MISP warning lists: what is known to be good. Each entry becomes a rule that lets it
 * through. How far an entry reaches is told by the list's type, which may stand behind
 * the entries: the input is read twice. */

struct warninglist {
	struct feed_json json; /* first */
	char type[16], name[BLOCKLIST_TEXT_MAX];
	bool found;
};

static int one_entry(struct feed *f, struct feed_span word)
{
	struct warninglist *w = f->state;
	const struct feed_told told = {.exact = strcmp(w->type, "string") == 0};
	w->found = true;
	if (!told.exact && strcmp(w->type, "hostname") != 0 &&
	    strcmp(w->type, "cidr") != 0)
		return feed_skip(f, FEED_SKIP_PATTERN, word.text, word.len);
	struct blocklist_item *item = feed_item_new(f);
	item->action = RULE_PASSTHRU;
	memcpy(item->entry.reason, w->name, sizeof w->name);
	return feed_put_word(f, word.text, word.len, &told);
}

static int on_value(struct feed *f, const char *path, struct feed_span value)
{
	struct warninglist *w = f->state;
	if (strcmp(path, "type") == 0)
		feed_json_copy(w->type, sizeof w->type, value);
	else if (strcmp(path, "name") == 0)
		feed_json_copy(w->name, sizeof w->name, value);
	else if (strcmp(path, "list") == 0)
		return one_entry(f, value);
	return 0;
}

static int warninglist_restart(struct feed *f)
{
	static const struct feed_json_reader reader = {.value = on_value};
	struct warninglist *w = f->state;
	return feed_json_open(&w->json, f, &reader);
}

static int warninglist_open(struct feed *f)
{
	f->state = calloc(1, sizeof(struct warninglist));
	return f->state ? warninglist_restart(f) : ERR_NOMEM;
}

static int warninglist_end(struct feed *f)
{
	const struct warninglist *w = f->state;
	int stop = feed_json_end(f);
	if (stop || (w->found && w->type[0]))
		return stop;
	return feed_json_wrong(f,
			       "this JSON is no warning list: it has no type or no list");
}

static void warninglist_close(struct feed *f)
{
	struct warninglist *w = f->state;
	feed_json_close(&w->json);
	free(w);
}

const struct feed_parser feed_parser_warninglist = {
	.twice = true,
	.open = warninglist_open,
	.restart = warninglist_restart,
	.bytes = feed_json_bytes,
	.end = warninglist_end,
	.close = warninglist_close,
};
