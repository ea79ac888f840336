#include <stdarg.h>

#include "resolver/conf_keys.h"

enum { SHOWN = 40 }; /* characters of a wrong value that an error repeats */

/* Where a value goes, and where the reason goes when it does not. */
struct setting {
	void *to; /* the struct that the field is in */
	const struct conf_key *key;
	const char *text;
	char *why;
	size_t size;
};

static int refuse(const struct setting *s, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct setting *s, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->why, s->size, fmt, ap);
	va_end(ap);
	return code;
}

void conf_wrong(char *why, size_t size, const struct conf_key *k, const char *text)
{
	char want[160];
	conf_describe(want, sizeof want, k);
	snprintf(why, size, "'%.*s' is not right here; give %s", SHOWN, text, want);
}

static int wrong(const struct setting *s)
{
	conf_wrong(s->why, s->size, s->key, s->text);
	return ERR_FORMAT;
}

static void *field(const struct setting *s)
{
	return (char *)s->to + s->key->at;
}

/* Fields of number-like types are 1, 2, 4 or 8 bytes; the range was checked. */
static void store(const struct setting *s, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;
	switch (s->key->size) {
	case sizeof v:
		memcpy(field(s), &v, sizeof v);
		break;
	case sizeof v32:
		memcpy(field(s), &v32, sizeof v32);
		break;
	case sizeof v16:
		memcpy(field(s), &v16, sizeof v16);
		break;
	default:
		*(uint8_t *)field(s) = (uint8_t)v;
	}
}

static int set_number(const struct setting *s)
{
	const struct conf_key *k = s->key;
	char range[80];
	uint64_t v = 0;
	int err = conf_number(&v, k, s->text);
	if (err == ERR_FORMAT)
		return wrong(s);
	conf_range(range, sizeof range, k);
	if (err || v < k->min || v > k->max)
		return refuse(s, ERR_INVAL, "'%.*s' is out of range; give %s", SHOWN,
			      s->text, range);
	store(s, v);
	return ERR_OK;
}

static int set_word(const struct setting *s, const struct conf_word *words)
{
	for (; words->text; words++) {
		if (!strcmp(s->text, words->text)) {
			store(s, words->value);
			return ERR_OK;
		}
	}
	return wrong(s);
}

static int set_bool(const struct setting *s)
{
	/* As YAML 1.1 and 1.2 and JSON write them. */
	static const struct conf_word words[] = {{"true", 1},  {"True", 1},  {"TRUE", 1},
						 {"yes", 1},   {"on", 1},    {"false", 0},
						 {"False", 0}, {"FALSE", 0}, {"no", 0},
						 {"off", 0},   {NULL, 0}};
	return set_word(s, words);
}

static int set_text(const struct setting *s)
{
	size_t len = strlen(s->text);
	if (len < s->key->min)
		return refuse(s, ERR_INVAL,
			      "the value is %s; give a text or leave the "
			      "key out",
			      len ? "too short" : "empty");
	if (len > s->key->max)
		return refuse(s, ERR_INVAL,
			      "%zu characters are too many; give at most %llu", len,
			      (unsigned long long)s->key->max);
	for (const char *p = s->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return refuse(s, ERR_FORMAT,
				      "a control character stands in the "
				      "value; remove it");
	memcpy(field(s), s->text, len + 1);
	return ERR_OK;
}

static int set_addr(const struct setting *s)
{
	struct addr a;
	uint8_t family = s->key->type == CONF_IPV4 ? 4 : 6;
	if (addr_from_text(&a, s->text, strlen(s->text)) || a.family != family)
		return wrong(s);
	memcpy(field(s), &a, sizeof a);
	return ERR_OK;
}

static int set_name(const struct setting *s)
{
	return name_from_str(field(s), s->text) ? wrong(s) : ERR_OK;
}

/* Lists have a mode for what else an action may be. */
static int set_action(const struct setting *s)
{
	static const char cname[] = "cname=";
	struct conf_action *a = field(s);
	int action = rule_action_from_text(s->text);
	if (!strncmp(s->text, cname, sizeof cname - 1)) {
		a->action = RULE_CNAME;
		if (name_from_str(a->garden, s->text + sizeof cname - 1) || !*a->garden)
			return wrong(s);
		return ERR_OK;
	}
	if (action == RULE_MONITOR || action == RULE_DISABLED)
		return refuse(s, ERR_INVAL, "that is a mode; give mode: %s", s->text);
	if (action < 0 || action == RULE_CNAME || action == RULE_LOCAL_DATA)
		return wrong(s);
	a->action = action;
	return ERR_OK;
}

int conf_value(void *to, const struct conf_key *k, const char *text, char *why,
	       size_t size)
{
	const struct setting s = {to, k, text, why, size};
	switch (k->type) {
	case CONF_BOOL:
		return set_bool(&s);
	case CONF_TEXT:
		return set_text(&s);
	case CONF_CHOICE:
		return set_word(&s, k->words);
	case CONF_IPV4:
	case CONF_IPV6:
		return set_addr(&s);
	case CONF_NAME:
		return set_name(&s);
	case CONF_ACTION:
		return set_action(&s);
	default:
		return set_number(&s);
	}
}

/* ---- sets of prefixes ---- */

/* By family and address, the wider one first. */
static int net_order(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int d = a->addr.family - b->addr.family;
	if (!d)
		d = memcmp(a->addr.bytes, b->addr.bytes, sizeof a->addr.bytes);
	return d ? d : a->bits - b->bits;
}

void conf_nets_settle(struct conf_nets *nets)
{
	int n = 0;
	if (nets->n)
		qsort(nets->net, (size_t)nets->n, sizeof *nets->net, net_order);
	for (int i = 0; i < nets->n; i++)
		if (n == 0 || !prefix_covers(&nets->net[n - 1], &nets->net[i].addr))
			nets->net[n++] = nets->net[i];
	nets->n = n;
}

/* With nothing inside another, only the last prefix at or before a can cover it. */
bool conf_nets_cover(const struct conf_nets *nets, const struct addr *a)
{
	struct prefix key = {.addr = *a, .bits = UINT8_MAX};
	int lo = 0, hi = nets->n;
	key.addr.port = 0;
	while (lo < hi) { /* that one is net[lo - 1] */
		int mid = lo + (hi - lo) / 2;
		if (net_order(&nets->net[mid], &key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && prefix_covers(&nets->net[lo - 1], a);
}
