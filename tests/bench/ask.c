/* ask.c: asks a server the questions of a file, over and over, and checks every answer.
 * usage: ask ADDRESS@PORT FILE SECONDS [RATE]
 * A line of FILE is "NAME ADDRESS": the A record the answer must hold; NXDOMAIN in its
 * place is what the answer must say, and "-" anything. Without RATE (questions a second)
 * WINDOW questions are always under way. One line of JSON says what came; exit status 1
 * when an answer was wrong. One thread, messages in batches: it costs less than the
 * servers it measures. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/question.h"

enum {
	SOCKETS = 8,  /* ports, so that SO_REUSEPORT has something to spread */
	WINDOW = 200, /* messages that a socket of ordinary size holds */
	IDS = 65536,
	BATCH = 64,
	LOST_US = 2000000, /* a stub resolver has asked again by then */
	MESSAGE_MAX = 300,
	BUCKET_BITS = 5, /* 32 steps for each doubling: 3 % */
	BUCKETS = 32 << BUCKET_BITS,
	SOCKET_BYTES = 4 << 20,
	PAUSE_NS = 20000, /* a question at 50,000 a second */
};

struct asked {
	uint8_t *msg;
	uint16_t len, question_len;
	uint8_t want[4];
	bool any, denied;
};

struct slot {
	uint32_t asked;
	bool open;
	int64_t since_us;
};

struct line {
	int fd;
	uint16_t next;
	struct slot slot[IDS];
};

struct bench {
	struct asked *asked;
	uint32_t asked_n, next;
	struct line line[SOCKETS];
	unsigned open;
	uint64_t sent, answered, lost, wrong, bucket[BUCKETS];
	int64_t last_us, gap_us;
	uint8_t in[BATCH][4096];
};

static int64_t now_us(void)
{
	return question_now_ns() / 1000;
}

static _Noreturn void die(const char *what, const char *text)
{
	fprintf(stderr, "ask: %s: %s\n", what, text);
	exit(2);
}

/* ---- the questions ---- */

static void make(struct asked *a, const char *text, const char *want)
{
	uint8_t msg[MESSAGE_MAX];
	struct addr address = {0};
	size_t len = question_make(msg, sizeof msg, text);
	a->denied = strcmp(want, "NXDOMAIN") == 0;
	a->any = strcmp(want, "-") == 0;
	bool no_address = a->any || a->denied;
	a->msg = malloc(len);
	if (!len || !a->msg ||
	    (!no_address && addr_from_text(&address, want, strlen(want))))
		die("not a name and an address", text);
	memcpy(a->want, address.bytes, sizeof a->want);
	memcpy(a->msg, msg, len);
	a->len = (uint16_t)len;
	a->question_len = (uint16_t)(len - DNS_OPT_LEN - DNS_HEADER_LEN);
}

static void read_questions(struct bench *b, const char *path)
{
	char line[DNS_NAME_TEXT_MAX + 64];
	size_t room = 0;
	FILE *f = fopen(path, "r");
	if (!f)
		die(path, "cannot be read");
	while (fgets(line, sizeof line, f)) {
		char *want = strchr(line, ' ');
		if (!want)
			die("not a name and an address", line);
		*want++ = 0;
		want[strcspn(want, "\n")] = 0;
		if (b->asked_n == room) {
			room = room ? room * 2 : 1024;
			b->asked = realloc(b->asked, room * sizeof *b->asked);
			if (!b->asked)
				die(path, "no memory");
		}
		make(&b->asked[b->asked_n++], line, want);
	}
	fclose(f);
	if (!b->asked_n)
		die(path, "no questions");
}

static void open_lines(struct bench *b, const char *at)
{
	const int bytes = SOCKET_BYTES;
	for (int i = 0; i < SOCKETS; i++) {
		int fd = question_socket(at, SOCK_NONBLOCK);
		if (fd < 0)
			die("no socket for this ADDRESS@PORT", at);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
		b->line[i].fd = fd;
	}
}

/* ---- out ---- */

/* An ID that is not under way; the line's slots are far more than the window. */
static uint16_t free_id(struct bench *b, struct line *l, int64_t now)
{
	while (l->slot[++l->next].open) {
		if (now - l->slot[l->next].since_us < LOST_US)
			continue;
		l->slot[l->next].open = false;
		b->open--;
		b->lost++;
		break;
	}
	return l->next;
}

static void send_batch(struct bench *b, struct line *l, unsigned n, int64_t now)
{
	struct mmsghdr m[BATCH] = {0};
	struct iovec v[BATCH][2];
	uint8_t id_bytes[BATCH][2];
	uint16_t id[BATCH] = {0};
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (b->next + i) % b->asked_n;
		id[i] = free_id(b, l, now);
		id_bytes[i][0] = (uint8_t)(id[i] >> 8);
		id_bytes[i][1] = (uint8_t)id[i];
		l->slot[id[i]] = (struct slot){at, true, now};
		v[i][0] = (struct iovec){id_bytes[i], 2};
		v[i][1] = (struct iovec){b->asked[at].msg + 2, b->asked[at].len - 2U};
		m[i].msg_hdr.msg_iov = v[i];
		m[i].msg_hdr.msg_iovlen = 2;
	}
	int done = sendmmsg(l->fd, m, n, 0);
	unsigned sent = done > 0 ? (unsigned)done : 0;
	for (unsigned i = sent; i < n; i++)
		l->slot[id[i]].open = false;
	b->next = (b->next + sent) % b->asked_n;
	b->open += sent;
	b->sent += sent;
}

/* What was never answered makes room again. */
static void give_up(struct bench *b, int64_t now)
{
	for (int i = 0; i < SOCKETS; i++)
		for (int id = 0; id < IDS; id++) {
			struct slot *s = &b->line[i].slot[id];
			if (!s->open || now - s->since_us < LOST_US)
				continue;
			s->open = false;
			b->open--;
			b->lost++;
		}
}

/* ---- in ---- */

static unsigned bucket_of(uint64_t us)
{
	if (us < 1U << BUCKET_BITS)
		return (unsigned)us;
	unsigned top = 63U - (unsigned)__builtin_clzll(us);
	unsigned at = (top - BUCKET_BITS + 1) << BUCKET_BITS |
		      (us >> (top - BUCKET_BITS) & ((1U << BUCKET_BITS) - 1));
	return at < BUCKETS ? at : BUCKETS - 1;
}

static uint64_t bucket_us(unsigned at)
{
	unsigned up = at >> BUCKET_BITS, low = at & ((1U << BUCKET_BITS) - 1);
	return up ? (uint64_t)((1U << BUCKET_BITS) | low) << (up - 1) : low;
}

static bool right(const struct asked *a, const uint8_t *msg, size_t len)
{
	struct wire_reader r = wire_reader(msg, len);
	unsigned rcode = wire_get16(msg + 2) & DNS_RCODE_MASK;
	if (a->any || a->denied)
		return a->any || rcode == DNS_NXDOMAIN;
	wire_take(&r, DNS_HEADER_LEN + a->question_len);
	for (int n = wire_get16(msg + 6); n > 0 && !r.err; n--) {
		wire_name(&r, NULL);
		uint16_t type = wire_u16(&r);
		wire_take(&r, 6);
		uint16_t rdlen = wire_u16(&r);
		const uint8_t *rdata = wire_take(&r, rdlen);
		if (rdata && type == DNS_A && rdlen == 4 && !memcmp(rdata, a->want, 4))
			return true;
	}
	return false;
}

/* The first wrong answer, for who looks into it. */
static void tell(const struct asked *a, const uint8_t *msg)
{
	char text[DNS_NAME_TEXT_MAX];
	fprintf(stderr, "ask: %s: a wrong answer, rcode %u, %u records\n",
		name_to_text(text, a->msg + DNS_HEADER_LEN),
		(unsigned)(wire_get16(msg + 2) & DNS_RCODE_MASK), wire_get16(msg + 6));
}

static void take(struct bench *b, struct line *l, const uint8_t *msg, size_t len,
		 int64_t now)
{
	if (len < DNS_HEADER_LEN || !(wire_get16(msg + 2) & DNS_QR))
		return;
	struct slot *s = &l->slot[wire_get16(msg)];
	const struct asked *a = &b->asked[s->asked];
	if (!s->open || len < (size_t)DNS_HEADER_LEN + a->question_len ||
	    memcmp(msg + DNS_HEADER_LEN, a->msg + DNS_HEADER_LEN, a->question_len))
		return; /* too late */
	s->open = false;
	b->open--;
	b->answered++;
	if (!right(a, msg, len) && !b->wrong++)
		tell(a, msg);
	b->bucket[bucket_of((uint64_t)(now - s->since_us))]++;
	if (now - b->last_us > b->gap_us)
		b->gap_us = now - b->last_us;
	b->last_us = now;
}

static bool receive(struct bench *b, struct line *l)
{
	struct mmsghdr m[BATCH] = {0};
	struct iovec v[BATCH];
	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){b->in[i], sizeof b->in[i]};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	int n = recvmmsg(l->fd, m, BATCH, MSG_DONTWAIT, NULL);
	int64_t now = now_us();
	for (int i = 0; i < n; i++)
		take(b, l, b->in[i], m[i].msg_len, now);
	return n > 0;
}

/* ---- the run ---- */

/* How many questions are to go out now. */
static unsigned due(const struct bench *b, double rate, int64_t past_us)
{
	if (rate == 0)
		return b->open < WINDOW ? WINDOW - b->open : 0;
	double behind = rate * (double)past_us / 1e6 - (double)b->sent;
	return behind < 1 ? 0 : (unsigned)behind;
}

static void run(struct bench *b, int64_t for_us, double rate)
{
	int64_t begin = now_us(), now = begin, swept = begin;
	unsigned turn = 0;
	b->last_us = begin;
	while (now - begin < for_us || (b->open && now - begin < for_us + LOST_US)) {
		bool came = false;
		unsigned n = now - begin < for_us ? due(b, rate, now - begin) : 0;
		if (n)
			send_batch(b, &b->line[turn++ % SOCKETS], n < BATCH ? n : BATCH,
				   now);
		for (int i = 0; i < SOCKETS; i++)
			came |= receive(b, &b->line[i]);
		now = now_us();
		if (now - swept > LOST_US / 4) {
			give_up(b, now);
			swept = now;
		}
		if (!came && !n) { /* leave the processor to who shares it */
			struct pollfd p[SOCKETS];
			for (int i = 0; i < SOCKETS; i++)
				p[i] = (struct pollfd){b->line[i].fd, POLLIN, 0};
			ppoll(p, SOCKETS, &(struct timespec){0, PAUSE_NS}, NULL);
		}
	}
	b->lost += b->open;
}

static uint64_t percentile(const struct bench *b, double share)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < BUCKETS; i++)
		if ((sum += b->bucket[i]) >= (uint64_t)((double)b->answered * share) &&
		    sum)
			return bucket_us(i);
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b;
	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: ask ADDRESS@PORT FILE SECONDS [RATE]\n");
		return 2;
	}
	double seconds = atof(argv[3]);
	read_questions(&b, argv[2]);
	open_lines(&b, argv[1]);
	run(&b, (int64_t)(seconds * 1e6), argc > 4 ? atof(argv[4]) : 0);
	printf("{\"sent\": %llu, \"answered\": %llu, \"lost\": %llu, \"wrong\": %llu, "
	       "\"qps\": %.0f, \"p50_us\": %llu, \"p99_us\": %llu, \"p999_us\": %llu, "
	       "\"gap_ms\": %.1f}\n",
	       (unsigned long long)b.sent, (unsigned long long)b.answered,
	       (unsigned long long)b.lost, (unsigned long long)b.wrong,
	       (double)b.answered / seconds, (unsigned long long)percentile(&b, 0.5),
	       (unsigned long long)percentile(&b, 0.99),
	       (unsigned long long)percentile(&b, 0.999), (double)b.gap_us / 1000);
	for (uint32_t i = 0; i < b.asked_n; i++)
		free(b.asked[i].msg);
	free(b.asked);
	return b.wrong ? 1 : 0;
}
