/* stages.c: a question's way from message to answer, many times, for callgrind.
 * usage: stages listed|cached COUNT. Everything is the resolver's own but the sockets;
 * only what runs inside measured() counts (valgrind --toggle-collect=measured*). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/blocklist_client.h"
#include "resolver/hit_log.h"
#include "resolver/serve.h"

enum { BATCH = 16 }; /* a usual recvmmsg under load */

static const char CONF[] =
	"user: ''\nallow: [127.0.0.0/8]\nrecursion: {trust_anchor: ''}\n";

struct bench {
	struct conf *conf;
	struct blocklist *blocklist;
	struct blocklist_view *view;
	struct hit_log *hits;
	struct stats stats;
	struct serve serve;
	struct asker from;
	uint8_t msg[512], out[DNS_UDP_MAX];
	size_t msg_len;
};

/* No question may cost an allocation: the C library's own functions are counted here
 * while a batch is measured. Sanitizers bring theirs and are left alone. */
static _Thread_local bool measuring;
static _Thread_local unsigned long allocations;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n)
{
	allocations += measuring;
	return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
	allocations += measuring;
	return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
	allocations += measuring;
	return __libc_realloc(p, n);
}
#endif
#endif

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "stages: %s: %s\n", what, err_text(err));
	exit(2);
}

static void name(uint8_t out[DNS_NAME_MAX], const char *text)
{
	must(name_from_str(out, text), text);
}

/* A store of some size, so that a look-up has a tree to walk. */
static void fill_blocklist(struct blocklist *bl)
{
	const struct blocklist_list_set set = {NULL, -1, -1, -1, -1, -1, -1, NULL, 0, 0};
	struct blocklist_changes changes;
	struct blocklist_import *im;
	struct blocklist_item item = {.kind = RULE_SUBTREE, .action = RULE_GIVEN};
	must(blocklist_import_open(&im, bl, "bench", &set), "import");
	for (int i = 0; i < 20000; i++) {
		char text[64];
		snprintf(text, sizeof text, "n%d.z%d.bench.example", i, i % 97);
		name(item.key.name, text);
		must(blocklist_import_put(im, &item), "put");
	}
	must(blocklist_import_commit(im, &changes, NULL, NULL, NULL), "commit");
	blocklist_import_close(im);
}

/* Subscribers that opted out, of every prefix length there can be. */
static void fill_clients(struct blocklist *bl)
{
	enum { N = 20000 };
	static struct blocklist_client_item item[N];
	struct blocklist_changes changes;
	for (unsigned i = 0; i < N; i++) {
		const uint8_t bytes[4] = {10, (uint8_t)(i >> 8), (uint8_t)i, 0};
		const struct addr a = addr_v4(bytes, 0);
		item[i].prefix = prefix_of(&a, 8 + i % 25);
		item[i].opt_out = true;
	}
	must(blocklist_clients_import(bl, item, N, false, &changes), "clients");
}

static void open_all(struct bench *b, char *dir)
{
	struct conf_error error;
	const char *why = NULL;
	char path[256];
	must(conf_parse(&b->conf, CONF, strlen(CONF), "bench", &error), "configuration");
	snprintf(path, sizeof path, "%s/blocklist", dir);
	must(blocklist_open(&b->blocklist, path, BLOCKLIST_WRITE, &why), "blocklist");
	fill_blocklist(b->blocklist);
	fill_clients(b->blocklist);
	must(blocklist_view_open(&b->view, b->blocklist), "view");
	const struct hit_log_conf hits = {
		.state = dir, .runtime = dir, .node = "bench", .workers = 1};
	must(hit_log_open(&b->hits, &hits, &why), "hit log");
	struct serve *s = &b->serve;
	must(answer_cache_open(&s->answers, 1 << 20), "answer cache");
	s->conf = b->conf;
	s->policy.view = b->view;
	s->policy.default_action = b->conf->sinkhole.action;
	s->stats = &b->stats;
	s->ring = hit_log_ring(b->hits, 0);
	s->clock_synced = true;
	b->from.client = addr_v4((const uint8_t[]){127, 0, 0, 9}, 4242);
	b->from.listener = addr_v4((const uint8_t[]){127, 0, 0, 1}, 53);
}

static void ask(struct bench *b, const char *qname)
{
	static const uint8_t opt[DNS_OPT_LEN] = {0, 0, DNS_OPT, 4, 208};
	uint8_t wire[DNS_NAME_MAX];
	struct wire_writer w = wire_writer(b->msg, sizeof b->msg);
	name(wire, qname);
	wire_put_header(&w, 4711, DNS_RD, (const uint16_t[]){1, 0, 0, 1});
	wire_put_name(&w, wire);
	wire_put16(&w, DNS_A);
	wire_put16(&w, DNS_IN);
	wire_put(&w, opt, sizeof opt);
	must(w.err, "question");
	b->msg_len = wire_written(&w);
}

static void begin(struct bench *b)
{
	must(blocklist_view_renew(b->view), "renew");
	b->serve.policy.stamp = blocklist_view_stamp(b->view);
}

/* What callgrind counts: one batch, as a worker takes it. */
__attribute__((noinline)) static void measured(struct bench *b)
{
	measuring = true;
	begin(b);
	for (int i = 0; i < BATCH; i++) {
		size_t len = 0;
		if (serve_question(&b->serve, &b->from, b->msg, b->msg_len, b->out,
				   &len) != SERVE_ANSWER)
			must(ERR_INVAL, "no answer");
	}
	blocklist_view_reset(b->view);
	measuring = false;
}

/* Puts www.clean.example into the answer cache, by the way every answer takes. */
static void remember(struct bench *b)
{
	static const uint8_t rdata[] = {0, 4, 192, 0, 2, 7};
	struct question q = {.qtype = DNS_A, .subject.class = POLICY_ALL};
	struct rrset set = {.owner = q.qname,
			    .type = DNS_A,
			    .kind = RRSET_DATA,
			    .rank = RANK_AUTH_ANSWER,
			    .rr_n = 1,
			    .ttl = 3600,
			    .data = rdata,
			    .data_len = sizeof rdata};
	struct reply reply = {
		.ede = DNS_EDE_NONE, .answer = {&set}, .answer_n = 1, .cacheable = true};
	name(q.qname, "www.clean.example");
	begin(b);
	serve_done(&b->serve, &q, NULL, &reply);
	blocklist_view_reset(b->view);
}

static void close_all(struct bench *b)
{
	answer_cache_close(b->serve.answers);
	hit_log_close(b->hits);
	blocklist_view_close(b->view);
	blocklist_close(b->blocklist);
	conf_free(b->conf);
}

int main(int argc, char **argv)
{
	static struct bench b;
	char dir[] = "/tmp/sinkholed-stages-XXXXXX";
	if (argc != 3 || (strcmp(argv[1], "listed") && strcmp(argv[1], "cached"))) {
		fprintf(stderr, "usage: stages listed|cached COUNT\n");
		return 2;
	}
	if (!mkdtemp(dir))
		must(ERR_IO, dir);
	int count = atoi(argv[2]);
	open_all(&b, dir);
	b.serve.now_us = (uint64_t)time(NULL) * 1000000;
	b.serve.policy.now_s = (uint32_t)time(NULL);
	bool listed = strcmp(argv[1], "listed") == 0;
	ask(&b, listed ? "www.bot.n7777.z17.bench.example" : "www.clean.example");
	if (!listed)
		remember(&b);
	begin(&b); /* reads the lists, once */
	blocklist_view_reset(b.view);
	struct timespec t0, t1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < count; i += BATCH)
		measured(&b);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	double ns =
		(double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec);
	uint64_t was = b.stats.n[listed ? STATS_HIT_ADDRESS : STATS_CACHED];
	printf("%s: %llu answers, %.0f ns each\n", argv[1], (unsigned long long)was,
	       ns / count);
	if (allocations) {
		fprintf(stderr, "stages: %lu allocations in %d questions\n", allocations,
			count);
		return 1;
	}
	close_all(&b);
	char command[64];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) || was != (uint64_t)((count + BATCH - 1) / BATCH * BATCH)
		       ? 1
		       : 0;
}
