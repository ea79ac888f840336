/* hits_make.c: a hit log of any size, the same for the same arguments.
 * usage: hits_make STATE HITS [DAYS [CLIENTS [ENTRIES [END [RUN]]]]]
 * Writes STATE/hits through the real store, a segment a day at least, up to END (seconds
 * since 1970; default now), with sums after every RUN hits (default: as the resolver).
 * Clients and entries are drawn by Zipf's law (exponent 1), each for itself; nights are
 * quiet; in the last third of the days one entry more breaks out among a part of the
 * clients and is cleaned up again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "resolver/hit_store.h"

enum {
	SEGMENT_BYTES = 1 << 30,
	HOUR_S = 3600,
	FAMILIES = 200,
	LISTS = 5,
	OUTBREAK_PERCENT = 15, /* of all hits at its height */
	OUTBREAK_CLIENTS = 50, /* every so many-th client */
	IPV6_PERCENT = 20,
};

struct maker {
	const char *dir;
	uint64_t hits, days, clients, entries, end_s;
	uint64_t random, made, sequence;
	struct hit_store *store;
	struct hit_segment last; /* the segment before */
	uint32_t day;
	unsigned pending; /* rows of the open transaction */
	unsigned run;	  /* so many a transaction, and a run in each */
};

static void die(const char *what, int err)
{
	fprintf(stderr, "hits_make: %s: %s\n", what, err_text(err));
	exit(2);
}

/* xorshift64*: repeatable everywhere. */
static uint64_t draw(struct maker *m)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return m->random * 0x2545f4914f6cdd1dULL;
}

static double draw_share(struct maker *m)
{
	return (double)(draw(m) >> 11) / (double)(1ULL << 53);
}

/* 0 to n - 1, where k comes about half as often as k / 2. */
static uint64_t draw_zipf(struct maker *m, uint64_t n)
{
	uint64_t k = (uint64_t)exp(draw_share(m) * log((double)n + 1));
	return k < 1 ? 0 : k > n ? n - 1 : k - 1;
}

static struct addr client_of(struct maker *m, uint64_t number)
{
	/* Odd factors: no two numbers below 2^22 meet, neighbours lie apart. */
	uint32_t v = (uint32_t)(number * 2654435761U) & 0x3fffff;
	uint16_t port = (uint16_t)(1024 + draw(m) % 64000);
	if (number % 100 >= IPV6_PERCENT)
		return addr_v4((uint8_t[4]){100, (uint8_t)(64 + (v >> 16)),
					    (uint8_t)(v >> 8), (uint8_t)v},
			       port);
	uint8_t b[16] = {0x20,	    1, 0xd, 0xb8, (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			 (uint8_t)v};
	for (int i = 8; i < 16; i++)
		b[i] = (uint8_t)draw(m);
	return addr_v6(b, port);
}

static void set_names(struct maker *m, struct hit *h, uint64_t entry)
{
	char text[64];
	unsigned kind = (unsigned)(draw(m) % 10);
	int n = snprintf(text, sizeof text, "c2-%05llx.example",
			 (unsigned long long)entry);
	if (name_from_text(h->matched, text, (size_t)n))
		abort();
	name_copy(h->qname, h->matched);
	if (kind < 5)
		return;
	n = kind < 8 ? snprintf(text, sizeof text, "www")
		     : snprintf(text, sizeof text, "%08x", (unsigned)draw(m));
	h->qname[0] = (uint8_t)n;
	memcpy(h->qname + 1, text, (size_t)n);
	name_copy(h->qname + 1 + n, h->matched);
}

static void make_hit(struct maker *m, struct hit *h, uint64_t time_us, bool outbreak)
{
	uint64_t entry = outbreak ? m->entries : draw_zipf(m, m->entries);
	uint64_t client = draw_zipf(m, m->clients);
	if (outbreak)
		client -= client % OUTBREAK_CLIENTS;
	*h = (struct hit){
		.time_us = time_us,
		.entry = entry + 1,
		.generation = 1 + time_us / 1000000 / HOUR_S, /* lists change each hour */
		.count = 1,
		.qtype = draw(m) % 4 ? DNS_A : DNS_AAAA,
		.transport = draw(m) % 50 ? HIT_UDP : HIT_TCP,
		.trigger = RULE_ON_QNAME,
		.action = RULE_ADDRESS,
		.clock_synced = 1,
		.listener = addr_v4((uint8_t[4]){192, 0, 2, 53}, 53),
	};
	h->client = client_of(m, client);
	set_names(m, h, entry);
	snprintf(h->list, sizeof h->list, "list-%u", (unsigned)(entry % LISTS));
	snprintf(h->family, sizeof h->family, "Family%u", (unsigned)(entry % FAMILIES));
	snprintf(h->category, sizeof h->category, entry % 3 ? "c2" : "phishing");
}

/* ---- storing ---- */

static void commit(struct maker *m)
{
	struct hit_position p = {.boot = m->end_s << 32, .position = m->sequence};
	snprintf(p.node, sizeof p.node, "bench");
	if (!m->pending)
		return;
	int err = hit_store_move(m->store, &p, 0);
	err = err ? err : hit_store_commit(m->store);
	if (err)
		die("commit", err);
	m->pending = 0;
}

static void end_segment(struct maker *m)
{
	if (!m->store)
		return;
	commit(m);
	int err = hit_store_seal(m->store);
	if (err)
		die("seal", err);
	m->last = *hit_store_segment(m->store);
	hit_store_close(m->store);
	m->store = NULL;
}

static void begin_segment(struct maker *m, uint32_t day)
{
	char name[48], path[HIT_STORE_PATH_MAX];
	struct hit_segment first = {.number = m->last.number + 1,
				    .first_row = m->last.end_row};
	hit_store_name(name, first.number, day);
	snprintf(path, sizeof path, "%s/%s", m->dir, name);
	int err = hit_store_create(&m->store, path, SEGMENT_BYTES, &first, NULL, 0);
	if (err)
		die(path, err);
	if (m->run)
		hit_store_make_many_runs(m->store);
	m->day = day;
}

static void put(struct maker *m, struct hit *h)
{
	uint32_t day = hit_store_day(h->time_us);
	h->boot = m->end_s << 32;
	h->sequence = ++m->sequence;
	if (m->store && (day != m->day || (!m->pending && hit_store_is_full(m->store))))
		end_segment(m);
	if (!m->store)
		begin_segment(m, day);
	int err = m->pending ? ERR_OK : hit_store_begin(m->store);
	if (!err)
		err = hit_store_put_hit(m->store, h);
	if (err)
		die("put", err);
	if (++m->pending == (m->run ? m->run : HIT_STORE_BATCH))
		commit(m);
}

/* ---- time ---- */

/* Of a day's hits how many fall into that hour: most at 20:00, least at 08:00. */
static double share_of_hour(uint64_t hour)
{
	return (1 + 0.7 * cos(((double)(hour % 24) - 20) * 2 * 3.14159265 / 24)) / 24;
}

/* Of an hour's hits, how many belong to the outbreak. */
static double share_of_outbreak(const struct maker *m, uint64_t hour)
{
	double at = (double)hour / 24 / (double)m->days; /* 0 to 1 */
	double height = at < 0.67 ? 0 : at < 0.8 ? (at - 0.67) / 0.13 : (1 - at) / 0.2;
	return height * OUTBREAK_PERCENT / 100;
}

static void make_hour(struct maker *m, uint64_t hour, uint64_t hits)
{
	uint64_t begin_us = (m->end_s - m->days * 86400 + hour * HOUR_S) * 1000000;
	double step = HOUR_S * 1e6 / (double)hits, outbreak = share_of_outbreak(m, hour);
	struct hit h;
	for (uint64_t i = 0; i < hits; i++) {
		double at = ((double)i + draw_share(m)) * step;
		make_hit(m, &h, begin_us + (uint64_t)at, draw_share(m) < outbreak);
		put(m, &h);
	}
	m->made += hits;
}

static uint64_t number(int argc, char **argv, int at, uint64_t usual)
{
	return argc > at ? strtoull(argv[at], NULL, 10) : usual;
}

int main(int argc, char **argv)
{
	char dir[HIT_STORE_PATH_MAX - 64];
	struct maker m = {.dir = dir, .random = 0x5eed5eed5eed5eedULL};
	m.hits = number(argc, argv, 2, 0);
	m.days = number(argc, argv, 3, 90);
	m.clients = number(argc, argv, 4, 1000000);
	m.entries = number(argc, argv, 5, 50000);
	m.end_s = number(argc, argv, 6, (uint64_t)time(NULL)) / HOUR_S * HOUR_S;
	m.run = (unsigned)number(argc, argv, 7, 0);
	if (m.hits == 0 || m.days == 0 || m.clients == 0 || m.entries == 0 ||
	    m.clients > 1 << 22 || m.days > 10000 || m.run > HIT_STORE_BATCH) {
		fprintf(stderr, "usage: hits_make STATE HITS [DAYS [CLIENTS [ENTRIES "
				"[END]]]]\n");
		return 2;
	}
	snprintf(dir, sizeof dir, "%s/hits", argv[1]);
	(void)mkdir(argv[1], 0755);
	if (mkdir(dir, 0755)) {
		perror(dir);
		return 2;
	}
	for (uint64_t hour = 0; hour < m.days * 24; hour++) {
		double share = share_of_hour((m.end_s / HOUR_S - m.days * 24 + hour)) /
			       (double)m.days;
		make_hour(&m, hour, (uint64_t)(share * (double)m.hits + draw_share(&m)));
	}
	end_segment(&m);
	printf("%llu hits\n", (unsigned long long)m.made);
	return 0;
}
