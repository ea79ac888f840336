/* program_parts.h: what the files of program share; nobody else includes it.
 * Shape    program_start.c opens everything in its order, program.c runs it, looks after
 *          it each second and ends it, program_control.c answers the operator
 * Errors   ERR_*, and what is wrong on the log */
#ifndef SINKHOLED_PROGRAM_PARTS_H
#define SINKHOLED_PROGRAM_PARTS_H

#include <sys/stat.h>
#include <time.h>
#include <uv.h>

#include "include/blocklist.h"
#include "include/control.h"
#include "resolver/control.h"
#include "resolver/log.h"
#include "resolver/notify.h"
#include "resolver/program.h"
#include "resolver/reload.h"
#include "resolver/startup.h"
#include "resolver/trace.h"
#include "resolver/trust.h"
#include "resolver/worker.h"

#define PROGRAM_STORE_FILE \
	"/data.mdb" /* in the blocklist's folder, see include/blocklist.h */

enum {
	/* and CONTROL_BLOCKLIST_DIR, PROGRAM_STORE_FILE */
	PROGRAM_STORE_PATH_MAX = CONF_PATH_MAX + 32,
};

struct program {
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
	struct startup_mark mark;
	uint64_t started_s;
	int64_t wall_ahead_ms; /* wall minus monotonic clock at the last tick */
	int lock_fd, exit_code;
	bool serving, stopping;
	bool on_terminal; /* stderr is one */
};

/* ---- program.c ---- */

int64_t program_clock_ms(clockid_t id);
/* Begins the end. */
void program_stop(struct program *p);
/* The configuration again; kept are the keys that want a restart. */
int program_reload(struct program *p, char error[CONTROL_ERROR_MAX],
		   char kept[CONF_KEPT_MAX]);

/* ---- program_start.c ---- */

/* The blocklist's folder, or a file in it. */
const char *program_store_path(char out[PROGRAM_STORE_PATH_MAX], const struct program *p,
			       const char *file);
/* Everything but the loop and what runs on it. */
MUST_CHECK int program_prepare(struct program *p);

/* ---- program_control.c ---- */

MUST_CHECK int program_control(struct program *p);

#endif
