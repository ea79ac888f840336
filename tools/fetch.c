#include "tools/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/version.h"
#include "tools/cli.h"

enum {
	HEADERS_FILE_MAX = 16 << 10,
	SCHEME_MAX = 8,
	PORT_MAX = 8,
};

struct place {
	char scheme[SCHEME_MAX], host[DNS_NAME_TEXT_MAX], port[PORT_MAX];
};

/* One fetch, over all its redirects. */
struct run {
	const struct fetch *f;
	struct fetch_news *out;
	CURL *curl;
	struct curl_slist *own; /* the operator's headers */
	struct place first, home;
	int64_t end_ms;
	bool refused; /* by may() or put(): why is told */
};

static bool fail(struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool fail(struct run *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->out->why, sizeof r->out->why, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- URLs ---- */

/* Takes text, which may be NULL. */
static bool fits(char *out, size_t size, char *text)
{
	bool good = text && strlen(text) < size;
	if (good)
		strcpy(out, text);
	curl_free(text);
	return good;
}

static bool url_part(char *out, size_t size, CURLU *u, CURLUPart part, unsigned flags)
{
	char *text = NULL;
	*out = 0;
	return !curl_url_get(u, part, &text, flags) && fits(out, size, text);
}

static bool url_place(struct place *p, const char *url)
{
	CURLU *u = curl_url();
	bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
		    url_part(p->scheme, sizeof p->scheme, u, CURLUPART_SCHEME, 0);
	/* A file has no host; what is refused here has no name. */
	if (good && strcmp(p->scheme, "file") != 0)
		good = url_part(p->host, sizeof p->host, u, CURLUPART_HOST,
				CURLU_PUNYCODE) &&
		       url_part(p->port, sizeof p->port, u, CURLUPART_PORT,
				CURLU_DEFAULT_PORT);
	curl_url_cleanup(u);
	return good;
}

char *fetch_shown(char out[FETCH_SHOWN_MAX], const char *url)
{
	CURLU *u = curl_url();
	bool good = u && !curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	if (good) {
		curl_url_set(u, CURLUPART_USER, NULL, 0);
		curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(u, CURLUPART_QUERY, NULL, 0);
		curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
		good = url_part(out, FETCH_SHOWN_MAX, u, CURLUPART_URL, 0);
	}
	if (!good)
		strcpy(out, "?");
	curl_url_cleanup(u);
	return out;
}

/* Where the first URL and those it leads to may be. */
static const char *schemes(const struct place *first)
{
	if (!strcmp(first->scheme, "file"))
		return "file";
	return !strcmp(first->scheme, "https") ? "https" : "http,https";
}

static bool may(struct run *r, const char *host, const struct addr *a)
{
	char why[FETCH_WHY_MAX / 2];
	if (!r->f->may || r->f->may(r->f->arg, host, a, why, sizeof why))
		return true;
	char text[ADDR_TEXT_MAX];
	fail(r, "%s is not contacted: %s", host ? host : addr_to_text(text, a), why);
	r->refused = true;
	return false;
}

/* A pipe, a device or a folder would keep libcurl waiting. */
static bool plain_file(struct run *r, const char *url)
{
	char path[FETCH_SHOWN_MAX] = "";
	struct stat st;
	CURLU *u = curl_url();
	bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
		    url_part(path, sizeof path, u, CURLUPART_PATH, CURLU_URLDECODE);
	curl_url_cleanup(u);
	if (!good)
		return fail(r, "this is no file's URL; write file:///PATH");
	if (stat(path, &st) != 0)
		return fail(r, "%.200s cannot be read: %s", path, strerror(errno));
	return S_ISREG(st.st_mode) || fail(r, "%.200s is no plain file", path);
}

static bool check_place(struct run *r, const char *url, bool first)
{
	struct place p = {.host = ""};
	char shown[FETCH_SHOWN_MAX];
	if (!url_place(&p, url))
		return fail(r, "%.200s is not a URL that can be fetched",
			    fetch_shown(shown, url));
	if (first)
		r->first = p;
	if (first && !url_place(&r->home, r->f->home))
		r->home = (struct place){.host = ""};
	if (!strcmp(p.scheme, "file") && !strcmp(r->first.scheme, "file"))
		return plain_file(r, url);
	bool followed = !strcmp(p.scheme, "https") ||
			(!strcmp(p.scheme, "http") && !strcmp(r->first.scheme, "http"));
	if (!followed)
		return fail(r, "it leads from %s:// to %.200s, which is not followed",
			    r->first.scheme, fetch_shown(shown, url));
	return may(r, p.host, NULL);
}

/* ---- the operator's headers ---- */

/* Lines KEY: VALUE; they hold secrets, so others must not be able to read the file. */
static bool read_headers(struct run *r)
{
	char text[HEADERS_FILE_MAX + 1], *save = NULL;
	struct stat st;
	int n = 0, fd = open(r->f->headers, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = -1;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mode & S_IRWXO) {
		close(fd);
		return fail(r,
			    "the headers in %.200s can be read by everybody; "
			    "chmod o= it",
			    r->f->headers);
	}
	if (fd >= 0) {
		len = read(fd, text, sizeof text);
		close(fd);
	}
	if (len < 0 || len > HEADERS_FILE_MAX)
		return fail(r, "the headers in %.200s cannot be read: %s", r->f->headers,
			    len < 0 ? strerror(errno) : "the file is too large");
	text[len] = 0;
	for (char *line = strtok_r(text, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save), n++) {
		struct curl_slist *more = n < FETCH_HEADERS_MAX && strchr(line, ':')
						  ? curl_slist_append(r->own, line)
						  : NULL;
		if (!more)
			return fail(r,
				    "%.200s: give at most %d lines KEY: VALUE, each a "
				    "header",
				    r->f->headers, FETCH_HEADERS_MAX);
		r->own = more;
	}
	return true;
}

/* ---- what libcurl calls ---- */

static long status_of(const struct run *r)
{
	long code = 0;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &code);
	return code;
}

static bool is_file(const struct run *r)
{
	return !strcmp(r->first.scheme, "file");
}

/* Only the body of a 200 is the file. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct run *r = arg;
	if (!is_file(r) && status_of(r) != 200)
		return 0;
	r->out->put_err = r->f->put(r->f->arg, bytes, size * n);
	r->refused = r->out->put_err != 0;
	return r->refused ? 0 : size * n;
}

/* Keeps what is printable, and short enough. */
static void take_tag(char out[FETCH_TAG_MAX], const char *value, size_t n)
{
	while (n && (*value == ' ' || *value == '\t'))
		value++, n--;
	while (n && strchr(" \t\r\n", value[n - 1]))
		n--;
	*out = 0;
	if (n >= FETCH_TAG_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		if (value[i] < ' ' || value[i] > '~')
			return;
	memcpy(out, value, n);
	out[n] = 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	static const char etag[] = "etag:", modified[] = "last-modified:";
	struct run *r = arg;
	size_t n = size * count;
	if (n >= 5 && !memcmp(line, "HTTP/", 5)) /* of the next response */
		r->out->etag[0] = r->out->modified[0] = 0;
	else if (n >= sizeof etag && !strncasecmp(line, etag, sizeof etag - 1))
		take_tag(r->out->etag, line + sizeof etag - 1, n - sizeof etag + 1);
	else if (n >= sizeof modified &&
		 !strncasecmp(line, modified, sizeof modified - 1))
		take_tag(r->out->modified, line + sizeof modified - 1,
			 n - sizeof modified + 1);
	return n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct run *r = arg;
	(void)a, (void)b, (void)c, (void)d;
	return r->f->stop && *r->f->stop;
}

/* The address that a host's name turned out to have. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct run *r = arg;
	struct addr a = addr_from_sockaddr(&to->addr);
	a = addr_unmap(&a);
	a.port = 0;
	if (purpose != CURLSOCKTYPE_IPCXN || !may(r, NULL, &a))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- one request ---- */

static void set_callbacks(struct run *r)
{
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(r->curl, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFODATA, r);
	curl_easy_setopt(r->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETDATA, r);
}

static void set_limits(struct run *r)
{
	curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT, (long)FETCH_CONNECT_S);
	curl_easy_setopt(r->curl, CURLOPT_LOW_SPEED_LIMIT, (long)FETCH_SLOW_BYTES);
	curl_easy_setopt(r->curl, CURLOPT_LOW_SPEED_TIME, (long)FETCH_SLOW_S);
	curl_easy_setopt(r->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->f->max_bytes);
}

/* A transport's compression is undone by libcurl; what comes out is put() to count. */
static bool set_who(struct run *r)
{
	CURL *c = r->curl;
	const struct fetch *f = r->f;
	bool good = !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, schemes(&r->first)) &&
		    !curl_easy_setopt(c, CURLOPT_PROXY, f->proxy) &&
		    !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) &&
		    !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) &&
		    !curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
		    !curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	curl_easy_setopt(c, CURLOPT_USERAGENT, "sinkhole-blocklist/" SINKHOLED_VERSION);
	if (good && *f->ca)
		good = !curl_easy_setopt(c, CURLOPT_CAINFO, f->ca) &&
		       !curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	return good || fail(r, "libcurl cannot do this: is it built with TLS?");
}

static bool append(struct curl_slist **to, const char *key, const char *value)
{
	char line[FETCH_TAG_MAX + 32];
	snprintf(line, sizeof line, "%s: %s", key, value);
	struct curl_slist *more = *value ? curl_slist_append(*to, line) : *to;
	if (more)
		*to = more;
	return more || !*value;
}

/* What the operator's headers hold is for the host that was named, not for those it
 * leads to. */
static bool set_headers(struct run *r, const char *url, struct curl_slist **to)
{
	struct place p = {.host = ""};
	bool same = url_place(&p, url) && !strcmp(p.scheme, r->home.scheme) &&
		    !strcasecmp(p.host, r->home.host) && !strcmp(p.port, r->home.port);
	bool good = append(to, "If-None-Match", r->f->etag) &&
		    append(to, "If-Modified-Since", r->f->modified);
	for (const struct curl_slist *h = same ? r->own : NULL; good && h; h = h->next) {
		struct curl_slist *more = curl_slist_append(*to, h->data);
		good = more != NULL;
		*to = good ? more : *to;
	}
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, *to);
	return good || fail(r, "out of memory");
}

static CURLcode request(struct run *r, const char *url)
{
	struct curl_slist *headers = NULL;
	int64_t left = r->end_ms - cli_now_ms();
	CURLcode code = CURLE_OPERATION_TIMEDOUT;
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)left);
	if (left > 0 && !curl_easy_setopt(r->curl, CURLOPT_URL, url))
		code = set_headers(r, url, &headers) ? curl_easy_perform(r->curl)
						     : CURLE_OUT_OF_MEMORY;
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return code;
}

/* ---- what came of it ---- */

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 ||
	       status == 308;
}

static enum fetch_end failed(struct run *r, CURLcode code, const char *text)
{
	char size[CLI_SIZE_TEXT_MAX];
	if (r->f->stop && *r->f->stop)
		return FETCH_STOPPED;
	if (r->refused)
		return FETCH_FAILED;
	if (code == CURLE_FILESIZE_EXCEEDED)
		fail(r, "the file is larger than %s (max_size)",
		     cli_size_text(size, r->f->max_bytes));
	else if (code == CURLE_OPERATION_TIMEDOUT)
		fail(r,
		     "too slow: %s; the limits are %u s in all (timeout) and %d bytes "
		     "a second over %d s",
		     *text ? text : "the time is over", r->f->timeout_s, FETCH_SLOW_BYTES,
		     FETCH_SLOW_S);
	else
		fail(r, "%s", *text ? text : curl_easy_strerror(code));
	return FETCH_FAILED;
}

static enum fetch_end judge(struct run *r, CURLcode code, const char *text)
{
	curl_off_t wait = 0;
	long status = is_file(r) ? 200 : status_of(r);
	if (status == 304 && (*r->f->etag || *r->f->modified) && !code)
		return FETCH_UNCHANGED;
	/* A body that nobody wants is an error of libcurl's, but not the reason. */
	if (status >= 200 && status != 200 && !r->refused) {
		curl_easy_getinfo(r->curl, CURLINFO_RETRY_AFTER, &wait);
		r->out->retry_after_s = wait > 0 && wait < FETCH_RETRY_MAX_S
						? (uint32_t)wait
					: wait > 0 ? FETCH_RETRY_MAX_S
						   : 0;
		fail(r, "the server answers with status %ld%s", status,
		     status == 401 || status == 403 ? "; does it want a key (headers)?"
						    : "");
		return FETCH_FAILED;
	}
	return code ? failed(r, code, text) : FETCH_NEW;
}

static enum fetch_end follow(struct run *r)
{
	char text[CURL_ERROR_SIZE] = "", url[FETCH_SHOWN_MAX + 1024];
	const char *next = r->f->url;
	curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, text);
	for (int hops = 0; next; hops++) {
		if (strlen(next) >= sizeof url) {
			fail(r, "the URL is too long");
			return FETCH_FAILED;
		}
		memmove(url, next, strlen(next) + 1);
		if (hops > FETCH_REDIRECTS_MAX) {
			fail(r, "it leads on and on, over more than %d redirects",
			     FETCH_REDIRECTS_MAX);
			return FETCH_FAILED;
		}
		if (!check_place(r, url, hops == 0) || (hops == 0 && !set_who(r)))
			return FETCH_FAILED;
		*text = 0;
		CURLcode code = request(r, url);
		char *to = NULL;
		if (!is_file(r) && is_redirect(status_of(r)) && !r->refused)
			curl_easy_getinfo(r->curl, CURLINFO_REDIRECT_URL, &to);
		next = to;
		if (!next)
			return judge(r, code, text);
	}
	return FETCH_FAILED;
}

enum fetch_end fetch(struct fetch_news *out, const struct fetch *f)
{
	struct run r = {.f = f,
			.out = out,
			.end_ms = cli_now_ms() + (int64_t)f->timeout_s * 1000};
	enum fetch_end end = FETCH_FAILED;
	memset(out, 0, sizeof *out);
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		fail(&r, "libcurl does not start");
		return end;
	}
	r.curl = curl_easy_init();
	if (r.curl && (!*f->headers || read_headers(&r))) {
		set_callbacks(&r);
		set_limits(&r);
		end = follow(&r);
	} else if (!r.curl) {
		fail(&r, "out of memory");
	}
	curl_slist_free_all(r.own);
	curl_easy_cleanup(r.curl);
	curl_global_cleanup();
	return end;
}
