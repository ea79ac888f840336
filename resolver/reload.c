#include "resolver/reload.h"

#include <stdlib.h>

struct old_conf {
	struct old_conf *next;
	struct conf *conf;
};

void reload_init(struct reload *r, struct conf *conf, const char *path,
		 struct shared *shared)
{
	*r = (struct reload){.conf = conf, .path = path, .shared = shared};
	atomic_store(&shared->conf, conf);
}

int reload_now(struct reload *r, struct conf_error *error, char kept[CONF_KEPT_MAX])
{
	struct conf *conf;
	*kept = 0;
	if (!r->path) {
		snprintf(error->text, sizeof error->text,
			 "there is no configuration to read again: sinkholed was started "
			 "without -c FILE");
		return ERR_NOENT;
	}
	int err = conf_load(&conf, r->path, error);
	if (err)
		return err;
	struct old_conf *old = malloc(sizeof *old);
	if (!old) {
		snprintf(error->text, sizeof error->text, "out of memory");
		conf_free(conf);
		return ERR_NOMEM;
	}
	conf_keep(conf, r->conf, kept);
	*old = (struct old_conf){r->retired, r->conf};
	r->retired = old;
	r->conf = conf;
	atomic_store_explicit(&r->shared->conf, conf, memory_order_release);
	return ERR_OK;
}

static void free_retired(struct reload *r)
{
	while (r->retired) {
		struct old_conf *old = r->retired;
		r->retired = old->next;
		conf_free(old->conf);
		free(old);
	}
}

void reload_tidy(struct reload *r, struct worker *const *workers, int n)
{
	for (int i = 0; i < n; i++)
		if (worker_conf(workers[i]) != r->conf)
			return;
	free_retired(r);
}

void reload_fini(struct reload *r)
{
	free_retired(r);
	conf_free(r->conf);
	r->conf = NULL;
}
