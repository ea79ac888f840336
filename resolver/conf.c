/* The loader: YAML events in, struct conf out, led by the table of keys. It asks libyaml
 * for one event at a time and goes down only where the table says that a list or a
 * mapping belongs, so a deep document is refused at its first wrong bracket; aliases
 * are refused, so a small file cannot stand for a large one. */
#include <assert.h>
#include <stdarg.h>
#include <yaml.h>

#include "resolver/conf_keys.h"

enum {
	PATH_LEN = 160, /* "recursion.forward[255].servers[12]", or what a user made up */
	SHOWN = 40,	/* characters of an unknown key that an error repeats */
	WHY_LEN = 384,	/* what is wrong with a value */
};

struct loader {
	yaml_parser_t yaml;
	yaml_event_t event;
	struct conf *conf;
	void *to; /* what the fields of the current key lie in: conf, or a list of it */
	struct conf_list fresh; /* a list of which nothing is told yet */
	struct conf_error *err;
	const char *name; /* of the file */
	char path[PATH_LEN];
	unsigned long line;
	int key_lines[CONF_KEYS_MAX];	/* by key: line where it was given, 0 = not */
	int group_lines[CONF_KEYS_MAX]; /* the same, by the first key of the group */
};

static int fail(struct loader *l, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct loader *l, int code, const char *fmt, ...)
{
	char *out = l->err->text;
	size_t size = sizeof l->err->text;
	int n = snprintf(out, size, "%s:%lu: %s%s", l->name, l->line, l->path,
			 *l->path ? ": " : "");
	va_list ap;
	va_start(ap, fmt);
	if (n > 0 && (size_t)n < size)
		vsnprintf(out + n, size - (size_t)n, fmt, ap);
	va_end(ap);
	for (char *p = out; *p; p++) /* a value must not steer the terminal */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return code;
}

/* Lengthens the path by one element and returns its length before that. */
static size_t enter(struct loader *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static size_t enter(struct loader *l, const char *fmt, ...)
{
	size_t n = strlen(l->path);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->path + n, sizeof l->path - n, fmt, ap);
	va_end(ap);
	return n;
}

static void leave(struct loader *l, size_t n)
{
	l->path[n] = 0;
}

/* ---- events ---- */

static const char *event_text(const struct loader *l)
{
	return (const char *)l->event.data.scalar.value;
}

static int yaml_failed(struct loader *l)
{
	const char *what = l->yaml.problem ? l->yaml.problem : "unreadable";
	char where[80] = "";
	if (l->yaml.error == YAML_MEMORY_ERROR)
		return fail(l, ERR_NOMEM, "out of memory");
	l->line = l->yaml.problem_mark.line + 1;
	l->path[0] = 0;
	/* What was never closed began at the context, not where the file ended. */
	if (l->yaml.context)
		snprintf(where, sizeof where, ", %s in line %lu", l->yaml.context,
			 (unsigned long)l->yaml.context_mark.line + 1);
	return fail(l, ERR_FORMAT,
		    "this is not YAML: %s at column %lu%s; look for a wrong indentation "
		    "or a missing quote or bracket",
		    what, (unsigned long)l->yaml.problem_mark.column + 1, where);
}

/* Anchors, aliases and tags have no use here and are the known ways to make a small
 * document grow. */
static int check_plain(struct loader *l)
{
	const unsigned char *anchor = NULL, *tag = NULL;
	switch (l->event.type) {
	case YAML_ALIAS_EVENT:
		anchor = l->event.data.alias.anchor;
		break;
	case YAML_SCALAR_EVENT:
		anchor = l->event.data.scalar.anchor;
		tag = l->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = l->event.data.sequence_start.anchor;
		tag = l->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = l->event.data.mapping_start.anchor;
		tag = l->event.data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return fail(
			l, ERR_FORMAT,
			"anchors and aliases (& and *) are not taken; write the value "
			"out, in quotes if it begins with such a character");
	if (tag)
		return fail(
			l, ERR_FORMAT,
			"tags (!) are not taken; remove it, or put the value in quotes");
	return ERR_OK;
}

static int next(struct loader *l)
{
	yaml_event_delete(&l->event);
	if (!yaml_parser_parse(&l->yaml, &l->event))
		return yaml_failed(l);
	l->line = l->event.start_mark.line + 1;
	return check_plain(l);
}

static const char *event_kind(const struct loader *l)
{
	switch (l->event.type) {
	case YAML_SCALAR_EVENT:
		return "a single value";
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	case YAML_MAPPING_START_EVENT:
		return "a mapping (KEY: VALUE)";
	default:
		return "nothing";
	}
}

static int expect(struct loader *l, yaml_event_type_t type, const struct conf_key *k)
{
	char want[160] = "keys below it, such as ttl: 30s";
	if (l->event.type == type)
		return ERR_OK;
	if (k)
		conf_describe(want, sizeof want, k);
	return fail(l, ERR_FORMAT, "here stands %s; give %s%s", event_kind(l), want,
		    type == YAML_SCALAR_EVENT || k == NULL
			    ? ""
			    : " (in brackets, IPv6 addresses in quotes)");
}

/* Nothing written, or YAML's and JSON's words for it. */
static bool is_null(const struct loader *l)
{
	return l->event.type == YAML_SCALAR_EVENT &&
	       l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*event_text(l) || !strcmp(event_text(l), "~") ||
		!strcmp(event_text(l), "null"));
}

/* The current event is a scalar with a value. */
static int expect_scalar(struct loader *l, const struct conf_key *k)
{
	char want[160];
	int err = expect(l, YAML_SCALAR_EVENT, k);
	if (err)
		return err;
	conf_describe(want, sizeof want, k);
	if (strlen(event_text(l)) != l->event.data.scalar.length)
		return fail(l, ERR_FORMAT, "a NUL byte stands in the value; give %s",
			    want);
	if (is_null(l))
		return fail(l, ERR_FORMAT, "the value is missing; give %s", want);
	return ERR_OK;
}

static int wrong(struct loader *l, int code, const struct conf_key *k)
{
	char why[WHY_LEN];
	conf_wrong(why, sizeof why, k, event_text(l));
	return fail(l, code, "%s", why);
}

static int read_scalar(struct loader *l, const struct conf_key *k)
{
	char why[WHY_LEN];
	int err = conf_value(l->to, k, event_text(l), why, sizeof why);
	return err ? fail(l, err, "%s", why) : ERR_OK;
}

/* ---- lists ---- */

/* One element of a list, the current event. n is its place. */
typedef int element_fn(struct loader *l, const struct conf_key *k, int n);

/* From the event that should begin a list to the one that ends it. */
static int read_list(struct loader *l, const struct conf_key *k, int min, int max,
		     element_fn *element, int *count)
{
	int err = expect(l, YAML_SEQUENCE_START_EVENT, k), n = 0;
	while (!err && !(err = next(l)) && l->event.type != YAML_SEQUENCE_END_EVENT) {
		size_t at = enter(l, "[%d]", n);
		if (n == max)
			return fail(l, ERR_INVAL, "too many elements; give at most %d",
				    max);
		err = element(l, k, n);
		if (err)
			return err;
		leave(l, at);
		n++;
	}
	if (!err && n < min)
		return fail(l, ERR_INVAL, "the list is empty; give at least %d element",
			    min);
	*count = n;
	return err;
}

/* Makes room for element n in the array that the key's field points to; it doubles. */
static int grow_field(struct loader *l, const struct conf_key *k, int n, size_t size)
{
	void *field = (char *)l->to + k->at, *array;
	if (n & (n - 1))
		return ERR_OK;
	memcpy(&array, field, sizeof array);
	array = realloc(array, (size_t)(n ? 2 * n : 1) * size);
	if (!array)
		return fail(l, ERR_NOMEM, "out of memory");
	memcpy(field, &array, sizeof array);
	return ERR_OK;
}

static int read_addr_port(struct loader *l, const struct conf_key *k, struct addr *out)
{
	int err = expect_scalar(l, k);
	if (err)
		return err;
	if (addr_port_from_text(out, event_text(l), DNS_PORT) || out->port == 0)
		return wrong(l, ERR_FORMAT, k);
	return ERR_OK;
}

/* {address: ADDRESS@PORT, proxy: false} */
static int read_listen_map(struct loader *l, const struct conf_key *k, int n)
{
	static const struct conf_key proxy = {.path = "proxy",
					      .type = CONF_BOOL,
					      .at = offsetof(struct conf, listen_proxy),
					      .size = sizeof(bool)};
	struct conf_key here = proxy;
	bool have_address = false, have_proxy = false;
	unsigned long begin = l->line;
	int err;
	here.at += (size_t)n * sizeof(bool);
	while (!(err = next(l)) && l->event.type == YAML_SCALAR_EVENT) {
		bool is_proxy = !strcmp(event_text(l), "proxy");
		bool *have = is_proxy ? &have_proxy : &have_address;
		size_t at = enter(l, ".%.*s", SHOWN, event_text(l));
		if (!is_proxy && strcmp(event_text(l), "address") != 0)
			return fail(l, ERR_FORMAT,
				    "unknown key; known are address and proxy");
		if (*have)
			return fail(l, ERR_FORMAT, "given twice; remove one");
		*have = true;
		err = next(l);
		if (!err && is_proxy)
			err = expect_scalar(l, &here);
		if (!err)
			err = is_proxy ? read_scalar(l, &here)
				       : read_addr_port(l, k, &l->conf->listen[n]);
		if (err)
			return err;
		if (is_proxy && l->conf->listen_proxy[n])
			return fail(
				l, ERR_INVAL,
				"PROXYv2 is not supported yet in this version; set it "
				"to false or remove it");
		leave(l, at);
	}
	l->line = have_address ? l->line : begin;
	if (!err && !have_address)
		return fail(l, ERR_FORMAT,
			    "the address is missing; give {address: "
			    "192.0.2.1@53}");
	return err;
}

static int read_listen(struct loader *l, const struct conf_key *k, int n)
{
	struct conf *c = l->conf;
	int err;
	c->listen_proxy[n] = false;
	if (l->event.type == YAML_MAPPING_START_EVENT)
		err = read_listen_map(l, k, n);
	else
		err = read_addr_port(l, k, &c->listen[n]);
	for (int i = 0; !err && i < n; i++)
		if (addr_equal(&c->listen[i], &c->listen[n]))
			return fail(l, ERR_INVAL,
				    "the address stands in the list twice; "
				    "remove one");
	return err;
}

static int read_source(struct loader *l, const struct conf_key *k, int n)
{
	struct addr a;
	int err = expect_scalar(l, k);
	(void)n;
	if (err)
		return err;
	if (addr_from_text(&a, event_text(l), strlen(event_text(l))))
		return wrong(l, ERR_FORMAT, k);
	struct addr *at =
		a.family == 4 ? &l->conf->recursion.source4 : &l->conf->recursion.source6;
	if (at->family)
		return fail(l, ERR_INVAL,
			    "a second IPv%d address; give at most one of "
			    "each family",
			    a.family);
	*at = a;
	return ERR_OK;
}

static int read_net(struct loader *l, const struct conf_key *k, int n)
{
	struct conf_nets *nets = (void *)((char *)l->to + k->at);
	struct prefix p = {0};
	int err = expect_scalar(l, k);
	if (err)
		return err;
	err = prefix_from_text(&p, event_text(l), strlen(event_text(l)));
	if (err == ERR_INVAL) {
		char text[PREFIX_TEXT_MAX];
		return fail(l, err, "'%.*s' has bits set behind its length; give %s",
			    SHOWN, event_text(l), prefix_to_text(text, &p));
	}
	if (err)
		return wrong(l, err, k);
	err = grow_field(l, k, n, sizeof p); /* net is the first field */
	if (err)
		return err;
	nets->net[n] = p;
	nets->n = n + 1;
	return ERR_OK;
}

static int read_zone_name(struct loader *l, const struct conf_key *k,
			  uint8_t out[DNS_NAME_MAX])
{
	int err = expect_scalar(l, k);
	if (err)
		return err;
	return name_from_str(out, event_text(l)) ? wrong(l, ERR_FORMAT, k) : ERR_OK;
}

static int read_name(struct loader *l, const struct conf_key *k, int n)
{
	uint8_t *names;
	int err = grow_field(l, k, n, DNS_NAME_MAX);
	if (err)
		return err;
	memcpy(&names, (char *)l->to + k->at, sizeof names);
	return read_zone_name(l, k, names + n * DNS_NAME_MAX);
}

static struct conf_zone *zone_at(struct loader *l, const struct conf_key *k, int n)
{
	struct conf_zone *zones;
	memcpy(&zones, (char *)l->to + k->at, sizeof zones);
	return zones + n;
}

/* A server of a key whose field is the array itself. */
static int read_primary(struct loader *l, const struct conf_key *k, int n)
{
	struct addr *servers = (void *)((char *)l->to + k->at);
	return read_addr_port(l, k, &servers[n]);
}

static int read_value(struct loader *l, const struct conf_key *k);
static int unknown_key(struct loader *l, const struct conf_table *t, const char *path);
static int once(struct loader *l, int *line);

/* {name: isac, url: ...}, into the struct that l->to is. */
static int read_map(struct loader *l, const struct conf_table *t, int *lines)
{
	int err;
	while (!(err = next(l)) && l->event.type == YAML_SCALAR_EVENT) {
		int i = conf_find_in(t, event_text(l));
		size_t at = enter(l, ".%.*s", SHOWN, event_text(l));
		if (i < 0)
			return unknown_key(l, t, event_text(l));
		err = once(l, &lines[i]);
		if (!err)
			err = next(l);
		if (!err)
			err = read_value(l, &t->key[i]);
		if (err)
			return err;
		leave(l, at);
	}
	return err;
}

/* {zone: NAME, servers: [ADDRESS@PORT], first: false} */
static int read_zone_map(struct loader *l, struct conf_zone *z)
{
	static const struct conf_key keys[] = {
		{.path = "zone",
		 .type = CONF_NAME,
		 .at = offsetof(struct conf_zone, zone)},
		{.path = "servers",
		 .type = CONF_SERVERS,
		 .at = offsetof(struct conf_zone, servers),
		 .count_at = offsetof(struct conf_zone, servers_n),
		 .min = 1,
		 .max = CONF_SERVERS_MAX},
		{.path = "first",
		 .type = CONF_BOOL,
		 .at = offsetof(struct conf_zone, first),
		 .size = sizeof z->first},
	};
	static const struct conf_table of_zone = {keys, sizeof keys / sizeof *keys};
	int lines[CONF_KEYS_MAX] = {0};
	unsigned long begin = l->line;
	l->to = z;
	int err = read_map(l, &of_zone, lines);
	l->to = l->conf;
	if (err || (lines[0] && lines[1]))
		return err;
	l->line = begin;
	return fail(l, ERR_FORMAT,
		    "%s is missing; give {zone: corp.example, servers: [192.0.2.53]}",
		    keys[lines[0] != 0].path);
}

static int read_zone(struct loader *l, const struct conf_key *k, int n)
{
	int err = expect(l, YAML_MAPPING_START_EVENT, k);
	if (!err)
		err = grow_field(l, k, n, sizeof(struct conf_zone));
	if (err)
		return err;
	*zone_at(l, k, n) = (struct conf_zone){0};
	err = read_zone_map(l, zone_at(l, k, n));
	for (int i = 0; !err && i < n; i++)
		if (name_equal(zone_at(l, k, i)->zone, zone_at(l, k, n)->zone))
			return fail(l, ERR_INVAL,
				    "the zone stands in the list twice; "
				    "remove one");
	return err;
}

static int read_kept_list(struct loader *l, const struct conf_key *k, int n)
{
	struct conf *c = l->conf;
	int i, lines[CONF_KEYS_MAX] = {0};
	unsigned long begin = l->line;
	char why[WHY_LEN];
	int err = expect(l, YAML_MAPPING_START_EVENT, k);
	if (!err)
		err = grow_field(l, k, n, sizeof *c->lists);
	if (err)
		return err;
	c->lists_n = n;
	c->lists[n] = l->fresh;
	l->to = &c->lists[n];
	err = read_map(l, &conf_of_list, lines);
	l->to = c;
	if (err)
		return err;
	err = conf_list_complete(c, lines, &i, why, sizeof why);
	if (!err)
		return ERR_OK;
	l->line = lines[i] ? (unsigned long)lines[i] : begin;
	enter(l, ".%s", conf_of_list.key[i].path);
	return fail(l, err, "%s", why);
}

/* A list replaces the default whole. */
static int read_key_list(struct loader *l, const struct conf_key *k)
{
	void *at = (char *)l->to + k->at;
	int unused,
		*count = k->count_at ? (void *)((char *)l->to + k->count_at) : &unused;
	struct conf_nets *nets = at;
	element_fn *element = NULL;
	switch (k->type) {
	case CONF_LISTEN:
		element = read_listen;
		break;
	case CONF_SOURCES:
		element = read_source;
		break;
	case CONF_NETS:
		nets->n = 0;
		element = read_net;
		break;
	case CONF_NAMES:
		element = read_name;
		break;
	case CONF_SERVERS:
		element = read_primary;
		break;
	case CONF_LISTS:
		element = read_kept_list;
		break;
	default:
		element = read_zone;
		break;
	}
	return read_list(l, k, (int)k->min, (int)k->max, element, count);
}

static int read_value(struct loader *l, const struct conf_key *k)
{
	int err;
	if (k->type >= CONF_LISTEN)
		return read_key_list(l, k);
	err = expect_scalar(l, k);
	if (err)
		return err;
	return read_scalar(l, k);
}

/* ---- the document ---- */

/* The first key of that group, or -1. */
static int find_group(const char *path)
{
	size_t n = strlen(path);
	for (int i = 0; i < conf_keys_n; i++)
		if (!strncmp(conf_keys[i].path, path, n) && conf_keys[i].path[n] == '.')
			return i;
	return -1;
}

static int unknown_key(struct loader *l, const struct conf_table *t, const char *path)
{
	char near[PATH_LEN];
	if (strchr(event_text(l), '.'))
		return fail(l, ERR_FORMAT,
			    "unknown key; a key has no dots, write a group "
			    "and its keys below it in lines of their own");
	if (conf_nearest(near, sizeof near, t, path))
		return fail(l, ERR_FORMAT, "unknown key; did you mean %s?", near);
	return fail(l, ERR_FORMAT,
		    "unknown key; sinkholed --help-config lists those there are");
}

/* Marks a key or a group as given in this line. */
static int once(struct loader *l, int *line)
{
	if (*line)
		return fail(l, ERR_FORMAT, "given twice, first in line %d; remove one",
			    *line);
	*line = (int)l->line;
	return ERR_OK;
}

static int read_mapping(struct loader *l, int depth);

/* The current event is a key; reads it and its value. Groups stand at depth 0 only. */
static int read_key(struct loader *l, int depth)
{
	int i, err = expect(l, YAML_SCALAR_EVENT, NULL);
	if (err)
		return err;
	bool dotted = strchr(event_text(l), '.');
	size_t at = enter(l, "%s%.*s", depth ? "." : "", SHOWN, event_text(l));
	if (!dotted && (i = conf_find(l->path)) >= 0) {
		err = once(l, &l->key_lines[i]);
		if (!err)
			err = next(l);
		if (!err)
			err = read_value(l, &conf_keys[i]);
	} else if (!dotted && depth == 0 && (i = find_group(l->path)) >= 0) {
		err = once(l, &l->group_lines[i]);
		if (!err)
			err = next(l);
		if (!err && !is_null(l))
			err = read_mapping(l, depth + 1);
	} else {
		err = unknown_key(l, &conf_whole, l->path);
	}
	if (!err)
		leave(l, at);
	return err;
}

static int read_mapping(struct loader *l, int depth)
{
	int err = expect(l, YAML_MAPPING_START_EVENT, NULL);
	while (!err && !(err = next(l)) && l->event.type != YAML_MAPPING_END_EVENT)
		err = read_key(l, depth);
	return err;
}

static void start(struct loader *l, const char *name, const char *text, size_t len)
{
	if (!yaml_parser_initialize(&l->yaml))
		abort(); /* it asks for a few kilobytes, at start */
	yaml_parser_set_input_string(&l->yaml, (const unsigned char *)text, len);
	l->name = name;
	l->line = 1;
	l->path[0] = 0;
}

static void finish(struct loader *l)
{
	yaml_event_delete(&l->event);
	yaml_parser_delete(&l->yaml);
	memset(&l->event, 0, sizeof l->event);
}

/* An empty document leaves every default as it is. */
static int read_document(struct loader *l)
{
	int err = next(l); /* stream start */
	if (!err)
		err = next(l); /* document start */
	if (err || l->event.type == YAML_STREAM_END_EVENT)
		return err;
	err = next(l);
	if (!err && !is_null(l))
		err = read_mapping(l, 0);
	if (!err)
		err = next(l); /* document end */
	if (!err)
		err = next(l);
	if (!err && l->event.type != YAML_STREAM_END_EVENT)
		return fail(l, ERR_FORMAT,
			    "a second document begins here; keep one, and "
			    "remove the --- or ... before it");
	return err;
}

/* The table's defaults are read by the same code as the file. */
static int read_default(struct loader *l, const struct conf_key *k)
{
	int err;
	start(l, "default", k->def, strlen(k->def));
	enter(l, "%s", k->path);
	err = next(l);
	for (int i = 0; !err && i < 2; i++)
		err = next(l); /* stream start, document start */
	if (!err)
		err = read_value(l, k);
	finish(l);
	return err;
}

/* Numbers of a list that have no default are below 0 until they are told. */
static bool untold(const struct conf_key *k)
{
	return k->type == CONF_NUMBER || k->type == CONF_SECONDS ||
	       k->type == CONF_CHOICE || k->type == CONF_ACTION;
}

static int read_defaults(struct loader *l, void *to, const struct conf_table *t)
{
	int err = ERR_OK;
	l->to = to;
	for (int i = 0; !err && i < t->n; i++) {
		const struct conf_key *k = &t->key[i];
		if (k->def)
			err = read_default(l, k);
		else if (t == &conf_of_list && untold(k))
			memset((char *)to + k->at, 0xff, k->size);
	}
	return err;
}

/* What no key alone can tell. */
static int read_whole(struct loader *l)
{
	char why[WHY_LEN];
	int i, err = conf_complete(l->conf, l->key_lines, &i, why, sizeof why);
	if (!err)
		return ERR_OK;
	l->line = (unsigned long)l->key_lines[i];
	snprintf(l->path, sizeof l->path, "%s", conf_keys[i].path);
	return fail(l, err, "%s", why);
}

int conf_parse(struct conf **out, const char *text, size_t len, const char *name,
	       struct conf_error *err)
{
	struct loader l = {.err = err, .name = name, .conf = calloc(1, sizeof **out)};
	int rc;
	*out = NULL;
	err->text[0] = 0;
	if (!l.conf)
		return fail(&l, ERR_NOMEM, "out of memory");
	rc = read_defaults(&l, &l.fresh, &conf_of_list);
	if (!rc)
		rc = read_defaults(&l, l.conf, &conf_whole);
	assert(rc == ERR_OK || rc == ERR_NOMEM);
	if (rc)
		goto out;
	start(&l, name, text, len);
	if (len > CONF_FILE_MAX)
		rc = fail(&l, ERR_INVAL,
			  "the file is larger than %d bytes; this is no "
			  "configuration",
			  CONF_FILE_MAX);
	else
		rc = read_document(&l);
	finish(&l);
	if (rc)
		goto out;
	rc = read_whole(&l);
	if (rc)
		goto out;
	*out = l.conf;
	l.conf = NULL;
out:
	conf_free(l.conf);
	return rc;
}
