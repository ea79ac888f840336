/* The event formats: OCSF and ECS. */
#include <ldns/ldns.h>

#include "include/version.h"
#include "tools/hits_format.h"

/* A name without ports 0: what a pseudonym has. */
static void endpoint(struct json_line *j, const char *key, const char *ip,
		     const struct addr *a)
{
	if (!a->family)
		return;
	json_line_open(j, key, '{');
	json_line_text(j, "ip", ip);
	if (a->port)
		json_line_number(j, "port", a->port);
	json_line_close(j, '}');
}

/* The response code that an action leaves with; -1: the truth, or no answer. */
static int rcode_of(enum rule_action action)
{
	switch (action) {
	case RULE_ADDRESS:
	case RULE_NODATA:
	case RULE_LOCAL_DATA:
	case RULE_CNAME:
	case RULE_TCP_ONLY:
		return LDNS_RCODE_NOERROR;
	case RULE_NXDOMAIN:
		return LDNS_RCODE_NXDOMAIN;
	case RULE_REFUSE:
		return LDNS_RCODE_REFUSED;
	default:
		return -1;
	}
}

static const char *rcode_text(int rcode)
{
	return rcode == LDNS_RCODE_NXDOMAIN  ? "NXDOMAIN"
	       : rcode == LDNS_RCODE_REFUSED ? "REFUSED"
					     : "NOERROR";
}

/* ---- OCSF: numbers are the schema's ---- */

enum {
	OCSF_CATEGORY = 4,
	OCSF_CLASS = 4003,
	OCSF_QUERY = 1,
	OCSF_INFORMATIONAL = 1, /* as Shadowserver rates Sinkhole DNS */
	OCSF_DENIED = 2,
	OCSF_OBSERVED = 3,
	OCSF_MODIFIED = 4,
	OCSF_BLOCKED = 2,
	OCSF_DROPPED = 6,
	OCSF_LOGGED = 17,
	OCSF_OTHER = 99,
	OCSF_SERVER = 1,
	OCSF_INBOUND = 1,
};

static void ocsf_action(struct json_line *j, enum rule_action action)
{
	bool modified = action == RULE_ADDRESS || action == RULE_LOCAL_DATA ||
			action == RULE_CNAME || action == RULE_TCP_ONLY;
	json_line_number(j, "action_id",
			 action == RULE_MONITOR ? OCSF_OBSERVED
			 : modified		? OCSF_MODIFIED
						: OCSF_DENIED);
	json_line_number(j, "disposition_id",
			 action == RULE_MONITOR ? OCSF_LOGGED
			 : action == RULE_DROP	? OCSF_DROPPED
						: OCSF_BLOCKED);
}

static void ocsf_metadata(struct hits_out *o, const struct hit_row *row,
			  const struct hits_texts *t)
{
	struct json_line *j = &o->json;
	json_line_open(j, "metadata", '{');
	json_line_text(j, "version", "1.3.0");
	json_line_open(j, "product", '{');
	json_line_text(j, "name", "sinkholed");
	json_line_text(j, "vendor_name", "sinkholed");
	json_line_text(j, "version", SINKHOLED_VERSION);
	json_line_close(j, '}');
	json_line_open(j, "profiles", '[');
	json_line_text(j, NULL, "host");
	json_line_text(j, NULL, "security_control");
	json_line_close(j, ']');
	json_line_text(j, "uid", t->uid);
	json_line_number(j, "sequence", row->hit.sequence);
	json_line_close(j, '}');
	json_line_open(j, "device", '{');
	json_line_number(j, "type_id", OCSF_SERVER);
	json_line_some(j, "hostname", t->node);
	json_line_close(j, '}');
}

static void ocsf_rule(struct json_line *j, const struct hit *h,
		      const struct hits_texts *t)
{
	char number[HITS_NUMBER_TEXT_MAX];
	json_line_open(j, "firewall_rule", '{');
	json_line_text(j, "uid", hits_number(number, h->entry));
	json_line_some(j, "name", t->rule);
	json_line_text(j, "type", rule_trigger_text(h->trigger));
	json_line_close(j, '}');
	json_line_open(j, "policy", '{');
	json_line_some(j, "name", t->list);
	json_line_text(j, "version", hits_number(number, h->generation));
	json_line_close(j, '}');
	if (!*t->family && !*t->category)
		return;
	json_line_open(j, "malware", '[');
	json_line_open(j, NULL, '{');
	json_line_some(j, "name", t->family);
	json_line_open(j, "classification_ids", '[');
	json_line_number(j, NULL, *t->category ? OCSF_OTHER : 0);
	json_line_close(j, ']');
	if (*t->category) {
		json_line_open(j, "classifications", '[');
		json_line_text(j, NULL, t->category);
		json_line_close(j, ']');
	}
	json_line_close(j, '}');
	json_line_close(j, ']');
}

int hits_format_ocsf(struct hits_out *o, const struct hit_row *row,
		     const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	struct json_line *j = &o->json;
	bool udp = h->transport == HIT_UDP;
	int rcode = rcode_of(h->action);
	json_line_open(j, NULL, '{');
	json_line_number(j, "category_uid", OCSF_CATEGORY);
	json_line_number(j, "class_uid", OCSF_CLASS);
	json_line_number(j, "activity_id", OCSF_QUERY);
	json_line_number(j, "type_uid", OCSF_CLASS * 100 + OCSF_QUERY);
	json_line_number(j, "severity_id", OCSF_INFORMATIONAL);
	json_line_number(j, "time", h->time_us / 1000);
	json_line_number(j, "count", h->count);
	json_line_text(j, "message", "Listed name asked for");
	ocsf_metadata(o, row, t);
	endpoint(j, "src_endpoint", t->client, &h->client);
	endpoint(j, "dst_endpoint", t->listener, &h->listener);
	json_line_open(j, "connection_info", '{');
	json_line_number(j, "direction_id", OCSF_INBOUND);
	json_line_text(j, "protocol_name", udp ? "udp" : "tcp");
	json_line_number(j, "protocol_num", udp ? IPPROTO_UDP : IPPROTO_TCP);
	json_line_close(j, '}');
	json_line_open(j, "query", '{');
	json_line_text(j, "hostname", t->qname);
	json_line_text(j, "type", t->type);
	json_line_text(j, "class", "IN");
	json_line_close(j, '}');
	if (rcode >= 0)
		json_line_number(j, "rcode_id", (unsigned)rcode);
	ocsf_action(j, h->action);
	ocsf_rule(j, h, t);
	hits_format_labels(o, "unmapped");
	json_line_end(j);
	return ERR_OK;
}

/* ---- ECS ---- */

static void ecs_event(struct json_line *j, const struct hit *h,
		      const struct hits_texts *t)
{
	char action[40];
	bool seen = h->action == RULE_MONITOR;
	snprintf(action, sizeof action, "sinkhole-%s", rule_action_text(h->action));
	json_line_open(j, "event", '{');
	json_line_text(j, "kind", "alert");
	json_line_open(j, "category", '[');
	json_line_text(j, NULL, "network");
	json_line_close(j, ']');
	json_line_open(j, "type", '[');
	json_line_text(j, NULL, "protocol");
	json_line_text(j, NULL, seen ? "info" : "denied");
	json_line_close(j, ']');
	json_line_text(j, "action", action);
	json_line_text(j, "module", "sinkholed");
	json_line_text(j, "dataset", "sinkholed.hits");
	json_line_text(j, "id", t->uid);
	json_line_number(j, "sequence", h->sequence);
	json_line_close(j, '}');
}

static void ecs_rule(struct json_line *j, const struct hit *h, const struct hits_texts *t)
{
	char number[HITS_NUMBER_TEXT_MAX];
	json_line_open(j, "rule", '{');
	json_line_text(j, "id", hits_number(number, h->entry));
	json_line_some(j, "name", t->rule);
	json_line_some(j, "ruleset", t->list);
	json_line_some(j, "category", t->category);
	json_line_text(j, "version", hits_number(number, h->generation));
	json_line_close(j, '}');
	json_line_open(j, "threat", '{');
	json_line_open(j, "feed", '{');
	json_line_some(j, "name", t->list);
	json_line_close(j, '}');
	json_line_open(j, "indicator", '{');
	json_line_text(j, "type",
		       !h->prefix.addr.family	    ? "domain-name"
		       : h->prefix.addr.family == 4 ? "ipv4-addr"
						    : "ipv6-addr");
	json_line_some(j, "name", t->rule);
	json_line_close(j, '}');
	if (*t->family) {
		json_line_open(j, "software", '{');
		json_line_text(j, "name", t->family);
		json_line_text(j, "type", "Malware");
		json_line_close(j, '}');
	}
	json_line_close(j, '}');
}

static void ecs_dns(struct json_line *j, const struct hit *h, const struct hits_texts *t)
{
	int rcode = rcode_of(h->action);
	json_line_open(j, "dns", '{');
	json_line_text(j, "type", "query");
	json_line_open(j, "question", '{');
	json_line_text(j, "name", t->qname);
	json_line_text(j, "type", t->type);
	json_line_text(j, "class", "IN");
	json_line_close(j, '}');
	if (rcode >= 0)
		json_line_text(j, "response_code", rcode_text(rcode));
	json_line_close(j, '}');
}

int hits_format_ecs(struct hits_out *o, const struct hit_row *row,
		    const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	struct json_line *j = &o->json;
	json_line_open(j, NULL, '{');
	json_line_text(j, "@timestamp", t->time);
	json_line_open(j, "ecs", '{');
	json_line_text(j, "version", "8.11.0");
	json_line_close(j, '}');
	json_line_text(j, "message", "Listed name asked for");
	ecs_event(j, h, t);
	endpoint(j, "source", t->client, &h->client);
	endpoint(j, "destination", t->listener, &h->listener);
	json_line_open(j, "network", '{');
	json_line_text(j, "protocol", "dns");
	json_line_text(j, "transport", h->transport == HIT_UDP ? "udp" : "tcp");
	json_line_close(j, '}');
	ecs_dns(j, h, t);
	json_line_open(j, "observer", '{');
	json_line_text(j, "type", "dns");
	json_line_text(j, "product", "sinkholed");
	json_line_text(j, "version", SINKHOLED_VERSION);
	json_line_some(j, "hostname", t->node);
	json_line_close(j, '}');
	ecs_rule(j, h, t);
	json_line_open(j, "sinkholed", '{');
	json_line_number(j, "count", h->count);
	json_line_close(j, '}');
	hits_format_labels(o, "labels");
	json_line_end(j);
	return ERR_OK;
}
