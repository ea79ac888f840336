/* hits_rate.c: distinct hits put into two rings at a steady rate, stored by the one
 * writer thread.
 * usage: hits_rate STATE SECONDS [RATE [READERS]]
 * With READERS, slices of a few seconds take turns: the writer alone; with so many
 * readers at work and one more stopped within a call, holding its snapshot; with as many
 * processes of the readers' scheduling class that only reckon in their own memory. What
 * commits take with readers is compared with the writer alone (the bar) and with the
 * latter: what those cost too is the processors' and not the store's. Fails when a hit
 * was lost or found no room. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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
	SLICE_S = 5,
	SETTLE_MS = 500,       /* of a slice, in which its company comes */
	COMMITS_MAX = 1 << 16, /* of each kind of slice */
	BURNT_BYTES = 4 << 20, /* more than a core's own caches hold */
	IDLE_US = 10000,
};

/* Who is at work beside the writer. */
enum company { ALONE, READERS, BURNERS, COMPANIES };
static const char *const company_text[] = {"alone", "readers", "burners"};

/* Of one commit: how long it took; what the writer thread ran since the one before. */
struct commit {
	uint64_t us, running_us;
};

struct slices {
	struct commit commit[COMMITS_MAX];
	size_t n;
};

struct run {
	struct hit_log *log;
	volatile int *company; /* what the readers look at */
	struct slices of[COMPANIES];
	struct hit_log_stats before;
	uint64_t running_us; /* of the writer thread before */
	int64_t slice_us;    /* when it began */
	int schedstat;
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

/* Reads the log from its beginning. */
static void read_once(const struct run *run)
{
	struct hit_read_conf conf = {.dir = run->dir};
	struct hit_reader *r;
	struct hit_row row;
	if (hit_read_open(&r, &conf))
		return;
	while (*run->company == READERS && hit_read_next(r, &row) == 1)
		;
	hit_read_close(r);
}

/* Stops with a snapshot of the newest segment, which it ends when it goes on. */
static void stop_once(const struct run *run)
{
	struct hit_read_conf conf = {.dir = run->dir};
	struct hit_read_segment of = {0};
	uint64_t number = 0;
	while (hit_read_segment(&of, &conf, number) == 1) {
		number = of.file.number;
		if (of.newest && hit_store_hold(of.store) == ERR_OK)
			raise(SIGSTOP);
		hit_store_close(of.store);
	}
	hit_store_close(of.next);
}

static void burn_once(const struct run *run, volatile uint8_t *burnt)
{
	for (size_t i = 0; i < BURNT_BYTES && *run->company == BURNERS; i++)
		burnt[i] = (uint8_t)(burnt[i] + i);
}

/* Keeps the writer company until it is ended. */
static void keep_company(const struct run *run, bool stops)
{
	uint8_t *burnt = calloc(BURNT_BYTES, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* As sinkhole-hits after a second. */
	(void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
	for (;;)
		if (*run->company == READERS && stops)
			stop_once(run);
		else if (*run->company == READERS)
			read_once(run);
		else if (*run->company == BURNERS && !stops && burnt)
			burn_once(run, burnt);
		else
			usleep(IDLE_US);
}

static void start_readers(struct run *run)
{
	for (int i = 0; i <= run->readers && run->readers; i++) {
		run->pid[i] = fork();
		if (run->pid[i] == 0)
			keep_company(run, i == run->readers);
	}
}

static void end_readers(struct run *run)
{
	for (int i = 0; i <= run->readers && run->readers; i++) {
		kill(run->pid[i], SIGKILL);
		waitpid(run->pid[i], NULL, 0);
	}
}

/* The writer is the other thread of this process. */
static void find_writer(struct run *run)
{
	char path[64];
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");
	run->schedstat = -1;
	while (d && (e = readdir(d))) {
		long id = atol(e->d_name);
		snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", id);
		if (id > 0 && id != getpid())
			run->schedstat = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (d)
		closedir(d);
}

static uint64_t writer_running_us(const struct run *run)
{
	char text[64] = "";
	(void)!pread(run->schedstat, text, sizeof text - 1, 0);
	return strtoull(text, NULL, 10) / 1000;
}

/* The commits since the last call; of several at once the mean. */
static void watch(struct run *run, int64_t at_us)
{
	struct hit_log_stats st;
	hit_log_stats(run->log, &st);
	uint64_t n = st.commits - run->before.commits;
	struct slices *s = &run->of[*run->company];
	if (n) {
		struct commit *c = &s->commit[s->n];
		uint64_t running_us = writer_running_us(run);
		if (s->n < COMMITS_MAX && at_us - run->slice_us > SETTLE_MS * 1000) {
			c->us = (st.commit_us - run->before.commit_us) / n;
			c->running_us = (running_us - run->running_us) / n;
			s->n++;
		}
		run->running_us = running_us;
	}
	run->before = st;
	if (!run->readers || at_us - run->slice_us < SLICE_S * 1000000)
		return;
	run->slice_us = at_us;
	*run->company = (*run->company + 1) % COMPANIES;
	kill(run->pid[run->readers], SIGCONT);
}

static int by_time(const void *a, const void *b)
{
	const struct commit *x = a, *y = b;
	return (x->us > y->us) - (x->us < y->us);
}

/* What is compared. */
struct times {
	double mean, half, most; /* ms; most: 99 % of them */
};

/* Means from that one on. */
static void print_means(const struct slices *s, size_t from)
{
	double n = (double)(s->n - from) * 1000, us = 0, running = 0;
	for (size_t i = from; i < s->n; i++) {
		us += (double)s->commit[i].us;
		running += (double)s->commit[i].running_us;
	}
	printf("%.2f ms, processor %.2f", us / n, running / n);
}

static struct times print_slices(enum company company, struct slices *s)
{
	struct times t = {0};
	if (!s->n)
		return t;
	size_t most = s->n * 99 / 100;
	qsort(s->commit, s->n, sizeof *s->commit, by_time);
	for (size_t i = 0; i < s->n; i++)
		t.mean += (double)s->commit[i].us / 1000 / (double)s->n;
	t.half = (double)s->commit[s->n / 2].us / 1000;
	t.most = (double)s->commit[most].us / 1000;
	printf("%-8s %zu commits: half up to %.2f ms, 99 %% up to %.2f; mean ",
	       company_text[company], s->n, t.half, t.most);
	print_means(s, 0);
	printf("; slowest 1 %% mean ");
	print_means(s, most);
	printf("\n");
	return t;
}

static void print_ratio(const char *what, const struct times *a, const struct times *b)
{
	if (a->mean > 0 && b->mean > 0)
		printf("%s: mean %.2f, half %.2f, 99 %% %.2f times\n", what,
		       a->mean / b->mean, a->half / b->half, a->most / b->most);
}

static void print_companies(struct run *run)
{
	struct times t[COMPANIES];
	for (int i = 0; i < COMPANIES; i++)
		t[i] = print_slices((enum company)i, &run->of[i]);
	print_ratio("readers to alone", &t[READERS], &t[ALONE]);
	print_ratio("readers to burners", &t[READERS], &t[BURNERS]);
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
			const struct hit_source source = hit_source_of(&h);
			if (hit_ring_put(hit_log_ring(run->log, (int)(id % WORKERS)),
					 &source) != HIT_STORED)
				return id;
		}
		watch(run, at);
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
	run.company = mmap(NULL, sizeof *run.company, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.company == MAP_FAILED)
		return 2;
	start_readers(&run);
	if (hit_log_open(&run.log, &conf, &why) || hit_log_start(run.log)) {
		fprintf(stderr, "hits_rate: %s\n", why);
		end_readers(&run);
		return 2;
	}
	find_writer(&run);
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
	       "%llu missing; %.1f bytes a hit, %llu segments\n",
	       seconds, (double)put / seconds, (unsigned long long)put,
	       (unsigned long long)t.hits, (unsigned long long)st.no_room,
	       (unsigned long long)st.folded, (unsigned long long)t.missing,
	       t.records ? (double)t.bytes / (double)t.records : 0.0,
	       (unsigned long long)t.segments);
	printf("processor: %.2f us a hit to store, %.2f to put; longest commit %.1f ms\n",
	       (seconds_of(&used) - seconds_of(&mine)) * 1e6 / (double)put,
	       seconds_of(&mine) * 1e6 / (double)put, (double)st.commit_us_max / 1000);
	if (run.readers)
		print_companies(&run);
	return t.hits != put || st.no_room || st.folded || t.missing || trouble;
}
