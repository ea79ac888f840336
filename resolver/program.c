/* program.c: sinkholed while it runs: clock, signals, configuration, end. */
#include "resolver/program.h"

#include <signal.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/version.h"
#include "resolver/program_parts.h"

enum {
	TICK_MS = 1000,	   /* clock and kernel state are looked at */
	CLOCK_BACK_S = 10, /* a wall clock set back further makes cached data "future" */
};

/* ---- time ---- */

int64_t program_clock_ms(clockid_t id)
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

static void watch_clock(struct program *p)
{
	int64_t ahead =
		program_clock_ms(CLOCK_REALTIME) - program_clock_ms(CLOCK_MONOTONIC);
	int64_t back = p->wall_ahead_ms - ahead;
	p->wall_ahead_ms = ahead;
	atomic_store(&p->shared.clock_synced, clock_synced());
	if (back <= CLOCK_BACK_S * 1000)
		return;
	uint32_t now_s = (uint32_t)(program_clock_ms(CLOCK_REALTIME) / 1000);
	uint64_t gone = rrset_cache_drop_future(p->shared.cache, now_s);
	if (p->shared.denial)
		gone += denial_drop_future(p->shared.denial, now_s);
	atomic_fetch_add(&p->shared.flushes, 1);
	log_warning("the clock was set back by %lld s: %llu cached RRsets dated later "
		    "are gone",
		    (long long)(back / 1000), (unsigned long long)gone);
}

/* Moved aside while we serve, as the tools advise for a damaged store, it stays in force
 * here, and the tools write to another file: nothing of that acts. */
static void watch_blocklist(struct program *p)
{
	char path[PROGRAM_STORE_PATH_MAX];
	struct stat st;
	p->store_replaced = stat(program_store_path(path, p, PROGRAM_STORE_FILE), &st) ||
			    st.st_ino != p->store.st_ino || st.st_dev != p->store.st_dev;
	if (p->store_replaced)
		log_limited(&p->replaced_limit,
			    (uint64_t)program_clock_ms(CLOCK_MONOTONIC), LOG_ERROR,
			    "%s has been moved or replaced: what changes there does not "
			    "act; restart sinkholed, or put the old one back",
			    path);
}

/* Each loop has to have turned since the last tick, or the manager hears nothing and in
 * the end starts us anew: a worker that stands loses its share of the questions. */
static void watch_workers(struct program *p)
{
	bool all = true;
	for (int i = 0; i < p->workers; i++) {
		if (worker_moved(p->worker[i]))
			continue;
		all = false;
		log_limited(&p->stuck_limit, (uint64_t)program_clock_ms(CLOCK_MONOTONIC),
			    LOG_ERROR, "worker %d does not answer: its loop stands", i);
	}
	if (all && p->notify.watchdog)
		notify_send(&p->notify, "WATCHDOG=1");
}

static void tidy(struct program *p)
{
	if (!trace_running(p->trace))
		reload_tidy(&p->reload, p->worker, p->workers);
}

static void on_tick(uv_timer_t *timer)
{
	watch_clock(timer->data);
	watch_blocklist(timer->data);
	watch_workers(timer->data);
	trust_tick(((struct program *)timer->data)->trust,
		   (uint32_t)(program_clock_ms(CLOCK_REALTIME) / 1000));
	tidy(timer->data);
}

/* ---- the end ---- */

void program_stop(struct program *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	notify_send(&p->notify, "STOPPING=1");
	for (int i = 0; i < p->workers; i++)
		worker_stop(p->worker[i]);
	trace_shutdown(p->trace);
	control_close(p->control);
	uv_close((uv_handle_t *)&p->on_term, NULL);
	uv_close((uv_handle_t *)&p->on_int, NULL);
	uv_close((uv_handle_t *)&p->on_hup, NULL);
	uv_close((uv_handle_t *)&p->on_child, NULL);
	uv_close((uv_handle_t *)&p->tick, NULL);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
	log_notice("stopping (signal %d)", number);
	program_stop(signal->data);
}

/* The manager waits for both: that we serve, and that the blocklist is known to be whole.
 * Questions are answered before: the blocklist in force is never less than it was. */
static void say_ready(struct program *p)
{
	if (p->serving && !p->verifier)
		notify_send(&p->notify, "READY=1");
}

/* ---- the configuration again ---- */

/* The configuration first: the anchors are those it names. */
static int read_again(struct program *p, char error[CONTROL_ERROR_MAX],
		      char kept[CONF_KEPT_MAX])
{
	struct conf_error why;
	int err = reload_now(&p->reload, &why, kept);
	if (err) {
		snprintf(error, CONTROL_ERROR_MAX, "%.*s", CONTROL_ERROR_MAX - 1,
			 why.text);
		return err;
	}
	if (*kept)
		log_warning("these keys have changed and need a restart: %s", kept);
	err = trust_reload(p->trust, error);
	if (err && !*error)
		snprintf(error, CONTROL_ERROR_MAX, "trust anchors: %s", err_text(err));
	return err;
}

int program_reload(struct program *p, char error[CONTROL_ERROR_MAX],
		   char kept[CONF_KEPT_MAX])
{
	char lines[64];
	snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)program_clock_ms(CLOCK_MONOTONIC) * 1000);
	notify_send(&p->notify, lines);
	*error = 0;
	int err = read_again(p, error, kept);
	say_ready(p);
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
	struct program *p = signal->data;
	char error[CONTROL_ERROR_MAX], kept[CONF_KEPT_MAX];
	if (p->on_terminal && !isatty(STDERR_FILENO))
		on_stop_signal(signal, number);
	else
		(void)program_reload(p, error, kept);
}

/* The check of the blocklist that runs beside the first minutes of service. */
static void on_child(uv_signal_t *signal, int number)
{
	struct program *p = signal->data;
	int status;
	(void)number;
	if (!p->verifier || waitpid(p->verifier, &status, WNOHANG) != p->verifier)
		return;
	p->verifier = 0;
	p->checked = startup_verified(status, p->reload.conf);
	if (p->checked != ERR_STOPPED)
		startup_checked(&p->mark, !p->checked, p->reload.conf);
	if (p->checked == ERR_DAMAGED) {
		p->exit_code = PROGRAM_FAULT;
		program_stop(p);
	} else if (!p->checked) {
		log_info("the blocklist has been checked: whole");
	}
	if (!p->stopping)
		say_ready(p);
}

/* ---- the start ---- */

static int open_workers(struct program *p)
{
	const int n = p->reload.conf->listen_n;
	for (; p->workers < p->reload.conf->workers; p->workers++) {
		int i = p->workers;
		int err = worker_open(&p->worker[i], &p->shared, i,
				      p->sockets.udp + i * n, p->sockets.tcp + i * n);
		if (err) {
			log_error("worker %d cannot start: %s", i, err_text(err));
			return err;
		}
	}
	return ERR_OK;
}

static void start_loop(struct program *p)
{
	uv_signal_init(&p->loop, &p->on_term);
	uv_signal_init(&p->loop, &p->on_int);
	uv_signal_init(&p->loop, &p->on_hup);
	uv_signal_init(&p->loop, &p->on_child);
	uv_timer_init(&p->loop, &p->tick);
	p->on_term.data = p->on_int.data = p->on_hup.data = p->on_child.data =
		p->tick.data = p;
	uv_signal_start(&p->on_term, on_stop_signal, SIGTERM);
	uv_signal_start(&p->on_int, on_stop_signal, SIGINT);
	uv_signal_start(&p->on_hup, on_hangup, SIGHUP);
	uv_signal_start(&p->on_child, on_child, SIGCHLD);
	uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
	on_child(&p->on_child, SIGCHLD); /* it may have ended before we listened */
}

static void open_notify(struct program *p)
{
	if (notify_open(&p->notify))
		log_warning(
			"NOTIFY_SOCKET: no such socket can be written to; the service "
			"manager hears nothing from here");
}

static int start(struct program *p)
{
	open_notify(p);
	int err = program_prepare(p);
	if (err)
		return err;
	p->started_s = (uint64_t)program_clock_ms(CLOCK_MONOTONIC) / 1000;
	p->wall_ahead_ms =
		program_clock_ms(CLOCK_REALTIME) - program_clock_ms(CLOCK_MONOTONIC);
	atomic_store(&p->shared.clock_synced, clock_synced());
	uv_loop_init(&p->loop);
	/* Before TCP accepts: from then on SIGTERM is to end it in order. */
	start_loop(p);
	if (p->stopping)
		return ERR_DAMAGED;
	err = program_control(p);
	if (!err)
		err = open_workers(p);
	for (int i = 0; i < p->workers && !err; i++)
		err = worker_start(p->worker[i]);
	return err;
}

/* In this order nothing is put into a ring after the hit log has been closed. */
static void finish(struct program *p)
{
	for (int i = 0; i < p->workers; i++)
		worker_join(p->worker[i]);
	for (int i = 0; i < p->workers; i++)
		worker_close(p->worker[i]);
	if (hit_log_close(p->shared.hits))
		log_warning("hits remain in %s and will be stored at the next start",
			    p->reload.conf->runtime);
	trace_close(p->trace);
	trust_close(p->trust);
	anchor_mail_fini(&p->shared.mail);
	blocklist_view_close(p->view);
	blocklist_close(p->shared.blocklist);
	rrset_cache_close(p->shared.cache);
	denial_close(p->shared.denial);
	server_table_close(p->shared.servers);
	uv_loop_close(&p->loop);
	if (!p->exit_code) /* damage: the next start is to look first */
		startup_ended(p->reload.conf);
}

int program_serve(struct conf *conf, const char *path)
{
	static struct program p;
	reload_init(&p.reload, conf, path, &p.shared);
	p.on_terminal = isatty(STDERR_FILENO);
	if (start(&p))
		exit(PROGRAM_FAULT); /* threads may run already: all they use stays */
	log_notice("sinkholed " SINKHOLED_VERSION " is ready: workers %d, addresses %d",
		   conf->workers, conf->listen_n);
	p.serving = true;
	say_ready(&p);
	uv_run(&p.loop, UV_RUN_DEFAULT);
	finish(&p);
	free(p.sockets.udp);
	free(p.sockets.tcp);
	notify_close(&p.notify);
	reload_fini(&p.reload);
	log_notice("stopped");
	return p.exit_code;
}
