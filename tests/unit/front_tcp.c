#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "include/wire.h"
#include "resolver/front_tcp.h"
#include "resolver/stats.h"
#include "tests/unit/net.h"

enum { ASKERS_MAX = 64, QUESTION_LEN = 16, BIG_LEN = 60000 };

/* A worker with a serve() that does what the question's thirteenth byte says. */
struct fake {
	uv_loop_t loop;
	struct stats stats;
	struct front_tcp *front;
	struct addr listen;
	int fd;
	int begins, ends, served;
	bool inside;
	int wrong; /* calls out of order */
	struct asker asker[ASKERS_MAX];
	int askers; /* questions that wait for a late answer */
	size_t last_len;
	int heard[1024]; /* questions by slot */
};

static void begin(void *arg)
{
	struct fake *f = arg;
	f->wrong += f->inside;
	f->inside = true;
	f->begins++;
}

static void end(void *arg)
{
	struct fake *f = arg;
	f->wrong += !f->inside;
	f->inside = false;
	f->ends++;
}

/* A the question back; B a big answer; L later; S late answer within serve; K the late
 * answer of the first that waits, then this one's; C close; else none. */
static enum serve_result serve(void *arg, const struct asker *from, const uint8_t *msg,
			       size_t msg_len, uint8_t *out, size_t *len)
{
	struct fake *f = arg;
	f->wrong += !f->inside;
	f->served++;
	f->last_len = msg_len;
	ck_assert_uint_lt(from->slot, 1024);
	f->heard[from->slot]++;
	switch (msg[12]) {
	case 'A':
		memcpy(out, msg, *len = msg_len);
		return SERVE_ANSWER;
	case 'B':
		memset(out, 'b', *len = BIG_LEN);
		memcpy(out, msg, 12);
		return SERVE_ANSWER;
	case 'L':
		ck_assert_int_lt(f->askers, ASKERS_MAX);
		f->asker[f->askers++] = *from;
		return SERVE_LATER;
	case 'S':
		front_tcp_send(f->front, from, msg, msg_len);
		return SERVE_LATER;
	case 'K':
		front_tcp_close(f->front, from);
		return SERVE_LATER;
	case 'C':
		return SERVE_CLOSE;
	default:
		return SERVE_NONE;
	}
}

static const struct front_tcp_limits usual = {
	.conns = 64,
	.conns_client = 64,
	.in_flight = 16,
	.idle_ms = 60000,
	.idle_min_ms = 50,
	.owed_ms = 60000,
	.queue_max = 2 * 65537,
};

static struct fake *fake_open(const char *listen, const struct front_tcp_limits *limits)
{
	struct fake *f = NULL;
	ck_assert(!posix_memalign((void **)&f, 64, sizeof *f));
	memset(f, 0, sizeof *f);
	ck_assert(!uv_loop_init(&f->loop));
	f->listen = net_free(listen);
	ck_assert_int_eq(front_tcp_bind(&f->fd, 1, &f->listen), ERR_OK);
	const struct front_hooks hooks = {
		.arg = f, .stats = &f->stats, .begin = begin, .serve = serve, .end = end};
	ck_assert_int_eq(front_tcp_open(&f->front, &f->loop, &hooks, &f->listen, &f->fd,
					1, limits),
			 ERR_OK);
	return f;
}

static void fake_close(struct fake *f)
{
	front_tcp_shutdown(f->front);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert_uint_eq(front_tcp_conns(f->front), 0);
	front_tcp_free(f->front);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
	ck_assert_int_eq(f->wrong, 0);
	ck_assert_int_eq(f->begins, f->ends);
	free(f);
}

static uint64_t counted(const struct fake *f, enum stats_counter c)
{
	return atomic_load(&f->stats.n[c]);
}

/* A framed question with that id and command. */
static size_t question(uint8_t *out, unsigned id, char command, size_t len)
{
	memset(out, 0, 2 + len);
	wire_set16(out, (unsigned)len);
	wire_set16(out + 2, id);
	out[2 + 12] = (uint8_t)command;
	return 2 + len;
}

static void put(int fd, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void ask(int fd, unsigned id, char command)
{
	uint8_t q[2 + QUESTION_LEN];
	size_t n = question(q, id, command, QUESTION_LEN);
	put(fd, q, n);
}

/* Reads n bytes, however they come. */
static bool read_all(struct fake *f, int fd, uint8_t *buf, size_t n)
{
	size_t have = 0;
	while (have < n) {
		ssize_t got = net_read(&f->loop, fd, buf + have, n - have, NET_WAIT_MS);
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

/* The id of the next answer, -1 when there is none. */
static int answer(struct fake *f, int fd, size_t *len)
{
	static uint8_t buf[65535];
	if (!read_all(f, fd, buf, 2))
		return -1;
	*len = wire_get16(buf);
	return read_all(f, fd, buf, *len) ? wire_get16(buf) : -1;
}

/* The other side has closed or reset. */
static bool is_closed(struct fake *f, int fd, int ms)
{
	char c;
	ssize_t n = net_read(&f->loop, fd, &c, 1, ms);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Until no more than n connections are left. */
static void wait_conns(struct fake *f, unsigned n)
{
	for (int ms = 0; front_tcp_conns(f->front) > n && ms < NET_WAIT_MS; ms += 10)
		net_run(&f->loop, 10);
	ck_assert_uint_le(front_tcp_conns(f->front), n);
}

static void answer_late(struct fake *f, int i)
{
	uint8_t a[2 + QUESTION_LEN];
	question(a, 1000U + (unsigned)i, 'A', QUESTION_LEN);
	front_tcp_send(f->front, &f->asker[i], a + 2, QUESTION_LEN);
}

START_TEST(asks_and_answers)
{
	static const char *const listen[] = {"127.0.0.1", "::1"};
	for (int i = 0; i < 2; i++) {
		struct fake *f = fake_open(listen[i], &usual);
		int fd = net_connect(SOCK_STREAM, &f->listen);
		size_t len;
		for (unsigned id = 1; id < 4; id++) {
			ask(fd, id, 'A');
			ck_assert_int_eq(answer(f, fd, &len), id);
			ck_assert_uint_eq(len, QUESTION_LEN);
		}
		ask(fd, 4, 'N'); /* no answer, and the connection stays */
		ask(fd, 5, 'S');
		ck_assert_int_eq(answer(f, fd, &len), 5);
		ask(fd, 6, 'B');
		ck_assert_int_eq(answer(f, fd, &len), 6);
		ck_assert_uint_eq(len, BIG_LEN);
		close(fd);
		fake_close(f);
	}
}
END_TEST

START_TEST(wildcard_knows_its_address)
{
	struct fake *f = fake_open("0.0.0.0", &usual);
	struct addr to = net_addr("127.0.0.8");
	to.port = f->listen.port;
	int fd = net_connect(SOCK_STREAM, &to);
	ask(fd, 1, 'L');
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->askers, 1);
	ck_assert(addr_equal(&f->asker[0].listener, &to));
	ck_assert_int_eq(f->asker[0].transport, HIT_TCP);
	close(fd);
	fake_close(f);
}
END_TEST

/* One byte at a time, and 300 questions in one write. */
START_TEST(any_cut_of_the_stream)
{
	static uint8_t all[300 * (2 + QUESTION_LEN)];
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	int on = 1;
	size_t n = 0, len;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	n = question(all, 7, 'A', QUESTION_LEN);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(send(fd, all + i, 1, 0), 1);
		net_run(&f->loop, 1);
	}
	ck_assert_int_eq(answer(f, fd, &len), 7);
	n = 0;
	for (unsigned i = 0; i < 300; i++)
		n += question(all + n, i, 'A', QUESTION_LEN);
	put(fd, all, n);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(answer(f, fd, &len), i);
	close(fd);
	fake_close(f);
}
END_TEST

/* A question far over the flat buffer; the next one is small again. */
START_TEST(long_questions)
{
	static uint8_t q[2 + 65535];
	static const size_t lens[] = {FRONT_TCP_INLINE - 2, FRONT_TCP_INLINE - 1,
				      FRONT_TCP_INLINE, 5000, 65535};
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	for (unsigned i = 0; i < sizeof lens / sizeof *lens; i++) {
		size_t len, n = question(q, i, 'A', lens[i]), sent = 0;
		while (sent < n) {
			ssize_t got = send(fd, q + sent, n - sent, MSG_DONTWAIT);
			sent += got > 0 ? (size_t)got : 0;
			net_run(&f->loop, 1);
		}
		ck_assert_int_eq(answer(f, fd, &len), i);
		ck_assert_uint_eq(len, lens[i]);
		ask(fd, 100 + i, 'A');
		ck_assert_int_eq(answer(f, fd, &len), 100 + i);
	}
	close(fd);
	fake_close(f);
}
END_TEST

START_TEST(out_of_order)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	size_t len;
	for (unsigned id = 1; id <= 3; id++)
		ask(fd, id, 'L');
	ask(fd, 4, 'A');
	ck_assert_int_eq(answer(f, fd, &len), 4);
	for (int i = 2; i >= 0; i--) {
		answer_late(f, i);
		ck_assert_int_eq(answer(f, fd, &len), 1000 + i);
	}
	close(fd);
	fake_close(f);
}
END_TEST

/* Sixteen questions wait: the seventeenth is not looked at until one of them is done,
 * whether with an answer or with none. */
START_TEST(in_flight_limit)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	size_t len;
	for (unsigned id = 0; id < 18; id++)
		ask(fd, id, 'L');
	net_run(&f->loop, 50);
	ck_assert_int_eq(f->served, 16);
	answer_late(f, 3);
	ck_assert_int_eq(answer(f, fd, &len), 1003);
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->served, 17);
	front_tcp_send(f->front, &f->asker[0], NULL, 0);
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->served, 18);
	close(fd);
	fake_close(f);
}
END_TEST

/* The client has said all it has to say, and still gets what it is owed. */
START_TEST(half_closed)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	size_t len;
	for (unsigned id = 0; id < 17; id++)
		ask(fd, id, 'L');
	ask(fd, 77, 'A');
	shutdown(fd, SHUT_WR);
	net_run(&f->loop, 50);
	ck_assert_uint_eq(front_tcp_conns(f->front), 1);
	answer_late(f, 0); /* makes room for the seventeenth */
	ck_assert_int_eq(answer(f, fd, &len), 1000);
	net_run(&f->loop, 20);
	answer_late(f, 1); /* and for the last */
	ck_assert_int_eq(answer(f, fd, &len), 1001);
	ck_assert_int_eq(answer(f, fd, &len), 77);
	for (int i = 2; i < 16; i++) {
		answer_late(f, i);
		ck_assert_int_eq(answer(f, fd, &len), 1000 + i);
	}
	ck_assert_int_eq(f->askers, 17);
	answer_late(f, 16);
	ck_assert_int_eq(answer(f, fd, &len), 1016);
	ck_assert(is_closed(f, fd, NET_WAIT_MS));
	ck_assert_uint_eq(front_tcp_conns(f->front), 0);
	close(fd);
	fake_close(f);
}
END_TEST

static void reset(int fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

/* The answer to a connection that is gone goes nowhere, not even to the next client who
 * got its slot. */
START_TEST(late_for_the_dead)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	size_t len;
	ask(fd, 1, 'L');
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->askers, 1);
	reset(fd);
	net_run(&f->loop, 20);
	ck_assert_uint_eq(front_tcp_conns(f->front), 0);
	for (int i = 0; i < 1000; i++) { /* slots are used in turn */
		f->askers = 1;
		fd = net_connect(SOCK_STREAM, &f->listen);
		ask(fd, 2, 'L');
		for (int k = 0; k < 1000 && f->askers == 1; k++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		if (f->asker[1].slot == f->asker[0].slot)
			break;
		reset(fd);
	}
	ck_assert_uint_eq(f->asker[1].slot, f->asker[0].slot);
	answer_late(f, 0);
	front_tcp_close(f->front, &f->asker[0]);
	struct asker bad = {.slot = UINT32_MAX, .serial = 1};
	front_tcp_send(f->front, &bad, (const uint8_t *)"x", 1);
	ck_assert(!net_wait(&f->loop, fd, 30));
	answer_late(f, 1);
	ck_assert_int_eq(answer(f, fd, &len), 1001);
	close(fd);
	fake_close(f);
}
END_TEST

START_TEST(closing_answers)
{
	static const char commands[] = {'C', 'K'};
	for (size_t i = 0; i < sizeof commands; i++) {
		struct fake *f = fake_open("127.0.0.1", &usual);
		int fd = net_connect(SOCK_STREAM, &f->listen);
		uint8_t q[3 * (2 + QUESTION_LEN)];
		size_t len, n = question(q, 1, 'A', QUESTION_LEN);
		n += question(q + n, 2, commands[i], QUESTION_LEN);
		n += question(q + n, 3, 'A', QUESTION_LEN);
		put(fd, q, n);
		if (commands[i] == 'C') /* what was answered before still arrives */
			ck_assert_int_eq(answer(f, fd, &len), 1);
		ck_assert(is_closed(f, fd, NET_WAIT_MS));
		ck_assert_int_eq(f->served, 2);
		close(fd);
		fake_close(f);
	}
}
END_TEST

START_TEST(garbage_lengths)
{
	static const struct {
		const char *bytes;
		size_t n;
	} t[] = {
		{"\0\0", 2},
		{"\0\1x", 3},
		{"\0\13aaaaaaaaaaa", 13},
		{"GET / HTTP/1.1\r\n\r\n", 18}, /* announces 18,245 bytes */
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
	};
	struct front_tcp_limits limits = usual;
	limits.idle_ms = 100;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct fake *f = fake_open("127.0.0.1", &limits);
		int fd = net_connect(SOCK_STREAM, &f->listen);
		put(fd, t[i].bytes, t[i].n);
		ck_assert(is_closed(f, fd, NET_WAIT_MS));
		ck_assert_int_eq(f->served, 0);
		close(fd);
		fake_close(f);
	}
}
END_TEST

/* Idle, and a byte now and then, both end after the idle time; a question owed does not.
 */
START_TEST(idle_and_slow)
{
	struct front_tcp_limits limits = usual;
	limits.idle_ms = 200;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int idle = net_connect(SOCK_STREAM, &f->listen);
	int slow = net_connect(SOCK_STREAM, &f->listen);
	int owed = net_connect(SOCK_STREAM, &f->listen);
	ask(owed, 1, 'L');
	uint8_t q[2 + QUESTION_LEN];
	question(q, 1, 'A', QUESTION_LEN);
	for (int i = 0; i < 16; i++) {
		(void)!send(slow, q + i, 1, MSG_NOSIGNAL);
		net_run(&f->loop, 25);
	}
	ck_assert(is_closed(f, idle, 0));
	ck_assert(is_closed(f, slow, 0));
	ck_assert_int_eq(f->served, 1);
	ck_assert_uint_eq(front_tcp_conns(f->front), 1);
	ck_assert_uint_eq(counted(f, STATS_TCP_TIMEOUT), 2);
	close(idle);
	close(slow);
	close(owed);
	fake_close(f);
}
END_TEST

START_TEST(nobody_ever_answers)
{
	struct front_tcp_limits limits = usual;
	limits.idle_ms = 100;
	limits.owed_ms = 200;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	ask(fd, 1, 'L');
	ck_assert(is_closed(f, fd, NET_WAIT_MS));
	ck_assert_int_eq(f->served, 1);
	close(fd);
	fake_close(f);
}
END_TEST

/* The time shrinks as slots run out. */
START_TEST(idle_time_shrinks)
{
	struct front_tcp_limits limits = usual;
	limits.conns = 16;
	limits.idle_ms = 60000;
	limits.idle_min_ms = 100;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int fd[16];
	for (int i = 0; i < 8; i++)
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
	net_run(&f->loop, 300);
	ck_assert_uint_eq(front_tcp_conns(f->front), 8);
	for (int i = 8; i < 16; i++)
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
	net_run(&f->loop, 20);
	wait_conns(f, 15);
	for (int i = 0; i < 16; i++)
		close(fd[i]);
	fake_close(f);
}
END_TEST

/* Every slot is taken by clients that say nothing, and again each time one is free: a new
 * client is served at once. Those who wait for answers are not thrown out. */
START_TEST(full_house)
{
	struct front_tcp_limits limits = usual;
	limits.conns = 16;
	limits.idle_ms = limits.idle_min_ms = 60000;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int idle[200];
	int owed = net_connect(SOCK_STREAM, &f->listen);
	ask(owed, 1, 'L');
	net_run(&f->loop, 20);
	for (int i = 0; i < 200; i++)
		idle[i] = net_connect(SOCK_STREAM, &f->listen);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	size_t len;
	ask(fd, 9, 'A');
	ck_assert_int_eq(answer(f, fd, &len), 9);
	ck_assert_uint_eq(front_tcp_conns(f->front), 16);
	answer_late(f, 0);
	ck_assert_int_eq(answer(f, owed, &len), 1000);
	for (int i = 0; i < 200; i++)
		close(idle[i]);
	net_run(&f->loop, 20);
	ck_assert_uint_eq(front_tcp_conns(f->front), 2);
	/* All are owed an answer: then a new one is turned away. */
	int busy[16] = {owed, fd};
	for (int i = 2; i < 16; i++)
		busy[i] = net_connect(SOCK_STREAM, &f->listen);
	for (int i = 0; i < 16; i++)
		ask(busy[i], 1, 'L');
	net_run(&f->loop, 20);
	int late = net_connect(SOCK_STREAM, &f->listen);
	ck_assert(is_closed(f, late, NET_WAIT_MS));
	ck_assert_uint_eq(counted(f, STATS_TCP_REFUSED), 1);
	close(late);
	for (int i = 0; i < 16; i++)
		close(busy[i]);
	fake_close(f);
}
END_TEST

START_TEST(connections_of_one_client)
{
	struct front_tcp_limits limits = usual;
	limits.conns_client = 4;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int fd[5];
	for (int i = 0; i < 5; i++)
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
	net_run(&f->loop, 20);
	ck_assert(is_closed(f, fd[4], NET_WAIT_MS));
	ck_assert_uint_eq(front_tcp_conns(f->front), 4);
	/* another address is another client */
	struct addr from = net_addr("127.0.0.77");
	int other = net_socket(SOCK_STREAM, &from);
	struct sockaddr_storage sa;
	socklen_t sa_len = addr_to_sockaddr(&sa, &f->listen);
	size_t len;
	ck_assert(!connect(other, (struct sockaddr *)&sa, sa_len) ||
		  errno == EINPROGRESS);
	net_run(&f->loop, 20);
	ask(other, 3, 'A');
	ck_assert_int_eq(answer(f, other, &len), 3);
	close(fd[0]);
	net_run(&f->loop, 20);
	close(fd[4]);
	fd[4] = net_connect(SOCK_STREAM, &f->listen);
	ask(fd[4], 4, 'A');
	ck_assert_int_eq(answer(f, fd[4], &len), 4);
	for (int i = 1; i < 5; i++)
		close(fd[i]);
	close(other);
	fake_close(f);
}
END_TEST

/* A client asks and asks and never reads. At first its questions are no longer read; late
 * answers pile up to the limit, then it is closed. */
START_TEST(never_reads)
{
	static const uint8_t big[BIG_LEN];
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen), small = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (unsigned i = 0; i < 16; i++)
		ask(fd, i, 'L');
	net_run(&f->loop, 50);
	for (unsigned i = 0; i < 100; i++)
		ask(fd, i, 'B');
	ck_assert_int_eq(f->askers, 16);
	for (int i = 0; i < 16; i++) {
		front_tcp_send(f->front, &f->asker[i], big, sizeof big);
		net_run(&f->loop, 1);
	}
	ck_assert_uint_eq(front_tcp_conns(f->front), 0);
	ck_assert_uint_eq(counted(f, STATS_DROP_SEND), 1);
	ck_assert_int_lt(f->served, 30);
	close(fd);
	fake_close(f);
}
END_TEST

/* Its immediate answers stop at one queue, and it is closed for not taking them. */
START_TEST(never_reads_is_idle)
{
	struct front_tcp_limits limits = usual;
	limits.idle_ms = 1500;
	struct fake *f = fake_open("127.0.0.1", &limits);
	int fd = net_connect(SOCK_STREAM, &f->listen), small = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (unsigned i = 0; i < 100; i++)
		ask(fd, i, 'B');
	net_run(&f->loop, 100);
	ck_assert_uint_eq(front_tcp_conns(f->front), 1);
	int served = f->served;
	ck_assert_int_lt(served, 100);
	wait_conns(f, 0);
	ck_assert_int_eq(f->served, served);
	close(fd);
	fake_close(f);
}
END_TEST

/* A client that reads late gets all of its answers, in whole. */
START_TEST(reads_late)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd = net_connect(SOCK_STREAM, &f->listen);
	for (unsigned i = 0; i < 60; i++)
		ask(fd, i, 'B');
	net_run(&f->loop, 100);
	for (int i = 0; i < 60; i++) {
		size_t len;
		ck_assert_int_eq(answer(f, fd, &len), i);
		ck_assert_uint_eq(len, BIG_LEN);
	}
	ck_assert_int_eq(f->served, 60);
	close(fd);
	fake_close(f);
}
END_TEST

/* Sixty clients flood: one turn of the loop has a bounded share of their questions, all
 * of them are heard in the end, and a new client is not behind them. */
START_TEST(floods_take_turns)
{
	enum { CLIENTS = 60, EACH = 300 };
	static uint8_t all[EACH * (2 + QUESTION_LEN)];
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd[CLIENTS], before, turns = 0;
	size_t n = 0, len;
	for (unsigned i = 0; i < EACH; i++)
		n += question(all + n, i, 'N', QUESTION_LEN);
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
	net_run(&f->loop, 20);
	ck_assert_uint_eq(front_tcp_conns(f->front), CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		put(fd[i], all, n);
	do {
		before = f->served;
		uv_run(&f->loop, UV_RUN_NOWAIT);
		ck_assert_int_le(f->served - before,
				 FRONT_TCP_TURN + (turns ? 1 : CLIENTS));
	} while (++turns < 4);
	ck_assert_int_lt(f->served, CLIENTS * EACH);
	int late = net_connect(SOCK_STREAM, &f->listen);
	ask(late, 9, 'A');
	uint8_t buf[2 + QUESTION_LEN];
	do {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		ck_assert_int_lt(f->served, CLIENTS * EACH);
	} while (recv(late, buf, sizeof buf, MSG_DONTWAIT) != sizeof buf);
	for (int i = 0; i < 1000 && f->served <= CLIENTS * EACH; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(f->served, CLIENTS * EACH + 1);
	for (int i = 0; i < CLIENTS; i++) {
		ask(fd[i], 7, 'A');
		ck_assert_int_eq(answer(f, fd[i], &len), 7);
		close(fd[i]);
	}
	close(late);
	fake_close(f);
}
END_TEST

/* As long as the floods last, each of them is heard now and then. */
START_TEST(floods_do_not_starve)
{
	enum { CLIENTS = 60, EACH = 60 };
	static uint8_t all[EACH * (2 + QUESTION_LEN)];
	struct fake *f = fake_open("127.0.0.1", &usual);
	int fd[CLIENTS];
	size_t n = 0;
	for (unsigned i = 0; i < EACH; i++)
		n += question(all + n, i, 'N', QUESTION_LEN);
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
	net_run(&f->loop, 20);
	for (int turn = 0; turn < 5 * FRONT_TCP_REST; turn++) {
		if (turn == 2 * FRONT_TCP_REST)
			memset(f->heard, 0, sizeof f->heard);
		for (int i = 0; i < CLIENTS; i++) {
			int waiting = 0;
			ck_assert(!ioctl(fd[i], SIOCOUTQ, &waiting));
			if (waiting == 0)
				put(fd[i], all, n);
		}
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < CLIENTS; i++) {
		ck_assert_msg(f->heard[i] > 0, "slot %d", i);
		close(fd[i]);
	}
	fake_close(f);
}
END_TEST

/* No descriptor is left: the listener rests instead of spinning, and goes on later. */
START_TEST(no_descriptor_left_to_accept)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	struct rlimit old, tight;
	size_t len;
	int fd = net_connect(SOCK_STREAM, &f->listen);
	ask(fd, 1, 'A');
	ck_assert(!getrlimit(RLIMIT_NOFILE, &old));
	tight = old;
	tight.rlim_cur = (rlim_t)fd + 1; /* descriptors below are all in use */
	ck_assert(!setrlimit(RLIMIT_NOFILE, &tight));
	net_run(&f->loop, 20);
	ck_assert_uint_eq(front_tcp_conns(f->front), 0);
	int turns = 0;
	for (uint64_t until = uv_hrtime() + 150000000; uv_hrtime() < until; turns++)
		uv_run(&f->loop, UV_RUN_ONCE); /* waits for the tick */
	ck_assert_int_lt(turns, 20);
	ck_assert(!setrlimit(RLIMIT_NOFILE, &old));
	ck_assert_int_eq(answer(f, fd, &len), 1);
	close(fd);
	fake_close(f);
}
END_TEST

START_TEST(bind_errors)
{
	int fds[2], more[2];
	struct addr a = net_free("127.0.0.1");
	int other = net_socket(SOCK_STREAM, &a);
	ck_assert(!listen(other, 1));
	ck_assert_int_eq(front_tcp_bind(fds, 2, &a), ERR_BUSY);
	close(other);
	ck_assert_int_eq(front_tcp_bind(fds, 2, &a), ERR_OK);
	ck_assert(!listen(fds[0], 1)); /* as front_tcp_open() does */
	ck_assert_int_eq(front_tcp_bind(more, 2, &a), ERR_BUSY);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* A restart does not wait for the connections the old process closed. */
START_TEST(binds_again_after_use)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	struct addr a = f->listen;
	int fd = net_connect(SOCK_STREAM, &a), again;
	ask(fd, 1, 'C');
	ck_assert(is_closed(f, fd, NET_WAIT_MS));
	close(fd);
	fake_close(f);
	ck_assert_int_eq(front_tcp_bind(&again, 1, &a), ERR_OK);
	close(again);
}
END_TEST

START_TEST(leaves_no_descriptor)
{
	struct fake *f = fake_open("127.0.0.1", &usual);
	fake_close(f);
	int before = net_open_fds();
	f = fake_open("127.0.0.1", &usual);
	int fd[8];
	for (unsigned i = 0; i < 8; i++) {
		fd[i] = net_connect(SOCK_STREAM, &f->listen);
		ask(fd[i], i, i % 2 ? 'L' : 'A');
	}
	net_run(&f->loop, 20);
	ck_assert_uint_eq(front_tcp_conns(f->front), 8);
	fake_close(f); /* with connections open */
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	ck_assert_int_eq(net_open_fds(), before);
}
END_TEST

UNIT_SUITE("front_tcp", asks_and_answers, wildcard_knows_its_address,
	   any_cut_of_the_stream, long_questions, out_of_order, in_flight_limit,
	   half_closed, late_for_the_dead, closing_answers, garbage_lengths,
	   idle_and_slow, nobody_ever_answers, idle_time_shrinks, full_house,
	   connections_of_one_client, never_reads, never_reads_is_idle, reads_late,
	   floods_take_turns, floods_do_not_starve, no_descriptor_left_to_accept,
	   bind_errors, binds_again_after_use, leaves_no_descriptor)
