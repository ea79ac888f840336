#include "tools/hits_link.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/addr.h"
#include "tools/cli.h"

enum {
	HOST_MAX = 256,
	PORT_MAX = 8,
	WHY_MAX = 2 * HOST_MAX,
	DRAIN_MAX =
		64, /* reads that wait for the end: what comes before it is not ours */
};

struct hits_link {
	enum hits_link_kind kind;
	char host[HOST_MAX], port[PORT_MAX]; /* host: or the path */
	char name[HOST_MAX];		     /* that the certificate must have */
	SSL_CTX *tls;
	SSL *ssl; /* of the open connection */
	int fd;	  /* -1 = not open */
	char why[WHY_MAX];
};

/* ---- making one ---- */

static const struct {
	const char *word;
	enum hits_link_kind kind;
} kinds[] = {
	{"udp:", HITS_LINK_UDP},
	{"tcp:", HITS_LINK_TCP},
	{"tls:", HITS_LINK_TLS},
	{"unix:", HITS_LINK_UNIX},
};

static int bad_target(const char *to)
{
	return cli_fail("--to takes udp:HOST@PORT, tcp:HOST@PORT, tls:HOST@PORT or "
			"unix:PATH, not \"%s\"",
			to);
}

static int parse(struct hits_link *l, const char *to)
{
	const char *rest = NULL, *at;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !rest; i++) {
		size_t n = strlen(kinds[i].word);
		l->kind = kinds[i].kind;
		rest = strncmp(to, kinds[i].word, n) ? NULL : to + n;
	}
	if (!rest || !*rest)
		return bad_target(to);
	if (l->kind == HITS_LINK_UNIX) {
		if (strlen(rest) >= sizeof((struct sockaddr_un *)0)->sun_path)
			return cli_fail("--to: the path of the socket is too long");
		strcpy(l->host, rest);
		return CLI_GO;
	}
	at = strrchr(rest, '@');
	if (!at || at == rest || (size_t)(at - rest) >= sizeof l->host ||
	    addr_number(at + 1, strlen(at + 1), UINT16_MAX) < 1)
		return bad_target(to);
	snprintf(l->host, sizeof l->host, "%.*s", (int)(at - rest), rest);
	snprintf(l->port, sizeof l->port, "%s", at + 1);
	return CLI_GO;
}

/* The last of what OpenSSL says; its other words are for programmers. */
static const char *tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	return reason ? reason : "unknown";
}

static int tls_open(struct hits_link *l, const struct hits_link_conf *c)
{
	l->tls = SSL_CTX_new(TLS_client_method());
	if (!l->tls || !SSL_CTX_set_min_proto_version(l->tls, TLS1_2_VERSION))
		return cli_fail("out of memory");
	SSL_CTX_set_verify(l->tls, SSL_VERIFY_PEER, NULL);
	/* Behind our own close_notify an end without one is an end: many collectors
	 * just close, and what they have not read makes that a reset. */
	SSL_CTX_set_options(l->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (!(c->ca ? SSL_CTX_load_verify_file(l->tls, c->ca)
		    : SSL_CTX_set_default_verify_paths(l->tls)))
		return cli_fail("cannot read the authorities' certificates in %s: %s",
				c->ca ? c->ca : "the system's folder", tls_reason());
	if (c->cert &&
	    (SSL_CTX_use_certificate_chain_file(l->tls, c->cert) != 1 ||
	     SSL_CTX_use_PrivateKey_file(l->tls, c->cert, SSL_FILETYPE_PEM) != 1))
		return cli_fail("%s must hold a certificate and its key, PEM: %s",
				c->cert, tls_reason());
	const char *name = c->name ? c->name : l->host;
	if (!*name || strlen(name) >= sizeof l->name)
		return cli_fail("--tls-name takes a host's name or address");
	strcpy(l->name, name);
	return CLI_GO;
}

int hits_link_new(struct hits_link **out, const struct hits_link_conf *c)
{
	struct hits_link *l = calloc(1, sizeof *l);
	*out = l;
	if (!l)
		return cli_fail("out of memory");
	l->fd = -1;
	signal(SIGPIPE, SIG_IGN); /* a broken connection is an error of writing */
	int status = parse(l, c->to);
	if (status == CLI_GO && l->kind != HITS_LINK_TLS && (c->ca || c->name || c->cert))
		return cli_fail("--ca, --tls-name and --cert go with --to tls:HOST@PORT");
	if (status == CLI_GO && l->kind == HITS_LINK_TLS)
		status = tls_open(l, c);
	return status;
}

void hits_link_free(struct hits_link *l)
{
	if (!l)
		return;
	hits_link_hang_up(l);
	SSL_CTX_free(l->tls);
	free(l);
}

enum hits_link_kind hits_link_kind(const struct hits_link *l)
{
	return l->kind;
}

const char *hits_link_why(const struct hits_link *l)
{
	return l->why;
}

bool hits_link_is_open(const struct hits_link *l)
{
	return l->fd >= 0;
}

/* ---- dialling ---- */

static int failed(struct hits_link *l, const char *doing, const char *why)
{
	snprintf(l->why, sizeof l->why, "cannot %s %s%s%s: %s", doing, l->host,
		 *l->port ? "@" : "", l->port, why);
	return ERR_IO;
}

static const char *system_reason(void)
{
	bool late = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS;
	return late ? "it takes too long" : strerror(errno);
}

static int dial_address(struct hits_link *l, int family, int type,
			const struct sockaddr *sa, socklen_t len)
{
	const struct timeval wait = {.tv_sec = HITS_LINK_WAIT_S};
	l->fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return failed(l, "make a socket for", strerror(errno));
	setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (connect(l->fd, sa, len) == 0)
		return ERR_OK;
	int err = failed(l, "connect to", system_reason());
	hits_link_hang_up(l);
	return err;
}

static int dial_unix(struct hits_link *l)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	strcpy(sun.sun_path, l->host);
	return dial_address(l, AF_UNIX, SOCK_STREAM, (struct sockaddr *)&sun, sizeof sun);
}

/* Its addresses one after the other. */
static int dial_host(struct hits_link *l)
{
	struct addrinfo hints = {.ai_socktype = l->kind == HITS_LINK_UDP ? SOCK_DGRAM
									 : SOCK_STREAM};
	struct addrinfo *list, *a;
	int rc = getaddrinfo(l->host, l->port, &hints, &list);
	if (rc)
		return failed(l, "find", gai_strerror(rc));
	int err = ERR_IO;
	for (a = list; a && err; a = a->ai_next)
		err = dial_address(l, a->ai_family, a->ai_socktype, a->ai_addr,
				   a->ai_addrlen);
	freeaddrinfo(list);
	return err;
}

static const char *handshake_reason(const struct hits_link *l)
{
	long bad = SSL_get_verify_result(l->ssl);
	if (bad != X509_V_OK)
		return X509_verify_cert_error_string(bad);
	return ERR_peek_last_error() ? tls_reason() : system_reason();
}

static int shake_hands(struct hits_link *l)
{
	struct addr a;
	bool is_address = addr_from_text(&a, l->name, strlen(l->name)) == ERR_OK;
	ERR_clear_error();
	l->ssl = SSL_new(l->tls);
	if (!l->ssl || !SSL_set_fd(l->ssl, l->fd))
		return ERR_NOMEM;
	if (!(is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), l->name)
			 : SSL_set1_host(l->ssl, l->name) &&
				   SSL_set_tlsext_host_name(l->ssl, l->name)))
		return failed(l, "ask for the name of", "it is no name");
	return SSL_connect(l->ssl) == 1 ? ERR_OK
					: failed(l, "trust", handshake_reason(l));
}

int hits_link_dial(struct hits_link *l)
{
	int err = l->kind == HITS_LINK_UNIX ? dial_unix(l) : dial_host(l);
	if (!err && l->kind == HITS_LINK_TLS && (err = shake_hands(l)))
		hits_link_hang_up(l);
	return err;
}

/* ---- writing and reading ---- */

/* One call: bytes, 0 at the end, -1 and errno. */
static ssize_t some_out(struct hits_link *l, const void *data, size_t n)
{
	size_t done = 0;
	if (!l->ssl)
		return send(l->fd, data, n, MSG_NOSIGNAL);
	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(l->ssl, data, n, &done))
		return (ssize_t)done;
	errno = errno ? errno : EPROTO;
	return -1;
}

static ssize_t some_in(struct hits_link *l, void *data, size_t n)
{
	size_t done = 0;
	if (!l->ssl)
		return recv(l->fd, data, n, 0);
	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(l->ssl, data, n, &done))
		return (ssize_t)done;
	if (SSL_get_error(l->ssl, 0) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = errno ? errno : EPROTO;
	return -1;
}

int hits_link_write(struct hits_link *l, const void *data, size_t n)
{
	const char *at = data;
	while (n) {
		ssize_t done = some_out(l, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return failed(l, "send to", system_reason());
		at += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

int hits_link_read(struct hits_link *l, void *data, size_t n)
{
	char *at = data;
	while (n) {
		ssize_t done = some_in(l, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return failed(l, "read from",
				      done ? system_reason() : "it has hung up");
		at += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

static int wait_for_end(struct hits_link *l)
{
	char ignored[512];
	for (int i = 0; i < DRAIN_MAX; i++) {
		ssize_t got = some_in(l, ignored, sizeof ignored);
		if (got == 0)
			return ERR_OK;
		if (got < 0 && errno != EINTR)
			return failed(l, "be sure of what was sent to", system_reason());
	}
	return failed(l, "be sure of what was sent to", "it talks and does not hang up");
}

int hits_link_settle(struct hits_link *l)
{
	int err = ERR_OK;
	if (l->fd < 0 || l->kind == HITS_LINK_UDP) {
		hits_link_hang_up(l);
		return ERR_OK;
	}
	if (l->ssl && SSL_shutdown(l->ssl) < 0)
		err = failed(l, "end the connection to", system_reason());
	if (!err && shutdown(l->fd, SHUT_WR))
		err = failed(l, "end the connection to", strerror(errno));
	if (!err)
		err = wait_for_end(l);
	hits_link_hang_up(l);
	return err;
}

void hits_link_hang_up(struct hits_link *l)
{
	SSL_free(l->ssl);
	l->ssl = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
