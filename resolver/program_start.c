/* program_start.c: what sinkholed needs, in the order in which it may be had. */
#include <errno.h>
#include <sys/wait.h>

#include "resolver/program_parts.h"

const char *program_store_path(char out[PROGRAM_STORE_PATH_MAX], const struct program *p,
			       const char *file)
{
	snprintf(out, PROGRAM_STORE_PATH_MAX, "%s/" CONTROL_BLOCKLIST_DIR "%s",
		 p->reload.conf->state, file);
	return out;
}

static void say_hits(void *arg, enum hit_log_level level, const char *text)
{
	(void)arg;
	log_line(level == HIT_LOG_WARNING ? LOG_WARN : LOG_INFORM, "%s", text);
}

static int load_hints(struct root_hints *hints, const struct conf *conf)
{
	char error[ROOT_ERROR_MAX];
	if (!conf->recursion.root_hints[0]) {
		root_hints_builtin(hints);
		return ERR_OK;
	}
	int err = root_hints_load(hints, conf->recursion.root_hints, error);
	if (err)
		log_error("recursion.root_hints: %s", error);
	return err;
}

/* Damage is found before it is served where there may be some, else beside the first
 * minutes of service. */
static int check_blocklist(struct program *p, bool first)
{
	int status, err = startup_verify(&p->verifier, p->reload.conf);
	if (err || !first)
		return err;
	log_notice("the last run did not end in order: checking the blocklist first");
	pid_t child = p->verifier;
	p->verifier = 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return ERR_IO;
	err = startup_verified(status, p->reload.conf);
	if (!err)
		startup_checked(&p->mark, true, p->reload.conf);
	return err;
}

static int open_blocklist(struct program *p)
{
	char path[PROGRAM_STORE_PATH_MAX];
	const char *why = NULL;
	if (stat(program_store_path(path, p, PROGRAM_STORE_FILE), &p->store))
		p->store.st_ino = 0; /* blocklist_open() says why */
	int err = blocklist_open(&p->shared.blocklist, program_store_path(path, p, ""),
				 BLOCKLIST_READ, &why);
	if (!err)
		err = blocklist_view_open(&p->view, p->shared.blocklist);
	if (err)
		log_error("the blocklist %s cannot be used: %s", path,
			  why ? why : err_text(err));
	return err;
}

static int open_hits(struct program *p)
{
	const char *why = NULL;
	const struct hit_log_conf conf = {
		.state = p->reload.conf->state,
		.runtime = p->reload.conf->runtime,
		.node = p->reload.conf->node,
		.workers = p->reload.conf->workers,
		.retention_s = p->reload.conf->hits.retention_s,
		.max_size_bytes = p->reload.conf->hits.max_size_bytes,
		.say = say_hits,
	};
	int err = hit_log_open(&p->shared.hits, &conf, &why);
	if (!err)
		err = hit_log_start(p->shared.hits);
	if (err)
		log_error("the hit log cannot be used: %s", why ? why : err_text(err));
	return err;
}

static int open_caches(struct program *p)
{
	const struct conf *conf = p->reload.conf;
	bool denies = conf->recursion.validate && conf->recursion.aggressive_nsec;
	uint64_t denial_bytes = denies ? conf->cache.size_bytes / WORKER_DENIAL_SHARE : 0;
	const struct rrset_cache_conf cache = {
		.size_bytes = conf->cache.size_bytes -
			      conf->cache.size_bytes / WORKER_ANSWER_SHARE -
			      denial_bytes - conf_own_bytes(conf->workers),
		.min_ttl_s = conf->cache.min_ttl_s,
		.max_ttl_s = conf->cache.max_ttl_s,
		.stale_s = conf->serve_stale.enabled ? conf->serve_stale.max_age_s : 0,
	};
	int err = rrset_cache_open(&p->shared.cache, &cache);
	if (!err && denies)
		err = denial_open(&p->shared.denial, denial_bytes, cache.max_ttl_s);
	if (!err)
		err = server_table_open(&p->shared.servers);
	if (err)
		log_error("cache.size: no memory for %llu bytes; set less",
			  (unsigned long long)conf->cache.size_bytes);
	return err;
}

static bool anchors_in_use(void *arg, const struct anchors *set)
{
	const struct program *p = arg;
	for (int i = 0; i < p->workers; i++)
		if (worker_anchors(p->worker[i]) == set)
			return true;
	return trace_running(p->trace);
}

static int open_trust(struct program *p)
{
	const struct trust_hooks hooks = {p, anchors_in_use};
	anchor_mail_init(&p->shared.mail);
	int err = trust_open(&p->trust, &p->shared, &p->given, &hooks);
	anchor_records_fini(&p->given);
	return err;
}

/* What needs root first, then who we are to be, then everything else. */
int program_prepare(struct program *p)
{
	struct startup_user user;
	bool check_first;
	startup_limits();
	int err = startup_user(&user, p->reload.conf);
	if (!err)
		err = load_hints(&p->shared.hints, p->reload.conf);
	if (!err)
		err = trust_given(&p->given, p->reload.conf);
	if (!err)
		err = startup_folders(p->reload.conf, &user);
	if (!err)
		err = startup_lock(&p->lock_fd, p->reload.conf, &user);
	if (!err)
		err = startup_bind(&p->sockets, p->reload.conf);
	if (!err)
		err = startup_become(&user);
	if (!err)
		err = startup_blocklist(p->reload.conf);
	if (!err)
		err = startup_begun(&p->mark, &check_first, p->reload.conf);
	if (!err)
		err = check_blocklist(p, check_first);
	if (!err)
		err = open_blocklist(p);
	if (!err)
		err = open_caches(p);
	if (!err)
		err = open_trust(p);
	if (!err)
		err = open_hits(p);
	return err;
}

int program_check(struct conf *conf, const char *path)
{
	struct startup_user user;
	struct root_hints hints;
	struct anchor_records given;
	bool good = !startup_user(&user, conf) && !load_hints(&hints, conf) &&
		    !trust_given(&given, conf);
	if (good) {
		anchor_records_fini(&given);
		printf("%s: good\n", path ? path : "the default configuration");
	}
	conf_free(conf);
	return good ? 0 : PROGRAM_NO;
}
