#include "tests/scenarios/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* ---- tools ---- */

bool is_word(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

/* Only the first counts: what follows is its consequence. */
void script_fail(struct script *s, int line, const char *format, ...)
{
	va_list ap;
	if (s->error[0])
		return;
	int n = snprintf(s->error, sizeof s->error, "%s:%d: ", s->file, line);
	if (n < 0 || n >= (int)sizeof s->error)
		return;
	va_start(ap, format);
	vsnprintf(s->error + n, sizeof s->error - (size_t)n, format, ap);
	va_end(ap);
}

void script_skip(struct script *s, const char *why)
{
	if (!s->skip[0])
		snprintf(s->skip, sizeof s->skip, "%s", why);
}

void *script_zero(struct script *s, size_t n)
{
	void *p = arena_zero(&s->arena, n);
	if (!p) {
		printf("%s: larger than this program can hold\n", s->file);
		exit(1);
	}
	return p;
}

void *script_copy_bytes(struct script *s, const void *bytes, size_t n)
{
	return memcpy(script_zero(s, n), bytes, n);
}

char *script_copy(struct script *s, const char *text)
{
	return script_copy_bytes(s, text, strlen(text) + 1);
}

void script_name(struct script *s, uint8_t out[DNS_NAME_MAX], const char *text)
{
	out[0] = 0;
	if (name_from_str(out, text)) {
		out[0] = 0;
		script_fail(s, s->line, "not a name: %s", text);
	}
}

struct addr script_addr(struct script *s, const char *text)
{
	struct addr a = {0};
	if (addr_from_text(&a, text, strlen(text))) {
		script_fail(s, s->line, "not an address: %s", text);
		a.family = 0;
	}
	return a;
}

/* ---- lines ---- */

char *script_raw_line(struct script *s)
{
	char *line = s->at;
	if (!line || s->error[0])
		return NULL;
	size_t n = strcspn(line, "\n");
	s->line++;
	s->at = line[n] ? line + n + 1 : NULL;
	line[n] = 0;
	return line;
}

/* A ';' inside quotes is data. */
static void cut_comment(char *line)
{
	bool quoted = false;
	for (; *line; line++) {
		if (*line == '\\' && line[1])
			line++;
		else if (*line == '"')
			quoted = !quoted;
		else if (*line == ';' && !quoted)
			*line = 0;
		if (!*line)
			return;
	}
}

static char *trim(char *line)
{
	static const char blank[] = " \t\r\f\v";
	line += strspn(line, blank);
	size_t n = strlen(line);
	while (n && strchr(blank, line[n - 1]))
		line[--n] = 0;
	return line;
}

bool script_line(struct script *s)
{
	char *line, *save = NULL;
	while ((line = script_raw_line(s))) {
		cut_comment(line);
		s->line_text = trim(line);
		s->words.n = 0;
		for (char *w = strtok_r(script_copy(s, s->line_text), " \t\r", &save);
		     w && s->words.n < SCRIPT_WORDS_MAX;
		     w = strtok_r(NULL, " \t\r", &save))
			s->words.w[s->words.n++] = w;
		if (s->words.n)
			return true;
	}
	return false;
}

/* ---- ranges and steps ---- */

static void add_range_addr(struct script *s, struct range *r, const char *text)
{
	struct range_addr *a = script_zero(s, sizeof *a);
	a->addr = script_addr(s, text);
	a->next = r->addrs;
	r->addrs = a;
}

/* $ORIGIN and $TTL may stand between entries. */
static bool read_directive(struct script *s)
{
	const struct words *w = &s->words;
	if (w->n == 2 && is_word(w->w[0], "$ORIGIN"))
		s->origin = w->w[1];
	else if (w->n == 2 && is_word(w->w[0], "$TTL"))
		s->ttl = (uint32_t)strtoul(w->w[1], NULL, 10);
	else
		return false;
	return true;
}

static void read_range(struct script *s)
{
	const struct words *w = &s->words;
	struct range *r = script_zero(s, sizeof *r);
	if (w->n < 3) {
		script_fail(s, s->line, "RANGE_BEGIN FROM TO");
		return;
	}
	r->from = strtoll(w->w[1], NULL, 10);
	r->to = strtoll(w->w[2], NULL, 10);
	r->entries_end = &r->entries;
	*s->ranges_end = r;
	s->ranges_end = &r->next;
	if (w->n > 3)
		add_range_addr(s, r, w->w[3]);
	while (script_line(s)) {
		if (is_word(w->w[0], "RANGE_END"))
			return;
		if (is_word(w->w[0], "ADDRESS") && w->n > 1) {
			add_range_addr(s, r, w->w[1]);
		} else if (is_word(w->w[0], "ENTRY_BEGIN")) {
			*r->entries_end = script_read_entry(s);
			r->entries_end = &(*r->entries_end)->next;
		} else if (!read_directive(s)) {
			script_fail(s, s->line, "ADDRESS, ENTRY_BEGIN or RANGE_END");
		}
	}
	script_fail(s, s->line, "RANGE_END is missing");
}

/* Steps are taken in the order of their numbers. */
static void insert_step(struct script *s, struct script_step *p)
{
	struct script_step **at = &s->steps;
	while (*at && (*at)->number <= p->number)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

static struct script_step *read_step(struct script *s)
{
	struct script_step *p = script_zero(s, sizeof *p);
	struct words *w = &p->words;
	if (s->words.n < 3) {
		script_fail(s, s->line, "STEP N KIND");
		return NULL;
	}
	p->number = strtoll(s->words.w[1], NULL, 10);
	p->line = s->line;
	w->n = s->words.n - 2;
	memcpy(w->w, s->words.w + 2, (size_t)w->n * sizeof *w->w);
	if (w->n > 2 && strcmp(w->w[1], "ADDRESS") == 0) {
		p->addr = script_addr(s, w->w[2]);
		w->n -= 2;
		memmove(w->w + 1, w->w + 3, (size_t)(w->n - 1) * sizeof *w->w);
	}
	insert_step(s, p);
	return p;
}

/* ---- the file ---- */

static void read_body(struct script *s)
{
	struct script_step *step = NULL;
	while (script_line(s)) {
		const struct words *w = &s->words;
		if (is_word(w->w[0], "SCENARIO_BEGIN"))
			snprintf(s->title, sizeof s->title, "%s",
				 s->line_text + strlen(w->w[0]) + (w->n > 1));
		else if (is_word(w->w[0], "RANGE_BEGIN"))
			read_range(s);
		else if (is_word(w->w[0], "STEP"))
			step = read_step(s);
		else if (is_word(w->w[0], "ENTRY_BEGIN") && step)
			step->entry = script_read_entry(s);
		else if (is_word(w->w[0], "ADDRESS") && step && w->n > 1)
			step->addr = script_addr(s, w->w[1]);
		else if (is_word(w->w[0], "FILE_BEGIN"))
			script_skip(s, "looks at a product's files");
		else if (is_word(w->w[0], "SCENARIO_END"))
			return;
		else if (!read_directive(s) && !is_word(w->w[0], "MANDATORY") &&
			 !is_word(w->w[0], "RANGE_END") && !s->skip[0])
			script_fail(s, s->line, "unknown word %s", w->w[0]);
	}
}

/* What no step of ours can tell. */
static void find_skips(struct script *s)
{
	static const char *const inside[] = {
		"CHECK_AUTOTRUST", "CHECK_TEMPFILE", "INFRA_RTT",	"FLUSH_MESSAGE",
		"EXPIRE_MESSAGE",  "ASSIGN",	     "CHECK_EDE_CACHE", "MOCK"};
	for (const struct script_step *p = s->steps; p; p = p->next) {
		const struct entry *e = p->entry;
		bool asks = is_word(p->words.w[0], "QUERY");
		for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
			if (is_word(p->words.w[0], inside[i]))
				script_skip(s, "looks inside a product");
		if (asks && e && e->raw)
			script_skip(s, "asks with raw bytes: not this layer's");
		if (asks && e && e->has_question && dns_type_is_meta(e->qtype) &&
		    e->qtype != DNS_ANY)
			script_skip(s, "asks for a meta type: not this layer's");
		if (!asks && e && e->flags & DNS_AD && !s->unchecked && s->trusted.n == 0)
			script_skip(s, "needs validation: expects AD");
	}
	if (!s->steps)
		script_skip(s, "has no steps");
}

/* NUL bytes would end the text early. */
static bool load(struct script *s)
{
	FILE *in = fopen(s->file, "rb");
	long size = -1;
	if (in && fseek(in, 0, SEEK_END) == 0)
		size = ftell(in);
	if (!in || size < 0 || size > SCRIPT_FILE_MAX) {
		script_fail(s, 0, "cannot be read");
	} else {
		rewind(in);
		s->at = script_zero(s, (size_t)size + 1);
		size_t got = fread(s->at, 1, (size_t)size, in);
		for (size_t i = 0; i < got; i++)
			if (!s->at[i])
				s->at[i] = ' ';
	}
	if (in)
		fclose(in);
	return !s->error[0];
}

bool script_read(struct script *s, const char *file, bool unchecked)
{
	*s = (struct script){.file = file, .unchecked = unchecked, .ttl = 3600};
	arena_init(&s->arena, 1 << 16, SCRIPT_MEMORY_MAX);
	s->ranges_end = &s->ranges;
	if (!load(s))
		return false;
	script_read_conf(s);
	read_body(s);
	find_skips(s);
	if (!s->hints.server_n && !s->conf.recursion.forward_n &&
	    !s->conf.recursion.stub_n)
		script_skip(s, "has no root server");
	return !s->error[0];
}

void script_free(struct script *s)
{
	anchor_records_fini(&s->trusted);
	arena_fini(&s->arena);
}
