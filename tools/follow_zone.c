#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/hash.h"
#include "tools/blocklist_gate.h"
#include "tools/follow_zone.h"
#include "tools/list_state.h"

/* A whole zone goes through the import of this program, in a process of its own: with all
 * its gates, its bounds on memory, its record. Changes go straight to the store. */

enum {
	WAIT_LEAST_S = 1,
	WAIT_MOST_S = 86400, /* a list is asked for once a day, whatever its SOA says */
	RETRY_S = 5,	     /* as long as no SOA has told another */
	RETRY_MOST_S = 3600,
	/* What a gate has refused comes again, whole, only so often: a person has to see
	 * to it, who may also say so at once with --fresh, or a new start. */
	REFUSED_MS = 3600000,
	/* P5: no SOA makes a list stand for ever. */
	EXPIRE_MOST_S = BLOCKLIST_LEASE_S,
	IMPORT_ARGS = 24,
	FORCE_MAX = 256,
	REMEMBER_S = 60,
};

static void __attribute__((format(printf, 2, 3)))
say(const struct follow_zone *z, const char *format, ...)
{
	char text[512], clean[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", z->text, cli_clean(clean, sizeof clean, text));
}

/* ---- the list ---- */

struct standing {
	bool known; /* it holds what the zone was at its serial */
	bool frees; /* all of its rules let through */
	struct blocklist_list list;
};

static int look(const struct follow_zone *z, struct standing *out)
{
	struct blocklist_view *v;
	memset(out, 0, sizeof *out);
	int err = blocklist_view_open(&v, z->tool->bl);
	if (err)
		return err;
	err = blocklist_view_renew(v);
	const struct blocklist_list *l = err ? NULL : blocklist_list_named(v, z->list);
	if (l) {
		out->known = l->serial != 0 || z->zero;
		out->frees = l->action == RULE_PASSTHRU;
		out->list = *l;
	}
	blocklist_view_close(v);
	return err;
}

/* The lease is the SOA's expire: who is not asked any more is not believed either. What
 * lets through does not lapse (P5). */
static uint32_t lease_of(const struct standing *was, const struct soa *soa)
{
	if (was->frees)
		return 0;
	if (soa->expire > EXPIRE_MOST_S)
		return EXPIRE_MOST_S;
	return soa->expire ? soa->expire : 1;
}

static int confirm(const struct follow_zone *z, const struct standing *was,
		   const struct soa *soa)
{
	struct blocklist_delta *d;
	int err = blocklist_delta_open(&d, z->tool->bl, z->list);
	if (err)
		return err;
	err = blocklist_delta_commit(d, soa->serial, lease_of(was, soa));
	blocklist_delta_close(d);
	return err;
}

/* ---- changes ---- */

struct applying {
	struct blocklist_delta *delta;
	struct gate gate;
	bool add;
};

/* What an import would leave out at the gate is left out here, too. */
static int each_item(void *arg, const struct blocklist_item *item, uint64_t line)
{
	struct applying *a = arg;
	(void)line;
	if (!a->add) {
		int err = blocklist_delta_put(a->delta, item, false);
		return err == ERR_NOENT && gate_item(&a->gate, item, 0) != FEED_WORD
			       ? ERR_OK
			       : err;
	}
	int why = gate_item(&a->gate, item, 0);
	if (why != FEED_WORD)
		return why == FEED_SKIP_POPULAR ? ERR_REFUSED : ERR_OK;
	return blocklist_delta_put(a->delta, item, true);
}

static int each_skip(void *arg, enum feed_skip why, uint64_t line, const char *text)
{
	(void)arg, (void)why, (void)line, (void)text;
	return 0;
}

static int apply_parts(const struct follow_zone *z, const struct transfer_zone *got,
		       struct applying *a)
{
	const struct feed_callbacks cb = {each_item, each_skip, NULL, a};
	int err = ERR_OK;
	for (int i = 0; !err && i < got->parts; i++) {
		const struct transfer_part *p = &got->part[i];
		const struct feed_options options = {.format = FEED_RPZ,
						     .origin = z->text,
						     .now = (uint32_t)time(NULL)};
		struct feed_result r;
		a->add = p->add;
		if (p->len)
			err = feed_read_memory(&r, got->text + p->at, p->len, &options,
					       &cb);
	}
	return err;
}

/* All of it, with the gates that an import has. */
static int put_all(const struct follow_zone *z, const struct standing *was,
		   const struct transfer_zone *got, struct blocklist_delta *d)
{
	struct applying a = {.delta = d};
	struct gate_options o = {.conf = z->conf,
				 .folder = z->tool->dir,
				 .list = z->list,
				 .action = -1,
				 .precedence = -1};
	char why[GATE_WHY_MAX];
	int err = blocklist_view_open(&o.view, z->tool->bl);
	if (!err)
		err = blocklist_view_renew(o.view);
	if (!err && gate_open(&a.gate, &o) == CLI_GO) {
		struct blocklist_changes c;
		err = apply_parts(z, got, &a);
		c = blocklist_delta_changes(d);
		if (!err && gate_share(&a.gate, why, &was->list, &c) != GATE_FITS)
			err = ERR_REFUSED;
		gate_close(&a.gate);
	} else if (!err) {
		err = ERR_REFUSED; /* gate_open() has told why; an import would, too */
	}
	blocklist_view_close(o.view);
	return err;
}

static int record(const struct follow_zone *z, const struct standing *was,
		  const struct transfer_zone *got, const struct blocklist_changes *c)
{
	json_t *what = json_pack("{ss ss sI sI sI sI sI}", "list", z->list, "zone",
				 z->text, "serial_before", (json_int_t)was->list.serial,
				 "serial", (json_int_t)got->soa.serial, "added",
				 (json_int_t)c->added, "changed", (json_int_t)c->changed,
				 "removed", (json_int_t)c->removed);
	return tool_record(z->tool, "follow", what) == CLI_GO ? ERR_OK : ERR_IO;
}

/* ERR_RANGE, ERR_NOENT, ERR_REFUSED: an import of the whole zone has to judge. */
static int apply(const struct follow_zone *z, const struct standing *was,
		 const struct transfer_zone *got)
{
	struct blocklist_delta *d;
	int err = blocklist_delta_open(&d, z->tool->bl, z->list);
	if (err)
		return err;
	err = put_all(z, was, got, d);
	struct blocklist_changes c = blocklist_delta_changes(d);
	if (!err)
		err = blocklist_delta_commit(d, got->soa.serial,
					     lease_of(was, &got->soa));
	blocklist_delta_close(d);
	if (err)
		return err;
	say(z, "serial %u to %u: %llu added, %llu changed, %llu removed",
	    was->list.serial, got->soa.serial, (unsigned long long)c.added,
	    (unsigned long long)c.changed, (unsigned long long)c.removed);
	return record(z, was, got, &c);
}

/* ---- the whole zone ---- */

/* What an import says: on standard output, of interest when it refuses, and on standard
 * error. */
struct said {
	int out, err; /* files without a name */
};

static int start_import(const struct follow_zone *z, pid_t *pid, char *const argv[],
			int file, const struct said *said)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions))
		return ERR_NOMEM;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, said->out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, said->err, STDERR_FILENO);
	int code = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (code)
		say(z, "cannot start the import: %s", strerror(code));
	return code ? ERR_IO : ERR_OK;
}

static void pass_on(int from)
{
	char bytes[4096];
	off_t at = 0;
	for (ssize_t n; (n = pread(from, bytes, sizeof bytes, at)) > 0; at += n)
		(void)!write(STDERR_FILENO, bytes, (size_t)n);
}

/* The reason of a refusal: the first line, behind the program's name. */
static void first_line(char *out, size_t size, int from)
{
	ssize_t n = pread(from, out, size - 1, 0);
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
	char *text = strstr(out, ": ");
	if (text)
		memmove(out, text + 2, strlen(text + 2) + 1);
}

/* An import that is told to end has changed nothing. */
static int await(const struct follow_zone *z, pid_t pid)
{
	int status, fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p[2] = {{fd, POLLIN, 0}, {z->stop_fd, POLLIN, 0}};
	while (fd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	if (p[1].revents)
		kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ERR_IO;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CLI_DONE)
		return ERR_OK;
	if (p[1].revents)
		return ERR_STOPPED;
	return WIFEXITED(status) && WEXITSTATUS(status) == CLI_NO ? ERR_REFUSED : ERR_IO;
}

/* A zone may begin without rules; that it lost all of them needs a person. */
static bool force_of(char out[FORCE_MAX], const struct follow_zone *z,
		     const struct standing *was, const struct transfer_zone *got)
{
	bool begins = got->empty && was->list.names + was->list.addresses == 0;
	if (z->force && !*z->force)
		snprintf(out, FORCE_MAX, "--force");
	else
		snprintf(out, FORCE_MAX, "--force=%s%s%s", z->force ? z->force : "",
			 z->force && (z->fresh || begins) ? "," : "",
			 z->fresh ? "shrink,growth,empty"
			 : begins ? "empty"
				  : "");
	return z->force || z->fresh || begins;
}

static int import(struct follow_zone *z, const struct standing *was,
		  const struct transfer_zone *got, const char *primary)
{
	char lease[24], precedence[24], force[FORCE_MAX];
	char reason[DNS_NAME_TEXT_MAX + 256];
	const char *args[IMPORT_ARGS];
	int n = 0;
	pid_t pid;
	snprintf(lease, sizeof lease, "%us", lease_of(was, &got->soa));
	snprintf(precedence, sizeof precedence, "%ld", z->precedence);
	snprintf(reason, sizeof reason, "transfer of %s serial %u from %s%s%s", z->text,
		 got->soa.serial, primary, z->reason ? ": " : "",
		 z->reason ? z->reason : "");
	const char *const fixed[] = {"sinkhole-blocklist", "import", "--list",	 z->list,
				     "--format",	   "rpz",    "--origin", z->text,
				     "--reason",	   reason};
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		args[n++] = fixed[i];
	if (!was->frees)
		args[n++] = "--expires", args[n++] = lease;
	if (z->precedence >= 0)
		args[n++] = "--precedence", args[n++] = precedence;
	if (z->cli->conf_file)
		args[n++] = "-c", args[n++] = z->cli->conf_file;
	if (z->cli->state)
		args[n++] = "--state", args[n++] = z->cli->state;
	if (force_of(force, z, was, got))
		args[n++] = force;
	args[n++] = "-";
	args[n] = NULL;
	struct said said = {memfd_create("out", MFD_CLOEXEC),
			    memfd_create("err", MFD_CLOEXEC)};
	int err = said.out < 0 || said.err < 0
			  ? ERR_NOMEM
			  : start_import(z, &pid, (char *const *)(void *)args, got->file,
					 &said);
	if (!err) {
		err = await(z, pid);
		pass_on(said.err);
		first_line(z->why, sizeof z->why, said.err);
	}
	if (err == ERR_REFUSED)
		pass_on(said.out);
	if (said.out >= 0)
		close(said.out);
	if (said.err >= 0)
		close(said.err);
	return err;
}

/* ---- one primary ---- */

/* A gate's no is remembered: what it has refused does not come again at once. */
static void refuse(struct follow_zone *z, struct transfer *t, uint32_t serial)
{
	z->refusing = true;
	z->refused = serial;
	z->refused_ms = cli_now_ms() + REFUSED_MS;
	snprintf(t->why, sizeof t->why,
		 "serial %u was refused, the list is as it was; see above, then take it "
		 "with --once --force --reason TEXT, or have it put right",
		 serial);
}

static int take(struct follow_zone *z, struct transfer *t, const struct addr *primary,
		const struct standing *was, const struct transfer_zone *got)
{
	char address[ADDR_TEXT_MAX];
	if (got->file < 0)
		return apply(z, was, got);
	addr_port_to_text(address, primary);
	int err = import(z, was, got, address);
	if (err == ERR_REFUSED)
		refuse(z, t, got->soa.serial);
	else if (!err)
		say(z, "serial %u taken whole from %s", got->soa.serial, address);
	/* An import takes 0 for none. */
	return err || got->soa.serial ? err : confirm(z, was, &got->soa);
}

/* Asks one primary, and brings the list to what it says. t->why tells what went wrong
 * with it. */
static int fetch_zone(struct follow_zone *z, struct transfer *t,
		      const struct addr *primary, const struct standing *was,
		      bool incremental)
{
	struct transfer_zone got = {.file = -1};
	int err = transfer_zone(t, &got, z->tool->dir, incremental, was->list.serial);
	if (!err && was->known && !z->fresh &&
	    !soa_newer(got.soa.serial, was->list.serial)) {
		snprintf(t->why, sizeof t->why, "it sends the older serial %u",
			 got.soa.serial);
		err = ERR_FORMAT;
	}
	if (!err) {
		snprintf(t->why, sizeof t->why, "the list was not changed");
		err = take(z, t, primary, was, &got);
	}
	if (!err) {
		z->soa = got.soa;
		z->changed = true;
	}
	transfer_zone_fini(&got);
	return err;
}

static int open_and_ask(struct follow_zone *z, struct transfer *t, const struct addr *a,
			struct soa *soa)
{
	int err = transfer_open(t, a, z->zone, z->signed_ ? &z->key : NULL, z->stop_fd);
	return err ? err : transfer_soa(t, soa);
}

/* What its SOA says: ERR_EXIST when there is nothing to fetch. */
static int judge_soa(struct follow_zone *z, struct transfer *t,
		     const struct standing *was, const struct soa *soa)
{
	if (z->fresh)
		return ERR_OK;
	if (was->known && soa->serial == was->list.serial) {
		int err = confirm(z, was, soa);
		snprintf(t->why, sizeof t->why, "the list cannot be renewed: %s",
			 err_text(err));
		z->soa = *soa;
		return err ? err : ERR_EXIST;
	}
	if (was->known && !soa_newer(soa->serial, was->list.serial)) {
		snprintf(t->why, sizeof t->why,
			 "its serial %u is older than ours, %u: not taken", soa->serial,
			 was->list.serial);
		snprintf(z->why, sizeof z->why, "%s", t->why);
		z->refusing = true;
		return ERR_REFUSED;
	}
	if (soa->serial == z->refused && cli_now_ms() < z->refused_ms) {
		snprintf(t->why, sizeof t->why,
			 "serial %u was refused, and is not asked for again yet",
			 soa->serial);
		z->refusing = true;
		return ERR_REFUSED;
	}
	return ERR_OK;
}

static int one_primary(struct follow_zone *z, struct transfer *t,
		       const struct addr *primary, const struct standing *was)
{
	struct soa soa = {0};
	int err = open_and_ask(z, t, primary, &soa);
	if (!err)
		err = judge_soa(z, t, was, &soa);
	if (err)
		return err == ERR_EXIST ? ERR_OK : err;
	bool incremental = was->known && !z->fresh && !z->force;
	err = incremental ? fetch_zone(z, t, primary, was, true) : ERR_VERSION;
	if (err == ERR_OK || err == ERR_STOPPED || err == ERR_ACCESS || err == ERR_BUSY)
		return err;
	if (incremental) { /* what is left of its answer goes with the connection */
		say(z, "changes cannot be used: %s; asking for all of it", t->why);
		transfer_close(t);
		err = open_and_ask(z, t, primary, &soa);
		if (err)
			return err;
	}
	return fetch_zone(z, t, primary, was, false);
}

static bool power_of_two(unsigned n)
{
	return !(n & (n - 1));
}

/* The same again is said less and less often: a primary can be away for months. */
static void complain(struct follow_zone *z, int at, const char *why)
{
	static const struct hash_key fixed;
	char address[ADDR_TEXT_MAX];
	uint64_t hash = hash_bytes(&fixed, (const uint8_t *)why, strlen(why));
	if (!z->refusing)
		snprintf(z->why, sizeof z->why, "%s", why);
	if (z->said[at] == hash && !power_of_two(z->failures + 1))
		return;
	z->said[at] = hash;
	say(z, "%s: %s", addr_port_to_text(address, &z->primary[at]), why);
}

static int try_primary(struct follow_zone *z, int at)
{
	struct standing was;
	z->replaced = blocklist_replaced(z->tool->bl);
	if (z->replaced)
		return ERR_STOPPED;
	struct transfer *t = calloc(1, sizeof *t);
	int err = t ? look(z, &was) : ERR_NOMEM;
	if (err) {
		say(z, "cannot read the store: %s", err_text(err));
		free(t);
		return err;
	}
	err = one_primary(z, t, &z->primary[at], &was);
	if (err && err != ERR_STOPPED)
		complain(z, at, t->why[0] ? t->why : err_text(err));
	if (!err)
		z->said[at] = 0;
	transfer_close(t);
	free(t);
	return err;
}

/* Between three quarters of it and all of it: zones that began together drift apart. */
static int64_t jitter(int64_t ms)
{
	uint32_t r = 0;
	if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
		r = 0;
	return ms - ms / 4 * (int64_t)(r % 1024) / 1024;
}

int64_t follow_wait_ms(const struct follow_zone *z)
{
	int64_t s = z->soa.refresh, most = WAIT_MOST_S;
	if (z->failures) {
		unsigned doubled = z->failures < 12 ? z->failures - 1 : 11;
		s = (int64_t)(z->soa.retry ? z->soa.retry : RETRY_S) << doubled;
		most = z->soa.refresh && z->soa.refresh < RETRY_MOST_S ? z->soa.refresh
								       : RETRY_MOST_S;
	}
	s = s > most ? most : s;
	return jitter((s < WAIT_LEAST_S ? WAIT_LEAST_S : s) * 1000);
}

/* For "lists": what came of a round; that nothing is new not each time. */
static void remember(const struct follow_zone *z, bool good)
{
	const uint32_t now = (uint32_t)time(NULL);
	struct list_state s;
	enum list_result result = z->changed	? LIST_IMPORTED
				  : good	? LIST_UNCHANGED
				  : z->refusing ? LIST_REFUSED
						: LIST_FAILED;
	int err = list_state_read(&s, z->feeds, z->list);
	if (err || (result == LIST_UNCHANGED && s.result == result &&
		    now - s.checked < REMEMBER_S))
		return;
	/* A refusal that stands has its reason. */
	if (s.result != LIST_REFUSED || result != LIST_REFUSED || *z->why)
		cli_clean(s.text, sizeof s.text, good ? "" : z->why);
	s.result = result;
	s.checked = now;
	s.good = good ? now : s.good;
	s.changed = z->changed ? now : s.changed;
	s.failures = z->failures;
	s.next = now + (uint32_t)(follow_wait_ms(z) / 1000);
	err = list_state_write(&s, z->feeds, z->list);
	if (err)
		say(z, "what came of it cannot be written to %s: %s", z->feeds,
		    err_text(err));
}

bool follow_refresh(struct follow_zone *z)
{
	int first = z->first, err = ERR_OK;
	bool good = false;
	if (!*z->text)
		name_to_text(z->text, z->zone);
	z->changed = z->refusing = false;
	z->why[0] = 0;
	for (int i = 0; i < z->primaries && err != ERR_STOPPED && !z->changed; i++) {
		int at = (first + i) % z->primaries;
		err = try_primary(z, at);
		if (!err && (!good || z->changed))
			z->first = at;
		good = good || !err;
	}
	z->failures = good ? 0 : z->failures + 1;
	z->fresh = z->fresh && !good;
	z->zero = good && z->soa.serial == 0;
	if (z->feeds && err != ERR_STOPPED)
		remember(z, good);
	return good;
}
