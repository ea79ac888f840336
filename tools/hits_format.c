/* The formats that are lines of text, and the table of all. */
#include "tools/hits_format.h"

#include "include/version.h"

/* ---- tsv: the table of the other commands, with a remark ---- */

static int tsv_begin(struct hits_out *o)
{
	struct cli_column columns[HITS_COLUMNS + 2];
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

static void tsv_end(struct hits_out *o)
{
	if (o->table)
		cli_table_close(o->table);
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
		puts("\"timestamp\",\"protocol\",\"src_ip\",\"src_port\",\"src_asn\","
		     "\"src_geo\",\"src_region\",\"src_city\",\"src_hostname\","
		     "\"src_naics\",\"src_sector\",\"device_vendor\",\"device_type\","
		     "\"device_model\",\"infection\",\"family\",\"tag\","
		     "\"query_type\",\"query\",\"count\"");
	return ERR_OK;
}

/* RFC 4180. What a spreadsheet would take for a formula gets an apostrophe. */
static void csv(const char *text)
{
	printf(",\"%s", *text && strchr("=+-@", *text) ? "'" : "");
	for (; *text; text++)
		printf(*text == '"' ? "\"\"" : "%c", *text);
	putchar('"');
}

static int shadowserver_row(struct hits_out *o, const struct hit_row *row,
			    const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	char number[16] = "";
	printf("\"%.10s %.8s\"", t->time, t->time + 11);
	csv(h->transport == HIT_UDP ? "udp" : "tcp");
	csv(t->client);
	if (h->client.port)
		snprintf(number, sizeof number, "%u", h->client.port);
	csv(number);
	for (int i = 0; i < 10; i++) /* src_asn to device_model: not known here */
		csv("");
	csv(*t->family ? t->family : t->category);
	csv(t->family);
	csv(o->privacy->remark);
	csv(t->type);
	csv(t->qname);
	snprintf(number, sizeof number, "%u", h->count);
	csv(number);
	putchar('\n');
	return ERR_OK;
}

/* ---- cef ---- */

static void cef(const char *key, const char *text)
{
	if (!*text)
		return;
	printf(" %s=", key);
	for (; *text; text++)
		printf(strchr("\\=", *text) ? "\\%c" : "%c", *text);
}

/* src and dst take IPv4 only. */
static void cef_address(const char *key, const char *key6, const char *label,
			const struct addr *a, const char *text)
{
	cef(a->family == 4 ? key : key6, text);
	if (a->family == 6)
		printf(" %sLabel=%s", key6, label);
}

static void cef_port(const char *key, uint16_t port)
{
	if (port)
		printf(" %s=%u", key, port);
}

static int cef_row(struct hits_out *o, const struct hit_row *row,
		   const struct hits_texts *t)
{
	const struct hit *h = &row->hit;
	printf("CEF:0|sinkholed|sinkholed|" SINKHOLED_VERSION
	       "|sinkhole-%s|Listed name asked for|3|rt=%llu",
	       rule_action_text(h->action), (unsigned long long)h->time_us / 1000);
	cef_address("src", "c6a2", "Source IPv6 Address", &h->client, t->client);
	cef_port("spt", h->client.port);
	cef_address("dst", "c6a3", "Destination IPv6 Address", &h->listener, t->listener);
	cef_port("dpt", h->listener.port);
	cef("proto", h->transport == HIT_UDP ? "UDP" : "TCP");
	cef("app", "DNS");
	cef("dhost", t->qname);
	cef("act", rule_action_text(h->action));
	cef("cat", t->category);
	printf(" cnt=%u", h->count);
	cef("dvchost", t->node);
	cef("externalId", t->uid);
	cef("cs1", t->list);
	cef("cs1Label", "list");
	cef("cs2", t->rule);
	cef("cs2Label", "rule");
	cef("cs3", t->family);
	if (*t->family)
		cef("cs3Label", "family");
	cef("cs4", t->type);
	cef("cs4Label", "query type");
	cef("cs5", o->privacy->remark);
	cef("cs5Label", "remark");
	printf(" cn1=%llu cn1Label=entry\n", (unsigned long long)h->entry);
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

static int nothing_first(struct hits_out *o)
{
	(void)o;
	return ERR_OK;
}

static void nothing_last(struct hits_out *o)
{
	(void)o;
}

static const struct hits_format formats[] = {
	{"tsv", false, tsv_begin, tsv_row, tsv_end},
	{"json", false, nothing_first, json_row, nothing_last},
	{"ocsf", false, nothing_first, hits_format_ocsf, nothing_last},
	{"ecs", false, nothing_first, hits_format_ecs, nothing_last},
	{"shadowserver", false, shadowserver_begin, shadowserver_row, nothing_last},
	{"cef", false, nothing_first, cef_row, nothing_last},
	{"misp", false, nothing_first, misp_row, nothing_last},
};

const struct hits_format *hits_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return strcmp(name, hits_format_stix.name) == 0 ? &hits_format_stix : NULL;
}
