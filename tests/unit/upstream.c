#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>

#include "include/conf.h"
#include "include/wire.h"
#include "resolver/random.h"
#include "resolver/stats.h"
#include "resolver/upstream.h"
#include "tests/unit/net.h"

enum { EVENTS_MAX = 64, HEADER = 12, QUIET_MS = 2000 };

/* What an owner heard. */
struct heard {
	enum event_kind kind;
	uint32_t id;
	enum send_failure why;
	size_t len;
	void *owner;
	uint8_t first;
};

/* A worker with the real store and policy, and an owner that only writes down. */
struct fake {
	uv_loop_t loop;
	struct stats stats;
	struct conf *conf;
	struct blocklist *bl;
	struct blocklist_view *view;
	struct policy policy;
	struct random_source random;
	struct upstream *up;
	struct heard heard[EVENTS_MAX];
	int n;
	bool inside;
	int wrong;
	bool cancel_on_reply, cancel_all_on_event;
	uint8_t qname[DNS_NAME_MAX], server[DNS_NAME_MAX];
};

static void begin(void *arg)
{
	struct fake *f = arg;
	f->wrong += f->inside;
	f->inside = true;
	f->wrong += blocklist_view_renew(f->view) != 0;
	f->policy.stamp = blocklist_view_stamp(f->view);
}

static void end(void *arg)
{
	struct fake *f = arg;
	f->wrong += !f->inside;
	f->inside = false;
	blocklist_view_reset(f->view);
}

static void event(void *arg, void *owner, const struct event *ev)
{
	struct fake *f = arg;
	f->wrong += !f->inside;
	ck_assert_int_lt(f->n, EVENTS_MAX);
	f->heard[f->n++] = (struct heard){
		.kind = ev->kind,
		.id = ev->id,
		.why = ev->why,
		.len = ev->len,
		.owner = owner,
		.first = ev->len ? ev->bytes[0] : 0,
	};
	if (f->cancel_on_reply && ev->kind == EVENT_REPLY)
		upstream_cancel(f->up, owner, ev->id);
	if (f->cancel_all_on_event)
		upstream_cancel_all(f->up, owner);
}

static struct conf *conf_of(const char *text)
{
	struct conf *c;
	struct conf_error err;
	ck_assert_msg(conf_parse(&c, text, strlen(text), "test", &err) == ERR_OK, "%s",
		      err.text);
	return c;
}

static const char loopback[] =
	"listen: [127.0.0.1@5399]\n"
	"recursion: {permit_private: [127.0.0.0/8, \"::1/128\"]}\n";

static struct fake *fake_open(const char *conf, uint32_t udp_max)
{
	struct fake *f = NULL;
	const char *why = "";
	static int stores;
	char store[16];
	snprintf(store, sizeof store, "store%d", stores++);
	ck_assert(!posix_memalign((void **)&f, 64, sizeof *f));
	memset(f, 0, sizeof *f);
	ck_assert(!uv_loop_init(&f->loop));
	f->conf = conf_of(conf);
	ck_assert_int_eq(name_from_str(f->qname, "www.example.com"), 0);
	ck_assert_int_eq(name_from_str(f->server, "ns1.example.net"), 0);
	ck_assert_msg(!blocklist_open(&f->bl, unit_path(store), BLOCKLIST_WRITE, &why),
		      "%s", why);
	ck_assert_int_eq(blocklist_view_open(&f->view, f->bl), 0);
	f->policy.view = f->view;
	f->policy.now_s = 1000;
	f->policy.default_action = RULE_NXDOMAIN;
	const struct upstream_conf uc = {
		.conf = f->conf,
		.policy = &f->policy,
		.stats = &f->stats,
		.random = random_bytes,
		.random_arg = &f->random,
		.udp_max = udp_max,
		.quiet_ms = QUIET_MS,
	};
	const struct upstream_hooks hooks = {f, begin, event, end};
	ck_assert_int_eq(upstream_open(&f->up, &f->loop, &uc, &hooks), ERR_OK);
	return f;
}

static void fake_close(struct fake *f)
{
	upstream_shutdown(f->up);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert_uint_eq(upstream_live(f->up), 0);
	upstream_free(f->up);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
	ck_assert_int_eq(f->wrong, 0);
	blocklist_view_close(f->view);
	blocklist_close(f->bl);
	conf_free(f->conf);
	free(f);
}

static uint64_t counted(const struct fake *f, enum stats_counter c)
{
	return atomic_load(&f->stats.n[c]);
}

/* One send as the worker would do it. */
static int ask(struct fake *f, uint32_t id, const struct addr *to, enum transport how,
	       uint32_t timeout_ms)
{
	static const uint8_t bytes[HEADER + 5] = {'Q'};
	const struct policy_subject subject = {.class = POLICY_ALL};
	const struct step_send s = {
		.to = *to,
		.transport = how,
		.timeout_ms = timeout_ms,
		.server = f->server,
		.qname = f->qname,
		.bytes = bytes,
		.len = sizeof bytes,
	};
	begin(f);
	int result = upstream_send(f->up, f, id, &subject, &s);
	end(f);
	return result;
}

/* Lists a name, or an address when there is a digit in front. */
static void list(struct fake *f, const char *what)
{
	struct blocklist_item item = {
		.kind = RULE_SUBTREE, .action = RULE_NXDOMAIN, .expires = 2000000000};
	if (what[0] >= '0' && what[0] <= '9') {
		item.kind = RULE_ADDR_SERVER;
		ck_assert_int_eq(prefix_from_text(&item.key.prefix, what, strlen(what)),
				 0);
	} else {
		ck_assert_int_eq(name_from_str(item.key.name, what), 0);
	}
	ck_assert_int_eq(blocklist_add(f->bl, "test", &item), ERR_OK);
}

static void wait_events(struct fake *f, int n, int ms)
{
	uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000;
	while (f->n < n && uv_hrtime() < until) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		usleep(300);
	}
	ck_assert_int_ge(f->n, n);
}

/* A name server that the test plays itself. */
struct server {
	int fd;
	struct addr addr;
	struct sockaddr_storage peer; /* of the last question */
	socklen_t peer_len;
};

static struct server server_open(int type, const char *text)
{
	struct server s = {.addr = net_addr(text)};
	s.fd = net_socket(type, &s.addr);
	if (type == SOCK_STREAM)
		ck_assert(!listen(s.fd, 16));
	return s;
}

static bool server_hears(struct fake *f, struct server *s, int ms)
{
	uint8_t buf[512];
	if (!net_wait(&f->loop, s->fd, ms))
		return false;
	s->peer_len = sizeof s->peer;
	return recvfrom(s->fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&s->peer,
			&s->peer_len) > 0;
}

static void server_says(const struct server *s, char c, size_t len)
{
	uint8_t buf[2048] = {(uint8_t)c};
	ck_assert_int_eq(sendto(s->fd, buf, len, 0, (const struct sockaddr *)&s->peer,
				s->peer_len),
			 (ssize_t)len);
}

/* Whether an error (ICMP refused) has come back to the server's socket. */
static int server_error(const struct server *s)
{
	int err = 0;
	socklen_t len = sizeof err;
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err;
}

START_TEST(asks_over_udp)
{
	static const char *const addrs[] = {"127.0.0.1", "127.0.0.7", "::1"};
	struct fake *f = fake_open(loopback, 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct server s = server_open(SOCK_DGRAM, addrs[i]);
		f->n = 0;
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, NET_WAIT_MS),
				 UPSTREAM_SENT);
		ck_assert(server_hears(f, &s, NET_WAIT_MS));
		server_says(&s, 'J', 20); /* junk does not end it */
		wait_events(f, 1, NET_WAIT_MS);
		server_says(&s, 'A', 30);
		wait_events(f, 2, NET_WAIT_MS);
		ck_assert_int_eq(f->heard[0].kind, EVENT_REPLY);
		ck_assert_int_eq(f->heard[0].first, 'J');
		ck_assert_uint_eq(f->heard[0].len, 20);
		ck_assert_int_eq(f->heard[1].first, 'A');
		ck_assert_uint_eq(f->heard[1].id, i);
		ck_assert_ptr_eq(f->heard[1].owner, f);
		ck_assert_uint_eq(upstream_live(f->up), 1);
		upstream_cancel(f->up, f, i);
		upstream_cancel(f->up, f, i);
		upstream_cancel(f->up, f, 99);
		ck_assert_uint_eq(upstream_live(f->up), 0);
		close(s.fd);
	}
	ck_assert_uint_eq(counted(f, STATS_SEND_UDP), 3);
	fake_close(f);
}
END_TEST

/* Only the asked address may answer, and no more than we said we take. */
START_TEST(strangers_and_giants)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, NET_WAIT_MS), UPSTREAM_SENT);
	ck_assert(server_hears(f, &s, NET_WAIT_MS));
	struct server other = server_open(SOCK_DGRAM, "127.0.0.1");
	other.peer = s.peer;
	other.peer_len = s.peer_len;
	server_says(&other, 'X', 20);
	server_says(&s, 'G', DNS_UDP_MAX + 1);
	server_says(&s, 'B', DNS_UDP_MAX);
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].first, 'B');
	ck_assert_uint_eq(f->heard[0].len, DNS_UDP_MAX);
	ck_assert_uint_eq(counted(f, STATS_REPLY_BAD), 1);
	close(s.fd);
	close(other.fd);
	fake_close(f);
}
END_TEST

/* Past its deadline a question may still be answered, until its owner cancels. */
START_TEST(late_answers_are_told)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 50), UPSTREAM_SENT);
	ck_assert(server_hears(f, &s, NET_WAIT_MS));
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].kind, EVENT_TIMEOUT);
	ck_assert_uint_eq(upstream_live(f->up), 0);
	server_says(&s, 'J', 20);
	wait_events(f, 2, NET_WAIT_MS);
	f->cancel_on_reply = true;
	server_says(&s, 'A', 30);
	wait_events(f, 3, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[2].kind, EVENT_REPLY);
	ck_assert_uint_eq(f->heard[2].id, 1);
	ck_assert_int_eq(f->heard[2].first, 'A');
	server_says(&s, 'B', 30);
	net_run(&f->loop, 50);
	ck_assert_int_eq(f->n, 3);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* After cancel, before the deadline and behind it, the socket stays: the late answer is
 * not read, and no ICMP tells the server that nobody waits. */
START_TEST(late_answers_draw_no_icmp)
{
	for (int late = 0; late < 2; late++) {
		struct fake *f = fake_open(loopback, 0);
		struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
		struct sockaddr *peer = (struct sockaddr *)&s.peer;
		ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
		ck_assert(server_hears(f, &s, NET_WAIT_MS));
		if (late)
			wait_events(f, 1, NET_WAIT_MS);
		upstream_cancel(f->up, f, 1);
		int heard = f->n;
		ck_assert(
			!connect(s.fd, peer, s.peer_len)); /* so that it hears of ICMP */
		net_run(&f->loop, 200);
		for (int i = 0; i < 50; i++)
			ck_assert_int_eq(send(s.fd, "late", 4, 0), 4);
		net_run(&f->loop, 50);
		ck_assert_int_eq(server_error(&s), 0);
		ck_assert_int_eq(f->n, heard);
		/* and the opposite, so that this test means something */
		fake_close(f);
		ck_assert_int_eq(send(s.fd, "late", 4, 0), 4);
		ck_assert_int_eq(server_error(&s), ECONNREFUSED);
		close(s.fd);
	}
}
END_TEST

/* By how much the latest of four is late. */
static double deadlines_late_ms(void *arg)
{
	static const uint32_t ms[] = {300, 50, 120, 200}, order[] = {1, 2, 3, 0};
	(void)arg;
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	double most = 0;
	uint64_t start = uv_hrtime();
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, ms[i]), UPSTREAM_SENT);
	for (int i = 0; i < 4; i++) {
		wait_events(f, i + 1, NET_WAIT_MS);
		double late = (double)(uv_hrtime() - start) / 1e6 - ms[order[i]];
		ck_assert_int_eq(f->heard[i].kind, EVENT_TIMEOUT);
		ck_assert_int_eq(f->heard[i].why, SEND_TIMED_OUT);
		ck_assert_uint_eq(f->heard[i].id, order[i]);
		ck_assert_double_ge(late, -5);
		most = late > most ? late : most;
	}
	ck_assert_uint_eq(counted(f, STATS_SEND_TIMEOUT), 4);
	close(s.fd);
	fake_close(f);
	return most;
}

START_TEST(deadlines)
{
	enum { LATE_MS = 150 };
	double late_ms = unit_least(deadlines_late_ms, NULL, LATE_MS);
	ck_assert_msg(late_ms <= LATE_MS, "%.0f ms late", late_ms);
}
END_TEST

/* Nobody listens there: told by ICMP, at once. */
START_TEST(refused)
{
	static const enum transport how[] = {TRANSPORT_UDP, TRANSPORT_TCP};
	struct fake *f = fake_open(loopback, 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct addr a = net_free("127.0.0.1");
		f->n = 0;
		ck_assert_int_eq(ask(f, i, &a, how[i], NET_WAIT_MS), UPSTREAM_SENT);
		wait_events(f, 1, NET_WAIT_MS);
		ck_assert_int_eq(f->heard[0].kind, EVENT_TIMEOUT);
		ck_assert_int_eq(f->heard[0].why, SEND_UNREACHABLE);
		ck_assert_uint_eq(upstream_live(f->up), 0);
	}
	fake_close(f);
}
END_TEST

START_TEST(no_route)
{
	static const char *const addrs[] = {"192.0.2.1@53", "2001:db8::1@53"};
	static const char conf[] = "recursion: {permit_private: [192.0.2.0/24, "
				   "\"2001:db8::/32\"]}\n";
	if (!net_namespace(false))
		return;
	struct fake *f = fake_open(conf, 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct addr a = net_addr(addrs[i / 2]);
		ck_assert_int_eq(
			ask(f, i, &a, i % 2 ? TRANSPORT_TCP : TRANSPORT_UDP, NET_WAIT_MS),
			SEND_UNREACHABLE);
	}
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->n, 0);
	ck_assert_uint_eq(counted(f, STATS_SEND_ERROR), 4);
	fake_close(f);
}
END_TEST

START_TEST(families_that_are_off)
{
	static const char conf[] =
		"recursion: {ipv6: false, permit_private: [127.0.0.0/8, "
		"\"::1/128\"]}\n";
	struct fake *f = fake_open(conf, 0);
	struct server s = server_open(SOCK_DGRAM, "::1");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, NET_WAIT_MS),
			 SEND_UNREACHABLE);
	ck_assert(!server_hears(f, &s, 20));
	close(s.fd);
	fake_close(f);
}
END_TEST

/* An IPv4 address in IPv6 dress is judged as what it is, and even permitted goes nowhere.
 */
START_TEST(dressed_addresses_go_nowhere)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	struct addr a = net_addr("::ffff:127.0.0.1");
	a.port = s.addr.port;
	ck_assert_int_eq(ask(f, 1, &a, TRANSPORT_UDP, 100), SEND_UNREACHABLE);
	ck_assert(!server_hears(f, &s, 20));
	close(s.fd);
	fake_close(f);
}
END_TEST

/* The socket that talks to a. */
static int socket_to(const struct addr *a)
{
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		if (getpeername(fd, (struct sockaddr *)&sa, &len))
			continue;
		struct addr peer = addr_from_sockaddr((struct sockaddr *)&sa);
		if (addr_equal(&peer, a))
			return fd;
	}
	ck_abort_msg("no socket talks to it");
	return -1;
}

START_TEST(socket_options)
{
	static const struct {
		const char *addr;
		int level, name, value;
	} t[] = {
		{"127.0.0.1", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT},
		{"127.0.0.1", SOL_SOCKET, SO_REUSEADDR, 0},
		{"127.0.0.1", SOL_SOCKET, SO_REUSEPORT, 0},
		{"::1", IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT},
		{"::1", IPPROTO_IPV6, IPV6_V6ONLY, 1},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct fake *f = fake_open(loopback, 0);
		struct server s = server_open(SOCK_DGRAM, t[i].addr);
		int value = -1;
		socklen_t len = sizeof value;
		ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
		ck_assert(!getsockopt(socket_to(&s.addr), t[i].level, t[i].name, &value,
				      &len));
		ck_assert_msg(value == t[i].value, "row %zu: %d", i, value);
		close(s.fd);
		fake_close(f);
	}
}
END_TEST

/* Somebody who knows each port as it is drawn and sends to it all the time. */
struct flood {
	_Atomic uint32_t draw; /* what the random source says next */
	_Atomic bool stop;
};

static void next_draw(void *arg, void *out, size_t n)
{
	struct flood *x = arg;
	uint32_t draw = ++x->draw;
	ck_assert_uint_eq(n, sizeof draw);
	memcpy(out, &draw, n);
}

static void *flood(void *arg)
{
	struct flood *x = arg;
	struct addr to = net_addr("127.0.0.55");
	struct sockaddr_storage sa;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	while (!x->stop) {
		to.port = (uint16_t)(UPSTREAM_PORT_MIN + x->draw);
		socklen_t len = addr_to_sockaddr(&sa, &to);
		(void)!sendto(fd, "XXXXXXXXXXXX", 12, 0, (struct sockaddr *)&sa, len);
	}
	close(fd);
	return NULL;
}

/* Between bind() and connect() a socket takes datagrams from anybody: whoever guesses the
 * port then is still told apart. */
START_TEST(strangers_before_connect)
{
	struct fake *f = fake_open("recursion: {source: [127.0.0.55], permit_private: "
				   "[127.0.0.0/8]}\n",
				   0);
	struct upstream *random = f->up;
	struct flood x = {.draw = 20000};
	const struct upstream_hooks hooks = {f, begin, event, end};
	const struct upstream_conf uc = {.conf = f->conf,
					 .policy = &f->policy,
					 .stats = &f->stats,
					 .random = next_draw,
					 .random_arg = &x,
					 .quiet_ms = 1};
	ck_assert_int_eq(upstream_open(&f->up, &f->loop, &uc, &hooks), ERR_OK);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	pthread_t thread;
	ck_assert(!pthread_create(&thread, NULL, flood, &x));
	for (uint32_t i = 0; i < 3000 && !counted(f, STATS_REPLY_BAD); i++) {
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, 1), UPSTREAM_SENT);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		upstream_cancel(f->up, f, i);
		if (i % 100 == 99)
			net_run(&f->loop, 12);
		for (; f->n; f->n--)
			ck_assert_int_eq(f->heard[f->n - 1].kind, EVENT_TIMEOUT);
	}
	x.stop = true;
	pthread_join(thread, NULL);
	if (!counted(f, STATS_REPLY_BAD))
		printf("skipped: no stranger was quick enough\n");
	close(s.fd);
	upstream_shutdown(random);
	upstream_shutdown(f->up);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	upstream_free(random);
	fake_close(f);
}
END_TEST

START_TEST(source_address)
{
	static const char conf[] = "recursion: {source: [127.0.0.55], permit_private: "
				   "[127.0.0.0/8]}\n";
	struct fake *f = fake_open(conf, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	struct addr want = net_addr("127.0.0.55");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, NET_WAIT_MS), UPSTREAM_SENT);
	ck_assert(server_hears(f, &s, NET_WAIT_MS));
	struct addr from = addr_from_sockaddr((struct sockaddr *)&s.peer);
	ck_assert_uint_ge(from.port, 1024);
	from.port = 0;
	ck_assert(addr_equal(&from, &want));
	close(s.fd);
	fake_close(f);
}
END_TEST

/* 2000 ports of 64512: about 31 are drawn twice, half lie in each half, and neighbours
 * have nothing to do with each other. */
START_TEST(ports_are_random)
{
	static bool seen[65536];
	enum { N = 2000 };
	struct fake *f = fake_open(loopback, 256);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	int distinct = 0, upper = 0;
	double sum = 0, squares = 0, products = 0, before = 0;
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, 1), UPSTREAM_SENT);
		ck_assert(server_hears(f, &s, NET_WAIT_MS));
		upstream_cancel(f->up, f, i);
		uint16_t port = addr_from_sockaddr((struct sockaddr *)&s.peer).port;
		ck_assert_uint_ge(port, 1024);
		distinct += !seen[port];
		seen[port] = true;
		upper += port >= 1024 + 64512 / 2;
		double x = (port - 1024 - 64512 / 2.0) / 64512;
		sum += x;
		squares += x * x;
		products += i ? x * before : 0;
		before = x;
		if (i % 96 == 95)
			net_run(&f->loop, 25); /* deadlines pass, sockets become spare */
	}
	ck_assert_int_gt(distinct, N - 80);
	ck_assert_int_gt(upper, N / 2 - 150);
	ck_assert_int_lt(upper, N / 2 + 150);
	ck_assert(sum / N > -0.03 && sum / N < 0.03);
	ck_assert(products / squares > -0.1 && products / squares < 0.1);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* Sockets past their deadline make room; those before it do not. */
START_TEST(sockets_run_short)
{
	struct fake *f = fake_open(loopback, 8);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
	ck_assert_int_eq(ask(f, 8, &s.addr, TRANSPORT_UDP, 100), SEND_NO_RESOURCE);
	upstream_cancel(f->up, f, 0); /* still before its deadline */
	ck_assert_int_eq(ask(f, 9, &s.addr, TRANSPORT_UDP, 100), SEND_NO_RESOURCE);
	wait_events(f, 7, NET_WAIT_MS);
	net_run(&f->loop, 30);
	for (uint32_t i = 10; i < 18; i++)
		ck_assert_int_eq(ask(f, i, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
	ck_assert_int_eq(ask(f, 18, &s.addr, TRANSPORT_UDP, 100), SEND_NO_RESOURCE);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* No descriptor is left to the process: a socket past its deadline is given up for a new
 * question; without one the machine hears that nothing was sent. */
START_TEST(descriptors_run_short)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	struct rlimit old, tight;
	ck_assert_int_eq(ask(f, 0, &s.addr, TRANSPORT_UDP, 10), UPSTREAM_SENT);
	wait_events(f, 1, NET_WAIT_MS);
	int top = dup(s.fd);
	close(top);
	ck_assert(!getrlimit(RLIMIT_NOFILE, &old));
	tight = old;
	tight.rlim_cur = (rlim_t)top;
	ck_assert(!setrlimit(RLIMIT_NOFILE, &tight));
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
	ck_assert_int_eq(ask(f, 2, &s.addr, TRANSPORT_UDP, 100), SEND_NO_RESOURCE);
	ck_assert_int_eq(ask(f, 3, &s.addr, TRANSPORT_TCP, 100), SEND_NO_RESOURCE);
	ck_assert(!setrlimit(RLIMIT_NOFILE, &old));
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(owners)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	static const uint8_t bytes[HEADER];
	const struct policy_subject subject = {.class = POLICY_ALL};
	const struct step_send step = {.to = s.addr,
				       .timeout_ms = 100,
				       .qname = f->qname,
				       .bytes = bytes,
				       .len = HEADER};
	begin(f);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(upstream_send(f->up, f, i, &subject, &step),
				 UPSTREAM_SENT);
		ck_assert_int_eq(upstream_send(f->up, &s, i, &subject, &step),
				 UPSTREAM_SENT);
	}
	upstream_cancel_all(f->up, f);
	end(f);
	ck_assert_uint_eq(upstream_live(f->up), 3);
	wait_events(f, 3, NET_WAIT_MS);
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_eq(f->heard[i].owner, &s);
	/* cancelling all while being told of the first */
	f->n = 0;
	f->cancel_all_on_event = true;
	for (uint32_t i = 10; i < 15; i++)
		ck_assert_int_eq(
			ask(f, i, &s.addr, i % 2 ? TRANSPORT_UDP : TRANSPORT_TCP, 50),
			UPSTREAM_SENT);
	net_run(&f->loop, 150);
	ck_assert_int_eq(f->n, 1);
	ck_assert_uint_eq(upstream_live(f->up), 0);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* ---- the guard ---- */

START_TEST(listed_is_never_asked)
{
	static const struct {
		const char *listed;
		enum stats_counter counter;
	} t[] = {
		{"www.example.com", STATS_GUARD_NAME},
		{"example.com", STATS_GUARD_NAME},
		{"example.net", STATS_GUARD_NS_NAME},
		{"127.0.0.96/28", STATS_GUARD_NS_ADDR},
	};
	static const enum transport how[] = {TRANSPORT_UDP, TRANSPORT_TCP};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct fake *f = fake_open(loopback, 0);
		struct server udp = server_open(SOCK_DGRAM, "127.0.0.99");
		struct server tcp = {.addr = udp.addr};
		tcp.fd = net_socket(SOCK_STREAM, &tcp.addr);
		ck_assert(!listen(tcp.fd, 4));
		ck_assert_int_eq(ask(f, 1, &udp.addr, TRANSPORT_UDP, NET_WAIT_MS),
				 UPSTREAM_SENT);
		ck_assert(server_hears(f, &udp, NET_WAIT_MS));
		list(f, t[i].listed); /* the retransmission is refused */
		for (uint32_t k = 0; k < 2; k++)
			ck_assert_int_eq(ask(f, 2 + k, &udp.addr, how[k], NET_WAIT_MS),
					 SEND_FORBIDDEN);
		ck_assert(!server_hears(f, &udp, 30));
		ck_assert_int_eq(accept(tcp.fd, NULL, NULL), -1);
		ck_assert_uint_eq(counted(f, t[i].counter), 2);
		close(udp.fd);
		close(tcp.fd);
		fake_close(f);
	}
}
END_TEST

/* Our own questions about parents of the client's name: an exact rule is not about them.
 */
START_TEST(own_questions)
{
	static const uint8_t bytes[HEADER];
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	const struct policy_subject subject = {.class = POLICY_ALL};
	struct step_send step = {
		.to = s.addr, .timeout_ms = 100, .bytes = bytes, .len = HEADER};
	struct blocklist_item item = {
		.kind = RULE_EXACT, .action = RULE_NXDOMAIN, .expires = 2000000000};
	name_copy(item.key.name, f->qname);
	ck_assert_int_eq(blocklist_add(f->bl, "test", &item), ERR_OK);
	step.qname = f->qname;
	for (int own = 0; own < 2; own++) {
		step.own = own;
		begin(f);
		ck_assert_int_eq(upstream_send(f->up, f, (uint32_t)own, &subject, &step),
				 own ? UPSTREAM_SENT : (int)SEND_FORBIDDEN);
		end(f);
	}
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(private_is_never_asked)
{
	struct fake *f = fake_open("listen: [127.0.0.1@5399]\n", 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), SEND_FORBIDDEN);
	ck_assert_int_eq(ask(f, 2, &s.addr, TRANSPORT_TCP, 100), SEND_FORBIDDEN);
	ck_assert(!server_hears(f, &s, 20));
	ck_assert_uint_eq(counted(f, STATS_GUARD_PRIVATE), 2);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* Permitted or not, a question to our own listener would go round in circles. */
START_TEST(ourselves_are_never_asked)
{
	char conf[256];
	static const char *const listen[] = {"127.0.0.1", "0.0.0.0"};
	static const char *const to[] = {"127.0.0.1", "127.0.0.5"};
	for (int i = 0; i < 2; i++) {
		struct server s = server_open(SOCK_DGRAM, to[i]);
		snprintf(conf, sizeof conf,
			 "listen: [%s@%u]\nrecursion: {permit_private: [127.0.0.0/8]}\n",
			 listen[i], s.addr.port);
		struct fake *f = fake_open(conf, 0);
		ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), SEND_FORBIDDEN);
		ck_assert(!server_hears(f, &s, 20));
		close(s.fd);
		fake_close(f);
	}
}
END_TEST

/* A wildcard listener has addresses that are not loopback too. */
START_TEST(our_other_addresses_are_never_asked)
{
	if (!net_namespace(true))
		return;
	static const char conf[] = "listen: [0.0.0.0@5399]\n"
				   "recursion: {permit_private: [10.0.0.0/8]}\n";
	struct fake *f = fake_open(conf, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {.ifr_name = "lo:1"};
	struct addr own = net_addr("10.1.2.3@5399");
	struct sockaddr_storage sa;
	addr_to_sockaddr(&sa, &own);
	memcpy(&ifr.ifr_addr, &sa, sizeof ifr.ifr_addr);
	ck_assert(!ioctl(fd, SIOCSIFADDR, &ifr));
	close(fd);
	struct server s = server_open(SOCK_DGRAM, "10.1.2.3@5399");
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_UDP, 100), SEND_FORBIDDEN);
	ck_assert(!server_hears(f, &s, 20));
	close(s.fd);
	s = server_open(SOCK_DGRAM, "10.1.2.3@5400"); /* somebody else's port */
	ck_assert_int_eq(ask(f, 2, &s.addr, TRANSPORT_UDP, 100), UPSTREAM_SENT);
	ck_assert(server_hears(f, &s, NET_WAIT_MS));
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(without_a_store_nothing_leaves)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_DGRAM, "127.0.0.1");
	static const uint8_t bytes[HEADER];
	const struct policy_subject subject = {.class = POLICY_ALL};
	const struct step_send step = {.to = s.addr,
				       .timeout_ms = 100,
				       .qname = f->qname,
				       .bytes = bytes,
				       .len = HEADER};
	/* no begin(): the view has no snapshot, as after a failed renewal */
	ck_assert_int_eq(upstream_send(f->up, f, 1, &subject, &step), SEND_FORBIDDEN);
	ck_assert(!server_hears(f, &s, 20));
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(addresses)
{
	static const char conf_text[] =
		"listen: [127.0.0.1@53, \"::1@53\", \"0.0.0.0@5353\"]\n"
		"recursion:\n"
		"  permit_private: [10.9.0.0/16, 127.0.0.0/8, \"fd00::/8\", "
		"\"::1/128\"]\n"
		"  stub: [{zone: corp.example, servers: [192.168.1.1@5301]}]\n";
	static const struct {
		const char *addr;
		bool allowed;
	} t[] = {
		{"8.8.8.8@53", true},
		{"9.255.255.255@53", true},
		{"100.63.255.255@53", true},
		{"100.128.0.0@53", true},
		{"172.15.0.1@53", true},
		{"172.32.0.1@53", true},
		{"192.175.48.6@53", true}, /* AS112 */
		{"223.255.255.255@53", true},
		{"8.8.8.8@0", false},
		{"0.0.0.0@53", false},
		{"0.1.2.3@53", false},
		{"10.8.255.255@53", false},
		{"10.9.0.1@53", true}, /* permit_private */
		{"100.64.0.1@53", false},
		{"100.127.255.255@53", false},
		{"169.254.1.1@53", false},
		{"172.16.0.1@53", false},
		{"172.31.255.255@53", false},
		{"192.0.0.9@53", false},
		{"192.0.2.1@53", false},
		{"192.88.99.1@53", false},
		{"192.168.1.1@53", false}, /* the stub server's other port */
		{"192.168.1.1@5301", true},
		{"192.168.1.2@5301", false},
		{"198.18.0.1@53", false},
		{"198.19.255.255@53", false},
		{"198.51.100.1@53", false},
		{"203.0.113.1@53", false},
		{"224.0.0.1@53", false},
		{"240.0.0.1@53", false},
		{"255.255.255.255@53", false},
		{"127.0.0.1@53", false}, /* our own listener */
		{"127.0.0.1@54", true},
		{"127.9.9.9@5353", false}, /* our wildcard listener */
		{"2001:4860:4860::8888@53", true},
		{"2620:fe::fe@53", true},
		{"2a00::1@53", true},
		{"::@53", false},
		{"::1@53", false},
		{"::1@54", true},
		{"::2@53", false},
		{"::ffff:8.8.8.8@53", true},
		{"::ffff:10.8.0.1@53", false},
		{"::ffff:10.9.0.1@53", true},
		{"::ffff:127.0.0.1@53", false},
		{"64:ff9b::808:808@53", true},
		{"64:ff9b::a08:1@53", false},
		{"64:ff9b:1::1@53", false},
		{"64:ff9b:2::1@53", true},
		{"100::1@53", false},
		{"100:0:0:1::1@53", false},
		{"100:0:0:2::1@53", true},
		{"2001::1@53", false},
		{"2001:2::1@53", false},
		{"2001:10::1@53", false},
		{"2001:20::1@53", false},
		{"2001:db8::1@53", false},
		{"2001:db9::1@53", true},
		{"2002:808:808::1@53", true},
		{"2002:a08:1::1@53", false},
		{"2002:7f00:1::1@53", false}, /* 127.0.0.1@53 */
		{"3fff::1@53", false},
		{"1::1@53", true}, /* not assigned: as any other, RFC 4291 2.4 */
		{"4000::1@53", true},
		{"5f00::1@53", false},
		{"fe00::1@53", true},
		{"febf::1@53", false},
		{"fc00::1@53", false},
		{"fd00::1@53", true}, /* permit_private */
		{"fe80::1@53", false},
		{"fec0::1@53", false},
		{"ff02::1@53", false},
	};
	struct conf *conf = conf_of(conf_text);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct addr a = net_addr(t[i].addr);
		ck_assert_msg(upstream_address_allowed(conf, &a) == t[i].allowed, "%s",
			      t[i].addr);
	}
	struct addr none = {0};
	ck_assert(!upstream_address_allowed(conf, &none));
	conf_free(conf);
}
END_TEST

/* ---- TCP ---- */

static int server_accepts(struct fake *f, const struct server *s, int ms)
{
	return net_wait(&f->loop, s->fd, ms) ? accept(s->fd, NULL, NULL) : -1;
}

/* The question as it must arrive: its length, then itself. */
static void hears_question(struct fake *f, int fd)
{
	uint8_t buf[64];
	ck_assert_int_eq(net_read(&f->loop, fd, buf, sizeof buf, NET_WAIT_MS),
			 2 + HEADER + 5);
	ck_assert_uint_eq(wire_get16(buf), HEADER + 5);
	ck_assert_int_eq(buf[2], 'Q');
}

START_TEST(asks_over_tcp)
{
	static uint8_t reply[2 + 3000];
	static const size_t cuts[] = {sizeof reply, 1, 2, 3, 1000};
	wire_set16(reply, sizeof reply - 2);
	reply[2] = 'A';
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct fake *f = fake_open(loopback, 0);
		struct server s = server_open(SOCK_STREAM, "127.0.0.1");
		char c;
		f->cancel_on_reply = true;
		ck_assert_int_eq(ask(f, 7, &s.addr, TRANSPORT_TCP, NET_WAIT_MS),
				 UPSTREAM_SENT);
		int fd = server_accepts(f, &s, NET_WAIT_MS);
		hears_question(f, fd);
		for (size_t at = 0; at < sizeof reply;) {
			size_t n = at < 8 && cuts[i] < 8 ? cuts[i] : 1000;
			n = cuts[i] >= 1000 ? cuts[i] : n;
			n = n < sizeof reply - at ? n : sizeof reply - at;
			ck_assert_int_eq(send(fd, reply + at, n, MSG_NOSIGNAL),
					 (ssize_t)n);
			at += n;
			net_run(&f->loop, 1);
		}
		wait_events(f, 1, NET_WAIT_MS);
		ck_assert_int_eq(f->heard[0].kind, EVENT_REPLY);
		ck_assert_uint_eq(f->heard[0].len, sizeof reply - 2);
		ck_assert_int_eq(f->heard[0].first, 'A');
		ck_assert_uint_eq(f->heard[0].id, 7);
		/* Closed, and nothing of it stays in the kernel to send more. */
		ck_assert_int_eq(net_read(&f->loop, fd, &c, 1, NET_WAIT_MS), -1);
		ck_assert_int_eq(errno, ECONNRESET);
		ck_assert_int_eq(f->n, 1);
		ck_assert_uint_eq(counted(f, STATS_SEND_TCP), 1);
		close(fd);
		close(s.fd);
		fake_close(f);
	}
}
END_TEST

/* Every way for a server to say less than it should. */
START_TEST(tcp_failures)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool reset;
		int events;
		enum send_failure why;
	} t[] = {
		{"", 0, false, 1, SEND_CLOSED},
		{"\0", 1, false, 1, SEND_CLOSED},
		{"\0\40", 2, false, 1, SEND_CLOSED},
		{"\0\40abcdefgh", 10, false, 1, SEND_CLOSED},
		{"\0\40abcdefgh", 10, true, 1, SEND_UNREACHABLE},
		{"\0\0", 2, false, 1, SEND_CLOSED}, /* no DNS message */
		{"\0\13abcdefghijk", 13, false, 1, SEND_CLOSED},
		/* junk that the owner does not want: it hears that nothing follows */
		{"\0\14abcdefghijkl", 14, false, 2, SEND_CLOSED},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct fake *f = fake_open(loopback, 0);
		struct server s = server_open(SOCK_STREAM, "127.0.0.1");
		struct linger now = {.l_onoff = t[i].reset};
		ck_assert_int_eq(ask(f, 7, &s.addr, TRANSPORT_TCP, NET_WAIT_MS),
				 UPSTREAM_SENT);
		int fd = server_accepts(f, &s, NET_WAIT_MS);
		hears_question(f, fd);
		ck_assert_int_eq(send(fd, t[i].bytes, t[i].n, 0), (ssize_t)t[i].n);
		net_run(&f->loop, 5);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(fd);
		wait_events(f, t[i].events, NET_WAIT_MS);
		net_run(&f->loop, 20);
		ck_assert_int_eq(f->n, t[i].events);
		ck_assert_int_eq(f->heard[f->n - 1].kind, EVENT_TIMEOUT);
		ck_assert_msg(f->heard[f->n - 1].why == t[i].why, "row %zu: %d", i,
			      f->heard[f->n - 1].why);
		ck_assert_uint_eq(upstream_live(f->up), 0);
		close(s.fd);
		fake_close(f);
	}
}
END_TEST

START_TEST(tcp_deadline_and_cancel)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_STREAM, "127.0.0.1");
	char c;
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_TCP, 200), UPSTREAM_SENT);
	int fd = server_accepts(f, &s, NET_WAIT_MS);
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].why, SEND_TIMED_OUT);
	close(fd);
	ck_assert_int_eq(ask(f, 2, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	fd = server_accepts(f, &s, NET_WAIT_MS);
	hears_question(f, fd);
	upstream_cancel(f->up, f, 2);
	ck_assert_int_eq(net_read(&f->loop, fd, &c, 1, NET_WAIT_MS), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(f->n, 1);
	close(fd);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* One message is all, though the server would say more. */
START_TEST(tcp_junk_ends_it)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_STREAM, "127.0.0.1");
	ck_assert_int_eq(ask(f, 7, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	int fd = server_accepts(f, &s, NET_WAIT_MS);
	hears_question(f, fd);
	ck_assert_int_eq(send(fd, "\0\14abcdefghijkl\0\14abcdefghijkl", 28, 0), 28);
	wait_events(f, 2, NET_WAIT_MS);
	net_run(&f->loop, 20);
	ck_assert_int_eq(f->n, 2);
	ck_assert_int_eq(f->heard[0].kind, EVENT_REPLY);
	ck_assert_int_eq(f->heard[1].kind, EVENT_TIMEOUT);
	ck_assert_int_eq(f->heard[1].why, SEND_CLOSED);
	close(fd);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* Listed after the SYN and before the question: the question does not leave. */
START_TEST(tcp_listed_before_the_question)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_STREAM, "127.0.0.99");
	char buf[64];
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	list(f, "127.0.0.99");
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].kind, EVENT_TIMEOUT);
	ck_assert_int_eq(f->heard[0].why, SEND_FORBIDDEN);
	int fd = server_accepts(f, &s, 100);
	if (fd >= 0)
		ck_assert_int_le(recv(fd, buf, sizeof buf, 0), 0);
	ck_assert_uint_eq(counted(f, STATS_GUARD_TCP_OPEN), 1);
	close(fd);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* Listed while the answer is awaited: closed with one reset, and counted. */
START_TEST(tcp_listed_while_open)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_STREAM, "127.0.0.99");
	char c;
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	int fd = server_accepts(f, &s, NET_WAIT_MS);
	hears_question(f, fd);
	f->cancel_all_on_event = true;
	list(f, "example.net");
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].why, SEND_FORBIDDEN);
	ck_assert_uint_eq(counted(f, STATS_GUARD_TCP_OPEN), 1);
	ck_assert_int_eq(net_read(&f->loop, fd, &c, 1, NET_WAIT_MS), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(fd);
	close(s.fd);
	fake_close(f);
}
END_TEST

/* The local port of a connect to that port that nobody has answered yet, 0 = none. */
static unsigned connecting(uint16_t to)
{
	char line[256];
	unsigned port = 0;
	FILE *file = fopen("/proc/self/net/tcp", "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file)) {
		unsigned local, remote, state;
		if (sscanf(line, " %*d: %*x:%x %*x:%x %x", &local, &remote, &state) ==
			    3 &&
		    remote == to && state == 2)
			port = local;
	}
	fclose(file);
	return port;
}

/* A listener whose queue is full drops SYNs, like a server that is down. */
static struct server server_silent(struct fake *f, int filler[4])
{
	struct server s = {.addr = net_addr("127.0.0.98")};
	s.fd = net_socket(SOCK_STREAM, &s.addr);
	ck_assert(!listen(s.fd, 0));
	filler[0] = net_connect(SOCK_STREAM, &s.addr);
	net_run(&f->loop, 10);
	return s;
}

/* Nobody answers the SYN. Whether the connect is done anew, from another port: a process
 * that stands still for a second finds that the kernel has repeated it. */
static bool connects_anew(void)
{
	struct fake *f = fake_open(loopback, 0);
	int filler[4];
	struct server s = server_silent(f, filler);
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	unsigned first = connecting(s.addr.port);
	ck_assert_uint_ne(first, 0);
	close(accept(s.fd, NULL, NULL)); /* from here on it has room */
	close(filler[0]);
	int fd = server_accepts(f, &s, NET_WAIT_MS);
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	ck_assert(!getpeername(fd, (struct sockaddr *)&sa, &len));
	bool anew = addr_from_sockaddr((struct sockaddr *)&sa).port != first;
	if (anew) {
		ck_assert_uint_eq(connecting(s.addr.port), 0);
		ck_assert_int_eq(f->n, 0);
		ck_assert_uint_eq(upstream_live(f->up), 1);
		hears_question(f, fd);
		ck_assert_int_eq(send(fd, "\0\14abcdefghijkl", 14, 0), 14);
		f->cancel_on_reply = true;
		wait_events(f, 1, NET_WAIT_MS);
		ck_assert_int_eq(f->heard[0].kind, EVENT_REPLY);
		ck_assert_uint_eq(f->heard[0].id, 1);
	}
	close(fd);
	close(s.fd);
	fake_close(f);
	return anew;
}

/* Before the kernel repeats the SYN it is judged anew. */
START_TEST(tcp_connects_anew)
{
	bool anew = false;
	for (int tries = 0; tries < 10 && !anew; tries++)
		anew = connects_anew();
	ck_assert(anew);
}
END_TEST

/* Listed while the SYN is unanswered: no second one, no reset, nothing. */
START_TEST(tcp_listed_while_connecting)
{
	struct fake *f = fake_open(loopback, 0);
	int filler[4];
	struct server s = server_silent(f, filler);
	ck_assert_int_eq(ask(f, 1, &s.addr, TRANSPORT_TCP, NET_WAIT_MS), UPSTREAM_SENT);
	list(f, "127.0.0.98");
	wait_events(f, 1, NET_WAIT_MS);
	ck_assert_int_eq(f->heard[0].why, SEND_FORBIDDEN);
	ck_assert_uint_eq(connecting(s.addr.port), 0);
	ck_assert_uint_eq(counted(f, STATS_GUARD_TCP_OPEN), 1);
	close(filler[0]);
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(tcp_runs_short)
{
	struct fake *f = fake_open(loopback, 0);
	struct server s = server_open(SOCK_STREAM, "127.0.0.1");
	int got = UPSTREAM_SENT;
	uint32_t n = 0;
	for (; n < UPSTREAM_TCP_MAX + 10 && got == UPSTREAM_SENT; n++)
		got = ask(f, n, &s.addr, TRANSPORT_TCP, NET_WAIT_MS);
	ck_assert_int_eq(got, SEND_NO_RESOURCE);
	ck_assert_uint_eq(n, UPSTREAM_TCP_MAX + 1);
	upstream_cancel_all(f->up, f);
	net_run(&f->loop, 5);
	ck_assert_int_eq(ask(f, 1000, &s.addr, TRANSPORT_TCP, NET_WAIT_MS),
			 UPSTREAM_SENT);
	close(s.fd);
	fake_close(f);
}
END_TEST

START_TEST(leaves_no_descriptor)
{
	fake_close(fake_open(loopback, 0));
	int before = net_open_fds();
	struct fake *f = fake_open(loopback, 64);
	struct server udp = server_open(SOCK_DGRAM, "127.0.0.1");
	struct server tcp = server_open(SOCK_STREAM, "127.0.0.1");
	int open = net_open_fds();
	for (uint32_t i = 0; i < 40; i++)
		ck_assert_int_eq(ask(f, i, i % 2 ? &udp.addr : &tcp.addr,
				     i % 2 ? TRANSPORT_UDP : TRANSPORT_TCP, 50),
				 UPSTREAM_SENT);
	wait_events(f, 40, NET_WAIT_MS);
	for (int waited = 0; net_open_fds() != open && waited < NET_WAIT_MS; waited += 10)
		net_run(&f->loop, 10);
	ck_assert_int_eq(net_open_fds(), open);
	/* and when it is shut in the middle of everything */
	f->n = 0;
	for (uint32_t i = 0; i < 40; i++)
		ck_assert_int_eq(ask(f, i, i % 2 ? &udp.addr : &tcp.addr,
				     i % 2 ? TRANSPORT_UDP : TRANSPORT_TCP, NET_WAIT_MS),
				 UPSTREAM_SENT);
	upstream_cancel(f->up, f, 1);
	upstream_cancel(f->up, f, 2);
	close(udp.fd);
	close(tcp.fd);
	fake_close(f);
	ck_assert_int_eq(net_open_fds(), before);
}
END_TEST

UNIT_SUITE("upstream", asks_over_udp, strangers_and_giants, late_answers_are_told,
	   late_answers_draw_no_icmp, deadlines, refused, no_route, families_that_are_off,
	   dressed_addresses_go_nowhere, socket_options, strangers_before_connect,
	   source_address, ports_are_random, sockets_run_short, descriptors_run_short,
	   owners, listed_is_never_asked, own_questions, private_is_never_asked,
	   ourselves_are_never_asked, our_other_addresses_are_never_asked,
	   without_a_store_nothing_leaves, addresses, asks_over_tcp, tcp_failures,
	   tcp_junk_ends_it, tcp_deadline_and_cancel, tcp_listed_before_the_question,
	   tcp_listed_while_open, tcp_connects_anew, tcp_listed_while_connecting,
	   tcp_runs_short, leaves_no_descriptor)
