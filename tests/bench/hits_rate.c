/* hits_rate.c: distinct hits put into two rings at a steady rate, stored by the one
 * writer thread.
 * usage: hits_rate STATE SECONDS [RATE [READERS]]
 * With READERS, so many are at work and one has stopped in the midst of reading, but only
 * in every second slice of ten seconds: the time that commits take in the one kind of
 * slices is compared with the other. Fails when a hit was lost or found no room. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "resolver/hit_log.h"
#include "resolver/hit_read.h"

enum {
	WORKERS = 2,
	RATE = 200000,
	TICK_MS = 5,
	BURST_SHARE = 20 /* of a second */,
	READERS_MAX = 64,
	STOP_AFTER_ROWS = 1000,
	SLICE_S = 10,
	COMMITS_MAX = 1 << 16, /* of each kind of slice */
};

/* What readers look at. */
struct shared {
	volatile int slice; /* readers are at work in odd ones */
};

/* All with readers, or all without. */
struct slices {
	uint64_t us[COMMITS_MAX]; /* of each commit */
	size_t n;
	uint64_t records, commits, bytes;
};

struct run {
	struct hit_log *log;
	struct shared *shared;
	struct slices with, without; /* readers */
	struct hit_log_stats before;
	uint64_t slice_records, slice_commits, slice_bytes; /* before this slice */
	pid_t pid[READERS_MAX + 1]; /* the last one: that which stops */
	int readers;
	const char *dir;
};

static int64_t now_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void make_hit(struct hit *h, uint64_t id)
{
	char text[64];
	*h = (struct hit){
		.time_us = (uint64_t)now_us(CLOCK_REALTIME),
		.entry = id % 50000 + 1,
		.count = 1,
		.qtype = DNS_A,
		.trigger = RULE_ON_QNAME,
		.action = RULE_ADDRESS,
		.list = "rate",
		.client = {.bytes = {100, 64 + (id >> 16 & 63), (uint8_t)(id >> 8),
				     (uint8_t)id},
			   .family = 4,
			   .port = (uint16_t)(id >> 5 | 1024)},
	};
	int n = snprintf(text, sizeof text, "c%llu.rate.example",
			 (unsigned long long)h->entry);
	if (name_from_text(h->matched, text, (size_t)n))
		abort();
	n = snprintf(text, sizeof text, "%llx", (unsigned long long)id);
	h->qname[0] = (uint8_t)n;
	memcpy(h->qname + 1, text, (size_t)n);
	name_copy(h->qname + 1 + n, h->matched);
}

/* Reads the log from its beginning, again and again, until it is ended. */
static void read_for_ever(const struct run *run, bool stops)
{
	struct hit_read_conf conf = {.dir = run->dir};
	struct hit_reader *r;
	struct hit_row row;
	uint64_t rows = 0;
	/* As sinkhole-hits after a second. */
	(void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
	for (;; usleep(10000)) {
		if (run->shared->slice % 2 == 0 || hit_read_open(&r, &conf) != ERR_OK)
			continue;
		while (run->shared->slice % 2 && hit_read_next(r, &row) == 1)
			if (stops && ++rows % STOP_AFTER_ROWS == 0)
				raise(SIGSTOP);
		hit_read_close(r);
	}
}

static void start_readers(struct run *run)
{
	for (int i = 0; i <= run->readers && run->readers; i++) {
		run->pid[i] = fork();
		if (run->pid[i] == 0)
			read_for_ever(run, i == run->readers);
	}
}

static void end_readers(struct run *run)
{
	for (int i = 0; i <= run->readers && run->readers; i++) {
		kill(run->pid[i], SIGKILL);
		waitpid(run->pid[i], NULL, 0);
	}
}

static uint64_t file_bytes(const struct run *run)
{
	struct hit_store_file *files;
	uint64_t bytes = 0;
	int n;
	if (hit_store_files(&files, &n, run->dir))
		return 0;
	for (int i = 0; i < n; i++)
		bytes += files[i].bytes;
	free(files);
	return bytes;
}

/* What the slice that ends has added. */
static void end_slice(struct run *run, struct slices *s)
{
	uint64_t bytes = file_bytes(run);
	s->records += run->before.records - run->slice_records;
	s->commits += run->before.commits - run->slice_commits;
	s->bytes += bytes - run->slice_bytes;
	run->slice_records = run->before.records;
	run->slice_commits = run->before.commits;
	run->slice_bytes = bytes;
}

/* The commits since the last call; of several at once the mean. */
static void watch(struct run *run, double at_s)
{
	struct hit_log_stats st;
	int slice = (int)(at_s / SLICE_S);
	hit_log_stats(run->log, &st);
	uint64_t n = st.commits - run->before.commits;
	struct slices *s = run->shared->slice % 2 ? &run->with : &run->without;
	if (n && s->n < COMMITS_MAX)
		s->us[s->n++] = (st.commit_us - run->before.commit_us) / n;
	run->before = st;
	if (slice == run->shared->slice || !run->readers)
		return;
	end_slice(run, s);
	run->shared->slice = slice;
	if (slice % 2 == 0) /* it finds the slice over, and stops anew in the next one */
		kill(run->pid[run->readers], SIGCONT);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void print_slices(const char *what, struct slices *s)
{
	qsort(s->us, s->n, sizeof *s->us, by_size);
	if (s->n)
		printf("%s: half of the commits up to %.1f ms, 99 %% up to %.1f ms", what,
		       (double)s->us[s->n / 2] / 1000,
		       (double)s->us[s->n * 99 / 100] / 1000);
	if (s->commits && s->records)
		printf("; %.0f hits each, %.1f bytes of file a hit",
		       (double)s->records / (double)s->commits,
		       (double)s->bytes / (double)s->records);
	if (s->n)
		printf("\n");
}

static void count_trouble(void *arg, const char *dir, const char *segment, int err,
			  uint64_t bad)
{
	(void)dir, (void)segment;
	*(uint64_t *)arg += err ? 1 : bad;
}

/* Puts for that long. Who got no processor for a while does not make up for all of it at
 * once: that would be another rate. */
static uint64_t fill(struct run *run, double seconds, uint64_t rate)
{
	struct hit h;
	uint64_t id = 0, skipped = 0;
	int64_t start = now_us(CLOCK_MONOTONIC), at;
	do {
		at = now_us(CLOCK_MONOTONIC) - start;
		uint64_t due = (uint64_t)((double)at * (double)rate / 1e6) - skipped;
		if (due > id + rate / BURST_SHARE) {
			skipped += due - id - rate / BURST_SHARE;
			due = id + rate / BURST_SHARE;
		}
		for (; id < due; id++) {
			make_hit(&h, id);
			if (hit_ring_put(hit_log_ring(run->log, (int)(id % WORKERS)),
					 &h) != HIT_STORED)
				return id;
		}
		watch(run, (double)at / 1e6);
		usleep(TICK_MS * 1000);
	} while ((double)at < seconds * 1e6);
	return id;
}

static double seconds_of(const struct rusage *u)
{
	return (double)u->ru_utime.tv_sec + (double)u->ru_utime.tv_usec / 1e6 +
	       (double)u->ru_stime.tv_sec + (double)u->ru_stime.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	static struct run run;
	char dir[1100];
	double seconds = argc > 2 ? atof(argv[2]) : 0;
	uint64_t rate = argc > 3 ? strtoull(argv[3], NULL, 10) : RATE, trouble = 0;
	const char *why = "";
	struct hit_log_stats st;
	struct hit_read_totals t;
	struct rusage used, mine;
	run.readers = argc > 4 ? atoi(argv[4]) : 0;
	if (seconds <= 0 || run.readers < 0 || run.readers > READERS_MAX) {
		fprintf(stderr, "usage: hits_rate STATE SECONDS [RATE [READERS]]\n");
		return 2;
	}
	struct hit_log_conf conf = {
		.state = argv[1], .runtime = argv[1], .node = "rate", .workers = WORKERS};
	snprintf(dir, sizeof dir, "%s/hits", argv[1]);
	run.dir = dir;
	run.shared = mmap(NULL, sizeof *run.shared, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.shared == MAP_FAILED)
		return 2;
	start_readers(&run);
	if (hit_log_open(&run.log, &conf, &why) || hit_log_start(run.log)) {
		fprintf(stderr, "hits_rate: %s\n", why);
		end_readers(&run);
		return 2;
	}
	uint64_t put = fill(&run, seconds, rate);
	getrusage(RUSAGE_THREAD, &mine);
	hit_log_stats(run.log, &st);
	int err = hit_log_close(run.log);
	getrusage(RUSAGE_SELF, &used);
	end_readers(&run);
	struct hit_read_conf all = {
		.dir = dir, .trouble = count_trouble, .trouble_arg = &trouble};
	if (err || hit_read_totals(&t, &all))
		return 2;
	printf("%.1f s, %.0f a second: %llu put, %llu stored, %llu no room, %llu folded, "
	       "%llu missing; %.1f bytes a hit\n",
	       seconds, (double)put / seconds, (unsigned long long)put,
	       (unsigned long long)t.hits, (unsigned long long)st.no_room,
	       (unsigned long long)st.folded, (unsigned long long)t.missing,
	       t.records ? (double)t.bytes / (double)t.records : 0.0);
	printf("processor: %.2f us a hit to store, %.2f to put; longest commit %.1f ms\n",
	       (seconds_of(&used) - seconds_of(&mine)) * 1e6 / (double)put,
	       seconds_of(&mine) * 1e6 / (double)put, (double)st.commit_us_max / 1000);
	print_slices("no readers", &run.without);
	print_slices("readers", &run.with);
	return t.hits != put || st.no_room || st.folded || t.missing || trouble;
}
