#include <errno.h>
#include <unistd.h>

#include "include/wire.h"
#include "resolver/stats.h"
#include "resolver/upstream_exchange.h"

enum { LENGTH_LEN = 2 };

static void on_stream(uv_poll_t *poll, int status, int events);

/* What this exchange would send next, for the guard. */
static struct transmission next_transmission(const struct exchange *e)
{
	const struct tcp_exchange *t = e->tcp;
	return (struct transmission){
		.how = t->state == TCP_CONNECTING ? TRANSMIT_CONNECT : TRANSMIT_STREAM,
		.fd = e->fd,
		.to = &e->to,
		.subject = t->subject,
		.qname = t->qname,
		.server = t->has_server ? t->server : NULL,
		.bytes = t->out + t->out_at,
		.len = t->out_n - t->out_at,
	};
}

void upstream_tcp_release(struct exchange *e)
{
	struct tcp_exchange *t = e->tcp;
	e->tcp = NULL;
	free(t->in);
	t->in = NULL;
	t->exchange = NULL;
	LIST_REMOVE(t, used);
	pool_give(&e->u->tcp_exchanges, t);
}

/* A connection whose server is listed by now goes with one packet, see exchange_close().
 * Before the handshake is through nothing is sent at all, though the kernel will refuse a
 * late SYN-ACK: so that counts too. */
static void close_listed(struct exchange *e)
{
	stats_count(e->u->conf.stats, STATS_GUARD_TCP_OPEN);
	exchange_fail(e, SEND_FORBIDDEN);
}

static void fail(struct exchange *e, enum send_failure why)
{
	stats_count(e->u->conf.stats, STATS_SEND_ERROR);
	if (why == SEND_FORBIDDEN)
		close_listed(e);
	else
		exchange_fail(e, why);
}

/* ---- connecting ---- */

/* A socket under way to the server, with its exchange; NULL and *why. */
static struct exchange *tcp_connect(struct upstream *u, enum send_failure *why,
				    struct transmission *t)
{
	t->fd = upstream_socket(u, why, SOCK_STREAM, t->to);
	if (t->fd < 0)
		return NULL;
	struct exchange *e = exchange_open(u, t->fd, true);
	if (!e) {
		*why = SEND_NO_RESOURCE;
		close(t->fd);
		return NULL;
	}
	e->to = *t->to;
	if (upstream_transmit(u, why, t) < 0 ||
	    uv_poll_start(&e->poll, UV_WRITABLE, on_stream)) {
		exchange_close(e);
		return NULL;
	}
	return e;
}

/* The next thing to happen: the connect is done again, or time is up. */
static void set_timer(struct exchange *e)
{
	uint64_t again = uv_now(e->u->loop) + UPSTREAM_SYN_MS;
	exchange_timer(e, again < e->deadline_ms ? again : e->deadline_ms);
}

int upstream_tcp_start(struct upstream *u, void *owner, uint32_t id,
		       const struct transmission *t, uint32_t timeout_ms)
{
	enum send_failure why = SEND_NO_RESOURCE;
	struct transmission first = *t;
	if (!u->tcp_exchanges.left)
		return (int)why;
	struct exchange *e = tcp_connect(u, &why, &first);
	if (!e)
		return (int)why;
	struct tcp_exchange *x = pool_take(&u->tcp_exchanges);
	LIST_INSERT_HEAD(&u->tcp_used, x, used);
	e->tcp = x;
	x->exchange = e;
	x->state = TCP_CONNECTING;
	x->refused = false;
	x->subject = t->subject;
	x->has_server = t->server != NULL;
	name_copy(x->qname, t->qname);
	if (t->server)
		name_copy(x->server, t->server);
	wire_set16(x->out, (unsigned)t->len);
	memcpy(x->out + LENGTH_LEN, t->bytes, t->len);
	x->out_at = 0;
	x->out_n = LENGTH_LEN + t->len;
	x->in_have = x->in_n = 0;
	x->in = NULL;
	exchange_live(e, owner, id, timeout_ms);
	set_timer(e);
	stats_count(u->conf.stats, STATS_SEND_TCP);
	return UPSTREAM_SENT;
}

/* A new socket takes the place of one whose SYN nobody answered. The kernel would repeat
 * that SYN by itself, without asking policy; closing the socket before keeps it from it,
 * and sends nothing. */
void upstream_tcp_retry(struct exchange *e)
{
	struct upstream *u = e->u;
	enum send_failure why;
	if (e->tcp->state != TCP_CONNECTING) {
		exchange_timer(e, e->deadline_ms);
		return;
	}
	struct transmission t = next_transmission(e);
	struct exchange *next = tcp_connect(u, &why, &t);
	if (!next) {
		fail(e, why);
		return;
	}
	exchange_hand_over(next, e);
	set_timer(next);
}

/* ---- the conversation ---- */

static void write_more(struct exchange *e)
{
	struct tcp_exchange *x = e->tcp;
	enum send_failure why;
	struct transmission t = next_transmission(e);
	ssize_t n = upstream_transmit(e->u, &why, &t);
	if (n < 0) {
		fail(e, why);
		return;
	}
	x->out_at += (size_t)n;
	if (x->out_at == x->out_n) {
		x->state = TCP_READING;
		(void)uv_poll_start(&e->poll, UV_READABLE, on_stream);
	}
}

static void on_writable(struct exchange *e)
{
	struct upstream *u = e->u;
	int err = 0;
	socklen_t len = sizeof err;
	(void)getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	u->hooks.begin(u->hooks.arg);
	if (err) {
		fail(e, upstream_failure(err));
	} else {
		e->tcp->state = TCP_WRITING;
		write_more(e);
	}
	u->hooks.end(u->hooks.arg);
}

/* What recv() said, as n bytes more, 0 for "later", -1 and *why. */
static ssize_t read_bytes(struct exchange *e, enum send_failure *why, uint8_t *to,
			  size_t n)
{
	ssize_t got = recv(e->fd, to, n, MSG_DONTWAIT);
	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*why = got == 0 ? SEND_CLOSED : upstream_failure(errno);
	return -1;
}

/* The length has come: room for exactly that. */
static int take_length(struct tcp_exchange *x, enum send_failure *why)
{
	x->in_n = wire_get16(x->in_length);
	x->in_have = 0;
	*why = SEND_CLOSED;
	if (x->in_n < DNS_HEADER_LEN)
		return -1;
	*why = SEND_NO_RESOURCE;
	x->in = malloc(x->in_n);
	return x->in ? 0 : -1;
}

/* 1 = a whole message stands in x->in, 0 = more is to come, -1 and *why. */
static int read_more(struct exchange *e, enum send_failure *why)
{
	struct tcp_exchange *x = e->tcp;
	bool head = !x->in;
	uint8_t *to = head ? x->in_length : x->in;
	size_t want = head ? LENGTH_LEN : x->in_n;
	ssize_t n = read_bytes(e, why, to + x->in_have, want - x->in_have);
	if (n < 0)
		return -1;
	x->in_have += (size_t)n;
	if (x->in_have < want)
		return 0;
	return head ? take_length(x, why) : 1;
}

/* The owner may cancel while it looks at the bytes, so they are taken out first. One
 * message ends the exchange: an owner that found junk hears so. */
static void deliver(struct exchange *e)
{
	struct upstream *u = e->u;
	struct tcp_exchange *x = e->tcp;
	uint8_t *bytes = x->in;
	struct event ev = {
		.kind = EVENT_REPLY, .id = e->id, .bytes = bytes, .len = x->in_n};
	x->in = NULL;
	u->hooks.event(u->hooks.arg, e->owner, &ev);
	free(bytes);
	if (e->state == EXCHANGE_LIVE)
		exchange_fail(e, SEND_CLOSED);
}

static void on_readable(struct exchange *e)
{
	struct upstream *u = e->u;
	enum send_failure why;
	int result = read_more(e, &why);
	if (!result)
		return;
	u->hooks.begin(u->hooks.arg);
	if (result > 0)
		deliver(e);
	else
		fail(e, why);
	u->hooks.end(u->hooks.arg);
}

static void on_stream(uv_poll_t *poll, int status, int events)
{
	struct exchange *e = poll->data;
	(void)events;
	if (e->tcp->state == TCP_READING)
		on_readable(e);
	else
		on_writable(e);
	/* libuv stops a handle whose socket had an error; what was read before it counts.
	 */
	if (status < 0 && e->state == EXCHANGE_LIVE && e->tcp->state == TCP_READING)
		(void)uv_poll_start(poll, UV_READABLE, on_stream);
}

/* ---- lists that change meanwhile ---- */

static struct exchange *first_refused(const struct upstream *u)
{
	struct tcp_exchange *x;
	LIST_FOREACH(x, &u->tcp_used, used)
	{
		if (x->refused)
			return x->exchange;
	}
	return NULL;
}

/* An owner that is told may end others of its exchanges: so all are judged first, and the
 * list is begun anew after each. */
void upstream_tcp_rejudge(struct upstream *u)
{
	struct tcp_exchange *x;
	struct exchange *e;
	LIST_FOREACH(x, &u->tcp_used, used)
	{
		struct transmission t = next_transmission(x->exchange);
		x->refused = !upstream_guard(u, &t);
	}
	while ((e = first_refused(u)))
		fail(e, SEND_FORBIDDEN); /* leaves the list */
}
