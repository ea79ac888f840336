/* A STIX 2.1 bundle: each hit is an observation and a sighting of its rule. */
#include <sys/random.h>
#include <time.h>

#include "tools/hits_format.h"
#include "tools/stix_id.h"

enum {
	PATTERN_MAX = 2 * DNS_NAME_TEXT_MAX + 64,
	SEEN_MAX = DNS_NAME_TEXT_MAX + HIT_LIST_MAX + 64,
};

struct hits_stix {
	uint8_t run[16];       /* a name space: objects of this bundle only */
	struct hit_words seen; /* what stands in the bundle already */
	char now[CLI_TIME_TEXT_MAX];
	char producer[STIX_ID_TEXT];
};

/* For objects whose id follows from their value: STIX 2.1 section 2.9. */
static const uint8_t by_value[16] = {0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c,
				     0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7};

static bool is_new(struct hits_stix *s, const char *id, int *err)
{
	uint32_t number, n = s->seen.n;
	*err = hit_words_put(&s->seen, &number, id, strlen(id));
	return !*err && number == n;
}

static void object(struct json_line *j, const char *type, const char *id)
{
	putc_unlocked('\n', j->to);
	json_line_open(j, NULL, '{');
	json_line_text(j, "type", type);
	json_line_text(j, "spec_version", "2.1");
	json_line_text(j, "id", id);
}

static void common(struct hits_out *o, const char *created)
{
	char label[HITS_REMARK_MAX];
	struct json_line *j = &o->json;
	json_line_text(j, "created", created);
	json_line_text(j, "modified", created);
	json_line_text(j, "created_by_ref", o->stix->producer);
	json_line_open(j, "labels", '[');
	char *rest = strcpy(label, o->privacy->remark), *word;
	while ((word = strsep(&rest, " ")))
		json_line_text(j, NULL, word);
	json_line_close(j, ']');
}

static void reference(struct json_line *j, const char *key, const char *id,
		      const char *another)
{
	json_line_open(j, key, '[');
	json_line_text(j, NULL, id);
	if (another)
		json_line_text(j, NULL, another);
	json_line_close(j, ']');
}

static int identity(struct hits_out *o, const char *id, const char *name)
{
	int err;
	if (!is_new(o->stix, id, &err))
		return err;
	object(&o->json, "identity", id);
	json_line_text(&o->json, "created", o->stix->now);
	json_line_text(&o->json, "modified", o->stix->now);
	json_line_text(&o->json, "name", *name ? name : "?");
	json_line_text(&o->json, "identity_class", "system");
	json_line_close(&o->json, '}');
	return ERR_OK;
}

static int stix_begin(struct hits_out *o)
{
	char bundle[STIX_ID_TEXT];
	struct hits_stix *s = o->stix = calloc(1, sizeof *s);
	if (!s || hit_words_init(&s->seen))
		return ERR_NOMEM;
	if (getrandom(s->run, sizeof s->run, 0) != sizeof s->run)
		return ERR_IO;
	cli_time_text(s->now, time(NULL));
	stix_id(s->producer, s->run, "identity", "sinkholed");
	json_line_open(&o->json, NULL, '{');
	json_line_text(&o->json, "type", "bundle");
	json_line_text(&o->json, "id", stix_id(bundle, s->run, "bundle", ""));
	json_line_open(&o->json, "objects", '[');
	return identity(o, s->producer, "sinkholed");
}

static int stix_end(struct hits_out *o)
{
	if (!o->stix)
		return ERR_OK;
	json_line_close(&o->json, ']');
	json_line_end(&o->json);
	hit_words_fini(&o->stix->seen);
	free(o->stix);
	o->stix = NULL;
	return ERR_OK;
}

/* A name or address; its id is made of the canonical JSON of its value. */
static int value(struct hits_out *o, char id[STIX_ID_TEXT], const char *type,
		 const char *text)
{
	char name[PATTERN_MAX] = "{\"value\":\"";
	size_t n = strlen(name);
	int err;
	for (; *text && n + 4 < sizeof name; text++) {
		if (*text == '"' || *text == '\\')
			name[n++] = '\\';
		name[n++] = *text;
	}
	strcpy(name + n, "\"}");
	if (!is_new(o->stix, stix_id(id, by_value, type, name), &err))
		return err;
	object(&o->json, type, id);
	fprintf(o->json.to, ",%.*s", (int)strlen(name) - 2, name + 1);
	json_line_close(&o->json, '}');
	return ERR_OK;
}

static int address(struct hits_out *o, char id[STIX_ID_TEXT], const struct addr *a,
		   const char *text)
{
	return value(o, id, a->family == 4 ? "ipv4-addr" : "ipv6-addr", text);
}

/* The rule, once. */
static int indicator(struct hits_out *o, char id[STIX_ID_TEXT], const struct hit *h,
		     const struct hits_texts *t)
{
	char pattern[PATTERN_MAX], rule[SEEN_MAX];
	const char *type = !h->prefix.addr.family	? "domain-name"
			   : h->prefix.addr.family == 4 ? "ipv4-addr"
							: "ipv6-addr";
	int err;
	snprintf(rule, sizeof rule, "%s %s", t->list, t->rule);
	if (!is_new(o->stix, stix_id(id, o->stix->run, "indicator", rule), &err))
		return err;
	size_t n = (size_t)snprintf(pattern, sizeof pattern, "[%s:value %s '", type,
				    h->prefix.addr.family ? "ISSUBSET" : "=");
	for (const char *c = t->rule; *c && n + 4 < sizeof pattern; c++) {
		if (*c == '\'' || *c == '\\')
			pattern[n++] = '\\';
		pattern[n++] = *c;
	}
	strcpy(pattern + n, "']");
	object(&o->json, "indicator", id);
	common(o, o->stix->now);
	json_line_text(&o->json, "name", rule);
	json_line_some(&o->json, "description", t->family);
	json_line_text(&o->json, "pattern", pattern);
	json_line_text(&o->json, "pattern_type", "stix");
	json_line_text(&o->json, "valid_from", t->time);
	json_line_close(&o->json, '}');
	return ERR_OK;
}

static void traffic(struct hits_out *o, const char *id, const struct hit *h,
		    const char *src, const char *dst)
{
	struct json_line *j = &o->json;
	object(j, "network-traffic", id);
	json_line_text(j, "src_ref", src);
	if (h->client.port)
		json_line_number(j, "src_port", h->client.port);
	json_line_some(j, "dst_ref", dst);
	if (h->listener.port)
		json_line_number(j, "dst_port", h->listener.port);
	json_line_open(j, "protocols", '[');
	json_line_text(j, NULL, h->transport == HIT_UDP ? "udp" : "tcp");
	json_line_text(j, NULL, "dns");
	json_line_close(j, ']');
	json_line_close(j, '}');
}

static void observed(struct hits_out *o, const char *id, const struct hit *h,
		     const struct hits_texts *t, const char *of, const char *name)
{
	struct json_line *j = &o->json;
	object(j, "observed-data", id);
	common(o, o->stix->now);
	json_line_text(j, "first_observed", t->time);
	json_line_text(j, "last_observed", t->time);
	json_line_number(j, "number_observed", h->count);
	reference(j, "object_refs", of, name);
	json_line_close(j, '}');
}

static int sighting(struct hits_out *o, const struct hit *h, const struct hits_texts *t,
		    const char *observation, const char *node)
{
	char id[STIX_ID_TEXT], rule[STIX_ID_TEXT];
	struct json_line *j = &o->json;
	int err = indicator(o, rule, h, t);
	object(j, "sighting", stix_id(id, o->stix->run, "sighting", t->uid));
	common(o, o->stix->now);
	json_line_text(j, "first_seen", t->time);
	json_line_text(j, "last_seen", t->time);
	json_line_number(j, "count", h->count);
	json_line_text(j, "sighting_of_ref", rule);
	reference(j, "observed_data_refs", observation, NULL);
	reference(j, "where_sighted_refs", node, NULL);
	json_line_close(j, '}');
	return err;
}

static int stix_row(struct hits_out *o, const struct hit_row *row,
		    const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	const uint8_t *run = o->stix->run;
	char client[STIX_ID_TEXT], listener[STIX_ID_TEXT] = "", name[STIX_ID_TEXT];
	char flow[STIX_ID_TEXT], seen[STIX_ID_TEXT], node[STIX_ID_TEXT];
	int err = identity(o, stix_id(node, run, "identity", t->node), t->node);
	if (!err)
		err = address(o, client, &h->client, t->client);
	if (!err && h->listener.family)
		err = address(o, listener, &h->listener, t->listener);
	if (!err)
		err = value(o, name, "domain-name", t->qname);
	if (err)
		return err;
	stix_id(flow, run, "network-traffic", t->uid);
	traffic(o, flow, h, client, listener);
	observed(o, stix_id(seen, run, "observed-data", t->uid), h, t, flow, name);
	if (h->trigger == RULE_ON_CLIENT) /* its rule is the client: no indicator */
		return ERR_OK;
	return sighting(o, h, t, seen, node);
}

const struct hits_format hits_format_stix = {"stix", HITS_DOCUMENT, stix_begin, stix_row,
					     stix_end};
