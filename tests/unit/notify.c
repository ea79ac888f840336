#include "resolver/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* The manager's side. name as in NOTIFY_SOCKET. */
static int listen_on(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	memcpy(sun.sun_path, name, len);
	if (*name == '@')
		sun.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun,
			      (socklen_t)(sizeof sun - sizeof sun.sun_path + len)),
			 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void told_on(const char *name)
{
	char got[64] = "";
	struct notify n;
	int fd = listen_on(name);
	ck_assert_int_eq(notify_open(&n), 0);
	notify_send(&n, "READY=1\nSTATUS=well");
	ck_assert_int_eq(recv(fd, got, sizeof got, 0), 19);
	ck_assert_str_eq(got, "READY=1\nSTATUS=well");
	/* Nobody listens any more: nothing happens. */
	close(fd);
	notify_send(&n, "READY=1");
	notify_close(&n);
	notify_send(&n, "READY=1");
}

START_TEST(a_path)
{
	told_on(unit_path("notify"));
}
END_TEST

START_TEST(an_abstract_name)
{
	char name[64];
	snprintf(name, sizeof name, "@sinkholed-unit-%ld", (long)getpid());
	told_on(name);
}
END_TEST

START_TEST(only_when_asked)
{
	struct notify n;
	char lengthy[200];
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_open(&n), 0);
	ck_assert_int_eq(n.fd, -1);
	notify_send(&n, "READY=1");
	memset(lengthy, 'a', sizeof lengthy - 1);
	lengthy[0] = '/', lengthy[sizeof lengthy - 1] = 0;
	const char *const wrong[] = {"relative", "vsock:2:1", lengthy};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		ck_assert_int_eq(notify_open(&n), ERR_INVAL);
		ck_assert_int_eq(n.fd, -1);
	}
	setenv("NOTIFY_SOCKET", unit_path("nobody"), 1);
	unsetenv("WATCHDOG_USEC");
	ck_assert_int_eq(notify_open(&n), 0);
	ck_assert(!n.watchdog);
	notify_close(&n);
	setenv("WATCHDOG_USEC", "10000000", 1);
	ck_assert_int_eq(notify_open(&n), 0);
	ck_assert(n.watchdog);
	notify_close(&n);
}
END_TEST

UNIT_SUITE("notify", a_path, an_abstract_name, only_when_asked)
