#include "zones/feed_json.h"

/* What "export --format json" of ours writes, an object a rule; see feed.h for the keys.
 * They come in any order, so a rule is collected and handed out where its object ends. */

enum { DATA_MAX = 8 * BLOCKLIST_DATA_MAX }; /* text, "\DDD" for each byte and more */

struct rules {
	struct feed_json json; /* first */
	char list[HIT_LIST_MAX];
	bool found; /* an object */
	/* the object at hand; the rest of it is in the feed's item */
	uint64_t line;
	bool wrong; /* a value that is not understood */
	char rule[DNS_NAME_TEXT_MAX + PREFIX_TEXT_MAX], kind[24], action[16];
	size_t data_len;
	char data[DATA_MAX];
};

static int on_open(struct feed *f, const char *path)
{
	struct rules *r = f->state;
	if (*path)
		return 0;
	feed_item_new(f);
	r->found = true;
	r->line = f->line;
	r->wrong = false;
	r->rule[0] = r->kind[0] = r->action[0] = 0;
	r->data_len = 0;
	return 0;
}

/* Rules of a list that lets through would block in another. */
static int one_list(struct feed *f, struct feed_span value)
{
	struct rules *r = f->state;
	char list[HIT_LIST_MAX];
	feed_json_copy(list, sizeof list, value);
	if (!r->list[0])
		memcpy(r->list, list, sizeof list);
	if (strcmp(r->list, list) == 0)
		return 0;
	return feed_json_wrong(f, "this holds rules of several lists: export each by "
				  "itself, with --list NAME");
}

static bool keep_text(struct feed *f, const char *key, struct feed_span value)
{
	struct rules *r = f->state;
	struct blocklist_entry *e = &f->item.entry;
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {
		{"rule", r->rule, sizeof r->rule},
		{"kind", r->kind, sizeof r->kind},
		{"action", r->action, sizeof r->action},
		{"family", e->family, sizeof e->family},
		{"category", e->category, sizeof e->category},
		{"reason", e->reason, sizeof e->reason},
		{"reference", e->reference, sizeof e->reference},
		{"authority", e->authority, sizeof e->authority},
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(key, texts[i].key) == 0) {
			feed_json_copy(texts[i].to, texts[i].size, value);
			return true;
		}
	return false;
}

static bool keep_time(struct feed *f, const char *key, struct feed_span value)
{
	struct rules *r = f->state;
	uint32_t *to = strcmp(key, "starts") == 0	  ? &f->item.starts
		       : strcmp(key, "expires") == 0	  ? &f->item.expires
		       : strcmp(key, "first_listed") == 0 ? &f->item.entry.first_listed
							  : NULL;
	if (!to)
		return false;
	*to = feed_time(value);
	r->wrong = r->wrong || !*to;
	return true;
}

static int on_value(struct feed *f, const char *path, struct feed_span value)
{
	struct rules *r = f->state;
	if (keep_text(f, path, value) || keep_time(f, path, value))
		return 0;
	if (strcmp(path, "list") == 0)
		return one_list(f, value);
	if (strcmp(path, "confidence") == 0) {
		f->item.entry.confidence = feed_confidence(value);
		r->wrong = r->wrong || f->item.entry.confidence > 100;
	} else if (strcmp(path, "data") == 0) {
		r->data_len = value.len;
		memcpy(r->data, value.text, value.len < DATA_MAX ? value.len : DATA_MAX);
	}
	return 0;
}

static int on_close(struct feed *f, const char *path)
{
	struct rules *r = f->state;
	struct blocklist_item *item = &f->item;
	struct feed_told told;
	size_t len = strlen(r->rule);
	if (*path)
		return 0;
	f->line = r->line;
	item->entry.expires = item->expires;
	if (r->data_len > DATA_MAX)
		return feed_skip(f, FEED_SKIP_TOO_LONG, r->rule, len);
	if (r->wrong ||
	    !feed_rule(item, &told, (struct feed_span){r->kind, strlen(r->kind)},
		       (struct feed_span){r->action, strlen(r->action)},
		       (struct feed_span){r->data, r->data_len}))
		return feed_skip(f, FEED_SKIP_SYNTAX, r->rule, len);
	return feed_put_word(f, r->rule, len, &told);
}

static int rules_open(struct feed *f)
{
	static const struct feed_json_reader reader = {
		.open = on_open, .close = on_close, .value = on_value, .many = true};
	struct rules *r = f->state = calloc(1, sizeof *r);
	return r ? feed_json_open(&r->json, f, &reader) : ERR_NOMEM;
}

static int rules_end(struct feed *f)
{
	const struct rules *r = f->state;
	int stop = feed_json_end(f);
	if (stop || r->found)
		return stop;
	return feed_json_wrong(f, "this JSON holds no rules");
}

static void rules_close(struct feed *f)
{
	struct rules *r = f->state;
	feed_json_close(&r->json);
	free(r);
}

const struct feed_parser feed_parser_rules = {
	.open = rules_open,
	.bytes = feed_json_bytes,
	.end = rules_end,
	.close = rules_close,
};
