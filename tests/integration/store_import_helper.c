/* store_import_helper.c: a small writer and reader of the store for store_kill.sh, and
 * the figures of its speed.
 *   store_import_helper import DIR N SEED   replaces list "lab" by N names of that seed
 *   store_import_helper check DIR N SEED    0: sound, and the list is exactly that
 *   store_import_helper bench DIR N         imports, looks up, prints figures */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "include/blocklist_client.h"

static const char *const list_name = "lab";

static void die(const char *what, int err, const char *why)
{
	fprintf(stderr, "store_import_helper: %s: %s %s\n", what, err_text(err),
		why ? why : "");
	exit(2);
}

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* Name i of a seed: lengths and label counts as in real lists, every eighth name in all
 * seeds. */
static void lab_name(uint8_t out[DNS_NAME_MAX], uint64_t i, uint64_t seed)
{
	static const char *const ends[] = {"test", "example", "invalid", "example.com"};
	char text[128];
	uint64_t h = mix(i * 64 + (i % 8 ? seed : 0));
	snprintf(text, sizeof text, "%s%08lx%lu.%s", h % 3 ? "" : "www.",
		 (unsigned long)(h >> 32), (unsigned long)i, ends[h >> 8 & 3]);
	if (name_from_str(out, text))
		abort();
}

static void lab_item(struct blocklist_item *out, uint64_t i, uint64_t seed)
{
	memset(out, 0, sizeof *out);
	lab_name(out->key.name, i, seed);
	out->kind = RULE_SUBTREE;
	out->action = RULE_GIVEN;
	out->entry.confidence = 255;
	snprintf(out->entry.family, sizeof out->entry.family, "family%lu",
		 (unsigned long)(i % 50));
	snprintf(out->entry.reference, sizeof out->entry.reference,
		 "https://feed.example/%lu", (unsigned long)(i % 20));
}

static struct blocklist *store(const char *dir, enum blocklist_open_mode mode)
{
	struct blocklist *bl;
	const char *why;
	int err = blocklist_open(&bl, dir, mode, &why);
	if (err)
		die(dir, err, why);
	return bl;
}

static struct blocklist_changes import(struct blocklist *bl, uint64_t n, uint64_t seed)
{
	const struct blocklist_list_set set = {NULL, -1, -1, -1, -1, -1, -1, NULL, 0, 0};
	struct blocklist_import *im;
	struct blocklist_changes c = {0};
	struct blocklist_item item;
	int err = blocklist_import_open(&im, bl, list_name, &set);
	for (uint64_t i = 0; !err && i < n; i++) {
		lab_item(&item, i, seed);
		err = blocklist_import_put(im, &item);
	}
	if (!err)
		err = blocklist_import_commit(im, &c, NULL, NULL, NULL);
	if (err)
		die("import", err, NULL);
	blocklist_import_close(im);
	return c;
}

static int check(const char *dir, uint64_t n, uint64_t seed)
{
	struct blocklist *bl = store(dir, BLOCKLIST_READ);
	struct blocklist_view *v;
	struct rule r[4];
	int err = blocklist_view_open(&v, bl);
	if (!err)
		err = blocklist_view_renew(v);
	if (!err)
		err = blocklist_verify(v, NULL, NULL);
	if (err)
		die("verify", err, NULL);
	const struct blocklist_list *l = blocklist_list_named(v, list_name);
	int bad = (l ? l->names : 0) != n;
	for (uint64_t i = 0; !bad && i < n; i++) {
		uint8_t name[DNS_NAME_MAX];
		lab_name(name, i, seed);
		bad = blocklist_find_name(v, r, 4, BLOCKLIST_CLASS_ALL, name) < 1;
	}
	blocklist_view_close(v);
	blocklist_close(bl);
	return bad;
}

static void bench_look_ups(struct blocklist *bl, uint64_t n)
{
	enum { ROUNDS = 1000000 };
	struct blocklist_view *v;
	struct rule r[8];
	uint64_t found[2] = {0, 0};
	double t[4], empty;
	uint8_t name[DNS_NAME_MAX];
	if (blocklist_view_open(&v, bl) || blocklist_view_renew(v))
		die("view", ERR_IO, NULL);
	t[0] = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < ROUNDS; i++)
		lab_name(name, mix(i) % n, 1);
	empty = seconds(CLOCK_PROCESS_CPUTIME_ID) - t[0];
	for (int miss = 0; miss < 2; miss++) {
		t[0] = seconds(CLOCK_PROCESS_CPUTIME_ID);
		for (uint64_t i = 0; i < ROUNDS; i++) {
			lab_name(name, mix(i) % n | (uint64_t)miss, 1 + (uint64_t)miss);
			int k = blocklist_find_name(v, r, 8, BLOCKLIST_CLASS_ALL, name);
			found[miss] += k > 0;
		}
		t[1 + miss] = seconds(CLOCK_PROCESS_CPUTIME_ID) - t[0] - empty;
	}
	printf("look-up, random: hit %.0f ns (%lu found), miss %.0f ns (%lu found)\n",
	       t[1] * 1e9 / ROUNDS, (unsigned long)found[0], t[2] * 1e9 / ROUNDS,
	       (unsigned long)found[1]);
	uint64_t hits = 0;
	lab_name(name, 5, 1);
	for (int miss = 0; miss < 2; miss++) {
		t[0] = seconds(CLOCK_PROCESS_CPUTIME_ID);
		for (uint64_t i = 0; i < ROUNDS; i++)
			hits += blocklist_find_name(v, r, 8, BLOCKLIST_CLASS_ALL, name) >
				0;
		t[1 + miss] = seconds(CLOCK_PROCESS_CPUTIME_ID) - t[0];
		lab_name(name, 5, 2);
	}
	printf("look-up, same name: hit %.0f ns, miss %.0f ns (%lu found)\n",
	       t[1] * 1e9 / ROUNDS, t[2] * 1e9 / ROUNDS, (unsigned long)hits);
	t[0] = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < ROUNDS; i++)
		if (blocklist_view_renew(v))
			die("renew", ERR_IO, NULL);
	t[1] = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		blocklist_view_reset(v);
		if (blocklist_view_renew(v))
			die("renew", ERR_IO, NULL);
	}
	t[2] = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (blocklist_verify(v, NULL, NULL))
		die("verify", ERR_DAMAGED, NULL);
	t[3] = seconds(CLOCK_PROCESS_CPUTIME_ID);
	printf("renew %.0f ns, reset and renew %.0f ns, verify %.2f s\n",
	       (t[1] - t[0]) * 1e9 / ROUNDS, (t[2] - t[1]) * 1e9 / ROUNDS, t[3] - t[2]);
	blocklist_view_close(v);
}

static void bench_import(struct blocklist *bl, const char *dir, uint64_t n, uint64_t seed)
{
	char data[4096];
	struct stat st = {0};
	struct rusage use;
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct blocklist_changes c = import(bl, n, seed);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	snprintf(data, sizeof data, "%s/data.mdb", dir);
	if (stat(data, &st) || getrusage(RUSAGE_SELF, &use))
		die(data, ERR_IO, NULL);
	printf("import %lu: %.2f s, CPU %.2f s; +%lu ~%lu -%lu =%lu; on disk %lu MiB "
	       "(%.0f "
	       "bytes a name), peak %ld MiB\n",
	       (unsigned long)n, wall, cpu, (unsigned long)c.added,
	       (unsigned long)c.changed, (unsigned long)c.removed,
	       (unsigned long)c.unchanged, (unsigned long)st.st_blocks >> 11,
	       (double)st.st_blocks * 512 / (double)n, use.ru_maxrss >> 10);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		die("usage", ERR_INVAL, "import|check DIR N SEED, bench DIR N");
	uint64_t n = strtoull(argv[3], NULL, 10);
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	if (strcmp(argv[1], "check") == 0)
		return check(argv[2], n, seed);
	struct blocklist *bl = store(argv[2], BLOCKLIST_WRITE);
	if (strcmp(argv[1], "bench") == 0) {
		bench_import(bl, argv[2], n, 1);
		bench_import(bl, argv[2], n, 1);
		bench_look_ups(bl, n);
		bench_import(bl, argv[2], n, 2);
		bench_import(bl, argv[2], n, 1);
	} else {
		import(bl, n, seed);
	}
	blocklist_close(bl);
	return 0;
}
