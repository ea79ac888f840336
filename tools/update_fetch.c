#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "include/hash.h"
#include "include/version.h"
#include "resolver/policy.h"
#include "tools/update_parts.h"

/* The file of a list: who may be asked for it, and whether it is the right one. */

/* ---- how it is read ---- */

/* A later version of this program may read more in the same file. */
void list_read_as(char out[FEED_FILE_SHA_MAX], const struct conf_list *l)
{
	static const struct hash_key key = {{0, 0}};
	char zone[DNS_NAME_TEXT_MAX], text[2 * CONF_PATH_MAX + 2 * DNS_NAME_TEXT_MAX];
	int n = snprintf(text, sizeof text, "%s\n%s\n%d %d %d\n%s\n%s\n%s",
			 SINKHOLED_VERSION, l->url, l->format, l->exact, l->ports,
			 name_to_text(zone, l->zone), l->family, l->columns);
	snprintf(out, FEED_FILE_SHA_MAX, "%016llx",
		 (unsigned long long)hash_bytes(&key, text, (size_t)n));
}

/* ---- who may be asked: never who is listed ---- */

/* "192.0.2.1" or "[2001:db8::1]". */
static bool is_address(struct addr *a, const char *host)
{
	size_t n = strlen(host);
	if (*host == '[' && host[n - 1] == ']')
		host++, n -= 2;
	if (addr_from_text(a, host, n) != ERR_OK)
		return false;
	*a = addr_unmap(a);
	return true;
}

/* Of whom the store says that clients are kept from it. */
static bool may_ask(struct job *j, const struct policy_asked *q, char *why, size_t size)
{
	const struct policy p = {.view = j->tool.view,
				 .stamp = blocklist_view_stamp(j->tool.view),
				 .now_s = (uint32_t)time(NULL),
				 .default_action = j->u->conf->sinkhole.action};
	struct policy_reason reason[POLICY_REASONS_MAX];
	struct verdict v;
	int n = policy_explain(reason, &v, &p, q);
	if (n < 0) {
		snprintf(why, size, "the blocklist cannot be read: %s", err_text(n));
		return false;
	}
	const struct blocklist_list *l =
		v.kind == VERDICT_ACT ? blocklist_list(j->tool.view, v.rule.list) : NULL;
	j->freed = v.kind == VERDICT_PASSTHRU;
	snprintf(why, size, "it is listed, by list %s (sinkhole-blocklist explain)",
		 l ? l->name : "?");
	return v.kind != VERDICT_ACT;
}

static bool may(void *arg, const char *host, const struct addr *a, char *why, size_t size)
{
	struct job *j = arg;
	struct policy_asked q = {.class = POLICY_ALL};
	uint8_t name[DNS_NAME_MAX];
	if (!j->tool.bl || (!host && j->freed))
		return true; /* nothing is listed yet; its name is let through */
	if (a)
		q.addr = *a;
	else if (!is_address(&q.addr, host))
		q.name = name;
	if (q.name && name_from_str(name, host) != ERR_OK) {
		snprintf(why, size, "this is no domain name");
		return false;
	}
	if (blocklist_view_renew(j->tool.view) != ERR_OK) {
		snprintf(why, size, "the blocklist cannot be read");
		return false;
	}
	bool good = may_ask(j, &q, why, size);
	blocklist_view_reset(j->tool.view);
	return good;
}

/* ---- the sum ---- */

struct sums {
	struct job *j; /* first: may() is asked about it, too */
	size_t len;
	char text[UPDATE_SUM_MAX];
};

static bool may_sums(void *arg, const char *host, const struct addr *a, char *why,
		     size_t size)
{
	return may(((struct sums *)arg)->j, host, a, why, size);
}

static int put_sums(void *arg, const void *bytes, size_t n)
{
	struct sums *s = arg;
	if (n > sizeof s->text - s->len)
		return ERR_RANGE;
	memcpy(s->text + s->len, bytes, n);
	s->len += n;
	return ERR_OK;
}

static struct fetch request(const struct job *j, const char *url)
{
	const struct conf_list *l = j->list;
	return (struct fetch){
		.url = url,
		.home = l->url,
		.proxy = l->proxy,
		.ca = l->ca,
		.headers = l->headers,
		.etag = "",
		.modified = "",
		.max_bytes = l->max_size_bytes,
		.timeout_s = l->timeout_s,
		.stop = j->u->stop,
	};
}

/* The last part of a URL's path. */
static const char *base_of(const char *shown)
{
	const char *slash = strrchr(shown, '/');
	return slash ? slash + 1 : shown;
}

static enum fetch_end fetch_sum(char want[FEED_FILE_SHA_MAX], struct job *j)
{
	struct sums *s = calloc(1, sizeof *s);
	struct fetch f = request(j, j->list->sha256_url);
	char shown[FETCH_SHOWN_MAX], why[FETCH_WHY_MAX];
	if (!s) {
		snprintf(j->news.why, sizeof j->news.why, "out of memory");
		return FETCH_FAILED;
	}
	s->j = j;
	f.max_bytes = UPDATE_SUM_MAX;
	f.may = may_sums;
	f.put = put_sums;
	f.arg = s;
	enum fetch_end end = fetch(&j->news, &f);
	snprintf(why, sizeof why, "%s",
		 j->news.put_err ? "it is too large" : j->news.why);
	if (end == FETCH_NEW &&
	    !feed_file_find_sum(want, s->text, s->len,
				base_of(fetch_shown(shown, j->list->url)))) {
		snprintf(why, sizeof why, "it has no SHA-256 for this file");
		end = FETCH_FAILED;
	}
	if (end == FETCH_FAILED)
		snprintf(j->news.why, sizeof j->news.why, "sha256_url: %.380s", why);
	free(s);
	return end;
}

/* ---- the file ---- */

static int put(void *arg, const void *bytes, size_t n)
{
	struct job *j = arg;
	return feed_file_put(&j->file, bytes, n);
}

static enum fetch_end broken(struct job *j, int err)
{
	char size[CLI_SIZE_TEXT_MAX];
	if (err == ERR_RANGE)
		snprintf(j->news.why, sizeof j->news.why,
			 "the file is larger than %s (max_size)",
			 cli_size_text(size, j->list->max_size_bytes));
	else
		snprintf(j->news.why, sizeof j->news.why, "%s",
			 *j->file.why ? j->file.why : err_text(err));
	return FETCH_FAILED;
}

static enum fetch_end check_sum(struct job *j, const char *want)
{
	if (!*want || !strcasecmp(want, j->file.packed))
		return FETCH_NEW;
	snprintf(j->news.why, sizeof j->news.why, "its SHA-256 is %s, not %s",
		 j->file.packed, want);
	return FETCH_FAILED;
}

enum fetch_end update_fetch(struct job *j)
{
	char want[FEED_FILE_SHA_MAX];
	struct fetch f = request(j, j->list->url);
	enum fetch_end end = FETCH_NEW;
	snprintf(want, sizeof want, "%s", j->list->sha256);
	if (*j->list->sha256_url)
		end = fetch_sum(want, j);
	if (end != FETCH_NEW)
		return end;
	int err = feed_file_open(&j->file, j->u->folder, j->file_name[FILE_PART],
				 j->list->max_size_bytes);
	if (err)
		return broken(j, err);
	f.may = may;
	f.put = put;
	f.arg = j;
	if (j->stands && !j->u->dry_run) {
		f.etag = j->state.etag;
		f.modified = j->state.modified;
	}
	end = fetch(&j->news, &f);
	if (j->news.put_err)
		return broken(j, j->news.put_err);
	if (end != FETCH_NEW)
		return end;
	err = feed_file_done(&j->file);
	return err ? broken(j, err) : check_sum(j, want);
}
