/* startup.h: what must be true of the machine before the resolver serves.
 * Shape    steps that main() takes in order; each prints its own error
 * Memory   the caller's
 * Threads  main, before any other thread
 * Errors   ERR_*, after one clear line on the log that says what to do */
#ifndef SINKHOLED_STARTUP_H
#define SINKHOLED_STARTUP_H

#include <sys/types.h>

#include "include/conf.h"

/* Who the process is to become; uid 0 stays when the configuration says so. */
struct startup_user {
	bool change;
	char name[64];
	uid_t uid;
	gid_t gid;
};

/* As many descriptors as the system lets us have: each question upstream is a socket. */
void startup_limits(void);
/* Looks conf->user up when started as root; otherwise nothing changes. */
MUST_CHECK int startup_user(struct startup_user *out, const struct conf *conf);
/* Makes the state and runtime folders where they are missing, for that user. */
MUST_CHECK int startup_folders(const struct conf *conf, const struct startup_user *user);
/* Takes the state folder for this process until it ends; -1 in *fd on failure. */
MUST_CHECK int startup_lock(int *fd, const struct conf *conf,
			    const struct startup_user *user);

/* Every worker's sockets for every listen address: udp[worker][listen]. */
struct startup_sockets {
	int *udp, *tcp; /* workers x listen_n, row by row */
};
MUST_CHECK int startup_bind(struct startup_sockets *out, const struct conf *conf);
/* Gives up root. */
MUST_CHECK int startup_become(const struct startup_user *user);

/* ---- startup_mark.c ---- */

enum {
	STARTUP_BOOT_MAX = 64,
	STARTUP_FILE_MAX = 128,
	/* Starts on trust before the check has to have ended once: enough for somebody
	 * who kills it again and again, few for a store that it crashes on. */
	STARTUP_TRUSTED = 8,
};

/* What is known of the blocklist's file while a process serves from the state folder. */
struct startup_mark {
	char boot[STARTUP_BOOT_MAX];  /* of the machine */
	char file[STARTUP_FILE_MAX];  /* as it was when this process began */
	char whole[STARTUP_FILE_MAX]; /* as it was when it was last found whole */
	uint32_t starts;	      /* since then */
};

/* Whether the blocklist must be checked before it is served. Not after an end in order,
 * and not when only the process died: it never writes the store, and what writers had
 * committed the kernel still has. A machine that went down can leave a torn file, unless
 * nobody has written to it since it was found whole; and a store that was found damaged,
 * or that many processes died of, is not trusted again. From here on this process counts
 * as running until startup_ended(). */
MUST_CHECK int startup_begun(struct startup_mark *mark, bool *check_first,
			     const struct conf *conf);
/* What the check said of the file as startup_begun() saw it. */
void startup_checked(struct startup_mark *mark, bool whole, const struct conf *conf);
void startup_ended(const struct conf *conf);

/* ---- the blocklist ---- */

/* The blocklist must be there unless this state folder is new: then an empty one is
 * made. */
MUST_CHECK int startup_blocklist(const struct conf *conf);
/* Starts the full check of the blocklist in a child process; *pid is it. */
MUST_CHECK int startup_verify(pid_t *pid, const struct conf *conf);
/* What the child's wait status means: ERR_DAMAGED, or ERR_STOPPED when it came to no
 * verdict; prints which. */
MUST_CHECK int startup_verified(int wait_status, const struct conf *conf);

#endif
