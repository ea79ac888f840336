/* hits_kill.c: SIGKILL against the hit log alone.
 * usage: hits_kill DIR [ROUNDS]
 * A child puts hits with names never used before from two threads and says through a pipe
 * which of them it would have answered; it is killed at a random moment, once between a
 * commit and the rings learning of it. In the end every answered hit is stored, none
 * twice. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "resolver/hit_log.h"
#include "resolver/hit_read.h"

enum {
	ROUNDS = 20,
	THREADS = 2,
	BATCH = 32, /* ids a write; far below PIPE_BUF, so whole */
	LIFE_MS_MIN = 5,
	LIFE_MS_MAX = 250,
	KILL_COMMIT = 3, /* in one round: dies by itself after this commit */
	PER_ROUND = 1 << 20,
};

struct putter {
	struct hit_ring *ring;
	uint32_t first;
	int fd;
	bool slow; /* leaves the writer time to empty the rings now and then */
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void pause_us(long us)
{
	struct timespec t = {.tv_nsec = us * 1000};
	nanosleep(&t, NULL);
}

static void make_hit(struct hit *h, uint32_t id)
{
	char text[64];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*h = (struct hit){
		.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
		.entry = id,
		.qtype = 1,
		.trigger = RULE_ON_QNAME,
		.action = RULE_ADDRESS,
		.list = "kill",
		.client = {.bytes = {192, 0, 2, 1}, .family = 4, .port = 1024},
	};
	int n = snprintf(text, sizeof text, "n%u.kill.example", id);
	if (name_from_text(h->qname, text, (size_t)n) ||
	    name_from_str(h->matched, "kill.example"))
		abort();
}

/* Puts until it is killed. */
static void *put_hits(void *arg)
{
	const struct putter *p = arg;
	uint32_t ids[BATCH];
	struct hit h;
	uint32_t end = p->first + PER_ROUND / THREADS;
	for (uint32_t id = p->first; id + BATCH <= end;) {
		for (int i = 0; i < BATCH; i++, id++) {
			make_hit(&h, id);
			const struct hit_source source = hit_source_of(&h);
			while (hit_ring_put(p->ring, &source) == HIT_NO_ROOM)
				pause_us(100);
			ids[i] = id;
		}
		/* The answers leave: from here on these must never be lost. */
		if (write(p->fd, ids, sizeof ids) != (ssize_t)sizeof ids)
			_exit(3);
		if (p->slow)
			pause_us(1000);
	}
	for (;;)
		pause();
	return NULL;
}

static void child(const char *dir, int fd, uint32_t first, bool slow)
{
	static struct putter putters[THREADS];
	struct hit_log_conf conf = {.state = dir,
				    .runtime = dir,
				    .node = "kill",
				    .workers = THREADS,
				    .segment_bytes = 32 << 20};
	struct hit_log *log;
	const char *why;
	pthread_t thread;
	if (hit_log_open(&log, &conf, &why) || hit_log_start(log)) {
		fprintf(stderr, "hits_kill: %s\n", why);
		_exit(3);
	}
	for (int i = 0; i < THREADS; i++) {
		uint32_t mine = first + (uint32_t)i * (PER_ROUND / THREADS);
		putters[i] = (struct putter){hit_log_ring(log, i), mine, fd, slow};
		if (pthread_create(&thread, NULL, put_hits, &putters[i]))
			_exit(3);
	}
	for (;;)
		pause();
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads ids until the child is dead and the pipe empty; kills it at that time. */
static uint64_t collect(uint8_t *answered, int fd, pid_t pid, int64_t kill_ms)
{
	uint32_t ids[BATCH];
	uint64_t n = 0;
	bool killed = false;
	for (;;) {
		if (!killed && kill_ms && now_ms() >= kill_ms)
			killed = kill(pid, SIGKILL) == 0;
		ssize_t got = read(fd, ids, sizeof ids);
		if (got <= 0)
			return n;
		for (size_t i = 0; i < (size_t)got / sizeof *ids; i++, n++)
			answered[ids[i]] = 1;
	}
}

static uint64_t one_round(const char *dir, uint8_t *answered, int round, bool at_commit)
{
	int pipes[2], status;
	if (pipe(pipes))
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		char text[16];
		close(pipes[0]);
		snprintf(text, sizeof text, "%d", KILL_COMMIT);
		if (at_commit)
			setenv("SINKHOLED_TEST_KILL_COMMIT", text, 1);
		child(dir, pipes[1], (uint32_t)round * PER_ROUND, round % 8 != 0);
	}
	close(pipes[1]);
	int64_t life = LIFE_MS_MIN + rand() % (LIFE_MS_MAX - LIFE_MS_MIN);
	uint64_t n = collect(answered, pipes[0], pid, at_commit ? 0 : now_ms() + life);
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "hits_kill: the child ended by itself\n");
		exit(1);
	}
	return n;
}

static void on_trouble(void *arg, const char *dir, const char *segment, int err,
		       uint64_t bad)
{
	(void)dir;
	fprintf(stderr, "segment %s: %s, %llu bad\n", segment, err_text(err),
		(unsigned long long)bad);
	*(bool *)arg = true;
}

static void count_stored(uint8_t *stored, const char *dir, uint64_t ids)
{
	char hits[1024];
	bool trouble = false;
	struct hit_read_conf conf = {
		.dir = hits, .trouble = on_trouble, .trouble_arg = &trouble};
	struct hit_reader *r;
	struct hit_row row;
	snprintf(hits, sizeof hits, "%s/hits", dir);
	if (hit_read_open(&r, &conf))
		die(hits);
	while (hit_read_next(r, &row) == 1) {
		if (row.hit.entry >= ids || row.hit.count > 200) {
			fprintf(stderr, "hits_kill: a row that nobody put\n");
			exit(1);
		}
		stored[row.hit.entry] = (uint8_t)(stored[row.hit.entry] + row.hit.count);
	}
	hit_read_close(r);
	if (trouble)
		exit(1);
}

/* The next start: stores what the last one left. */
static void recover(const char *dir)
{
	struct hit_log_conf conf = {
		.state = dir, .runtime = dir, .node = "kill", .workers = 1};
	struct hit_log *log;
	const char *why;
	if (hit_log_open(&log, &conf, &why) || hit_log_close(log))
		die(why);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
	if (argc < 2 || rounds < 2 || rounds > 1000) {
		fprintf(stderr, "usage: hits_kill DIR [ROUNDS]\n");
		return 2;
	}
	size_t ids = (size_t)rounds * PER_ROUND;
	uint8_t *answered = calloc(ids, 1), *stored = calloc(ids, 1);
	if (!answered || !stored)
		die("calloc");
	srand((unsigned)time(NULL));
	uint64_t n = 0, missing = 0, twice = 0, unanswered = 0;
	for (int i = 0; i < rounds; i++)
		n += one_round(argv[1], answered, i, i == rounds / 2);
	recover(argv[1]);
	count_stored(stored, argv[1], ids);
	for (size_t i = 0; i < ids; i++) {
		missing += answered[i] && !stored[i];
		twice += stored[i] > 1;
		unanswered += stored[i] && !answered[i];
	}
	printf("%d kills: %llu answered, %llu of them not stored, %llu stored twice, "
	       "%llu stored without an answer\n",
	       rounds, (unsigned long long)n, (unsigned long long)missing,
	       (unsigned long long)twice, (unsigned long long)unanswered);
	free(answered);
	free(stored);
	return missing || twice || n == 0;
}
