#include "tools/ctl_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/conf.h"
#include "include/control.h"

/* --socket, else in --state, else in the configuration's runtime folder. */
static int socket_path(char *out, size_t size, const struct cli *c, const char *given)
{
	struct conf *conf = NULL;
	const char *dir = c->state;
	if (!given && !dir) {
		int status = cli_conf(&conf, c);
		if (status != CLI_GO)
			return status;
		dir = conf->runtime;
	}
	int n = given ? snprintf(out, size, "%s", given)
		      : snprintf(out, size, "%s/%s", dir, CONTROL_SOCKET);
	conf_free(conf);
	if (n < 0 || (size_t)n >= size)
		return cli_fail("the path of the socket is too long: at most %zu "
				"characters are possible",
				size - 1);
	return CLI_GO;
}

/* Not running is an answer too: CLI_NO. */
static int cannot_connect(const char *path)
{
	int e = errno;
	switch (e) {
	case ENOENT:
		return cli_no(
			"sinkholed is not running, or elsewhere: no socket %s; start "
			"it, or name its configuration with -c FILE",
			path);
	case ECONNREFUSED:
		return cli_no("sinkholed is not running: it left %s behind when it was "
			      "killed; start it again",
			      path);
	case EACCES:
	case EPERM:
		return cli_fail("no permission for %s; use sudo, or join the group that "
				"owns it",
				path);
	case EAGAIN:
		return cli_fail("sinkholed does not take connections on %s; is it "
				"stopped or overloaded?",
				path);
	default:
		return cli_fail("cannot connect to %s: %s", path, strerror(e));
	}
}

static int dial(int *out, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = CONTROL_TIMEOUT_S};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cli_fail("no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun)) {
		int status = cannot_connect(path);
		close(fd);
		return status;
	}
	*out = fd;
	return CLI_GO;
}

static int send_line(int fd, const char *text)
{
	size_t n = strlen(text), at = 0;
	while (at < n) {
		ssize_t sent = send(fd, text + at, n - at, MSG_NOSIGNAL);
		if (sent < 0)
			return ERR_IO;
		at += (size_t)sent;
	}
	return ERR_OK;
}

/* Everything until the server closes; a text to free(), or NULL with errno. */
static char *read_all(int fd)
{
	char *text = malloc(CONTROL_ANSWER_MAX + 1);
	size_t n = 0;
	ssize_t got = 1;
	while (text && n < CONTROL_ANSWER_MAX && got > 0) {
		got = read(fd, text + n, CONTROL_ANSWER_MAX - n);
		if (got < 0) {
			free(text);
			return NULL;
		}
		n += (size_t)got;
	}
	if (text)
		text[n] = 0;
	return text;
}

static int no_answer(const char *path)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return cli_fail("no answer on %s within %d s; is sinkholed stopped or "
				"overloaded?",
				path, CONTROL_TIMEOUT_S);
	return cli_fail("the connection to %s broke: %s; try again", path,
			strerror(errno));
}

static int exchange(json_t **out, int fd, const char *path, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT), *text = NULL;
	int status = CLI_GO;
	json_t *ok;
	*out = NULL;
	if (!line)
		return cli_fail("out of memory");
	if (send_line(fd, line) || send_line(fd, "\n") || !(text = read_all(fd))) {
		status = no_answer(path);
	} else if (!*text) {
		status =
			cli_fail("sinkholed closed the connection: it is ending, or over "
				 "%d are talking to it; try again",
				 CONTROL_CONNECTIONS_MAX);
	} else if (!(*out = json_loads(text, JSON_REJECT_DUPLICATES, NULL)) ||
		   !json_is_boolean(ok = json_object_get(*out, "ok"))) {
		status = cli_fail("what answers on %s is not sinkholed", path);
	} else if (json_is_false(ok)) {
		const char *why = json_string_value(json_object_get(*out, "error"));
		status =
			cli_fail("%s", why ? why : "sinkholed refused, without a reason");
	}
	free(line);
	free(text);
	return status;
}

int ctl_ask(json_t **out, const struct cli *c, const char *given, json_t *request)
{
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int fd = -1, status = request ? CLI_GO : cli_fail("out of memory");
	*out = NULL;
	if (status == CLI_GO)
		status = socket_path(path, sizeof path, c, given);
	if (status == CLI_GO)
		status = dial(&fd, path);
	if (status == CLI_GO)
		status = exchange(out, fd, path, request);
	if (fd >= 0)
		close(fd);
	json_decref(request);
	if (status == CLI_GO) {
		json_object_del(*out, "ok");
	} else {
		json_decref(*out);
		*out = NULL;
	}
	return status;
}
