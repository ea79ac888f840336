#include "resolver/front_tcp.h"

#include <errno.h>
#include <unistd.h>

#include "resolver/front_conn.h"
#include "resolver/stats.h"

enum {
	/* Per turn: a quarter of the slots, so that who was let in last is heard before
	 * he is the one who has been idle longest. */
	ACCEPTS = 256,
	/* Slots beyond the limit, for those whose handle is closing: two turns' worth. */
	CLOSING = 512,
	BACKLOG = 4096, /* cut to somaxconn; who finds it full tries again after 1 s */
	TICK_MS = 100,	/* half of the shortest idle time */
};

static void on_listener(uv_poll_t *poll, int status, int events);

/* Connections that had questions left when they had to stop. Not done where an answer
 * made room for them: that is inside somebody's batch. */
static void on_again(uv_idle_t *idle)
{
	struct front_tcp *f = idle->data;
	(void)uv_idle_stop(idle);
	for (uint32_t i = 0; i < f->conns.fresh; i++) {
		struct conn *c = pool_at(&f->conns, i);
		if (c->state != CONN_OPEN || !c->again)
			continue;
		if (!conn_has_turn(c)) {
			front_tcp_again(f);
			continue;
		}
		c->again = false;
		conn_serve(c);
		conn_settle(c);
	}
}

static void on_turn(uv_prepare_t *prepare)
{
	struct front_tcp *f = prepare->data;
	f->turn++;
	f->turn_left = FRONT_TCP_TURN;
}

void front_tcp_again(struct front_tcp *f)
{
	(void)uv_idle_start(&f->again, on_again);
}

/* ---- late answers ---- */

static struct conn *conn_of(struct front_tcp *f, const struct asker *a)
{
	struct conn *c = a->slot < f->conns.fresh ? pool_at(&f->conns, a->slot) : NULL;
	return c && c->state == CONN_OPEN && c->serial == a->serial ? c : NULL;
}

void front_tcp_send(struct front_tcp *f, const struct asker *to, const uint8_t *bytes,
		    size_t len)
{
	struct conn *c = conn_of(f, to);
	if (!c)
		return;
	if (c->in_flight)
		c->in_flight--;
	conn_touch(c);
	if (len && len <= DNS_MESSAGE_MAX) {
		wire_set16(f->late, (unsigned)len);
		memcpy(f->late + LENGTH_LEN, bytes, len);
		conn_write(c, f->late, LENGTH_LEN + len);
	}
	conn_settle(c);
}

void front_tcp_close(struct front_tcp *f, const struct asker *to)
{
	struct conn *c = conn_of(f, to);
	if (c)
		conn_close(c);
}

uint32_t front_tcp_conns(const struct front_tcp *f)
{
	return f->open;
}

/* ---- who may connect, and how long ---- */

/* With half of the slots free everybody has idle_ms; from there it falls in a straight
 * line to idle_min_ms when none is free. */
static uint64_t idle_limit(const struct front_tcp *f)
{
	const struct front_tcp_limits *l = &f->limit;
	uint64_t half = l->conns / 2 ? l->conns / 2 : 1;
	uint64_t unused = l->conns > f->open ? l->conns - f->open : 0;
	if (unused >= half)
		return l->idle_ms;
	return l->idle_min_ms + (l->idle_ms - l->idle_min_ms) * unused / half;
}

static void close_idle(struct front_tcp *f)
{
	uint64_t now = uv_now(f->loop);
	struct conn *c, *next;
	for (c = TAILQ_FIRST(&f->by_age); c; c = next) {
		next = TAILQ_NEXT(c, link);
		uint64_t age = now - c->since_ms;
		if (age < idle_limit(f))
			break; /* the rest is younger */
		if (conn_idle(c) || age >= f->limit.owed_ms) {
			stats_count(f->hooks.stats, STATS_TCP_TIMEOUT);
			conn_close(c);
		}
	}
}

static void listen_all(struct front_tcp *f)
{
	for (int i = 0; i < f->n; i++)
		(void)uv_poll_start(&f->listeners[i].poll, UV_READABLE, on_listener);
}

static void on_tick(uv_timer_t *timer)
{
	struct front_tcp *f = timer->data;
	close_idle(f);
	if (f->accept_rests) {
		f->accept_rests = false;
		listen_all(f);
	}
	if (!f->open)
		(void)uv_timer_stop(timer);
}

static void tick_start(struct front_tcp *f)
{
	uint64_t ms = f->limit.idle_min_ms / 2 + 1;
	ms = ms < TICK_MS ? ms : TICK_MS;
	if (!uv_is_active((uv_handle_t *)&f->tick))
		(void)uv_timer_start(&f->tick, on_tick, ms, ms);
}

/* An IPv4 address, or an IPv6 /64: whoever has one address there has them all. The top
 * bits keep the two apart and from 0: no client comes from e000::/3. */
static uint64_t client_key(const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	uint64_t key = 0;
	for (int i = 0; i < (plain.family == 4 ? 4 : 8); i++)
		key = key << 8 | plain.bytes[i];
	return plain.family == 4 ? key | 7ULL << 61 : key ? key : 1;
}

static bool client_has_all(const struct front_tcp *f, uint64_t key)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < f->conns.fresh; i++)
		n += f->client_keys[i] == key;
	return n >= f->limit.conns_client;
}

/* The one that has been idle longest leaves. */
static bool make_room(struct front_tcp *f)
{
	struct conn *c;
	if (f->open < f->limit.conns)
		return true;
	TAILQ_FOREACH(c, &f->by_age, link)
	{
		if (conn_idle(c)) {
			stats_count(f->hooks.stats, STATS_TCP_TIMEOUT);
			conn_close(c);
			return true;
		}
	}
	return false;
}

static struct conn *conn_take(struct front_tcp *f, int fd)
{
	struct conn *c = pool_take(&f->conns);
	if (!c)
		return NULL;
	if (uv_poll_init(f->loop, &c->poll, fd)) {
		pool_give(&f->conns, c);
		return NULL;
	}
	c->front = f;
	c->slot = pool_index(&f->conns, c);
	c->in = c->in_inline;
	c->in_cap = sizeof c->in_inline;
	return c;
}

static void conn_open(struct listener *l, int fd, const struct addr *client)
{
	struct front_tcp *f = l->front;
	uint64_t key = client_key(client);
	struct conn *c = NULL;
	if (!client_has_all(f, key) && make_room(f))
		c = conn_take(f, fd);
	if (!c) {
		stats_count(f->hooks.stats, STATS_TCP_REFUSED);
		close(fd);
		return;
	}
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	f->handles++;
	f->open++;
	c->poll.data = c;
	c->state = CONN_OPEN;
	c->fd = fd;
	c->serial = ++f->serial;
	f->client_keys[c->slot] = key;
	c->client = *client;
	c->local = l->listen;
	if (front_wildcard(&l->listen) && !getsockname(fd, (struct sockaddr *)&sa, &len))
		c->local = addr_from_sockaddr((struct sockaddr *)&sa);
	c->since_ms = uv_now(f->loop);
	TAILQ_INSERT_TAIL(&f->by_age, c, link);
	stats_count(f->hooks.stats, STATS_TCP_OPENED);
	tick_start(f);
	conn_start(c);
}

/* Without descriptors the connection stays in the kernel's queue and the listener is
 * ready for ever: rest until the next tick instead of turning in circles. */
static void accept_rest(struct front_tcp *f)
{
	for (int i = 0; i < f->n; i++)
		(void)uv_poll_stop(&f->listeners[i].poll);
	f->accept_rests = true;
	tick_start(f);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	(void)events;
	for (int i = 0; i < ACCEPTS && l->front->conns.left; i++) {
		struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof sa;
		int fd = accept4(l->fd, (struct sockaddr *)&sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			struct addr client = addr_from_sockaddr((struct sockaddr *)&sa);
			conn_open(l, fd, &client);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			accept_rest(l->front);
			return;
		} else if (errno == EAGAIN) {
			break;
		}
	}
	/* libuv stops a handle whose socket had an error pending. */
	if (status < 0)
		(void)uv_poll_start(poll, UV_READABLE, on_listener);
}

/* ---- opening and closing ---- */

void front_tcp_handle_gone(struct front_tcp *f)
{
	if (--f->handles == 0 && f->orphan)
		front_tcp_free(f);
}

int front_tcp_bind(int *fds, int n, const struct addr *a)
{
	return front_bind(fds, n, SOCK_STREAM, a);
}

static void on_own_closed(uv_handle_t *handle)
{
	front_tcp_handle_gone(handle->data);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	front_tcp_handle_gone(l->front);
}

void front_tcp_shutdown(struct front_tcp *f)
{
	if (!f || f->down)
		return;
	f->down = true;
	for (uint32_t i = 0; i < f->conns.fresh; i++)
		conn_close(pool_at(&f->conns, i));
	for (int i = 0; i < f->n; i++) {
		struct listener *l = &f->listeners[i];
		if (l->poll.data)
			uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		close(l->fd);
	}
	if (f->tick.data)
		uv_close((uv_handle_t *)&f->tick, on_own_closed);
	if (f->again.data)
		uv_close((uv_handle_t *)&f->again, on_own_closed);
	if (f->next.data)
		uv_close((uv_handle_t *)&f->next, on_own_closed);
}

void front_tcp_free(struct front_tcp *f)
{
	if (!f)
		return;
	pool_close(&f->conns);
	free(f->client_keys);
	free(f);
}

static int start(struct front_tcp *f)
{
	if (uv_timer_init(f->loop, &f->tick))
		return ERR_IO;
	f->tick.data = f;
	f->handles++;
	if (uv_idle_init(f->loop, &f->again))
		return ERR_IO;
	f->again.data = f;
	f->handles++;
	if (uv_prepare_init(f->loop, &f->next) || uv_prepare_start(&f->next, on_turn))
		return ERR_IO;
	f->next.data = f;
	f->handles++;
	for (int i = 0; i < f->n; i++) {
		struct listener *l = &f->listeners[i];
		/* Only now: that TCP accepts tells others that we serve. */
		if (listen(l->fd, BACKLOG))
			return errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
		if (uv_poll_init(f->loop, &l->poll, l->fd))
			return ERR_IO;
		l->poll.data = l;
		f->handles++;
		if (uv_poll_start(&l->poll, UV_READABLE, on_listener))
			return ERR_IO;
	}
	return ERR_OK;
}

static struct front_tcp *front_new(const struct front_tcp_limits *limits, int n)
{
	static const struct front_tcp_limits defaults = {
		.conns = FRONT_TCP_CONNS,
		.conns_client = FRONT_TCP_CONNS_CLIENT,
		.in_flight = FRONT_TCP_IN_FLIGHT,
		.idle_ms = FRONT_TCP_IDLE_MS,
		.idle_min_ms = FRONT_TCP_IDLE_MIN_MS,
		.owed_ms = FRONT_TCP_OWED_MS,
		.queue_max = FRONT_TCP_QUEUE_MAX,
	};
	struct front_tcp *f = n > CONF_LISTEN_MAX ? NULL : calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->limit = limits ? *limits : defaults;
	f->turn = FRONT_TCP_REST; /* a new connection was heard in turn 0: long ago */
	uint32_t slots = f->limit.conns + CLOSING;
	f->client_keys = calloc(slots, sizeof *f->client_keys);
	if (!f->client_keys || pool_open(&f->conns, slots, sizeof(struct conn))) {
		front_tcp_free(f);
		return NULL;
	}
	TAILQ_INIT(&f->by_age);
	return f;
}

int front_tcp_open(struct front_tcp **out, uv_loop_t *loop,
		   const struct front_hooks *hooks, const struct addr *listen,
		   const int *fds, int n, const struct front_tcp_limits *limits)
{
	struct front_tcp *f = front_new(limits, n);
	*out = NULL;
	if (!f) {
		for (int i = 0; i < n; i++)
			close(fds[i]);
		return ERR_NOMEM;
	}
	f->hooks = *hooks;
	f->loop = loop;
	f->n = n;
	for (int i = 0; i < n; i++) {
		f->listeners[i].front = f;
		f->listeners[i].listen = listen[i];
		f->listeners[i].fd = fds[i];
	}
	int err = start(f);
	if (!err) {
		*out = f;
		return ERR_OK;
	}
	f->orphan = true;
	bool none = f->handles == 0;
	front_tcp_shutdown(f);
	if (none)
		front_tcp_free(f);
	return err;
}
