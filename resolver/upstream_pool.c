#include <unistd.h>

#include "resolver/stats.h"
#include "resolver/upstream_exchange.h"

/* Slots beyond the limit of sockets, for those whose handle is still closing: an eighth
 * can be opened anew in one turn of the loop. */
static uint32_t pool_spare(uint32_t max)
{
	return max / 8 + 16;
}

static void on_tick(uv_timer_t *timer);

int upstream_pool_open(struct upstream *u)
{
	uint32_t max = u->conf.udp_max;
	TAILQ_INIT(&u->spare);
	int err = pool_open(&u->exchanges, max + pool_spare(max) + UPSTREAM_TCP_MAX,
			    sizeof(struct exchange));
	return err ? err
		   : pool_open(&u->tcp_exchanges, UPSTREAM_TCP_MAX,
			       sizeof(struct tcp_exchange));
}

void upstream_pool_free(struct upstream *u)
{
	pool_close(&u->exchanges);
	pool_close(&u->tcp_exchanges);
}

/* ---- the table ---- */

struct exchange_list *exchange_bucket(struct upstream *u, const void *owner)
{
	uint64_t h = (uint64_t)(uintptr_t)owner * 0x9e3779b97f4a7c15ULL;
	return &u->table[h >> 52]; /* 4096 = the top 12 bits */
}
_Static_assert(BUCKETS == 1 << 12, "exchange_bucket() takes 12 bits");

struct exchange *exchange_find(struct upstream *u, const void *owner, uint32_t id)
{
	struct exchange *e;
	LIST_FOREACH(e, exchange_bucket(u, owner), bucket)
	if (e->owner == owner && e->id == id)
		return e;
	return NULL;
}

/* ---- the wheel ---- */

static uint64_t now_ms(const struct upstream *u)
{
	return uv_now(u->loop);
}

void exchange_timer(struct exchange *e, uint64_t when_ms)
{
	struct upstream *u = e->u;
	uint64_t now = now_ms(u);
	uint64_t tick = (when_ms > now ? when_ms : now) / TICK_MS + 1;
	e->due_ms = when_ms;
	LIST_INSERT_HEAD(&u->wheel[tick % WHEEL_SLOTS], e, timer);
	e->timed = true;
	if (!uv_is_active((uv_handle_t *)&u->tick)) {
		u->ticks = now / TICK_MS;
		(void)uv_timer_start(&u->tick, on_tick, TICK_MS, TICK_MS);
	}
}

static void untime(struct exchange *e)
{
	if (e->timed)
		LIST_REMOVE(e, timer);
	e->timed = false;
}

static bool all_gone(const struct upstream *u)
{
	return !u->live && !u->sockets;
}

/* The deadline has passed, but a server may only be slow: while there are other sockets
 * this one stays, so that its answer is read, or at least draws no ICMP. */
static void make_spare(struct exchange *e, enum exchange_state state)
{
	struct upstream *u = e->u;
	uint64_t until = e->sent_ms + u->conf.quiet_ms;
	e->state = state;
	TAILQ_INSERT_TAIL(&u->spare, e, spare);
	if (until > now_ms(u))
		exchange_timer(e, until);
	else
		exchange_close(e);
}

static void time_out(struct exchange *e)
{
	struct upstream *u = e->u;
	struct event ev = {.kind = EVENT_TIMEOUT, .id = e->id, .why = SEND_TIMED_OUT};
	void *owner = e->owner;
	stats_count(u->conf.stats, STATS_SEND_TIMEOUT);
	if (e->stream) {
		exchange_fail(e, SEND_TIMED_OUT);
		return;
	}
	u->live--;
	make_spare(e, EXCHANGE_LATE);
	u->hooks.event(u->hooks.arg, owner, &ev);
}

static void expire(struct exchange *e)
{
	struct upstream *u = e->u;
	switch (e->state) {
	case EXCHANGE_LIVE:
		if (now_ms(u) < e->deadline_ms)
			upstream_tcp_retry(e);
		else
			time_out(e);
		break;
	case EXCHANGE_QUIET:
		make_spare(e, EXCHANGE_SPARE);
		break;
	case EXCHANGE_LATE:
	case EXCHANGE_SPARE:
		exchange_close(e);
		break;
	case EXCHANGE_FREE:
	case EXCHANGE_CLOSING:
		break; /* has no timer */
	}
}

/* The slot is emptied into a list of its own first: after a stall of the loop longer than
 * the wheel, what expires may put new timers into the slot that is being emptied. */
static void run_slot(struct upstream *u, struct exchange_list *slot)
{
	struct exchange_list due = *slot;
	struct exchange *e = LIST_FIRST(&due);
	LIST_INIT(slot);
	if (e)
		e->timer.le_prev = &due.lh_first;
	while ((e = LIST_FIRST(&due))) {
		untime(e);
		if (now_ms(u) < e->due_ms)
			exchange_timer(e, e->due_ms);
		else
			expire(e);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct upstream *u = timer->data;
	uint64_t now = now_ms(u) / TICK_MS;
	uint64_t from = now - u->ticks < WHEEL_SLOTS ? u->ticks : now - WHEEL_SLOTS;
	u->hooks.begin(u->hooks.arg);
	for (uint64_t t = from + 1; t <= now; t++)
		run_slot(u, &u->wheel[t % WHEEL_SLOTS]);
	u->ticks = now;
	if (now_ms(u) >= u->rejudge_ms) {
		u->rejudge_ms = now_ms(u) + UPSTREAM_REJUDGE_MS;
		upstream_tcp_rejudge(u);
	}
	u->hooks.end(u->hooks.arg);
	if (all_gone(u))
		(void)uv_timer_stop(timer);
}

/* ---- life of an exchange ---- */

static void on_closed(uv_handle_t *handle)
{
	struct exchange *e = handle->data;
	e->state = EXCHANGE_FREE;
	pool_give(&e->u->exchanges, e);
}

/* A connection ends with one packet, a reset, and leaves nothing behind in the kernel: a
 * FIN would be repeated for minutes to a server that does not answer it, and a server's
 * own FIN acknowledged, with nobody there to ask whether it has been listed meanwhile. */
static void end_by_reset(int fd)
{
	struct linger now = {.l_onoff = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* libuv lets go of the descriptor within uv_close(), so it can be closed here. */
void exchange_close(struct exchange *e)
{
	struct upstream *u = e->u;
	if (e->state == EXCHANGE_SPARE || e->state == EXCHANGE_LATE)
		TAILQ_REMOVE(&u->spare, e, spare);
	if (exchange_in_table(e))
		LIST_REMOVE(e, bucket);
	untime(e);
	if (e->tcp)
		upstream_tcp_release(e);
	if (!e->stream)
		u->sockets--;
	e->state = EXCHANGE_CLOSING;
	uv_close((uv_handle_t *)&e->poll, on_closed);
	if (e->stream)
		end_by_reset(e->fd);
	close(e->fd);
}

bool exchange_close_spare(struct upstream *u)
{
	struct exchange *oldest = TAILQ_FIRST(&u->spare);
	if (oldest)
		exchange_close(oldest);
	return oldest;
}

struct exchange *exchange_open(struct upstream *u, int fd, bool tcp)
{
	if (!tcp && u->sockets >= u->conf.udp_max && !exchange_close_spare(u))
		return NULL;
	struct exchange *e = pool_take(&u->exchanges);
	if (!e)
		return NULL;
	if (uv_poll_init(u->loop, &e->poll, fd)) {
		pool_give(&u->exchanges, e);
		return NULL;
	}
	e->poll.data = e;
	e->u = u;
	e->fd = fd;
	e->stream = tcp;
	e->tcp = NULL;
	e->state = EXCHANGE_QUIET; /* until exchange_live() */
	e->timed = false;
	if (!tcp)
		u->sockets++;
	return e;
}

void exchange_live(struct exchange *e, void *owner, uint32_t id, uint32_t timeout_ms)
{
	struct upstream *u = e->u;
	uint32_t ms = timeout_ms < UPSTREAM_TIMEOUT_MAX_MS ? timeout_ms
							   : UPSTREAM_TIMEOUT_MAX_MS;
	e->owner = owner;
	e->id = id;
	e->state = EXCHANGE_LIVE;
	e->sent_ms = now_ms(u);
	e->deadline_ms = e->sent_ms + ms;
	LIST_INSERT_HEAD(exchange_bucket(u, owner), e, bucket);
	u->live++;
}

void exchange_hand_over(struct exchange *to, struct exchange *from)
{
	struct upstream *u = from->u;
	LIST_REMOVE(from, bucket);
	from->state = EXCHANGE_QUIET;
	to->owner = from->owner;
	to->id = from->id;
	to->sent_ms = from->sent_ms;
	to->deadline_ms = from->deadline_ms;
	to->tcp = from->tcp;
	to->tcp->exchange = to;
	to->state = EXCHANGE_LIVE;
	from->tcp = NULL;
	LIST_INSERT_HEAD(exchange_bucket(u, to->owner), to, bucket);
	exchange_close(from);
}

void exchange_end(struct exchange *e)
{
	struct upstream *u = e->u;
	if (!exchange_in_table(e))
		return;
	LIST_REMOVE(e, bucket);
	if (e->state == EXCHANGE_LATE) {
		e->state = EXCHANGE_SPARE;
	} else {
		u->live--;
		e->state = EXCHANGE_QUIET;
	}
	if (e->stream)
		exchange_close(e);
	else
		(void)uv_poll_stop(&e->poll);
}

void exchange_fail(struct exchange *e, enum send_failure why)
{
	struct upstream *u = e->u;
	struct event ev = {.kind = EVENT_TIMEOUT, .id = e->id, .why = why};
	void *owner = e->owner;
	bool told = e->state == EXCHANGE_LATE;
	exchange_end(e);
	if (!told)
		u->hooks.event(u->hooks.arg, owner, &ev);
}
