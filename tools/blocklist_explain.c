#include <string.h>
#include <time.h>

#include "include/conf.h"
#include "resolver/cause.h"
#include "resolver/client.h"
#include "tools/blocklist_tool.h"

/* explain: what the resolver would do, asked of the code that does it, and why. */

struct explain {
	struct cli cli;
	struct tool tool;
	struct policy policy;
	struct policy_subject subject;
	const char *client;
	int64_t at;	  /* 0: now */
	bool by_name;	  /* else by address */
	bool server;	  /* as a name server's name */
	struct addr from; /* of the client */
	bool local_zones;
	uint8_t name[DNS_NAME_MAX];
	struct addr addr;
	char text[DNS_NAME_TEXT_MAX]; /* of either */
	struct verdict verdict;
	struct policy_reason reason[BLOCKLIST_MATCHES_MAX];
	int n;
};

/* ---- the question ---- */

static int read_query(struct explain *e)
{
	const char *text = e->cli.operands[0];
	e->by_name = addr_from_text(&e->addr, text, strlen(text)) != ERR_OK;
	if (!e->by_name) {
		e->addr = addr_unmap(&e->addr);
		addr_to_text(e->text, &e->addr);
		return CLI_GO;
	}
	struct prefix p;
	int err = prefix_from_text(&p, text, strlen(text));
	if (err == ERR_OK && p.bits == (p.addr.family == 4 ? 32 : 128)) {
		/* "192.0.2.1/32", as other commands write an address. */
		e->by_name = false;
		e->addr = p.addr;
		addr_to_text(e->text, &e->addr);
		return CLI_GO;
	}
	if (err == ERR_OK || err == ERR_INVAL)
		return cli_fail("\"%s\" is a prefix: give one address in it; \"list\" "
				"shows which prefixes are listed",
				text);
	if (name_from_str(e->name, text) != ERR_OK)
		return cli_fail("\"%s\" is no domain name and no address", text);
	name_to_text(e->text, e->name);
	return CLI_GO;
}

static int read_client(struct explain *e)
{
	struct addr a;
	if (!e->client)
		return CLI_GO;
	if (addr_from_text(&a, e->client, strlen(e->client)) != ERR_OK)
		return cli_fail("--client takes an address, not \"%s\"", e->client);
	e->from = addr_unmap(&a);
	int err = client_class(&e->subject.class, e->tool.view, &a);
	return err ? cli_fail("cannot read the store: %s", err_text(err)) : CLI_GO;
}

/* The action of rules that name none comes from the configuration. */
static int read_conf(struct explain *e)
{
	struct conf *conf;
	int status = cli_conf(&conf, &e->cli);
	if (status != CLI_GO)
		return status;
	e->policy.default_action = conf->sinkhole.action;
	e->local_zones = conf->recursion.local_zones;
	conf_free(conf);
	return CLI_GO;
}

static int judge(struct explain *e)
{
	/* Of who opted out all are told that would decide for others. */
	bool out = e->subject.class == POLICY_NONE;
	struct policy_asked q = {.class = out ? POLICY_ALL : e->subject.class,
				 .server = e->server,
				 .client = e->from,
				 .addr = e->addr};
	if (e->by_name)
		q.name = e->name, q.addr.family = 0;
	e->n = policy_explain(e->reason, BLOCKLIST_MATCHES_MAX, &e->verdict, &e->policy,
			      &q);
	if (e->n < 0)
		return cli_fail("cannot read the store: %s", err_text(e->n));
	if (out)
		e->verdict = (struct verdict){.kind = VERDICT_PASS};
	return CLI_GO;
}

/* ---- one rule ---- */

/* A rule knows how many labels or bits of the question are its own. */
static void rule_key(struct blocklist_key *key, const struct explain *e, int i)
{
	const struct rule *r = &e->reason[i].rule;
	memset(key, 0, sizeof *key);
	if (e->reason[i].trigger == RULE_ON_CLIENT || !e->by_name) {
		const struct addr *a = e->by_name ? &e->from : &e->addr;
		key->prefix = prefix_of(a, r->labels);
		return;
	}
	const uint8_t *name = e->name;
	for (unsigned n = name_labels(name); n > r->labels; n--)
		name = name_parent(name);
	name_copy(key->name, name);
}

/* Everything there is to tell about one rule, as text. */
struct told {
	char rule[BLOCKLIST_RULE_TEXT_MAX], until[CLI_TIME_TEXT_MAX],
		first[CLI_TIME_TEXT_MAX];
	const char *kind, *list, *mode, *action;
	unsigned precedence;
	char garden[DNS_NAME_TEXT_MAX]; /* of the list */
	struct blocklist_entry entry;
};

static void tell(struct told *t, const struct explain *e, int i)
{
	const struct rule *r = &e->reason[i].rule;
	const struct blocklist_list *l = blocklist_list(e->tool.view, r->list);
	struct blocklist_key key;
	memset(t, 0, sizeof *t);
	rule_key(&key, e, i);
	blocklist_rule_text(t->rule, &key, r->kind);
	tool_time(t->until, blocklist_until(r, l));
	t->kind = blocklist_kind_text(&key, r->kind);
	t->list = l ? l->name : "?";
	t->mode = l ? blocklist_mode_text(l->mode) : "?";
	t->precedence = l ? l->precedence : 0;
	unsigned action = l && l->action != RULE_GIVEN ? l->action : r->action;
	if (action == RULE_GIVEN)
		action = (unsigned)e->policy.default_action;
	t->action = rule_action_text((enum rule_action)action);
	if (l && l->action == RULE_CNAME)
		name_to_text(t->garden, l->garden);
	if (!e->reason[i].lost)
		t->action = rule_action_text(e->verdict.action);
	if (blocklist_entry_of_rule(e->tool.view, &t->entry, r, &key) == ERR_OK)
		tool_time(t->first, t->entry.first_listed);
}

/* ---- for a person ---- */

static void line(const char *what, const char *text)
{
	char clean[TOOL_DATA_TEXT_MAX];
	if (*text)
		printf("     %-10s %s\n", what, cli_clean(clean, sizeof clean, text));
}

static void print_data(const struct blocklist_data *d)
{
	char text[TOOL_DATA_TEXT_MAX];
	struct blocklist_rr rr;
	for (size_t at = 0; blocklist_data_next(d, &at, &rr);)
		line("data", tool_rr_text(text, &rr));
}

static json_t *data_json(const struct blocklist_data *d)
{
	char text[TOOL_DATA_TEXT_MAX];
	struct blocklist_rr rr;
	json_t *all = json_array();
	for (size_t at = 0; blocklist_data_next(d, &at, &rr);)
		json_array_append_new(all, cli_json_text(tool_rr_text(text, &rr)));
	return all;
}

static void print_rule(const struct explain *e, int i)
{
	struct told t;
	tell(&t, e, i);
	const char *lost = e->reason[i].lost;
	printf("  %d. %s%s%s\n", i + 1, t.rule,
	       lost ? ", does not decide: " : ", decides", lost ? lost : "");
	printf("     %-10s %s\n", "covers", t.kind);
	printf("     %-10s %s, precedence %u, %s\n", "list", t.list, t.precedence,
	       t.mode);
	line("action", t.action);
	if (*t.garden)
		line("garden", t.garden);
	else
		print_data(&t.entry.data);
	line("until", t.until);
	line("listed", t.first);
	line("family", t.entry.family);
	line("category", t.entry.category);
	if (t.entry.confidence <= 100)
		printf("     %-10s %u %%\n", "confidence", t.entry.confidence);
	line("reason", t.entry.reason);
	line("reference", t.entry.reference);
	line("authority", t.entry.authority);
	line("by", t.entry.operator_name);
}

/* Local zones answer first, but for a rule at or below their apex. */
static bool is_local(const struct explain *e)
{
	struct local_answer a;
	if (!e->by_name || e->server || !e->local_zones ||
	    local_find(&a, e->name, DNS_A) == LOCAL_NONE)
		return false;
	return !cause_overrides(&e->verdict, &a);
}

/* "address" alone would tell a list operator nothing. */
static const char *what_happens(enum rule_action a)
{
	switch (a) {
	case RULE_ADDRESS:
		return "answered with the sinkhole's address";
	case RULE_NXDOMAIN:
		return "answered with NXDOMAIN: there is no such name";
	case RULE_NODATA:
		return "answered with no data";
	case RULE_REFUSE:
		return "refused";
	case RULE_DROP:
		return "left without an answer";
	case RULE_TCP_ONLY:
		return "answered over TCP only";
	case RULE_LOCAL_DATA:
		return "answered with local data";
	case RULE_CNAME:
		return "sent to a walled garden";
	default:
		return rule_action_text(a);
	}
}

static void print_verdict(const struct explain *e)
{
	const struct verdict *v = &e->verdict;
	const struct blocklist_list *l =
		v->kind == VERDICT_PASS ? NULL
					: blocklist_list(e->tool.view, v->rule.list);
	if (is_local(e))
		printf("%s: a local name, answered here before any list\n", e->text);
	else if (e->subject.class == POLICY_NONE)
		printf("%s for %s: resolved as it is; this client opted out\n", e->text,
		       e->client);
	else if (v->kind == VERDICT_ACT)
		printf("%s: %s%s, by list %s\n", e->text,
		       e->by_name ? "" : "what leads to it is ", what_happens(v->action),
		       l ? l->name : "?");
	else if (v->kind == VERDICT_PASSTHRU)
		printf("%s: let through, by list %s\n", e->text, l ? l->name : "?");
	else if (e->n)
		printf("%s: resolved as it is; no rule that covers it acts now\n",
		       e->text);
	else
		printf("%s: resolved as it is; it is on no list\n", e->text);
}

/* ---- for a program ---- */

static json_t *rule_json(const struct explain *e, int i)
{
	struct told t;
	tell(&t, e, i);
	const struct blocklist_entry *n = &t.entry;
	json_t *o =
		json_pack("{sb so ss ss sI ss ss so so}", "decides", !e->reason[i].lost,
			  "rule", cli_json_text(t.rule), "kind", t.kind, "list", t.list,
			  "precedence", (json_int_t)t.precedence, "mode", t.mode,
			  "action", t.action, "until", cli_json_text_or_null(t.until),
			  "first_listed", cli_json_text_or_null(t.first));
	json_object_set_new(
		o, "lost",
		cli_json_text_or_null(e->reason[i].lost ? e->reason[i].lost : ""));
	json_object_set_new(o, "entry",
			    json_integer((json_int_t)e->reason[i].rule.entry));
	json_object_set_new(o, "data", data_json(&n->data));
	json_object_set_new(o, "family", cli_json_text_or_null(n->family));
	json_object_set_new(o, "category", cli_json_text_or_null(n->category));
	json_object_set_new(o, "confidence",
			    n->confidence <= 100 ? json_integer(n->confidence)
						 : json_null());
	json_object_set_new(o, "reason", cli_json_text_or_null(n->reason));
	json_object_set_new(o, "reference", cli_json_text_or_null(n->reference));
	json_object_set_new(o, "authority", cli_json_text_or_null(n->authority));
	json_object_set_new(o, "operator", cli_json_text_or_null(n->operator_name));
	return o;
}

static void print_json(const struct explain *e)
{
	static const char *const kinds[] = {"pass", "act", "passthru"};
	json_t *rules = json_array();
	for (int i = 0; i < e->n; i++)
		json_array_append_new(rules, rule_json(e, i));
	bool acts = e->verdict.kind != VERDICT_PASS;
	cli_json(json_pack(
		"{so ss so sb sb so}", "query", cli_json_text(e->text), "verdict",
		kinds[e->verdict.kind], "action",
		cli_json_text_or_null(acts ? rule_action_text(e->verdict.action) : ""),
		"opted_out", e->subject.class == POLICY_NONE, "local", is_local(e),
		"rules", rules));
}

int tool_explain(const struct cli_command *self, int argc, char **argv)
{
	struct explain e = {0};
	const struct cli_option options[] = {
		{"client", CLI_TEXT, &e.client, "ADDRESS", "on behalf of that client", 0,
		 0},
		{"at", CLI_EXPIRY, &e.at, "TIME",
		 "as it will be: 3d, 2026-01-31; of what is listed now", 0, 0},
		{"server", CLI_FLAG, &e.server, NULL, "as the name of a name server", 0,
		 0},
		{0},
	};
	int status = cli_parse(&e.cli, self, options, 1, 1, argc, argv);
	if (status == CLI_GO)
		status = read_query(&e);
	if (status == CLI_GO)
		status = read_conf(&e);
	if (status == CLI_GO)
		status = tool_open(&e.tool, &e.cli, BLOCKLIST_READ);
	if (status != CLI_GO)
		return status;
	e.policy.view = e.tool.view;
	e.policy.stamp = blocklist_view_stamp(e.tool.view);
	e.policy.now_s = (uint32_t)(e.at ? e.at : time(NULL));
	status = read_client(&e);
	if (status == CLI_GO)
		status = judge(&e);
	if (status == CLI_GO) {
		if (e.cli.json)
			print_json(&e);
		else
			print_verdict(&e);
		for (int i = 0; i < e.n && !e.cli.json; i++)
			print_rule(&e, i);
		bool acts = e.verdict.kind != VERDICT_PASS && !is_local(&e);
		status = acts ? CLI_DONE : CLI_NO;
	}
	tool_close(&e.tool);
	return status;
}
