#include "resolver/explain.h"

#include <time.h>

#include "resolver/client.h"

static int fail(char error[CONTROL_ERROR_MAX], int err, const char *what)
{
	snprintf(error, CONTROL_ERROR_MAX, "%s", what);
	return err;
}

/* "*.name" for wildcards, "address/bits" for prefixes. */
static void rule_text(char out[DNS_NAME_TEXT_MAX + 2], const struct policy_asked *q,
		      const struct policy_reason *r)
{
	const uint8_t *name = q->name;
	if (r->trigger == RULE_ON_CLIENT) {
		struct addr plain = addr_unmap(&q->client);
		struct prefix p = prefix_of(&plain, r->rule.labels);
		prefix_to_text(out, &p);
		return;
	}
	for (unsigned n = name_labels(name); n > r->rule.labels; n--)
		name = name_parent(name);
	bool wildcard = rule_kind_is_wildcard(r->rule.kind);
	if (wildcard)
		memcpy(out, "*.", 2);
	name_to_text(out + (wildcard ? 2 : 0), name);
}

static json_t *reason_json(const struct policy *p, const struct policy_asked *q,
			   const struct policy_reason *r)
{
	char text[DNS_NAME_TEXT_MAX + 2];
	const struct blocklist_list *l = blocklist_list(p->view, r->rule.list);
	bool client = r->trigger == RULE_ON_CLIENT;
	rule_text(text, q, r);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:I, s:s?}", "rule", text,
			 "kind",
			 client ? rule_use_text(r->rule.kind)
				: rule_kind_text((enum rule_kind)r->rule.kind),
			 "trigger", rule_trigger_text(r->trigger), "list",
			 l ? l->name : "?", "precedence", l ? l->precedence : 0, "action",
			 rule_action_text((enum rule_action)r->rule.action), "entry",
			 (json_int_t)r->rule.entry, "lost", r->lost);
}

static int read_asked(struct policy_asked *q, uint8_t name[DNS_NAME_MAX],
		      const json_t *request, struct blocklist_view *view,
		      char error[CONTROL_ERROR_MAX])
{
	const char *text = json_string_value(json_object_get(request, "name"));
	const char *client = json_string_value(json_object_get(request, "client"));
	if (!text || name_from_str(name, text))
		return fail(error, ERR_FORMAT, "name: not a domain name");
	q->name = name;
	q->server = json_is_true(json_object_get(request, "server"));
	if (!client)
		return ERR_OK;
	if (addr_from_text(&q->client, client, strlen(client)))
		return fail(error, ERR_FORMAT, "client: not an address");
	int err = client_class(&q->class, view, &q->client);
	return err ? fail(error, err, "the blocklist cannot be read") : ERR_OK;
}

int explain(json_t *answer, const json_t *request, struct blocklist_view *view,
	    const struct conf *conf, char error[CONTROL_ERROR_MAX])
{
	static const char *const kinds[] = {"pass", "act", "passthru"};
	struct policy_reason reason[BLOCKLIST_MATCHES_MAX];
	struct policy_asked q = {.class = POLICY_ALL};
	struct verdict v;
	uint8_t name[DNS_NAME_MAX];
	json_int_t at = json_integer_value(json_object_get(request, "at"));
	const struct policy p = {.view = view,
				 .now_s = (uint32_t)(at ? at : time(NULL)),
				 .default_action = conf->sinkhole.action};
	int err = read_asked(&q, name, request, view, error);
	if (err)
		return err;
	bool out = q.class == POLICY_NONE;
	q.class = out ? POLICY_ALL : q.class;
	int n = policy_explain(reason, BLOCKLIST_MATCHES_MAX, &v, &p, &q);
	if (n < 0)
		return fail(error, n, "the blocklist cannot be read");
	json_t *rules = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(rules, reason_json(&p, &q, &reason[i]));
	bool acts = v.kind != VERDICT_PASS && !out;
	json_object_set_new(answer, "opted_out", json_boolean(out));
	json_object_set_new(answer, "verdict",
			    json_string(acts ? kinds[v.kind] : "pass"));
	json_object_set_new(answer, "action",
			    acts ? json_string(rule_action_text(v.action)) : json_null());
	json_object_set_new(answer, "rules", rules);
	return ERR_OK;
}
