#include <ldns/ldns.h>

#include "include/dns_text.h"
#include "include/hex.h"
#include "include/wire.h"
#include "tools/cli.h"
#include "tools/ctl_trace.h"

enum { LINE_MAX_LEN = 4096, INDENT = 4, EDE_TEXT_MAX = 512 };

bool ctl_trace_type(uint16_t *out, const char *text)
{
	*out = (uint16_t)ldns_get_rr_type_by_name(text);
	return *out != 0;
}

/* ---- numbers become words ---- */

static void name_type(json_t *step)
{
	char text[DNS_TYPE_TEXT_MAX];
	json_t *type = json_object_get(step, "type");
	if (json_is_integer(type))
		json_object_set_new(step, "type",
				    json_string(dns_type_text(
					    text, (unsigned)json_integer_value(type))));
}

static void name_rcode(json_t *step)
{
	json_t *rcode = json_object_get(step, "rcode");
	if (!json_is_integer(rcode))
		return;
	ldns_lookup_table *l =
		ldns_lookup_by_id(ldns_rcodes, (int)json_integer_value(rcode));
	if (l)
		json_object_set_new(step, "rcode", json_string(l->name));
}

/* ---- the message ---- */

static json_t *records(const ldns_rr_list *list)
{
	json_t *out = json_array();
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char clean[LINE_MAX_LEN];
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));
		if (!text)
			continue;
		for (char *p = text; *p; p++)
			*p = *p == '\t' || *p == '\n' ? ' ' : *p;
		size_t n = strlen(text);
		if (n && text[n - 1] == ' ')
			text[n - 1] = 0;
		json_array_append_new(out,
				      json_string(cli_clean(clean, sizeof clean, text)));
		free(text);
	}
	return out;
}

/* The Extended DNS Error among the options, RFC 8914 2. */
static void take_ede(json_t *out, const uint8_t *options, size_t len)
{
	struct wire_reader r = wire_reader(options, len);
	while (!r.err && wire_left(&r)) {
		char text[EDE_TEXT_MAX], clean[EDE_TEXT_MAX];
		unsigned code = wire_u16(&r), n = wire_u16(&r);
		const uint8_t *data = wire_take(&r, n);
		if (r.err || code != DNS_OPTION_EDE || n < 2)
			continue;
		snprintf(text, sizeof text, "%.*s", (int)n - 2, (const char *)data + 2);
		json_object_set_new(out, "ede", json_integer(wire_get16(data)));
		json_object_set_new(out, "ede_text",
				    json_string(cli_clean(clean, sizeof clean, text)));
	}
}

static json_t *read_message(const uint8_t *bytes, size_t len)
{
	ldns_pkt *p = NULL;
	if (ldns_wire2pkt(&p, bytes, len) != LDNS_STATUS_OK)
		return NULL;
	json_t *out = json_pack(
		"{s:i, s:b, s:o, s:o}", "rcode", (int)ldns_pkt_get_rcode(p), "truncated",
		(int)ldns_pkt_tc(p), "answer", records(ldns_pkt_answer(p)), "authority",
		records(ldns_pkt_authority(p)));
	const ldns_rdf *edns = ldns_pkt_edns_data(p);
	name_rcode(out);
	if (edns)
		take_ede(out, ldns_rdf_data(edns), ldns_rdf_size(edns));
	ldns_pkt_free(p);
	return out;
}

/* "message" in hex becomes "message" as an object. */
static void unfold_message(json_t *answer)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	const char *text = json_string_value(json_object_get(answer, "message"));
	size_t n = text ? hex_get(bytes, sizeof bytes, text) : 0;
	json_t *message = n ? read_message(bytes, n) : NULL;
	if (message)
		json_object_set_new(answer, "message", message);
}

static void unfold(json_t *answer)
{
	size_t i;
	json_t *step;
	name_type(answer);
	json_array_foreach(json_object_get(answer, "steps"), i, step)
	{
		name_type(step);
		name_rcode(step);
	}
	unfold_message(answer);
}

/* ---- steps as sentences ---- */

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static bool is(const json_t *o, const char *key, const char *word)
{
	return !strcmp(str(o, key), word);
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

/* A line that grows; what does not fit is cut. */
struct line {
	size_t n;
	char text[LINE_MAX_LEN];
};

static void put(struct line *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(l->text + l->n, sizeof l->text - l->n, format, args);
	va_end(args);
	l->n += n > 0 ? (size_t)n : 0;
	if (l->n >= sizeof l->text)
		l->n = sizeof l->text - 1;
}

static void put_rule(struct line *l, const json_t *step)
{
	const json_t *rule = json_object_get(step, "rule");
	if (!rule)
		return;
	put(l, "rule %s, list %s, entry %lld, action %s, trigger %s",
	    str(rule, "matched"), str(rule, "list"), number(rule, "entry"),
	    str(rule, "action"), str(rule, "trigger"));
	if (*str(rule, "family"))
		put(l, ", family %s", str(rule, "family"));
}

static void put_server(struct line *l, const json_t *step)
{
	const char *server = str(step, "server"), *address = str(step, "address");
	put(l, "%s%s%s", server, *server && *address ? " " : "", address);
}

static void put_policy(struct line *l, const json_t *step)
{
	const char *of = str(step, "addresses_of"), *name = str(step, "name");
	const char *server = str(step, "server"), *address = str(step, "address");
	long long n = number(step, "addresses");
	put(l, "policy: ");
	if (*of)
		put(l, "%lld address%s of %s", n, n == 1 ? "" : "es", of);
	else if (*name)
		put(l, "%s", name);
	else
		put_server(l, step);
	put(l, "%s%s", *of || *name || *server || *address ? ": " : "",
	    is(step, "verdict", "pass")	      ? "no rule"
	    : is(step, "verdict", "passthru") ? "freed by "
	    : is(step, "verdict", "monitor")  ? "watched by "
	    : *address			      ? "server refused by "
	    : *server			      ? "its address is not looked up: "
					      : "refused by ");
	put_rule(l, step);
}

static void put_client(struct line *l, const json_t *step)
{
	put(l, "client %s: %s", str(step, "address"),
	    json_is_true(json_object_get(step, "allowed"))
		    ? str(step, "class")
		    : "not covered by allow: REFUSED");
}

static void put_local(struct line *l, const json_t *step)
{
	put(l, "local zone %s: %s%s", str(step, "zone"), str(step, "what"),
	    json_is_true(json_object_get(step, "overridden"))
		    ? ", but a rule overrides it"
		    : "");
}

static void put_question(struct line *l, const json_t *step)
{
	if (is(step, "step", "question"))
		put(l, "question %lld: %s %s", number(step, "question"),
		    str(step, "name"), str(step, "type"));
	else if (is(step, "step", "joined"))
		put(l, "waits for question %lld: %s %s", number(step, "other"),
		    str(step, "name"), str(step, "type"));
	else
		put(l, "cannot ask for %s %s: no room, or it waits for itself",
		    str(step, "name"), str(step, "type"));
}

static void put_zone(struct line *l, const json_t *step)
{
	long long n = number(step, "servers");
	put(l, "begins at zone %s, from the %s: %lld server%s", str(step, "zone"),
	    is(step, "from", "cache")	? "cache"
	    : is(step, "from", "hints") ? "root hints"
					: "configuration",
	    n, plural(n));
}

static void put_cache(struct line *l, const json_t *step)
{
	long long n = number(step, "records");
	put(l, "%s: %s %s: ", is(step, "step", "cache") ? "cache" : "proved before",
	    str(step, "name"), str(step, "type"));
	if (is(step, "what", "data"))
		put(l, "%lld record%s, ", n, plural(n));
	else
		put(l, "%s, ", str(step, "what"));
	put(l, "%sTTL %lld",
	    json_is_true(json_object_get(step, "stale")) ? "stale, " : "",
	    number(step, "ttl"));
}

static void put_validation(struct line *l, const json_t *step)
{
	put(l, "validation: %s %s: %s%s%s", str(step, "name"), str(step, "type"),
	    str(step, "status"), *str(step, "why") ? ": " : "", str(step, "why"));
}

static void put_send(struct line *l, const json_t *step)
{
	bool left = is(step, "step", "send");
	if (left)
		put(l, "send %lld to ", number(step, "send"));
	else
		put(l, "not sent to ");
	put_server(l, step);
	put(l, " %s: %s %s", str(step, "transport"), str(step, "name"),
	    str(step, "type"));
	if (left)
		return;
	put(l, ": ");
	if (json_object_get(step, "rule"))
		put_rule(l, step);
	else if (is(step, "why", "forbidden"))
		put(l, "an address that is never asked");
	else
		put(l, "%s", str(step, "why"));
}

static void put_took(struct line *l, const json_t *step)
{
	if (json_object_get(step, "took_us"))
		put(l, " after %.1f ms", (double)number(step, "took_us") / 1000);
}

static void put_reply(struct line *l, const json_t *step)
{
	put(l, "reply %lld: ", number(step, "send"));
	if (is(step, "step", "no reply")) {
		put(l, "none, %s", str(step, "why"));
	} else {
		put(l, "%s", str(step, "what"));
		if (is(step, "what", "referral"))
			put(l, " to %s, %lld server%s", str(step, "zone"),
			    number(step, "servers"), plural(number(step, "servers")));
		put(l, ", %s, %lld bytes", str(step, "rcode"), number(step, "bytes"));
	}
	put_took(l, step);
}

static void put_done(struct line *l, const json_t *step)
{
	long long n = number(step, "rrsets");
	put(l, "question %lld ends: ", number(step, "question"));
	if (is(step, "verdict", "act")) {
		put(l, "%s is refused by ", str(step, "name"));
		put_rule(l, step);
		return;
	}
	put(l, "%s, %lld RRset%s", str(step, "rcode"), n, plural(n));
	if (json_object_get(step, "ede"))
		put(l, ", EDE %lld", number(step, "ede"));
	if (*str(step, "why"))
		put(l, ": %s", str(step, "why"));
}

static void put_step(struct line *l, const json_t *step)
{
	static const struct {
		const char *step;
		void (*put)(struct line *, const json_t *);
	} puts[] = {
		{"client", put_client},	  {"local zone", put_local},
		{"policy", put_policy},	  {"question", put_question},
		{"joined", put_question}, {"not asked", put_question},
		{"zone", put_zone},	  {"cache", put_cache},
		{"denied", put_cache},	  {"validation", put_validation},
		{"send", put_send},	  {"not sent", put_send},
		{"reply", put_reply},	  {"no reply", put_reply},
		{"done", put_done},
	};
	put(l, "%*s", (int)(number(step, "depth") * INDENT), "");
	for (size_t i = 0; i < sizeof puts / sizeof *puts; i++)
		if (is(step, "step", puts[i].step)) {
			puts[i].put(l, step);
			return;
		}
	put(l, "%s", str(step, "step"));
}

/* ---- the table ---- */

static void row(struct cli_table *t, long long us, const struct line *l)
{
	char ms[32], clean[LINE_MAX_LEN];
	snprintf(ms, sizeof ms, "%.1f", (double)us / 1000);
	cli_table_row(t,
		      (const char *const[]){ms, cli_clean(clean, sizeof clean, l->text)});
}

static void rows_of_records(struct cli_table *t, long long us, const json_t *message,
			    const char *section)
{
	size_t i;
	json_t *r;
	json_array_foreach(json_object_get(message, section), i, r)
	{
		struct line l = {0};
		put(&l, "%s: %s", section, json_string_value(r));
		row(t, us, &l);
	}
}

static void rows_of_end(struct cli_table *t, const json_t *answer)
{
	const json_t *message = json_object_get(answer, "message");
	long long us = number(answer, "us"), sends = number(answer, "sends");
	struct line l = {0};
	if (number(answer, "left_out")) {
		put(&l, "%lld more steps", number(answer, "left_out"));
		row(t, us, &l);
		l = (struct line){0};
	}
	if (json_is_object(message))
		put(&l, "answer: %s%s", str(message, "rcode"),
		    json_is_true(json_object_get(message, "truncated")) ? ", truncated"
									: "");
	else
		put(&l, "no answer: %s", str(answer, "outcome"));
	put(&l, ", %lld packet%s sent", sends, plural(sends));
	if (json_is_true(json_object_get(answer, "late")))
		put(&l, ", too late for answers.max_wait");
	if (json_object_get(message, "ede"))
		put(&l, ", EDE %lld%s%s", number(message, "ede"),
		    *str(message, "ede_text") ? ": " : "", str(message, "ede_text"));
	row(t, us, &l);
	rows_of_records(t, us, message, "answer");
	rows_of_records(t, us, message, "authority");
}

int ctl_trace_print(json_t *answer, bool json)
{
	static const struct cli_column columns[] = {
		{"ms", true}, {"step", false}, {NULL, false}};
	size_t i;
	json_t *step;
	unfold(answer);
	if (json) {
		cli_json(answer);
		return CLI_DONE;
	}
	struct cli_table *t = cli_table_open(columns, false);
	if (!t) {
		json_decref(answer);
		return cli_fail("out of memory");
	}
	json_array_foreach(json_object_get(answer, "steps"), i, step)
	{
		struct line l = {0};
		put_step(&l, step);
		row(t, number(step, "us"), &l);
	}
	rows_of_end(t, answer);
	cli_table_close(t);
	json_decref(answer);
	return CLI_DONE;
}
