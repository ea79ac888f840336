#include <stdlib.h>

#include "include/feed.h"
#include "include/utf8.h"

/* A list of any format: the first byte chooses format and options, the rest is the file.
 * Whatever comes out must be a rule that the store may hold. */

struct seen {
	uint64_t items, skips[FEED_SKIP_N], last_line;
	bool force;
};

static void must(bool true_thing)
{
	if (!true_thing)
		abort();
}

static void check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	must(n < size);
	for (size_t i = 0; i < n;) {
		size_t step = utf8_len((const uint8_t *)text + i, n - i);
		must(step > 0);
		i += step;
	}
}

static void check_name(const uint8_t *name)
{
	size_t at = 0;
	while (name[at]) {
		must(name[at] <= DNS_LABEL_MAX && at + name[at] + 1U < DNS_NAME_MAX);
		for (unsigned i = 1; i <= name[at]; i++)
			must(name_lower_byte(name[at + i]) == name[at + i]);
		at += name[at] + 1U;
	}
}

static int on_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct seen *s = arg;
	const struct prefix *p = &item->key.prefix;
	must(line > 0);
	s->last_line = line;
	if (p->addr.family) {
		must(p->addr.family == 4 || p->addr.family == 6);
		must(p->bits <= 8 * addr_len(&p->addr) && p->addr.port == 0);
		struct prefix again = prefix_of(&p->addr, p->bits);
		must(memcmp(again.addr.bytes, p->addr.bytes, sizeof again.addr.bytes) ==
		     0);
		must(item->kind > 0 &&
		     item->kind <=
			     (RULE_ADDR_CLIENT | RULE_ADDR_ANSWER | RULE_ADDR_SERVER));
	} else {
		check_name(item->key.name);
		must(item->kind < RULE_KIND_N);
		/* No line of its own may stand for a TLD. */
		must(s->force || name_labels(item->key.name) > 1);
		must(!rule_kind_is_marker(item->kind));
	}
	must(!item->in_zone || !p->addr.family);
	s->items++;
	must(item->action < RULE_ACTION_N && item->action != RULE_DISABLED);
	const struct blocklist_entry *e = &item->entry;
	must(blocklist_data_fits(item->action, e->data.bytes, e->data.len));
	must(e->confidence <= 100 || e->confidence == 255);
	check_text(e->family, sizeof e->family);
	check_text(e->category, sizeof e->category);
	check_text(e->reason, sizeof e->reason);
	check_text(e->reference, sizeof e->reference);
	check_text(e->authority, sizeof e->authority);
	return 0;
}

static int on_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	struct seen *s = arg;
	must((unsigned)why < FEED_SKIP_N && line > 0);
	check_text(text, FEED_TEXT_MAX);
	s->skips[why]++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {0};
	struct feed_result r;
	struct feed_callbacks cb = {.item = on_item, .skip = on_skip, .arg = &seen};
	if (size == 0)
		return 0;
	struct feed_options o = {
		.format = (enum feed_format)((data[0] & 0x0f) % FEED_FORMAT_N),
		.exact = data[0] & 0x10,
		.ports = data[0] & 0x10,
		.columns = data[0] & 0x10 ? "name=x,expires=y" : NULL,
		.now = data[0] & 0x80 ? 1767323045 : 0,
		.force = data[0] & 0x20 ? ~0U : 0,
		.origin = data[0] & 0x40 ? "rpz.example" : NULL,
		.family = data[0] & 0x80 ? "family" : NULL,
	};
	seen.force = o.force;
	int err = feed_read_memory(&r, (const char *)data + 1, size - 1, &o, &cb);
	must(err == ERR_OK || err == ERR_FORMAT || err == ERR_NOMEM);
	must((err == ERR_FORMAT) == (r.error[0] != 0));
	must(r.items == seen.items && seen.last_line <= r.lines);
	must(memcmp(r.skipped, seen.skips, sizeof seen.skips) == 0);
	return 0;
}
