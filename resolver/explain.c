#include "resolver/explain.h"

#include <time.h>

#include "include/hex.h"
#include "include/utf8.h"
#include "resolver/cause.h"
#include "resolver/client.h"
#include "resolver/iter.h"

struct explained {
	struct policy p;
	struct policy_asked asked;
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX]; /* of the name or address */
	struct addr from;	      /* the client as given */
	struct verdict verdict;
	struct policy_reason reason[POLICY_REASONS_MAX];
	int n;
};

/* ---- the question ---- */

/* A name, an address, or "192.0.2.1/32", as other commands write an address. */
static int read_what(struct explained *q, const char *text, char error[CONTROL_ERROR_MAX])
{
	struct prefix p = {0};
	size_t len = text ? strlen(text) : 0;
	struct addr *a = &q->asked.addr;
	int err = text ? prefix_from_text(&p, text, len) : ERR_FORMAT;
	if (!err && p.bits == 8 * addr_len(&p.addr)) {
		*a = addr_unmap(&p.addr);
		addr_to_text(q->text, a);
		return ERR_OK;
	}
	if (!err || err == ERR_INVAL) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "\"%s\" is a prefix: give one address in it; "
			 "\"sinkhole-blocklist list\" shows which prefixes are listed",
			 text);
		return ERR_INVAL;
	}
	if (!text || name_from_str(q->name, text)) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "\"%.100s\" is no domain name and no address", text ? text : "");
		return ERR_FORMAT;
	}
	q->asked.name = q->name;
	name_to_text(q->text, q->name);
	return ERR_OK;
}

static int read_client(struct explained *q, const char *text,
		       char error[CONTROL_ERROR_MAX])
{
	if (!text)
		return ERR_OK;
	if (addr_from_text(&q->from, text, strlen(text))) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "\"%.100s\" is not the address of a client", text);
		return ERR_FORMAT;
	}
	q->asked.client = addr_unmap(&q->from);
	return client_class(&q->asked.class, q->p.view, &q->from);
}

static int read_question(struct explained *q, const json_t *request,
			 char error[CONTROL_ERROR_MAX])
{
	const char *client = json_string_value(json_object_get(request, "client"));
	q->asked.class = POLICY_ALL;
	q->asked.server = json_is_true(json_object_get(request, "server"));
	int err =
		read_what(q, json_string_value(json_object_get(request, "name")), error);
	return err ? err : read_client(q, client, error);
}

/* ---- one rule ---- */

/* A rule knows how many labels or bits of what it matched are its own. */
static void rule_key(struct blocklist_key *key, const struct explained *q,
		     const struct policy_reason *r)
{
	const uint8_t *name = q->asked.name;
	memset(key, 0, sizeof *key);
	if (r->trigger == RULE_ON_CLIENT || !name) {
		bool client = r->trigger == RULE_ON_CLIENT;
		key->prefix = prefix_of(client ? &q->asked.client : &q->asked.addr,
					r->rule.labels);
		return;
	}
	for (unsigned n = name_labels(name); n > r->rule.labels; n--)
		name = name_parent(name);
	name_copy(key->name, name);
}

/* What a feed said: JSON takes nothing but UTF-8. null for nothing. */
static json_t *told(const char *text)
{
	char clean[BLOCKLIST_TEXT_MAX];
	utf8_clean(clean, sizeof clean, text, strlen(text));
	return *clean ? json_string(clean) : json_null();
}

static json_t *number_or_null(uint32_t n, bool known)
{
	return known ? json_integer(n) : json_null();
}

static void put_list(json_t *out, const struct blocklist_list *l)
{
	char garden[DNS_NAME_TEXT_MAX];
	bool leads = l && l->action == RULE_CNAME;
	json_object_set_new(out, "list", json_string(l ? l->name : "?"));
	json_object_set_new(out, "precedence", json_integer(l ? l->precedence : 0));
	json_object_set_new(out, "mode",
			    json_string(l ? blocklist_mode_text(l->mode) : "?"));
	json_object_set_new(out, "garden",
			    leads ? json_string(name_to_text(garden, l->garden))
				  : json_null());
}

static void put_entry(json_t *out, const struct blocklist_entry *e, bool list_leads)
{
	char data[2 * BLOCKLIST_DATA_MAX + 1];
	hex_put(data, e->data.bytes, list_leads ? 0 : e->data.len);
	json_object_set_new(out, "data", json_string(data));
	json_object_set_new(out, "first_listed",
			    number_or_null(e->first_listed, e->first_listed));
	json_object_set_new(out, "confidence",
			    number_or_null(e->confidence, e->confidence <= 100));
	json_object_set_new(out, "family", told(e->family));
	json_object_set_new(out, "category", told(e->category));
	json_object_set_new(out, "reason", told(e->reason));
	json_object_set_new(out, "reference", told(e->reference));
	json_object_set_new(out, "authority", told(e->authority));
	json_object_set_new(out, "operator", told(e->operator_name));
}

static json_t *reason_json(const struct explained *q, const struct policy_reason *r)
{
	const struct blocklist_list *l = blocklist_list(q->p.view, r->rule.list);
	char text[BLOCKLIST_RULE_TEXT_MAX];
	struct blocklist_key key;
	struct blocklist_entry e;
	uint32_t until = blocklist_until(&r->rule, l);
	rule_key(&key, q, r);
	if (blocklist_entry_of_rule(q->p.view, &e, &r->rule, &key))
		e = (struct blocklist_entry){.confidence = UINT8_MAX};
	json_t *out = json_pack(
		"{sb s:s? s:s s:s s:s s:s s:I}", "decides", !r->lost, "lost", r->lost,
		"rule", blocklist_rule_text(text, &key, r->rule.kind), "kind",
		blocklist_kind_text(&key, r->rule.kind), "trigger",
		rule_trigger_text(r->trigger), "action", rule_action_text(r->action),
		"entry", (json_int_t)r->rule.entry);
	put_list(out, l);
	json_object_set_new(out, "starts",
			    number_or_null(r->rule.starts, r->rule.starts));
	json_object_set_new(out, "until", number_or_null(until, until));
	put_entry(out, &e, l && l->action == RULE_CNAME);
	return out;
}

/* ---- the whole ---- */

/* Local zones answer first, but for a rule at or below their apex. */
static bool is_local(const struct explained *q, const struct conf *conf)
{
	struct local_answer a;
	if (!q->asked.name || q->asked.server ||
	    iter_local(&a, conf, q->name, DNS_A) == LOCAL_NONE)
		return false;
	return !cause_overrides(&q->verdict, &a);
}

static void put_verdict(json_t *out, const struct explained *q)
{
	static const char *const kinds[] = {"pass", "act", "passthru"};
	const struct verdict *v = &q->verdict;
	bool acts = v->kind != VERDICT_PASS;
	char text[ANSWER_EDE_TEXT_MAX];
	struct answer_policy how = {.verdict = v};
	struct cause why = {.list = NULL};
	if (acts) {
		cause_find(&why, &q->p, v);
		cause_tell(&how, text, &why, &q->p);
	}
	json_object_set_new(out, "verdict", json_string(kinds[v->kind]));
	json_object_set_new(out, "action",
			    acts ? json_string(rule_action_text(v->action))
				 : json_null());
	json_object_set_new(out, "trigger",
			    acts ? json_string(rule_trigger_text(v->trigger))
				 : json_null());
	json_object_set_new(out, "list",
			    why.list ? json_string(why.list->name) : json_null());
	bool ede = v->kind == VERDICT_ACT;
	json_object_set_new(out, "ede", ede ? json_integer(how.ede) : json_null());
	json_object_set_new(out, "ede_text", ede ? told(text) : json_null());
}

static void put_client(json_t *out, const struct explained *q)
{
	char addr[ADDR_TEXT_MAX], lists[CLIENT_TEXT_MAX];
	json_object_set_new(out, "opted_out",
			    json_boolean(q->asked.class == POLICY_NONE));
	json_object_set_new(out, "client", json_null());
	if (q->from.family)
		json_object_set_new(out, "client",
				    json_pack("{s:s s:s}", "address",
					      addr_to_text(addr, &q->from), "lists",
					      client_text(lists, q->p.view, &q->from)));
}

int explain(json_t *answer, const json_t *request, struct blocklist_view *view,
	    const struct conf *conf, char error[CONTROL_ERROR_MAX])
{
	json_int_t at = json_integer_value(json_object_get(request, "at"));
	struct explained q = {.p = {.view = view,
				    .stamp = blocklist_view_stamp(view),
				    .now_s = (uint32_t)(at ? at : time(NULL)),
				    .default_action = conf->sinkhole.action}};
	snprintf(error, CONTROL_ERROR_MAX, "the blocklist cannot be read");
	int err = read_question(&q, request, error);
	if (err)
		return err;
	q.n = policy_explain(q.reason, &q.verdict, &q.p, &q.asked);
	if (q.n < 0)
		return q.n;
	json_t *rules = json_array();
	for (int i = 0; i < q.n; i++)
		json_array_append_new(rules, reason_json(&q, &q.reason[i]));
	json_object_set_new(answer, "query", json_string(q.text));
	json_object_set_new(answer, "local", json_boolean(is_local(&q, conf)));
	put_verdict(answer, &q);
	put_client(answer, &q);
	json_object_set_new(answer, "rules", rules);
	return ERR_OK;
}
