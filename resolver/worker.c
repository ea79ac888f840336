#include "resolver/worker.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <uv.h>

#include "resolver/front_tcp.h"
#include "resolver/front_udp.h"
#include "resolver/log.h"
#include "resolver/random.h"
#include "resolver/serve.h"

struct worker {
	struct shared *shared;
	int index;
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t stop, beat;
	_Atomic uint32_t beats; /* the loop's */
	uint32_t beats_asked;	/* main's */
	uv_timer_t tick;	/* when tasks want one */
	uint64_t tick_ms;	/* what it is set for */
	struct serve serve;
	struct stats stats;
	struct random_source random;
	struct blocklist_view *view;
	struct front_udp *udp;
	struct front_tcp *tcp;
	struct upstream *upstream;
	uint64_t flushes; /* of shared->flushes, seen so far */
	const struct anchors *anchors;
	_Atomic(const struct anchors *) anchors_in_use; /* the oldest */
	_Atomic(const struct conf *) conf_in_use;	/* the same */
	struct log_limit view_limit;
};

/* ---- the batch edge ---- */

static void renew_anchors(struct worker *w)
{
	const struct anchors *now =
		atomic_load_explicit(&w->shared->anchors, memory_order_acquire);
	if (now != w->anchors)
		task_set_anchors(w->serve.tasks, now);
	w->anchors = now;
	if (task_settled(w->serve.tasks))
		atomic_store_explicit(&w->anchors_in_use, now, memory_order_release);
}

static void renew_conf(struct worker *w)
{
	struct serve *s = &w->serve;
	const struct conf *now =
		atomic_load_explicit(&w->shared->conf, memory_order_acquire);
	if (now != s->conf) {
		s->conf = now;
		s->policy.default_action = now->sinkhole.action;
		task_set_conf(s->tasks, now);
		upstream_set_conf(w->upstream, now);
		answer_cache_flush(s->answers); /* finished as the old one said */
	}
	if (task_settled(s->tasks))
		atomic_store_explicit(&w->conf_in_use, now, memory_order_release);
}

static void begin(void *arg)
{
	struct worker *w = arg;
	struct serve *s = &w->serve;
	struct timespec wall, steady;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	s->ahead_n = s->ahead_at = 0;
	s->now_us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000;
	s->now_ms = (uint64_t)steady.tv_sec * 1000 + (uint64_t)steady.tv_nsec / 1000000;
	s->policy.now_s = (uint32_t)wall.tv_sec;
	s->clock_synced =
		atomic_load_explicit(&w->shared->clock_synced, memory_order_relaxed);
	task_now(s->tasks, s->now_ms, s->policy.now_s);
	renew_anchors(w);
	renew_conf(w);
	/* Without a snapshot every look-up fails, and with it every answer: SERVFAIL. */
	int err = blocklist_view_renew(w->view);
	s->policy.stamp = (struct blocklist_stamp){0};
	if (err)
		log_limited(&w->view_limit, s->now_ms, LOG_ERROR,
			    "the blocklist cannot be read (%s): answering SERVFAIL",
			    err_text(err));
	else
		s->policy.stamp = blocklist_view_stamp(w->view);
	uint64_t flushes =
		atomic_load_explicit(&w->shared->flushes, memory_order_acquire);
	if (flushes != w->flushes)
		answer_cache_flush(s->answers);
	w->flushes = flushes;
}

static void on_tick(uv_timer_t *timer);

/* libuv's clock is that of begin(). */
static void set_tick(struct worker *w)
{
	uint64_t due_ms = task_due_ms(w->serve.tasks), now_ms = uv_now(&w->loop);
	if (!due_ms || due_ms == w->tick_ms)
		return;
	w->tick_ms = due_ms;
	uv_timer_start(&w->tick, on_tick, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void end(void *arg)
{
	struct worker *w = arg;
	blocklist_view_reset(w->view);
	set_tick(w);
}

static void on_tick(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	w->tick_ms = 0;
	begin(w);
	task_tick(w->serve.tasks);
	end(w);
}

_Static_assert((int)SERVE_AHEAD >= (int)FRONT_UDP_BATCH,
	       "a whole batch can be read ahead");

static void expect(void *arg, const uint8_t *msg, size_t msg_len)
{
	struct worker *w = arg;
	serve_expect(&w->serve, msg, msg_len);
}

static enum serve_result serve(void *arg, const struct asker *from, const uint8_t *msg,
			       size_t msg_len, uint8_t *out, size_t *len)
{
	struct worker *w = arg;
	return serve_question(&w->serve, from, msg, msg_len, out, len);
}

static void send_late(void *arg, const struct asker *to, const uint8_t *bytes, size_t len,
		      bool close)
{
	struct worker *w = arg;
	if (to->transport == HIT_UDP)
		front_udp_send(w->udp, to, bytes, len);
	else if (close)
		front_tcp_close(w->tcp, to);
	else
		front_tcp_send(w->tcp, to, bytes, len);
}

static void event(void *arg, void *owner, const struct event *ev)
{
	struct worker *w = arg;
	task_event(w->serve.tasks, owner, ev);
}

/* ---- life ---- */

static void stop(uv_async_t *async)
{
	struct worker *w = async->data;
	front_udp_shutdown(w->udp);
	front_tcp_shutdown(w->tcp);
	upstream_shutdown(w->upstream);
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_close((uv_handle_t *)async, NULL);
	uv_close((uv_handle_t *)&w->beat, NULL);
}

/* RFC 5011 2.3: main wants to see the keys of an anchor's zone. One worker will do. */
static void ask_for_keys(struct worker *w)
{
	struct question q = {.qtype = DNS_DNSKEY,
			     .refresh_s = UINT32_MAX, /* as the zone has them now */
			     .subject = {.class = POLICY_ALL}};
	if (w->index == 0 && anchor_mail_wanted(&w->shared->mail, q.qname))
		task_refresh(w->serve.tasks, &q);
}

/* With a batch of its own, so that what is shared is looked at in quiet times too. */
static void beat(uv_async_t *async)
{
	struct worker *w = async->data;
	begin(w);
	ask_for_keys(w);
	end(w);
	atomic_fetch_add(&w->beats, 1);
}

static int open_tasks(struct worker *w)
{
	struct serve *s = &w->serve;
	w->anchors = atomic_load(&w->shared->anchors);
	atomic_store(&w->anchors_in_use, w->anchors);
	const struct task_conf conf = {
		.env = {.policy = &s->policy,
			.cache = w->shared->cache,
			.denial = w->shared->denial,
			.servers = w->shared->servers,
			.hints = &w->shared->hints,
			.anchors = w->anchors,
			.anchor_mail = &w->shared->mail,
			.conf = s->conf,
			.prime = true,
			.random = random_bytes,
			.random_arg = &w->random},
		.stats = &w->stats,
		.memory_max = s->conf->cache.size_bytes / WORKER_TASK_SHARE /
			      (unsigned)s->conf->workers,
	};
	const struct task_hooks hooks = {.arg = s, .done = serve_done};
	return task_open(&s->tasks, &conf, &hooks);
}

static int open_upstream(struct worker *w)
{
	const struct upstream_conf conf = {
		.conf = w->shared->conf,
		.policy = &w->serve.policy,
		.stats = &w->stats,
		.random = random_bytes,
		.random_arg = &w->random,
	};
	const struct upstream_hooks hooks = {w, begin, event, end};
	int err = upstream_open(&w->upstream, &w->loop, &conf, &hooks);
	if (!err)
		task_set_upstream(w->serve.tasks, w->upstream);
	return err;
}

static int open_serve(struct worker *w)
{
	const struct conf *conf = w->shared->conf;
	struct serve *s = &w->serve;
	size_t share =
		conf->cache.size_bytes / WORKER_ANSWER_SHARE / (unsigned)conf->workers;
	s->conf = conf;
	atomic_store(&w->conf_in_use, conf);
	s->stats = &w->stats;
	s->ring = hit_log_ring(w->shared->hits, w->index);
	s->out = (struct serve_send){w, send_late};
	int err = blocklist_view_open(&w->view, w->shared->blocklist);
	s->policy.view = w->view;
	s->policy.default_action = conf->sinkhole.action;
	if (!err)
		err = answer_cache_open(&s->answers, share);
	return err ? err : open_tasks(w);
}

int worker_open(struct worker **out, struct shared *shared, int index, const int *udp_fds,
		const int *tcp_fds)
{
	const struct conf *conf = shared->conf;
	struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof *w);
	if (!w)
		return ERR_NOMEM;
	memset(w, 0, sizeof *w);
	w->shared = shared;
	w->index = index;
	const struct front_hooks hooks = {.arg = w,
					  .stats = &w->stats,
					  .busy_us = conf->busy_poll_us,
					  .begin = begin,
					  .expect = expect,
					  .serve = serve,
					  .end = end};
	if (uv_loop_init(&w->loop) || uv_async_init(&w->loop, &w->stop, stop) ||
	    uv_async_init(&w->loop, &w->beat, beat) ||
	    uv_timer_init(&w->loop, &w->tick)) {
		free(w);
		return ERR_NOMEM;
	}
	w->stop.data = w->beat.data = w->tick.data = w;
	*out = w;
	int err = open_serve(w);
	if (!err)
		err = open_upstream(w);
	if (!err)
		err = front_udp_open(&w->udp, &w->loop, &hooks, conf->listen, udp_fds,
				     conf->listen_n);
	if (!err)
		err = front_tcp_open(&w->tcp, &w->loop, &hooks, conf->listen, tcp_fds,
				     conf->listen_n, NULL);
	return err;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[16]; /* as many as the kernel keeps */
	snprintf(name, sizeof name, "worker-%d", w->index);
	pthread_setname_np(pthread_self(), name);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* Signals are main's. */
int worker_start(struct worker *w)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int err = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err ? ERR_NOMEM : ERR_OK;
}

/* An async that is pending is not sent twice: a loop that stands gives no beat, however
 * often it is asked. */
bool worker_moved(struct worker *w)
{
	bool moved = atomic_load(&w->beats) == w->beats_asked;
	if (moved) {
		w->beats_asked++;
		uv_async_send(&w->beat);
	}
	return moved;
}

void worker_stop(struct worker *w)
{
	uv_async_send(&w->stop);
}

void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void worker_close(struct worker *w)
{
	front_udp_free(w->udp);
	front_tcp_free(w->tcp);
	task_set_upstream(w->serve.tasks, NULL);
	task_close(w->serve.tasks);
	upstream_free(w->upstream);
	uv_loop_close(&w->loop);
	answer_cache_close(w->serve.answers);
	blocklist_view_close(w->view);
	free(w);
}

const struct anchors *worker_anchors(const struct worker *w)
{
	return atomic_load_explicit(&w->anchors_in_use, memory_order_acquire);
}

const struct conf *worker_conf(const struct worker *w)
{
	return atomic_load_explicit(&w->conf_in_use, memory_order_acquire);
}

const struct stats *worker_stats(const struct worker *w)
{
	return &w->stats;
}

uint64_t shared_flush(struct shared *s, const uint8_t *name, bool subtree)
{
	uint64_t gone = rrset_cache_flush(s->cache, name, subtree);
	if (s->denial)
		gone += denial_flush(s->denial, name, subtree);
	atomic_fetch_add(&s->flushes, 1);
	return gone;
}
