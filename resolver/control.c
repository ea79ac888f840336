#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/utf8.h"
#include "resolver/control.h"
#include "resolver/log.h"

/* One connection: reads until a newline, answers, closes. Its two handles close together
 * and it is freed when both are. */
struct connection {
	struct control *owner;
	struct connection *next, **link; /* in owner->connections */
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_write_t write;
	char *answer;
	const json_t *later; /* what control_finish() will bring */
	int handles;	     /* not yet closed */
	bool answering;	     /* has its request; control_close() lets it finish */
	size_t len;
	char request[CONTROL_REQUEST_MAX];
};

struct control {
	uv_pipe_t listener;
	const struct control_command *commands;
	void *arg;
	struct connection *connections;
	int connections_n; /* in the list */
	int handles;	   /* the listener and all connections not yet freed */
	struct log_limit busy;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/* ---- requests ---- */

/* why may tell words of the request, cut in the middle of a character: JSON takes no
 * half ones. */
static char *refuse(const char *why)
{
	char clean[CONTROL_ERROR_MAX];
	utf8_clean(clean, sizeof clean, why, strlen(why));
	json_t *answer = json_pack("{s:b, s:s}", "ok", 0, "error", clean);
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	return text;
}

static const struct control_command *find(const struct control_command *commands,
					  const char *name)
{
	for (; commands->name; commands++)
		if (!strcmp(commands->name, name))
			return commands;
	return NULL;
}

static char *run(const struct control_command *command, void *arg, const json_t *request,
		 const json_t **later)
{
	char error[CONTROL_ERROR_MAX] = "";
	json_t *answer = json_pack("{s:b}", "ok", 1);
	char *text = NULL;
	if (!answer)
		return NULL;
	int err = command->run(arg, request, answer, error);
	if (err == CONTROL_LATER)
		*later = answer;
	else if (err)
		text = refuse(*error ? error : err_text(err));
	else
		text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	return text;
}

char *control_answer(const struct control_command *commands, void *arg,
		     const char *request, size_t len, long uid, const json_t **later)
{
	json_t *r = json_loadb(request, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(r, "command"));
	const struct control_command *command = name ? find(commands, name) : NULL;
	char why[CONTROL_ERROR_MAX], *text;
	*later = NULL;
	if (command) {
		if (command->logged)
			log_notice("control: %s, asked for by uid %ld", name, uid);
		text = run(command, arg, r, later);
	} else if (name) {
		snprintf(why, sizeof why,
			 "unknown command '%.40s'; sinkholectl and sinkholed may be of "
			 "different versions",
			 name);
		text = refuse(why);
	} else {
		text = refuse("the request is no JSON object with a \"command\"; send "
			      "one line such as {\"command\": \"status\"}");
	}
	json_decref(r);
	return text;
}

/* ---- connections ---- */

static void release(struct control *c)
{
	if (--c->handles == 0)
		free(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	if (--c->handles > 0)
		return;
	release(c->owner);
	free(c->answer);
	free(c);
}

/* A connection leaves the list at once, so that nobody closes it twice. */
static void end(struct connection *c)
{
	if (!c->link)
		return;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->link = NULL;
	c->owner->connections_n--;
	uv_close((uv_handle_t *)&c->timer, on_closed);
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	end(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	end(write->data);
}

/* Who is at the other end, for the log: a uid is no client of the resolver. */
static long peer_uid(const uv_pipe_t *pipe)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	uv_os_fd_t fd;
	if (uv_fileno((const uv_handle_t *)pipe, &fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return -1;
	return (long)peer.uid;
}

static void answer(struct connection *c, char *text)
{
	size_t n = text ? strlen(text) : 0;
	if (!text) {
		end(c);
		return;
	}
	text[n] = '\n'; /* in place of the NUL */
	c->answer = text;
	uv_buf_t buf = uv_buf_init(text, (unsigned)n + 1);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written))
		end(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *c = handle->data;
	(void)suggested;
	*buf = uv_buf_init(c->request + c->len, (unsigned)(sizeof c->request - c->len));
}

static void take_request(struct connection *c, size_t len)
{
	c->answering = true;
	char *text = control_answer(c->owner->commands, c->owner->arg, c->request, len,
				    peer_uid(&c->pipe), &c->later);
	if (!c->later)
		answer(c, text);
}

void control_finish(struct control *control, json_t *later)
{
	struct connection *c = control->connections;
	while (c && c->later != later)
		c = c->next;
	if (c) {
		c->later = NULL;
		answer(c, json_dumps(later, JSON_COMPACT));
	}
	json_decref(later);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = stream->data;
	char *newline;
	(void)buf;
	if (n < 0) {
		end(c);
		return;
	}
	newline = memchr(c->request + c->len, '\n', (size_t)n);
	c->len += (size_t)n;
	if (newline) {
		uv_read_stop(stream);
		take_request(c, (size_t)(newline - c->request));
	} else if (c->len == sizeof c->request) {
		uv_read_stop(stream);
		answer(c, refuse("the request is longer than 4096 bytes"));
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *owner = listener->data;
	struct connection *c = status ? NULL : calloc(1, sizeof *c);
	if (!c)
		return;
	c->owner = owner;
	c->handles = 2;
	c->pipe.data = c->timer.data = c;
	uv_pipe_init(listener->loop, &c->pipe, 0);
	uv_timer_init(listener->loop, &c->timer);
	c->next = owner->connections;
	c->link = &owner->connections;
	if (c->next)
		c->next->link = &c->next;
	owner->connections = c;
	owner->connections_n++;
	owner->handles++;
	/* It must be accepted even when there are too many, or libuv asks no more. */
	if (uv_accept(listener, (uv_stream_t *)&c->pipe)) {
		end(c);
	} else if (owner->connections_n > CONTROL_CONNECTIONS_MAX) {
		log_limited(&owner->busy, uv_now(listener->loop), LOG_WARN,
			    "control: more than %d connections at a time; one was closed",
			    CONTROL_CONNECTIONS_MAX);
		end(c);
	} else {
		uv_timer_start(&c->timer, on_timeout, CONTROL_TIMEOUT_S * 1000, 0);
		if (uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read))
			end(c);
	}
}

/* ---- the listening socket ---- */

static int failed(char error[CONTROL_ERROR_MAX], const char *what, const char *path)
{
	int e = errno;
	snprintf(error, CONTROL_ERROR_MAX,
		 "%s %.120s: %s; check the folder and its owner", what, path,
		 strerror(e));
	return e == EACCES || e == EPERM ? ERR_ACCESS : e == ENOENT ? ERR_NOENT : ERR_IO;
}

/* What a killed process left behind goes; what is no socket stays. */
static int remove_old(const char *path, char error[CONTROL_ERROR_MAX])
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? ERR_OK : failed(error, "cannot look at", path);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "%.120s stands in the way and is no socket; remove it", path);
		return ERR_EXIST;
	}
	return unlink(path) == 0 ? ERR_OK : failed(error, "cannot replace", path);
}

/* The mode is set before bind(), which on Linux applies it to the new file, and again
 * after, as bind() also applied the umask: at no moment is it wider than 0660. */
static int listen_at(int *out, const char *path, char error[CONTROL_ERROR_MAX])
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int err = remove_old(path, error);
	if (err)
		return err;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed(error, "no socket for", path);
	if (fchmod(fd, 0660) || bind(fd, (struct sockaddr *)&sun, sizeof sun) ||
	    chmod(path, 0660)) {
		err = failed(error, "cannot listen on", path);
		close(fd);
		return err;
	}
	*out = fd;
	return ERR_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
	release(handle->data);
}

int control_open(struct control **out, uv_loop_t *loop, const char *dir,
		 const struct control_command *commands, void *arg,
		 char error[CONTROL_ERROR_MAX])
{
	struct control *c = calloc(1, sizeof *c);
	int fd = -1, err;
	*out = NULL;
	snprintf(error, CONTROL_ERROR_MAX, "out of memory");
	if (!c)
		return ERR_NOMEM;
	int n = snprintf(c->path, sizeof c->path, "%s/%s", dir, CONTROL_SOCKET);
	if (n < 0 || (size_t)n >= sizeof c->path) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "the path %.100s... is too long for a "
			 "socket; set runtime to a shorter one",
			 dir);
		err = ERR_RANGE;
	} else {
		err = listen_at(&fd, c->path, error);
	}
	if (err) {
		free(c);
		return err;
	}
	c->commands = commands;
	c->arg = arg;
	c->handles = 1;
	uv_pipe_init(loop, &c->listener, 0);
	c->listener.data = c;
	int rc = uv_pipe_open(&c->listener, fd);
	if (rc)
		close(fd);
	if (!rc)
		rc = uv_listen((uv_stream_t *)&c->listener, CONTROL_CONNECTIONS_MAX,
			       on_connection);
	if (rc) {
		snprintf(error, CONTROL_ERROR_MAX, "cannot listen on %.120s: %s", c->path,
			 uv_strerror(rc));
		control_close(c);
		return ERR_IO;
	}
	*out = c;
	return ERR_OK;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	unlink(c->path);
	for (struct connection *i = c->connections, *next; i; i = next) {
		next = i->next;
		if (!i->answering)
			end(i);
	}
	uv_close((uv_handle_t *)&c->listener, on_listener_closed);
}
