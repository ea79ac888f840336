/* The commands that show single hits: client, name, follow, export. */
#include <time.h>
#include <unistd.h>

#include "tools/hits_tool.h"

enum { FOLLOW_EVERY_MS = 200 };

/* ---- one hit as JSON, every field ----
 * Written by hand, not through a tree: exports run to millions of lines. */

/* Opens with the first field's "{" and parts the later ones with ",". */
static void json_key(const char *key)
{
	printf("%c\"%s\":", strcmp(key, "time") == 0 ? '{' : ',', key);
}

/* Printable text, as cli_clean() leaves it; "" is null. */
static void json_field_text(const char *key, const char *text)
{
	json_key(key);
	if (!*text) {
		fputs("null", stdout);
		return;
	}
	putchar_unlocked('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar_unlocked('\\');
		putchar_unlocked(*text);
	}
	putchar_unlocked('"');
}

static void json_field_number(const char *key, uint64_t v)
{
	json_key(key);
	printf("%llu", (unsigned long long)v);
}

static void json_field_addr(const char *key, const char *port_key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	json_field_text(key, a->family ? addr_to_text(text, a) : "");
	if (a->family)
		json_field_number(port_key, a->port);
	else
		json_field_text(port_key, "");
}

static void print_json(const struct hit_row *row)
{
	const struct hit *h = &row->hit;
	char text[DNS_NAME_TEXT_MAX];
	json_field_text("time", hits_time_text(text, h->time_us));
	json_key("clock_synced");
	fputs(h->clock_synced ? "true" : "false", stdout);
	json_field_text("node", cli_clean(text, sizeof text, row->node));
	snprintf(text, sizeof text, "%016llx", (unsigned long long)h->boot);
	json_field_text("boot", text);
	json_field_number("worker", h->worker);
	json_field_number("sequence", h->sequence);
	json_field_addr("client", "client_port", &h->client);
	json_field_addr("proxy", "proxy_port", &h->proxy);
	json_field_addr("listener", "listener_port", &h->listener);
	json_field_text("transport", hit_transport_text(h->transport));
	json_field_text("qname", name_to_text(text, h->qname));
	json_field_text("qtype", hits_type_text(text, h->qtype));
	json_field_text("trigger", rule_trigger_text(h->trigger));
	json_field_text("matched", name_to_text(text, h->matched));
	json_field_text("prefix",
			h->prefix.addr.family ? prefix_to_text(text, &h->prefix) : "");
	json_field_text("list", cli_clean(text, sizeof text, h->list));
	json_field_number("entry", h->entry);
	json_field_text("family", cli_clean(text, sizeof text, h->family));
	json_field_text("category", cli_clean(text, sizeof text, h->category));
	json_field_text("action", rule_action_text(h->action));
	json_field_number("generation", h->generation);
	json_field_number("count", h->count);
	fputs("}\n", stdout);
}

/* ---- one hit as a row ---- */

enum { COLUMNS = 12 };

/* On a terminal the heading says which clock it is; in a pipe there is none. */
static const struct cli_column row_columns[] = {
	{"time (UTC)", false}, {"client", false}, {"port", true},    {"over", false},
	{"type", false},       {"name", false},	  {"action", false}, {"list", false},
	{"entry", false},      {"family", false}, {"node", false},   {"count", true},
	{NULL, false},
};

struct cells {
	char time[HITS_TIME_TEXT_MAX], client[ADDR_TEXT_MAX], port[8];
	char type[HITS_TYPE_TEXT_MAX], name[DNS_NAME_TEXT_MAX], rule[DNS_NAME_TEXT_MAX];
	char count[16];
	const char *cell[COLUMNS];
};

static void fill_cells(struct cells *c, const struct hit_row *row)
{
	const struct hit *h = &row->hit;
	hits_time_text(c->time, h->time_us);
	addr_to_text(c->client, &h->client);
	snprintf(c->port, sizeof c->port, "%u", h->client.port);
	hits_type_text(c->type, h->qtype);
	name_to_text(c->name, h->qname);
	hits_rule_text(c->rule, h);
	snprintf(c->count, sizeof c->count, "%u", h->count);
	const char *cell[COLUMNS] = {
		c->time,
		c->client,
		c->port,
		hit_transport_text(h->transport),
		c->type,
		c->name,
		rule_action_text(h->action),
		h->list,
		c->rule,
		h->family,
		row->node,
		c->count,
	};
	memcpy(c->cell, cell, sizeof cell);
}

static void print_row(struct cli_table *t, const struct hit_row *row)
{
	struct cells c;
	if (!t) {
		print_json(row);
		return;
	}
	fill_cells(&c, row);
	cli_table_row(t, c.cell);
}

/* The newest rows, when only so many are wanted: kept until all have been read. */
struct newest {
	struct hit_row *rows;
	size_t n, room, next;
};

static int keep_newest(struct newest *k, const struct hit_row *row, size_t limit)
{
	if (k->n == k->room && k->n < limit) {
		size_t room = k->room ? 2 * k->room : 64;
		room = room < limit ? room : limit;
		void *more = realloc(k->rows, room * sizeof *k->rows);
		if (!more)
			return ERR_NOMEM;
		k->rows = more;
		k->room = room;
	}
	k->rows[k->next] = *row;
	k->next = (k->next + 1) % limit;
	k->n += k->n < limit;
	return ERR_OK;
}

static int print_newest(struct hits *h, struct cli_table *t, uint64_t *found)
{
	struct newest k = {0};
	struct hit_row row;
	int status = CLI_DONE;
	size_t limit = (size_t)h->limit;
	while (hits_next(h, &row, &status))
		if (keep_newest(&k, &row, limit)) {
			free(k.rows);
			return cli_fail("out of memory: take a smaller --limit");
		}
	cli_progress_end(&h->progress);
	for (size_t i = 0; i < k.n; i++)
		print_row(t, &k.rows[k.n < limit ? i : (k.next + i) % limit]);
	*found = k.n;
	free(k.rows);
	return status;
}

/* All wanted rows, in the order they were recorded. */
int hits_print_rows(struct hits *h)
{
	struct hit_row row;
	uint64_t found = 0;
	int status = hits_rows_open(h, h->limit ? "reading" : NULL);
	if (status != CLI_GO)
		return status;
	struct cli_table *t = h->cli.json ? NULL : cli_table_open(row_columns, false);
	status = CLI_DONE;
	if (!t && !h->cli.json)
		return hits_close(h, cli_fail("out of memory"));
	if (h->limit)
		status = print_newest(h, t, &found);
	else
		for (; hits_next(h, &row, &status); found++)
			print_row(t, &row);
	if (t)
		cli_table_close(t);
	if (!found)
		hits_note(h, "no hits\n");
	return hits_close(h, status);
}

int hits_name(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	int status = hits_parse(&h, self, NULL, 1, 1, argc, argv);
	if (status != CLI_GO)
		return status;
	h.name_text = h.cli.operands[0];
	return hits_print_rows(&h);
}

int hits_export(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	int status = hits_parse(&h, self, NULL, 0, 0, argc, argv);
	return status == CLI_GO ? hits_print_rows(&h) : status;
}

/* ---- follow ---- */

/* Widths cannot be measured ahead here: room for what is usual, the rest just shifts. */
static void print_live(const struct hit_row *row, bool tty)
{
	struct cells c;
	char clean[DNS_NAME_TEXT_MAX];
	fill_cells(&c, row);
	if (!tty) {
		for (int i = 0; i < COLUMNS; i++)
			printf("%s%c",
			       *c.cell[i] ? cli_clean(clean, sizeof clean, c.cell[i])
					  : "-",
			       i + 1 < COLUMNS ? '\t' : '\n');
		return;
	}
	char list[HIT_LIST_MAX], family[HIT_FAMILY_MAX];
	printf("%.19sZ  %-15s %5s  %-5s %-40s %-10s %-16s %-16s %s\n", c.time, c.client,
	       c.port, c.type, c.name, rule_action_text(row->hit.action),
	       cli_clean(list, sizeof list, row->hit.list),
	       cli_clean(family, sizeof family, row->hit.family), c.count);
}

int hits_follow(const struct cli_command *self, int argc, char **argv)
{
	struct hits h;
	struct hit_row row;
	const struct timespec pause = {.tv_nsec = FOLLOW_EVERY_MS * 1000000L};
	bool tty = isatty(STDOUT_FILENO);
	long left;
	int err, status = hits_parse(&h, self, NULL, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = hits_rows_open(&h, NULL);
	if (status != CLI_GO)
		return status;
	status = CLI_DONE;
	for (int i = 0; !h.since && i < h.folders_n; i++)
		if ((err = hit_read_to_end(h.folder[i].reader)) < 0)
			return hits_close(&h, cli_fail_file(h.dir[i], "read", err));
	if (tty && !h.cli.json)
		printf("%-20s  %-15s %5s  %-5s %-40s %-10s %-16s %-16s %s\n",
		       "time (UTC)", "client", "port", "type", "name", "action", "list",
		       "family", "count");
	left = h.limit;
	while (!*h.interrupted && !ferror(stdout)) {
		while (hits_next(&h, &row, &status)) {
			if (h.cli.json)
				print_json(&row);
			else
				print_live(&row, tty);
			if (h.limit && --left == 0) /* for scripts: wait for N hits */
				return hits_close(&h, status);
		}
		fflush(stdout);
		if (status != CLI_DONE)
			break;
		nanosleep(&pause, NULL);
	}
	return hits_close(&h, status);
}
