#include "resolver/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/conf.h"

enum {
	PATH_ROOM = CONF_PATH_MAX + 64,
	MODE = 0640,
};

static const char *path_in(char out[PATH_ROOM], const char *dir, const char *name,
			   const char *suffix)
{
	snprintf(out, PATH_ROOM, "%s/%s%s", dir, name, suffix);
	return out;
}

/* ---- a whole file ---- */

static int read_all(char *text, size_t *len, int fd)
{
	ssize_t got;
	*len = 0;
	while ((got = read(fd, text + *len, STATE_FILE_MAX + 1 - *len)) > 0)
		*len += (size_t)got;
	if (got < 0)
		return ERR_IO;
	text[*len] = 0;
	return *len > STATE_FILE_MAX ? ERR_FULL : ERR_OK;
}

int state_file_read(char **text, size_t *len, const char *dir, const char *name)
{
	char path[PATH_ROOM];
	*text = NULL;
	int fd = open(path_in(path, dir, name, ""), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_IO;
	*text = malloc(STATE_FILE_MAX + 2);
	int err = *text ? read_all(*text, len, fd) : ERR_NOMEM;
	close(fd);
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0)
			return ERR_IO;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? ERR_IO : ERR_OK;
}

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? ERR_IO : ERR_OK;
	if (fd >= 0)
		close(fd);
	return err;
}

int state_file_write(const char *dir, const char *name, const char *text, size_t len)
{
	char path[PATH_ROOM], fresh[PATH_ROOM];
	path_in(path, dir, name, "");
	path_in(fresh, dir, name, ".new");
	if (unlink(fresh) && errno != ENOENT) /* of a killed process, or a link */
		return ERR_IO;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (fd < 0)
		return ERR_IO;
	int err = write_all(fd, text, len);
	if (close(fd))
		err = ERR_IO;
	if (!err && rename(fresh, path))
		err = ERR_IO;
	return err ? err : sync_folder(dir);
}

int state_file_set_aside(const char *dir, const char *name)
{
	char path[PATH_ROOM], aside[PATH_ROOM];
	return rename(path_in(path, dir, name, ""), path_in(aside, dir, name, ".damaged"))
		       ? ERR_IO
		       : ERR_OK;
}

/* ---- lines and words ---- */

bool state_line(struct state_text *t, struct state_word *line)
{
	if (t->at == t->end)
		return false;
	const char *stop = memchr(t->at, '\n', (size_t)(t->end - t->at));
	const char *end = stop ? stop : t->end;
	*line = (struct state_word){t->at, (size_t)(end - t->at)};
	t->at = stop ? stop + 1 : t->end;
	t->line++;
	return true;
}

struct state_word state_word(struct state_word *line)
{
	while (line->len && *line->text == ' ') {
		line->text++;
		line->len--;
	}
	struct state_word w = {line->text, 0};
	while (w.len < line->len && line->text[w.len] != ' ')
		w.len++;
	line->text += w.len;
	line->len -= w.len;
	return w;
}

bool state_word_is(struct state_word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.text, text, w.len);
}

bool state_number(uint32_t *out, struct state_word w)
{
	uint64_t v = 0;
	for (size_t i = 0; i < w.len && v <= UINT32_MAX; i++) {
		if (w.text[i] < '0' || w.text[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.text[i] - '0');
	}
	*out = (uint32_t)v;
	return w.len > 0 && v <= UINT32_MAX;
}
