#include "resolver/front_tcp.h"

#include <errno.h>
#include <sys/queue.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/wire.h"
#include "resolver/stats.h"

enum {
	LENGTH_LEN = 2,
	FRAME_MAX = LENGTH_LEN + DNS_MESSAGE_MAX,
	STAGE_MAX = 2 * FRAME_MAX,
	ACCEPTS = 32, /* per wake-up, then those who are connected have their turn */
	CLOSING = 64, /* slots beyond the limit, for those whose handle is closing */
	BACKLOG = 1024,
	TICK_MS = 100, /* half of the shortest idle time */
};

enum conn_state { CONN_FREE, CONN_OPEN, CONN_CLOSING };

struct conn {
	uv_poll_t poll;
	struct front_tcp *front;
	TAILQ_ENTRY(conn) link; /* open: by age; free: unused */
	enum conn_state state;
	int fd;
	uint32_t slot;
	uint64_t serial;
	struct addr client, local;
	uint64_t since_ms;   /* accepted, last whole question or last answer */
	uint32_t in_flight;  /* questions that are owed an answer */
	bool eof;	     /* the client sends no more; it may still read */
	bool again;	     /* has whole questions and may go on, see on_again() */
	uint8_t *in;	     /* in_inline, or heap for a longer question */
	size_t have, in_cap; /* bytes in in, and room */
	uint8_t *queue;	     /* what the kernel had no room for */
	size_t queue_at, queue_n, queue_cap;
	uint8_t in_inline[FRONT_TCP_INLINE];
};

TAILQ_HEAD(conns, conn);

struct listener {
	uv_poll_t poll;
	struct front_tcp *front;
	struct addr listen;
	int fd;
};

struct front_tcp {
	struct front_hooks hooks;
	struct front_tcp_limits limit;
	uv_loop_t *loop;
	uv_timer_t tick;   /* runs while there are connections, or accepting rests */
	uv_idle_t again;   /* runs once when a connection may go on */
	bool orphan;	   /* open failed: nobody else will free it */
	bool down;	   /* shutdown has begun */
	bool accept_rests; /* no descriptor was left: until the next tick */
	int handles;	   /* that libuv still knows */
	int n;
	struct listener listeners[CONF_LISTEN_MAX];
	uint64_t serial;
	uint32_t slots, open;
	size_t heap;	     /* bytes of all connections' in and queue */
	struct conns by_age; /* open ones, longest without progress first */
	struct conns unused;
	struct conn *conns;
	uint64_t *client_keys; /* by slot: what conns_client counts, 0 = no connection */
	size_t stage_n;
	uint8_t stage[STAGE_MAX]; /* answers of the running turn */
	uint8_t late[FRAME_MAX];  /* the one of front_tcp_send() */
};

static void on_conn(uv_poll_t *poll, int status, int events);
static void on_listener(uv_poll_t *poll, int status, int events);
static void on_tick(uv_timer_t *timer);
static void on_again(uv_idle_t *idle);

/* ---- memory beyond what open allocated ---- */

/* Gives *p room for size bytes, of which keep are kept, within the heap limit. */
static int resize(struct front_tcp *f, uint8_t **p, size_t *cap, size_t size)
{
	if (f->heap - *cap + size > FRONT_TCP_HEAP_MAX)
		return ERR_FULL;
	uint8_t *bigger = realloc(*p, size);
	if (!bigger)
		return ERR_NOMEM;
	f->heap = f->heap - *cap + size;
	*p = bigger;
	*cap = size;
	return ERR_OK;
}

static void release(struct front_tcp *f, uint8_t **p, size_t *cap)
{
	free(*p);
	f->heap -= *cap;
	*p = NULL;
	*cap = 0;
}

/* Back to the flat buffer, when what is there fits. */
static void shrink_in(struct conn *c)
{
	if (c->in == c->in_inline || c->have > sizeof c->in_inline)
		return;
	memcpy(c->in_inline, c->in, c->have);
	release(c->front, &c->in, &c->in_cap);
	c->in = c->in_inline;
	c->in_cap = sizeof c->in_inline;
}

/* More room for a question that does not fit: twice as much, at most what it says it
 * needs, so that memory follows the bytes that came and not those that were announced. */
static int grow_in(struct conn *c)
{
	size_t need = LENGTH_LEN + (size_t)wire_get16(c->in);
	size_t size = c->in_cap * 2 < need ? c->in_cap * 2 : need;
	if (c->in != c->in_inline)
		return resize(c->front, &c->in, &c->in_cap, size);
	uint8_t *in = NULL;
	size_t cap = 0;
	int err = resize(c->front, &in, &cap, size);
	if (err)
		return err;
	memcpy(in, c->in_inline, c->have);
	c->in = in;
	c->in_cap = cap;
	return ERR_OK;
}

/* ---- life of a connection ---- */

static struct conn *conn_take(struct front_tcp *f)
{
	struct conn *c = TAILQ_FIRST(&f->unused);
	if (c)
		TAILQ_REMOVE(&f->unused, c, link);
	return c;
}

static void conn_put_back(struct conn *c)
{
	c->state = CONN_FREE;
	TAILQ_INSERT_TAIL(&c->front->unused, c, link);
}

static void handle_gone(struct front_tcp *f)
{
	if (--f->handles == 0 && f->orphan)
		front_tcp_free(f);
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	c->have = 0;
	shrink_in(c);
	conn_put_back(c);
	handle_gone(c->front);
}

/* The slot is used again only after libuv let go of the handle; until then callers up the
 * stack may still look at c->state and at the question they are serving. */
static void conn_close(struct conn *c)
{
	struct front_tcp *f = c->front;
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_CLOSING;
	TAILQ_REMOVE(&f->by_age, c, link);
	f->open--;
	f->client_keys[c->slot] = 0;
	c->queue_n = 0;
	release(f, &c->queue, &c->queue_cap);
	uv_close((uv_handle_t *)&c->poll, on_conn_closed);
	close(c->fd);
}

static void conn_touch(struct conn *c)
{
	struct front_tcp *f = c->front;
	c->since_ms = uv_now(f->loop);
	TAILQ_REMOVE(&f->by_age, c, link);
	TAILQ_INSERT_TAIL(&f->by_age, c, link);
}

/* Nothing is owed to it, or it does not take what it is owed. */
static bool conn_idle(const struct conn *c)
{
	return c->in_flight == 0 || c->queue_n;
}

static bool conn_has_question(const struct conn *c)
{
	return c->have >= LENGTH_LEN && c->have - LENGTH_LEN >= wire_get16(c->in);
}

static bool conn_may_read(const struct conn *c)
{
	return c->in_flight < c->front->limit.in_flight && !c->queue_n;
}

/* After every change: what the connection waits for now. */
static void conn_settle(struct conn *c)
{
	int events = 0;
	if (c->state != CONN_OPEN)
		return;
	bool more = conn_has_question(c);
	if (c->eof && !c->in_flight && !c->queue_n && !more) {
		conn_close(c);
		return;
	}
	if (more && conn_may_read(c)) {
		c->again = true;
		(void)uv_idle_start(&c->front->again, on_again);
	}
	if (!c->eof && !more && conn_may_read(c))
		events |= UV_READABLE;
	if (c->queue_n)
		events |= UV_WRITABLE;
	if (events ? uv_poll_start(&c->poll, events, on_conn) : uv_poll_stop(&c->poll))
		conn_close(c);
}

/* ---- answers ---- */

static int queue_append(struct conn *c, const uint8_t *bytes, size_t n)
{
	if (c->queue_at) {
		memmove(c->queue, c->queue + c->queue_at, c->queue_n);
		c->queue_at = 0;
	}
	size_t need = c->queue_n + n;
	if (need > c->front->limit.queue_max)
		return ERR_FULL;
	if (need > c->queue_cap) {
		int err = resize(c->front, &c->queue, &c->queue_cap, need);
		if (err)
			return err;
	}
	memcpy(c->queue + c->queue_n, bytes, n);
	c->queue_n = need;
	return ERR_OK;
}

static bool is_later(int saved_errno)
{
	return saved_errno == EAGAIN || saved_errno == EINTR || saved_errno == ENOBUFS;
}

/* Hands frames to the kernel and queues what it does not take. A client that lets more
 * than the queue pile up is closed. */
static void conn_write(struct conn *c, const uint8_t *bytes, size_t n)
{
	ssize_t done = 0;
	if (!c->queue_n) {
		done = send(c->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && !is_later(errno)) {
			conn_close(c);
			return;
		}
		done = done < 0 ? 0 : done;
	}
	if ((size_t)done < n && queue_append(c, bytes + done, n - (size_t)done)) {
		stats_count(c->front->hooks.stats, STATS_DROP_SEND);
		conn_close(c);
	}
}

/* The queue's age does not start anew with each byte taken: a client that reads one byte
 * a second is as idle as one that reads none. */
static void conn_drain(struct conn *c)
{
	ssize_t done = send(c->fd, c->queue + c->queue_at, c->queue_n,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0) {
		if (!is_later(errno))
			conn_close(c);
		return;
	}
	c->queue_at += (size_t)done;
	c->queue_n -= (size_t)done;
	if (c->queue_n)
		return;
	c->queue_at = 0;
	release(c->front, &c->queue, &c->queue_cap);
	conn_touch(c);
}

/* ---- questions ---- */

static void stage_flush(struct front_tcp *f, struct conn *c)
{
	size_t n = f->stage_n;
	f->stage_n = 0;
	if (n && c->state == CONN_OPEN)
		conn_write(c, f->stage, n);
}

static void serve_one(struct conn *c, const uint8_t *msg, size_t len)
{
	struct front_tcp *f = c->front;
	struct asker from = {
		.client = c->client,
		.listener = c->local,
		.transport = HIT_TCP,
		.slot = c->slot,
		.serial = c->serial,
	};
	size_t out_len = 0;
	uint8_t *out = f->stage + f->stage_n;
	conn_touch(c);
	c->in_flight++; /* before serve(): it may call front_tcp_send() itself */
	enum serve_result result =
		f->hooks.serve(f->hooks.arg, &from, msg, len, out + LENGTH_LEN, &out_len);
	if (result == SERVE_LATER || c->state != CONN_OPEN)
		return;
	c->in_flight--;
	if (result == SERVE_CLOSE) {
		stage_flush(f, c);
		conn_close(c);
	} else if (result == SERVE_ANSWER) {
		wire_set16(out, (unsigned)out_len);
		f->stage_n += LENGTH_LEN + out_len;
	}
}

/* Whether it may have another question answered in this turn, and where: the answers so
 * far leave when the stage is full, and what the kernel does not take then is enough. */
static bool conn_goes_on(struct conn *c)
{
	struct front_tcp *f = c->front;
	if (STAGE_MAX - f->stage_n < FRAME_MAX)
		stage_flush(f, c);
	return c->state == CONN_OPEN && conn_may_read(c);
}

/* One turn: the whole questions that are there, then their answers in one write. */
static void conn_serve(struct conn *c)
{
	struct front_tcp *f = c->front;
	size_t at = 0;
	if (!conn_has_question(c))
		return;
	f->hooks.begin(f->hooks.arg);
	while (conn_goes_on(c) && c->have - at >= LENGTH_LEN) {
		size_t len = wire_get16(c->in + at);
		if (len < DNS_HEADER_LEN) { /* not DNS, and no way to find its next */
			stats_count(f->hooks.stats, STATS_DROP_MALFORMED);
			stage_flush(f, c);
			conn_close(c);
			break;
		}
		if (c->have - at - LENGTH_LEN < len)
			break;
		serve_one(c, c->in + at + LENGTH_LEN, len);
		at += LENGTH_LEN + len;
	}
	stage_flush(f, c);
	f->hooks.end(f->hooks.arg);
	if (c->state == CONN_OPEN && at) {
		c->have -= at;
		memmove(c->in, c->in + at, c->have);
		shrink_in(c);
	}
}

static void conn_read(struct conn *c)
{
	if (c->have == c->in_cap && grow_in(c)) {
		conn_close(c);
		return;
	}
	ssize_t n = recv(c->fd, c->in + c->have, c->in_cap - c->have, MSG_DONTWAIT);
	if (n < 0) {
		if (!is_later(errno))
			conn_close(c);
		return;
	}
	c->eof = n == 0;
	c->have += (size_t)n;
	conn_serve(c);
}

static void on_conn(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;
	if (status < 0) {
		conn_close(c);
		return;
	}
	if (events & UV_WRITABLE)
		conn_drain(c);
	if (c->state == CONN_OPEN && events & UV_READABLE)
		conn_read(c);
	conn_settle(c);
}

/* Connections that had questions left when they had to stop. Not done where an answer
 * made room for them: that is inside somebody's batch. */
static void on_again(uv_idle_t *idle)
{
	struct front_tcp *f = idle->data;
	(void)uv_idle_stop(idle);
	for (uint32_t i = 0; i < f->slots; i++) {
		struct conn *c = &f->conns[i];
		if (c->state != CONN_OPEN || !c->again)
			continue;
		c->again = false;
		conn_serve(c);
		conn_settle(c);
	}
}

/* ---- late answers ---- */

static struct conn *conn_of(struct front_tcp *f, const struct asker *a)
{
	struct conn *c = a->slot < f->slots ? &f->conns[a->slot] : NULL;
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
	for (uint32_t i = 0; i < f->slots; i++)
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

static void conn_open(struct listener *l, int fd, const struct addr *client)
{
	struct front_tcp *f = l->front;
	uint64_t key = client_key(client);
	struct conn *c = NULL;
	if (!client_has_all(f, key) && make_room(f))
		c = conn_take(f);
	if (!c || uv_poll_init(f->loop, &c->poll, fd)) {
		stats_count(f->hooks.stats, STATS_TCP_REFUSED);
		close(fd);
		if (c)
			conn_put_back(c);
		return;
	}
	struct sockaddr_storage sa;
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
	c->in_flight = 0;
	c->eof = c->again = false;
	c->since_ms = uv_now(f->loop);
	TAILQ_INSERT_TAIL(&f->by_age, c, link);
	stats_count(f->hooks.stats, STATS_TCP_OPENED);
	tick_start(f);
	conn_settle(c);
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
	for (int i = 0; i < ACCEPTS && !TAILQ_EMPTY(&l->front->unused); i++) {
		struct sockaddr_storage sa;
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

int front_tcp_bind(int *fds, int n, const struct addr *a)
{
	int err = front_bind(fds, n, SOCK_STREAM, a);
	if (err)
		return err;
	for (int i = 0; i < n && !err; i++)
		if (listen(fds[i], BACKLOG))
			err = errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
	int saved = errno;
	for (int i = 0; i < n && err; i++)
		close(fds[i]);
	errno = saved;
	return err;
}

static void on_own_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	handle_gone(l->front);
}

void front_tcp_shutdown(struct front_tcp *f)
{
	if (!f || f->down)
		return;
	f->down = true;
	for (uint32_t i = 0; i < f->slots; i++)
		conn_close(&f->conns[i]);
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
}

void front_tcp_free(struct front_tcp *f)
{
	if (!f)
		return;
	free(f->conns);
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
	for (int i = 0; i < f->n; i++) {
		struct listener *l = &f->listeners[i];
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
	f->slots = f->limit.conns + CLOSING;
	f->conns = calloc(f->slots, sizeof *f->conns);
	f->client_keys = calloc(f->slots, sizeof *f->client_keys);
	if (!f->conns || !f->client_keys) {
		front_tcp_free(f);
		return NULL;
	}
	TAILQ_INIT(&f->by_age);
	TAILQ_INIT(&f->unused);
	for (uint32_t i = 0; i < f->slots; i++) {
		struct conn *c = &f->conns[i];
		c->front = f;
		c->slot = i;
		c->in = c->in_inline;
		c->in_cap = sizeof c->in_inline;
		conn_put_back(c);
	}
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
