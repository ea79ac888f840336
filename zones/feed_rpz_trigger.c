#include "include/name.h"
#include "zones/feed_parse.h"

/* Owners of policy zones: names as they are, and four other triggers as labels below
 * rpz-client-ip, rpz-ip, rpz-nsip and rpz-nsdname. An address stands there as its prefix
 * length, then its parts from the last to the first: "24.0.2.0.192.rpz-ip",
 * "48.zz.1.db8.2001.rpz-ip". Each has one spelling only: another one would be a rule that
 * its writer did not mean (RPZ draft 4.1.1). */

enum { PARTS_MAX = 9, WORDS = 8 };

static const char bad_length[] = "it begins with no prefix length";
static const char bad_parts[] = "IPv4 has a length and four numbers, IPv6 a length and "
				"eight or zz";
static const char bad_number[] = "a part is no number that an address can have there";
static const char bad_zz[] = "zz stands for the longest run of zeros, once";
static const char bad_bits[] = "bits are set behind the prefix length";
static const char bad_wildcard[] = "an address has no wildcard";

struct part {
	const char *text;
	unsigned len;
};

static bool is_zz(const struct part *p)
{
	return p->len == 2 && memcmp(p->text, "zz", 2) == 0;
}

/* A number without zeros in front, or -1. */
static long number(const struct part *p, unsigned base, long max)
{
	static const char digits[] = "0123456789abcdef";
	long v = 0;
	if (p->len == 0 || p->len > 4 || (p->len > 1 && p->text[0] == '0'))
		return -1;
	for (unsigned i = 0; i < p->len; i++) {
		const char *d = memchr(digits, p->text[i], base);
		if (!d)
			return -1;
		v = v * base + (d - digits);
	}
	return v > max ? -1 : v;
}

static const char *read_v4(struct addr *out, const struct part part[4])
{
	*out = (struct addr){.family = 4};
	for (int i = 0; i < 4; i++) {
		long v = number(&part[3 - i], 10, 255);
		if (v < 0)
			return bad_number;
		out->bytes[i] = (uint8_t)v;
	}
	return NULL;
}

/* The run of zeros that is written as zz: the first of the longest, RFC 5952 4.2. */
static int zero_run(int *start, const uint16_t word[WORDS])
{
	int best = 0;
	for (int i = 0; i < WORDS; i++) {
		int n = 0;
		while (i + n < WORDS && !word[i + n])
			n++;
		if (n > best)
			best = n, *start = i;
		i += n;
	}
	return best;
}

static const char *read_v6(struct addr *out, const struct part *part, int n)
{
	uint16_t word[WORDS] = {0};
	int at = 0, zz = -1, start = 0;
	for (int i = n - 1; i >= 0; i--) {
		if (is_zz(&part[i])) {
			if (zz >= 0)
				return bad_zz;
			zz = at;
			at += WORDS - (n - 1);
			continue;
		}
		long v = number(&part[i], 16, 0xffff);
		if (v < 0)
			return bad_number;
		word[at++] = (uint16_t)v;
	}
	if (at != WORDS)
		return bad_parts;
	int run = zero_run(&start, word);
	if (zz >= 0 ? start != zz || run != WORDS - (n - 1) || run < 2 : run > 1)
		return bad_zz;
	*out = (struct addr){.family = 6};
	for (int i = 0; i < WORDS; i++) {
		out->bytes[2 * i] = (uint8_t)(word[i] >> 8);
		out->bytes[2 * i + 1] = (uint8_t)word[i];
	}
	return NULL;
}

/* NULL, or what is wrong. name ends where zone begins. */
static const char *read_prefix(struct prefix *out, const uint8_t *name,
			       const uint8_t *zone)
{
	struct part part[PARTS_MAX];
	int n = 0;
	bool v6 = false;
	for (; name != zone; name = name_parent(name)) {
		if (n == PARTS_MAX)
			return bad_parts;
		part[n] = (struct part){(const char *)name + 1, *name};
		v6 |= is_zz(&part[n++]);
	}
	if (n == 0)
		return bad_length;
	if (part[0].len == 1 && part[0].text[0] == '*')
		return bad_wildcard;
	v6 |= n == PARTS_MAX;
	long bits = number(&part[0], 10, v6 ? 128 : 32);
	if (bits < 1)
		return bad_length;
	if (!v6 && n != 5)
		return bad_parts;
	struct addr a;
	const char *how = v6 ? read_v6(&a, part + 1, n - 1) : read_v4(&a, part + 1);
	if (how)
		return how;
	*out = prefix_of(&a, (unsigned)bits);
	return memcmp(out->addr.bytes, a.bytes, sizeof a.bytes) ? bad_bits : NULL;
}

/* A name that no list line may be about, unless forced. */
static int check_name(const uint8_t *name)
{
	static const uint8_t arpa[] = "\x04"
				      "arpa";
	if (name_labels(name) < 2)
		return FEED_SKIP_SINGLE;
	return name_within(name, arpa) ? FEED_SKIP_ARPA : FEED_WORD;
}

/* The name before end, with the kind of its wildcard form when it is one. */
static int take_name(struct blocklist_key *key, uint8_t *kind, const uint8_t *name,
		     const uint8_t *end, enum rule_kind exact, enum rule_kind wildcard)
{
	*kind = (uint8_t)exact;
	if (name != end && name[0] == 1 && name[1] == '*') {
		*kind = (uint8_t)wildcard;
		name = name_parent(name);
	}
	memcpy(key->name, name, (size_t)(end - name));
	key->name[end - name] = 0;
	return check_name(key->name);
}

static int take_prefix(struct blocklist_key *key, uint8_t *kind, const char **how,
		       const uint8_t *name, const uint8_t *end, unsigned use)
{
	*kind = (uint8_t)use;
	*how = read_prefix(&key->prefix, name, end);
	if (*how)
		return FEED_SKIP_ENCODING;
	int why = feed_prefix(&key->prefix);
	/* Subscribers have private addresses. */
	return use == RULE_ADDR_CLIENT && why == FEED_SKIP_RESERVED ? FEED_WORD : why;
}

int feed_rpz_trigger(struct blocklist_key *key, uint8_t *kind, const char **how,
		     const uint8_t *trigger)
{
	static const struct {
		const char *label;
		unsigned use; /* RULE_ADDR_*, 0: name of a server */
	} special[] = {
		{"\x0drpz-client-ip", RULE_ADDR_CLIENT},
		{"\x06rpz-ip", RULE_ADDR_ANSWER},
		{"\x08rpz-nsip", RULE_ADDR_SERVER},
		{"\x0brpz-nsdname", 0},
	};
	const uint8_t *last = trigger;
	memset(&key->prefix, 0, sizeof key->prefix);
	key->name[0] = 0;
	*how = NULL;
	while (*last && *name_parent(last))
		last = name_parent(last);
	if (*last <= 4 || memcmp(last + 1, "rpz-", 4) != 0)
		return take_name(key, kind, trigger, trigger + name_len(trigger) - 1,
				 RULE_EXACT, RULE_WILDCARD);
	for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
		if (!name_equal(last, (const uint8_t *)special[i].label))
			continue;
		if (special[i].use)
			return take_prefix(key, kind, how, trigger, last, special[i].use);
		return take_name(key, kind, trigger, last, RULE_NS_EXACT,
				 RULE_NS_WILDCARD);
	}
	return FEED_SKIP_TRIGGER;
}
