/* update_parts.h: what the files of one list's update share: update_list.c (the course of
 * it), update_fetch.c (the file, and who may be asked for it).
 * Shape    a job is one list in one run
 * Threads  one */
#ifndef SINKHOLED_TOOLS_UPDATE_PARTS_H
#define SINKHOLED_TOOLS_UPDATE_PARTS_H

#include "tools/update_list.h"

enum update_file { FILE_PART, FILE_COPY, FILE_REFUSED, FILE_LOCK, FILE_N };

struct job {
	const struct update *u;
	const struct conf_list *list;
	struct list_state state;
	struct tool tool; /* open for reading while it is fetched, if there is a store */
	char read_as[FEED_FILE_SHA_MAX];
	bool stands; /* the list is as the last update left it */
	bool freed;  /* the host being asked is let through by a rule */
	struct feed_file file;
	int put_err;
	struct fetch_news news;
	int fd, lock;
	char file_name[FILE_N][LIST_STATE_FILE_MAX];
};

/* Fetches the list's URL into j->file, and checks what came. Why not: j->news.why. */
enum fetch_end update_fetch(struct job *j);
/* A sum over all that the configuration says of how to read the list. */
void list_read_as(char out[FEED_FILE_SHA_MAX], const struct conf_list *l);

#endif
