#include "include/tlp.h"
#include "include/utf8.h"
#include "zones/feed_json.h"

/* MISP events, alone, in an array, or as the answer to a search: the attributes in them
 * and in their objects. An event's tags stand behind its attributes, and one of them may
 * say that nobody must be told: the input is read twice, and the first reading keeps the
 * TLP level of each event. */

enum { EVENTS_MAX = 1 << 20 }; /* a byte each; whole instances have tens of thousands */

struct misp {
	struct feed_json json; /* first */
	uint8_t *tlp;	       /* enum tlp of each event */
	size_t tlp_room, event;
	bool found; /* an event or an attribute */
	/* the event at hand */
	char info[BLOCKLIST_TEXT_MAX], org[BLOCKLIST_TEXT_MAX], uuid[64];
	char event_family[BLOCKLIST_WORD_MAX];
	/* the attribute at hand */
	uint64_t line;
	char type[32], category[BLOCKLIST_WORD_MAX], comment[BLOCKLIST_TEXT_MAX];
	char family[BLOCKLIST_WORD_MAX], value[FEED_TEXT_MAX * 8];
	uint32_t added;
	bool to_ids, deleted;
	enum tlp attribute_tlp;
};

/* ---- events ---- */

static int begin_event(struct feed *f)
{
	struct misp *m = f->state;
	m->found = true;
	m->info[0] = m->org[0] = m->uuid[0] = m->event_family[0] = 0;
	if (m->event == m->tlp_room) {
		size_t room = m->tlp_room ? 2 * m->tlp_room : 64;
		if (room > EVENTS_MAX)
			return feed_json_wrong(f, "this JSON has too many events for one "
						  "file: split it");
		uint8_t *more = realloc(m->tlp, room);
		if (!more)
			return ERR_NOMEM;
		memset(more + m->tlp_room, TLP_NONE, room - m->tlp_room);
		m->tlp = more;
		m->tlp_room = room;
	}
	return 0;
}

/* misp-galaxy:malpedia="Emotet" */
static void family_from_tag(char out[BLOCKLIST_WORD_MAX], struct feed_span tag)
{
	static const char *const galaxies[] = {"malpedia",   "tool",	"botnet",
					       "ransomware", "rat",	"banker",
					       "stealer",    "backdoor"};
	static const char head[] = "misp-galaxy:";
	size_t head_len = sizeof head - 1;
	const char *quote = memchr(tag.text, '"', tag.len);
	if (out[0] || !quote || tag.len < head_len ||
	    memcmp(tag.text, head, head_len) != 0 || quote[-1] != '=')
		return;
	const char *end = tag.text + tag.len;
	struct feed_span galaxy = {tag.text + head_len,
				   (size_t)(quote - tag.text) - head_len - 1};
	const char *name = quote + 1, *close = memchr(name, '"', (size_t)(end - name));
	for (size_t i = 0; i < sizeof galaxies / sizeof *galaxies; i++)
		if (feed_span_is(galaxy, galaxies[i]))
			utf8_clean(out, BLOCKLIST_WORD_MAX, name,
				   (size_t)((close ? close : end) - name));
}

static void stricter(enum tlp *t, struct feed_span tag)
{
	char text[24];
	size_t len;
	feed_json_copy(text, sizeof text, tag);
	enum tlp told = tlp_from_text(text, &len);
	*t = told > *t ? told : *t;
}

static void event_value(struct misp *m, const char *path, struct feed_span value)
{
	if (strcmp(path, "info") == 0) {
		feed_json_copy(m->info, sizeof m->info, value);
	} else if (strcmp(path, "Orgc/name") == 0) {
		feed_json_copy(m->org, sizeof m->org, value);
	} else if (strcmp(path, "uuid") == 0) {
		feed_json_copy(m->uuid, sizeof m->uuid, value);
	} else if (strcmp(path, "Tag/name") == 0) {
		family_from_tag(m->event_family, value);
		enum tlp t = m->event < m->tlp_room ? m->tlp[m->event] : TLP_NONE;
		stricter(&t, value);
		if (m->event < m->tlp_room)
			m->tlp[m->event] = (uint8_t)t;
	}
}

/* ---- attributes ---- */

static void begin_attribute(struct feed *f)
{
	struct misp *m = f->state;
	m->found = true;
	m->line = f->line;
	m->type[0] = m->category[0] = m->comment[0] = m->family[0] = m->value[0] = 0;
	m->added = 0;
	m->to_ids = m->deleted = false;
	m->attribute_tlp = TLP_NONE;
}

static void attribute_value(struct misp *m, const char *path, struct feed_span value)
{
	if (strcmp(path, "type") == 0) {
		feed_json_copy(m->type, sizeof m->type, value);
	} else if (strcmp(path, "value") == 0) {
		feed_json_copy(m->value, sizeof m->value, value);
	} else if (strcmp(path, "category") == 0) {
		feed_json_copy(m->category, sizeof m->category, value);
	} else if (strcmp(path, "comment") == 0) {
		feed_json_copy(m->comment, sizeof m->comment, value);
	} else if (strcmp(path, "to_ids") == 0) {
		m->to_ids = feed_json_true(value);
	} else if (strcmp(path, "deleted") == 0) {
		m->deleted = feed_json_true(value);
	} else if (strcmp(path, "timestamp") == 0) {
		char text[16];
		feed_json_copy(text, sizeof text, value);
		m->added = (uint32_t)strtoul(text, NULL, 10);
	} else if (strcmp(path, "Tag/name") == 0) {
		family_from_tag(m->family, value);
		stricter(&m->attribute_tlp, value);
	} else if (strcmp(path, "Event/info") == 0) { /* of a search for attributes */
		feed_json_copy(m->info, sizeof m->info, value);
	}
}

static void fill_item(struct feed *f)
{
	const struct misp *m = f->state;
	struct blocklist_entry *e = &feed_item_new(f)->entry;
	enum tlp t = m->event < m->tlp_room ? (enum tlp)m->tlp[m->event] : TLP_NONE;
	t = m->attribute_tlp > t ? m->attribute_tlp : t;
	const char *family = m->family[0] ? m->family : m->event_family;
	if (family[0])
		feed_json_text(e->family, sizeof e->family, family);
	feed_json_text(e->category, sizeof e->category, m->category);
	feed_json_text(e->reason, sizeof e->reason, m->comment[0] ? m->comment : m->info);
	feed_json_text(e->authority, sizeof e->authority, m->org);
	e->first_listed = m->added;
	tlp_mark(e->reference, t);
	if (m->uuid[0]) {
		feed_json_append(e->reference, sizeof e->reference, "MISP event");
		feed_json_append(e->reference, sizeof e->reference, m->uuid);
	}
}

static int put_one(struct feed *f, const char *text, size_t len)
{
	fill_item(f);
	return feed_put_word(f, text, len, NULL);
}

/* "192.0.2.1|443" becomes what lists have. */
static int put_port(struct feed *f, const char *value, const char *bar)
{
	char text[sizeof((struct misp *)0)->value + 4];
	bool v6 = memchr(value, ':', (size_t)(bar - value)) != NULL;
	int n = snprintf(text, sizeof text, "%s%.*s%s:%s", v6 ? "[" : "",
			 (int)(bar - value), value, v6 ? "]" : "", bar + 1);
	return put_one(f, text, (size_t)n);
}

/* Types with a bar have a value with a bar. */
static int put_attribute(struct feed *f)
{
	struct misp *m = f->state;
	const char *bar = strchr(m->value, '|');
	size_t len = strlen(m->value);
	if (strcmp(m->type, "domain") == 0 || strcmp(m->type, "hostname") == 0 ||
	    strcmp(m->type, "ip-dst") == 0)
		return put_one(f, m->value, len);
	if (bar && (strcmp(m->type, "ip-dst|port") == 0 ||
		    strcmp(m->type, "hostname|port") == 0))
		return put_port(f, m->value, bar);
	if (bar && strcmp(m->type, "domain|ip") == 0) {
		int stop = put_one(f, m->value, (size_t)(bar - m->value));
		return stop ? stop : put_one(f, bar + 1, strlen(bar + 1));
	}
	bool url = strcmp(m->type, "url") == 0 || strcmp(m->type, "uri") == 0;
	return feed_skip(f, url ? FEED_SKIP_URL : FEED_SKIP_THING, m->value, len);
}

static int end_attribute(struct feed *f)
{
	const struct misp *m = f->state;
	f->line = m->line;
	if (m->deleted)
		return feed_skip(f, FEED_SKIP_REVOKED, m->value, strlen(m->value));
	if (!m->to_ids)
		return feed_skip(f, FEED_SKIP_NOT_IDS, m->value, strlen(m->value));
	return put_attribute(f);
}

/* ---- where they are ---- */

/* path behind prefix and a slash, or "" when they are the same; NULL when not below. */
static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);
	if (strncmp(path, prefix, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n + (path[n] == '/');
}

/* The answer to a search wraps what a file has. */
static const char *unwrap(const char *path)
{
	const char *in = below(path, "response");
	return in ? in : path;
}

/* Path within an attribute, wherever that stands. */
static const char *in_attribute(const char *path)
{
	static const char *const places[] = {"Event/Attribute", "Event/Object/Attribute",
					     "Attribute"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const char *in = below(path, places[i]);
		if (in)
			return in;
	}
	return NULL;
}

static int on_open(struct feed *f, const char *path)
{
	path = unwrap(path);
	const char *in = in_attribute(path);
	if (strcmp(path, "Event") == 0)
		return begin_event(f);
	if (in && !*in)
		begin_attribute(f);
	return 0;
}

static int on_close(struct feed *f, const char *path)
{
	struct misp *m = f->state;
	path = unwrap(path);
	const char *in = in_attribute(path);
	if (strcmp(path, "Event") == 0)
		m->event++;
	return in && !*in ? end_attribute(f) : 0;
}

static int on_value(struct feed *f, const char *path, struct feed_span value)
{
	path = unwrap(path);
	const char *in = in_attribute(path);
	if (in)
		attribute_value(f->state, in, value);
	else if ((in = below(path, "Event")) != NULL)
		event_value(f->state, in, value);
	return 0;
}

/* ---- both readings ---- */

static int misp_restart(struct feed *f)
{
	static const struct feed_json_reader reader = {
		.open = on_open, .close = on_close, .value = on_value};
	struct misp *m = f->state;
	m->event = 0;
	return feed_json_open(&m->json, f, &reader);
}

static int misp_open(struct feed *f)
{
	f->state = calloc(1, sizeof(struct misp));
	return f->state ? misp_restart(f) : ERR_NOMEM;
}

static int misp_end(struct feed *f)
{
	const struct misp *m = f->state;
	int stop = feed_json_end(f);
	if (stop || m->found)
		return stop;
	return feed_json_wrong(f, "this JSON holds no MISP event and no attribute");
}

static void misp_close(struct feed *f)
{
	struct misp *m = f->state;
	feed_json_close(&m->json);
	free(m->tlp);
	free(m);
}

const struct feed_parser feed_parser_misp = {
	.twice = true,
	.open = misp_open,
	.restart = misp_restart,
	.bytes = feed_json_bytes,
	.end = misp_end,
	.close = misp_close,
};
