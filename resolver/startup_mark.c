/* startup_mark.c: the mark of a process that serves, and what it tells the next one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/control.h"
#include "include/hash.h"
#include "resolver/log.h"
#include "resolver/startup.h"
#include "resolver/state_file.h"

#define MARK_FILE "running" /* there while a process serves from this state folder */

static void read_boot(char out[STARTUP_BOOT_MAX])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	*out = 0;
	if (f && fgets(out, STARTUP_BOOT_MAX, f))
		out[strcspn(out, " \n")] = 0;
	if (f)
		fclose(f);
}

/* Of LMDB's first two pages, of which each commit writes one to the disk. The file's time
 * may come there seconds later: fdatasync(2). */
static bool read_roots(uint64_t *out, int fd)
{
	static const struct hash_key key;
	size_t n = 2 * (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages = malloc(n);
	bool read = pages && pread(fd, pages, n, 0) == (ssize_t)n;
	if (read)
		*out = hash_bytes(&key, pages, n);
	free(pages);
	return read;
}

/* Another text after each write to it; empty when it cannot be read. */
static void read_file(char out[STARTUP_FILE_MAX], const struct conf *conf)
{
	char path[CONF_PATH_MAX + 32];
	struct stat st;
	uint64_t roots;
	*out = 0;
	snprintf(path, sizeof path, "%s/" CONTROL_BLOCKLIST_DIR "/data.mdb", conf->state);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && read_roots(&roots, fd))
		snprintf(out, STARTUP_FILE_MAX, "%llu-%llu-%lld-%lld.%09ld-%016llx",
			 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
			 (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec, (unsigned long long)roots);
	close(fd);
}

/* ---- the mark ---- */

static void copy_word(char *out, size_t room, struct state_word w)
{
	snprintf(out, room, "%.*s", (int)w.len, w.text);
}

/* What cannot be read says nothing, and that the blocklist is not to be trusted. */
static void parse(struct startup_mark *out, const char *text, size_t len)
{
	struct state_text t = state_text(text, len);
	struct state_word line;
	*out = (struct startup_mark){.starts = STARTUP_TRUSTED};
	while (state_line(&t, &line)) {
		struct state_word key = state_word(&line), value = state_word(&line);
		if (state_word_is(key, "boot"))
			copy_word(out->boot, sizeof out->boot, value);
		else if (state_word_is(key, "whole"))
			copy_word(out->whole, sizeof out->whole, value);
		else if (state_word_is(key, "starts") &&
			 !state_number(&out->starts, value))
			out->starts = STARTUP_TRUSTED;
	}
}

static int write_mark(const struct startup_mark *mark, const struct conf *conf)
{
	char text[STARTUP_BOOT_MAX + STARTUP_FILE_MAX + 64];
	int n = snprintf(text, sizeof text, "boot %s\nwhole %s\nstarts %u\n", mark->boot,
			 mark->whole, mark->starts);
	return state_file_write(conf->state, MARK_FILE, text, (size_t)n);
}

static bool same(const char *was, const char *is)
{
	return *is && strcmp(was, is) == 0;
}

int startup_begun(struct startup_mark *mark, bool *check_first, const struct conf *conf)
{
	struct startup_mark last = {.starts = 0};
	char *text;
	size_t len;
	int err = state_file_read(&text, &len, conf->state, MARK_FILE);
	bool ended = err == ERR_NOENT;
	if (!ended)
		parse(&last, text ? text : "", text ? len : 0);
	free(text);
	*mark = (struct startup_mark){.starts = STARTUP_TRUSTED};
	read_boot(mark->boot);
	read_file(mark->file, conf);
	memcpy(mark->whole, last.whole, sizeof mark->whole);
	*check_first = !ended &&
		       (last.starts >= STARTUP_TRUSTED ||
			!(same(last.boot, mark->boot) || same(last.whole, mark->file)));
	if (!*check_first)
		mark->starts = last.starts + 1;
	err = write_mark(mark, conf);
	if (err)
		log_error("state: cannot write %s/" MARK_FILE ": %s", conf->state,
			  strerror(errno));
	return err;
}

void startup_checked(struct startup_mark *mark, bool whole, const struct conf *conf)
{
	mark->starts = whole ? 0 : STARTUP_TRUSTED;
	if (whole)
		memcpy(mark->whole, mark->file, sizeof mark->whole);
	if (write_mark(mark, conf))
		log_warning("state: cannot write %s/" MARK_FILE
			    ": %s; after an end that is not in order the next start will "
			    "check the blocklist first",
			    conf->state, strerror(errno));
}

void startup_ended(const struct conf *conf)
{
	char path[CONF_PATH_MAX + 32];
	snprintf(path, sizeof path, "%s/" MARK_FILE, conf->state);
	unlink(path);
}
