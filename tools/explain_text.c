#include "tools/explain_text.h"

#include <string.h>

#include "include/hex.h"
#include "tools/blocklist_tool.h"

json_t *explain_request(const struct explain_options *o, const char *what)
{
	return json_pack("{s:s s:o s:I s:b s:s*}", "command", "explain", "name",
			 cli_json_text(what), "at", (json_int_t)o->at, "server",
			 o->server, "client", o->client);
}

/* ---- what the answer holds in numbers ---- */

static void unfold_time(json_t *rule, const char *key)
{
	char text[CLI_TIME_TEXT_MAX];
	json_t *at = json_object_get(rule, key);
	if (json_is_integer(at))
		json_object_set_new(
			rule, key,
			json_string(cli_time_text(text, json_integer_value(at))));
}

/* Local data: from hexadecimal digits to a list of records. */
static void unfold_data(json_t *rule)
{
	char text[TOOL_DATA_TEXT_MAX];
	const char *hex = json_string_value(json_object_get(rule, "data"));
	struct blocklist_data d = {.len = 0};
	struct blocklist_rr rr;
	json_t *all = json_array();
	if (hex)
		d.len = (uint16_t)hex_get(d.bytes, sizeof d.bytes, hex);
	if (blocklist_data_check(d.bytes, d.len))
		d.len = 0;
	for (size_t at = 0; blocklist_data_next(&d, &at, &rr);)
		json_array_append_new(all, cli_json_text(tool_rr_text(text, &rr)));
	json_object_set_new(rule, "data", all);
}

static void unfold(json_t *answer)
{
	size_t i;
	json_t *rule;
	json_array_foreach(json_object_get(answer, "rules"), i, rule)
	{
		unfold_time(rule, "starts");
		unfold_time(rule, "until");
		unfold_time(rule, "first_listed");
		unfold_data(rule);
	}
}

/* ---- for a person ---- */

/* "" for null. */
static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void line(const char *what, const char *text)
{
	char clean[TOOL_DATA_TEXT_MAX];
	if (*text)
		printf("     %-10s %s\n", what, cli_clean(clean, sizeof clean, text));
}

static void print_rule(const json_t *rule, size_t i)
{
	static const char *const more[][2] = {
		{"garden", "garden"},	    {"starts", "starts"},
		{"until", "until"},	    {"listed", "first_listed"},
		{"family", "family"},	    {"category", "category"},
		{"reason", "reason"},	    {"reference", "reference"},
		{"authority", "authority"}, {"by", "operator"},
	};
	size_t at;
	json_t *data;
	const char *lost = text_of(rule, "lost");
	printf("  %zu. %s%s%s\n", i + 1, text_of(rule, "rule"),
	       *lost ? ", does not decide: " : ", decides", lost);
	line("covers", text_of(rule, "kind"));
	printf("     %-10s %s, precedence %lld, %s\n", "list", text_of(rule, "list"),
	       number_of(rule, "precedence"), text_of(rule, "mode"));
	line("action", text_of(rule, "action"));
	json_array_foreach(json_object_get(rule, "data"), at, data)
	{
		line("data", json_string_value(data));
	}
	for (size_t k = 0; k < sizeof more / sizeof *more; k++)
		line(more[k][0], text_of(rule, more[k][1]));
	if (json_is_integer(json_object_get(rule, "confidence")))
		printf("     %-10s %lld %%\n", "confidence",
		       number_of(rule, "confidence"));
	printf("     %-10s %lld\n", "entry", number_of(rule, "entry"));
}

/* "address" alone would tell a list operator nothing. */
static const char *what_happens(const char *action)
{
	static const char *const text[RULE_ACTION_N] = {
		[RULE_ADDRESS] = "answered with the sinkhole's address",
		[RULE_NXDOMAIN] = "answered with NXDOMAIN: there is no such name",
		[RULE_NODATA] = "answered with no data",
		[RULE_REFUSE] = "refused",
		[RULE_DROP] = "left without an answer",
		[RULE_TCP_ONLY] = "answered over TCP only",
		[RULE_LOCAL_DATA] = "answered with local data",
		[RULE_CNAME] = "sent to a walled garden",
	};
	int a = rule_action_from_text(action);
	return a >= 0 && text[a] ? text[a] : action;
}

/* What is blocked is rarely what was asked about when that is an address or server. */
static const char *whose(const char *trigger)
{
	if (strcmp(trigger, rule_trigger_text(RULE_ON_ANSWER)) == 0)
		return "what leads to it is ";
	return strncmp(trigger, "ns-", 3) == 0 ? "what it serves is " : "";
}

static void print_verdict(const json_t *a)
{
	const char *what = text_of(a, "query"), *verdict = text_of(a, "verdict");
	const json_t *client = json_object_get(a, "client");
	printf("%s", what);
	if (json_is_object(client))
		printf(" for %s (%s)", text_of(client, "address"),
		       text_of(client, "lists"));
	if (json_is_true(json_object_get(a, "local")))
		printf(": a local name, answered here before any list\n");
	else if (json_is_true(json_object_get(a, "opted_out")))
		printf(": resolved as it is; this client opted out\n");
	else if (strcmp(verdict, "act") == 0)
		printf(": %s%s, by list %s\n", whose(text_of(a, "trigger")),
		       what_happens(text_of(a, "action")), text_of(a, "list"));
	else if (strcmp(verdict, "passthru") == 0)
		printf(": let through, by list %s\n", text_of(a, "list"));
	else if (json_array_size(json_object_get(a, "rules")))
		printf(": resolved as it is; no rule that covers it acts now\n");
	else
		printf(": resolved as it is; it is on no list\n");
}

int explain_print(const struct cli *c, json_t *answer)
{
	size_t i;
	json_t *rule, *rules = json_object_get(answer, "rules");
	bool acts = strcmp(text_of(answer, "verdict"), "pass") != 0 &&
		    !json_is_true(json_object_get(answer, "local"));
	unfold(answer);
	if (c->json) {
		cli_json(answer);
		return acts ? CLI_DONE : CLI_NO;
	}
	print_verdict(answer);
	if (*text_of(answer, "ede_text"))
		printf("  the answer says: %s\n", text_of(answer, "ede_text"));
	json_array_foreach(rules, i, rule)
	{
		print_rule(rule, i);
	}
	json_decref(answer);
	return acts ? CLI_DONE : CLI_NO;
}
