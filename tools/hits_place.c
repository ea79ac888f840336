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
			hits_rows_after(h, i, at);
			return ERR_OK;
		}
	return ERR_NOENT;
}

int hits_place_read(struct hits *h, const char *file, bool *there)
{
	struct parts p;
	char *text = NULL, *rest, *line;
	size_t len;
	int number = 0, status = split(&p, file);
	if (status != CLI_GO)
		return status;
	int err = state_file_read(&text, &len, p.dir, p.name);
	*there = !err;
	if (err == ERR_NOENT)
		return CLI_GO;
	if (err)
		return cli_fail_file(file, "read", err);
	for (rest = text; status == CLI_GO && (line = strsep(&rest, "\n")) && *line;) {
		number++;
		if (read_line(h, line))
			status = bad_place(file, number);
	}
	free(text);
	return status;
}

int hits_place_write(const struct hits *h, const char *file)
{
	char text[sizeof h->folders + HITS_FOLDERS_MAX * 2 * HITS_NUMBER_TEXT_MAX];
	struct parts p;
	size_t n = 0;
	int status = split(&p, file);
	if (status != CLI_GO)
		return status;
	for (int i = 0; i < h->folders_n; i++) {
		const struct hit_cursor *at = &h->folder[i].passed;
		if (at->segment)
			n += (size_t)snprintf(text + n, sizeof text - n,
					      "%" PRIu64 " %" PRIu64 " %s\n", at->segment,
					      at->row, h->dir[i]);
	}
	int err = state_file_write(p.dir, p.name, text, n);
	return err ? cli_fail_file(file, "write", err) : CLI_GO;
}
