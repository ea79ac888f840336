/* hit_store.h: one segment of the hit log, an LMDB file; and the list of segments.
 * Shape    DIR/NUMBER-DAY.hits and its lock file; keys in hit_store.c. Rows stand in the
 *          order of their commits; the drain positions of the rings in the same tree
 * Units    times in microseconds since 1970, UTC
 * Memory   a page's rows point into the caller's buffer; nothing of the map leaves
 * Threads  one at a time per struct; open a file once per process
 * Errors   ERR_FULL disk, ERR_RANGE segment full (take a new one), ERR_NOENT missing or
 *          without content, ERR_DAMAGED, ERR_VERSION, ERR_ACCESS, ERR_IO; errno is set
 * Source   DESIGN.md "The hit log", SECURITY.md 3
 *
 * Readers never block the writer. They need the lock file to be writable for them: data
 * files are 0640, lock files 0660, the group comes from the folder (2750). */
#ifndef SINKHOLED_HIT_STORE_H
#define SINKHOLED_HIT_STORE_H

#include "resolver/hit_record.h"

enum {
	HIT_STORE_PATH_MAX = 1200,  /* CONF_PATH_MAX and a file name */
	HIT_STORE_PAGE_ROWS = 2048, /* rows a reader gets at a time: some milliseconds */
	HIT_STORE_FULL_PERCENT = 80,
};

/* Names a row for ever; later rows are greater, over all segments. */
struct hit_cursor {
	uint64_t commit_us;
	uint32_t n;
};

/* What a segment says about itself. */
struct hit_segment {
	uint64_t number;
	struct hit_cursor last;	 /* of the newest row, here or in a segment before */
	uint64_t records, hits;	 /* hits: with counts */
	uint64_t no_room;	 /* questions left unanswered: log was full */
	uint64_t min_us, max_us; /* times of the records */
	uint64_t late_us;  /* at most this long after its time a record was committed */
	uint64_t early_us; /* before its time: the clock was set back */
};

/* How far a ring has been drained. */
struct hit_position {
	uint64_t boot, position, no_room;
	uint16_t worker;
	char node[HIT_NODE_MAX];
};

struct hit_store;

enum hit_store_mode { HIT_STORE_READ, HIT_STORE_WRITE };

/* Makes the file with its first commit: number, newest cursor so far, and positions. */
MUST_CHECK int hit_store_create(struct hit_store **out, const char *path,
				uint64_t map_bytes, const struct hit_segment *first,
				const struct hit_position *positions, int n);
MUST_CHECK int hit_store_open(struct hit_store **out, const char *path,
			      enum hit_store_mode mode);
void hit_store_close(struct hit_store *s);
/* Frees the reader slots of processes that died. */
void hit_store_reap(struct hit_store *s);

/* ---- writing: begin, put and move in any order, then commit or abort ---- */

MUST_CHECK int hit_store_begin(struct hit_store *s, uint64_t now_us);
MUST_CHECK int hit_store_put(struct hit_store *s, const uint8_t *packed, size_t len,
			     uint32_t count);
MUST_CHECK int hit_store_move(struct hit_store *s, const struct hit_position *p,
			      uint64_t no_room_more);
/* After an error nothing of it is stored. */
MUST_CHECK int hit_store_commit(struct hit_store *s);
void hit_store_abort(struct hit_store *s);
/* As of the last commit made through s, or of opening. */
const struct hit_segment *hit_store_segment(const struct hit_store *s);
/* Over HIT_STORE_FULL_PERCENT of the map is used. */
bool hit_store_is_full(const struct hit_store *s);

/* ---- reading ---- */

/* ERR_NOENT when this segment knows nothing of that ring. */
MUST_CHECK int hit_store_position(struct hit_store *s, struct hit_position *out,
				  uint64_t boot, uint16_t worker);

struct hit_store_row {
	struct hit_cursor at;
	uint32_t count;
	const uint8_t *packed;
	size_t len;
};

struct hit_page {
	struct hit_segment segment; /* as it is now */
	int n;
	uint64_t bad; /* rows that failed their check, left out */
	bool end;     /* no more rows for now */
	struct hit_cursor next;
	struct hit_store_row rows[HIT_STORE_PAGE_ROWS];
	uint8_t bytes[HIT_STORE_PAGE_ROWS * 256];
};

/* Rows from cursor on, in one short read transaction. */
MUST_CHECK int hit_store_page(struct hit_store *s, struct hit_page *page,
			      struct hit_cursor from);

/* ---- files ---- */

struct hit_store_file {
	uint64_t number;
	uint32_t day;	/* 20260102, UTC: when its rows were committed */
	uint64_t bytes; /* that it takes on the disk */
	char name[48];
};

uint32_t hit_store_day(uint64_t time_us);
void hit_store_name(char out[48], uint64_t number, uint32_t day);
/* All segments of a folder by number; *out is the caller's to free. ERR_NOENT when there
 * is no such folder. */
MUST_CHECK int hit_store_files(struct hit_store_file **out, int *n, const char *dir);
/* Removes a segment with its lock file. A reader that has it open is not disturbed. */
int hit_store_remove(const char *dir, const char *name);

#endif
