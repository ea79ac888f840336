#include <idn2.h>

#include "zones/feed_parse.h"

/* One word of a list: a name, an address, or the reason why it is neither. The order of
 * the tests matters: a URL may hold a valid name and a valid port. */

struct feed_span feed_trim(const char *text, size_t len)
{
	while (len && feed_is_space(*text))
		text++, len--;
	while (len && feed_is_space(text[len - 1]))
		len--;
	return (struct feed_span){text, len};
}

struct feed_span feed_next_word(const char **at, const char *end)
{
	const char *p = *at;
	while (p < end && feed_is_space(*p))
		p++;
	struct feed_span s = {p, 0};
	while (p < end && !feed_is_space(*p))
		p++;
	s.len = (size_t)(p - s.text);
	*at = p;
	return s;
}

bool feed_span_is(struct feed_span s, const char *lower)
{
	for (size_t i = 0; i < s.len; i++)
		if (!lower[i] || name_lower_byte((uint8_t)s.text[i]) != (uint8_t)lower[i])
			return false;
	return !lower[s.len];
}

static bool only(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= '0' && text[i] <= '9') &&
		    (!text[i] || !strchr(more, text[i])))
			return false;
	return len > 0;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* ---- addresses ---- */

bool feed_addr_is_here(const struct addr *a)
{
	static const uint8_t zero[16];
	if (a->family == 4)
		return a->bytes[0] == 0 || a->bytes[0] == 127;
	return memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] <= 1;
}

/* Addresses that no host on the Internet has: a rule for one would hit every network's
 * own hosts. Documentation prefixes are left to examples and tests. RFC 6890, 8190. */
static bool is_reserved(const struct prefix *p, bool all_of_it)
{
	static const struct prefix nets[] = {
		{{.family = 4, .bytes = {0}}, 8},
		{{.family = 4, .bytes = {10}}, 8},
		{{.family = 4, .bytes = {100, 64}}, 10},
		{{.family = 4, .bytes = {127}}, 8},
		{{.family = 4, .bytes = {169, 254}}, 16},
		{{.family = 4, .bytes = {172, 16}}, 12},
		{{.family = 4, .bytes = {192, 168}}, 16},
		{{.family = 4, .bytes = {224}}, 3}, /* multicast, future use */
		{{.family = 6, .bytes = {0}}, 127}, /* any, this host */
		{{.family = 6, .bytes = {0xfc}}, 7},
		{{.family = 6, .bytes = {0xfe, 0x80}}, 10},
		{{.family = 6, .bytes = {0xff}}, 8},
	};
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		if (prefix_overlaps(&nets[i], p) &&
		    (!all_of_it || nets[i].bits <= p->bits))
			return true;
	return false;
}

/* Questions are asked about the inner IPv4 address of such a prefix, addr_unmap(). */
static struct prefix unmap(const struct prefix *p)
{
	struct addr inner = addr_unmap(&p->addr);
	unsigned outer = p->addr.bytes[0] == 0x20 ? 16 : 96;
	if (p->addr.family == 4 || inner.family == 6 || p->bits < outer)
		return *p;
	unsigned bits = p->bits - outer;
	return prefix_of(&inner, bits > 32 ? 32 : bits);
}

int feed_prefix(struct prefix *p)
{
	*p = unmap(p);
	if (is_reserved(p, true))
		return FEED_SKIP_RESERVED;
	if (p->bits < (p->addr.family == 4 ? FEED_WIDE_4 : FEED_WIDE_6))
		return FEED_SKIP_WIDE;
	return is_reserved(p, false) ? FEED_SKIP_RESERVED : FEED_WORD;
}

static int read_prefix(struct blocklist_key *key, uint8_t *kind, const struct prefix *p)
{
	key->prefix = *p;
	*kind = RULE_ADDR_ANSWER | RULE_ADDR_SERVER;
	return feed_prefix(&key->prefix);
}

/* ---- names ---- */

static bool is_own_name(const uint8_t *name)
{
	static const uint8_t localdomain[] = "\x0blocaldomain";
	static const uint8_t localhost[] = "\x09localhost";
	const uint8_t *last = name;
	while (*name_parent(last))
		last = name_parent(last);
	return name_equal(last, localhost) || name_equal(last, localdomain);
}

/* A last label of digits only belongs to a mistyped address (RFC 3696 2). */
static bool ends_in_number(const char *text, size_t len)
{
	size_t n = len;
	if (n && text[n - 1] == '.')
		n--;
	size_t end = n;
	while (n && text[n - 1] != '.')
		n--;
	return only(text + n, end - n, "");
}

static bool has_more_than_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return true;
	return false;
}

/* UTS 46 as browsers apply it; NULL when it allows no name. */
static char *idn_to_ascii(const char *text, size_t len)
{
	char utf8[DNS_NAME_TEXT_MAX], *ascii = NULL;
	if (len >= sizeof utf8 || memchr(text, 0, len))
		return NULL;
	memcpy(utf8, text, len);
	utf8[len] = 0;
	return idn2_to_ascii_8z(utf8, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK ? ascii
									       : NULL;
}

static int read_name(struct blocklist_key *key, uint8_t *kind, const char *text,
		     size_t len)
{
	static const uint8_t arpa[] = "\x04"
				      "arpa";
	*kind = RULE_SUBTREE;
	if (text[0] == '*' && (len == 1 || text[1] == '.')) {
		*kind = RULE_WILDCARD;
		text = len <= 2 ? "." : text + 2;
		len = len <= 2 ? 1 : len - 2;
	} else if (len > 1 && text[0] == '.') {
		text++, len--;
	}
	char *ascii = NULL;
	int err = ERR_OK;
	if (has_more_than_ascii(text, len)) {
		ascii = idn_to_ascii(text, len);
		if (!ascii)
			return FEED_SKIP_IDN;
		text = ascii;
		len = strlen(ascii);
		if (ends_in_number(text, len)) /* digits of other scripts */
			err = ERR_FORMAT;
	}
	for (size_t i = 0; i < len && !err; i++)
		err = is_name_char(text[i]) ? ERR_OK : ERR_FORMAT;
	if (!err)
		err = name_from_text(key->name, text, len);
	idn2_free(ascii);
	if (err)
		return err == ERR_RANGE ? FEED_SKIP_NAME_LONG : FEED_SKIP_SYNTAX;
	if (name_labels(key->name) < 2)
		return FEED_SKIP_SINGLE;
	if (name_within(key->name, arpa))
		return FEED_SKIP_ARPA;
	return is_own_name(key->name) ? FEED_SKIP_RESERVED : FEED_WORD;
}

/* ---- the word ---- */

/* A word with a slash: a prefix, or something of the web. */
static int read_slashed(struct blocklist_key *key, uint8_t *kind, const char *text,
			size_t len)
{
	const char *slash = memchr(text, '/', len);
	struct prefix p;
	if (prefix_from_text(&p, text, len) == ERR_OK)
		return read_prefix(key, kind, &p);
	struct addr a;
	bool address = addr_from_text(&a, text, (size_t)(slash - text)) == ERR_OK;
	/* Host bits set, or too many bits: neither is made to fit. */
	if (address && only(slash + 1, (size_t)(text + len - slash - 1), ""))
		return FEED_SKIP_SYNTAX;
	return FEED_SKIP_URL;
}

/* "ADDRESS:PORT" or "[ADDRESS]:PORT"; the address is kept for who wants it. */
static int read_port(struct blocklist_key *key, uint8_t *kind, const char *text,
		     size_t len)
{
	struct prefix p;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		text++, len -= 2;
	if (prefix_from_text(&p, text, len) != ERR_OK)
		return FEED_SKIP_PORT;
	int why = read_prefix(key, kind, &p);
	*kind = RULE_ADDR_SERVER;
	return why == FEED_WORD ? FEED_SKIP_PORT : why;
}

static int read_coloned(struct blocklist_key *key, uint8_t *kind, const char *text,
			size_t len)
{
	const char *colon =
		text[0] == '[' ? memrchr(text, ':', len) : memchr(text, ':', len);
	const char *behind = colon ? colon + 1 : text + len;
	if (only(behind, (size_t)(text + len - behind), ":"))
		return read_port(key, kind, text, (size_t)(colon - text));
	return memmem(text, len, "://", 3) ? FEED_SKIP_URL : FEED_SKIP_SYNTAX;
}

int feed_word(struct blocklist_key *key, uint8_t *kind, const char *text, size_t len)
{
	struct prefix p;
	memset(&key->prefix, 0, sizeof key->prefix);
	key->name[0] = 0;
	*kind = RULE_SUBTREE;
	if (memchr(text, '/', len))
		return read_slashed(key, kind, text, len);
	if (len &&
	    (text[0] == '[' || memchr(text, ':', len) || ends_in_number(text, len))) {
		if (prefix_from_text(&p, text, len) == ERR_OK)
			return read_prefix(key, kind, &p);
		return memchr(text, ':', len) ? read_coloned(key, kind, text, len)
					      : FEED_SKIP_SYNTAX;
	}
	if (memchr(text, '?', len))
		return FEED_SKIP_URL;
	return len ? read_name(key, kind, text, len) : FEED_SKIP_SYNTAX;
}

bool feed_skip_forcible(enum feed_skip s)
{
	switch (s) {
	case FEED_SKIP_SINGLE:
	case FEED_SKIP_RESERVED:
	case FEED_SKIP_ARPA:
	case FEED_SKIP_WIDE:
	case FEED_SKIP_EXCEPTION:
	case FEED_SKIP_SUFFIX:
	case FEED_SKIP_PRIVATE:
	case FEED_SKIP_OWN:
	case FEED_SKIP_NEVER:
	case FEED_SKIP_POPULAR:
		return true;
	default:
		return false;
	}
}
