#include "tools/question_line.h"

#include <jansson.h>

static bool parts(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\r';
}

/* The next field without its quotes; false at the end. */
static bool next_field(const char **text, size_t *len, const char **at, const char *end)
{
	const char *p = *at;
	while (p < end && parts(*p))
		p++;
	*text = p;
	while (p < end && !parts(*p))
		p++;
	*len = (size_t)(p - *text);
	*at = p;
	if (*len >= 2 && **text == '"' && (*text)[*len - 1] == '"')
		++*text, *len -= 2;
	return *len > 0;
}

/* "192.0.2.1", "192.0.2.1#53": as logs write it. */
static bool read_client(struct addr *out, const char *text, size_t len)
{
	const char *port = memchr(text, '#', len);
	if (port)
		len = (size_t)(port - text);
	return addr_from_text(out, text, len) == ERR_OK;
}

static enum question_line_is read_text(struct question_line *out, const char *line,
				       const char *end)
{
	const char *text;
	size_t len;
	if (!next_field(&text, &len, &line, end) || *text == '#')
		return QUESTION_LINE_NOTHING;
	if (name_from_text(out->name, text, len) != ERR_OK)
		return QUESTION_LINE_BAD;
	while (!out->client.family && next_field(&text, &len, &line, end))
		if (!read_client(&out->client, text, len))
			out->client.family = 0;
	return QUESTION_LINE_GOOD;
}

/* The first of some keys that is there as a text. */
static const char *one_of(const json_t *o, const char *const *keys)
{
	for (; *keys; keys++) {
		const char *text = json_string_value(json_object_get(o, *keys));
		if (text)
			return text;
	}
	return NULL;
}

static enum question_line_is read_json(struct question_line *out, const char *line,
				       size_t len)
{
	static const char *const names[] = {"qname",
					    "query",
					    "name",
					    "rrname",
					    "query_name",
					    "queryname",
					    "question.name",
					    "query.hostname",
					    "dns.question.name",
					    NULL};
	static const char *const clients[] = {"client",	   "client_ip",	    "src_ip",
					      "queryip",   "query_address", "query_ip",
					      "source.ip", "id.orig_h",	    NULL};
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *name = one_of(o, names), *client = one_of(o, clients);
	enum question_line_is is = QUESTION_LINE_BAD;
	if (name && name_from_text(out->name, name, strlen(name)) == ERR_OK)
		is = QUESTION_LINE_GOOD;
	if (client && !read_client(&out->client, client, strlen(client)))
		out->client.family = 0;
	json_decref(o);
	return is;
}

enum question_line_is question_line_read(struct question_line *out, const char *line,
					 size_t len)
{
	const char *end = line + len;
	out->client = (struct addr){0};
	while (line < end && parts(*line))
		line++;
	if (line < end && *line == '{')
		return read_json(out, line, (size_t)(end - line));
	return read_text(out, line, end);
}
