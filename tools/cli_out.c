#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

enum {
	CELL_MAX = 8192,	 /* local data of a rule is the longest; a name: 1,008 */
	PROGRESS_EVERY_MS = 100, /* ten drawings a second */
	BAR_MAX = 40,
	BAR_TEXT = 45, /* columns beside the bar */
};

/* ---- JSON ---- */

void cli_json(json_t *value)
{
	/* 15 digits: 1.247, not 1.2470000000000001. */
	if (json_dumpf(value, stdout,
		       JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == 0)
		putchar('\n');
	json_decref(value);
}

json_t *cli_json_text(const char *text)
{
	char clean[CELL_MAX];
	return json_string(cli_clean(clean, sizeof clean, text));
}

json_t *cli_json_text_or_null(const char *text)
{
	return *text ? cli_json_text(text) : json_null();
}

/* ---- tables ---- */

struct cli_table {
	const struct cli_column *columns;
	int n;
	enum { AS_JSON, AS_TSV, AS_MEASURING, AS_COLUMNS } as;
	size_t width[CLI_COLUMNS_MAX];
	char *kept[CLI_MEASURE_ROWS][CLI_COLUMNS_MAX];
	int kept_n;
	bool told[CLI_COLUMNS_MAX]; /* some row has something in this column */
	int last;		    /* the last column that is shown */
};

struct cli_table *cli_table_open(const struct cli_column *columns, bool json)
{
	struct cli_table *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->columns = columns;
	while (t->n < CLI_COLUMNS_MAX && columns[t->n].name) {
		t->width[t->n] = strlen(columns[t->n].name);
		t->n++;
	}
	t->as = json ? AS_JSON : isatty(STDOUT_FILENO) ? AS_MEASURING : AS_TSV;
	return t;
}

/* Characters, not bytes; text has been through cli_clean(). */
static size_t text_width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_padded(const struct cli_table *t, int i, const char *text)
{
	size_t have = text_width(text);
	int pad = have < t->width[i] ? (int)(t->width[i] - have) : 0;
	if (t->columns[i].number)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, i < t->last ? pad : 0, "");
	fputs(i < t->last ? "  " : "\n", stdout);
}

/* whole: no row comes after these, so a column that is empty in all of them would only
 * make lines longer than the terminal is wide. */
static void print_kept(struct cli_table *t, bool whole)
{
	for (int i = 0; i < t->n; i++) {
		t->told[i] = t->told[i] || !whole || i == 0;
		t->last = t->told[i] ? i : t->last;
	}
	for (int i = 0; i < t->n && t->kept_n; i++)
		if (t->told[i])
			print_padded(t, i, t->columns[i].name);
	for (int r = 0; r < t->kept_n; r++)
		for (int i = 0; i < t->n; i++) {
			if (t->told[i])
				print_padded(t, i, t->kept[r][i] ? t->kept[r][i] : "?");
			free(t->kept[r][i]);
		}
	t->kept_n = 0;
	t->as = AS_COLUMNS;
}

static void row_json(const struct cli_table *t, const char *const *cells)
{
	json_t *row = json_object();
	for (int i = 0; i < t->n; i++) {
		json_t *v = t->columns[i].number && *cells[i]
				    ? json_integer(strtoll(cells[i], NULL, 10))
				    : cli_json_text_or_null(cells[i]);
		json_object_set_new(row, t->columns[i].name, v);
	}
	cli_json(row);
}

void cli_table_row(struct cli_table *t, const char *const *cells)
{
	if (t->as == AS_JSON) {
		row_json(t, cells);
		return;
	}
	for (int i = 0; i < t->n; i++) {
		char clean[CELL_MAX];
		cli_clean(clean, sizeof clean, *cells[i] ? cells[i] : "-");
		if (t->as == AS_TSV) {
			printf("%s%c", clean, i + 1 < t->n ? '\t' : '\n');
		} else if (t->as == AS_COLUMNS) {
			print_padded(t, i, clean);
		} else {
			size_t w = text_width(clean);
			t->width[i] = w > t->width[i] ? w : t->width[i];
			t->told[i] = t->told[i] || *cells[i];
			t->kept[t->kept_n][i] = strdup(clean);
		}
	}
	if (t->as == AS_MEASURING && ++t->kept_n == CLI_MEASURE_ROWS)
		print_kept(t, false);
}

void cli_table_close(struct cli_table *t)
{
	if (t->as == AS_MEASURING)
		print_kept(t, true);
	free(t);
}

/* ---- progress ---- */

int64_t cli_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void cli_progress_start(struct cli_progress *p, const char *what)
{
	*p = (struct cli_progress){.what = what, .on = isatty(STDERR_FILENO) == 1};
	p->start_ms = cli_now_ms();
}

static int bar_width(void)
{
	struct winsize w;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
		return BAR_MAX;
	int room = (int)w.ws_col - BAR_TEXT;
	return room > BAR_MAX ? BAR_MAX : room;
}

void cli_progress_at(struct cli_progress *p, uint64_t done, uint64_t total)
{
	int64_t now = p->on ? cli_now_ms() : 0;
	if (!p->on || now - p->last_ms < PROGRESS_EVERY_MS)
		return;
	p->last_ms = now;
	p->drawn = true;
	double s = (double)(now - p->start_ms) / 1000;
	if (total == 0) {
		fprintf(stderr, "\r%-10s %12llu  %6.1f s\033[K", p->what,
			(unsigned long long)done, s);
		return;
	}
	done = done > total ? total : done;
	double share = (double)done / (double)total;
	int width = bar_width(), full = width > 0 ? (int)(share * width) : 0;
	fprintf(stderr, "\r%-10s ", p->what);
	if (width > 4) {
		static const char hashes[] = "########################################";
		fprintf(stderr, "[%.*s%*s] ", full, hashes, width - full, "");
	}
	fprintf(stderr, "%3.0f %%  %.1f s\033[K", share * 100, s);
}

void cli_progress_end(struct cli_progress *p)
{
	int why = errno; /* of what ended the work: the caller tells of it next */
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
	errno = why;
}
