#include "zones/feed_parse.h"

/* hosts(5): an address and the names that have it. Only addresses that lead nowhere say
 * "blocked"; with another address the line is a mapping, and that is not done here. A
 * hosts file speaks of single names, so rules are exact. */

/* The file's entries for the machine itself. */
static bool is_own(struct feed_span word)
{
	static const char *const names[] = {
		"localhost",	  "localhost.localdomain", "local",
		"broadcasthost",  "ip6-localhost",	   "ip6-loopback",
		"ip6-localnet",	  "ip6-mcastprefix",	   "ip6-allnodes",
		"ip6-allrouters", "ip6-allhosts",	   "0.0.0.0",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (feed_span_is(word, names[i]))
			return true;
	return false;
}

static int one_name(struct feed *f, struct feed_span word)
{
	struct blocklist_item *item = feed_item_new(f);
	if (is_own(word))
		return feed_skip(f, FEED_SKIP_RESERVED, word.text, word.len);
	int why = feed_word(&item->key, &item->kind, word.text, word.len);
	if (why == FEED_WORD &&
	    (item->key.prefix.addr.family || item->kind != RULE_SUBTREE))
		why = FEED_SKIP_SYNTAX;
	if (why != FEED_WORD && !(why == FEED_SKIP_ARPA && feed_takes(f, why)))
		return feed_skip(f, (enum feed_skip)why, word.text, word.len);
	item->kind = RULE_EXACT;
	return feed_put(f);
}

static int hosts_line(struct feed *f, const char *text, size_t len)
{
	const char *hash = memchr(text, '#', len);
	struct feed_span line = feed_trim(text, hash ? (size_t)(hash - text) : len);
	const char *at = line.text, *end = at + line.len;
	struct feed_span word = feed_next_word(&at, end);
	struct addr a;
	if (word.len == 0) {
		f->out->ignored++;
		return 0;
	}
	/* "fe80::1%lo0 localhost" stands in the hosts file of one system. */
	const char *zone = memchr(word.text, '%', word.len);
	size_t addr_len = zone ? (size_t)(zone - word.text) : word.len;
	if (addr_from_text(&a, word.text, addr_len) != ERR_OK || at == end)
		return feed_skip(f, FEED_SKIP_SYNTAX, line.text, line.len);
	bool blocks = feed_addr_is_here(&a);
	while ((word = feed_next_word(&at, end)).len > 0) {
		int stop = blocks || is_own(word)
				   ? one_name(f, word)
				   : feed_skip(f, FEED_SKIP_ACTION, line.text, line.len);
		if (stop)
			return stop;
	}
	return 0;
}

const struct feed_parser feed_parser_hosts = {.line = hosts_line};
