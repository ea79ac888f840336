/* script_conf.c: the configuration of a script, in three dialects.
 *
 * Ours, from CONFIG_BEGIN:
 *   root NAME ADDRESS...               a root server
 *   ipv4|ipv6|case yes|no              conf's recursion keys; default yes, no, yes
 *   qmin off|relaxed|strict            default off
 *   stub|forward ZONE [first] ADDRESS...
 *   stale yes|no [TIMEOUT_MS [MAX_AGE]]  default no, 1800, 86400
 *   trust-anchor ZONE DS|DNSKEY ...    one or more; none: nothing is validated
 *   negative-anchor ZONE
 *   aggressive-nsec yes|no             default yes
 *   date YYYYMMDDHHMMSS                at the first step
 *   rule name NAME exact|subtree|ns-exact ACTION [expires SECONDS]
 *   rule address PREFIX server|answer ACTION
 * Unbound's: sections server:, stub-zone:, forward-zone:; the stub of "." is the root.
 * Deckard's: no sections, stub-addr is a root server. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "tests/scenarios/script.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void add_hint(struct script *s, const char *name, const char *addr)
{
	struct root_hints *h = &s->hints;
	if (h->server_n == ROOT_SERVERS_MAX) {
		script_fail(s, s->line, "more than %d root servers", ROOT_SERVERS_MAX);
		return;
	}
	struct root_server *r = &h->server[h->server_n++];
	script_name(s, r->name, name);
	r->addr[r->addr_n++] = script_addr(s, addr);
}

/* NULL when there is no room. */
static struct conf_zone *add_zone(struct script *s, struct conf_zone *zones, int *n,
				  const char *name)
{
	if (*n == SCRIPT_ZONES_MAX) {
		script_fail(s, s->line, "more than %d zones", SCRIPT_ZONES_MAX);
		return NULL;
	}
	struct conf_zone *z = &zones[(*n)++];
	*z = (struct conf_zone){.servers_n = 0};
	script_name(s, z->zone, name);
	return z;
}

static void add_server(struct script *s, struct conf_zone *z, const char *addr)
{
	if (z->servers_n == CONF_SERVERS_MAX) {
		script_fail(s, s->line, "more than %d servers", CONF_SERVERS_MAX);
		return;
	}
	z->servers[z->servers_n] = script_addr(s, addr);
	z->servers[z->servers_n++].port = DNS_PORT;
}

/* "20070916134226", or "-1" for any time. */
static void read_date(struct script *s, const char *text)
{
	struct tm tm = {0};
	char *end = strptime(text, "%Y%m%d%H%M%S", &tm);
	if (end && !*end)
		s->start_s = (uint32_t)timegm(&tm);
}

static void add_anchor(struct script *s, const char *line)
{
	char error[ZONE_FILE_ERROR_MAX];
	struct anchor_records r;
	int err = 0;
	if (s->unchecked)
		return;
	if (anchor_records_parse(&r, "trust-anchor", line, strlen(line), error))
		script_fail(s, s->line, "%s", error);
	for (int i = 0; i < r.n && !err; i++)
		err = anchor_records_add(&s->trusted, r.record[i].zone, r.record[i].type,
					 r.record[i].rdata, r.record[i].len);
	if (err)
		script_fail(s, s->line, "too many trust anchors");
	anchor_records_fini(&r);
}

static void add_insecure(struct script *s, const char *zone)
{
	if (s->insecure_n == SCRIPT_ZONES_MAX)
		script_fail(s, s->line, "more than %d zones", SCRIPT_ZONES_MAX);
	else
		script_name(s, s->insecure[s->insecure_n++].zone, zone);
}

/* ---- ours ---- */

static void read_root(struct script *s)
{
	const struct words *w = &s->words;
	add_hint(s, w->w[1], w->w[2]);
	if (s->error[0])
		return;
	struct root_server *r = &s->hints.server[s->hints.server_n - 1];
	for (int i = 3; i < w->n && r->addr_n < ROOT_ADDRS_MAX; i++)
		r->addr[r->addr_n++] = script_addr(s, w->w[i]);
}

static void read_own_zone(struct script *s)
{
	const struct words *w = &s->words;
	struct conf *c = &s->conf;
	struct conf_zone *z =
		is_word(w->w[0], "stub")
			? add_zone(s, s->stub, &c->recursion.stub_n, w->w[1])
			: add_zone(s, s->forward, &c->recursion.forward_n, w->w[1]);
	if (!z)
		return;
	z->first = is_word(w->w[2], "first");
	for (int i = 2 + z->first; i < w->n; i++)
		add_server(s, z, w->w[i]);
}

static void read_stale(struct script *s)
{
	const struct words *w = &s->words;
	struct conf *c = &s->conf;
	c->serve_stale.enabled = w->n > 1 && is_word(w->w[1], "yes");
	if (w->n > 2)
		c->serve_stale.client_timeout_ms = (uint32_t)strtoul(w->w[2], NULL, 10);
	if (w->n > 3)
		c->serve_stale.max_age_s = (uint32_t)strtoul(w->w[3], NULL, 10);
}

static void read_own_key(struct script *s)
{
	const struct words *w = &s->words;
	struct conf *c = &s->conf;
	bool yes = w->n == 2 && is_word(w->w[1], "yes");
	if (is_word(w->w[0], "root") && w->n > 2)
		read_root(s);
	else if (is_word(w->w[0], "ipv4"))
		c->recursion.ipv4 = yes;
	else if (is_word(w->w[0], "ipv6"))
		c->recursion.ipv6 = yes;
	else if (is_word(w->w[0], "case"))
		c->recursion.case_randomisation = yes;
	else if (is_word(w->w[0], "trust-anchor"))
		add_anchor(s, s->line_text + sizeof "trust-anchor"); /* and a blank */
	else if (is_word(w->w[0], "negative-anchor") && w->n == 2)
		add_insecure(s, w->w[1]);
	else if (is_word(w->w[0], "date") && w->n == 2)
		read_date(s, w->w[1]);
	else if (is_word(w->w[0], "aggressive-nsec"))
		c->recursion.aggressive_nsec = yes;
	else if (is_word(w->w[0], "stale"))
		read_stale(s);
	else if (is_word(w->w[0], "qmin") && w->n == 2)
		c->recursion.qname_minimisation =
			is_word(w->w[1], "relaxed")  ? CONF_QMIN_RELAXED
			: is_word(w->w[1], "strict") ? CONF_QMIN_STRICT
						     : CONF_QMIN_OFF;
	else if ((is_word(w->w[0], "stub") || is_word(w->w[0], "forward")) && w->n > 2)
		read_own_zone(s);
	else if (is_word(w->w[0], "rule") && s->rule_n < SCRIPT_RULES_MAX)
		s->rule[s->rule_n++] = *w;
	else
		script_fail(s, s->line, "unknown key %s", w->w[0]);
}

static void read_own(struct script *s)
{
	s->dialect = DIALECT_OWN;
	s->conf.recursion.qname_minimisation = CONF_QMIN_OFF;
	s->conf.recursion.ipv6 = false;
	while (script_line(s)) {
		if (is_word(s->words.w[0], "CONFIG_END"))
			return;
		read_own_key(s);
	}
	script_fail(s, s->line, "CONFIG_END is missing");
}

/* ---- theirs ---- */

struct reader {
	struct script *s;
	enum { SECTION_SERVER, SECTION_STUB, SECTION_FORWARD, SECTION_OTHER } section;
	struct conf_zone *zone; /* of the section; NULL before its name */
	char key[64], value[2048];
};

/* What steers the insides or the log of one product, or what is asserted by our own
 * scenarios. */
static const char *const ignored[] = {"access-control",
				      "directory",
				      "discard-timeout",
				      "do-daemonize",
				      "do-not-query-localhost",
				      "ede",
				      "ede-serve-expired",
				      "edns-buffer-size",
				      "fake-dsa",
				      "fake-sha1",
				      "force-ipv6",
				      "harden-algo-downgrade",
				      "harden-below-nxdomain",
				      "harden-dnssec-stripped",
				      "harden-glue",
				      "harden-large-queries",
				      "harden-referral-path",
				      "harden-short-bufsize",
				      "harden-unknown-additional",
				      "harden-unverified-glue",
				      "hide-identity",
				      "hide-version",
				      "infra-cache-min-rtt",
				      "iter-scrub-cname",
				      "iter-scrub-ns",
				      "iter-scrub-promiscuous",
				      "key-cache-size",
				      "log-local-actions",
				      "log-queries",
				      "log-servfail",
				      "log-time-ascii",
				      "max-global-quota",
				      "minimal-responses",
				      "msg-cache-size",
				      "msg-cache-slabs",
				      "num-queries-per-thread",
				      "num-threads",
				      "outbound-msg-retry",
				      "prefetch-key",
				      "root-key-sentinel",
				      "rrset-cache-size",
				      "rrset-roundrobin",
				      "stub-prime",
				      "stub-name",
				      "target-fetch-policy",
				      "trust-anchor-signaling",
				      "unknown-server-time-limit",
				      "unwanted-reply-threshold",
				      "use-caps-for-id",
				      "use-syslog",
				      "val-clean-additional",
				      "val-log-level",
				      "val-max-restart",
				      "verbosity"};

static bool is_one_of(const char *w, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(w, list[i]))
			return true;
	return false;
}

static bool is_yes(const char *w)
{
	return is_word(w, "yes") || is_word(w, "true") || is_word(w, "on") ||
	       is_word(w, "1");
}

/* '#' begins a comment at the line's start and after a blank. */
static void cut_hash(char *line)
{
	for (char *p = line; *p; p++)
		if (*p == '#' && (p == line || isspace((unsigned char)p[-1])))
			*p = 0;
}

/* Takes "key: value" off *line; a section's line may go on after its name. */
static bool cut_key(struct reader *r, char **line)
{
	char *key = *line + strspn(*line, " \t"), *colon = strchr(key, ':');
	if (!colon)
		return false;
	*colon = 0;
	snprintf(r->key, sizeof r->key, "%s", key);
	char *v = colon + 1 + strspn(colon + 1, " \t");
	size_t n = strcspn(v, " \t");
	bool many = r->section == SECTION_STUB || r->section == SECTION_FORWARD;
	*line = many ? v + n : v + strlen(v);
	if (!many)
		n = strlen(v);
	while (n && isspace((unsigned char)v[n - 1]))
		n--;
	if (n > 1 && (*v == '"' || *v == '\'') && v[n - 1] == *v) {
		v++;
		n -= 2;
	}
	snprintf(r->value, sizeof r->value, "%.*s", (int)n, v);
	return true;
}

/* A section's word with or without the keys behind it; the rest of the line is read by
 * what comes after. */
static char *enter_section(struct reader *r, char *line)
{
	static const char *const others[] = {
		"auth-zone", "rpz",    "view",	"cachedb", "python",	    "dnscrypt",
		"ipset",     "dynlib", "redis", "dnstap",  "remote-control"};
	char word[64], why[96];
	size_t n = strcspn(line, ":");
	snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : 0), line);
	if (is_word(word, "server"))
		r->section = SECTION_SERVER;
	else if (is_word(word, "stub-zone"))
		r->section = SECTION_STUB;
	else if (is_word(word, "forward-zone"))
		r->section = SECTION_FORWARD;
	else if (is_one_of(word, others, COUNT(others)))
		r->section = SECTION_OTHER;
	else
		return line;
	r->zone = NULL;
	r->s->dialect = DIALECT_UNBOUND;
	snprintf(why, sizeof why, "has %s", word);
	if (r->section == SECTION_OTHER)
		script_skip(r->s, why);
	return line + n + (line[n] != 0);
}

static void read_zone_key(struct reader *r)
{
	struct script *s = r->s;
	struct conf *c = &s->conf;
	bool stub = r->section == SECTION_STUB;
	char why[96];
	if (is_word(r->key, "name")) {
		r->zone =
			stub ? add_zone(s, s->stub, &c->recursion.stub_n, r->value)
			     : add_zone(s, s->forward, &c->recursion.forward_n, r->value);
	} else if (is_word(r->key, stub ? "stub-addr" : "forward-addr")) {
		r->value[strcspn(r->value, "@# ")] = 0;
		if (r->zone)
			add_server(s, r->zone, r->value);
	} else if (is_word(r->key, stub ? "stub-first" : "forward-first")) {
		if (r->zone)
			r->zone->first = is_yes(r->value);
	} else if (!is_one_of(r->key, ignored, COUNT(ignored))) {
		snprintf(why, sizeof why, "sets %s", r->key);
		script_skip(s, why);
	}
}

/* min_ttl = N; max_ttl = N. */
static void read_features(struct reader *r)
{
	char *save = NULL;
	for (char *f = strtok_r(r->value, "; ", &save); f;
	     f = strtok_r(NULL, "; ", &save)) {
		char *n = strpbrk(f, "=");
		n = n ? n + 1 : strtok_r(NULL, "=; ", &save);
		uint32_t ttl = n ? (uint32_t)strtoul(n, NULL, 10) : 0;
		if (n && strncmp(f, "min_ttl", 7) == 0)
			r->s->conf.cache.min_ttl_s = ttl;
		else if (n && strncmp(f, "max_ttl", 7) == 0)
			r->s->conf.cache.max_ttl_s = ttl;
		else
			script_skip(r->s, "sets features");
	}
}

/* Keys with a number that conf has too; false when it is none of them. */
static bool read_number(struct reader *r)
{
	struct conf *c = &r->s->conf;
	const struct {
		const char *key;
		uint32_t *to;
	} numbers[] = {
		{"serve-expired-ttl", &c->serve_stale.max_age_s},
		{"serve-expired-reply-ttl", &c->serve_stale.ttl_s},
		{"serve-expired-client-timeout", &c->serve_stale.client_timeout_ms},
		{"cache-min-ttl", &c->cache.min_ttl_s},
		{"cache-max-ttl", &c->cache.max_ttl_s},
		{"val-override-timestamp", &r->s->start_s}};
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (is_word(r->key, numbers[i].key)) {
			*numbers[i].to = (uint32_t)strtoul(r->value, NULL, 10);
			return true;
		}
	return false;
}

static bool is_plain_module_config(const char *value)
{
	static const char *const other[] = {"subnet", "dns64",	"cachedb", "ipset",
					    "python", "dynlib", "ipsecmod"};
	for (size_t i = 0; i < COUNT(other); i++)
		if (strstr(value, other[i]))
			return false;
	return true;
}

static void read_server_key(struct reader *r)
{
	struct script *s = r->s;
	struct conf *c = &s->conf;
	char why[96];
	if (is_word(r->key, "stub-addr"))
		add_hint(s, "k.root-servers.net", r->value);
	else if (is_word(r->key, "forward-addr"))
		read_zone_key(r);
	else if (is_word(r->key, "do-ip4"))
		c->recursion.ipv4 = is_yes(r->value);
	else if (is_word(r->key, "do-ip6"))
		c->recursion.ipv6 = is_yes(r->value);
	else if (is_word(r->key, "qname-minimisation") ||
		 is_word(r->key, "query-minimization"))
		c->recursion.qname_minimisation =
			is_yes(r->value) ? CONF_QMIN_RELAXED : CONF_QMIN_OFF;
	else if (is_word(r->key, "aggressive-nsec"))
		c->recursion.aggressive_nsec = is_yes(r->value);
	else if (is_word(r->key, "serve-expired"))
		c->serve_stale.enabled = is_yes(r->value);
	else if (is_word(r->key, "val-override-date"))
		read_date(s, r->value);
	else if (is_word(r->key, "features") || is_word(r->key, "feature-list"))
		read_features(r);
	else if (is_word(r->key, "trust-anchor"))
		add_anchor(s, r->value);
	else if (is_word(r->key, "domain-insecure"))
		add_insecure(s, r->value);
	else if (is_word(r->key, "module-config") && is_plain_module_config(r->value))
		return;
	else if (read_number(r) || is_one_of(r->key, ignored, COUNT(ignored)))
		return;
	else {
		snprintf(why, sizeof why, "sets %s", r->key);
		script_skip(s, why);
	}
}

static void read_their_line(struct reader *r)
{
	char *line = script_copy(r->s, r->s->line_text);
	cut_hash(line);
	line = enter_section(r, line);
	while (cut_key(r, &line))
		if (r->section == SECTION_STUB || r->section == SECTION_FORWARD)
			read_zone_key(r);
		else if (r->section == SECTION_SERVER)
			read_server_key(r);
}

static void skip_file(struct script *s, const char *end)
{
	char *line;
	while ((line = script_raw_line(s))) {
		line += strspn(line, " \t");
		if (strncmp(line, end, strlen(end)) == 0)
			return;
	}
	script_fail(s, s->line, "%s is missing", end);
}

/* The root's servers are hints, whatever they are called. */
static void stub_to_hints(struct script *s)
{
	struct conf *c = &s->conf;
	char name[64];
	int kept = 0;
	for (int i = 0; i < c->recursion.stub_n; i++) {
		const struct conf_zone *z = &s->stub[i];
		for (int k = 0; z->zone[0] == 0 && k < z->servers_n; k++) {
			char addr[ADDR_TEXT_MAX];
			snprintf(name, sizeof name, "hint%d.root-servers.net", k);
			add_hint(s, name, addr_to_text(addr, &z->servers[k]));
		}
		if (z->zone[0])
			s->stub[kept++] = *z;
	}
	c->recursion.stub_n = kept;
}

static void read_theirs(struct script *s)
{
	struct reader r = {.s = s};
	do {
		const char *word = s->words.w[0];
		if (is_word(word, "CONFIG_END")) {
			stub_to_hints(s);
			return;
		}
		if (is_word(word, "TEMPFILE_CONTENTS"))
			skip_file(s, "TEMPFILE_END");
		else if (is_word(word, "AUTOTRUST_FILE"))
			skip_file(s, "AUTOTRUST_END");
		else if (!is_word(word, "TEMPFILE_NAME") && !is_word(word, "COMMANDLINE"))
			read_their_line(&r);
		if (is_word(word, "AUTOTRUST_FILE"))
			script_skip(s, "needs validation: keeps trust anchors");
	} while (script_line(s));
	script_fail(s, s->line, "CONFIG_END is missing");
}

void script_read_conf(struct script *s)
{
	struct conf *c = &s->conf;
	c->recursion.port = DNS_PORT;
	c->recursion.ipv4 = c->recursion.ipv6 = true;
	c->recursion.case_randomisation = true;
	c->recursion.aggressive_nsec = true;
	c->recursion.qname_minimisation = CONF_QMIN_RELAXED;
	c->recursion.stub = s->stub;
	c->recursion.forward = s->forward;
	c->cache.max_ttl_s = 86400;
	c->serve_stale.client_timeout_ms = 1800;
	c->serve_stale.ttl_s = 30;
	c->serve_stale.max_age_s = 86400;
	if (!script_line(s))
		script_fail(s, s->line, "is empty");
	else if (is_word(s->words.w[0], "CONFIG_BEGIN"))
		read_own(s);
	else
		read_theirs(s);
}
