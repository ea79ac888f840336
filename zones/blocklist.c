/* blocklist.c: opening, making and closing the store.
 *
 * What LMDB does not notice and a reader would die of is looked for here, before a data
 * page is touched: a file shorter than its last page (SIGBUS), a network file system
 * (locks that lock nothing), another format. */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "include/blocklist_care.h"
#include "zones/blocklist_store.h"

/* Address space that is reserved, not memory: about 100 million names. Never changed
 * while the store is open, because LMDB wants no transaction in the whole process for
 * that; and below what valgrind can give a process. A store that is larger already gets
 * twice its size. */
static const size_t map_size = (size_t)32 << 30;

enum {
	READERS_MAX = 1024,	  /* views of 256 workers and the tools; 64 bytes each */
	LOCK_CREATE_WAIT = 10000, /* ms; making an empty store takes two fsyncs */
	DIR_MODE = 02770,	  /* set group id: files belong to the operators' group */
	FILE_MODE = 0660,	  /* a reader writes lock.mdb, so the group must, too */
};

static const char *const why_missing =
	"there is no blocklist in this folder: give the right --state, or make one with "
	"sinkhole-blocklist import or add";
static const char *const why_no_parent = "the folder above the blocklist does not exist: "
					 "create the state folder, or give the "
					 "right --state";
static const char *const why_access = "no permission for data.mdb or its folder: run as "
				      "a member of the group that owns it";
static const char *const why_read_only =
	"its file system is mounted read-only: mount it for writing, or look into the "
	"kernel's log for why it is not";
static const char *const why_lock_access =
	"lock.mdb cannot be written, which even readers must: run as a member of the "
	"group "
	"that owns it, and make it writable for that group";
static const char *const why_link =
	"data.mdb, lock.mdb, lists.lock, .new or .restore there is a "
	"link or of a wrong kind: find out "
	"who put it there, and remove it";
static const char *const why_remote = "the folder is on a network or FUSE file system, "
				      "where the store's locks do not work: "
				      "use a local disk";
static const char *const why_truncated =
	"data.mdb is shorter than what it holds: it was cut or copied while in use; put "
	"back "
	"a good copy, or move it away and import the lists again";
static const char *const why_damaged =
	"data.mdb fails its checks: put back a good copy, or move it away and import the "
	"lists again";
static const char *const why_version = "data.mdb is no blocklist of this program's "
				       "format: use the version that wrote it, or "
				       "move it away and import the lists again";
static const char *const why_full =
	"no space left for the blocklist: free some on its disk, or raise the quota";
static const char *const why_busy = "too many processes have the blocklist open, or "
				    "another one is just making it: try "
				    "again";
static const char *const why_other = "the system refused to open the blocklist: see the "
				     "system's log for errors of the "
				     "disk";

int blocklist_error(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
	case ENOENT:
		return ERR_NOENT;
	case MDB_KEYEXIST:
	case EEXIST:
		return ERR_EXIST;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return ERR_DAMAGED;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_MAP_RESIZED: /* a build with a larger map wrote it */
		return ERR_VERSION;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_FULL;
	case MDB_READERS_FULL:
	case EBUSY:
	case EAGAIN:
		return ERR_BUSY;
	case ENOMEM:
		return ERR_NOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_ACCESS;
	case EINVAL:
		return ERR_INVAL;
	default:
		return ERR_IO;
	}
}

bool blocklist_fs_remote(unsigned long fs_type)
{
	static const unsigned long remote[] = {
		0x6969,	    /* NFS */
		0x517b,	    /* SMB */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
		0x65735546, /* FUSE: sshfs, GlusterFS */
		0x01021997, /* 9P */
		0x5346414f, /* AFS */
		0x6b414653, /* kAFS */
		0x73757245, /* Coda */
		0x00c36400, /* Ceph */
		0x0bd00bd0, /* Lustre */
		0x47504653, /* GPFS */
		0x564c,	    /* NCP */
	};
	for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
		if (remote[i] == (fs_type & 0xffffffff))
			return true;
	return false;
}

static int path_in(char out[4200], const char *dir, const char *name)
{
	int n = snprintf(out, 4200, "%s/%s", dir, name);
	return n < 0 || n >= 4200 ? ERR_RANGE : ERR_OK;
}

/* What the umask took from the mode; only the owner can and need. */
static void open_to_group(const char *dir, const char *name)
{
	char path[4200];
	struct stat st;
	if (path_in(path, dir, name) || lstat(path, &st) || st.st_uid != geteuid() ||
	    !S_ISREG(st.st_mode) || (st.st_mode & 07777) == FILE_MODE)
		return;
	if (fchmodat(AT_FDCWD, path, FILE_MODE, AT_SYMLINK_NOFOLLOW))
		return; /* then only the owner can use it, and opening will say so */
}

/* The folder belongs to a group, but root may run us: a link there must not lead to a
 * file of somebody else, which LMDB would write to and we would open to the group. */
static int links_check(const char *dir, const char **why)
{
	static const struct {
		const char *name;
		mode_t kind;
	} ours[] = {{"data.mdb", S_IFREG},
		    {"lock.mdb", S_IFREG},
		    {"lists.lock", S_IFREG},
		    {".new", S_IFDIR},
		    {".restore", S_IFDIR}};
	char path[4200];
	struct stat st;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		if (path_in(path, dir, ours[i].name))
			return ERR_RANGE;
		if (lstat(path, &st) == 0 && (st.st_mode & S_IFMT) != ours[i].kind) {
			*why = why_link;
			return ERR_REFUSED;
		}
	}
	return ERR_OK;
}

static int dir_make(const char *dir, const char **why)
{
	if (mkdir(dir, 0770) == 0) {
		if (chmod(dir, DIR_MODE))
			return blocklist_error(errno);
		return ERR_OK;
	}
	if (errno == EEXIST)
		return ERR_OK;
	int err = blocklist_error(errno);
	*why = err == ERR_NOENT ? why_no_parent : NULL;
	return err;
}

static int dir_check(const char *dir, const char **why)
{
	struct statfs fs;
	if (statfs(dir, &fs))
		return blocklist_error(errno);
	if (blocklist_fs_remote((unsigned long)fs.f_type)) {
		*why = why_remote;
		return ERR_REFUSED;
	}
	return links_check(dir, why);
}

/* A folder that is not there yet is its parent's business. */
static bool is_read_only(const char *dir)
{
	struct statvfs fs;
	return statvfs(dir, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

static int env_make(MDB_env **out, const char *dir, size_t size, unsigned flags)
{
	int rc = mdb_env_create(out);
	if (rc) {
		*out = NULL;
		return blocklist_error(rc);
	}
	if (!(rc = mdb_env_set_mapsize(*out, size)) &&
	    !(rc = mdb_env_set_maxreaders(*out, READERS_MAX)) &&
	    !(rc = mdb_env_set_maxdbs(*out, 1)))
		rc = mdb_env_open(*out, dir, MDB_NOTLS | flags, FILE_MODE);
	if (rc) {
		mdb_env_close(*out);
		*out = NULL;
	}
	return blocklist_error(rc);
}

static int store_write_first(const char *dir)
{
	struct blocklist_meta meta;
	uint64_t epoch;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi, entries;
	if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
		return ERR_IO;
	int err = env_make(&env, dir, map_size, 0);
	if (err)
		return err;
	err = blocklist_error(mdb_txn_begin(env, NULL, 0, &txn));
	if (!err) {
		blocklist_meta_init(&meta, epoch);
		err = blocklist_error(mdb_dbi_open(txn, NULL, 0, &dbi));
		if (!err)
			err = blocklist_error(mdb_dbi_open(txn, BLOCKLIST_ENTRIES_NAME,
							   MDB_CREATE, &entries));
		if (!err)
			err = blocklist_meta_write(&meta, txn, dbi);
		if (err)
			mdb_txn_abort(txn);
		else
			err = blocklist_error(mdb_txn_commit(txn));
	}
	mdb_env_close(env);
	return err;
}

int blocklist_dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? blocklist_error(errno) : ERR_OK;
	if (fd >= 0)
		close(fd);
	return err;
}

/* An empty store, made aside and moved into place whole: a data.mdb without a format
 * stamp is damage, never one that is being made. A lock.mdb that an older data.mdb left
 * must go, because whoever has that one open still writes into it. */
static int store_create(const char *dir)
{
	char new_dir[4200], new_data[4200], new_lock[4200], data[4200], lock[4200];
	if (path_in(new_dir, dir, ".new") || path_in(new_data, dir, ".new/data.mdb") ||
	    path_in(new_lock, dir, ".new/lock.mdb") || path_in(data, dir, "data.mdb") ||
	    path_in(lock, dir, "lock.mdb"))
		return ERR_RANGE;
	if (access(data, F_OK) == 0)
		return ERR_OK;
	/* What a killed one left. */
	(void)unlink(new_data);
	(void)unlink(new_lock);
	if (mkdir(new_dir, 0770) && errno != EEXIST)
		return blocklist_error(errno);
	int err = store_write_first(new_dir);
	if (!err) {
		open_to_group(dir, ".new/data.mdb");
		(void)unlink(lock);
		err = rename(new_data, data) ? blocklist_error(errno)
					     : blocklist_dir_sync(dir);
	}
	(void)unlink(new_data);
	(void)unlink(new_lock);
	(void)rmdir(new_dir);
	return err;
}

static int store_ensure(const char *dir)
{
	char data[4200];
	if (path_in(data, dir, "data.mdb"))
		return ERR_RANGE;
	if (access(data, F_OK) == 0)
		return ERR_OK;
	int fd = blocklist_lock_dir(dir, BLOCKLIST_LOCK_CREATE, LOCK_CREATE_WAIT);
	if (fd < 0)
		return fd;
	int err = store_create(dir);
	blocklist_unlock(fd);
	return err;
}

static int data_size(const char *data, uint64_t *size, const char **why)
{
	struct stat st;
	if (stat(data, &st)) {
		*why = errno == ENOENT || errno == ENOTDIR ? why_missing : NULL;
		return blocklist_error(errno == ENOTDIR ? ENOENT : errno);
	}
	*size = (uint64_t)st.st_size;
	*why = why_truncated;
	return *size == 0 ? ERR_DAMAGED : ERR_OK;
}

/* The header pages say how many pages there are: all must be in the file. */
static int env_size_check(struct blocklist *bl, const char **why)
{
	MDB_envinfo info;
	MDB_stat stat_now;
	uint64_t size;
	int rc = mdb_env_info(bl->env, &info);
	if (!rc)
		rc = mdb_env_stat(bl->env, &stat_now);
	if (rc)
		return blocklist_error(rc);
	bl->page_size = stat_now.ms_psize;
	int err = data_size(bl->data, &size, why);
	if (err)
		return err;
	*why = why_truncated;
	return size / bl->page_size < info.me_last_pgno + 1 ? ERR_DAMAGED : ERR_OK;
}

static int env_content_check(struct blocklist *bl)
{
	struct blocklist_meta meta;
	MDB_stat names, entries;
	MDB_txn *txn;
	int rc = mdb_txn_begin(bl->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return blocklist_error(rc);
	rc = mdb_dbi_open(txn, NULL, 0, &bl->dbi);
	int err = rc ? blocklist_error(rc) : blocklist_meta_read(&meta, txn, bl->dbi);
	if (!err) {
		rc = mdb_dbi_open(txn, BLOCKLIST_ENTRIES_NAME, 0, &bl->entries);
		if (!rc)
			rc = mdb_stat(txn, bl->dbi, &names);
		if (!rc)
			rc = mdb_stat(txn, bl->entries, &entries);
		err = rc == MDB_NOTFOUND ? ERR_DAMAGED : blocklist_error(rc);
	}
	/* All pairs, the meta pair, and LMDB's record of the other database. */
	if (!err && names.ms_entries + entries.ms_entries != meta.pairs + 2)
		err = ERR_DAMAGED;
	/* A commit makes the handles valid for later transactions. */
	rc = mdb_txn_commit(txn);
	return err ? err : blocklist_error(rc);
}

static size_t store_map_size(uint64_t file_size)
{
	return file_size > map_size / 2 ? file_size * 2 : map_size;
}

static int store_open(struct blocklist *bl, const char **why)
{
	uint64_t size;
	int dead, err = data_size(bl->data, &size, why);
	if (err)
		return err;
	*why = NULL;
	err = env_make(&bl->env, bl->dir, store_map_size(size),
		       bl->writable ? 0 : MDB_RDONLY);
	open_to_group(bl->dir, "lock.mdb");
	if (err == ERR_ACCESS) {
		char lock[4200];
		if (!path_in(lock, bl->dir, "lock.mdb") && !access(lock, F_OK) &&
		    faccessat(AT_FDCWD, lock, R_OK | W_OK, AT_EACCESS))
			*why = why_lock_access;
	}
	if (err)
		return err;
	err = env_size_check(bl, why);
	if (err)
		return err;
	*why = NULL;
	/* Slots of killed readers keep pages from being used again. */
	err = blocklist_error(mdb_reader_check(bl->env, &dead));
	return err ? err : env_content_check(bl);
}

static const char *why_of(int err)
{
	switch (err) {
	case ERR_NOENT:
		return why_missing;
	case ERR_ACCESS:
		return why_access;
	case ERR_DAMAGED:
		return why_damaged;
	case ERR_VERSION:
		return why_version;
	case ERR_FULL:
		return why_full;
	case ERR_BUSY:
		return why_busy;
	case ERR_OK:
		return "";
	default:
		return why_other;
	}
}

int blocklist_open(struct blocklist **out, const char *dir, enum blocklist_open_mode mode,
		   const char **why)
{
	const char *reason = NULL;
	struct blocklist *bl = calloc(1, sizeof *bl);
	int err = bl ? ERR_OK : ERR_NOMEM;
	*out = NULL;
	if (bl) {
		size_t n = strlen(dir);
		bl->writable = mode == BLOCKLIST_WRITE;
		if (n >= sizeof bl->dir)
			err = ERR_RANGE;
		else
			memcpy(bl->dir, dir, n + 1);
	}
	if (!err)
		err = path_in(bl->data, dir, "data.mdb");
	if (!err && bl->writable)
		err = dir_make(dir, &reason);
	if (!err)
		err = dir_check(dir, &reason);
	if (!err && bl->writable) {
		reason = NULL;
		err = store_ensure(dir);
	}
	if (!err)
		err = store_open(bl, &reason);
	if (err == ERR_ACCESS && bl->writable && is_read_only(dir))
		reason = why_read_only;
	if (why)
		*why = err && reason ? reason : why_of(err);
	if (err)
		blocklist_close(bl);
	else
		*out = bl;
	return err;
}

int blocklist_copy_open(struct blocklist **out, const char *file, const char **why)
{
	const char *reason = NULL;
	struct blocklist *bl = calloc(1, sizeof *bl);
	uint64_t size;
	int err = !bl ? ERR_NOMEM : strlen(file) >= sizeof bl->data ? ERR_RANGE : ERR_OK;
	*out = NULL;
	if (!err) {
		memcpy(bl->data, file, strlen(file) + 1);
		err = data_size(file, &size, &reason);
	}
	if (!err) {
		reason = NULL;
		err = env_make(&bl->env, file, store_map_size(size),
			       MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK);
	}
	if (!err)
		err = env_size_check(bl, &reason);
	if (!err) {
		reason = NULL;
		err = env_content_check(bl);
	}
	if (why)
		*why = err && reason ? reason : why_of(err);
	if (err)
		blocklist_close(bl);
	else
		*out = bl;
	return err;
}

void blocklist_close(struct blocklist *bl)
{
	if (bl && bl->env)
		mdb_env_close(bl->env);
	free(bl);
}
