/* hit_store.h: one segment of the hit log, an LMDB file; and the list of segments.
 * Shape    DIR/NUMBER-DAY.hits and its lock file; hit_format.h tells what is in it: rows
 *          in the order of their commits, sums of them, drain positions of the rings
 * Units    times in microseconds since 1970, UTC; rows are numbered over all segments
 * Memory   a page is the caller's copy; nothing of the map leaves
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
#include "resolver/hit_rows.h"
#include "resolver/hit_sums.h"

enum {
	HIT_STORE_PATH_MAX = 1200, /* CONF_PATH_MAX and a file name */
	HIT_STORE_BATCH = 16384,   /* rows of one transaction: some 500 KiB */
	HIT_STORE_GROUP = 16,	   /* rows whose words are looked for at the same time */
	HIT_STORE_FULL_PERCENT = 80,
	/* Of pages that a stopped reader keeps from being used again: some 25 s of
	 * commits; without one it is less than a tenth of that. */
	HIT_STORE_WASTE_BYTES_MAX = 8 << 20,
	/* Merged at once: a day of 1.5 million hits, or 10 s of 200,000 a second. It
	 * takes some 150 ms then, which the rings bridge, and 100 MB for as long. */
	HIT_STORE_DAY_RUNS = 8,
	/* Words are in memory while a segment is written; a list of ten million entries
	 * that are all hit in a day takes another segment now and then. */
	HIT_STORE_WORDS_MAX = 1 << 20,
	HIT_STORE_WORDS_BYTES_MAX = 128 << 20,
};

/* What a segment says about itself. */
struct hit_segment {
	uint64_t number;
	uint64_t first_row, end_row; /* end_row: of the next one to come */
	uint64_t hits;		     /* with counts */
	uint64_t no_room;	     /* questions left unanswered: log was full */
	uint64_t min_us, max_us;     /* times of the rows */
	uint64_t sums_row;	     /* rows before it are in a run */
	uint64_t runs;
	uint64_t rules, ways; /* words */
	uint64_t tables;
	uint64_t tabled_runs; /* runs before it are in tables, or cannot be */
};

/* How far a ring has been drained. */
struct hit_position {
	uint64_t boot, position, no_room;
	uint16_t worker;
	char node[HIT_NODE_MAX];
};

/* A ring as a segment knows it: rows of it here, and their sequences. */
struct hit_ring_rows {
	struct hit_position at;
	uint64_t first, last, rows;
};

struct hit_store;

enum hit_store_mode { HIT_STORE_READ, HIT_STORE_WRITE };

/* Makes the file with its first commit: number and first row, and positions. */
MUST_CHECK int hit_store_create(struct hit_store **out, const char *path,
				uint64_t map_bytes, const struct hit_segment *first,
				const struct hit_position *positions, int n);
MUST_CHECK int hit_store_open(struct hit_store **out, const char *path,
			      enum hit_store_mode mode);
void hit_store_close(struct hit_store *s);

/* ---- writing: begin, put and move in any order, then commit or abort ---- */

MUST_CHECK int hit_store_begin(struct hit_store *s);
/* n records, at most HIT_STORE_GROUP at once and HIT_STORE_BATCH between begin and
 * commit. A record whose words are none is left out and gets count 0. */
MUST_CHECK int hit_store_put(struct hit_store *s, struct hit_record *records, unsigned n);
/* One hit that is no ring's: with its own boot, worker, sequence and count. */
MUST_CHECK int hit_store_put_hit(struct hit_store *s, const struct hit *h);
MUST_CHECK int hit_store_move(struct hit_store *s, const struct hit_position *p,
			      uint64_t no_room_more);
/* After an error nothing of it is stored, or it is not known: a row that a later segment
 * has too does not count here. */
MUST_CHECK int hit_store_commit(struct hit_store *s);
void hit_store_abort(struct hit_store *s);
/* The last transactions of a segment: sums of all its rows, tables of all its days. */
MUST_CHECK int hit_store_seal(struct hit_store *s);
/* Over HIT_STORE_FULL_PERCENT of the map is used or spoken for, there are too many words,
 * or HIT_STORE_WASTE_BYTES_MAX of it are held by a reader: take a new one. */
bool hit_store_is_full(const struct hit_store *s);
/* For tests: a run in every transaction. */
void hit_store_make_many_runs(struct hit_store *s);

/* ---- reading: each call is one short read transaction, or within begin and commit part
 * of that one ---- */

/* As of the last commit made through s, of opening, or of hit_store_look(). */
const struct hit_segment *hit_store_segment(const struct hit_store *s);
/* What others have committed since. */
MUST_CHECK int hit_store_look(struct hit_store *s);
/* All rules until then. */
MUST_CHECK int hit_store_load_rules(struct hit_store *s, const struct hit_words **out);
/* For hit_rows_next(): looks rules up one by one, and loads all when that gets many. */
const struct hit_rows_words *hit_store_words(const struct hit_store *s);
/* ERR_NOENT when this segment knows nothing of that ring. */
MUST_CHECK int hit_store_position(struct hit_store *s, struct hit_position *out,
				  uint64_t boot, uint16_t worker);
/* The ring after that one (boot 0, worker 0: that one too): 1, or 0. */
MUST_CHECK int hit_store_next_ring(struct hit_store *s, struct hit_ring_rows *out,
				   uint64_t boot, uint16_t worker);

struct hit_page {
	uint64_t id;
	size_t len;
	uint8_t bytes[HIT_PAGE_MAX];
};
enum hit_page_which {
	HIT_PAGE_AT,	/* the one with the greatest id up to that */
	HIT_PAGE_AFTER, /* the first with a greater id */
};
#define HIT_PAGE_LOST UINT64_MAX
/* 1, 0 when there is none, ERR_DAMAGED when it fails its check; page->id is
 * HIT_PAGE_LOST when the tree is damaged and does not lead to it. */
MUST_CHECK int hit_store_page(struct hit_store *s, struct hit_page *page,
			      enum hit_tag tag, uint32_t run, uint64_t id,
			      enum hit_page_which which);
/* The same for rows. */
MUST_CHECK int hit_store_rows(struct hit_store *s, struct hit_rows *page, uint64_t row,
			      enum hit_page_which which);

/* For tests: as if stopped within a call, holding what it reads. */
MUST_CHECK int hit_store_hold(struct hit_store *s);
/* Ends a call that ended otherwise: held, or left by a jump after a crash. */
void hit_store_let_go(struct hit_store *s);

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
/* Behind a segment's name: what is to take its place. A killed process may leave one. */
#define HIT_STORE_NEW ".new"
/* Removes a segment with its lock file, and what was to take its place. A reader that has
 * it open is not disturbed. */
int hit_store_remove(const char *dir, const char *name);

#endif
