#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "include/conf.h"
#include "resolver/front.h"
#include "resolver/front_tcp.h"
#include "resolver/stats.h"
#include "resolver/upstream_exchange.h"

enum {
	/* In the kernel, doubled there: a dozen answers. 8192 sockets hold 256 MB if
	 * every server sends more than we read. */
	RECEIVE_BUFFER = 16 << 10,
};

/* ---- what may leave ---- */

static enum stats_counter counter_of(const struct verdict *v)
{
	switch (v->trigger) {
	case RULE_ON_NS_NAME:
		return STATS_GUARD_NS_NAME;
	case RULE_ON_NS_ADDR:
		return STATS_GUARD_NS_ADDR;
	default:
		return STATS_GUARD_NAME;
	}
}

bool upstream_guard(struct upstream *u, const struct transmission *t)
{
	struct verdict v;
	if (!upstream_address_allowed(u->conf.conf, t->to)) {
		stats_count(u->conf.stats, STATS_GUARD_PRIVATE);
		return false;
	}
	/* A store that cannot be read forbids everything. */
	if (policy_send(&v, u->conf.policy, &t->subject, t->qname, t->server, t->to))
		return false;
	if (v.kind != VERDICT_ACT)
		return true;
	stats_count(u->conf.stats, counter_of(&v));
	return false;
}

enum send_failure upstream_failure(int saved_errno)
{
	switch (saved_errno) {
	case EPERM: /* the kernel's own egress filter */
	case EACCES:
		return SEND_FORBIDDEN;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EAGAIN:
	case EADDRINUSE:
	case EMSGSIZE:
		return SEND_NO_RESOURCE;
	default:
		return SEND_UNREACHABLE;
	}
}

/* A wildcard listener has all addresses of this machine, and a packet to one of them
 * leaves from that same address: it would be a question to ourselves. */
static bool is_ourselves(const struct upstream *u, int fd, const struct addr *to)
{
	const struct conf *conf = u->conf.conf;
	bool wildcard = false;
	for (int i = 0; i < conf->listen_n; i++)
		wildcard |= conf->listen[i].family == to->family &&
			    conf->listen[i].port == to->port &&
			    front_wildcard(&conf->listen[i]);
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	if (!wildcard || getsockname(fd, (struct sockaddr *)&sa, &len))
		return false;
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	from.port = to->port;
	return addr_equal(&from, to);
}

static ssize_t transmit_bytes(struct upstream *u, enum send_failure *why,
			      const struct transmission *t)
{
	if (is_ourselves(u, t->fd, t->to)) {
		stats_count(u->conf.stats, STATS_GUARD_PRIVATE);
		*why = SEND_FORBIDDEN;
		return -1;
	}
	ssize_t n = send(t->fd, t->bytes, t->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (t->how == TRANSMIT_STREAM && (errno == EAGAIN || errno == EINTR))
		return 0;
	*why = upstream_failure(errno);
	return -1;
}

/* P1: nothing reaches a name server but through here. connect() of a UDP socket sends
 * nothing; of a TCP socket it sends the SYN. */
ssize_t upstream_transmit(struct upstream *u, enum send_failure *why,
			  const struct transmission *t)
{
	if (!upstream_guard(u, t)) {
		*why = SEND_FORBIDDEN;
		return -1;
	}
	if (t->how == TRANSMIT_STREAM)
		return transmit_bytes(u, why, t);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&sa, t->to);
	if (connect(t->fd, (const struct sockaddr *)&sa, len) && errno != EINPROGRESS) {
		*why = upstream_failure(errno);
		return -1;
	}
	return t->how == TRANSMIT_DATAGRAM ? transmit_bytes(u, why, t) : 0;
}

/* ---- sockets ---- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) ? -1 : 0;
}

/* OMIT: forged path MTU news must not make our datagrams fragment, nor tell whether a
 * port is open (CVE-2021-20322). V6ONLY: an IPv4 address in IPv6 dress goes nowhere. */
static int set_options(int fd, int type, int family)
{
	if (family == 6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		return -1;
	if (type == SOCK_STREAM)
		return set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER))
		return -1;
	return family == 6 ? set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)
			   : set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
}

/* All 64,512 are as likely; 2^32 is so much larger that the rest does not show. */
static uint16_t random_port(struct upstream *u)
{
	uint32_t r;
	u->conf.random(u->conf.random_arg, &r, sizeof r);
	return (uint16_t)(UPSTREAM_PORT_MIN + r % (65536U - UPSTREAM_PORT_MIN));
}

/* A random port out of all, drawn anew when somebody has it. TCP leaves the choice to the
 * kernel: its sequence numbers are the secret. */
static int bind_source(struct upstream *u, int fd, int type, struct addr from)
{
	struct sockaddr_storage sa;
	for (int i = 0; i < UPSTREAM_PORT_TRIES; i++) {
		from.port = type == SOCK_DGRAM ? random_port(u) : 0;
		socklen_t len = addr_to_sockaddr(&sa, &from);
		if (bind(fd, (const struct sockaddr *)&sa, len) == 0)
			return 0;
		if (errno != EADDRINUSE && errno != EACCES)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

int upstream_socket(struct upstream *u, enum send_failure *why, int type,
		    const struct addr *to)
{
	const struct conf *conf = u->conf.conf;
	bool v4 = to->family == 4;
	struct addr from = v4 ? conf->recursion.source4 : conf->recursion.source6;
	*why = SEND_UNREACHABLE;
	if (!(v4 ? conf->recursion.ipv4 : conf->recursion.ipv6))
		return -1;
	int fd = socket(v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*why = upstream_failure(errno);
		return -1;
	}
	from.family = to->family; /* any, when the configuration names none */
	if (set_options(fd, type, to->family) || bind_source(u, fd, type, from)) {
		*why = upstream_failure(errno);
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- UDP ---- */

/* Somebody may have sent to the port between bind() and connect(). */
static bool is_from_server(const struct exchange *e, const struct sockaddr_storage *sa)
{
	struct addr from = addr_from_sockaddr((const struct sockaddr *)sa);
	return addr_equal(&from, &e->to);
}

static void on_datagram(uv_poll_t *poll, int status, int events);

/* One datagram a time: the view is renewed after each receive, so that a rule that came
 * before it is seen (P4). */
static void receive(struct exchange *e)
{
	struct upstream *u = e->u;
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	ssize_t n = recvfrom(e->fd, u->in, sizeof u->in, MSG_DONTWAIT,
			     (struct sockaddr *)&sa, &len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	u->hooks.begin(u->hooks.arg);
	if (n < 0) {
		stats_count(u->conf.stats, STATS_SEND_ERROR);
		exchange_fail(e, SEND_UNREACHABLE);
	} else if (n > DNS_UDP_MAX || !is_from_server(e, &sa)) {
		stats_count(u->conf.stats, STATS_REPLY_BAD);
	} else {
		struct event ev = {.kind = EVENT_REPLY,
				   .id = e->id,
				   .bytes = u->in,
				   .len = (size_t)n};
		u->hooks.event(u->hooks.arg, e->owner, &ev);
	}
	u->hooks.end(u->hooks.arg);
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
	struct exchange *e = poll->data;
	(void)events;
	receive(e);
	/* libuv stops a handle whose socket had an error pending; recv() took it. */
	if (status < 0 && exchange_in_table(e))
		(void)uv_poll_start(poll, UV_READABLE, on_datagram);
}

static int udp_start(struct upstream *u, void *owner, uint32_t id, struct transmission *t,
		     uint32_t timeout_ms)
{
	enum send_failure why = SEND_NO_RESOURCE;
	t->fd = upstream_socket(u, &why, SOCK_DGRAM, t->to);
	if (t->fd < 0 && why == SEND_NO_RESOURCE && exchange_close_spare(u))
		t->fd = upstream_socket(u, &why, SOCK_DGRAM, t->to);
	if (t->fd < 0)
		return (int)why;
	struct exchange *e = exchange_open(u, t->fd, false);
	if (!e) {
		close(t->fd);
		return SEND_NO_RESOURCE;
	}
	if (upstream_transmit(u, &why, t) < 0 ||
	    uv_poll_start(&e->poll, UV_READABLE, on_datagram)) {
		exchange_close(e);
		return (int)why;
	}
	e->to = *t->to;
	exchange_live(e, owner, id, timeout_ms);
	exchange_timer(e, e->deadline_ms);
	stats_count(u->conf.stats, STATS_SEND_UDP);
	return UPSTREAM_SENT;
}

/* ---- for the worker ---- */

int upstream_send(struct upstream *u, void *owner, uint32_t id,
		  const struct policy_subject *subject, const struct step_send *send)
{
	struct transmission t = {
		.to = &send->to,
		.subject = *subject,
		.qname = send->qname,
		.server = send->server,
		.bytes = send->bytes,
		.len = send->len,
	};
	int result = SEND_NO_RESOURCE;
	t.subject.own |= send->own;
	uv_update_time(u->loop); /* a batch may have taken longer than a tick */
	if (send->len > UPSTREAM_MESSAGE_MAX || u->down) {
		stats_count(u->conf.stats, STATS_SEND_ERROR);
		return result;
	}
	if (send->transport == TRANSPORT_UDP) {
		t.how = TRANSMIT_DATAGRAM;
		result = udp_start(u, owner, id, &t, send->timeout_ms);
	} else {
		t.how = TRANSMIT_CONNECT;
		result = upstream_tcp_start(u, owner, id, &t, send->timeout_ms);
	}
	if (result != UPSTREAM_SENT)
		stats_count(u->conf.stats, STATS_SEND_ERROR);
	return result;
}

void upstream_cancel(struct upstream *u, void *owner, uint32_t id)
{
	struct exchange *e = exchange_find(u, owner, id);
	if (e)
		exchange_end(e);
}

void upstream_cancel_all(struct upstream *u, void *owner)
{
	struct exchange *e, *next;
	for (e = LIST_FIRST(exchange_bucket(u, owner)); e; e = next) {
		next = LIST_NEXT(e, bucket);
		if (e->owner == owner)
			exchange_end(e);
	}
}

uint32_t upstream_live(const struct upstream *u)
{
	return u->live;
}

static uint32_t at_most(uint32_t max, uint64_t n)
{
	return n < max ? (uint32_t)n : max;
}

/* A worker's part of what the process may open: what is left when clients' and servers'
 * TCP connections have theirs, and at least half. And of cache.size: many sockets do no
 * more than wait for what nobody wants any longer. */
static uint32_t sockets_max(const struct conf *conf)
{
	enum { OTHERS = FRONT_TCP_CONNS + UPSTREAM_TCP_MAX + 64 };
	uint64_t workers = (uint64_t)conf->workers;
	uint64_t bytes = conf->cache.size_bytes / UPSTREAM_MEMORY_SHARE / workers;
	uint32_t max = at_most(UPSTREAM_UDP_MAX, bytes / sizeof(struct exchange));
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return max;
	uint64_t share = limit.rlim_cur / workers;
	return at_most(max, share / 2 > OTHERS ? share - OTHERS : share / 2);
}

int upstream_open(struct upstream **out, uv_loop_t *loop,
		  const struct upstream_conf *conf, const struct upstream_hooks *hooks)
{
	struct upstream *u = calloc(1, sizeof *u);
	*out = NULL;
	if (!u)
		return ERR_NOMEM;
	u->loop = loop;
	u->conf = *conf;
	u->hooks = *hooks;
	if (!u->conf.udp_max)
		u->conf.udp_max = sockets_max(conf->conf);
	if (!u->conf.quiet_ms)
		u->conf.quiet_ms = UPSTREAM_QUIET_MS;
	int err = upstream_pool_open(u);
	if (!err && uv_timer_init(loop, &u->tick))
		err = ERR_IO;
	if (err) {
		upstream_free(u);
		return err;
	}
	u->tick.data = u;
	*out = u;
	return ERR_OK;
}

void upstream_set_conf(struct upstream *u, const struct conf *conf)
{
	u->conf.conf = conf;
}

void upstream_shutdown(struct upstream *u)
{
	if (!u || u->down)
		return;
	u->down = true;
	for (uint32_t i = 0; i < u->exchanges.fresh; i++) {
		struct exchange *e = pool_at(&u->exchanges, i);
		exchange_end(e);
		if (e->state == EXCHANGE_QUIET || e->state == EXCHANGE_SPARE)
			exchange_close(e);
	}
	uv_close((uv_handle_t *)&u->tick, NULL);
}

void upstream_free(struct upstream *u)
{
	if (!u)
		return;
	upstream_pool_free(u);
	free(u);
}
