/* The log as a whole: what was put is stored once, whatever ends the process or fills the
 * disk; segments change by size and day and go by age and size; readers get it all. */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/hit_log.h"
#include "resolver/hit_read.h"
#include "resolver/hit_store.h"
#include "tests/unit/hit_sample.h"
#include "tests/unit/unit.h"

enum { NUMBERS = 60000 };

static char said[4096];

static void say(void *arg, enum hit_log_level level, const char *text)
{
	(void)arg, (void)level;
	size_t n = strlen(said);
	snprintf(said + n, sizeof said - n, "%s\n", text);
}

static struct hit_log *open_log(uint64_t segment_bytes)
{
	struct hit_log_conf conf = {
		.state = unit_dir(),
		.runtime = unit_dir(),
		.node = "node-1",
		.workers = 2,
		.segment_bytes = segment_bytes,
		.ring_bytes = 1 << 18,
		.say = say,
	};
	const char *why;
	struct hit_log *log;
	int err = hit_log_open(&log, &conf, &why);
	ck_assert_msg(err == ERR_OK, "%s: %s", err_text(err), why);
	return log;
}

static enum hit_put_result put(struct hit_log *log, unsigned number)
{
	struct hit h;
	hit_sample(&h, number);
	const struct hit_source source = hit_source_of(&h);
	return hit_ring_put(hit_log_ring(log, (int)(number % 2)), &source);
}

/* Puts one when the writer has made room. */
static void put_patiently(struct hit_log *log, unsigned number)
{
	for (int i = 0; i < 20000 && put(log, number) == HIT_NO_ROOM; i++)
		usleep(1000);
}

static void count_trouble(void *arg, const char *dir, const char *segment, int err,
			  uint64_t bad)
{
	(void)dir, (void)segment;
	*(uint64_t *)arg += err ? 1000000 : bad;
}

static struct {
	uint32_t times[NUMBERS]; /* sums of the counts */
	uint64_t rows, trouble;
	struct hit_row last;
} seen;

/* Reads everything between two sample numbers; to 0 = to the end. */
static void read_all(unsigned from, unsigned to)
{
	const char *dir = unit_path("hits");
	struct hit_read_conf conf = {
		.dir = dir,
		.since_us = HIT_SAMPLE_TIME_S * 1000000ULL + from,
		.until_us = to ? HIT_SAMPLE_TIME_S * 1000000ULL + to : 0,
		.trouble = count_trouble,
		.trouble_arg = &seen.trouble,
	};
	struct hit_reader *r;
	struct hit_row row;
	int got;
	memset(&seen, 0, sizeof seen);
	ck_assert_int_eq(hit_read_open(&r, &conf), ERR_OK);
	while ((got = hit_read_next(r, &row)) == 1) {
		uint64_t number = row.hit.time_us - HIT_SAMPLE_TIME_S * 1000000ULL;
		ck_assert_uint_lt(number, NUMBERS);
		ck_assert(seen.rows == 0 || row.at.row > seen.last.at.row);
		seen.times[number] += row.hit.count;
		seen.rows++;
		seen.last = row;
	}
	ck_assert_int_eq(got, 0);
	hit_read_close(r);
}

static void ck_each_once(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		ck_assert_msg(seen.times[i] == 1, "%u: %u times", i, seen.times[i]);
}

static int segment_files(struct hit_store_file **files)
{
	int n;
	ck_assert_int_eq(hit_store_files(files, &n, unit_path("hits")), ERR_OK);
	return n;
}

/* Rows as old as their name says. */
static void rename_segment(const struct hit_store_file *f, uint32_t day)
{
	char name[48], from[300], to[300];
	snprintf(from, sizeof from, "%s/%s", unit_path("hits"), f->name);
	hit_store_name(name, f->number, day);
	snprintf(to, sizeof to, "%s/%s", unit_path("hits"), name);
	ck_assert_int_eq(rename(from, to), 0);
	strcat(from, "-lock");
	strcat(to, "-lock");
	ck_assert_int_eq(rename(from, to), 0);
}

START_TEST(stores_and_reads)
{
	struct hit_log *log = open_log(0);
	struct hit_log_stats st;
	struct stat s;
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	for (unsigned i = 0; i < 3000; i++)
		put_patiently(log, i);
	for (int i = 0; i < 2000; i++) { /* the thread gets there by itself */
		hit_log_stats(log, &st);
		if (st.records == 3000)
			break;
		usleep(10000);
	}
	ck_assert_uint_eq(st.records, 3000);
	ck_assert_uint_eq(st.hits, 3000);
	ck_assert_uint_eq(st.waiting_bytes, 0);
	ck_assert_int_eq(st.state, HIT_LOG_OK);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 3000);
	ck_each_once(0, 3000);
	ck_assert_str_eq(seen.last.node, "node-1");
	ck_assert_str_eq(seen.last.hit.list, "manual");
	read_all(1000, 1700);
	ck_assert_uint_eq(seen.rows, 700);
	ck_each_once(1000, 1700);
	ck_assert_uint_eq(seen.trouble, 0);
	ck_assert_int_eq(stat(unit_path("hits"), &s), 0);
	ck_assert_uint_eq(s.st_mode & 07777, 02750);
	struct hit_store_file *files;
	char path[300];
	ck_assert_int_eq(segment_files(&files), 1);
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), files[0].name);
	ck_assert_int_eq(stat(path, &s), 0);
	ck_assert_uint_eq(s.st_mode & 07777, 0640);
	strcat(path, "-lock");
	ck_assert_int_eq(stat(path, &s), 0);
	ck_assert_uint_eq(s.st_mode & 07777, 0660);
	free(files);
}
END_TEST

/* Runs body in a child that ends by SIGKILL. */
static void in_killed_child(void (*body)(void))
{
	int status;
	unit_dir(); /* the parent's */
	char *dir = strdup(unit_dir());
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (chdir(dir))
			_exit(3);
		body();
		raise(SIGKILL);
	}
	free(dir);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct hit_log *open_here(void)
{
	struct hit_log_conf conf = {.state = ".",
				    .runtime = ".",
				    .node = "node-1",
				    .workers = 2,
				    .ring_bytes = 1 << 18,
				    .say = say};
	const char *why;
	struct hit_log *log;
	if (hit_log_open(&log, &conf, &why))
		_exit(4);
	return log;
}

static void die_before_commit(void)
{
	struct hit_log *log = open_here();
	for (unsigned i = 0; i < 500; i++)
		put(log, i);
}

static void die_after_commit(void)
{
	setenv("SINKHOLED_TEST_KILL_COMMIT", "1", 1);
	struct hit_log *log = open_here();
	for (unsigned i = 0; i < 500; i++)
		put(log, i);
	(void)!hit_log_close(log); /* commits, and dies before the rings know */
	_exit(5);
}

START_TEST(recovers_once)
{
	/* Uncommitted; then committed, but the rings were not told. */
	for (int i = 0; i < 2; i++) {
		in_killed_child(i ? die_after_commit : die_before_commit);
		struct hit_log *log = open_log(0);
		struct hit_log_stats st;
		for (unsigned k = 500; k < 600; k++)
			put(log, k);
		ck_assert_int_eq(hit_log_close(log), ERR_OK);
		log = open_log(0);
		hit_log_stats(log, &st);
		ck_assert_int_eq(hit_log_close(log), ERR_OK);
		read_all(0, 0);
		ck_assert_uint_eq(seen.rows, i ? 1200 : 600);
		for (unsigned k = 0; k < 600; k++)
			ck_assert_uint_eq(seen.times[k], i ? 2 : 1); /* two runs */
	}
	/* No ring file is left. */
	glob_t left;
	ck_assert_int_eq(glob(unit_path("*.ring"), 0, NULL, &left), GLOB_NOMATCH);
}
END_TEST

START_TEST(changes_segments_by_size)
{
	struct hit_log *log = open_log(1 << 20);
	struct hit_store_file *files;
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	for (unsigned i = 0; i < 20000; i++)
		put_patiently(log, i);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	int n = segment_files(&files);
	ck_assert_int_ge(n, 3);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_eq(files[i].number, (uint64_t)i + 1);
		ck_assert_uint_le(files[i].bytes, 1 << 20);
	}
	free(files);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 20000);
	ck_each_once(0, 20000);
	read_all(11000, 11010);
	ck_assert_uint_eq(seen.rows, 10);
}
END_TEST

/* Positions go along into a new segment: what an old ring has drained stays drained. */
/* What has been put before the order is in segments that nobody writes to any more. */
START_TEST(rotates_by_order)
{
	struct hit_log *log = open_log(0);
	struct hit_log_stats st = {0};
	struct hit_store_file *files;
	struct hit_read_segment of = {0};
	struct hit_read_conf conf = {.dir = unit_path("hits")};
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			put_patiently(log, 100 * round + i);
		uint64_t order = hit_log_rotate(log);
		for (int i = 0; i < 2000 && st.rotations < order; i++) {
			usleep(10000);
			hit_log_stats(log, &st);
		}
		ck_assert_uint_eq(st.rotations, order);
		ck_assert_int_eq(hit_read_segment(&of, &conf, round), 1);
		ck_assert(!of.newest);
		ck_assert_uint_eq(of.end, 100 * (round + 1));
		hit_store_close(of.store);
		hit_store_close(of.next);
		of = (struct hit_read_segment){0};
	}
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	ck_assert_int_eq(segment_files(&files), 4);
	free(files);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 300);
	ck_each_once(0, 300);
}
END_TEST

START_TEST(positions_are_carried_over)
{
	struct hit_store_file *files;
	in_killed_child(die_after_commit);
	ck_assert_int_eq(segment_files(&files), 1);
	rename_segment(&files[0], 20200101); /* so the next start takes a new segment */
	free(files);
	struct hit_log *log = open_log(0);
	put(log, 700);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	ck_assert_int_eq(segment_files(&files), 2);
	free(files);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 501);
	ck_each_once(0, 500);
	ck_each_once(700, 701);
}
END_TEST

START_TEST(retires_by_age_and_size)
{
	struct hit_store_file *files;
	for (unsigned i = 0; i < 3; i++) {
		struct hit_log *log = open_log(0);
		put(log, i);
		ck_assert_int_eq(hit_log_close(log), ERR_OK);
		int n = segment_files(&files);
		if (i < 2)
			rename_segment(&files[n - 1], i ? 20250101 : 20200101);
		free(files);
	}
	ck_assert_int_eq(segment_files(&files), 3);
	free(files);
	struct hit_log_conf conf = {.state = unit_dir(),
				    .runtime = unit_dir(),
				    .node = "n",
				    .workers = 1,
				    .ring_bytes = 1 << 18};
	struct hit_log *log;
	struct {
		uint32_t retention_s;
		uint64_t max_size;
		int left;
	} cases[] = {{0, 0, 3}, {5 * 365 * 86400, 0, 2}, {0, 1 << 30, 2}, {0, 1, 1}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		conf.retention_s = cases[i].retention_s;
		conf.max_size_bytes = cases[i].max_size;
		ck_assert_int_eq(hit_log_open(&log, &conf, NULL), ERR_OK);
		ck_assert_int_eq(hit_log_close(log), ERR_OK);
		ck_assert_int_eq(segment_files(&files), cases[i].left);
		free(files);
	}
	read_all(0, 0);
	ck_assert_uint_eq(seen.times[2], 1); /* the newest stays */
}
END_TEST

/* ---- a full disk: a limit on file sizes stands for it. Check writes to files too, so
 * this runs in a child and says by its status where it failed. */

#define need(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                               \
		}                                                               \
	} while (0)

static void limit_files(rlim_t bytes)
{
	struct rlimit l;
	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes;
	need(setrlimit(RLIMIT_FSIZE, &l) == 0);
}

static bool wait_for(struct hit_log *log, struct hit_log_stats *st,
		     enum hit_log_state state, bool drained)
{
	for (int i = 0; i < 2000; i++, usleep(10000)) {
		hit_log_stats(log, st);
		if (st->state == state && (!drained || st->waiting_bytes == 0))
			return true;
	}
	return false;
}

/* What the child tells its parent. */
struct told {
	unsigned stored, folded, no_room;
};

static void live_through_a_full_disk(struct told *told)
{
	struct hit_log *log = open_here();
	struct hit_log_stats st;
	unsigned n = 0, folded = 0;
	need(hit_log_start(log) == ERR_OK);
	limit_files(4096);
	while (n < NUMBERS && put(log, n) == HIT_STORED)
		n++;
	need(n > 1000 && n < NUMBERS);
	need(wait_for(log, &st, HIT_LOG_FULL, false));
	need(strstr(st.trouble, "free some space"));
	need(strstr(said, "cannot"));
	need(st.records == 0);
	for (int i = 0; i < 50; i++, usleep(1000)) /* identical ones still count */
		folded += put(log, n - 1) == HIT_FOLDED;
	need(folded > 0);
	limit_files(RLIM_INFINITY);
	need(wait_for(log, &st, HIT_LOG_OK, true));
	need(strstr(said, "stores again"));
	need(hit_log_close(log) == ERR_OK);
	*told = (struct told){n, folded, (unsigned)st.no_room};
}

/* The disk is full until the end: the rings stay. */
static void end_with_a_full_disk(struct told *told)
{
	struct hit_log *log = open_here();
	for (unsigned i = 0; i < 200; i++)
		put(log, i);
	limit_files(4096);
	need(hit_log_close(log) == ERR_FULL);
	limit_files(RLIM_INFINITY);
	told->stored = 200;
}

static struct told in_child(void (*body)(struct told *))
{
	struct told told = {0};
	int status, pipes[2];
	char *dir = strdup(unit_dir());
	ck_assert_int_eq(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		need(chdir(dir) == 0);
		body(&told);
		need(write(pipes[1], &told, sizeof told) == sizeof told);
		_exit(0);
	}
	free(dir);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(pipes[0], &told, sizeof told), sizeof told);
	return told;
}

START_TEST(full_disk_keeps_what_was_put)
{
	struct told told = in_child(live_through_a_full_disk);
	unsigned n = told.stored;
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, n);
	ck_assert_uint_eq(seen.times[n - 1], 1 + told.folded);
	ck_each_once(0, n - 1);
	struct hit_read_totals totals;
	struct hit_read_conf conf = {.dir = unit_path("hits")};
	ck_assert_int_eq(hit_read_totals(&totals, &conf), ERR_OK);
	ck_assert_uint_eq(totals.records, n);
	ck_assert_uint_eq(totals.hits, n + told.folded);
	ck_assert_uint_eq(totals.no_room, told.no_room);
	ck_assert_uint_ge(totals.no_room, 1);
}
END_TEST

START_TEST(full_disk_at_the_end)
{
	in_child(end_with_a_full_disk);
	struct hit_log *log = open_log(0);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 200);
	ck_each_once(0, 200);
}
END_TEST

/* An update of a resolver that was killed: its ring stays for the version that wrote it.
 */
START_TEST(rings_of_another_version_stay)
{
	char path[300];
	struct hit_ring *r;
	struct hit h;
	ck_assert_int_eq(hit_ring_create(&r, unit_dir(), 1, 0, "n", HIT_RING_BYTES_MIN),
			 ERR_OK);
	hit_sample(&h, 1);
	const struct hit_source source = hit_source_of(&h);
	ck_assert_int_eq(hit_ring_put(r, &source), HIT_STORED);
	snprintf(path, sizeof path, "%s", hit_ring_path(r));
	hit_ring_close(r, false);
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(pwrite(fd, "SHRING2", 8, 0), 8);
	said[0] = 0;
	struct hit_log *log = open_log(0);
	ck_assert_msg(strstr(said, "start the sinkholed of that version once"), "%s",
		      said);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	ck_assert_int_eq(pwrite(fd, "SHRING3", 8, 0), 8);
	close(fd);
	ck_assert_int_eq(hit_log_close(open_log(0)), ERR_OK);
	read_all(0, 0);
	ck_assert_uint_eq(seen.rows, 1);
}
END_TEST

static void flip(const char *name, off_t at, size_t n)
{
	char path[300];
	uint8_t byte;
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), name);
	int fd = open(path, O_RDWR);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(pread(fd, &byte, 1, at + (off_t)i), 1);
		byte ^= 0x70;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at + (off_t)i), 1);
	}
	close(fd);
}

START_TEST(damaged_segments_are_left_out)
{
	struct hit_store_file *files;
	char path[300];
	struct hit_log *log = open_log(1 << 20);
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	for (unsigned i = 0; i < 20000; i++)
		put_patiently(log, i);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	int n = segment_files(&files);
	ck_assert_int_ge(n, 3);
	/* The last bytes of a page belong to a row: one row is bad. */
	flip(files[0].name, 40 * 4096 - 9, 1);
	/* A truncated file; an unknown format; no LMDB file at all. */
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), files[1].name);
	ck_assert_int_eq(truncate(path, 20 * 4096), 0);
	read_all(0, 0);
	ck_assert_uint_eq(seen.trouble, 1000001);
	ck_assert_uint_gt(seen.rows, 5000);
	flip(files[n - 1].name, 0, 200);
	read_all(0, 0);
	ck_assert_uint_eq(seen.trouble, 2000001);
	/* The writer goes on with a new one, and keeps the damaged file. */
	said[0] = 0;
	log = open_log(1 << 20);
	ck_assert_msg(strstr(said, "is damaged; left as it is"), "%s", said);
	put(log, 30000);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	read_all(30000, 0);
	ck_assert_uint_eq(seen.rows, 1);
	free(files);
	ck_assert_int_eq(segment_files(&files), n + 1);
	free(files);
}
END_TEST

static off_t length_of(const char *path, uint64_t *disk)
{
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	*disk = (uint64_t)st.st_blocks * 512;
	return st.st_size;
}

static void put_sample(struct hit_store *s, unsigned number)
{
	struct hit h;
	hit_sample(&h, number);
	h.boot = 1;
	h.sequence = number + 1;
	h.worker = 0;
	h.count = 1;
	ck_assert_int_eq(hit_store_put_hit(s, &h), ERR_OK);
}

/* LMDB may leave the last pages unwritten: the file must be long enough for them, so that
 * one that is not has been truncated. The length costs no disk, and counts for none. */
START_TEST(a_segment_is_as_long_as_its_map)
{
	enum { MAP = 1 << 20 };
	struct hit_store *s, *reader;
	struct hit_store_file *files;
	const struct hit_segment first = {.number = 1};
	uint64_t disk;
	ck_assert_int_eq(mkdir(unit_path("hits"), 0700), 0);
	const char *path = unit_path("hits/00000001-20260102.hits");
	ck_assert_int_eq(hit_store_create(&s, path, MAP, &first, NULL, 0), ERR_OK);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(length_of(path, &disk), MAP);
		ck_assert_uint_lt(disk, MAP / 2);
		ck_assert_int_eq(segment_files(&files), 1);
		ck_assert_uint_eq(files[0].bytes, disk);
		free(files);
		ck_assert_int_eq(hit_store_begin(s), ERR_OK);
		for (unsigned i = 0; i < 200; i++)
			put_sample(s, i);
		ck_assert_int_eq(hit_store_commit(s), ERR_OK);
		ck_assert_int_eq(length_of(path, &disk), MAP);
		hit_store_close(s); /* cut behind the last page, and no further */
		ck_assert_int_lt(length_of(path, &disk), MAP / 4);
		ck_assert_int_eq(hit_store_open(&reader, path, HIT_STORE_READ), ERR_OK);
		hit_store_close(reader);
		ck_assert_int_lt(length_of(path, &disk), MAP / 4);
		ck_assert_int_eq(hit_store_open(&s, path, HIT_STORE_WRITE), ERR_OK);
	}
	hit_store_close(s);
	ck_assert_int_eq(truncate(path, length_of(path, &disk) - 1), 0);
	ck_assert_int_eq(hit_store_open(&s, path, HIT_STORE_READ), ERR_DAMAGED);
	ck_assert_int_eq(hit_store_open(&s, path, HIT_STORE_WRITE), ERR_DAMAGED);
}
END_TEST

/* Pages that crash who reads them: the start finds out in a child, and goes on. */
START_TEST(a_segment_that_crashes)
{
	struct hit_store_file *files;
	struct hit_log *log = open_log(0);
	for (unsigned i = 0; i < 20; i++)
		put(log, i);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	ck_assert_int_eq(segment_files(&files), 1);
	char path[300];
	uint8_t nodes[4096 - 16];
	memset(nodes, 0xff, sizeof nodes); /* pointers that lead behind the file's end */
	snprintf(path, sizeof path, "%s/%s", unit_path("hits"), files[0].name);
	int fd = open(path, O_RDWR);
	off_t end = lseek(fd, 0, SEEK_END);
	for (off_t page = 2; page < end / 4096; page++)
		ck_assert_int_eq(pwrite(fd, nodes, sizeof nodes, page * 4096 + 16),
				 sizeof nodes);
	close(fd);
	free(files);
	said[0] = 0;
	log = open_log(0);
	put(log, 600);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	ck_assert_int_eq(segment_files(&files), 2);
	free(files);
}
END_TEST

START_TEST(one_writer_at_a_time)
{
	struct hit_log *log = open_log(0);
	char *dir = strdup(unit_dir());
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const char *why = "";
		struct hit_log *other;
		struct hit_log_conf conf = {
			.state = dir, .runtime = dir, .node = "n", .workers = 1};
		int err = hit_log_open(&other, &conf, &why);
		_exit(err == ERR_BUSY && strstr(why, "another sinkholed") ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	free(dir);
	struct hit_log_conf conf = {.state = unit_path("none"),
				    .runtime = unit_dir(),
				    .node = "n",
				    .workers = 1};
	const char *why = "";
	ck_assert_int_ne(hit_log_open(&log, &conf, &why), ERR_OK);
	ck_assert_msg(strstr(why, "state folder must exist"), "%s", why);
	conf.state = unit_dir();
	conf.runtime = unit_path("none");
	ck_assert_int_ne(hit_log_open(&log, &conf, &why), ERR_OK);
	ck_assert_msg(strstr(why, "runtime folder"), "%s", why);
}
END_TEST

/* A reader in another process follows over a change of segments and misses nothing. */
START_TEST(a_reader_follows)
{
	int status;
	char *dir = strdup(unit_path("hits"));
	struct hit_log *log = open_log(1 << 20);
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	pid_t pid = fork();
	if (pid == 0) {
		struct hit_read_conf conf = {.dir = dir};
		struct hit_reader *r;
		struct hit_row row;
		unsigned n = 0;
		if (hit_read_open(&r, &conf))
			_exit(1);
		for (int i = 0; i < 10000 && n < 20000; i++, usleep(2000))
			while (hit_read_next(r, &row) == 1)
				n++;
		_exit(n == 20000 ? 0 : 2);
	}
	for (unsigned i = 0; i < 20000; i++)
		put_patiently(log, i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	free(dir);
}
END_TEST

static bool has_deleted_maps(void)
{
	char line[600];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof line, f))
		found |= strstr(line, ".hits") && strstr(line, "(deleted)");
	if (f)
		fclose(f);
	return found;
}

/* Rows of all segments; stops within a call to the first one, and leaves that only when
 * all of it is read. */
static unsigned count_rows_stopped(const char *dir)
{
	struct hit_read_conf conf = {.dir = dir};
	struct hit_read_segment of = {0};
	struct hit_rows page;
	unsigned rows = 0;
	for (uint64_t number = 0; hit_read_segment(&of, &conf, number) == 1;) {
		if (number == 0) {
			need(hit_store_hold(of.store) == ERR_OK);
			raise(SIGSTOP);
			hit_store_let_go(of.store);
			need(has_deleted_maps());
		}
		number = of.file.number;
		need(hit_store_look(of.store) == ERR_OK);
		const struct hit_segment *g = hit_store_segment(of.store);
		uint64_t row = g->first_row;
		for (int got; row < g->end_row; row = page.first + page.n) {
			got = hit_store_rows(of.store, &page, row, HIT_PAGE_AT);
			need(got == 1);
			rows += page.n;
		}
		hit_store_close(of.store);
	}
	hit_store_close(of.next);
	need(!has_deleted_maps());
	return rows;
}

static void wait_for_stop(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
}

/* A reader is stopped while it holds a snapshot; its segment ends and is removed. The
 * writer does not notice; the reader goes on as if the segment were there, and what it
 * took on the disk is free when it has left it. */
START_TEST(a_segment_goes_under_a_reader)
{
	struct hit_store_file *files;
	struct hit_log_stats st;
	int status;
	char *dir = strdup(unit_path("hits"));
	pid_t pid = fork(); /* now: it shall have no map of the writer's */
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		_exit(count_rows_stopped(dir) == 800 ? 0 : 2);
	}
	wait_for_stop(pid);
	struct hit_log *log = open_log(0);
	ck_assert_int_eq(hit_log_start(log), ERR_OK);
	for (unsigned i = 0; i < 500; i++)
		put_patiently(log, i);
	ck_assert(wait_for(log, &st, HIT_LOG_OK, true));
	kill(pid, SIGCONT);
	wait_for_stop(pid);
	uint64_t order = hit_log_rotate(log);
	for (unsigned i = 500; i < 800; i++)
		put_patiently(log, i);
	ck_assert(wait_for(log, &st, HIT_LOG_OK, true));
	for (int i = 0; i < 2000 && st.rotations != order; i++, usleep(10000))
		hit_log_stats(log, &st);
	ck_assert_uint_eq(st.records, 800);
	ck_assert_int_eq(segment_files(&files), 2);
	ck_assert_int_eq(hit_store_remove(dir, files[0].name), ERR_OK);
	free(files);
	kill(pid, SIGCONT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(hit_log_close(log), ERR_OK);
	free(dir);
}
END_TEST

/* The clock goes back: rows still come in order and by their own time. */
START_TEST(clock_set_back)
{
	struct hit_segment first = {.number = 1, .first_row = 5};
	struct hit_store *s;
	ck_assert_int_eq(mkdir(unit_path("hits"), 0755), 0);
	ck_assert_int_eq(hit_store_create(&s, unit_path("hits/00000001-20260102.hits"),
					  1 << 20, &first, NULL, 0),
			 ERR_OK);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_int_eq(hit_store_begin(s), ERR_OK);
		put_sample(s, 9 - i);
		ck_assert_int_eq(hit_store_commit(s), ERR_OK);
	}
	ck_assert_uint_eq(hit_store_segment(s)->end_row, 15);
	hit_store_close(s);
	read_all(3, 7);
	ck_assert_uint_eq(seen.rows, 4);
	ck_each_once(3, 7);
}
END_TEST

UNIT_SUITE("hit_log", stores_and_reads, recovers_once, changes_segments_by_size,
	   rotates_by_order, positions_are_carried_over, retires_by_age_and_size,
	   full_disk_keeps_what_was_put, full_disk_at_the_end,
	   rings_of_another_version_stay, damaged_segments_are_left_out,
	   a_segment_is_as_long_as_its_map, a_segment_that_crashes, one_writer_at_a_time,
	   a_reader_follows, a_segment_goes_under_a_reader, clock_set_back)
