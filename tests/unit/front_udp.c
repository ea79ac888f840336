#include <sys/types.h>

#include "resolver/front_udp.h"
#include "resolver/stats.h"
#include "tests/unit/net.h"

enum { FRONTS_MAX = 4, CALLS_MAX = 4096 };

/* A worker with a serve() that does what the question's third byte says. */
struct fake {
	uv_loop_t loop;
	struct stats stats;
	struct front_udp *front;
	struct addr listen[FRONTS_MAX];
	int fds[FRONTS_MAX];
	int n;
	int begins, ends, expected, served;
	bool inside;	   /* between begin and end */
	int more, more_fd; /* so many questions come while one is served */
	int wrong;	   /* calls out of order */
	struct asker last;
	size_t last_len;
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

static void expect(void *arg, const uint8_t *msg, size_t msg_len)
{
	struct fake *f = arg;
	(void)msg, (void)msg_len;
	f->wrong += !f->inside;
	f->expected++;
}

/* A answer: the question back; L later; B biggest answer; else none. */
static enum serve_result serve(void *arg, const struct asker *from, const uint8_t *msg,
			       size_t msg_len, uint8_t *out, size_t *len)
{
	struct fake *f = arg;
	f->wrong += !f->inside;
	f->served++;
	f->wrong += f->served > f->expected;
	f->last = *from;
	f->last_len = msg_len;
	if (f->more && f->more--)
		ck_assert_int_eq(send(f->more_fd, "12A", 3, 0), 3);
	if (msg_len < 3 || msg[2] == 'N')
		return SERVE_NONE;
	if (msg[2] == 'L')
		return SERVE_LATER;
	*len = msg[2] == 'B' ? DNS_UDP_MAX : msg_len;
	memset(out, 'x', *len);
	memcpy(out, msg, msg_len);
	return SERVE_ANSWER;
}

static struct fake *fake_open_busy(int n, const char *const *listen, int busy_us)
{
	struct fake *f = NULL;
	ck_assert(!posix_memalign((void **)&f, 64, sizeof *f));
	memset(f, 0, sizeof *f);
	ck_assert(!uv_loop_init(&f->loop));
	f->n = n;
	for (int i = 0; i < n; i++) {
		f->listen[i] = net_free(listen[i]);
		ck_assert_int_eq(front_udp_bind(&f->fds[i], 1, &f->listen[i]), ERR_OK);
	}
	const struct front_hooks hooks = {.arg = f,
					  .stats = &f->stats,
					  .busy_us = busy_us,
					  .begin = begin,
					  .expect = expect,
					  .serve = serve,
					  .end = end};
	ck_assert_int_eq(
		front_udp_open(&f->front, &f->loop, &hooks, f->listen, f->fds, n), 0);
	return f;
}

static struct fake *fake_open(int n, const char *const *listen)
{
	return fake_open_busy(n, listen, 0);
}

static void fake_close(struct fake *f)
{
	front_udp_shutdown(f->front);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(f->served, f->expected);
	front_udp_free(f->front);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
	ck_assert_int_eq(f->wrong, 0);
	ck_assert_int_eq(f->begins, f->ends);
	free(f);
}

static const char *const one[] = {"127.0.0.1"};

static uint64_t counted(const struct fake *f, enum stats_counter c)
{
	return atomic_load(&f->stats.n[c]);
}

START_TEST(answers_on_each_address)
{
	static const char *const listen[] = {"127.0.0.1", "127.0.0.3", "::1"};
	struct fake *f = fake_open(3, listen);
	for (int i = 0; i < 3; i++) {
		char buf[64];
		int fd = net_connect(SOCK_DGRAM, &f->listen[i]);
		ck_assert_int_eq(send(fd, "12A", 3, 0), 3);
		ck_assert_int_eq(net_read(&f->loop, fd, buf, sizeof buf, NET_WAIT_MS), 3);
		ck_assert(!memcmp(buf, "12A", 3));
		ck_assert(addr_equal(&f->last.listener, &f->listen[i]));
		ck_assert_int_eq(f->last.slot, i);
		ck_assert_int_eq(f->last.transport, HIT_UDP);
		close(fd);
	}
	fake_close(f);
}
END_TEST

/* 200 datagrams wait: four batches, each inside one begin and end, and all are answered.
 */
START_TEST(batches)
{
	struct fake *f = fake_open(1, one);
	int fd = net_connect(SOCK_DGRAM, &f->listen[0]);
	bool seen[200] = {0};
	for (int i = 0; i < 200; i++) {
		uint8_t q[4] = {(uint8_t)i, 0, 'A', 0};
		ck_assert_int_eq(send(fd, q, sizeof q, 0), 4);
	}
	uv_run(&f->loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(f->served, 200);
	ck_assert_int_eq(f->begins, 4);
	for (int i = 0; i < 200; i++) {
		uint8_t a[4];
		ck_assert_int_eq(recv(fd, a, sizeof a, MSG_DONTWAIT), 4);
		ck_assert(a[0] < 200 && !seen[a[0]]);
		seen[a[0]] = true;
	}
	close(fd);
	fake_close(f);
}
END_TEST

/* A flood does not keep the loop: other handles have their turn after 16 batches. */
START_TEST(one_wake_up_is_bounded)
{
	enum { MANY = FRONT_UDP_BATCH * FRONT_UDP_BATCHES + 100 };
	struct fake *f = fake_open(1, one);
	int fd = net_connect(SOCK_DGRAM, &f->listen[0]);
	int buffer = 0;
	socklen_t len = sizeof buffer;
	ck_assert(!getsockopt(f->fds[0], SOL_SOCKET, SO_RCVBUF, &buffer, &len));
	if (buffer < 2 * MANY * 768) {
		printf("skipped: receive buffers are too small here for a flood\n");
	} else {
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(send(fd, "12N", 3, 0), 3);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		ck_assert_int_eq(f->served, FRONT_UDP_BATCH * FRONT_UDP_BATCHES);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		ck_assert_int_eq(f->served, MANY);
	}
	close(fd);
	fake_close(f);
}
END_TEST

START_TEST(sizes)
{
	static uint8_t big[DNS_UDP_MAX + 1], answer[DNS_UDP_MAX + 1];
	struct fake *f = fake_open(1, one);
	int fd = net_connect(SOCK_DGRAM, &f->listen[0]);
	big[2] = 'A';
	ck_assert_int_eq(send(fd, big, DNS_UDP_MAX + 1, 0), DNS_UDP_MAX + 1);
	ck_assert(!net_wait(&f->loop, fd, 50));
	ck_assert_int_eq(f->served, 0);
	ck_assert_uint_eq(counted(f, STATS_DROP_MALFORMED), 1);
	ck_assert_int_eq(send(fd, big, DNS_UDP_MAX, 0), DNS_UDP_MAX);
	ck_assert_int_eq(net_read(&f->loop, fd, answer, sizeof answer, NET_WAIT_MS),
			 DNS_UDP_MAX);
	ck_assert_int_eq(send(fd, "", 0, 0), 0);
	ck_assert(!net_wait(&f->loop, fd, 50));
	ck_assert_int_eq(f->served, 2);
	ck_assert_uint_eq(f->last_len, 0);
	ck_assert_int_eq(send(fd, "12B", 3, 0), 3);
	ck_assert_int_eq(net_read(&f->loop, fd, answer, sizeof answer, NET_WAIT_MS),
			 DNS_UDP_MAX);
	close(fd);
	fake_close(f);
}
END_TEST

START_TEST(late_answers)
{
	char buf[64];
	struct fake *f = fake_open(1, one);
	int fd = net_connect(SOCK_DGRAM, &f->listen[0]);
	ck_assert_int_eq(send(fd, "12L", 3, 0), 3);
	ck_assert(!net_wait(&f->loop, fd, 50));
	struct asker to = f->last;
	front_udp_send(f->front, &to, (const uint8_t *)"late", 4);
	ck_assert_int_eq(net_read(&f->loop, fd, buf, sizeof buf, NET_WAIT_MS), 4);
	front_udp_send(f->front, &to, NULL, 0);
	ck_assert(!net_wait(&f->loop, fd, 50));
	to.slot = 1;
	front_udp_send(f->front, &to, (const uint8_t *)"late", 4);
	to.slot = UINT32_MAX;
	front_udp_send(f->front, &to, (const uint8_t *)"late", 4);
	ck_assert(!net_wait(&f->loop, fd, 50));
	to.slot = 0;
	to.client.port = 0; /* the kernel refuses that: dropped and counted */
	front_udp_send(f->front, &to, (const uint8_t *)"late", 4);
	ck_assert_uint_eq(counted(f, STATS_DROP_SEND), 1);
	front_udp_shutdown(f->front);
	to = f->last;
	front_udp_send(f->front, &to, (const uint8_t *)"late", 4);
	close(fd);
	fake_close(f);
}
END_TEST

/* A wildcard socket answers from the address it was asked at, at once and later: a client
 * with a connected socket would not take it from another. */
START_TEST(wildcard)
{
	static const struct {
		const char *listen, *ask;
	} t[] = {{"0.0.0.0", "127.0.0.9"}, {"::", "::1"}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char buf[64];
		struct fake *f = fake_open(1, &t[i].listen);
		struct addr to = net_addr(t[i].ask);
		to.port = f->listen[0].port;
		int fd = net_connect(SOCK_DGRAM, &to);
		ck_assert_int_eq(send(fd, "12A", 3, 0), 3);
		ck_assert_int_eq(net_read(&f->loop, fd, buf, sizeof buf, NET_WAIT_MS), 3);
		ck_assert(addr_equal(&f->last.listener, &to));
		ck_assert_int_eq(send(fd, "12L", 3, 0), 3);
		ck_assert(!net_wait(&f->loop, fd, 50));
		front_udp_send(f->front, &f->last, (const uint8_t *)"late", 4);
		ck_assert_int_eq(net_read(&f->loop, fd, buf, sizeof buf, NET_WAIT_MS), 4);
		close(fd);
		fake_close(f);
	}
}
END_TEST

/* A question that pretends to come from our own socket would be answered to ourselves. */
START_TEST(own_address_is_dropped)
{
	static const char *const listen[] = {"127.0.0.1", "0.0.0.0"};
	for (int i = 0; i < 2; i++) {
		struct fake *f = fake_open(1, &listen[i]);
		struct addr to = net_addr("127.0.0.1");
		to.port = f->listen[0].port;
		struct sockaddr_storage sa;
		socklen_t len = addr_to_sockaddr(&sa, &to);
		ck_assert_int_eq(
			sendto(f->fds[0], "12A", 3, 0, (struct sockaddr *)&sa, len), 3);
		net_run(&f->loop, 50);
		ck_assert_int_eq(f->served, 0);
		ck_assert_uint_eq(counted(f, STATS_DROP_MALFORMED), 1);
		fake_close(f);
	}
}
END_TEST

/* What comes within that time is answered before the loop sleeps, but no more than so
 * many batches. */
START_TEST(busy_polling)
{
	static const struct {
		int busy_us, more, served;
	} t[] = {{0, 3, 1},
		 {20000, 3, 4},
		 {20000, FRONT_UDP_BATCHES + 9, FRONT_UDP_BATCHES}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct fake *f = fake_open_busy(1, one, t[i].busy_us);
		int fd = net_connect(SOCK_DGRAM, &f->listen[0]);
		f->more = t[i].more;
		f->more_fd = fd;
		ck_assert_int_eq(send(fd, "12A", 3, 0), 3);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		ck_assert_int_eq(f->served, t[i].served);
		ck_assert_int_eq(f->begins, t[i].served);
		close(fd);
		fake_close(f);
	}
}
END_TEST

START_TEST(answering_ports_are_dropped)
{
	static const struct {
		uint16_t port;
		int served;
	} t[] = {{7, 0}, {13, 0}, {17, 0}, {19, 0}, {37, 0}, {464, 0}, {53, 1}, {123, 1}};
	if (!net_namespace(true))
		return;
	struct fake *f = fake_open(1, one);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&sa, &f->listen[0]);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct addr from = net_addr("127.0.0.1");
		from.port = t[i].port;
		int fd = net_socket(SOCK_DGRAM, &from);
		f->served = f->expected = 0;
		ck_assert_int_eq(sendto(fd, "12A", 3, 0, (struct sockaddr *)&sa, len), 3);
		ck_assert(net_wait(&f->loop, fd, 50) == t[i].served);
		ck_assert_msg(f->served == t[i].served, "port %u", t[i].port);
		close(fd);
	}
	fake_close(f);
}
END_TEST

START_TEST(bind_errors)
{
	char why[FRONT_WHY_MAX];
	int fds[2];
	/* Somebody has it without SO_REUSEPORT, and with it under our own user. */
	struct addr a = net_free("127.0.0.1");
	int other = net_socket(SOCK_DGRAM, &a);
	ck_assert_int_eq(front_udp_bind(fds, 2, &a), ERR_BUSY);
	front_bind_why(why, &a, ERR_BUSY, errno);
	ck_assert_ptr_nonnull(strstr(why, "another program"));
	close(other);
	ck_assert_int_eq(front_udp_bind(fds, 2, &a), ERR_OK);
	int more[2];
	ck_assert_int_eq(front_udp_bind(more, 2, &a), ERR_BUSY);
	close(fds[0]);
	close(fds[1]);
	a = net_addr("192.0.2.254@5300");
	ck_assert_int_eq(front_udp_bind(fds, 1, &a), ERR_NOENT);
	front_bind_why(why, &a, ERR_NOENT, errno);
	ck_assert_ptr_nonnull(strstr(why, "192.0.2.254@5300"));
}
END_TEST

START_TEST(bind_needs_permission)
{
	char why[FRONT_WHY_MAX];
	int fd, first = 1024;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
	if (file) {
		ck_assert_int_eq(fscanf(file, "%d", &first), 1);
		fclose(file);
	}
	if (first <= 1 || (geteuid() == 0 && setuid(65534))) {
		printf("skipped: every port is free to all here\n");
		return;
	}
	struct addr a = net_addr("127.0.0.1@1");
	ck_assert_int_eq(front_udp_bind(&fd, 1, &a), ERR_ACCESS);
	ck_assert_int_eq(errno, EACCES);
	front_bind_why(why, &a, ERR_ACCESS, errno);
	ck_assert_ptr_nonnull(strstr(why, "CAP_NET_BIND_SERVICE"));
}
END_TEST

START_TEST(leaves_no_descriptor)
{
	static const char *const two[] = {"127.0.0.1", "::1"};
	struct fake *f = fake_open(2, two);
	fake_close(f);
	int before = net_open_fds();
	f = fake_open(2, two);
	fake_close(f);
	ck_assert_int_eq(net_open_fds(), before);
	struct addr a = net_free("127.0.0.1");
	int other = net_socket(SOCK_DGRAM, &a), fds[3];
	ck_assert_int_eq(front_udp_bind(fds, 3, &a), ERR_BUSY);
	close(other);
	ck_assert_int_eq(net_open_fds(), before);
	/* A descriptor that cannot be polled: open fails and closes all. */
	uv_loop_t loop;
	struct front_udp *front;
	ck_assert(!uv_loop_init(&loop));
	before = net_open_fds();
	fds[0] = net_socket(SOCK_DGRAM, &a);
	fds[1] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct addr listen[2] = {a, a};
	const struct front_hooks hooks = {0};
	ck_assert_int_lt(front_udp_open(&front, &loop, &hooks, listen, fds, 2), 0);
	ck_assert_ptr_null(front);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(net_open_fds(), before);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

UNIT_SUITE("front_udp", answers_on_each_address, batches, one_wake_up_is_bounded, sizes,
	   late_answers, wildcard, own_address_is_dropped, busy_polling,
	   answering_ports_are_dropped, bind_errors, bind_needs_permission,
	   leaves_no_descriptor)
