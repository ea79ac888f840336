#include <yajl/yajl_parse.h>

#include "include/utf8.h"
#include "zones/feed_json.h"

/* yajl reads the tokens; here are paths, lines and limits. A reader sees a broken file's
 * values up to the damage, but the read then fails as a whole. */

/* ---- where we are ---- */

static void count_lines(struct feed_json *j, size_t to)
{
	const char *p = j->piece + j->counted, *end = j->piece + to;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL)
		p++, j->line++;
	if (to > j->counted)
		j->counted = to;
}

/* Before anything is handed out. */
static void arrive(struct feed_json *j)
{
	j->since = 0;
	count_lines(j, yajl_get_bytes_consumed(j->yajl));
	j->feed->line = j->line;
}

static int push(struct feed_json *j, bool object)
{
	if (j->depth == JSON_DEPTH_MAX) {
		char text[64];
		snprintf(text, sizeof text, "this JSON is nested deeper than %d",
			 JSON_DEPTH_MAX);
		j->stop = feed_json_wrong(j->feed, text);
		return 0;
	}
	j->level[j->depth].object = object;
	j->level[j->depth++].path_len = (uint16_t)j->path_len;
	return 1;
}

static void pop(struct feed_json *j)
{
	j->path_len = j->level[--j->depth].path_len;
	j->path[j->path_len] = 0;
}

/* ---- what yajl calls: 0 ends the parsing ---- */

static int go_on(struct feed_json *j, int stop)
{
	j->stop = stop;
	return stop == 0;
}

static int on_open(void *arg)
{
	struct feed_json *j = arg;
	arrive(j);
	if (!push(j, true))
		return 0;
	return !j->reader->open || go_on(j, j->reader->open(j->feed, j->path));
}

static int on_close(void *arg)
{
	struct feed_json *j = arg;
	arrive(j);
	pop(j);
	return !j->reader->close || go_on(j, j->reader->close(j->feed, j->path));
}

static int on_array(void *arg)
{
	arrive(arg);
	return push(arg, false);
}

static int on_array_end(void *arg)
{
	arrive(arg);
	pop(arg);
	return 1;
}

static int on_key(void *arg, const unsigned char *key, size_t len)
{
	struct feed_json *j = arg;
	size_t at = j->level[j->depth - 1].path_len;
	arrive(j);
	if (at)
		j->path[at++] = '/';
	/* A key that could be mistaken for a path is none that is looked for. */
	if (len == 0 || len > JSON_KEY_MAX || memchr(key, '/', len) ||
	    memchr(key, 0, len))
		key = (const unsigned char *)"?", len = 1;
	memcpy(j->path + at, key, len);
	j->path_len = at + len;
	j->path[j->path_len] = 0;
	return 1;
}

static int on_text(void *arg, const unsigned char *text, size_t len)
{
	struct feed_json *j = arg;
	const struct feed_span value = {(const char *)text, len};
	arrive(j);
	return go_on(j, j->reader->value(j->feed, j->path, value));
}

static int on_number(void *arg, const char *text, size_t len)
{
	return on_text(arg, (const unsigned char *)text, len);
}

static int on_boolean(void *arg, int value)
{
	return value ? on_number(arg, "true", 4) : on_number(arg, "false", 5);
}

static int on_null(void *arg)
{
	arrive(arg);
	return 1;
}

/* ---- what parsers call ---- */

int feed_json_open(struct feed_json *j, struct feed *f,
		   const struct feed_json_reader *reader)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_text,
		.yajl_start_map = on_open,
		.yajl_map_key = on_key,
		.yajl_end_map = on_close,
		.yajl_start_array = on_array,
		.yajl_end_array = on_array_end,
	};
	feed_json_close(j);
	*j = (struct feed_json){.reader = reader, .feed = f, .line = 1};
	f->line = 1;
	j->yajl = yajl_alloc(&callbacks, NULL, j);
	if (!j->yajl)
		return ERR_NOMEM;
	/* Texts are cleaned where they are kept: one bad byte is no bad file. */
	yajl_config(j->yajl, yajl_dont_validate_strings, 1);
	yajl_config(j->yajl, yajl_allow_multiple_values, (int)reader->many);
	return ERR_OK;
}

void feed_json_close(struct feed_json *j)
{
	if (j->yajl)
		yajl_free(j->yajl);
	j->yajl = NULL;
}

static int outcome(struct feed_json *j, yajl_status status)
{
	if (status == yajl_status_ok)
		return 0;
	if (status == yajl_status_client_canceled)
		return j->stop;
	count_lines(j, yajl_get_bytes_consumed(j->yajl));
	j->feed->line = j->line;
	unsigned char *why = yajl_get_error(j->yajl, 0, NULL, 0);
	char text[200];
	snprintf(text, sizeof text, "this is no good JSON: %.*s",
		 why ? (int)strcspn((char *)why, "\n") : 0, why ? (char *)why : "");
	if (why)
		yajl_free_error(j->yajl, why);
	return feed_json_wrong(j->feed, text);
}

int feed_json_bytes(struct feed *f, const char *text, size_t len)
{
	struct feed_json *j = f->state;
	j->piece = text;
	j->counted = 0;
	j->since += len;
	int stop = outcome(j, yajl_parse(j->yajl, (const unsigned char *)text, len));
	if (stop)
		return stop;
	count_lines(j, len);
	f->line = j->line;
	if (j->since > JSON_VALUE_MAX)
		return feed_json_wrong(f, "a value in this JSON is longer than 1 MiB");
	return 0;
}

int feed_json_end(struct feed *f)
{
	struct feed_json *j = f->state;
	j->piece = "";
	j->counted = 0;
	return outcome(j, yajl_complete_parse(j->yajl));
}

int feed_json_wrong(struct feed *f, const char *what)
{
	snprintf(f->out->error, sizeof f->out->error, "%s", what);
	return ERR_FORMAT;
}

void feed_json_copy(char *out, size_t size, struct feed_span value)
{
	utf8_clean(out, size, value.text, value.len);
}

void feed_json_text(char *out, size_t size, const char *text)
{
	utf8_clean(out, size, text, strlen(text));
}

void feed_json_append(char *out, size_t size, const char *text)
{
	size_t have = strlen(out), more = strlen(text);
	if (!more || have + (have != 0) + more >= size)
		return;
	if (have)
		out[have++] = ' ';
	memcpy(out + have, text, more + 1);
}

bool feed_json_true(struct feed_span value)
{
	return feed_span_is(value, "true") || feed_span_is(value, "1");
}
