/* fetch.h: one file from a URL, by libcurl.
 * Shape    what to fetch and who may be asked in, bytes out through put()
 * Units    seconds, bytes
 * Memory   flat; texts are the caller's
 * Threads  one
 * Errors   FETCH_FAILED, with a sentence for a person in fetch_news.why
 * Source   RFC 9110 (13: conditional requests, 15.4: redirects, 10.2.3: Retry-After)
 *
 * Certificates are always checked. Redirects are followed here, one by one, so that each
 * host is asked about; none leads from https to http, to a file or out of one. The
 * environment's proxies, .netrc and cookies are not used. */
#ifndef SINKHOLED_TOOLS_FETCH_H
#define SINKHOLED_TOOLS_FETCH_H

#include "include/addr.h"
#include "include/name.h"

enum {
	FETCH_TAG_MAX = 256, /* an ETag or date; a longer one is not remembered */
	FETCH_WHY_MAX = 400,
	FETCH_REDIRECTS_MAX = 5,
	FETCH_CONNECT_S = 20,
	FETCH_SLOW_BYTES = 200, /* a second, on average over FETCH_SLOW_S: not slower */
	FETCH_SLOW_S = 30,
	FETCH_HEADERS_MAX = 16,	   /* of the operator's */
	FETCH_RETRY_MAX_S = 86400, /* of what a server asks to wait */
	FETCH_SHOWN_MAX = 1024,	   /* of a URL */
};

struct fetch {
	const char *url;
	const char *home; /* a URL: the headers are for its host, and for no other */
	const char *proxy, *ca, *headers; /* "": none, the system's, none */
	const char *etag, *modified;	  /* of what is there already, or "" */
	uint64_t max_bytes; /* on the way; what put() takes is its own business */
	uint32_t timeout_s; /* for all of it */
	/* Whether that host, or where it is NULL that address, may be talked to; why is
	 * a sentence's end. */
	bool (*may)(void *arg, const char *host, const struct addr *a, char *why,
		    size_t size);
	/* 0 to go on; else the fetch fails, and why is put()'s to know. */
	int (*put)(void *arg, const void *bytes, size_t n);
	void *arg;
	const volatile int *stop;
};

enum fetch_end {
	FETCH_NEW,	 /* all of it has been put */
	FETCH_UNCHANGED, /* the server says so */
	FETCH_FAILED,
	FETCH_STOPPED, /* *stop was set */
};

struct fetch_news {
	char etag[FETCH_TAG_MAX], modified[FETCH_TAG_MAX]; /* of the new */
	uint32_t retry_after_s;				   /* what the server asks for */
	int put_err;
	char why[FETCH_WHY_MAX];
};

enum fetch_end fetch(struct fetch_news *out, const struct fetch *f);
/* The URL without user, password and query: what may be shown. */
char *fetch_shown(char out[FETCH_SHOWN_MAX], const char *url);

#endif
