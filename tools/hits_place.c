#include "tools/hits_place.h"

#include <inttypes.h>
#include <libgen.h>
#include <unistd.h>

#include "resolver/state_file.h"

/* dirname() and basename() write into what they are given. */
struct parts {
	char of_dir[HITS_PATH_MAX], of_name[HITS_PATH_MAX];
	const char *dir, *name;
};

static int split(struct parts *p, const char *file)
{
	if (strlen(file) >= HITS_PATH_MAX)
		return cli_fail("--place: the name is too long");
	p->dir = dirname(strcpy(p->of_dir, file));
	p->name = basename(strcpy(p->of_name, file));
	return CLI_GO;
}

static int bad_place(const char *file, int line)
{
	return cli_fail("%s:%d is no place of this export: it was made with other "
			"--hits folders; give those, or another --place",
			file, line);
}

static int read_line(struct hits *h, const char *line)
{
	struct hit_cursor at;
	int n = 0;
	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %n", &at.segment, &at.row, &n) != 2 ||
	    !n)
		return ERR_FORMAT;
	for (int i = 0; i < h->folders_n; i++)
		if (strcmp(h->dir[i], line + n) == 0) {
			h->folder[i].passed = at;
			return ERR_OK;
		}
	return ERR_NOENT;
}

int hits_place_parse(struct hits *h, char *text)
{
	char *line;
	for (int n = 1; (line = strsep(&text, "\n")) && *line; n++)
		if (read_line(h, line))
			return n;
	return 0;
}

int hits_place_read(struct hits *h, const char *file, bool *there)
{
	struct parts p;
	char *text = NULL;
	size_t len;
	int status = split(&p, file);
	if (status != CLI_GO)
		return status;
	int err = state_file_read(&text, &len, p.dir, p.name);
	*there = !err;
	if (err == ERR_NOENT)
		return CLI_GO;
	if (err)
		return cli_fail_file(file, "read", err);
	int line = hits_place_parse(h, text);
	free(text);
	for (int i = 0; !line && i < h->folders_n; i++)
		if (h->folder[i].passed.segment)
			hits_rows_after(h, i, h->folder[i].passed);
	return line ? bad_place(file, line) : CLI_GO;
}

size_t hits_place_print(char text[HITS_PLACE_TEXT_MAX], const struct hits *h)
{
	size_t n = 0;
	for (int i = 0; i < h->folders_n; i++) {
		const struct hit_cursor *at = &h->folder[i].passed;
		if (at->segment)
			n += (size_t)snprintf(text + n, HITS_PLACE_TEXT_MAX - n,
					      "%" PRIu64 " %" PRIu64 " %s\n", at->segment,
					      at->row, h->dir[i]);
	}
	return n;
}

int hits_place_write(const struct hits *h, const char *file)
{
	char text[HITS_PLACE_TEXT_MAX];
	struct parts p;
	int status = split(&p, file);
	if (status != CLI_GO)
		return status;
	int err = state_file_write(p.dir, p.name, text, hits_place_print(text, h));
	return err ? cli_fail_file(file, "write", err) : CLI_GO;
}
