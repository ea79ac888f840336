#include "resolver/hit_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
	BATCH_SHARE = 16, /* one transaction takes at most this part of a segment */
	HURRY_SHARE = 8,  /* commit at once when a ring is this full: 1/8 */
	HOUSEKEEPING_MS = 60000,
	LOW_SPACE_PERCENT = 5,	   /* warn below */
	ENOUGH_SPACE_PERCENT = 20, /* and again only after this was seen */
	SLOW_COMMIT_US = 400000,   /* merging a day's sums takes half of it */
	SLOW_COMMITS = 3, /* warn after so many: the disk is slow, not just busy */
	NO_SPACE_BYTES = 1 << 20, /* less is a full disk, whatever a short write says */
};

/* Numbers of rows left to a segment that cannot be read: more than one can hold. */
#define PASSED_OVER_ROWS (1ULL << 40)

int64_t hit_writer_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t hit_writer_wall_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void hit_writer_say(struct hit_writer *w, enum hit_log_level level, const char *format,
		    ...)
{
	char text[HIT_LOG_TEXT_MAX];
	va_list ap;
	if (!w->say)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	w->say(w->say_arg, level, text);
}

/* ---- state for a person ---- */

static void set_trouble(struct hit_writer *w, enum hit_log_state state, const char *doing,
			const char *file)
{
	char text[HIT_LOG_TEXT_MAX];
	int number = errno;
	snprintf(text, sizeof text, "cannot %s %.120s: %s; hits wait in the rings, %s",
		 doing, file, strerror(number),
		 state == HIT_LOG_FULL ? "free some space" : "see to the disk");
	pthread_mutex_lock(&w->lock);
	bool news = w->stats.state != state;
	if (news)
		w->stats.state_since_us = hit_writer_wall_us();
	w->stats.state = state;
	w->stats.failures++;
	memcpy(w->stats.trouble, text, sizeof text);
	pthread_mutex_unlock(&w->lock);
	if (news)
		hit_writer_say(w, HIT_LOG_WARNING, "hit log: %s", text);
}

static void clear_trouble(struct hit_writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool news = w->stats.state != HIT_LOG_OK;
	if (news)
		w->stats.state_since_us = hit_writer_wall_us();
	w->stats.state = HIT_LOG_OK;
	w->stats.trouble[0] = 0;
	pthread_mutex_unlock(&w->lock);
	if (news)
		hit_writer_say(w, HIT_LOG_INFO, "hit log: stores again");
}

/* ---- segments ---- */

void hit_writer_path_of(char out[HIT_STORE_PATH_MAX], const struct hit_writer *w,
			const char *name)
{
	snprintf(out, HIT_STORE_PATH_MAX, "%s/%s", w->dir, name);
}

void hit_writer_close_segment(struct hit_writer *w)
{
	if (w->store)
		w->newest = *hit_store_segment(w->store);
	hit_store_close(w->store);
	w->store = NULL;
}

static struct hit_position position_of(const struct hit_writer_ring *r)
{
	struct hit_position p = {
		.boot = hit_ring_boot(r->ring),
		.position = r->from,
		.no_room = r->no_room,
		.worker = hit_ring_worker(r->ring),
	};
	memcpy(p.node, hit_ring_node(r->ring), HIT_NODE_MAX - 1);
	return p;
}

void hit_writer_use_segment(struct hit_writer *w, struct hit_store *s, const char *name,
			    uint32_t day)
{
	w->store = s;
	w->store_day = day;
	w->newest = *hit_store_segment(s);
	w->next_number = w->newest.number + 1;
	pthread_mutex_lock(&w->lock);
	snprintf(w->stats.segment, sizeof w->stats.segment, "%s", name);
	pthread_mutex_unlock(&w->lock);
}

/* A new segment that starts with the position of every ring we hold. */
static int new_segment(struct hit_writer *w, uint64_t now_us)
{
	char name[48], path[HIT_STORE_PATH_MAX];
	struct hit_segment first = {.number = w->next_number,
				    .first_row = w->newest.end_row};
	struct hit_store *s;
	uint32_t day = hit_store_day(now_us);
	first.first_row += w->passed_over ? PASSED_OVER_ROWS : 0;
	hit_store_name(name, first.number, day);
	hit_writer_path_of(path, w, name);
	struct hit_position *positions = calloc((size_t)w->rings_n, sizeof *positions);
	if (!positions)
		return ERR_NOMEM;
	for (int i = 0; i < w->rings_n; i++)
		positions[i] = position_of(&w->rings[i]);
	int err = hit_store_create(&s, path, w->segment_bytes, &first, positions,
				   w->rings_n);
	free(positions);
	if (err) {
		int saved = errno;
		if (err != ERR_EXIST)
			(void)hit_store_remove(w->dir, name);
		errno = saved;
		return err;
	}
	w->passed_over = false;
	hit_writer_use_segment(w, s, name, day);
	return ERR_OK;
}

static bool has_rows(const struct hit_store *s)
{
	return hit_store_segment(s)->end_row > hit_store_segment(s)->first_row;
}

/* Ends the segment; one without rows goes, so that a name's day is its rows' day. When
 * there is no room for its last sums, readers take the rows instead. */
static void end_segment(struct hit_writer *w)
{
	char name[48];
	hit_store_name(name, w->newest.number, w->store_day);
	bool empty = w->store && !has_rows(w->store);
	if (w->store && !empty)
		(void)!hit_store_seal(w->store);
	hit_writer_close_segment(w);
	if (empty)
		(void)hit_store_remove(w->dir, name);
}

uint64_t hit_writer_waiting(const struct hit_writer *w, uint64_t *fullest)
{
	uint64_t sum = 0, most = 0;
	for (int i = 0; i < w->rings_n; i++) {
		uint64_t used = hit_ring_used(w->rings[i].ring);
		sum += used;
		most = used > most ? used : most;
	}
	if (fullest)
		*fullest = most;
	return sum;
}

/* A segment that rows of now may go to, or an error. */
static int ready_segment(struct hit_writer *w, uint64_t now_us)
{
	bool other_day = w->store && w->store_day != hit_store_day(now_us);
	if (w->store && (other_day || hit_store_is_full(w->store)))
		end_segment(w);
	return w->store ? ERR_OK : new_segment(w, now_us);
}

int hit_writer_rotate(struct hit_writer *w)
{
	if (w->store && !has_rows(w->store))
		return ERR_OK;
	if (w->store)
		end_segment(w);
	int err = new_segment(w, hit_writer_wall_us());
	if (err)
		w->retry_ms = hit_writer_now_ms() + HIT_LOG_RETRY_MS;
	return err;
}

static void scan_size(struct hit_writer *w)
{
	struct hit_store_file *files;
	int n;
	uint64_t bytes = 0;
	if (hit_store_files(&files, &n, w->dir))
		return;
	for (int i = 0; i < n; i++)
		bytes += files[i].bytes;
	free(files);
	pthread_mutex_lock(&w->lock);
	w->stats.segments = (uint64_t)n;
	w->stats.segments_bytes = bytes;
	pthread_mutex_unlock(&w->lock);
}

/* Whole segments go: those whose day ended longer ago than the retention, and the oldest
 * while all together are too large. Never the one being written. */
static void retire_segments(struct hit_writer *w)
{
	struct hit_store_file *files;
	int n;
	uint64_t bytes = 0, removed = 0, now = hit_writer_wall_us();
	uint64_t keep_us = (uint64_t)w->retention_s * 1000000;
	if (hit_store_files(&files, &n, w->dir))
		return;
	uint32_t oldest = keep_us && keep_us < now ? hit_store_day(now - keep_us) : 0;
	for (int i = 0; i < n; i++)
		bytes += files[i].bytes;
	for (int i = 0; i < n; i++) {
		bool large = w->max_size_bytes && bytes > w->max_size_bytes;
		if (files[i].number == w->newest.number && w->store)
			continue;
		if (!large && files[i].day >= oldest)
			continue;
		if (hit_store_remove(w->dir, files[i].name))
			continue;
		bytes -= files[i].bytes;
		removed++;
		hit_writer_say(w, HIT_LOG_INFO, "hit log: removed segment %s (%s)",
			       files[i].name, large ? "hits.max_size" : "hits.retention");
	}
	free(files);
	pthread_mutex_lock(&w->lock);
	w->stats.segments_removed += removed;
	pthread_mutex_unlock(&w->lock);
}

/* ---- one commit ---- */

/* A slow disk loses nothing and slows no answer, until the rings are full. */
static void watch_speed(struct hit_writer *w, int64_t took_us)
{
	if (took_us >= SLOW_COMMIT_US) {
		if (w->slow_commits < SLOW_COMMITS && ++w->slow_commits == SLOW_COMMITS)
			hit_writer_say(w, HIT_LOG_WARNING,
				       "hit log: the disk of %s is slow: storing takes "
				       "%lld ms; hits wait in the rings, see to the disk",
				       w->dir, (long long)took_us / 1000);
		return;
	}
	if (w->slow_commits == SLOW_COMMITS)
		hit_writer_say(w, HIT_LOG_INFO, "hit log: the disk is quick again");
	w->slow_commits = 0;
}

static void commit_done(struct hit_writer *w, uint64_t records, uint64_t hits,
			uint64_t recovered, int64_t took_us)
{
	/* Tests only: SINKHOLED_TEST_KILL_COMMIT=N kills this process after its Nth
	 * commit, before the rings learn of it. */
	if (w->kill_commit && --w->kill_commit == 0)
		raise(SIGKILL);
	pthread_mutex_lock(&w->lock);
	struct hit_log_stats *s = &w->stats;
	s->records += records;
	s->hits += hits;
	s->recovered += recovered;
	s->commits++;
	s->commit_us += took_us > 0 ? (uint64_t)took_us : 0;
	if (took_us > 0 && (uint64_t)took_us > s->commit_us_max)
		s->commit_us_max = (uint64_t)took_us;
	pthread_mutex_unlock(&w->lock);
}

/* The next records of a ring, max at most; returns how many. */
static unsigned take_group(struct hit_writer_ring *r, struct hit_record *group,
			   unsigned max, uint64_t *bytes)
{
	struct hit_ring_item item;
	unsigned n = 0;
	while (n < max && hit_ring_take(r->ring, &r->to, &item) == 1) {
		/* It passed its check: never seen. */
		if (hit_record_read(&group[n], item.packed, item.len)) {
			hit_ring_damaged(r->ring, item.len);
			continue;
		}
		group[n].hash = item.hash;
		group[n++].count = item.count;
		*bytes += item.len;
	}
	return n;
}

/* 1: the transaction is as large as it may be. */
static int put_ring(struct hit_writer *w, struct hit_writer_ring *r, uint64_t *records,
		    uint64_t *hits, uint64_t *bytes)
{
	struct hit_record group[HIT_STORE_GROUP];
	uint64_t max_bytes = w->segment_bytes / BATCH_SHARE;
	while (*records + HIT_STORE_GROUP <= HIT_STORE_BATCH && *bytes < max_bytes) {
		unsigned n = take_group(r, group, HIT_STORE_GROUP, bytes);
		if (n == 0)
			return 0;
		int err = hit_store_put(w->store, group, n);
		if (err)
			return err;
		for (unsigned i = 0; i < n; i++) {
			*hits += group[i].count;
			if (group[i].count)
				++*records;
			else
				hit_ring_damaged(r->ring, group[i].len);
		}
	}
	return 1;
}

/* Fills the open transaction from all rings. 1: it is as large as it may be. */
static int put_rings(struct hit_writer *w, uint64_t *records, uint64_t *hits,
		     uint64_t *recovered, bool *changed)
{
	uint64_t bytes = 0;
	int full = 0, err = ERR_OK;
	for (int i = 0; !err && i < w->rings_n; i++) {
		struct hit_writer_ring *r = &w->rings[(w->first_ring + i) % w->rings_n];
		uint64_t before = *records;
		r->no_room_to = hit_ring_counts(r->ring).no_room;
		full = put_ring(w, r, records, hits, &bytes);
		err = full < 0 ? full : ERR_OK;
		if (err || (r->to == r->from && r->no_room_to == r->no_room))
			continue;
		struct hit_position p = position_of(r);
		p.position = r->to;
		p.no_room = r->no_room_to;
		err = hit_store_move(w->store, &p, r->no_room_to - r->no_room);
		*changed = true;
		*recovered += r->live ? 0 : *records - before;
	}
	return err ? err : full;
}

static void rings_stored(struct hit_writer *w)
{
	for (int i = 0; i < w->rings_n; i++) {
		struct hit_writer_ring *r = &w->rings[i];
		if (r->to != r->from)
			hit_ring_advance(r->ring, r->to);
		r->from = r->to;
		r->no_room = r->no_room_to;
	}
	w->first_ring = w->rings_n ? (w->first_ring + 1) % w->rings_n : 0;
}

static void rings_kept(struct hit_writer *w)
{
	for (int i = 0; i < w->rings_n; i++) {
		struct hit_writer_ring *r = &w->rings[i];
		hit_ring_give_back(r->ring, r->from, r->to);
		r->to = r->from;
	}
}

static bool disk_is_full(const struct hit_writer *w)
{
	struct statvfs v;
	int saved = errno;
	bool full = statvfs(w->dir, &v) == 0 &&
		    (uint64_t)v.f_bavail * v.f_frsize < NO_SPACE_BYTES;
	errno = saved;
	return full;
}

/* Nothing was stored. Returns ERR_OK when it is worth trying again at once. */
static int commit_failed(struct hit_writer *w, int err, bool again)
{
	const char *file = w->store ? w->stats.segment : w->dir;
	rings_kept(w);
	if (err == ERR_RANGE && w->store) { /* the segment is full, not the disk */
		end_segment(w);
		return again ? err : ERR_OK;
	}
	if (err != ERR_FULL && disk_is_full(w)) {
		errno = ENOSPC; /* LMDB calls a short write EIO */
		err = ERR_FULL;
	}
	set_trouble(w, err == ERR_FULL ? HIT_LOG_FULL : HIT_LOG_FAILED,
		    w->store ? "write" : "make a segment in", file);
	if (err == ERR_FULL || !w->store)
		return err;
	/* After a failed write or sync this file's state is unknown: never retry there.
	 */
	hit_writer_close_segment(w);
	return again ? err : ERR_OK;
}

/* Up to HIT_STORE_BATCH hits into one transaction. 1: there are more than these. What
 * came meanwhile is no reason: it would be a commit for every few hits. */
static int commit_round(struct hit_writer *w)
{
	uint64_t records = 0, hits = 0, recovered = 0, start_us = hit_writer_wall_us();
	bool changed = false;
	int full = 0, err = ready_segment(w, start_us);
	if (!err)
		err = hit_store_begin(w->store);
	if (!err)
		err = full = put_rings(w, &records, &hits, &recovered, &changed);
	if (err < 0 || !changed) {
		int saved = errno;
		if (w->store)
			hit_store_abort(w->store);
		errno = saved;
		return err;
	}
	err = hit_store_commit(w->store);
	if (err)
		return err;
	int64_t took_us = (int64_t)(hit_writer_wall_us() - start_us);
	commit_done(w, records, hits, recovered, took_us);
	watch_speed(w, took_us);
	rings_stored(w);
	clear_trouble(w);
	return full;
}

/* Rings of ended processes that have nothing left. */
static void drop_old_rings(struct hit_writer *w)
{
	int kept = w->workers;
	for (int i = w->workers; i < w->rings_n; i++) {
		struct hit_writer_ring *r = &w->rings[i];
		if (r->from != hit_ring_tail(r->ring) || hit_ring_used(r->ring) != 0) {
			w->rings[kept++] = *r;
			continue;
		}
		uint64_t damaged = hit_ring_counts(r->ring).damaged;
		if (damaged)
			hit_writer_say(w, HIT_LOG_WARNING,
				       "hit log: ring %s: %llu bytes were damaged",
				       hit_ring_path(r->ring),
				       (unsigned long long)damaged);
		pthread_mutex_lock(&w->lock);
		w->stats.damaged_bytes += damaged;
		pthread_mutex_unlock(&w->lock);
		hit_ring_close(r->ring, true);
	}
	w->rings_n = kept;
	w->first_ring = 0;
}

/* Commits everything that waits, in as many transactions as that takes. */
int hit_writer_commit(struct hit_writer *w)
{
	int err, failed = 0;
	uint64_t max_rounds =
		hit_writer_waiting(w, NULL) / (w->segment_bytes / BATCH_SHARE / 2) + 64;
	do {
		err = commit_round(w);
		if (err < 0) {
			err = commit_failed(w, err, failed > 0);
			failed++;
			if (!err)
				err = 1;
		}
	} while (err == 1 && max_rounds--);
	w->committed_ms = hit_writer_now_ms();
	if (err < 0)
		w->retry_ms = w->committed_ms + HIT_LOG_RETRY_MS;
	drop_old_rings(w);
	return err < 0 ? err : ERR_OK;
}

/* ---- between commits ---- */

static void watch_space(struct hit_writer *w)
{
	struct statvfs v;
	if (statvfs(w->dir, &v) || v.f_blocks == 0)
		return;
	uint64_t percent = (uint64_t)v.f_bavail * 100 / v.f_blocks;
	if (!w->low_space && percent < LOW_SPACE_PERCENT) {
		w->low_space = true;
		hit_writer_say(w, HIT_LOG_WARNING,
			       "hit log: only %llu %% of the disk of %s is free",
			       (unsigned long long)percent, w->dir);
	}
	if (percent >= ENOUGH_SPACE_PERCENT)
		w->low_space = false;
}

void hit_writer_keep_house(struct hit_writer *w, int64_t now)
{
	uint32_t today = hit_store_day(hit_writer_wall_us());
	/* A finished day's segment must not stay open, or it would never be retired. */
	if (w->store && w->store_day != today && has_rows(w->store))
		end_segment(w);
	if (now < w->housekeeping_ms)
		return;
	w->housekeeping_ms = now + HOUSEKEEPING_MS;
	watch_space(w);
	retire_segments(w);
	scan_size(w);
}

bool hit_writer_is_due(const struct hit_writer *w, int64_t now)
{
	uint64_t fullest;
	bool counted = false;
	uint64_t waiting = hit_writer_waiting(w, &fullest);
	if (now < w->retry_ms)
		return false;
	for (int i = 0; i < w->workers; i++)
		counted |=
			hit_ring_counts(w->rings[i].ring).no_room != w->rings[i].no_room;
	if (waiting == 0 && !counted && w->rings_n == w->workers)
		return false;
	return now - w->committed_ms >= HIT_LOG_COMMIT_MS ||
	       fullest > hit_ring_size(w->rings[0].ring) / HURRY_SHARE;
}
