#include "resolver/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/blocklist.h"
#include "include/control.h"
#include "resolver/front_tcp.h"
#include "resolver/front_udp.h"
#include "resolver/log.h"

enum {
	PATH_ROOM = CONF_PATH_MAX + 32, /* a folder and one of our file names */
	FOLDER_MODE = 0755, /* lists and hits below have groups of their own */
	FILE_MODE = 0644,
	EXIT_UNCHECKED = 2, /* of the child: it could not look at the blocklist */
};

static const char *path_in(char out[PATH_ROOM], const char *folder, const char *file)
{
	snprintf(out, PATH_ROOM, "%s/%s", folder, file);
	return out;
}

/* ---- user and folders ---- */

void startup_limits(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		log_warning("the limit of open files stays at %llu: %s",
			    (unsigned long long)files.rlim_cur, strerror(errno));
}

int startup_user(struct startup_user *out, const struct conf *conf)
{
	*out = (struct startup_user){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0 || !conf->user[0])
		return ERR_OK;
	errno = 0;
	const struct passwd *pw = getpwnam(conf->user);
	if (!pw) {
		log_error(
			"user: there is no user '%s' on this system; create it (useradd "
			"--system %s) or set user: \"\" to stay root",
			conf->user, conf->user);
		return ERR_NOENT;
	}
	out->change = true;
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof out->name, "%s", conf->user);
	return ERR_OK;
}

static int make_folder(const char *key, const char *path, const struct startup_user *user)
{
	struct stat st;
	if (mkdir(path, FOLDER_MODE) == 0) {
		if (user->change && chown(path, user->uid, user->gid)) {
			log_error("%s: cannot give %s to user '%s': %s", key, path,
				  user->name, strerror(errno));
			return ERR_IO;
		}
		return ERR_OK;
	}
	int err = errno;
	if (err == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return ERR_OK;
	log_error("%s: %s is not a folder that can be used: %s; create it or set another "
		  "one",
		  key, path, err == EEXIST ? "it is a file" : strerror(err));
	return ERR_IO;
}

int startup_folders(const struct conf *conf, const struct startup_user *user)
{
	int err = make_folder("state", conf->state, user);
	return err ? err : make_folder("runtime", conf->runtime, user);
}

static void write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
		log_warning(
			"the process number could not be written to the lock file: %s",
			strerror(errno));
}

static long read_pid(int fd)
{
	char text[32] = "";
	return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* The folder belongs to the user that root gives way to: a link there must not lead root
 * to write to, or give away, a file of somebody else. */
static int open_lock(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      FILE_MODE);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return fd;
	close(fd);
	errno = EMLINK;
	return -1;
}

int startup_lock(int *out, const struct conf *conf, const struct startup_user *user)
{
	char path[PATH_ROOM];
	int fd = open_lock(path_in(path, conf->state, CONTROL_LOCK_FILE));
	*out = -1;
	if (fd < 0 && (errno == ELOOP || errno == EMLINK)) {
		log_error("state: %s is a link or no plain file; remove it", path);
		return ERR_REFUSED;
	}
	if (fd < 0) {
		log_error("state: cannot open %s: %s; the folder must be writable for "
			  "the user "
			  "sinkholed runs as",
			  path, strerror(errno));
		return ERR_IO;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		log_error(
			"state: %s is in use by another sinkholed (process %ld); stop it "
			"(sinkholectl stop -c FILE, with its configuration) or set "
			"another state folder",
			conf->state, read_pid(fd));
		close(fd);
		return ERR_BUSY;
	}
	if (user->change && fchown(fd, user->uid, user->gid))
		log_warning("%s keeps its owner: %s", path, strerror(errno));
	write_pid(fd);
	*out = fd;
	return ERR_OK;
}

/* ---- sockets ---- */

static const char *bind_advice(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "another program listens there; stop it or listen elsewhere";
	case EADDRNOTAVAIL:
		return "this machine does not have that address";
	case EACCES:
	case EPERM:
		return "ports below 1024 need root or CAP_NET_BIND_SERVICE";
	default:
		return "see listen in the configuration";
	}
}

static int bind_one(struct startup_sockets *out, const struct conf *conf, int at)
{
	char text[ADDR_TEXT_MAX];
	int udp[CONF_WORKERS_MAX], tcp[CONF_WORKERS_MAX];
	const struct addr *a = &conf->listen[at];
	int err = front_udp_bind(udp, conf->workers, a);
	if (!err)
		err = front_tcp_bind(tcp, conf->workers, a);
	if (err) {
		log_error("listen: cannot bind %s: %s; %s", addr_port_to_text(text, a),
			  strerror(errno), bind_advice(errno));
		return err;
	}
	for (int i = 0; i < conf->workers; i++) {
		out->udp[i * conf->listen_n + at] = udp[i];
		out->tcp[i * conf->listen_n + at] = tcp[i];
	}
	return ERR_OK;
}

int startup_bind(struct startup_sockets *out, const struct conf *conf)
{
	size_t n = (size_t)(conf->workers * conf->listen_n);
	int err = ERR_OK;
	out->udp = calloc(n, sizeof *out->udp);
	out->tcp = calloc(n, sizeof *out->tcp);
	if (!out->udp || !out->tcp)
		return ERR_NOMEM;
	for (int i = 0; i < conf->listen_n && !err; i++)
		err = bind_one(out, conf, i);
	return err;
}

int startup_become(const struct startup_user *user)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!user->change)
		return ERR_OK;
	if (initgroups(user->name, user->gid) || setgid(user->gid) || setuid(user->uid)) {
		log_error("user: cannot become '%s': %s", user->name, strerror(errno));
		return ERR_ACCESS;
	}
	return ERR_OK;
}

/* ---- the blocklist ---- */

static bool exists(const char *folder, const char *name)
{
	char path[PATH_ROOM];
	return access(path_in(path, folder, name), F_OK) == 0;
}

/* A state folder with hits has served before: a blocklist that is gone then is a loss,
 * and an empty one in its place would let everything pass. */
int startup_blocklist(const struct conf *conf)
{
	char path[PATH_ROOM];
	const char *why = NULL;
	struct blocklist *bl;
	if (exists(conf->state, CONTROL_BLOCKLIST_DIR "/data.mdb"))
		return ERR_OK;
	path_in(path, conf->state, CONTROL_BLOCKLIST_DIR);
	if (exists(conf->state, CONTROL_HITS_DIR)) {
		log_error(
			"the blocklist %s is gone, but this state folder has served with "
			"one; restore it, or import the lists again (sinkhole-blocklist "
			"import), then start",
			path);
		return ERR_NOENT;
	}
	int err = blocklist_open(&bl, path, BLOCKLIST_WRITE, &why);
	if (err) {
		log_error("cannot make the blocklist %s: %s", path,
			  why ? why : err_text(err));
		return err;
	}
	blocklist_close(bl);
	log_notice("new state folder: the blocklist is empty until a list is imported "
		   "(sinkhole-blocklist import)");
	return ERR_OK;
}

/* The child's exit status. */
static int verify_here(const char *path)
{
	const char *why = NULL;
	struct blocklist *bl;
	struct blocklist_view *view;
	int err = blocklist_open(&bl, path, BLOCKLIST_READ, &why);
	if (!err)
		err = blocklist_view_open(&view, bl);
	if (!err)
		err = blocklist_view_renew(view);
	if (!err)
		err = blocklist_verify(view, NULL, NULL);
	if (err == ERR_NOMEM || err == ERR_BUSY)
		return EXIT_UNCHECKED;
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int startup_verify(pid_t *pid, const struct conf *conf)
{
	char path[PATH_ROOM];
	path_in(path, conf->state, CONTROL_BLOCKLIST_DIR);
	*pid = fork();
	if (*pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(verify_here(path));
	}
	if (*pid < 0)
		log_error("cannot start the check of the blocklist: %s", strerror(errno));
	return *pid < 0 ? ERR_IO : ERR_OK;
}

/* A signal that somebody sent, a stop of the whole service or the kernel out of memory,
 * says nothing about the blocklist; a crash does. */
static bool was_ended(int wait_status)
{
	int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	return number == SIGTERM || number == SIGINT || number == SIGHUP ||
	       number == SIGKILL ||
	       (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_UNCHECKED);
}

int startup_verified(int wait_status, const struct conf *conf)
{
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_SUCCESS)
		return ERR_OK;
	if (was_ended(wait_status)) {
		log_warning("the check of the blocklist could not be finished; see to "
			    "it with sinkhole-blocklist verify");
		return ERR_STOPPED;
	}
	log_error(
		"the blocklist in %s/" CONTROL_BLOCKLIST_DIR
		" is damaged: not serving from "
		"it; restore a copy, or move the folder away and import the lists again",
		conf->state);
	return ERR_DAMAGED;
}
