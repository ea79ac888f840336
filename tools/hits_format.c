/* The formats that are lines of text, and the table of all. */
#include "tools/hits_format.h"

#include "include/version.h"

/* ---- tsv: the table of the other commands, with a remark ---- */

static int tsv_begin(struct hits_out *o)
{
	struct cli_column *columns = o->columns; /* a table keeps no copy */
	memcpy(columns, hits_row_columns, (HITS_COLUMNS + 1) * sizeof *columns);
	columns[HITS_COLUMNS] = (struct cli_column){"remark", false};
	columns[HITS_COLUMNS + 1] = (struct cli_column){NULL, false};
	o->table = cli_table_open(columns, false);
	return o->table ? ERR_OK : ERR_NOMEM;
}

static int tsv_row(struct hits_out *o, const struct hit_row *row,
		   const struct hits_texts *t)
{
	struct hits_cells c;
	hits_cells(&c, row, t);
	c.cell[HITS_COLUMNS] = o->privacy->remark;
	cli_table_row(o->table, c.cell);
	return ERR_OK;
}

static int tsv_end(struct hits_out *o)
{
	if (o->table)
		cli_table_close(o->table);
	o->table = NULL;
	return ERR_OK;
}

/* ---- json: every field of the record ---- */

void hits_format_labels(struct hits_out *o, const char *key)
{
	const struct hits_privacy *p = o->privacy;
	if (key)
		json_line_open(&o->json, key, '{');
	json_line_text(&o->json, "evidence", HITS_EVIDENCE);
	json_line_some(&o->json, "key", p->key_id);
	json_line_some(&o->json, "purpose", p->purpose ? p->purpose : "");
	json_line_some(&o->json, "case", p->case_number ? p->case_number : "");
	if (key)
		json_line_close(&o->json, '}');
}

static int json_row(struct hits_out *o, const struct hit_row *row,
		    const struct hits_texts *t)
{
	hits_record_json(&o->json, row, t);
	hits_format_labels(o, NULL);
	json_line_end(&o->json);
	return ERR_OK;
}

/* ---- shadowserver: CSV with the columns of its Sinkhole DNS report ---- */

static int shadowserver_begin(struct hits_out *o)
{
	if (!o->goes_on)
		fputs("\"timestamp\",\"protocol\",\"src_ip\",\"src_port\",\"src_asn\","
		      "\"src_geo\",\"src_region\",\"src_city\",\"src_hostname\","
		      "\"src_naics\",\"src_sector\",\"device_vendor\",\"device_type\","
		      "\"device_model\",\"infection\",\"family\",\"tag\","
		      "\"query_type\",\"query\",\"count\"\n",
		      o->to);
	return ERR_OK;
}

/* RFC 4180. What a spreadsheet would take for a formula gets an apostrophe. */
static void csv(struct hits_out *o, const char *text)
{
	fprintf(o->to, ",\"%s", *text && strchr("=+-@", *text) ? "'" : "");
	for (; *text; text++)
		fprintf(o->to, *text == '"' ? "\"\"" : "%c", *text);
	putc('"', o->to);
}

static int shadowserver_row(struct hits_out *o, const struct hit_row *row,
			    const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	char number[16] = "";
	fprintf(o->to, "\"%.10s %.8s\"", t->time, t->time + 11);
	csv(o, h->transport == HIT_UDP ? "udp" : "tcp");
	csv(o, t->client);
	if (h->client.port)
		snprintf(number, sizeof number, "%u", h->client.port);
	csv(o, number);
	for (int i = 0; i < 10; i++) /* src_asn to device_model: not known here */
		csv(o, "");
	csv(o, *t->family ? t->family : t->category);
	csv(o, t->family);
	csv(o, o->privacy->remark);
	csv(o, t->type);
	csv(o, t->qname);
	snprintf(number, sizeof number, "%u", h->count);
	csv(o, number);
	putc('\n', o->to);
	return ERR_OK;
}

/* ---- cef ---- */

static void cef(struct hits_out *o, const char *key, const char *text)
{
	if (!*text)
		return;
	fprintf(o->to, " %s=", key);
	for (; *text; text++)
		fprintf(o->to, strchr("\\=", *text) ? "\\%c" : "%c", *text);
}

/* src and dst take IPv4 only. */
static void cef_address(struct hits_out *o, const char *key, const char *key6,
			const char *label, const struct addr *a, const char *text)
{
	cef(o, a->family == 4 ? key : key6, text);
	if (a->family == 6)
		fprintf(o->to, " %sLabel=%s", key6, label);
}

static void cef_port(struct hits_out *o, const char *key, uint16_t port)
{
	if (port)
		fprintf(o->to, " %s=%u", key, port);
}

static int cef_row(struct hits_out *o, const struct hit_row *row,
		   const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	fprintf(o->to,
		"CEF:0|sinkholed|sinkholed|" SINKHOLED_VERSION
		"|sinkhole-%s|Listed name asked for|3|rt=%llu",
		rule_action_text(h->action), (unsigned long long)h->time_us / 1000);
	cef_address(o, "src", "c6a2", "Source IPv6 Address", &h->client, t->client);
	cef_port(o, "spt", h->client.port);
	cef_address(o, "dst", "c6a3", "Destination IPv6 Address", &h->listener,
		    t->listener);
	cef_port(o, "dpt", h->listener.port);
	cef(o, "proto", h->transport == HIT_UDP ? "UDP" : "TCP");
	cef(o, "app", "DNS");
	cef(o, "dhost", t->qname);
	cef(o, "act", rule_action_text(h->action));
	cef(o, "cat", t->category);
	fprintf(o->to, " cnt=%u", h->count);
	cef(o, "dvchost", t->node);
	cef(o, "externalId", t->uid);
	cef(o, "cs1", t->list);
	cef(o, "cs1Label", "list");
	cef(o, "cs2", t->rule);
	cef(o, "cs2Label", "rule");
	cef(o, "cs3", t->family);
	if (*t->family)
		cef(o, "cs3Label", "family");
	cef(o, "cs4", t->type);
	cef(o, "cs4Label", "query type");
	cef(o, "cs5", o->privacy->remark);
	cef(o, "cs5Label", "remark");
	fprintf(o->to, " cn1=%llu cn1Label=entry\n", (unsigned long long)h->entry);
	return ERR_OK;
}

/* ---- misp: bodies for /sightings/add ---- */

static int misp_row(struct hits_out *o, const struct hit_row *row,
		    const struct hits_texts *t)
{
	struct json_line *j = &o->json;
	char source[HIT_NODE_MAX + HITS_REMARK_MAX + 16];
	snprintf(source, sizeof source, "sinkholed %s %s", t->node, o->privacy->remark);
	json_line_open(j, NULL, '{');
	json_line_open(j, "values", '[');
	/* What the event has is the rule's name; the question may be below it. */
	json_line_text(j, NULL,
		       *t->rule && row->hit.trigger != RULE_ON_CLIENT ? t->rule
								      : t->qname);
	json_line_close(j, ']');
	json_line_text(j, "type", "0"); /* seen */
	json_line_text(j, "source", source);
	json_line_number(j, "timestamp", row->hit.time_us / 1000000);
	json_line_end(j);
	return ERR_OK;
}

/* ---- the table ---- */

static int nothing(struct hits_out *o)
{
	(void)o;
	return ERR_OK;
}

static const struct hits_format formats[] = {
	{"tsv", HITS_TABLE, tsv_begin, tsv_row, tsv_end},
	{"json", HITS_LINES, nothing, json_row, nothing},
	{"ocsf", HITS_LINES, nothing, hits_format_ocsf, nothing},
	{"ecs", HITS_LINES, nothing, hits_format_ecs, nothing},
	{"shadowserver", HITS_TABLE, shadowserver_begin, shadowserver_row, nothing},
	{"cef", HITS_LINES, nothing, cef_row, nothing},
	{"misp", HITS_LINES, nothing, misp_row, nothing},
};

const struct hits_format *hits_format_find(const char *name)
{
	static const struct hits_format *const others[] = {&hits_format_stix,
							   &hits_format_dnstap};
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(others[i]->name, name) == 0)
			return others[i];
	return NULL;
}
