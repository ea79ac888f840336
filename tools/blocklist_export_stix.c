#include <stdlib.h>
#include <string.h>

#include "include/tlp.h"
#include "tools/blocklist_export.h"
#include "tools/stix_id.h"

/* A STIX 2.1 bundle: an indicator a rule, one a line. Ids are made of list and rule (UUID
 * version 5), so that who reads the next export sees the same indicators. What STIX has
 * no property for stands in an extension of ours, which import reads. */

#define CREATED "2026-01-01T00:00:00.000Z" /* of the objects that are always the same */
#define TLP_CREATED "2022-10-01T00:00:00.000Z"
#define TLP_EXTENSION "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

enum {
	STIX_TIME_TEXT = CLI_TIME_TEXT_MAX + 4,
};

/* In a name space of our own. */
static char *make_id(char out[STIX_ID_TEXT], const char *type, const char *name)
{
	static const uint8_t space[16] = {0x2b, 0x1c, 0x0c, 0x58, 0x4f, 0x5e, 0x4f, 0x0b,
					  0x9b, 0x0a, 0x6d, 0x1f, 0x2c, 0x7f, 0x4e, 0x53};
	return stix_id(out, space, type, name);
}

/* Milliseconds are what most readers expect. */
static json_t *stix_time(uint32_t t)
{
	char text[STIX_TIME_TEXT];
	size_t n = strlen(cli_time_text(text, t));
	snprintf(text + n - 1, sizeof text - n + 1, ".000Z");
	return json_string(text);
}

static void put_object(json_t *o, bool first)
{
	char *text = json_dumps(o, JSON_COMPACT);
	printf("%s\n%s", first ? "" : ",", text ? text : "{}");
	free(text);
	json_decref(o);
}

/* ---- what every bundle has ---- */

static json_t *level_object(enum tlp t)
{
	char id[STIX_ID_TEXT], name[TLP_MARK_MAX];
	const char *level = tlp_level(t)->name;
	snprintf(id, sizeof id, "marking-definition--%s", tlp_level(t)->stix);
	return json_pack("{ss ss ss ss ss s{s{ss ss}}}", "type", "marking-definition",
			 "spec_version", "2.1", "id", id, "created", TLP_CREATED, "name",
			 tlp_mark(name, t), "extensions", TLP_EXTENSION, "extension_type",
			 "property-extension", "tlp_2_0", level);
}

static int stix_begin(struct export *x)
{
	char bundle[STIX_ID_TEXT], identity[STIX_ID_TEXT];
	make_id(identity, "identity", "sinkholed");
	printf("{\"type\":\"bundle\",\"id\":\"%s\",\"objects\":[",
	       make_id(bundle, "bundle", x->list));
	put_object(json_pack("{ss ss ss ss ss ss ss}", "type", "identity", "spec_version",
			     "2.1", "id", identity, "created", CREATED, "modified",
			     CREATED, "name", "sinkholed", "identity_class", "system"),
		   true);
	put_object(json_pack("{ss ss ss ss ss ss ss ss ss s[s]}", "type",
			     "extension-definition", "spec_version", "2.1", "id",
			     FEED_STIX_EXTENSION, "created_by_ref", identity, "created",
			     CREATED, "modified", CREATED, "name",
			     "what a rule of sinkholed says beside its pattern", "schema",
			     "texts, all of them optional: rule_kind, rule_action, "
			     "rule_data, family, authority; sinkhole-blocklist(8)",
			     "version", "1.0", "extension_types", "property-extension"),
		   false);
	for (int t = TLP_CLEAR; t < TLP_N; t++)
		put_object(level_object((enum tlp)t), false);
	return ERR_OK;
}

static int stix_end(struct export *x)
{
	(void)x;
	printf("\n]}\n");
	return ERR_OK;
}

/* ---- indicators ---- */

/* Names hold neither quotes nor backslashes but as escapes of their own. */
static void pattern_of(char *out, size_t size, const struct export_rule *r)
{
	char rule[BLOCKLIST_RULE_TEXT_MAX];
	const struct prefix *p = &r->key->prefix;
	bool like = !p->addr.family && rule_kind_is_wildcard(r->rule->kind);
	bool net = p->addr.family && p->bits < 8 * addr_len(&p->addr);
	blocklist_rule_text(rule, r->key, r->rule->kind);
	if (p->addr.family && !net)
		*strchr(rule, '/') = 0;
	if (like)
		rule[0] = '%';
	size_t n = (size_t)snprintf(out, size, "[%s:value %s '",
				    p->addr.family == 4	  ? "ipv4-addr"
				    : p->addr.family == 6 ? "ipv6-addr"
							  : "domain-name",
				    like  ? "LIKE"
				    : net ? "ISSUBSET"
					  : "=");
	for (const char *c = rule; *c && n + 4 < size; c++) {
		if (*c == '\\' || *c == '\'')
			out[n++] = '\\';
		out[n++] = *c;
	}
	snprintf(out + n, size - n, "']");
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, cli_json_text(text));
}

static void set_reference(json_t *o, const char *text)
{
	char id[STIX_ID_TEXT];
	size_t mark;
	enum tlp t = tlp_from_text(text, &mark);
	if (t != TLP_NONE) {
		snprintf(id, sizeof id, "marking-definition--%s", tlp_level(t)->stix);
		json_object_set_new(o, "object_marking_refs", json_pack("[s]", id));
	}
	text += mark + (text[mark] == ' ' && mark);
	if (!*text)
		return;
	bool url = strncmp(text, "http", 4) == 0 && !strchr(text, ' ');
	json_object_set_new(o, "external_references",
			    json_pack("[{ss so}]", "source_name", "reference",
				      url ? "url" : "external_id", cli_json_text(text)));
}

static json_t *extension(const struct export_rule *r)
{
	char data[TOOL_DATA_TEXT_MAX];
	json_t *o = json_pack("{ss ss}", "extension_type", "property-extension",
			      "rule_kind", blocklist_kind_text(r->key, r->rule->kind));
	if (r->rule->action != RULE_GIVEN)
		set_text(o, "rule_action",
			 rule_action_text((enum rule_action)r->rule->action));
	set_text(o, "rule_data", tool_data_text(data, &r->entry.data, true));
	set_text(o, "family", r->entry.family);
	set_text(o, "authority", r->entry.authority);
	return json_pack("{so}", FEED_STIX_EXTENSION, o);
}

static int stix_rule(struct export *x, const struct export_rule *r)
{
	const struct blocklist_entry *e = &r->entry;
	char id[STIX_ID_TEXT], name[BLOCKLIST_RULE_TEXT_MAX + 96],
		rule[BLOCKLIST_RULE_TEXT_MAX];
	char pattern[2 * BLOCKLIST_RULE_TEXT_MAX + 64];
	bool client = r->key->prefix.addr.family && r->rule->kind == RULE_ADDR_CLIENT;
	/* Whoever does not know the extension would block it, or take a subscriber for an
	 * attacker. */
	if (r->action == RULE_PASSTHRU || client) {
		x->lost[EXPORT_HARMLESS]++;
		return ERR_OK;
	}
	snprintf(name, sizeof name, "%s %s %s", r->list->name,
		 blocklist_kind_text(r->key, r->rule->kind),
		 blocklist_rule_text(rule, r->key, r->rule->kind));
	pattern_of(pattern, sizeof pattern, r);
	uint32_t from = r->rule->starts ? r->rule->starts : e->first_listed;
	uint32_t changed =
		r->list->loaded > e->first_listed ? r->list->loaded : e->first_listed;
	json_t *o = json_pack("{ss ss ss so so ss so so}", "type", "indicator",
			      "spec_version", "2.1", "id", make_id(id, "indicator", name),
			      "created", stix_time(e->first_listed), "modified",
			      stix_time(changed), "pattern_type", "stix", "pattern",
			      cli_json_text(pattern), "valid_from", stix_time(from));
	if (r->rule->expires > from)
		json_object_set_new(o, "valid_until", stix_time(r->rule->expires));
	if (e->confidence <= 100)
		json_object_set_new(o, "confidence", json_integer(e->confidence));
	set_text(o, "name", e->reason);
	if (e->category[0])
		json_object_set_new(o, "indicator_types",
				    json_pack("[o]", cli_json_text(e->category)));
	set_reference(o, e->reference);
	json_object_set_new(o, "extensions", extension(r));
	put_object(o, false);
	return ERR_OK;
}

const struct export_format export_stix = {
	.name = "stix",
	.begin = stix_begin,
	.rule = stix_rule,
	.end = stix_end,
};
