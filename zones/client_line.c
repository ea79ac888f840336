#include "zones/client_line.h"

#include "include/utf8.h"

enum { FIELDS = 3, FIELD_MAX = 512 }; /* twice what is kept of a reason */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies a quoted field, "" in it as one; returns what is behind it, or NULL. */
static const char *take_quoted(char *out, const char *p, const char *end)
{
	size_t n = 0;
	out[0] = 0;
	for (p++; p < end; p++) {
		if (*p == '"' && (++p == end || *p != '"'))
			return p;
		if (n < FIELD_MAX - 1)
			out[n++] = *p;
		out[n] = 0;
	}
	return NULL;
}

static const char *take_plain(char *out, const char *p, const char *end)
{
	const char *comma = memchr(p, ',', (size_t)(end - p));
	const char *stop = comma ? comma : end, *last = stop;
	while (last > p && is_blank(last[-1]))
		last--;
	size_t n =
		(size_t)(last - p) < FIELD_MAX - 1 ? (size_t)(last - p) : FIELD_MAX - 1;
	memcpy(out, p, n);
	out[n] = 0;
	return stop;
}

/* Returns the number of fields, or -1. */
static int split(char field[FIELDS][FIELD_MAX], const char *p, const char *end)
{
	for (int n = 0; n < FIELDS; n++) {
		while (p < end && is_blank(*p))
			p++;
		p = p < end && *p == '"' ? take_quoted(field[n], p, end)
					 : take_plain(field[n], p, end);
		while (p && p < end && is_blank(*p))
			p++;
		if (!p || (p < end && *p != ','))
			return -1;
		if (p++ == end)
			return n + 1;
	}
	return -1;
}

static bool group_good(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return n < HIT_LIST_MAX;
}

enum client_line_error client_line_read(struct client_line *out, const char *line,
					size_t len)
{
	char field[FIELDS][FIELD_MAX] = {"", "", ""};
	const char *end = line + len, *comma = memchr(line, ',', len);
	/* In a reason # may be a ticket's number. */
	const char *comment = memchr(line, '#', comma ? (size_t)(comma - line) : len);
	end = comment ? comment : end;
	while (line < end && is_blank(*line))
		line++;
	*out = (struct client_line){.group = ""};
	if (line == end)
		return CLIENT_LINE_NOTHING;
	int n = split(field, line, end);
	if (n < 0)
		return CLIENT_LINE_FIELDS;
	if (strcasecmp(field[0], "prefix") == 0)
		return CLIENT_LINE_NOTHING;
	int err = prefix_from_text(&out->prefix, field[0], strlen(field[0]));
	if (err)
		return err == ERR_INVAL ? CLIENT_LINE_HOST_BITS : CLIENT_LINE_PREFIX;
	if (!group_good(field[1]))
		return CLIENT_LINE_GROUP;
	memcpy(out->group, field[1], strlen(field[1]) + 1);
	utf8_clean(out->reason, sizeof out->reason, field[2], strlen(field[2]));
	return CLIENT_LINE_GOOD;
}
