#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "resolver/control.h"
#include "tests/unit/unit.h"

/* ---- a server with three commands ---- */

struct server {
	uv_loop_t loop;
	struct control *control;
	int pings;
	bool stopped;
	json_t *later;
	uv_timer_t timer;
};

static int run_ping(void *arg, const json_t *request, json_t *answer,
		    char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	(void)error;
	json_object_set_new(answer, "pings", json_integer(++s->pings));
	json_object_set(answer, "back", json_object_get(request, "there"));
	return 0;
}

static int run_fail(void *arg, const json_t *request, json_t *answer,
		    char error[CONTROL_ERROR_MAX])
{
	(void)arg, (void)request, (void)answer;
	snprintf(error, CONTROL_ERROR_MAX, "no luck; try \"again\"");
	return ERR_BUSY;
}

static void on_later(uv_timer_t *timer)
{
	struct server *s = timer->data;
	json_t *answer = s->later;
	s->later = NULL;
	json_object_set_new(answer, "late", json_true());
	control_finish(s->control, answer);
	uv_close((uv_handle_t *)timer, NULL);
}

/* Answers after that many milliseconds. */
static int run_wait(void *arg, const json_t *request, json_t *answer,
		    char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	(void)error;
	s->later = json_incref(answer);
	s->timer.data = s;
	uv_timer_init(&s->loop, &s->timer);
	uv_timer_start(&s->timer, on_later,
		       (uint64_t)json_integer_value(json_object_get(request, "ms")), 0);
	return CONTROL_LATER;
}

/* As main does it: the control is closed while it carries out a command. */
static int run_stop(void *arg, const json_t *request, json_t *answer,
		    char error[CONTROL_ERROR_MAX])
{
	struct server *s = arg;
	(void)request, (void)answer, (void)error;
	s->stopped = true;
	if (s->later) {
		uv_timer_stop(&s->timer);
		on_later(&s->timer);
	}
	control_close(s->control);
	return 0;
}

static const struct control_command commands[] = {
	{"ping", run_ping, false}, {"fail", run_fail, false}, {"wait", run_wait, true},
	{"stop", run_stop, false}, {NULL, NULL, false},
};

static const struct {
	const char *request, *answer; /* how it begins */
} cases[] = {
	{"{\"command\": \"ping\"}", "{\"ok\":true,\"pings\":1}"},
	{"{\"command\": \"ping\", \"there\": [1]}",
	 "{\"ok\":true,\"pings\":2,\"back\":[1]}"},
	{"{\"command\": \"fail\"}",
	 "{\"ok\":false,\"error\":\"no luck; try \\\"again\\\"\"}"},
	{"{\"command\": \"nothing\"}",
	 "{\"ok\":false,\"error\":\"unknown command 'nothing'"},
	/* cut in the middle of a character */
	{"{\"command\": \"123456789012345678901234567890123456789\303\244\"}",
	 "{\"ok\":false,\"error\":\"unknown command "
	 "'123456789012345678901234567890123456789?'"},
	{"", "{\"ok\":false,\"error\":\"the request is no JSON"},
	{"ping", "{\"ok\":false,\"error\":\"the request is no JSON"},
	{"[]", "{\"ok\":false,\"error\":\"the request is no JSON"},
	{"{\"command\": 7}", "{\"ok\":false,\"error\":\"the request is no JSON"},
	{"{\"command\":\"ping\",\"command\":\"stop\"}",
	 "{\"ok\":false,\"error\":\"the request"},
	{"{\"command\": \"pi\\u0000ng\"}", "{\"ok\":false,\"error\":\"the request"},
};

START_TEST(requests)
{
	struct server s = {0};
	const json_t *later;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = control_answer(commands, &s, cases[i].request,
					    strlen(cases[i].request), 0, &later);
		ck_assert_msg(
			text && !strncmp(text, cases[i].answer, strlen(cases[i].answer)),
			"%s gave %s", cases[i].request, text);
		free(text);
	}
}
END_TEST

START_TEST(deep_request)
{
	char text[CONTROL_REQUEST_MAX];
	const json_t *later;
	memset(text, '[', sizeof text);
	char *answer = control_answer(commands, NULL, text, sizeof text, 0, &later);
	ck_assert_ptr_nonnull(strstr(answer, "no JSON"));
	free(answer);
}
END_TEST

/* ---- over the socket ---- */

static void *serve(void *arg)
{
	struct server *s = arg;
	uv_run(&s->loop, UV_RUN_DEFAULT);
	return NULL;
}

static pthread_t start(struct server *s)
{
	char error[CONTROL_ERROR_MAX];
	pthread_t t;
	memset(s, 0, sizeof *s);
	uv_loop_init(&s->loop);
	int err = control_open(&s->control, &s->loop, unit_dir(), commands, s, error);
	ck_assert_msg(err == 0, "%s", error);
	ck_assert_int_eq(pthread_create(&t, NULL, serve, s), 0);
	return t;
}

static int dial(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", unit_path(CONTROL_SOCKET));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	return fd;
}

/* All the server sends until it closes. */
static const char *drain(int fd)
{
	static char text[8192];
	size_t n = 0;
	ssize_t got;
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(fd);
	return text;
}

static const char *ask(const char *request)
{
	int fd = dial();
	ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	return drain(fd);
}

static void finish(struct server *s, pthread_t t)
{
	ck_assert_str_eq(ask("{\"command\":\"stop\"}\n"), "{\"ok\":true}\n");
	pthread_join(t, NULL);
	ck_assert(s->stopped);
	ck_assert_int_eq(uv_loop_close(&s->loop), 0);
	ck_assert_int_ne(access(unit_path(CONTROL_SOCKET), F_OK), 0);
}

START_TEST(conversation)
{
	struct server s;
	struct stat st;
	umask(0);
	pthread_t t = start(&s);
	ck_assert_int_eq(stat(unit_path(CONTROL_SOCKET), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	ck_assert_str_eq(ask("{\"command\":\"ping\"}\n"), "{\"ok\":true,\"pings\":1}\n");
	/* In pieces; what follows the newline is not looked at. */
	int fd = dial();
	ck_assert_int_eq(write(fd, "{\"command\"", 10), 10);
	usleep(20000);
	ck_assert_int_eq(write(fd, ":\"ping\"}\n{\"co", 13), 13);
	ck_assert_str_eq(drain(fd), "{\"ok\":true,\"pings\":2}\n");
	/* Closed before the end of the request. */
	fd = dial();
	ck_assert_int_eq(write(fd, "{", 1), 1);
	shutdown(fd, SHUT_WR);
	ck_assert_str_eq(drain(fd), "");
	/* One byte too many. */
	char longer[CONTROL_REQUEST_MAX];
	memset(longer, ' ', sizeof longer);
	fd = dial();
	ck_assert_int_eq(write(fd, longer, sizeof longer), sizeof longer);
	ck_assert_ptr_nonnull(strstr(drain(fd), "longer than"));
	finish(&s, t);
}
END_TEST

/* Others are served meanwhile; who has gone is not missed; the end waits for nobody. */
START_TEST(answers_that_come_later)
{
	struct server s;
	static const char late[] = "{\"ok\":true,\"late\":true}\n";
	static const char soon[] = "{\"command\":\"wait\",\"ms\":50}\n";
	static const char never[] = "{\"command\":\"wait\",\"ms\":100000}\n";
	signal(SIGPIPE, SIG_IGN); /* as main does */
	pthread_t t = start(&s);
	int fd = dial();
	ck_assert_int_eq(write(fd, soon, sizeof soon - 1), sizeof soon - 1);
	usleep(10000);
	ck_assert_str_eq(ask("{\"command\":\"ping\"}\n"), "{\"ok\":true,\"pings\":1}\n");
	ck_assert_str_eq(drain(fd), late);
	fd = dial();
	ck_assert_int_eq(write(fd, soon, sizeof soon - 1), sizeof soon - 1);
	close(fd);
	usleep(100000);
	ck_assert_str_eq(ask("{\"command\":\"ping\"}\n"), "{\"ok\":true,\"pings\":2}\n");
	fd = dial();
	ck_assert_int_eq(write(fd, never, sizeof never - 1), sizeof never - 1);
	usleep(20000);
	finish(&s, t);
	ck_assert_str_eq(drain(fd), late);
}
END_TEST

/* Silent connections fill the table; one more is closed; room comes back. */
START_TEST(crowd)
{
	struct server s;
	int fd[CONTROL_CONNECTIONS_MAX];
	pthread_t t = start(&s);
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		fd[i] = dial();
	ck_assert_str_eq(drain(dial()), "");
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX - 1; i++)
		close(fd[i]);
	signal(SIGPIPE, SIG_IGN);
	const char *said = "";
	for (int i = 0; i < 1000 && !*said; i++) { /* it sees that they are gone */
		usleep(10000);
		int again = dial();
		(void)!write(again, "{\"command\":\"ping\"}\n", 19);
		said = drain(again);
	}
	ck_assert_str_eq(said, "{\"ok\":true,\"pings\":1}\n");
	finish(&s, t); /* the silent one that is left does not hold it up */
	close(fd[CONTROL_CONNECTIONS_MAX - 1]);
}
END_TEST

START_TEST(places)
{
	struct server s;
	struct control *c;
	char error[CONTROL_ERROR_MAX], longer[200];
	uv_loop_t loop;
	uv_loop_init(&loop);
	/* A socket that a killed process left behind. */
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", unit_path(CONTROL_SOCKET));
	int old = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(old, (struct sockaddr *)&sun, sizeof sun), 0);
	close(old);
	pthread_t t = start(&s);
	finish(&s, t);
	/* Something else. */
	FILE *f = fopen(unit_path(CONTROL_SOCKET), "w");
	fclose(f);
	ck_assert_int_eq(control_open(&c, &loop, unit_dir(), commands, NULL, error),
			 ERR_EXIST);
	ck_assert_ptr_nonnull(strstr(error, "is no socket; remove it"));
	ck_assert_int_eq(access(unit_path(CONTROL_SOCKET), F_OK), 0);
	ck_assert_int_eq(
		control_open(&c, &loop, unit_path("none"), commands, NULL, error),
		ERR_NOENT);
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = 0;
	ck_assert_int_eq(control_open(&c, &loop, longer, commands, NULL, error),
			 ERR_RANGE);
	ck_assert_ptr_nonnull(strstr(error, "set runtime to a shorter one"));
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

UNIT_SUITE("control", requests, deep_request, conversation, answers_that_come_later,
	   crowd, places)
