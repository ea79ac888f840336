/* feed_lab.h: reading a list from memory and telling as text what came of it, for the
 * unit programs of the formats. */
#ifndef SINKHOLED_TESTS_UNIT_FEED_LAB_H
#define SINKHOLED_TESTS_UNIT_FEED_LAB_H

#include <stdarg.h>
#include <stdio.h>

#include "include/feed.h"
#include "tests/unit/unit.h"

/* What a read handed out, as text: "LINE kind name action" for each rule and "LINE
 * !reason" for each line left out, separated by "; ". */
struct transcript {
	char text[16384];
	size_t len;
	struct blocklist_item last;
	int stop_at; /* item that says stop; 0 = none */
	int items;
};

static void add(struct transcript *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct transcript *t, const char *format, ...)
{
	va_list args;
	if (t->len)
		t->len +=
			(size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "; ");
	va_start(args, format);
	t->len += (size_t)vsnprintf(t->text + t->len, sizeof t->text - t->len, format,
				    args);
	va_end(args);
	ck_assert_uint_lt(t->len, sizeof t->text);
}

/* "TYPE TTL HEX" for each record. */
static void add_data(struct transcript *t, const struct blocklist_data *d)
{
	struct blocklist_rr rr;
	for (size_t at = 0; blocklist_data_next(d, &at, &rr);) {
		add(t, "%u %u ", rr.type, rr.ttl);
		for (int i = 0; i < rr.len; i++)
			t->len += (size_t)sprintf(t->text + t->len, "%02x", rr.rdata[i]);
	}
}

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct transcript *t = arg;
	char name[DNS_NAME_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
	static const char *const kinds[] = {"exact",	"subtree",     "wildcard", "ent",
					    "ns-exact", "ns-wildcard", "ns-ent"};
	t->last = *item;
	if (item->key.prefix.addr.family)
		add(t, "%d %s %s", (int)line, rule_use_text(item->kind),
		    prefix_to_text(prefix, &item->key.prefix));
	else
		add(t, "%d %s %s", (int)line, kinds[item->kind],
		    name_to_text(name, item->key.name));
	if (item->action != RULE_GIVEN)
		add(t, "%s", rule_action_text((enum rule_action)item->action));
	add_data(t, &item->entry.data);
	return ++t->items == t->stop_at ? ERR_STOPPED : 0;
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	(void)text;
	add(arg, "%d !%s", (int)line, feed_skip_key(why));
	return 0;
}

static struct transcript seen;
static struct feed_result result;

static inline int read_bytes(const char *data, size_t len, struct feed_options options)
{
	struct feed_callbacks cb = {.item = on_item, .skip = on_skip, .arg = &seen};
	memset(&seen, 0, sizeof seen);
	return feed_read_memory(&result, data, len, &options, &cb);
}

static inline int read_as(const char *text, enum feed_format format)
{
	return read_bytes(text, strlen(text), (struct feed_options){.format = format});
}

static inline void expect_with(const char *text, struct feed_options options,
			       const char *want)
{
	ck_assert_msg(read_bytes(text, strlen(text), options) == ERR_OK, "%s: %s", text,
		      result.error);
	ck_assert_msg(strcmp(seen.text, want) == 0, "%s\n got: %s\nwant: %s", text,
		      seen.text, want);
}

static inline void expect(const char *text, enum feed_format format, const char *want)
{
	expect_with(text, (struct feed_options){.format = format}, want);
}

#endif
