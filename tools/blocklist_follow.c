#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "resolver/notify.h"
#include "tools/follow_notify.h"
#include "tools/follow_zone.h"
#include "tools/list_conf.h"
#include "tools/list_state.h"

/* follow: lists that are zones of others. A thread for each zone asks its primaries, so
 * that a slow one keeps nobody waiting; the main thread takes NOTIFY. */

enum {
	/* Between two rounds of a zone, however often NOTIFY comes: doubled each time
	 * that there was nothing behind it. Whoever forges it costs the primary a
	 * question a second, and makes true news no later than that. */
	GAP_MS = 100,
	GAP_MOST_MS = 800,
	STACK_BYTES = 1 << 20,
	CONNECTION_MS =
		200, /* a primary sends its notification at once; the others wait */
	BACKLOG = 16,
	NOTIFY_MAX = 4096,  /* a question, perhaps an SOA, a signature */
	WATCHDOG_MS = 5000, /* less than half of the unit's WatchdogSec= */
};

struct followed {
	struct follow_zone zone;
	pthread_t thread;
	bool running;
	int wake_fd; /* an eventfd: there is news */
};

struct follow {
	struct cli cli;
	struct conf *conf;
	struct tool tool;
	struct followed *zone;
	int zones;
	struct addr listen[CONF_LISTEN_MAX];
	int listen_n;
	int stop_fd;				     /* an eventfd: all end */
	struct pollfd poll[1 + 2 * CONF_LISTEN_MAX]; /* signals; UDP and TCP of each */
	/* options */
	const char *list, *name, *primary, *key, *listen_text, *reason, *force;
	long precedence;
	bool once, fresh;
	bool from_conf; /* zones are the configuration's */
	char feeds[TOOL_PATH_MAX];
};

/* ---- zones ---- */

enum pause { PAUSE_OVER, PAUSE_WOKEN, PAUSE_END };

static enum pause pause_for(struct followed *z, int64_t ms, bool wake)
{
	struct pollfd p[2] = {{z->zone.stop_fd, POLLIN, 0}, {z->wake_fd, POLLIN, 0}};
	uint64_t news;
	int n = poll(p, wake ? 2 : 1, (int)ms);
	if (n > 0 && p[0].revents)
		return PAUSE_END;
	if (n <= 0)
		return PAUSE_OVER;
	(void)!read(z->wake_fd, &news, sizeof news);
	return PAUSE_WOKEN;
}

static void *work(void *arg)
{
	struct followed *z = arg;
	enum pause how = PAUSE_OVER;
	int64_t gap = GAP_MS;
	while (how != PAUSE_END) {
		follow_refresh(&z->zone);
		if (z->zone.replaced) /* the main thread hears it as from anybody */
			kill(getpid(), SIGTERM);
		gap = z->zone.changed || how == PAUSE_OVER ? GAP_MS : 2 * gap;
		gap = gap < GAP_MOST_MS ? gap : GAP_MOST_MS;
		how = pause_for(z, gap, false);
		if (how != PAUSE_END)
			how = pause_for(z, follow_wait_ms(&z->zone), true);
	}
	return NULL;
}

static int start_zones(struct follow *f)
{
	pthread_attr_t attr;
	int code = pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (int i = 0; !code && i < f->zones; i++) {
		code = pthread_create(&f->zone[i].thread, &attr, work, &f->zone[i]);
		f->zone[i].running = !code;
	}
	pthread_attr_destroy(&attr);
	return code ? cli_fail("cannot start a thread: %s", strerror(code)) : CLI_GO;
}

static void end_zones(struct follow *f)
{
	const uint64_t one = 1;
	(void)!write(f->stop_fd, &one, sizeof one);
	for (int i = 0; i < f->zones; i++)
		if (f->zone[i].running)
			pthread_join(f->zone[i].thread, NULL);
}

/* ---- NOTIFY, RFC 1996 ---- */

/* The place of an address among a zone's primaries, or -1. */
static int place_of(const struct follow_zone *z, const struct addr *from)
{
	for (int i = 0; i < z->primaries; i++) {
		struct addr a = z->primary[i];
		a.port = from->port;
		if (addr_equal(&a, from))
			return i;
	}
	return -1;
}

static bool is_primary(const struct follow *f, const struct addr *from)
{
	for (int i = 0; i < f->zones; i++)
		if (place_of(&f->zone[i].zone, from) >= 0)
			return true;
	return false;
}

/* Wakes every zone that a notification is about: there may be one of that name with
 * another key. True: the answer stands in place of the notification. */
static bool take_notify(struct follow *f, const struct addr *from, uint8_t *msg,
			size_t *len, size_t room)
{
	uint8_t zone[DNS_NAME_MAX], question[NOTIFY_MAX];
	const uint64_t one = 1;
	const size_t n = *len;
	bool answered = false;
	if (n > sizeof question || !follow_notify_read(zone, msg, n))
		return false;
	memcpy(question, msg, n);
	for (int i = 0; i < f->zones; i++) {
		struct followed *z = &f->zone[i];
		uint8_t answer[NOTIFY_MAX];
		size_t answer_n = n;
		int place = place_of(&z->zone, from);
		memcpy(answer, question, n);
		if (place < 0 || !name_equal(z->zone.zone, zone) ||
		    !follow_notify_answer(z->zone.signed_ ? &z->zone.key : NULL, answer,
					  &answer_n, sizeof answer, (int64_t)time(NULL)))
			continue;
		z->zone.first = place;
		(void)!write(z->wake_fd, &one, sizeof one);
		if (answered || answer_n > room)
			continue;
		memcpy(msg, answer, answer_n);
		*len = answer_n;
		answered = true;
	}
	return answered;
}

static struct addr sender(const struct sockaddr_storage *ss)
{
	struct addr from = addr_from_sockaddr((const struct sockaddr *)ss);
	return addr_unmap(&from);
}

static void take_datagram(struct follow *f, int fd)
{
	uint8_t msg[65536];
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof ss;
	ssize_t n = recvfrom(fd, msg, sizeof msg, MSG_DONTWAIT, (struct sockaddr *)&ss,
			     &ss_len);
	size_t len = n > 0 ? (size_t)n : 0;
	struct addr from = sender(&ss);
	if (n >= DNS_HEADER_LEN && take_notify(f, &from, msg, &len, sizeof msg))
		(void)!sendto(fd, msg, len, MSG_DONTWAIT, (struct sockaddr *)&ss, ss_len);
}

static bool read_connection(const struct stream *s, uint8_t *msg, size_t *len)
{
	int64_t until = cli_now_ms() + CONNECTION_MS;
	if (stream_move(s, msg, 2, false, until))
		return false;
	*len = wire_get16(msg);
	return *len >= DNS_HEADER_LEN && !stream_move(s, msg + 2, *len, false, until);
}

/* Knot notifies over TCP. Nobody but a primary is listened to, and it not for long. */
static void take_connection(struct follow *f, int listen_fd)
{
	uint8_t msg[2 + 65535];
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof ss;
	size_t len;
	struct stream s = {accept4(listen_fd, (struct sockaddr *)&ss, &ss_len,
				   SOCK_CLOEXEC | SOCK_NONBLOCK),
			   f->poll[0].fd};
	if (s.fd < 0)
		return;
	struct addr from = sender(&ss);
	if (is_primary(f, &from) && read_connection(&s, msg, &len) &&
	    take_notify(f, &from, msg + 2, &len, sizeof msg - 2)) {
		wire_set16(msg, (unsigned)len);
		(void)!send(s.fd, msg, len + 2, MSG_NOSIGNAL);
	}
	close(s.fd);
}

static int listen_on(const struct addr *a, int type, int *fd)
{
	struct sockaddr_storage ss;
	char text[ADDR_TEXT_MAX];
	const int on = 1;
	socklen_t len = addr_to_sockaddr(&ss, a);
	*fd = socket(ss.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd >= 0 && type == SOCK_STREAM)
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (*fd >= 0 && a->family == 6)
		setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (*fd >= 0 && bind(*fd, (struct sockaddr *)&ss, len) == 0 &&
	    (type == SOCK_DGRAM || listen(*fd, BACKLOG) == 0))
		return CLI_GO;
	return cli_fail("cannot listen for NOTIFY on %s: %s", addr_port_to_text(text, a),
			strerror(errno));
}

/* Signals come as input, so that none falls between two looks. */
static int open_inputs(struct follow *f)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	f->poll[0] = (struct pollfd){signalfd(-1, &stop, SFD_CLOEXEC), POLLIN, 0};
	int status = f->poll[0].fd < 0 ? cli_fail("cannot wait for signals: %m") : CLI_GO;
	for (int i = 0; status == CLI_GO && i < f->listen_n; i++) {
		struct pollfd *p = &f->poll[1 + 2 * i];
		p[0].events = p[1].events = POLLIN;
		status = listen_on(&f->listen[i], SOCK_DGRAM, &p[0].fd);
		if (status == CLI_GO)
			status = listen_on(&f->listen[i], SOCK_STREAM, &p[1].fd);
	}
	return status;
}

/* The manager hears of it now and then, if it wants to. */
static int look_around(struct follow *f, const struct notify *manager, int64_t *told_ms)
{
	int n = poll(f->poll, 1 + 2 * (nfds_t)f->listen_n,
		     manager->watchdog ? WATCHDOG_MS : -1);
	if (manager->watchdog && cli_now_ms() - *told_ms >= WATCHDOG_MS) {
		notify_send(manager, "WATCHDOG=1");
		*told_ms = cli_now_ms();
	}
	return n;
}

static int serve(struct follow *f)
{
	struct notify manager;
	int64_t told_ms = 0;
	if (notify_open(&manager))
		return cli_fail("cannot reach the service manager at NOTIFY_SOCKET");
	int status = open_inputs(f);
	if (status == CLI_GO)
		status = start_zones(f);
	if (status == CLI_GO)
		notify_send(&manager, "READY=1");
	while (status == CLI_GO) {
		int n = look_around(f, &manager, &told_ms);
		if (n > 0 && f->poll[0].revents)
			status = CLI_DONE;
		for (int i = 1; n > 0 && i <= 2 * f->listen_n; i++) {
			if (!f->poll[i].revents)
				continue;
			if (i % 2)
				take_datagram(f, f->poll[i].fd);
			else
				take_connection(f, f->poll[i].fd);
		}
	}
	notify_send(&manager, "STOPPING=1");
	end_zones(f);
	for (int i = 0; i < f->zones; i++)
		if (f->zone[i].zone.replaced)
			status = cli_fail("the store was replaced by another file: start "
					  "follow again");
	notify_close(&manager);
	return status;
}

/* Whether a list of the configuration is one of those to follow. */
static bool is_meant(const struct follow *f, const struct conf_list *l)
{
	return l->primary_n && (!f->list || strcmp(f->list, l->name) == 0);
}

/* A list that stands is as the configuration has it from now on, not from its next
 * import. */
static int apply_settings(struct follow *f)
{
	int status = CLI_GO;
	for (int i = 0; f->from_conf && status == CLI_GO && i < f->conf->lists_n; i++)
		if (is_meant(f, &f->conf->lists[i]))
			status = list_conf_apply(&f->tool, &f->conf->lists[i]);
	return status;
}

static int refresh_once(struct follow *f)
{
	bool good = true;
	for (int i = 0; i < f->zones; i++)
		good = follow_refresh(&f->zone[i].zone) && good;
	return good ? CLI_DONE : CLI_NO;
}

/* ---- what to follow ---- */

/* "ADDRESS[@PORT],...": returns the count, 0 after printing what is wrong. */
static int read_addresses(struct addr *out, int max, const char *option, const char *text)
{
	int n = 0;
	for (const char *end; text; text = *end ? end + 1 : NULL) {
		char one[ADDR_TEXT_MAX];
		end = strchrnul(text, ',');
		snprintf(one, sizeof one, "%.*s", (int)(end - text), text);
		if (n == max || addr_port_from_text(&out[n], one, DNS_PORT) ||
		    !out[n].port) {
			cli_fail("%s takes up to %d addresses, ADDRESS[@PORT], with "
				 "commas between, not \"%s\"",
				 option, max, one);
			return 0;
		}
		n++;
	}
	return n;
}

static int read_key(struct follow_zone *z, const char *path)
{
	const char *why;
	if (!path || !*path)
		return CLI_GO;
	if (tsig_key_load(&z->key, path, &why))
		return cli_fail("the key %s cannot be used: %s", path, why);
	z->signed_ = true;
	return CLI_GO;
}

static int zone_from_options(struct follow *f)
{
	struct follow_zone *z = &f->zone[0].zone;
	if (!f->list || !f->name || !f->primary)
		return cli_fail("%s needs --list NAME, --zone ZONE and --primary "
				"ADDRESS, or none of these and lists with a primary in "
				"the configuration",
				f->cli.command);
	if (name_from_str(z->zone, f->name) || !*z->zone)
		return cli_fail("--zone takes a zone's name, not \"%s\"", f->name);
	z->list = f->list;
	z->precedence = f->precedence;
	z->primaries =
		read_addresses(z->primary, CONF_SERVERS_MAX, "--primary", f->primary);
	return z->primaries ? read_key(z, f->key) : CLI_FAULT;
}

static int zone_from_conf(struct follow_zone *z, const struct conf_list *l)
{
	z->list = l->name;
	z->precedence = -1;
	z->primaries = l->primary_n;
	name_copy(z->zone, l->zone);
	memcpy(z->primary, l->primary, sizeof z->primary);
	return read_key(z, l->tsig);
}

static int count_zones(struct follow *f)
{
	const bool options = f->name || f->primary || f->key || f->precedence >= 0;
	int status = cli_conf(&f->conf, &f->cli);
	if (status != CLI_GO)
		return status;
	for (int i = 0; !options && i < f->conf->lists_n; i++)
		f->zones += is_meant(f, &f->conf->lists[i]);
	f->from_conf = f->zones > 0;
	if (!f->zones && f->list && !options)
		return cli_fail("the configuration has no list \"%s\" with a primary",
				f->list);
	f->zones += !f->zones;
	f->zone = calloc((size_t)f->zones, sizeof *f->zone);
	return f->zone ? CLI_GO : cli_fail("out of memory");
}

static int find_zones(struct follow *f)
{
	int status = CLI_GO, n = 0;
	if (!f->from_conf)
		return zone_from_options(f);
	for (int i = 0; status == CLI_GO && i < f->conf->lists_n; i++)
		if (is_meant(f, &f->conf->lists[i]))
			status = zone_from_conf(&f->zone[n++].zone, &f->conf->lists[i]);
	return status;
}

static int find_listen(struct follow *f)
{
	if (f->listen_text) {
		f->listen_n = read_addresses(f->listen, CONF_LISTEN_MAX, "--listen",
					     f->listen_text);
		return f->listen_n ? CLI_GO : CLI_FAULT;
	}
	if (f->from_conf && !f->once) {
		f->listen_n = f->conf->follow.listen_n;
		memcpy(f->listen, f->conf->follow.listen, sizeof f->listen);
	}
	return CLI_GO;
}

static int prepare(struct follow *f)
{
	if ((f->fresh || f->force) && (!f->reason || !*f->reason))
		return cli_fail("%s needs --reason TEXT: it is recorded with the change",
				f->fresh ? "--fresh" : "--force");
	if (f->force && !f->once)
		return cli_fail("--force is for --once: what it lets pass is one change");
	int status = count_zones(f);
	if (status == CLI_GO)
		status = find_zones(f);
	if (status == CLI_GO)
		status = find_listen(f);
	if (status == CLI_GO && f->from_conf)
		status = list_state_folder(f->feeds, sizeof f->feeds, &f->cli);
	if (status != CLI_GO)
		return status;
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	for (int i = 0; i < f->zones; i++) {
		struct followed *z = &f->zone[i];
		z->zone.cli = &f->cli;
		z->zone.tool = &f->tool;
		z->zone.stop_fd = f->stop_fd;
		z->zone.conf = f->conf;
		z->zone.feeds = f->from_conf ? f->feeds : NULL;
		z->zone.fresh = f->fresh;
		z->zone.force = f->force;
		z->zone.reason = f->reason;
		z->wake_fd = eventfd(0, EFD_CLOEXEC);
		if (f->stop_fd < 0 || z->wake_fd < 0)
			return cli_fail("cannot make an event: %s", strerror(errno));
	}
	return CLI_GO;
}

static void follow_close(struct follow *f)
{
	for (int i = 0; i <= 2 * f->listen_n; i++)
		if (f->poll[i].fd > 0)
			close(f->poll[i].fd);
	for (int i = 0; f->zone && i < f->zones; i++)
		if (f->zone[i].wake_fd > 0)
			close(f->zone[i].wake_fd);
	if (f->stop_fd >= 0)
		close(f->stop_fd);
	free(f->zone);
	conf_free(f->conf);
	tool_close(&f->tool);
	free(f);
}

int tool_follow(const struct cli_command *self, int argc, char **argv)
{
	struct follow *f = calloc(1, sizeof *f);
	if (!f)
		return cli_fail("out of memory");
	f->precedence = -1;
	f->stop_fd = -1;
	f->tool.record_fd = -1;
	const struct cli_option options[] = {
		{"list", CLI_TEXT, &f->list, "NAME",
		 "list that the zone becomes; alone: that of the configuration", 0, 0},
		{"zone", CLI_TEXT, &f->name, "ZONE", "response policy zone", 0, 0},
		{"primary", CLI_TEXT, &f->primary, "ADDRESS[@PORT],...",
		 "who to ask, one after another", 0, 0},
		{"key", CLI_TEXT, &f->key, "FILE", "TSIG key: hmac-sha256:NAME:SECRET", 0,
		 0},
		{"listen", CLI_TEXT, &f->listen_text, "ADDRESS[@PORT],...",
		 "where primaries send NOTIFY to", 0, 0},
		{"precedence", CLI_NUMBER, &f->precedence, "N",
		 "the lower number wins (new lists: 100)", 0, UINT16_MAX},
		{"once", CLI_FLAG, &f->once, NULL, "ask once, and end", 0, 0},
		{"fresh", CLI_FLAG, &f->fresh, NULL,
		 "take the zone whole, though it be older or far shorter", 0, 0},
		{"force", CLI_MAYBE, &f->force, "WHAT",
		 "with --once: what import --force takes", 0, 0},
		{"reason", CLI_TEXT, &f->reason, "TEXT",
		 "why; must be given with --fresh and --force", 0, 0},
		{0},
	};
	int status = cli_parse(&f->cli, self, options, 0, 0, argc, argv);
	if (status == CLI_GO)
		status = prepare(f);
	if (status == CLI_GO)
		status = tool_open(&f->tool, &f->cli, BLOCKLIST_WRITE);
	if (status == CLI_GO)
		status = apply_settings(f);
	if (status == CLI_GO) {
		blocklist_view_reset(f->tool.view);
		status = f->once ? refresh_once(f) : serve(f);
	}
	follow_close(f);
	return status;
}
