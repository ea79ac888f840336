/* update.c: how soon one entry acts: from the start of its commit to the first answer by
 * the new rule, while the name is asked without a pause.
 * usage: update BLOCKLIST ADDRESS@PORT NAME COUNT
 * NAME, which nothing lists, goes into a list of its own and out again COUNT times. One
 * line of JSON: milliseconds, of the commits alone too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "include/blocklist.h"
#include "tests/bench/question.h"

#define LIST "update"

enum {
	ANSWER_MS = 200,   /* then the question is asked again */
	ACTS_MS = 10000,   /* it never does */
	BETWEEN_US = 3000, /* so that commits fall anywhere in the asking */
	BETWEEN_STEP_US = 700,
	COUNT_MAX = 10000,
};

struct watch {
	int fd;
	uint8_t msg[512];
	size_t len;
	atomic_bool blocked, stop;
	_Atomic int64_t since_ns; /* the first answer of that kind */
};

static void wait_us(long us)
{
	nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "update: %s: %s\n", what, why);
	exit(2);
}

/* ---- the one who asks ---- */

static void open_watch(struct watch *w, const char *at, const char *name)
{
	const struct timeval wait = {0, ANSWER_MS * 1000};
	w->len = question_make(w->msg, sizeof w->msg, name);
	w->fd = question_socket(at, 0);
	if (!w->len || w->fd < 0 ||
	    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait))
		die("not a name and an ADDRESS@PORT", at);
}

static void *ask_on(void *arg)
{
	struct watch *w = arg;
	uint8_t in[4096];
	for (uint16_t id = 1; !atomic_load(&w->stop); id++) {
		wire_set16(w->msg, id);
		if (send(w->fd, w->msg, w->len, 0) < 0)
			continue;
		ssize_t n = recv(w->fd, in, sizeof in, 0);
		if (n < DNS_HEADER_LEN || wire_get16(in) != id)
			continue;
		bool blocked = (wire_get16(in + 2) & DNS_RCODE_MASK) == DNS_NXDOMAIN;
		if (blocked == atomic_load(&w->blocked))
			continue;
		atomic_store(&w->since_ns, question_now_ns());
		atomic_store(&w->blocked, blocked);
	}
	return NULL;
}

/* ---- the one who commits ---- */

static double ms_between(int64_t from, int64_t to)
{
	return (double)(to - from) / 1e6;
}

/* Returns ms until it acted; *commit_ms is what the commit took. */
static double change(struct watch *w, struct blocklist *bl,
		     const struct blocklist_item *item, bool in, double *commit_ms)
{
	int64_t begin = question_now_ns();
	int err = in ? blocklist_add(bl, LIST, item)
		     : blocklist_remove(bl, LIST, &item->key);
	int64_t done = question_now_ns();
	*commit_ms = ms_between(begin, done);
	if (err)
		die(in ? "add" : "remove", err_text(err));
	while (atomic_load(&w->blocked) != in) {
		if (ms_between(done, question_now_ns()) > ACTS_MS)
			die(in ? "add" : "remove", "it does not act");
		wait_us(100);
	}
	return ms_between(begin, atomic_load(&w->since_ns));
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(const char *what, double *ms, size_t n, const char *end)
{
	qsort(ms, n, sizeof *ms, by_size);
	printf("\"%s_ms\": %.3f, \"%s_max_ms\": %.3f%s", what, ms[n / 2], what, ms[n - 1],
	       end);
}

int main(int argc, char **argv)
{
	static double in[COUNT_MAX], out[COUNT_MAX], commit[2 * COUNT_MAX];
	static struct watch w;
	struct blocklist_item item = {.kind = RULE_SUBTREE, .action = RULE_NXDOMAIN};
	struct blocklist *bl;
	const char *why = NULL;
	pthread_t asker;
	size_t n = argc == 5 ? (size_t)atoi(argv[4]) : 0;
	if (n < 1 || n > COUNT_MAX || name_from_str(item.key.name, argv[3])) {
		fprintf(stderr,
			"usage: update BLOCKLIST ADDRESS@PORT NAME COUNT (1 to %d)\n",
			COUNT_MAX);
		return 2;
	}
	open_watch(&w, argv[2], argv[3]);
	if (blocklist_open(&bl, argv[1], BLOCKLIST_WRITE, &why))
		die(argv[1], why);
	if (pthread_create(&asker, NULL, ask_on, &w))
		die("asker", "no thread");
	for (size_t i = 0; i < n; i++) {
		in[i] = change(&w, bl, &item, true, &commit[2 * i]);
		wait_us(BETWEEN_US + (long)(i % 7) * BETWEEN_STEP_US);
		out[i] = change(&w, bl, &item, false, &commit[2 * i + 1]);
		wait_us(BETWEEN_US + (long)(i % 11) * BETWEEN_STEP_US);
	}
	atomic_store(&w.stop, true);
	pthread_join(asker, NULL);
	blocklist_close(bl);
	printf("{");
	print("in", in, n, ", ");
	print("out", out, n, ", ");
	print("commit", commit, 2 * n, "}\n");
	return 0;
}
