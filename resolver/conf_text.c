#include <ctype.h>
#include <limits.h>
#include <stdarg.h>

#include "resolver/conf_keys.h"

/* ---- numbers with units ---- */

struct unit {
	const char *text;
	uint64_t scale;
};

static const struct unit sizes[] = {
	{"", 1},    {"B", 1},	  {"K", KIB},	{"M", MIB},	     {"G", 1024 * MIB},
	{"T", TIB}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {"TiB", TIB},
	{NULL, 0},
};

/* In milliseconds; a bare number is in the key's own unit. */
static const struct unit durations[] = {
	{"ms", 1},	    {"s", 1000},       {"m", 1000 * MINUTE},
	{"h", 1000 * HOUR}, {"d", 1000 * DAY}, {"w", UINT64_C(7000) * DAY},
	{NULL, 0},
};

static uint64_t unit_scale(const struct unit *units, const char *text)
{
	for (; units->text; units++)
		if (!strcmp(units->text, text))
			return units->scale;
	return 0;
}

/* The key's own unit, in the smallest unit of its table. */
static uint64_t natural(const struct conf_key *k)
{
	return k->type == CONF_SECONDS ? 1000 : 1;
}

int conf_number(uint64_t *out, const struct conf_key *k, const char *text)
{
	uint64_t v = 0, scale = natural(k);
	const char *p = text;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return ERR_RANGE;
	if (p == text)
		return ERR_FORMAT;
	if (*p) {
		if (k->type == CONF_NUMBER)
			return ERR_FORMAT;
		scale = unit_scale(k->type == CONF_SIZE ? sizes : durations, p);
		if (!scale)
			return ERR_FORMAT;
	}
	if (__builtin_mul_overflow(v, scale, &v) || v % natural(k))
		return ERR_RANGE;
	*out = v / natural(k);
	return ERR_OK;
}

/* ---- words for a person ---- */

/* The largest unit that divides v, so that 90 days read as 90d. */
static void number_text(char *out, size_t size, const struct conf_key *k, uint64_t v)
{
	const struct unit *units = k->type == CONF_SIZE ? sizes : durations;
	const struct unit *best = units; /* scale 1 */
	uint64_t small = v * natural(k);
	if (k->type == CONF_NUMBER || v == 0) {
		snprintf(out, size, "%llu", (unsigned long long)v);
		return;
	}
	for (const struct unit *u = units; u->text; u++)
		if (small % u->scale == 0 && u->scale > best->scale)
			best = u;
	snprintf(out, size, "%llu%s", (unsigned long long)(small / best->scale),
		 best->text);
}

void conf_range(char *out, size_t size, const struct conf_key *k)
{
	char lo[32], hi[32];
	*out = 0;
	if (k->type > CONF_MS || k->type == CONF_BOOL)
		return;
	number_text(lo, sizeof lo, k, k->min);
	number_text(hi, sizeof hi, k, k->max);
	snprintf(out, size, "%s to %s", lo, hi);
}

static void append(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void append(char *out, size_t size, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out + n, size - n, fmt, ap);
	va_end(ap);
}

void conf_describe(char *out, size_t size, const struct conf_key *k)
{
	static const char *const text[] = {
		[CONF_BOOL] = "true or false",
		[CONF_NUMBER] = "a whole number",
		[CONF_SIZE] = "a size in bytes or with K, M, G or T, such as 256M",
		[CONF_SECONDS] = "seconds or a duration such as 30s, 2h or 90d",
		[CONF_MS] = "milliseconds or a duration such as 1900ms or 2s",
		[CONF_TEXT] = "a text",
		[CONF_CHOICE] = "one of",
		[CONF_ACTION] = "given, address, nxdomain, nodata, refuse, drop, "
				"passthru, tcp-only or cname=NAME",
		[CONF_NAME] = "a domain name",
		[CONF_IPV4] = "an IPv4 address such as 192.0.2.1",
		[CONF_IPV6] = "an IPv6 address in quotes, such as \"2001:db8::1\"",
		[CONF_LISTEN] = "a list of ADDRESS@PORT, such as [192.0.2.1@53, "
				"\"2001:db8::1@53\"]",
		[CONF_SOURCES] =
			"a list of addresses, such as [192.0.2.1, \"2001:db8::1\"]",
		[CONF_NETS] = "a list of prefixes, such as [192.0.2.0/24, "
			      "\"2001:db8::/32\"]",
		[CONF_NAMES] = "a list of zones, such as [corp.example]",
		[CONF_ZONES] = "a list of zones with servers, such as [{zone: "
			       "corp.example, servers: [192.0.2.53]}]",
		[CONF_SERVERS] = "a list of ADDRESS or ADDRESS@PORT, such as "
				 "[192.0.2.53]",
		[CONF_LISTS] = "a list of lists, such as [{name: isac, url: "
			       "\"https://lists.example.net/isac.txt\"}]",
	};
	snprintf(out, size, "%s", text[k->type]);
	if (k->type != CONF_CHOICE)
		return;
	for (const struct conf_word *w = k->words; w->text; w++)
		append(out, size, "%s %s", w == k->words ? "" : ",", w->text);
}

/* ---- the nearest key ---- */

enum { PATH_LEN = 64 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Levenshtein distance, in one row. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[PATH_LEN + 1];
	size_t bn = strlen(b);
	if (strlen(a) > PATH_LEN || bn > PATH_LEN)
		return UINT_MAX;
	for (size_t j = 0; j <= bn; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0]++;
		for (size_t j = 0; j < bn; j++) {
			unsigned same = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = least(same, diagonal + 1, row[j] + 1);
		}
	}
	return row[bn];
}

static const char *last_word(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

const char *conf_nearest(char *out, size_t size, const struct conf_table *t,
			 const char *path)
{
	unsigned best = (unsigned)strlen(path) / 3 + 1;
	*out = 0;
	for (int i = 0; i < t->n; i++) {
		char group[PATH_LEN];
		const char *key = t->key[i].path, *dot = strchr(key, '.');
		unsigned d = distance(path, key);
		if (d < best) {
			best = d;
			snprintf(out, size, "%s", key);
		}
		if (!dot)
			continue;
		snprintf(group, sizeof group, "%.*s", (int)(dot - key), key);
		d = distance(path, group);
		if (d < best) {
			best = d;
			snprintf(out, size, "%s", group);
		}
	}
	/* A right word in the wrong place. */
	for (int i = 0; !*out && i < t->n; i++)
		if (!strcmp(last_word(path), last_word(t->key[i].path)))
			snprintf(out, size, "%s", t->key[i].path);
	return *out ? out : NULL;
}

/* ---- help ---- */

enum { HELP_WIDTH = 78 };

/* One comment, wrapped at words. */
static void comment(FILE *out, const char *indent, const char *text)
{
	size_t col = 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		if (col == 0 || col + 1 + n > HELP_WIDTH) {
			col = (size_t)fprintf(out, "%s%s#", col ? "\n" : "", indent) -
			      (col ? 1 : 0);
		}
		col += (size_t)fprintf(out, " %.*s", (int)n, p);
		p += n + strspn(p + n, " ");
	}
	putc('\n', out);
}

/* "a whole number, 1 to 256; default one per processor; needs a restart" */
static void facts(char *out, size_t size, const struct conf_key *k)
{
	char range[80];
	conf_describe(out, size, k);
	conf_range(range, sizeof range, k);
	if (*range)
		append(out, size, ", %s", range);
	if (k->def_note)
		append(out, size, "; default: %s", k->def_note);
	else
		append(out, size, "; default: %s", k->def);
	if (k->restart)
		append(out, size, "; needs a restart");
}

/* Prints the group's line where a new group begins; returns the key's indentation. */
static const char *help_group(FILE *out, const char *path, const char **group)
{
	const char *dot = strchr(path, '.');
	size_t n = dot ? (size_t)(dot - path) : 0;
	if (!dot)
		return "";
	if (!*group || strncmp(*group, path, n + 1) != 0)
		fprintf(out, "%.*s:\n", (int)n, path);
	*group = path;
	return "  ";
}

/* What is worked out stands as a comment. */
static void help_key(FILE *out, const char *indent, const struct conf_key *k)
{
	char text[512];
	comment(out, indent, k->help);
	facts(text, sizeof text, k);
	comment(out, indent, text);
	fprintf(out, "%s%s%s: %s\n", indent, k->def ? "" : "#", last_word(k->path),
		k->def ? k->def : "...");
}

/* An element of lists, behind a mark that makes all of it a comment. */
static void help_list(FILE *out)
{
	for (int i = 0; i < conf_of_list.n; i++) {
		fputs("#\n", out);
		help_key(out, "#   ", &conf_of_list.key[i]);
	}
}

void conf_help(FILE *out)
{
	const char *group = NULL;
	fputs("# sinkholed configuration: every key with its default. JSON works too.\n"
	      "# Sizes: K, M, G and T are powers of 1024. Durations: ms, s, m, h, d, w.\n"
	      "# IPv6 addresses need quotes. Try a file with: sinkholed --check -c "
	      "FILE\n",
	      out);
	for (int i = 0; i < conf_keys_n; i++) {
		putc('\n', out);
		help_key(out, help_group(out, conf_keys[i].path, &group), &conf_keys[i]);
	}
	help_list(out);
}

/* A word as mdoc takes it literally; at the start of a line a dot would be a macro. */
static size_t mdoc_word(FILE *out, const char *word, size_t n, bool first)
{
	size_t shown = n;
	if (first && (*word == '.' || *word == '\''))
		shown += (size_t)fprintf(out, "\\&");
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\\' || word[i] == '"')
			shown += (size_t)fprintf(out, word[i] == '"' ? "\\(dq" : "\\e") -
				 1;
		else
			putc(word[i], out);
	}
	return shown;
}

/* Text, wrapped at words; in mdoc a new sentence is a new line. */
static void mdoc_text(FILE *out, const char *text)
{
	size_t col = 0;
	bool sentence = true;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		bool first = sentence || col + 1 + n > HELP_WIDTH - 8;
		if (p != text)
			putc(first ? '\n' : ' ', out);
		col = (first ? 0 : col + 1) + mdoc_word(out, p, n, first);
		sentence = n > 1 && p[n - 1] == '.';
		p += n + strspn(p + n, " ");
	}
	putc('\n', out);
}

static void mdoc_table(FILE *out, const struct conf_table *t)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (int i = 0; i < t->n; i++) {
		const struct conf_key *k = &t->key[i];
		char text[512];
		fprintf(out, ".It Cm %s\n", k->path);
		mdoc_text(out, k->help);
		facts(text, sizeof text, k);
		append(text, sizeof text, ".");
		text[0] = (char)toupper((unsigned char)text[0]);
		mdoc_text(out, text);
		if (k->type == CONF_LISTS)
			mdoc_table(out, &conf_of_list);
	}
	fputs(".El\n", out);
}

void conf_help_mdoc(FILE *out)
{
	mdoc_table(out, &conf_whole);
}
