#include "resolver/startup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/blocklist.h"
#include "include/control.h"
#include "tests/unit/unit.h"

static struct conf conf;
static const struct startup_user same = {0};

static void use_folder(const char *name)
{
	snprintf(conf.state, sizeof conf.state, "%s", unit_path(name));
	snprintf(conf.runtime, sizeof conf.runtime, "%s", conf.state);
	ck_assert_int_eq(startup_folders(&conf, &same), 0);
}

static const char *lock_path(void)
{
	static char path[CONF_PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/%s", conf.state, CONTROL_LOCK_FILE);
	return path;
}

START_TEST(one_at_a_time)
{
	int first, second;
	use_folder("once");
	ck_assert_int_eq(startup_lock(&first, &conf, &same), 0);
	ck_assert_int_eq(startup_lock(&second, &conf, &same), ERR_BUSY);
	ck_assert_int_eq(second, -1);
	close(first);
	ck_assert_int_eq(startup_lock(&first, &conf, &same), 0);
	close(first);
}
END_TEST

/* Who may write to the state folder must not lead root to another file. */
START_TEST(a_lock_that_leads_elsewhere)
{
	char text[8] = "";
	int fd;
	use_folder("links");
	const char *other = unit_path("other");
	fd = open(other, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "mine", 4), 4);
	ck_assert_int_eq(symlink(other, lock_path()), 0);
	ck_assert_int_eq(startup_lock(&(int){0}, &conf, &same), ERR_REFUSED);
	ck_assert_int_eq(unlink(lock_path()), 0);
	ck_assert_int_eq(link(other, lock_path()), 0);
	ck_assert_int_eq(startup_lock(&(int){0}, &conf, &same), ERR_REFUSED);
	ck_assert_int_eq(unlink(lock_path()), 0);
	ck_assert_int_eq(mkfifo(lock_path(), 0600), 0);
	ck_assert_int_eq(startup_lock(&(int){0}, &conf, &same), ERR_REFUSED);
	ck_assert_int_eq(pread(fd, text, sizeof text, 0), 4);
	ck_assert_str_eq(text, "mine");
	close(fd);
}
END_TEST

static bool checks_first(struct startup_mark *mark)
{
	bool first;
	ck_assert_int_eq(startup_begun(mark, &first, &conf), 0);
	return first;
}

/* Another start of the machine, or (NULL) a mark that tells nothing. */
static void write_mark(const char *boot, const struct startup_mark *mark)
{
	char path[CONF_PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/running", conf.state);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	if (boot)
		fprintf(f, "boot %s\nwhole %s\nstarts %u\n", boot, mark->whole,
			mark->starts);
	fclose(f);
}

START_TEST(when_the_check_comes_first)
{
	struct startup_mark mark;
	use_folder("mark");
	ck_assert_int_eq(startup_blocklist(&conf), 0);
	ck_assert(!checks_first(&mark)); /* new */
	ck_assert(!checks_first(&mark)); /* only the process died */
	write_mark("another-boot", &mark);
	ck_assert(checks_first(&mark));
	ck_assert(checks_first(&mark)); /* died of the check */
	startup_checked(&mark, true, &conf);
	ck_assert(!checks_first(&mark));
	write_mark("another-boot", &mark); /* not written to since */
	ck_assert(!checks_first(&mark));
	startup_checked(&mark, false, &conf);
	ck_assert(checks_first(&mark));
	write_mark(NULL, &mark);
	ck_assert(checks_first(&mark));
	startup_ended(&conf);
	ck_assert(!checks_first(&mark));
}
END_TEST

/* As somebody edits it: each is a commit. */
static void edit(struct blocklist *bl, int times)
{
	struct blocklist_item item = {.kind = RULE_SUBTREE};
	ck_assert_int_eq(name_from_str(item.key.name, "bad.example"), 0);
	while (times-- > 0) {
		item.entry.confidence++;
		ck_assert_int_eq(blocklist_add(bl, "l", &item), 0);
	}
}

/* By the file's time, or by a commit of which the disk has lost the time. */
START_TEST(a_file_that_was_written_to_is_another)
{
	enum { SETTLED = 8 }; /* edits, after which the file is as long as before */
	struct startup_mark mark;
	struct blocklist *bl;
	struct stat before, after;
	char path[CONF_PATH_MAX + 64];
	use_folder("written");
	snprintf(path, sizeof path, "%s/" CONTROL_BLOCKLIST_DIR, conf.state);
	ck_assert_int_eq(blocklist_open(&bl, path, BLOCKLIST_WRITE, NULL), 0);
	strcat(path, "/data.mdb");
	edit(bl, SETTLED);
	for (int commit = 0; commit < 2; commit++) {
		ck_assert_int_eq(stat(path, &before), 0);
		(void)checks_first(&mark);
		startup_checked(&mark, true, &conf);
		edit(bl, commit);
		ck_assert_int_eq(stat(path, &after), 0);
		ck_assert_int_eq(before.st_size, after.st_size);
		after.st_mtim = before.st_mtim;
		after.st_mtim.tv_sec += !commit;
		const struct timespec time[2] = {{.tv_nsec = UTIME_OMIT}, after.st_mtim};
		ck_assert_int_eq(utimensat(AT_FDCWD, path, time, 0), 0);
		write_mark("another-boot", &mark);
		ck_assert_msg(checks_first(&mark), "commit: %d", commit);
	}
	blocklist_close(bl);
}
END_TEST

/* A store that the process dies of each time must not be served for ever. */
START_TEST(trust_ends)
{
	struct startup_mark mark;
	use_folder("again");
	for (int i = 0; i < STARTUP_TRUSTED; i++)
		ck_assert(!checks_first(&mark));
	ck_assert(checks_first(&mark));
	ck_assert(checks_first(&mark));
}
END_TEST

START_TEST(an_empty_blocklist_only_where_all_is_new)
{
	char path[CONF_PATH_MAX + 64];
	pid_t pid;
	int status;
	use_folder("new");
	ck_assert_int_eq(startup_blocklist(&conf), 0);
	ck_assert_int_eq(startup_blocklist(&conf), 0);
	ck_assert_int_eq(startup_verify(&pid, &conf), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(startup_verified(status, &conf), 0);
	use_folder("lost");
	snprintf(path, sizeof path, "%s/%s", conf.state, CONTROL_HITS_DIR);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(startup_blocklist(&conf), ERR_NOENT);
	ck_assert_int_eq(startup_verify(&pid, &conf), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(startup_verified(status, &conf), ERR_DAMAGED);
}
END_TEST

/* A stop of the whole service, or the kernel short of memory, is no damage. */
START_TEST(what_the_end_of_the_check_means)
{
	static const struct {
		int signal, want;
	} cases[] = {
		{SIGTERM, ERR_STOPPED}, {SIGINT, ERR_STOPPED},	{SIGHUP, ERR_STOPPED},
		{SIGKILL, ERR_STOPPED}, {SIGSEGV, ERR_DAMAGED}, {SIGBUS, ERR_DAMAGED},
		{SIGABRT, ERR_DAMAGED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			signal(cases[i].signal, SIG_DFL);
			raise(cases[i].signal);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(startup_verified(status, &conf), cases[i].want);
	}
}
END_TEST

UNIT_SUITE("startup", one_at_a_time, a_lock_that_leads_elsewhere,
	   when_the_check_comes_first, a_file_that_was_written_to_is_another, trust_ends,
	   an_empty_blocklist_only_where_all_is_new, what_the_end_of_the_check_means)
