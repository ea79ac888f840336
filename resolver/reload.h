/* reload.h: the configuration, read again while questions are answered.
 * Shape    the file is read whole and only then takes the place of what holds; on any
 *          error that stays. Keys that need a restart keep their old value
 * Memory   an old configuration goes when no worker reads it any more: reload_tidy()
 * Threads  main; workers take shared->conf at their next batch edge
 * Errors   ERR_*, with a text that says what to do
 * Source   SECURITY.md section 6, "Reload" */
#ifndef SINKHOLED_RELOAD_H
#define SINKHOLED_RELOAD_H

#include "include/conf.h"
#include "resolver/worker.h"

struct reload {
	struct conf *conf;	  /* in force; shared->conf is it */
	struct old_conf *retired; /* private */
	const char *path;	  /* NULL: there is no file */
	struct shared *shared;
};

/* Takes conf, as it was read from path. */
void reload_init(struct reload *r, struct conf *conf, const char *path,
		 struct shared *shared);
/* kept: keys that the file says differently by now and that need a restart, with ", "
 * between; "" = none. */
MUST_CHECK int reload_now(struct reload *r, struct conf_error *error,
			  char kept[CONF_KEPT_MAX]);
/* Frees what came before shared->conf, once all n workers read only that; nobody else
 * may have kept it. */
void reload_tidy(struct reload *r, struct worker *const *workers, int n);
/* With all workers closed. */
void reload_fini(struct reload *r);

#endif
