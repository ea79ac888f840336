#include "resolver/hit_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/control.h"
#include "resolver/hit_writer.h"

enum {
	DIR_MODE = 02750,     /* setgid: files get the folder's group, the analysts' */
	OLD_RINGS_MAX = 4096, /* of ended processes; more are left for the next start */
	PROBE_S = 10,	      /* it takes milliseconds */
};

struct hit_log {
	struct hit_writer w;
	char runtime[HIT_RING_PATH_MAX - 300]; /* leaves room for any file name */
	char node[HIT_NODE_MAX];
	int lock_fd;
	uint64_t boot;
	pthread_t thread;
	bool started;
	pthread_cond_t wake; /* with w.lock */
	bool stop;
	uint64_t orders; /* to rotate; of the lock */
};

/* ---- the thread ---- */

/* What was ordered before this began is done by it. */
static void rotate(struct hit_log *log, uint64_t orders)
{
	if (hit_writer_commit(&log->w) || hit_writer_rotate(&log->w))
		return; /* again after HIT_LOG_RETRY_MS */
	pthread_mutex_lock(&log->w.lock);
	log->w.stats.rotations = orders;
	pthread_mutex_unlock(&log->w.lock);
}

static void *writer(void *arg)
{
	struct hit_log *log = arg;
	struct timespec until;
	pthread_mutex_lock(&log->w.lock);
	while (!log->stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += HIT_LOG_POLL_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&log->wake, &log->w.lock, &until);
		if (log->stop)
			break;
		uint64_t orders = log->orders, done = log->w.stats.rotations;
		pthread_mutex_unlock(&log->w.lock);
		int64_t now = hit_writer_now_ms();
		if (orders > done && now >= log->w.retry_ms)
			rotate(log, orders);
		if (hit_writer_is_due(&log->w, now) && hit_writer_commit(&log->w))
			now = hit_writer_now_ms(); /* why not is in the stats */
		hit_writer_keep_house(&log->w, now);
		pthread_mutex_lock(&log->w.lock);
	}
	pthread_mutex_unlock(&log->w.lock);
	return NULL;
}

int hit_log_start(struct hit_log *log)
{
	sigset_t all, old;
	sigfillset(&all);
	/* Signals are the main thread's; and a file size limit shall be an error here. */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&log->thread, NULL, writer, log);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	log->started = rc == 0;
	return rc ? ERR_NOMEM : ERR_OK;
}

/* ---- opening ---- */

static const char *cannot(int err, const char *denied, const char *other)
{
	return err == ERR_ACCESS ? denied : other;
}

static bool is_remote(const char *dir)
{
	static const long types[] = {
		0x6969,	    /* NFS */
		0x517b,	    /* SMB */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
		0x65735546, /* FUSE */
		0x00c36400, /* Ceph */
		0x5346414f, /* AFS */
	};
	struct statfs s;
	if (statfs(dir, &s))
		return false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if ((unsigned long)s.f_type == (unsigned long)types[i])
			return true;
	return false;
}

static int open_dir(struct hit_log *log, const char **why)
{
	char path[HIT_STORE_PATH_MAX];
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (mkdir(log->w.dir, DIR_MODE) == 0) {
		(void)chmod(log->w.dir, DIR_MODE); /* umask and setgid */
	} else if (errno != EEXIST) {
		*why = "cannot make the hits folder: the state folder must exist and be "
		       "writable for the user that sinkholed runs as";
		return errno == EACCES ? ERR_ACCESS : ERR_IO;
	}
	if (is_remote(log->w.dir)) {
		*why = "the hits folder is on a network file system: use a local disk";
		return ERR_INVAL;
	}
	hit_writer_path_of(path, &log->w, "lock");
	log->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (log->lock_fd < 0) {
		*why = "the hits folder is not writable for the user that sinkholed runs "
		       "as, or its disk is full";
		return errno == EACCES ? ERR_ACCESS : ERR_IO;
	}
	if (fcntl(log->lock_fd, F_SETLK, &l)) {
		*why = "another sinkholed writes to this hits folder: stop it, or use "
		       "another state folder";
		return ERR_BUSY;
	}
	return ERR_OK;
}

/* Does what the writer will do there, and takes it back. */
static int try_segment(const char *path)
{
	struct hit_position p = {0};
	struct hit_store *s;
	const struct hit h = {.client.family = 4, .count = 1};
	int err = hit_store_open(&s, path, HIT_STORE_WRITE);
	if (err)
		return err;
	err = hit_store_position(s, &p, 0, 0);
	if (!err || err == ERR_NOENT)
		err = hit_store_begin(s);
	if (!err)
		err = hit_store_put_hit(s, &h);
	if (!err)
		err = hit_store_move(s, &p, 0);
	hit_store_close(s);
	return err;
}

/* A damaged file can crash its reader: a child looks first. */
static bool is_harmless(const char *path)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		return true; /* no memory for it: more likely than damage */
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		alarm(PROBE_S);
		(void)!try_segment(path);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return true;
	return WIFEXITED(status);
}

static void pass_over(struct hit_log *log, const char *name, int err)
{
	log->w.passed_over = true;
	hit_writer_say(&log->w, HIT_LOG_WARNING,
		       "hit log: segment %s is %s; left as it is, going on without it%s",
		       name, err_text(err),
		       err == ERR_VERSION ? ": the sinkhole-hits of that version reads it"
					  : "");
}

/* The newest segment that can be read. Damaged ones stay where they are, for a person. */
static int open_newest(struct hit_log *log, const char **why)
{
	struct hit_store_file *files;
	char path[HIT_STORE_PATH_MAX];
	struct hit_store *s = NULL;
	int n, err = hit_store_files(&files, &n, log->w.dir);
	if (err) {
		*why = "cannot read the hits folder";
		return err;
	}
	log->w.next_number = n ? files[n - 1].number + 1 : 1;
	uint64_t next = log->w.next_number;
	for (int i = n - 1; i >= 0 && !s; i--) {
		hit_writer_path_of(path, &log->w, files[i].name);
		err = is_harmless(path) ? hit_store_open(&s, path, HIT_STORE_WRITE)
					: ERR_DAMAGED;
		if (err == ERR_NOENT) /* killed while making it */
			(void)hit_store_remove(log->w.dir, files[i].name);
		else if (err)
			pass_over(log, files[i].name, err);
		else
			hit_writer_use_segment(&log->w, s, files[i].name, files[i].day);
	}
	log->w.next_number = next;
	if (log->w.passed_over)
		log->w.store_day = 0; /* rows of now belong behind what that one holds */
	free(files);
	return ERR_OK;
}

/* Where draining of an earlier process's ring goes on. */
static void find_position(struct hit_log *log, struct hit_writer_ring *r)
{
	struct hit_position p = {0};
	if (log->w.store)
		(void)!hit_store_position(log->w.store, &p, hit_ring_boot(r->ring),
					  hit_ring_worker(r->ring));
	/* The segment knows best; when it is lost, the ring is never ahead of it. */
	uint64_t tail = hit_ring_tail(r->ring);
	r->from = r->to = p.position > tail ? p.position : tail;
	r->no_room = r->no_room_to = p.no_room;
	hit_ring_advance(r->ring, r->from);
}

static void add_old_ring(struct hit_log *log, const char *path)
{
	struct hit_writer_ring *r = &log->w.rings[log->w.rings_n];
	*r = (struct hit_writer_ring){0};
	int err = hit_ring_open(&r->ring, path);
	if (err == ERR_NOENT)
		unlink(path);
	else if (err)
		hit_writer_say(&log->w, HIT_LOG_WARNING,
			       "hit log: ring %s is %s; left as it is%s", path,
			       err_text(err),
			       err == ERR_VERSION ? ": start the sinkholed of that "
						    "version once, it stores what is "
						    "in it"
						  : "");
	if (err)
		return;
	find_position(log, r);
	log->w.rings_n++;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_ring(const struct dirent *e)
{
	size_t n = strlen(e->d_name);
	return n > 10 && !strncmp(e->d_name, "hits-", 5) &&
	       !strcmp(e->d_name + n - 5, ".ring");
}

static int find_old_rings(struct hit_log *log, const char **why)
{
	struct dirent **list;
	char path[HIT_RING_PATH_MAX];
	int n = scandir(log->runtime, &list, is_ring, by_name);
	if (n < 0) {
		*why = "cannot read the runtime folder: it must exist and be writable "
		       "for "
		       "the user that sinkholed runs as";
		return errno == ENOENT ? ERR_NOENT : ERR_ACCESS;
	}
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", log->runtime, list[i]->d_name);
		if (log->w.rings_n < log->w.workers + OLD_RINGS_MAX)
			add_old_ring(log, path);
		free(list[i]);
	}
	free(list);
	return ERR_OK;
}

static int make_rings(struct hit_log *log, size_t bytes, const char **why)
{
	for (int i = 0; i < log->w.workers; i++) {
		struct hit_writer_ring *r = &log->w.rings[i];
		int err = hit_ring_create(&r->ring, log->runtime, log->boot, (uint16_t)i,
					  log->node, bytes);
		if (err == ERR_FULL)
			*why = "no space for the hit rings in the runtime folder: they "
			       "take 16 MiB for each worker";
		else if (err)
			*why = cannot(err,
				      "the runtime folder is not writable for the user "
				      "that sinkholed runs as",
				      "cannot make the hit rings in the runtime folder");
		if (err)
			return err;
		r->live = true;
	}
	return ERR_OK;
}

/* Start time and chance: starts sort by time, and none repeats. */
static int new_boot(uint64_t *out)
{
	uint32_t chance;
	if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return ERR_IO;
	*out = hit_writer_wall_us() / 1000000 << 32 | chance;
	return ERR_OK;
}

static uint64_t fitting_segment(const struct hit_log_conf *conf)
{
	uint64_t bytes =
		conf->segment_bytes ? conf->segment_bytes : HIT_LOG_SEGMENT_BYTES;
	/* Retention by size removes whole segments: there should be several. */
	if (!conf->segment_bytes && conf->max_size_bytes &&
	    conf->max_size_bytes / 8 < bytes)
		bytes = conf->max_size_bytes / 8;
	bytes = bytes / 65536 * 65536;
	return bytes < HIT_LOG_SEGMENT_BYTES_MIN ? HIT_LOG_SEGMENT_BYTES_MIN : bytes;
}

static int set_up(struct hit_log *log, const struct hit_log_conf *conf)
{
	pthread_condattr_t attr;
	const char *kill_commit = getenv("SINKHOLED_TEST_KILL_COMMIT");
	int a = snprintf(log->w.dir, sizeof log->w.dir, "%s/%s", conf->state,
			 CONTROL_HITS_DIR);
	int b = snprintf(log->runtime, sizeof log->runtime, "%s", conf->runtime);
	if (a >= (int)sizeof log->w.dir || b >= (int)sizeof log->runtime ||
	    conf->workers < 1)
		return ERR_INVAL;
	log->lock_fd = -1;
	log->w.workers = conf->workers;
	log->w.retention_s = conf->retention_s;
	log->w.max_size_bytes = conf->max_size_bytes;
	log->w.segment_bytes = fitting_segment(conf);
	log->w.say = conf->say;
	log->w.say_arg = conf->say_arg;
	log->w.kill_commit = kill_commit ? atol(kill_commit) : 0;
	snprintf(log->node, sizeof log->node, "%s", conf->node);
	pthread_mutex_init(&log->w.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&log->wake, &attr);
	pthread_condattr_destroy(&attr);
	size_t rings = (size_t)conf->workers + OLD_RINGS_MAX;
	log->w.rings = calloc(rings, sizeof *log->w.rings);
	return log->w.rings ? ERR_OK : ERR_NOMEM;
}

static void release(struct hit_log *log)
{
	for (int i = 0; i < log->w.rings_n; i++) {
		struct hit_ring *r = log->w.rings[i].ring;
		if (r) /* what is not stored stays for the next start */
			hit_ring_close(r, hit_ring_used(r) == 0);
	}
	hit_writer_close_segment(&log->w);
	if (log->lock_fd >= 0)
		close(log->lock_fd);
	free(log->w.rings);
	pthread_cond_destroy(&log->wake);
	pthread_mutex_destroy(&log->w.lock);
	free(log);
}

int hit_log_open(struct hit_log **out, const struct hit_log_conf *conf, const char **why)
{
	const char *ignored;
	why = why ? why : &ignored;
	*why = "cannot open the hit log";
	*out = NULL;
	struct hit_log *log = calloc(1, sizeof *log);
	if (!log)
		return ERR_NOMEM;
	int err = set_up(log, conf);
	if (!err)
		err = new_boot(&log->boot);
	if (!err)
		err = open_dir(log, why);
	if (!err)
		err = open_newest(log, why);
	log->w.rings_n = err ? 0 : log->w.workers;
	if (!err)
		err = find_old_rings(log, why);
	if (!err)
		err = make_rings(
			log, conf->ring_bytes ? conf->ring_bytes : HIT_RING_BYTES, why);
	if (err) {
		release(log);
		return err;
	}
	if (log->w.rings_n > log->w.workers)
		hit_writer_say(&log->w, HIT_LOG_INFO,
			       "hit log: %d rings of earlier processes to store",
			       log->w.rings_n - log->w.workers);
	hit_writer_keep_house(&log->w, hit_writer_now_ms());
	*out = log;
	return ERR_OK;
}

struct hit_ring *hit_log_ring(struct hit_log *log, int worker)
{
	return log->w.rings[worker].ring;
}

/* The workers' rings stay where they are, so any thread may look at them; old rings come
 * and go on the writer thread. */
void hit_log_stats(struct hit_log *log, struct hit_log_stats *out)
{
	pthread_mutex_lock(&log->w.lock);
	*out = log->w.stats;
	pthread_mutex_unlock(&log->w.lock);
	out->ring_bytes = hit_ring_size(log->w.rings[0].ring);
	for (int i = 0; i < log->w.workers; i++) {
		struct hit_ring_counts c = hit_ring_counts(log->w.rings[i].ring);
		out->stored += c.stored;
		out->folded += c.folded;
		out->no_room += c.no_room;
		out->damaged_bytes += c.damaged;
		out->waiting_bytes += hit_ring_used(log->w.rings[i].ring);
	}
}

uint64_t hit_log_rotate(struct hit_log *log)
{
	pthread_mutex_lock(&log->w.lock);
	uint64_t order = ++log->orders;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->w.lock);
	return order;
}

int hit_log_close(struct hit_log *log)
{
	if (!log)
		return ERR_OK;
	if (log->started) {
		pthread_mutex_lock(&log->w.lock);
		log->stop = true;
		pthread_cond_signal(&log->wake);
		pthread_mutex_unlock(&log->w.lock);
		pthread_join(log->thread, NULL);
	}
	int err = hit_writer_commit(&log->w);
	release(log);
	return err;
}
