/* hits_rate.c: distinct hits put into two rings at a steady rate, stored by the one
 * writer thread; readers beside it, and one that stopped in the midst of reading.
 * usage: hits_rate STATE SECONDS [RATE [READERS]]
 * Fails when a hit was lost or found no room. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
	STOP_AFTER_ROWS = 1000
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
static void read_for_ever(const char *dir, bool stop)
{
	struct hit_read_conf conf = {.dir = dir};
	struct hit_reader *r;
	struct hit_row row;
	uint64_t rows = 0;
	for (;;) {
		if (hit_read_open(&r, &conf) == ERR_OK) {
			while (hit_read_next(r, &row) == 1)
				if (stop && ++rows == STOP_AFTER_ROWS)
					raise(SIGSTOP);
			hit_read_close(r);
		}
		usleep(10000);
	}
}

static void count_trouble(void *arg, const char *dir, const char *segment, int err,
			  uint64_t bad)
{
	(void)dir, (void)segment;
	*(uint64_t *)arg += err ? 1 : bad;
}

/* Puts for that long. Who got no processor for a while does not make up for all of it at
 * once: that would be another rate. */
static uint64_t fill(struct hit_log *log, double seconds, uint64_t rate)
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
			if (hit_ring_put(hit_log_ring(log, (int)(id % WORKERS)), &h) !=
			    HIT_STORED)
				return id;
		}
		usleep(TICK_MS * 1000);
	} while ((double)at < seconds * 1e6);
	return id;
}

int main(int argc, char **argv)
{
	char dir[1100];
	pid_t readers[READERS_MAX + 1];
	double seconds = argc > 2 ? atof(argv[2]) : 0;
	uint64_t rate = argc > 3 ? strtoull(argv[3], NULL, 10) : RATE, trouble = 0;
	int readers_n = argc > 4 ? atoi(argv[4]) : 0;
	const char *why = "";
	struct hit_log *log;
	struct hit_log_stats st;
	struct hit_read_totals t;
	struct rusage used;
	if (seconds <= 0 || readers_n < 0 || readers_n > READERS_MAX) {
		fprintf(stderr, "usage: hits_rate STATE SECONDS [RATE [READERS]]\n");
		return 2;
	}
	struct hit_log_conf conf = {
		.state = argv[1], .runtime = argv[1], .node = "rate", .workers = WORKERS};
	snprintf(dir, sizeof dir, "%s/hits", argv[1]);
	for (int i = 0; i <= readers_n && readers_n; i++) {
		readers[i] = fork();
		if (readers[i] == 0)
			read_for_ever(dir, i == 0);
	}
	if (hit_log_open(&log, &conf, &why) || hit_log_start(log)) {
		fprintf(stderr, "hits_rate: %s\n", why);
		return 2;
	}
	uint64_t put = fill(log, seconds, rate);
	hit_log_stats(log, &st);
	int err = hit_log_close(log);
	getrusage(RUSAGE_SELF, &used);
	for (int i = 0; i <= readers_n && readers_n; i++) {
		kill(readers[i], SIGKILL);
		waitpid(readers[i], NULL, 0);
	}
	struct hit_read_conf all = {
		.dir = dir, .trouble = count_trouble, .trouble_arg = &trouble};
	if (err || hit_read_totals(&t, &all))
		return 2;
	printf("%.1f s, %.0f a second, %llu put, %llu stored, %llu no room, %llu folded, "
	       "%llu missing; "
	       "%llu commits, mean %.1f ms, longest %.1f ms; %.1f bytes a hit; %.2f s "
	       "CPU "
	       "in all\n",
	       seconds, (double)put / seconds, (unsigned long long)put,
	       (unsigned long long)t.hits, (unsigned long long)st.no_room,
	       (unsigned long long)st.folded, (unsigned long long)t.missing,
	       (unsigned long long)st.commits,
	       st.commits ? (double)st.commit_us / (double)st.commits / 1000 : 0.0,
	       (double)st.commit_us_max / 1000,
	       t.records ? (double)t.bytes / (double)t.records : 0.0,
	       (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6 +
		       (double)used.ru_stime.tv_sec +
		       (double)used.ru_stime.tv_usec / 1e6);
	return t.hits != put || st.no_room || st.folded || t.missing || trouble;
}
