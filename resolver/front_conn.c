#include "resolver/front_conn.h"

#include <errno.h>
#include <unistd.h>

#include "resolver/stats.h"

static void on_conn(uv_poll_t *poll, int status, int events);

/* ---- memory beyond what open allocated ---- */

/* Gives *p room for size bytes within the heap limit. */
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

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct front_tcp *f = c->front;
	c->have = 0;
	shrink_in(c);
	c->state = CONN_FREE;
	pool_give(&f->conns, c);
	front_tcp_handle_gone(f);
}

void conn_close(struct conn *c)
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

void conn_touch(struct conn *c)
{
	struct front_tcp *f = c->front;
	c->since_ms = uv_now(f->loop);
	TAILQ_REMOVE(&f->by_age, c, link);
	TAILQ_INSERT_TAIL(&f->by_age, c, link);
}

bool conn_idle(const struct conn *c)
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

void conn_settle(struct conn *c)
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
		front_tcp_again(c->front);
	}
	if (!c->eof && !more && conn_may_read(c))
		events |= UV_READABLE;
	if (c->queue_n)
		events |= UV_WRITABLE;
	if (events == c->events) /* libuv would make two system calls of it */
		return;
	c->events = events;
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

void conn_write(struct conn *c, const uint8_t *bytes, size_t n)
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

bool conn_has_turn(struct conn *c)
{
	struct front_tcp *f = c->front;
	if (f->turn_left <= 0 && f->turn - c->turn < FRONT_TCP_REST)
		return false;
	c->turn = f->turn;
	return true;
}

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
	f->turn_left--;
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

/* Whether it may have another question answered in this turn: the answers so far leave
 * when the stage is full, and what the kernel does not take then is enough. Who is heard
 * beyond the turn's share has one question. */
static bool conn_goes_on(struct conn *c, bool first)
{
	struct front_tcp *f = c->front;
	if (STAGE_MAX - f->stage_n < FRAME_MAX)
		stage_flush(f, c);
	return c->state == CONN_OPEN && conn_may_read(c) && (first || f->turn_left > 0);
}

/* One turn: the whole questions that are there, then their answers in one write. */
void conn_serve(struct conn *c)
{
	struct front_tcp *f = c->front;
	size_t at = 0;
	if (!conn_has_question(c))
		return;
	f->hooks.begin(f->hooks.arg);
	while (conn_goes_on(c, at == 0) && c->have - at >= LENGTH_LEN) {
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
	if (c->state == CONN_OPEN && events & UV_READABLE && conn_has_turn(c))
		conn_read(c);
	conn_settle(c);
}

void conn_start(struct conn *c)
{
	c->in_flight = 0;
	c->eof = c->again = false;
	c->events = 0;
	c->turn = 0;
	conn_settle(c);
}
