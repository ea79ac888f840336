/* After the file: what depends on several keys, or on the machine. */
#include <assert.h>
#include <sched.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/control.h"
#include "resolver/conf_keys.h"

/* By affinity, so that a container's or taskset's share counts. */
static int processors(void)
{
	cpu_set_t set;
	int n = 1;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > CONF_WORKERS_MAX ? CONF_WORKERS_MAX : n;
}

static void work_out(struct conf *c, const int *lines)
{
	if (!c->runtime[0])
		memcpy(c->runtime, c->state, sizeof c->runtime);
	if (c->workers == 0)
		c->workers = processors();
	uint64_t least = conf_cache_least(c->workers);
	if (!lines[conf_find("cache.size")] && c->cache.size_bytes < least)
		c->cache.size_bytes = least;
	if (!c->node[0] && (gethostname(c->node, sizeof c->node - 1) || !c->node[0]))
		strcpy(c->node, "localhost");
	c->recursion.validate = !lines[conf_find("recursion.trust_anchor")] ||
				c->recursion.trust_anchor[0];
}

/* The key to blame: the first one, or the second where the first was not given. */
static int blame(const int *lines, const char *first, const char *second)
{
	int i = conf_find(first);
	return lines[i] ? i : conf_find(second);
}

static int check_together(const struct conf *c, const int *lines, int *key, char *why,
			  size_t size)
{
	size_t room =
		sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/" CONTROL_SOCKET;
	if (!c->recursion.ipv4 && !c->recursion.ipv6) {
		*key = conf_find("recursion.ipv6");
		snprintf(why, size, "IPv4 and IPv6 are both switched off; leave one on");
		return ERR_INVAL;
	}
	if (c->cache.min_ttl_s > c->cache.max_ttl_s) {
		*key = blame(lines, "cache.min_ttl", "cache.max_ttl");
		snprintf(why, size,
			 "min_ttl is above max_ttl; lower min_ttl to at most %us",
			 c->cache.max_ttl_s);
		return ERR_INVAL;
	}
	if (c->cache.size_bytes < conf_cache_least(c->workers)) {
		*key = conf_find("cache.size");
		snprintf(why, size,
			 "too little for %d workers, whose tables are counted; give at "
			 "least %lluM, or set workers lower",
			 c->workers,
			 (unsigned long long)conf_cache_least(c->workers) >> 20);
		return ERR_INVAL;
	}
	if (c->serve_stale.enabled && c->answers.max_wait_ms &&
	    c->serve_stale.client_timeout_ms >= c->answers.max_wait_ms) {
		*key = blame(lines, "serve_stale.client_timeout", "answers.max_wait");
		snprintf(why, size,
			 "stale answers would be too late for answers.max_wait; set "
			 "serve_stale.client_timeout below %ums",
			 c->answers.max_wait_ms);
		return ERR_INVAL;
	}
	if (strlen(c->runtime) > room) {
		*key = blame(lines, "runtime", "state");
		snprintf(
			why, size,
			"the path is too long for the control socket in it; give runtime "
			"a path of at most %zu characters",
			room);
		return ERR_INVAL;
	}
	return ERR_OK;
}

/* ---- read again ---- */

static bool same(const struct conf *a, const struct conf *b, const struct conf_key *k)
{
	const char *x = (const char *)a + k->at, *y = (const char *)b + k->at;
	if (k->type == CONF_TEXT) /* "" is not the same as not given where it says no */
		return !strcmp(x, y) &&
		       (k->at != offsetof(struct conf, recursion.trust_anchor) ||
			a->recursion.validate == b->recursion.validate);
	if (k->type != CONF_LISTEN)
		return !memcmp(x, y, k->size);
	bool equal = a->listen_n == b->listen_n;
	for (int i = 0; equal && i < a->listen_n; i++)
		equal = addr_equal(&a->listen[i], &b->listen[i]) &&
			a->listen_proxy[i] == b->listen_proxy[i];
	return equal;
}

/* What was worked out of the keys goes with them. */
void conf_keep(struct conf *c, const struct conf *old, char kept[CONF_KEPT_MAX])
{
	size_t n = 0;
	*kept = 0;
	for (int i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		if (!k->restart || same(c, old, k))
			continue;
		memcpy((char *)c + k->at, (const char *)old + k->at, k->size);
		n += (size_t)snprintf(kept + n, CONF_KEPT_MAX - n, "%s%s", n ? ", " : "",
				      k->path);
		assert(n < CONF_KEPT_MAX);
	}
	memcpy(c->listen_proxy, old->listen_proxy, sizeof c->listen_proxy);
	c->listen_n = old->listen_n;
	c->recursion.validate = old->recursion.validate;
}

int conf_complete(struct conf *c, const int *lines, int *key, char *why, size_t size)
{
	int err;
	work_out(c, lines);
	err = check_together(c, lines, key, why, size);
	if (err)
		return err;
	conf_nets_settle(&c->allow);
	conf_nets_settle(&c->recursion.permit_private);
	conf_nets_settle(&c->rebinding.prefixes);
	return ERR_OK;
}
