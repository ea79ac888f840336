/* What can be wrong with a store before and while it is used: each is one clear error,
 * and never a store that lets everything pass. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/blocklist_lab.h"
#include "tests/unit/opt_out.h"

enum { NAMES = 2000 };

static void lab_name(uint8_t out[DNS_NAME_MAX], int i)
{
	char text[64];
	snprintf(text, sizeof text, "n%d.%s", i * 7919 % NAMES,
		 i % 2 ? "test" : "example.com");
	ck_assert_int_eq(name_from_str(out, text), 0);
}

/* A store with one list and a client; closed again. */
static void make_store(const char *path, int names)
{
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_import *im;
	struct blocklist_changes c;
	struct prefix p = lab_key("192.0.2.0/24").prefix;
	ck_assert_int_eq(blocklist_import_open(&im, bl, "l", &lab_keep), 0);
	for (int i = 0; i < names; i++) {
		struct blocklist_item it = {.kind = RULE_SUBTREE};
		lab_name(it.key.name, i);
		strcpy(it.entry.reason, "reason");
		ck_assert_int_eq(blocklist_import_put(im, &it), 0);
	}
	ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
	blocklist_import_close(im);
	ck_assert_int_eq(unit_opt_out(bl, &p), 0);
	blocklist_close(bl);
}

/* That is in use: read off the header pages through LMDB. */
static unsigned last_page(const char *path)
{
	struct blocklist *bl;
	MDB_envinfo info;
	ck_assert_int_eq(blocklist_open(&bl, path, BLOCKLIST_READ, NULL), 0);
	ck_assert_int_eq(mdb_env_info(bl->env, &info), 0);
	blocklist_close(bl);
	return (unsigned)info.me_last_pgno;
}

static const char *data_of(const char *path)
{
	static char out[512];
	snprintf(out, sizeof out, "%s/data.mdb", path);
	return out;
}

/* Opens in a child, as a damaged file may kill its reader; the error, or -100 - signal.
 * use() is called when it opened. */
static int in_child(const char *path, enum blocklist_open_mode mode, const char *why_has,
		    int (*use)(struct blocklist *bl))
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct blocklist *bl;
		const char *why = NULL;
		const struct rlimit no_core = {0, 0};
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		int err = blocklist_open(&bl, path, mode, &why);
		if (err && (!why || (why_has && !strstr(why, why_has)))) {
			fprintf(stderr, "%s: %s\n", err_text(err), why ? why : "(null)");
			_exit(99);
		}
		if (!err && use)
			err = use(bl);
		_exit(-err);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -100 - WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Verifies, then asks for every name. 90: verified, and yet a name is not found. */
static int use_all(struct blocklist *bl)
{
	struct blocklist_view *v;
	int err = blocklist_view_open(&v, bl);
	if (!err)
		err = blocklist_view_renew(v);
	if (!err)
		err = blocklist_verify(v, NULL, NULL);
	for (int i = 0; !err && i < NAMES; i++) {
		uint8_t name[DNS_NAME_MAX];
		struct rule r[2];
		lab_name(name, i);
		int n = blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, name);
		err = n == 1 ? 0 : n < 0 ? n : -90;
	}
	return err;
}

START_TEST(nothing_there)
{
	struct blocklist *bl = (void *)1;
	const char *why = NULL;
	ck_assert_int_eq(blocklist_open(&bl, unit_path("no"), BLOCKLIST_READ, &why),
			 ERR_NOENT);
	ck_assert_ptr_null(bl);
	ck_assert_ptr_nonnull(strstr(why, "import"));
	ck_assert_int_eq(mkdir(unit_path("empty"), 0700), 0);
	ck_assert_int_eq(blocklist_open(&bl, unit_path("empty"), BLOCKLIST_READ, NULL),
			 ERR_NOENT);
	ck_assert_int_eq(blocklist_open(&bl, unit_path("no/no"), BLOCKLIST_WRITE, &why),
			 ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(why, "folder above"));
	ck_assert_int_eq(blocklist_open(&bl, unit_path("x\n/y"), BLOCKLIST_READ, NULL),
			 ERR_NOENT);
	char long_path[5000];
	memset(long_path, 'p', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = 0;
	ck_assert_int_eq(blocklist_open(&bl, long_path, BLOCKLIST_WRITE, NULL),
			 ERR_RANGE);
	/* a file where the folder should be */
	FILE *f = fopen(unit_path("file"), "w");
	fclose(f);
	ck_assert_int_lt(blocklist_open(&bl, unit_path("file"), BLOCKLIST_READ, NULL), 0);
	ck_assert_int_lt(blocklist_open(&bl, unit_path("file"), BLOCKLIST_WRITE, NULL),
			 0);
	/* an existing empty folder becomes a store */
	make_store(unit_path("empty"), 3);
}
END_TEST

START_TEST(group_can_use_it)
{
	const char *path = unit_path("s"), *const files[] = {"data.mdb", "lock.mdb",
							     "lists.lock"};
	char name[512];
	struct stat st;
	mode_t mask = umask(077);
	make_store(path, 3);
	umask(mask);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 02770);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/%s", path, files[i]);
		ck_assert_int_eq(stat(name, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0660);
	}
	snprintf(name, sizeof name, "%s/.new", path);
	ck_assert_int_ne(access(name, F_OK), 0);
	if (geteuid() != 0)
		return; /* the rest needs a second user */
	ck_assert_int_eq(chmod(unit_dir(), 0755), 0);
	pid_t child = fork();
	if (child == 0) {
		struct blocklist *bl;
		const char *why;
		if (setgid(65534) || setuid(65534))
			_exit(1);
		int err = blocklist_open(&bl, path, BLOCKLIST_READ, &why);
		_exit(err == ERR_ACCESS && strstr(why, "permission") ? 0 : 2);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	/* the folder and data may be read, but lock.mdb not written */
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(chmod(data_of(path), 0644), 0);
	snprintf(name, sizeof name, "%s/lock.mdb", path);
	ck_assert_int_eq(chmod(name, 0644), 0);
	child = fork();
	if (child == 0) {
		struct blocklist *bl;
		const char *why;
		if (setgid(65534) || setuid(65534))
			_exit(1);
		int err = blocklist_open(&bl, path, BLOCKLIST_READ, &why);
		_exit(err == ERR_ACCESS && strstr(why, "lock.mdb") ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Any member of the group can put a link there; root must not follow it to a file of its
 * own, which would be written over and opened to the group. */
START_TEST(links_are_refused)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "lists.lock", ".new"};
	const char *why, *victim = unit_path("victim");
	struct blocklist *bl;
	struct stat st;
	FILE *f = fopen(victim, "w");
	ck_assert_int_ge(fputs("mine", f), 0);
	fclose(f);
	ck_assert_int_eq(chmod(victim, 0600), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char dir[300], path[320];
		snprintf(dir, sizeof dir, "%s%zu", unit_path("linked"), i);
		bl = lab_open_at(dir);
		lab_add(bl, "l", "evil.test", RULE_SUBTREE);
		blocklist_close(bl);
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
		ck_assert_int_eq(symlink(victim, path), 0);
		for (int mode = 0; mode < 2; mode++) {
			ck_assert_int_eq(
				blocklist_open(&bl, dir,
					       mode ? BLOCKLIST_WRITE : BLOCKLIST_READ,
					       &why),
				ERR_REFUSED);
			ck_assert_msg(strstr(why, "is a link"), "%s", why);
		}
		ck_assert_int_eq(stat(victim, &st), 0);
		ck_assert_int_eq(st.st_size, 4);
		ck_assert_int_eq(st.st_mode & 07777, 0600);
		/* put there while we have it open */
		ck_assert_int_eq(blocklist_lock_dir(dir, "l", 0) < 0, i == 2);
	}
	ck_assert_int_eq(stat(victim, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* Whoever can write the file can also compute its checks: what a row says is looked at
 * all the same before the resolver acts on it or a tool shows it. */
START_TEST(rows_that_no_tool_writes)
{
	static const struct {
		size_t at;
		const char *bytes;
	} t[] = {
		{offsetof(struct blocklist_row, action), "\x0c"},
		{offsetof(struct blocklist_row, mode), "\x03"},
		{offsetof(struct blocklist_row, name), "\033[2J"},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct blocklist *bl = lab_open(i ? i > 1 ? "s2" : "s1" : "s0");
		struct blocklist_row row;
		struct blocklist_txn w;
		lab_add(bl, "l", "evil.test", RULE_SUBTREE);
		struct blocklist_view *v = lab_view(bl);
		ck_assert_int_eq(blocklist_txn_begin(&w, bl, false), 0);
		ck_assert_int_eq(blocklist_row_find(&w, &row, "l"), 0);
		memcpy((char *)&row + t[i].at, t[i].bytes, strlen(t[i].bytes));
		ck_assert_int_eq(blocklist_row_put(&w, &row), 0);
		ck_assert_int_eq(blocklist_txn_commit(&w), 0);
		blocklist_view_reset(v);
		ck_assert_int_eq(blocklist_view_renew(v), ERR_DAMAGED);
		ck_assert_int_eq(blocklist_view_renew(v), ERR_DAMAGED); /* no way past */
		blocklist_view_close(v);
		blocklist_close(bl);
	}
}
END_TEST

START_TEST(network_file_systems)
{
	ck_assert(blocklist_fs_remote(0x6969));
	ck_assert(blocklist_fs_remote(0xff534d42));
	ck_assert(
		blocklist_fs_remote((unsigned long)(int)0xff534d42)); /* sign-extended */
	ck_assert(blocklist_fs_remote(0x65735546));
	ck_assert(!blocklist_fs_remote(0xef53));     /* ext4 */
	ck_assert(!blocklist_fs_remote(0x58465342)); /* XFS */
	ck_assert(!blocklist_fs_remote(0x01021994)); /* tmpfs */
	ck_assert(!blocklist_fs_remote(0x794c7630)); /* overlay */
	ck_assert(!blocklist_fs_remote(0x9123683e)); /* btrfs */
}
END_TEST

START_TEST(truncated)
{
	const char *path = unit_path("s");
	struct stat st;
	make_store(path, NAMES);
	ck_assert_int_eq(stat(data_of(path), &st), 0);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, NULL, use_all), 0);
	off_t needed = (off_t)(last_page(path) + 1) * 4096;
	ck_assert_int_ge(st.st_size, needed);
	/* without the room ahead it is still sound */
	ck_assert_int_eq(truncate(data_of(path), needed), 0);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, NULL, use_all), 0);
	const off_t cut[] = {needed - 1, needed - 4096, needed / 2, 3 * 4096, 2 * 4096,
			     4096 + 100, 4096,		100,	    1,	      0};
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
		ck_assert_int_eq(truncate(data_of(path), cut[i]), 0);
		ck_assert_int_eq(in_child(path, BLOCKLIST_READ, "data.mdb", use_all),
				 ERR_DAMAGED);
		ck_assert_int_eq(in_child(path, BLOCKLIST_WRITE, "data.mdb", use_all),
				 ERR_DAMAGED);
		ck_assert_int_eq(stat(data_of(path), &st), 0);
		ck_assert_int_eq(st.st_size, cut[i]); /* and it was not made anew */
	}
}
END_TEST

START_TEST(other_content)
{
	const char *path = unit_path("s");
	make_store(path, 3);
	/* a later format */
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_txn t;
	ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
	t.meta.format = BLOCKLIST_FORMAT + 1;
	ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	blocklist_close(bl);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, "format", NULL), ERR_VERSION);
	ck_assert_int_eq(in_child(path, BLOCKLIST_WRITE, "format", NULL), ERR_VERSION);
	/* an LMDB file of somebody else */
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	const char *other = unit_path("other");
	ck_assert_int_eq(mkdir(other, 0700), 0);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_open(env, other, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	char key[] = "key";
	MDB_val k = {3, key}, d = {3, key};
	ck_assert_int_eq(mdb_put(txn, dbi, &k, &d, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	ck_assert_int_eq(in_child(other, BLOCKLIST_READ, "format", NULL), ERR_VERSION);
	ck_assert_int_eq(in_child(other, BLOCKLIST_WRITE, "format", NULL), ERR_VERSION);
	/* no LMDB file at all */
	FILE *f = fopen(data_of(other), "w");
	for (int i = 0; i < 20000; i++)
		fputc(i * 7 & 0xff, f);
	fclose(f);
	ck_assert_int_eq(in_child(other, BLOCKLIST_READ, "checks", NULL), ERR_DAMAGED);
	ck_assert_int_eq(in_child(other, BLOCKLIST_WRITE, "checks", NULL), ERR_DAMAGED);
}
END_TEST

static void flip(const char *path, off_t at, uint8_t by)
{
	uint8_t b;
	int fd = open(data_of(path), O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &b, 1, at), 1);
	b ^= by;
	ck_assert_int_eq(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

/* In a file without any damage, the page header's flags say which pages lead to others.
 */
static unsigned branch_pages(const char *path, unsigned *out, unsigned max, unsigned last)
{
	unsigned n = 0;
	int fd = open(data_of(path), O_RDONLY);
	for (unsigned p = 2; p <= last && n < max; p++) {
		uint8_t head[16];
		ck_assert_int_eq(pread(fd, head, sizeof head, (off_t)p * 4096), 16);
		if (head[0] == (p & 0xff) && head[1] == p >> 8 && head[10] == 1)
			out[n++] = p;
	}
	close(fd);
	return n;
}

/* Whatever byte changes: an error, a dead child, or nothing that matters. Never a store
 * that verifies and has lost a name. */
START_TEST(flipped_bytes)
{
	const char *path = unit_path("s");
	uint64_t seed = 7;
	int seen[3] = {0}; /* by open or verify, by its death, harmless */
	unsigned branch[16];
	make_store(path, NAMES);
	unsigned last = last_page(path);
	unsigned branches = branch_pages(path, branch, 16, last);
	ck_assert_uint_gt(branches, 0);
	for (int i = 0; i < 240; i++) {
		/* a third each: anywhere, in a page's header and index, in a branch page
		 */
		unsigned page = i % 3 == 2 ? branch[lab_random(&seed, branches)]
					   : 2 + lab_random(&seed, last - 1);
		off_t at = (off_t)page * 4096 + lab_random(&seed, i % 3 == 1 ? 64 : 4096);
		uint8_t by = (uint8_t)(1U << lab_random(&seed, 8));
		flip(path, at, by);
		int r = in_child(path, BLOCKLIST_READ, NULL, use_all);
		flip(path, at, by);
		ck_assert_msg(r != -90, "byte %ld: verified with a lost name", (long)at);
		seen[r == 0 ? 2 : r < -99 ? 1 : 0]++;
	}
	/* much of the file is in use, so that many flips must be seen */
	ck_assert_int_gt(seen[0] + seen[1], 100);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, NULL, use_all), 0);
}
END_TEST

/* As use_all(), by way of look-ups that are made ahead. */
static int use_ahead(struct blocklist *bl)
{
	struct blocklist_view *v;
	int err = blocklist_view_open(&v, bl);
	if (!err)
		err = blocklist_view_renew(v);
	for (int i = 0; !err && i < NAMES; i++) {
		uint8_t name[DNS_NAME_MAX];
		const uint8_t *ahead[] = {name};
		struct rule r[2];
		lab_name(name, i);
		blocklist_fetch_names(v, ahead, 1);
		int n = blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, name);
		err = n == 1 ? 0 : n < 0 ? n : -90;
	}
	return err;
}

/* LMDB does not read the number that a page has in its head: nobody may die of it. */
START_TEST(page_numbers)
{
	const char *path = unit_path("s");
	make_store(path, NAMES);
	unsigned last = last_page(path);
	for (off_t page = 0; page <= (off_t)last; page++)
		for (int i = 0; i < 4; i++) {
			const off_t at = page * 4096 + (i ? 2 * i : 0);
			flip(path, at, i ? 0x80 : 1);
			int r = in_child(path, BLOCKLIST_READ, NULL, use_ahead);
			flip(path, at, i ? 0x80 : 1);
			ck_assert_msg(r == 0, "byte %ld: %d", (long)at, r);
		}
}
END_TEST

/* The place in the file where these bytes are. */
static off_t find_bytes(const char *path, const void *bytes, size_t n, int nth)
{
	FILE *f = fopen(data_of(path), "r");
	struct stat st;
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	uint8_t *all = malloc((size_t)st.st_size), *p = all;
	size_t got = fread(all, 1, (size_t)st.st_size, f);
	fclose(f);
	for (; (p = memmem(p, (size_t)(all + got - p), bytes, n)) != NULL; p++)
		if (nth-- == 0)
			break;
	off_t at = p ? p - all : -1;
	free(all);
	return at;
}

static int use_first(struct blocklist *bl)
{
	struct blocklist_view *v;
	struct rule r[2];
	struct blocklist_key key;
	struct blocklist_entry e;
	lab_name(key.name, 0);
	key.prefix.addr.family = 0;
	if (blocklist_view_open(&v, bl) || blocklist_view_renew(v))
		return -91;
	int n = blocklist_find_name(v, r, 2, BLOCKLIST_CLASS_ALL, key.name);
	return n == 1 ? blocklist_entry_get(v, &e, 0, &key) : n < 0 ? n : -90;
}

/* Flipped bytes in one record: the look-up itself says so, whatever field it is. */
START_TEST(damaged_record)
{
	const char *path = unit_path("s");
	uint8_t name[DNS_NAME_MAX], key[BLOCKLIST_KEY_MAX];
	uint16_t ends[BLOCKLIST_DEPTHS];
	make_store(path, 2);
	lab_name(name, 0);
	size_t n = ends[blocklist_key_name(key, ends, name)];
	int records = 0;
	for (int nth = 0;; nth++) {
		off_t at = find_bytes(path, key, n, nth);
		if (at < 0)
			break;
		for (size_t i = 0; i < 32; i++) {
			flip(path, at + (off_t)(n + i), 0x10);
			int r = in_child(path, BLOCKLIST_READ, NULL, use_first);
			flip(path, at + (off_t)(n + i), 0x10);
			if (r == 0)
				break; /* a copy of the page that is not in use */
			ck_assert_int_eq(r, ERR_DAMAGED);
			records += i == 31;
		}
	}
	ck_assert_int_ge(records, 2); /* the record and its entry */
}
END_TEST

/* A disk that is full: nothing is written, what stood stands, later it works again. */
START_TEST(full_disk)
{
	const char *path = unit_path("s");
	make_store(path, NAMES);
	pid_t child = fork();
	if (child == 0) {
		const struct rlimit small = {300000, 300000};
		struct blocklist *bl;
		struct blocklist_import *im;
		struct blocklist_changes c;
		const char *why;
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		if (blocklist_open(&bl, path, BLOCKLIST_WRITE, &why) ||
		    blocklist_import_open(&im, bl, "l", &lab_keep))
			_exit(1);
		if (blocklist_import_commit(im, &c, NULL, NULL, NULL) != ERR_FULL)
			_exit(2);
		blocklist_import_close(im);
		_exit(use_all(bl) ? 3 : 0);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, NULL, use_all), 0);
	make_store(path, NAMES / 2);
	struct blocklist *bl = lab_open_at(path);
	struct blocklist_view *v = lab_view(bl);
	lab_verify(v);
	ck_assert_int_eq(lab_count(v, UINT16_MAX), NAMES / 2);
	blocklist_view_close(v);
	blocklist_close(bl);
}
END_TEST

/* The writer's own slips: pairs that are sound one by one and do not fit together. */
START_TEST(verify_compares)
{
	static const char *const slip[] = {"count", "entry", "record", "row", "digest"};
	for (int i = 0; i < 5; i++) {
		const char *path = unit_path(slip[i]);
		make_store(path, 10);
		struct blocklist *bl = lab_open_at(path);
		struct blocklist_txn t;
		struct blocklist_row row;
		uint8_t bytes[BLOCKLIST_KEY_MAX], name[DNS_NAME_MAX];
		struct blocklist_key key = {.name = {0}};
		lab_name(name, 3);
		name_copy(key.name, name);
		ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
		size_t n = i == 1 ? blocklist_key_list(bytes, BLOCKLIST_ENTRY, 0) : 0;
		MDB_val old, k = {n + blocklist_key_rule(bytes + n, &key), bytes};
		if (i == 0)
			t.meta.depth[2]++;
		if (i == 1 || i == 2) {
			ck_assert_int_eq(
				mdb_get(t.txn, i == 1 ? bl->entries : bl->dbi, &k, &old),
				0);
			ck_assert_int_eq(blocklist_txn_put(&t,
							   i == 1 ? t.entries : t.rules,
							   &k, &old, NULL),
					 0);
		}
		if (i == 3) {
			ck_assert_int_eq(blocklist_row_find(&t, &row, "l"), 0);
			row.names++;
			ck_assert_int_eq(blocklist_row_put(&t, &row), 0);
		}
		if (i == 4) { /* sound in itself, but not what was written */
			struct {
				struct blocklist_client_head head;
				uint32_t check;
			} c = {.head = {.group = BLOCKLIST_NO_GROUP, .opt_out = 1}};
			struct addr a = {.bytes = {192, 0, 2}, .family = 4};
			k.mv_size = blocklist_key_prefix(bytes, BLOCKLIST_CLIENT, &a, 24);
			c.check = blocklist_tail_check(
				blocklist_key_hash(bytes, k.mv_size), &c, sizeof c);
			old = (MDB_val){sizeof c, &c};
			ck_assert_int_eq(mdb_put(t.txn, bl->dbi, &k, &old, 0), 0);
		}
		ck_assert_int_eq(blocklist_txn_commit(&t), 0);
		struct blocklist_view *v = lab_view(bl);
		ck_assert_int_eq(blocklist_verify(v, NULL, NULL), ERR_DAMAGED);
		blocklist_view_close(v);
		blocklist_close(bl);
	}
}
END_TEST

/* A child that has the store open and, if told so, holds a snapshot. */
static pid_t start_reader(const char *path, bool holds)
{
	int ready[2];
	char c;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct blocklist *bl;
		struct blocklist_view *v;
		if (blocklist_open(&bl, path, BLOCKLIST_READ, NULL) ||
		    blocklist_view_open(&v, bl) || (holds && blocklist_view_renew(v)) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void end_reader(pid_t child)
{
	int status;
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

static uint64_t file_bytes(struct blocklist *bl)
{
	struct blocklist_view *v = lab_view(bl);
	struct blocklist_stats st;
	ck_assert_int_eq(blocklist_stats_get(v, &st), 0);
	blocklist_view_close(v);
	return st.file_bytes;
}

/* A reader that was killed does not keep pages for ever: not when the next writer opens
 * the store, and not when it has it open for long. */
START_TEST(killed_reader)
{
	const char *path = unit_path("s");
	make_store(path, NAMES);
	struct blocklist *bl = lab_open_at(path);
	uint64_t before = file_bytes(bl);
	blocklist_close(bl);
	/* somebody has it always open: else LMDB would start afresh */
	pid_t resolver = start_reader(path, false);
	end_reader(start_reader(path, true));
	bl = lab_open_at(path);
	for (int i = 0; i < 200; i++) {
		lab_add(bl, "m", "x.test", RULE_EXACT);
		ck_assert_int_eq(lab_remove(bl, "m", "x.test"), 0);
	}
	ck_assert_uint_lt(file_bytes(bl), before + (1 << 20));
	end_reader(start_reader(path, true));
	for (int i = 0; i < 12; i++) {
		struct blocklist_import *im;
		struct blocklist_changes c;
		ck_assert_int_eq(blocklist_import_open(&im, bl, "m", &lab_keep), 0);
		for (int k = 0; k < NAMES; k++) {
			struct blocklist_item it = {.kind = RULE_SUBTREE};
			lab_name(it.key.name, k);
			it.entry.confidence = (uint8_t)i;
			ck_assert_int_eq(blocklist_import_put(im, &it), 0);
		}
		ck_assert_int_eq(blocklist_import_commit(im, &c, NULL, NULL, NULL), 0);
		blocklist_import_close(im);
	}
	ck_assert_uint_lt(file_bytes(bl), 5 * before);
	blocklist_close(bl);
	end_reader(resolver);
}
END_TEST

/* LMDB counts pages that a transaction took and gave back, and does not write them: such
 * a file would look truncated. */
START_TEST(pages_never_written)
{
	const char *path = unit_path("s");
	struct blocklist_txn t;
	make_store(path, NAMES);
	struct blocklist *bl = lab_open_at(path);
	static char big[20000];
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(blocklist_txn_begin(&t, bl, false), 0);
		for (int i = 0; i < 80; i++) {
			uint8_t key[2] = {250, (uint8_t)(i % 40)};
			MDB_val k = {2, key}, v = {sizeof big, big};
			int rc = i < 40 ? mdb_put(t.txn, bl->dbi, &k, &v, 0)
					: mdb_del(t.txn, bl->dbi, &k, NULL);
			ck_assert_int_eq(rc, 0);
		}
		ck_assert_int_eq(blocklist_txn_commit(&t), 0);
	}
	blocklist_close(bl);
	ck_assert_int_eq(in_child(path, BLOCKLIST_READ, NULL, use_all), 0);
	ck_assert_int_eq(in_child(path, BLOCKLIST_WRITE, NULL, use_all), 0);
}
END_TEST

UNIT_SUITE("blocklist_damage", nothing_there, group_can_use_it, links_are_refused,
	   rows_that_no_tool_writes, network_file_systems, truncated, other_content,
	   flipped_bytes, page_numbers, damaged_record, full_disk, verify_compares,
	   killed_reader, pages_never_written)
