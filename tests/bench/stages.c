/* stages.c: a question's way from message to answer, whole and stage by stage, many
 * times, for callgrind. usage: stages STAGE COUNT; without arguments it names the stages.
 * Everything is the resolver's own but the sockets; only what runs inside measured()
 * counts (valgrind --toggle-collect=measured*). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/blocklist_client.h"
#include "resolver/answer.h"
#include "resolver/hit_log.h"
#include "resolver/serve.h"
#include "tests/bench/question.h"

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
	uint64_t generation;
	unsigned looked_up;
	/* what a single stage is given */
	struct query query;
	struct verdict verdict;
	struct hit hit;
	struct hit_source source;
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

static void open_all(struct bench *b, char *dir, bool list)
{
	struct conf_error error;
	const char *why = NULL;
	char path[256];
	must(conf_parse(&b->conf, CONF, strlen(CONF), "bench", &error), "configuration");
	snprintf(path, sizeof path, "%s/blocklist", dir);
	must(blocklist_open(&b->blocklist, path, BLOCKLIST_WRITE, &why), "blocklist");
	if (list)
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
	b->msg_len = question_make(b->msg, sizeof b->msg, qname);
	must(b->msg_len ? ERR_OK : ERR_INVAL, qname);
}

static void begin(struct bench *b)
{
	must(blocklist_view_renew(b->view), "renew");
	b->serve.policy.stamp = blocklist_view_stamp(b->view);
}

/* ---- the stages; true: it did what it is there for ---- */

static bool whole(struct bench *b)
{
	size_t len = 0;
	return serve_question(&b->serve, &b->from, b->msg, b->msg_len, b->out, &len) ==
	       SERVE_ANSWER;
}

/* No verdict that is remembered holds. */
static bool whole_anew(struct bench *b)
{
	b->serve.policy.stamp.generation = ++b->generation;
	return whole(b);
}

static bool read_query(struct bench *b)
{
	return query_read(&b->query, b->msg, b->msg_len) == QUERY_OK;
}

static bool ask_policy(struct bench *b)
{
	const struct policy_subject subject = {.class = POLICY_ALL};
	return !policy_name(&b->verdict, NULL, &b->serve.policy, &subject,
			    b->query.qname);
}

/* Of a whole batch, as questions that were read ahead are looked up. */
static bool ask_policy_ahead(struct bench *b)
{
	const uint8_t *names[BLOCKLIST_FETCH_MAX];
	if (b->looked_up++ % BLOCKLIST_FETCH_MAX == 0) {
		for (int i = 0; i < BLOCKLIST_FETCH_MAX; i++)
			names[i] = b->query.qname;
		blocklist_fetch_names(b->view, names, BLOCKLIST_FETCH_MAX);
	}
	return ask_policy(b);
}

static bool get_cached(struct bench *b)
{
	struct answer_body body;
	struct answer_age age;
	const struct query *q = &b->query;
	struct answer_cache *answers = b->serve.answers;
	const struct answer_key key = {
		.qname = q->qname,
		.hash = answer_cache_hash(answers, q->qname, q->qname_len),
		.qtype = q->qtype,
		.qname_len = q->qname_len,
		.class = POLICY_ALL,
		.form = answer_form(q, true),
	};
	return answer_cache_get(answers, &body, &age, &key, &b->serve.policy);
}

static bool write_answer(struct bench *b)
{
	const struct answer_policy how = {.verdict = &b->verdict,
					  .action = RULE_ADDRESS,
					  .conf = b->conf,
					  .ede = DNS_EDE_BLOCKED,
					  .text = "bench, entry 7777"};
	struct answer_body body;
	answer_verdict(&body, b->serve.body, sizeof b->serve.body, &b->query, &how);
	return answer_finish(b->out, sizeof b->out, &b->query, &body, 0) > 0;
}

/* Each a hit of its own: another client. */
static bool put_hit(struct bench *b)
{
	b->hit.client.port++;
	b->hit.client.bytes[3]++;
	b->source.time_us++;
	return hit_ring_put(b->serve.ring, &b->source) != HIT_NO_ROOM;
}

#define LISTED "www.bot.n7777.z17.bench.example"
#define DEEP "a.b.c.d.e.n7777.z17.bench.example"
#define CLEAN "www.clean.example"
#define CLEAN_DEEP "www.of.a.clean.example" /* as many labels as the list's names */

static const struct stage {
	const char *name, *qname;
	bool (*run)(struct bench *b);
	bool list, remembered;
} stages[] = {
	{"listed", LISTED, whole, true, false},
	{"listed_anew", LISTED, whole_anew, true, false},
	{"deep_anew", DEEP, whole_anew, true, false},
	{"cached", CLEAN, whole, true, true},
	{"cached_no_list", CLEAN, whole, false, true},
	{"query_read", CLEAN, read_query, true, false},
	{"policy_hit", LISTED, ask_policy, true, false},
	{"policy_miss", CLEAN_DEEP, ask_policy, true, false},
	{"policy_ahead", LISTED, ask_policy_ahead, true, false},
	{"cache_get", CLEAN, get_cached, true, true},
	{"answer", LISTED, write_answer, true, false},
	{"hit_put", LISTED, put_hit, true, false},
};

static const struct stage *stage_named(const char *text)
{
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stages[i].name, text) == 0)
			return &stages[i];
	return NULL;
}

static void fill_hit(struct bench *b)
{
	b->hit = (struct hit){.entry = 7777,
			      .count = 1,
			      .qtype = DNS_A,
			      .trigger = RULE_ON_QNAME,
			      .action = RULE_ADDRESS,
			      .list = "bench",
			      .client = b->from.client,
			      .listener = b->from.listener};
	name(b->hit.qname, LISTED);
	name_copy(b->hit.matched, name_last(b->hit.qname, 4));
	b->source = hit_source_of(&b->hit);
}

/* What callgrind counts: one batch, as a worker takes it. */
__attribute__((noinline)) static void measured(struct bench *b, const struct stage *s)
{
	measuring = true;
	begin(b);
	for (int i = 0; i < BATCH; i++)
		if (!s->run(b))
			must(ERR_INVAL, s->name);
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
	name(q.qname, CLEAN);
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

/* The right kind of answer, so that no number is of something else. */
static bool counted(const struct bench *b, const struct stage *s, uint64_t asked)
{
	return (s->run != whole && s->run != whole_anew) ||
	       b->stats.n[s->remembered ? STATS_CACHED : STATS_HIT_ADDRESS] == asked;
}

static void measure(struct bench *b, const struct stage *s, int count)
{
	int batches = (count + BATCH - 1) / BATCH;
	b->serve.now_us = (uint64_t)time(NULL) * 1000000;
	b->serve.policy.now_s = (uint32_t)time(NULL);
	ask(b, s->qname);
	if (s->remembered)
		remember(b);
	fill_hit(b);
	begin(b); /* reads the lists, once */
	if (!read_query(b) || !ask_policy(b))
		must(ERR_INVAL, s->name);
	blocklist_view_reset(b->view);
	int64_t start = question_now_ns();
	for (int i = 0; i < batches; i++)
		measured(b, s);
	printf("%s: %.0f ns each\n", s->name,
	       (double)(question_now_ns() - start) / (batches * BATCH));
	if (!counted(b, s, (uint64_t)batches * BATCH))
		must(ERR_INVAL, "another kind of answer");
}

int main(int argc, char **argv)
{
	static struct bench b;
	char dir[] = "/tmp/sinkholed-stages-XXXXXX", command[64];
	if (argc == 1)
		for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
			puts(stages[i].name);
	const struct stage *s = argc == 3 ? stage_named(argv[1]) : NULL;
	if (!s) {
		if (argc > 1)
			fprintf(stderr, "usage: stages STAGE COUNT\n");
		return argc > 1 ? 2 : 0;
	}
	if (!mkdtemp(dir))
		must(ERR_IO, dir);
	open_all(&b, dir, s->list);
	measure(&b, s, atoi(argv[2]));
	close_all(&b);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (allocations)
		fprintf(stderr, "stages: %lu allocations in %s questions\n", allocations,
			argv[2]);
	return system(command) || allocations ? 1 : 0;
}
