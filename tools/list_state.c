#include "tools/list_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "resolver/state_file.h"
#include "tools/cli.h"

/* "KEY VALUE" a line, behind a line that says what this is. Keys of a later version are
 * passed over; what is missing is zero. */

#define FIRST_LINE "sinkholed feed 1"
enum {
	PRINTED_MAX = 2048,  /* above all keys and values */
	FOLDER_MODE = 02770, /* as the blocklist's: all list operators' */
};

enum kind { TEXT, NUMBER32, NUMBER64 };

static const struct field {
	const char *key;
	enum kind kind;
	size_t at, size;
} fields[] = {
#define FIELD(name, kind)                                       \
	{                                                       \
#name, kind, offsetof(struct list_state, name), \
			sizeof(((struct list_state *)0)->name)  \
	}
	FIELD(result, NUMBER32),   FIELD(text, TEXT),	       FIELD(checked, NUMBER32),
	FIELD(good, NUMBER32),	   FIELD(changed, NUMBER32),   FIELD(next, NUMBER32),
	FIELD(failures, NUMBER32), FIELD(content, TEXT),       FIELD(read_as, TEXT),
	FIELD(etag, TEXT),	   FIELD(modified, TEXT),      FIELD(epoch, NUMBER64),
	FIELD(names, NUMBER64),	   FIELD(addresses, NUMBER64),
};
enum { FIELDS = sizeof fields / sizeof *fields };

const char *list_result_text(uint32_t result)
{
	static const char *const text[LIST_RESULT_N] = {"", "imported", "unchanged",
							"refused", "failed"};
	return result < LIST_RESULT_N ? text[result] : "?";
}

static bool read_number(uint64_t *out, struct state_word w)
{
	*out = 0;
	for (size_t i = 0; i < w.len; i++) {
		if (w.text[i] < '0' || w.text[i] > '9' ||
		    __builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(w.text[i] - '0'), out))
			return false;
	}
	return w.len > 0;
}

static bool read_field(struct list_state *s, const struct field *f, struct state_word w)
{
	char *to = (char *)s + f->at;
	uint64_t v;
	if (f->kind == TEXT) {
		if (w.len >= f->size || memchr(w.text, 0, w.len))
			return false;
		memcpy(to, w.text, w.len);
		to[w.len] = 0;
		return true;
	}
	if (!read_number(&v, w) || (f->kind == NUMBER32 && v > UINT32_MAX))
		return false;
	uint32_t small = (uint32_t)v;
	memcpy(to, f->kind == NUMBER32 ? (const void *)&small : &v, f->size);
	return true;
}

int list_state_parse(struct list_state *out, const char *text, size_t len)
{
	struct state_text t = state_text(text, len);
	struct state_word line;
	memset(out, 0, sizeof *out);
	if (!state_line(&t, &line) || !state_word_is(line, FIRST_LINE))
		return ERR_FORMAT;
	while (state_line(&t, &line)) {
		struct state_word key = state_word(&line);
		if (line.len) /* the blank behind the key */
			line.text++, line.len--;
		for (int i = 0; i < FIELDS; i++)
			if (state_word_is(key, fields[i].key) &&
			    !read_field(out, &fields[i], line))
				return ERR_FORMAT;
	}
	return out->result < LIST_RESULT_N ? ERR_OK : ERR_FORMAT;
}

/* A text's own line ends would begin keys. */
static void print_text(FILE *out, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' ? ' ' : *text, out);
}

size_t list_state_print(char *out, size_t size, const struct list_state *s)
{
	FILE *f = fmemopen(out, size, "w");
	if (!f)
		return 0;
	fputs(FIRST_LINE "\n", f);
	for (int i = 0; i < FIELDS; i++) {
		const char *at = (const char *)s + fields[i].at;
		uint64_t v = 0;
		uint32_t small = 0;
		fprintf(f, "%s ", fields[i].key);
		if (fields[i].kind == TEXT) {
			print_text(f, at);
		} else if (fields[i].kind == NUMBER32) {
			memcpy(&small, at, sizeof small);
			fprintf(f, "%" PRIu32, small);
		} else {
			memcpy(&v, at, sizeof v);
			fprintf(f, "%" PRIu64, v);
		}
		putc('\n', f);
	}
	long n = ftell(f);
	return fclose(f) || n < 0 ? 0 : (size_t)n;
}

int list_state_folder(char *out, size_t size, const struct cli *c)
{
	int status = cli_state_path(out, size, c, LIST_STATE_DIR);
	if (status != CLI_GO)
		return status;
	/* Against the umask, where it is made here. */
	if (mkdir(out, FOLDER_MODE) == 0)
		(void)!chmod(out, FOLDER_MODE);
	else if (errno != EEXIST)
		return cli_fail("cannot make %s: %s; make it for the group of the list "
				"operators, as sinkholed.tmpfiles does",
				out, strerror(errno));
	return CLI_GO;
}

static char *name_of(char out[LIST_STATE_FILE_MAX], const char *list)
{
	snprintf(out, LIST_STATE_FILE_MAX, "%s.state", list);
	return out;
}

int list_state_read(struct list_state *out, const char *dir, const char *list)
{
	char name[LIST_STATE_FILE_MAX], *text;
	size_t len;
	memset(out, 0, sizeof *out);
	int err = state_file_read(&text, &len, dir, name_of(name, list));
	if (err)
		return err == ERR_NOENT ? ERR_OK : err;
	err = list_state_parse(out, text, len);
	free(text);
	if (err)
		memset(out, 0, sizeof *out);
	return ERR_OK;
}

int list_state_write(const struct list_state *s, const char *dir, const char *list)
{
	char name[LIST_STATE_FILE_MAX], text[PRINTED_MAX];
	size_t n = list_state_print(text, sizeof text, s);
	return n ? state_file_write(dir, name_of(name, list), text, n) : ERR_NOMEM;
}
