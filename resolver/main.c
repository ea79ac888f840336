/* main.c: the program: options, start, signals, control, end. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <jansson.h>

#include "include/blocklist.h"
#include "include/control.h"
#include "include/version.h"
#include "resolver/control.h"
#include "resolver/explain.h"
#include "resolver/log.h"
#include "resolver/notify.h"
#include "resolver/reload.h"
#include "resolver/startup.h"
#include "resolver/trace.h"
#include "resolver/trust.h"
#include "resolver/worker.h"

enum {
	EXIT_NO = 1,	   /* a check failed */
	EXIT_FAULT = 2,	   /* usage, or it cannot serve */
	TICK_MS = 1000,	   /* clock and kernel state are looked at */
	CLOCK_BACK_S = 10, /* a wall clock set back further makes cached data "future" */
	STORE_PATH_MAX = CONF_PATH_MAX + 32, /* and CONTROL_BLOCKLIST_DIR, STORE_FILE */
};

#define STORE_FILE "/data.mdb" /* in the blocklist's folder, see include/blocklist.h */

struct server {
	struct reload reload; /* and the configuration */
	struct shared shared;
	struct startup_sockets sockets;
	struct worker *worker[CONF_WORKERS_MAX];
	int workers; /* opened */
	struct control *control;
	struct trace *trace;
	struct trust *trust;
	struct anchor_records given; /* until trust is open */
	struct blocklist_view *view; /* for status */
	struct stat store;	     /* the blocklist's file as it was opened */
	bool store_replaced;
	struct log_limit replaced_limit, stuck_limit;
	struct notify notify;
	uv_loop_t loop;
	uv_signal_t on_term, on_int, on_hup, on_child;
	uv_timer_t tick;
	pid_t verifier; /* 0 = none running */
	int checked;	/* what it found, when it has ended */
	uint64_t started_s;
	int64_t wall_ahead_ms; /* wall minus monotonic clock at the last tick */
	int lock_fd, exit_code;
	bool serving, stopping;
	bool on_terminal; /* stderr is one */
};

static const char *store_path(char out[STORE_PATH_MAX], const struct server *s,
			      const char *file)
{
	snprintf(out, STORE_PATH_MAX, "%s/" CONTROL_BLOCKLIST_DIR "%s",
		 s->reload.conf->state, file);
	return out;
}

/* ---- time ---- */

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* RFC 6302: a hit's time is worth what the clock is worth. */
static bool clock_synced(void)
{
	struct timex t = {0};
	int state = adjtimex(&t);
	return state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

static void watch_clock(struct server *s)
{
	int64_t ahead = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
	int64_t back = s->wall_ahead_ms - ahead;
	s->wall_ahead_ms = ahead;
	atomic_store(&s->shared.clock_synced, clock_synced());
	if (back <= CLOCK_BACK_S * 1000)
		return;
	uint32_t now_s = (uint32_t)(clock_ms(CLOCK_REALTIME) / 1000);
	uint64_t gone = rrset_cache_drop_future(s->shared.cache, now_s);
	if (s->shared.denial)
		gone += denial_drop_future(s->shared.denial, now_s);
	atomic_fetch_add(&s->shared.flushes, 1);
	log_warning("the clock was set back by %lld s: %llu cached RRsets dated later "
		    "are gone",
		    (long long)(back / 1000), (unsigned long long)gone);
}

/* Moved aside while we serve, as the tools advise for a damaged store, it stays in force
 * here, and the tools write to another file: nothing of that acts. */
static void watch_blocklist(struct server *s)
{
	char path[STORE_PATH_MAX];
	struct stat st;
	s->store_replaced = stat(store_path(path, s, STORE_FILE), &st) ||
			    st.st_ino != s->store.st_ino || st.st_dev != s->store.st_dev;
	if (s->store_replaced)
		log_limited(&s->replaced_limit, (uint64_t)clock_ms(CLOCK_MONOTONIC),
			    LOG_ERROR,
			    "%s has been moved or replaced: what changes there does not "
			    "act; restart sinkholed, or put the old one back",
			    path);
}

/* Each loop has to have turned since the last tick, or the manager hears nothing and in
 * the end starts us anew: a worker that stands loses its share of the questions. */
static void watch_workers(struct server *s)
{
	bool all = true;
	for (int i = 0; i < s->workers; i++) {
		if (worker_moved(s->worker[i]))
			continue;
		all = false;
		log_limited(&s->stuck_limit, (uint64_t)clock_ms(CLOCK_MONOTONIC),
			    LOG_ERROR, "worker %d does not answer: its loop stands", i);
	}
	if (all && s->notify.watchdog)
		notify_send(&s->notify, "WATCHDOG=1");
}

static void tidy(struct server *s)
{
	if (!trace_running(s->trace))
		reload_tidy(&s->reload, s->worker, s->workers);
}

static void on_tick(uv_timer_t *timer)
{
	watch_clock(timer->data);
	watch_blocklist(timer->data);
	watch_workers(timer->data);
	trust_tick(((struct server *)timer->data)->trust,
		   (uint32_t)(clock_ms(CLOCK_REALTIME) / 1000));
	tidy(timer->data);
}

/* ---- the end ---- */

static void stop(struct server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	notify_send(&s->notify, "STOPPING=1");
	for (int i = 0; i < s->workers; i++)
		worker_stop(s->worker[i]);
	trace_shutdown(s->trace);
	control_close(s->control);
	uv_close((uv_handle_t *)&s->on_term, NULL);
	uv_close((uv_handle_t *)&s->on_int, NULL);
	uv_close((uv_handle_t *)&s->on_hup, NULL);
	uv_close((uv_handle_t *)&s->on_child, NULL);
	uv_close((uv_handle_t *)&s->tick, NULL);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
	log_notice("stopping (signal %d)", number);
	stop(signal->data);
}

/* The manager waits for both: that we serve, and that the blocklist is known to be whole.
 * Questions are answered before: the blocklist in force is never less than it was. */
static void say_ready(struct server *s)
{
	if (s->serving && !s->verifier)
		notify_send(&s->notify, "READY=1");
}

/* ---- the configuration again ---- */

/* The configuration first: the anchors are those it names. */
static int read_again(struct server *s, char error[CONTROL_ERROR_MAX],
		      char kept[CONF_KEPT_MAX])
{
	struct conf_error why;
	int err = reload_now(&s->reload, &why, kept);
	if (err) {
		snprintf(error, CONTROL_ERROR_MAX, "%.*s", CONTROL_ERROR_MAX - 1,
			 why.text);
		return err;
	}
	if (*kept)
		log_warning("these keys have changed and need a restart: %s", kept);
	err = trust_reload(s->trust, error);
	if (err && !*error)
		snprintf(error, CONTROL_ERROR_MAX, "trust anchors: %s", err_text(err));
	return err;
}

static int reload(struct server *s, char error[CONTROL_ERROR_MAX],
		  char kept[CONF_KEPT_MAX])
{
	char lines[64];
	snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)clock_ms(CLOCK_MONOTONIC) * 1000);
	notify_send(&s->notify, lines);
	*error = 0;
	int err = read_again(s, error, kept);
	say_ready(s);
	if (err)
		log_error("what could not be read again stays as it was: %s", error);
	else
		log_notice("the configuration has been read again");
	return err;
}

/* Sent by a person, it is what every name server takes it for. Sent by the kernel since
 * the terminal has gone, nobody is left to hear us. */
static void on_hangup(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;
	char error[CONTROL_ERROR_MAX], kept[CONF_KEPT_MAX];
	if (s->on_terminal && !isatty(STDERR_FILENO))
		on_stop_signal(signal, number);
	else
		(void)reload(s, error, kept);
}

/* The check of the blocklist that runs beside the first minutes of service. */
static void on_child(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;
	int status;
	(void)number;
	if (!s->verifier || waitpid(s->verifier, &status, WNOHANG) != s->verifier)
		return;
	s->verifier = 0;
	s->checked = startup_verified(status, s->reload.conf);
	if (s->checked == ERR_DAMAGED) {
		s->exit_code = EXIT_FAULT;
		stop(s);
	} else if (!s->checked) {
		log_info("the blocklist has been checked: whole");
	}
	if (!s->stopping)
		say_ready(s);
}

/* ---- control ---- */

static json_t *store_status(struct server *s)
{
	struct blocklist_stats st;
	int err = blocklist_view_renew(s->view);
	if (!err)
		err = blocklist_stats_get(s->view, &st);
	blocklist_view_reset(s->view);
	if (err)
		return json_pack("{s:s}", "error", err_text(err));
	return json_pack("{s:I, s:I, s:I, s:I, s:i, s:I, s:s}", "generation",
			 (json_int_t)st.stamp.generation, "names", (json_int_t)st.names,
			 "addresses", (json_int_t)st.addresses, "clients",
			 (json_int_t)st.clients, "lists", (int)st.lists, "bytes",
			 (json_int_t)st.bytes_used, "check",
			 s->store_replaced ? "replaced: restart sinkholed"
			 : s->verifier	   ? "running"
			 : s->checked	   ? "not finished"
					   : "whole");
}

static json_t *hits_status(struct server *s)
{
	static const char full[] =
		"no space: listed questions are folded, then left unanswered";
	static const char *const state[] = {"ok", full, "failed: the same"};
	struct hit_log_stats st;
	hit_log_stats(s->shared.hits, &st);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
			 state[st.state], "trouble", st.trouble, "segment", st.segment,
			 "rotations", (json_int_t)st.rotations, "stored",
			 (json_int_t)st.stored, "folded", (json_int_t)st.folded,
			 "unanswered", (json_int_t)st.no_room, "waiting_bytes",
			 (json_int_t)st.waiting_bytes, "segments",
			 (json_int_t)st.segments, "bytes", (json_int_t)st.segments_bytes);
}

static json_t *cache_status(struct server *s)
{
	struct rrset_cache_stats st;
	struct denial_stats spans = {0};
	rrset_cache_stats(s->shared.cache, &st);
	if (s->shared.denial)
		denial_stats(s->shared.denial, &spans);
	return json_pack("{s:I, s:I, s:I, s:I}", "rrsets", (json_int_t)st.entries,
			 "denials", (json_int_t)spans.spans, "bytes",
			 (json_int_t)(st.bytes + spans.bytes), "limit",
			 (json_int_t)(st.limit + spans.limit));
}

static int control_status(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	uint64_t now_s = (uint64_t)clock_ms(CLOCK_MONOTONIC) / 1000;
	(void)request, (void)error;
	json_object_set_new(answer, "version", json_string(SINKHOLED_VERSION));
	json_object_set_new(answer, "pid", json_integer(getpid()));
	json_object_set_new(answer, "uptime_s",
			    json_integer((json_int_t)(now_s - s->started_s)));
	json_object_set_new(answer, "node", json_string(s->reload.conf->node));
	json_object_set_new(answer, "workers", json_integer(s->workers));
	json_object_set_new(answer, "blocklist", store_status(s));
	json_object_set_new(answer, "hits", hits_status(s));
	json_object_set_new(answer, "cache", cache_status(s));
	json_object_set_new(answer, "anchors", trust_status(s->trust));
	return 0;
}

static int control_stats(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	uint64_t sums[STATS_N] = {0};
	json_t *counters = json_object();
	(void)request, (void)error;
	for (int i = 0; i < s->workers; i++)
		stats_sum(sums, worker_stats(s->worker[i]));
	stats_sum(sums, trace_stats(s->trace));
	for (int i = 0; i < STATS_N; i++)
		json_object_set_new(counters, stats_name((enum stats_counter)i),
				    json_integer((json_int_t)sums[i]));
	json_object_set_new(answer, "counters", counters);
	return 0;
}

static int control_flush(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	uint8_t name[DNS_NAME_MAX];
	const char *text = json_string_value(json_object_get(request, "name"));
	bool subtree = json_is_true(json_object_get(request, "subtree"));
	if (text && name_from_str(name, text)) {
		snprintf(error, CONTROL_ERROR_MAX, "name: not a domain name");
		return ERR_FORMAT;
	}
	uint64_t gone = shared_flush(&s->shared, text ? name : NULL, subtree);
	json_object_set_new(answer, "removed", json_integer((json_int_t)gone));
	return 0;
}

static int control_trace(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	return trace_start(s->trace, request, answer, error);
}

static int control_explain(void *arg, const json_t *request, json_t *answer,
			   char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	int err = blocklist_view_renew(s->view);
	if (!err)
		err = explain(answer, request, s->view, s->shared.conf, error);
	blocklist_view_reset(s->view);
	return err;
}

static void traced(void *arg, json_t *answer)
{
	struct server *s = arg;
	control_finish(s->control, answer);
}

static int control_anchors(void *arg, const json_t *request, json_t *answer,
			   char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	(void)request, (void)error;
	return trust_list(s->trust, answer);
}

static int control_nta(void *arg, const json_t *request, json_t *answer,
		       char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	(void)answer;
	return trust_nta(s->trust, request, error);
}

static int control_reload(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	char kept[CONF_KEPT_MAX];
	(void)request;
	int err = reload(s, error, kept);
	json_object_set_new(answer, "need_restart", json_string(kept));
	json_object_set_new(answer, "anchors", trust_status(s->trust));
	return err;
}

static int control_rotate(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	uint64_t number = hit_log_rotate(s->shared.hits);
	(void)request, (void)error;
	json_object_set_new(answer, "rotation", json_integer((json_int_t)number));
	return 0;
}

static int control_stop(void *arg, const json_t *request, json_t *answer,
			char error[CONTROL_ERROR_MAX])
{
	(void)request, (void)answer, (void)error;
	stop(arg);
	return 0;
}

static const struct control_command commands[] = {
	{"status", control_status, false},   {"stats", control_stats, false},
	{"flush", control_flush, true},	     {"reload", control_reload, true},
	{"trace", control_trace, true}, /* it makes us send packets */
	{"explain", control_explain, false}, {"anchors", control_anchors, false},
	{"nta", control_nta, true},	     {"rotate", control_rotate, true},
	{"stop", control_stop, true},	     {NULL, NULL, false},
};

/* ---- the start ---- */

static void say_hits(void *arg, enum hit_log_level level, const char *text)
{
	(void)arg;
	log_line(level == HIT_LOG_WARNING ? LOG_WARN : LOG_INFORM, "hit log: %s", text);
}

static int load_hints(struct root_hints *hints, const struct conf *conf)
{
	char error[ROOT_ERROR_MAX];
	if (!conf->recursion.root_hints[0]) {
		root_hints_builtin(hints);
		return ERR_OK;
	}
	int err = root_hints_load(hints, conf->recursion.root_hints, error);
	if (err)
		log_error("recursion.root_hints: %s", error);
	return err;
}

/* Damage is found before it is served: at once after an unclean end, else beside the
 * first minutes of service. */
static int check_blocklist(struct server *s, bool unclean)
{
	int status, err = startup_verify(&s->verifier, s->reload.conf);
	if (err || !unclean)
		return err;
	log_notice("the last run did not end in order: checking the blocklist first");
	pid_t child = s->verifier;
	s->verifier = 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return ERR_IO;
	return startup_verified(status, s->reload.conf);
}

static int open_blocklist(struct server *s)
{
	char path[STORE_PATH_MAX];
	const char *why = NULL;
	if (stat(store_path(path, s, STORE_FILE), &s->store))
		s->store.st_ino = 0; /* blocklist_open() says why */
	int err = blocklist_open(&s->shared.blocklist, store_path(path, s, ""),
				 BLOCKLIST_READ, &why);
	if (!err)
		err = blocklist_view_open(&s->view, s->shared.blocklist);
	if (err)
		log_error("the blocklist %s cannot be used: %s", path,
			  why ? why : err_text(err));
	return err;
}

static int open_hits(struct server *s)
{
	const char *why = NULL;
	const struct hit_log_conf conf = {
		.state = s->reload.conf->state,
		.runtime = s->reload.conf->runtime,
		.node = s->reload.conf->node,
		.workers = s->reload.conf->workers,
		.retention_s = s->reload.conf->hits.retention_s,
		.max_size_bytes = s->reload.conf->hits.max_size_bytes,
		.say = say_hits,
	};
	int err = hit_log_open(&s->shared.hits, &conf, &why);
	if (!err)
		err = hit_log_start(s->shared.hits);
	if (err)
		log_error("the hit log cannot be used: %s", why ? why : err_text(err));
	return err;
}

static int open_caches(struct server *s)
{
	const struct conf *conf = s->reload.conf;
	bool denies = conf->recursion.validate && conf->recursion.aggressive_nsec;
	uint64_t denial_bytes = denies ? conf->cache.size_bytes / WORKER_DENIAL_SHARE : 0;
	const struct rrset_cache_conf cache = {
		.size_bytes = conf->cache.size_bytes -
			      conf->cache.size_bytes / WORKER_ANSWER_SHARE -
			      denial_bytes - conf_own_bytes(conf->workers),
		.min_ttl_s = conf->cache.min_ttl_s,
		.max_ttl_s = conf->cache.max_ttl_s,
		.stale_s = conf->serve_stale.enabled ? conf->serve_stale.max_age_s : 0,
	};
	int err = rrset_cache_open(&s->shared.cache, &cache);
	if (!err && denies)
		err = denial_open(&s->shared.denial, denial_bytes, cache.max_ttl_s);
	if (!err)
		err = server_table_open(&s->shared.servers);
	if (err)
		log_error("cache.size: no memory for %llu bytes; set less",
			  (unsigned long long)conf->cache.size_bytes);
	return err;
}

static bool anchors_in_use(void *arg, const struct anchors *set)
{
	const struct server *s = arg;
	for (int i = 0; i < s->workers; i++)
		if (worker_anchors(s->worker[i]) == set)
			return true;
	return trace_running(s->trace);
}

static int open_trust(struct server *s)
{
	const struct trust_hooks hooks = {s, anchors_in_use};
	anchor_mail_init(&s->shared.mail);
	int err = trust_open(&s->trust, &s->shared, &s->given, &hooks);
	anchor_records_fini(&s->given);
	return err;
}

static int open_workers(struct server *s)
{
	const int n = s->reload.conf->listen_n;
	for (; s->workers < s->reload.conf->workers; s->workers++) {
		int i = s->workers;
		int err = worker_open(&s->worker[i], &s->shared, i,
				      s->sockets.udp + i * n, s->sockets.tcp + i * n);
		if (err) {
			log_error("worker %d cannot start: %s", i, err_text(err));
			return err;
		}
	}
	return ERR_OK;
}

static int open_control(struct server *s)
{
	char error[CONTROL_ERROR_MAX] = "no memory for traces";
	const struct trace_hooks hooks = {s, traced};
	int err = trace_open(&s->trace, &s->loop, &s->shared, &hooks);
	if (!err)
		err = control_open(&s->control, &s->loop, s->reload.conf->runtime,
				   commands, s, error);
	if (err)
		log_error("%s", error);
	return err;
}

/* What needs root first, then who we are to be, then everything else. */
static int prepare(struct server *s)
{
	struct startup_user user;
	bool unclean;
	startup_limits();
	int err = startup_user(&user, s->reload.conf);
	if (!err)
		err = load_hints(&s->shared.hints, s->reload.conf);
	if (!err)
		err = trust_given(&s->given, s->reload.conf);
	if (!err)
		err = startup_folders(s->reload.conf, &user);
	if (!err)
		err = startup_lock(&s->lock_fd, s->reload.conf, &user);
	if (!err)
		err = startup_bind(&s->sockets, s->reload.conf);
	if (!err)
		err = startup_become(&user);
	if (!err)
		err = startup_blocklist(s->reload.conf);
	if (!err)
		err = startup_begun(&unclean, s->reload.conf);
	if (!err)
		err = check_blocklist(s, unclean);
	if (!err)
		err = open_blocklist(s);
	if (!err)
		err = open_caches(s);
	if (!err)
		err = open_trust(s);
	if (!err)
		err = open_hits(s);
	return err;
}

static void start_loop(struct server *s)
{
	uv_signal_init(&s->loop, &s->on_term);
	uv_signal_init(&s->loop, &s->on_int);
	uv_signal_init(&s->loop, &s->on_hup);
	uv_signal_init(&s->loop, &s->on_child);
	uv_timer_init(&s->loop, &s->tick);
	s->on_term.data = s->on_int.data = s->on_hup.data = s->on_child.data =
		s->tick.data = s;
	uv_signal_start(&s->on_term, on_stop_signal, SIGTERM);
	uv_signal_start(&s->on_int, on_stop_signal, SIGINT);
	uv_signal_start(&s->on_hup, on_hangup, SIGHUP);
	uv_signal_start(&s->on_child, on_child, SIGCHLD);
	uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	on_child(&s->on_child, SIGCHLD); /* it may have ended before we listened */
}

static void open_notify(struct server *s)
{
	if (notify_open(&s->notify))
		log_warning(
			"NOTIFY_SOCKET: no such socket can be written to; the service "
			"manager hears nothing from here");
}

static int start(struct server *s)
{
	open_notify(s);
	int err = prepare(s);
	if (err)
		return err;
	s->started_s = (uint64_t)clock_ms(CLOCK_MONOTONIC) / 1000;
	s->wall_ahead_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
	atomic_store(&s->shared.clock_synced, clock_synced());
	uv_loop_init(&s->loop);
	/* Before TCP accepts: from then on SIGTERM is to end it in order. */
	start_loop(s);
	if (s->stopping)
		return ERR_DAMAGED;
	err = open_control(s);
	if (!err)
		err = open_workers(s);
	for (int i = 0; i < s->workers && !err; i++)
		err = worker_start(s->worker[i]);
	return err;
}

/* In this order nothing is put into a ring after the hit log has been closed. */
static void finish(struct server *s)
{
	for (int i = 0; i < s->workers; i++)
		worker_join(s->worker[i]);
	for (int i = 0; i < s->workers; i++)
		worker_close(s->worker[i]);
	if (hit_log_close(s->shared.hits))
		log_warning("hits remain in %s and will be stored at the next start",
			    s->reload.conf->runtime);
	trace_close(s->trace);
	trust_close(s->trust);
	anchor_mail_fini(&s->shared.mail);
	blocklist_view_close(s->view);
	blocklist_close(s->shared.blocklist);
	rrset_cache_close(s->shared.cache);
	denial_close(s->shared.denial);
	server_table_close(s->shared.servers);
	uv_loop_close(&s->loop);
	if (!s->exit_code) /* damage: the next start is to look first */
		startup_ended(s->reload.conf);
}

/* Takes conf. */
static int serve(struct conf *conf, const char *path)
{
	static struct server s;
	reload_init(&s.reload, conf, path, &s.shared);
	s.on_terminal = isatty(STDERR_FILENO);
	if (start(&s))
		exit(EXIT_FAULT); /* threads may run already: all they use stays */
	log_notice("sinkholed " SINKHOLED_VERSION " is ready: workers %d, addresses %d",
		   conf->workers, conf->listen_n);
	s.serving = true;
	say_ready(&s);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	finish(&s);
	free(s.sockets.udp);
	free(s.sockets.tcp);
	notify_close(&s.notify);
	reload_fini(&s.reload);
	log_notice("stopped");
	return s.exit_code;
}

/* ---- options ---- */

static const char usage[] =
	"usage: sinkholed [-c FILE]\n"
	"       sinkholed [-c FILE] --check\n"
	"       sinkholed --help-config | --help | --version\n"
	"\n"
	"A recursive DNS resolver that answers listed names with a sinkhole answer and "
	"logs\n"
	"who asked. It stays in the foreground and logs to stderr.\n"
	"\n"
	"  -c, --config FILE  configuration (YAML); without it the defaults hold\n"
	"      --check        check the configuration and end: 0 good, 1 not\n"
	"      --help-config  every key with its default, as a configuration file\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n"
	"\n"
	"SIGHUP reads the configuration again; SIGTERM and SIGINT end it in order.\n"
	"See sinkholed(8), sinkholed.yaml(5).\n"
	"Exit status: 0 done, 1 no or a check failed, 2 wrong usage or a fault.\n";

/* Takes conf. */
static int check(struct conf *conf, const char *path)
{
	struct startup_user user;
	struct root_hints hints;
	struct anchor_records given;
	bool good = !startup_user(&user, conf) && !load_hints(&hints, conf) &&
		    !trust_given(&given, conf);
	if (good) {
		anchor_records_fini(&given);
		printf("%s: good\n", path ? path : "the default configuration");
	}
	conf_free(conf);
	return good ? 0 : EXIT_NO;
}

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_HELP_CONFIG };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, OPT_CHECK},
		{"help-config", no_argument, NULL, OPT_HELP_CONFIG},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *path = NULL;
	bool only_check = false;
	struct conf_error error;
	struct conf *conf;
	int c;
	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case OPT_CHECK:
			only_check = true;
			break;
		case OPT_HELP_CONFIG:
			conf_help(stdout);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("sinkholed " SINKHOLED_VERSION);
			return 0;
		default:
			fputs("try sinkholed --help\n", stderr);
			return EXIT_FAULT;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"sinkholed: '%s' is not an option; try sinkholed --help\n",
			argv[optind]);
		return EXIT_FAULT;
	}
	signal(SIGPIPE, SIG_IGN);
	if (conf_load(&conf, path, &error)) {
		log_error("%s", error.text);
		return only_check ? EXIT_NO : EXIT_FAULT;
	}
	return only_check ? check(conf, path) : serve(conf, path);
}
