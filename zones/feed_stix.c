#include "zones/feed_stix.h"
#include "include/hash.h"
#include "include/tlp.h"
#include "zones/feed_json.h"

/* STIX 2.1 bundles: the indicators in them. An object's keys come in any order, so it is
 * collected and judged where it ends. What an export of ours adds to an indicator stands
 * in an extension (STIX 2.1 7.3) that others may ignore. */

enum {
	PATTERN_MAX = 65536, /* thousands of names; patterns of feeds have one */
	ID_MAX = 128,	     /* type, "--" and a UUID */
	IDENTITIES = 256,    /* authors whose names are known; feeds have one */
};

struct identity {
	uint64_t id; /* its hash */
	char name[64];
};

struct stix {
	struct feed_json json; /* first */
	bool bundle;	       /* there were objects */
	/* the object at hand */
	uint64_t line;
	char type[32], id[ID_MAX], created_by[ID_MAX], name[BLOCKLIST_TEXT_MAX];
	char description[BLOCKLIST_TEXT_MAX], category[BLOCKLIST_WORD_MAX];
	char family[BLOCKLIST_WORD_MAX], reference[BLOCKLIST_TEXT_MAX];
	char authority[BLOCKLIST_TEXT_MAX];
	char kind[24], action[16], pattern_type[16];
	uint8_t confidence;
	uint32_t created, from, until;
	bool revoked;
	enum tlp tlp;
	size_t pattern_len, data_len;
	char source[BLOCKLIST_TEXT_MAX]; /* of an external reference at hand */
	char pattern[PATTERN_MAX], data[8 * BLOCKLIST_DATA_MAX];
	struct identity identity[IDENTITIES];
};

/* ---- collecting ---- */

static int on_open(struct feed *f, const char *path)
{
	struct stix *x = f->state;
	if (strcmp(path, "objects/external_references") == 0)
		x->source[0] = 0;
	if (strcmp(path, "objects") != 0)
		return 0;
	x->bundle = true;
	x->line = f->line;
	x->type[0] = x->id[0] = x->created_by[0] = x->name[0] = x->description[0] = 0;
	x->category[0] = x->family[0] = x->reference[0] = 0;
	x->kind[0] = x->action[0] = x->pattern_type[0] = x->authority[0] = 0;
	x->confidence = 255;
	x->created = x->from = x->until = 0;
	x->revoked = false;
	x->tlp = TLP_NONE;
	x->pattern_len = x->data_len = 0;
	return 0;
}

struct field {
	const char *path;
	size_t offset, size;
};
#define FIELD(path, member)                                                           \
	{                                                                             \
		path, offsetof(struct stix, member), sizeof((struct stix *)0)->member \
	}
#define OURS "objects/extensions/" FEED_STIX_EXTENSION "/"

static bool keep_text(struct stix *x, const char *path, struct feed_span value)
{
	static const struct field fields[] = {
		FIELD("objects/type", type),
		FIELD("objects/id", id),
		FIELD("objects/created_by_ref", created_by),
		FIELD("objects/name", name),
		FIELD("objects/description", description),
		FIELD("objects/pattern_type", pattern_type),
		FIELD("objects/external_references/url", source),
		FIELD(OURS "rule_kind", kind),
		FIELD(OURS "rule_action", action),
		FIELD(OURS "family", family),
		FIELD(OURS "authority", authority),
	};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (strcmp(path, fields[i].path) == 0) {
			feed_json_copy((char *)x + fields[i].offset, fields[i].size,
				       value);
			return true;
		}
	return false;
}

/* The length of a longer text; one byte more than there is room for when it is cut. */
static size_t keep_long(char *out, size_t size, struct feed_span value)
{
	memcpy(out, value.text, value.len < size ? value.len : size);
	return value.len < size ? value.len : size + 1;
}

static void append_word(char *out, size_t size, struct feed_span value)
{
	char text[BLOCKLIST_WORD_MAX];
	feed_json_copy(text, sizeof text, value);
	feed_json_append(out, size, text);
}

static int on_value(struct feed *f, const char *path, struct feed_span value)
{
	struct stix *x = f->state;
	if (keep_text(x, path, value))
		return 0;
	if (strcmp(path, "objects/pattern") == 0) {
		x->pattern_len = keep_long(x->pattern, sizeof x->pattern, value);
	} else if (strcmp(path, "objects/valid_from") == 0) {
		x->from = feed_time(value);
	} else if (strcmp(path, "objects/valid_until") == 0) {
		x->until = feed_time(value);
	} else if (strcmp(path, "objects/created") == 0) {
		x->created = feed_time(value);
	} else if (strcmp(path, "objects/confidence") == 0) {
		x->confidence = feed_confidence(value);
	} else if (strcmp(path, "objects/revoked") == 0) {
		x->revoked = feed_json_true(value);
	} else if (strcmp(path, "objects/indicator_types") == 0) {
		append_word(x->category, sizeof x->category, value);
	} else if (strcmp(path, "objects/external_references/external_id") == 0) {
		if (!x->source[0])
			feed_json_copy(x->source, sizeof x->source, value);
	} else if (strcmp(path, "objects/object_marking_refs") == 0) {
		enum tlp t = tlp_from_stix(value.text, value.len);
		x->tlp = t > x->tlp ? t : x->tlp; /* the strictest holds */
	} else if (strcmp(path, OURS "rule_data") == 0) {
		x->data_len = keep_long(x->data, sizeof x->data, value);
	}
	return 0;
}

/* ---- who says so ---- */

static uint64_t hash_id(const char *id)
{
	static const struct hash_key key;
	return hash_bytes(&key, id, strlen(id));
}

static void keep_identity(struct stix *x)
{
	uint64_t h = hash_id(x->id);
	struct identity *i = &x->identity[h % IDENTITIES];
	i->id = h;
	feed_json_text(i->name, sizeof i->name, x->name);
}

/* Its name when that stood before the indicator, else the id itself. */
static const char *author(const struct stix *x)
{
	uint64_t h = hash_id(x->created_by);
	const struct identity *i = &x->identity[h % IDENTITIES];
	return x->created_by[0] && i->id == h && i->name[0] ? i->name : x->created_by;
}

/* ---- rules ---- */

static void fill_item(struct feed *f)
{
	const struct stix *x = f->state;
	struct blocklist_item *item = feed_item_new(f);
	struct blocklist_entry *e = &item->entry;
	item->starts = x->from;
	item->expires = e->expires = x->until;
	e->first_listed = x->created;
	e->confidence = x->confidence;
	feed_json_text(e->category, sizeof e->category, x->category);
	feed_json_text(e->reason, sizeof e->reason,
		       x->name[0] ? x->name : x->description);
	feed_json_text(e->authority, sizeof e->authority,
		       x->authority[0] ? x->authority : author(x));
	if (x->family[0])
		feed_json_text(e->family, sizeof e->family, x->family);
	tlp_mark(e->reference, x->tlp);
	feed_json_append(e->reference, sizeof e->reference, x->reference);
}

static bool is_domain(const struct stix_term *t)
{
	return feed_span_is(t->object, "domain-name:value");
}

static bool is_address(const struct stix_term *t)
{
	return feed_span_is(t->object, "ipv4-addr:value") ||
	       feed_span_is(t->object, "ipv6-addr:value");
}

/* What a term matches, as a word of a list; len 0 when it is no such thing. An underscore
 * in LIKE stands for any character: the word takes it for itself, which is less. */
static struct feed_span word_of(char buf[STIX_VALUE_MAX], const struct stix_term *t)
{
	const struct feed_span none = {buf, 0};
	bool equal = feed_span_is(t->op, "=") || feed_span_is(t->op, "==") ||
		     feed_span_is(t->op, "in");
	if (equal)
		return t->value;
	if (is_address(t) && feed_span_is(t->op, "issubset"))
		return t->value;
	if (!is_domain(t) || !feed_span_is(t->op, "like") || t->value.len < 3 ||
	    memcmp(t->value.text, "%.", 2) != 0)
		return none;
	if (memchr(t->value.text + 1, '%', t->value.len - 1))
		return none;
	memcpy(buf, t->value.text, t->value.len);
	buf[0] = '*';
	return (struct feed_span){buf, t->value.len};
}

static int on_term(void *arg, const struct stix_term *t)
{
	struct feed *f = arg;
	const struct stix *x = f->state;
	char buf[STIX_VALUE_MAX];
	struct feed_told told;
	if (feed_span_is(t->object, "url:value"))
		return feed_skip(f, FEED_SKIP_URL, t->value.text, t->value.len);
	if (!is_domain(t) && !is_address(t))
		return feed_skip(f, FEED_SKIP_THING, t->object.text, t->object.len);
	struct feed_span word = word_of(buf, t);
	if (!word.len)
		return feed_skip(f, FEED_SKIP_PATTERN, t->value.text, t->value.len);
	fill_item(f);
	if (!feed_rule(&f->item, &told, (struct feed_span){x->kind, strlen(x->kind)},
		       (struct feed_span){x->action, strlen(x->action)},
		       (struct feed_span){x->data, x->data_len}))
		return feed_skip(f, FEED_SKIP_SYNTAX, word.text, word.len);
	return feed_put_word(f, word.text, word.len, &told);
}

static int one_indicator(struct feed *f)
{
	struct stix *x = f->state;
	const struct feed_span pattern = {x->pattern, x->pattern_len};
	int stop, why;
	f->line = x->line;
	if (x->revoked)
		why = FEED_SKIP_REVOKED;
	else if (x->pattern_len > sizeof x->pattern || x->data_len > sizeof x->data)
		why = FEED_SKIP_TOO_LONG;
	else if (x->pattern_type[0] && strcmp(x->pattern_type, "stix") != 0)
		why = FEED_SKIP_PATTERN;
	else {
		why = feed_stix_pattern(pattern, on_term, f, &stop);
		if (why == FEED_WORD)
			return stop;
	}
	size_t len = pattern.len < FEED_TEXT_MAX ? pattern.len : FEED_TEXT_MAX;
	return feed_skip(f, (enum feed_skip)why, pattern.text, len);
}

static int on_close(struct feed *f, const char *path)
{
	struct stix *x = f->state;
	if (strcmp(path, "objects/external_references") == 0)
		feed_json_append(x->reference, sizeof x->reference, x->source);
	if (strcmp(path, "objects") != 0)
		return 0;
	if (strcmp(x->type, "indicator") == 0)
		return one_indicator(f);
	if (strcmp(x->type, "identity") == 0)
		keep_identity(x);
	f->out->ignored++;
	return 0;
}

static int stix_open(struct feed *f)
{
	static const struct feed_json_reader reader = {
		.open = on_open, .close = on_close, .value = on_value};
	struct stix *x = f->state = calloc(1, sizeof *x);
	return x ? feed_json_open(&x->json, f, &reader) : ERR_NOMEM;
}

static int stix_end(struct feed *f)
{
	const struct stix *x = f->state;
	int stop = feed_json_end(f);
	if (stop || x->bundle)
		return stop;
	return feed_json_wrong(f, "this JSON is no STIX bundle: it holds no objects");
}

static void stix_close(struct feed *f)
{
	struct stix *x = f->state;
	feed_json_close(&x->json);
	free(x);
}

const struct feed_parser feed_parser_stix = {
	.open = stix_open,
	.bytes = feed_json_bytes,
	.end = stix_end,
	.close = stix_close,
};
