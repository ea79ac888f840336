/* net.h: sockets for the tests of fronts and upstream: loopback only, ports that are
 * free. Every test runs in a process of its own (Check forks), so a namespace that one
 * makes is gone with it. */
#ifndef SINKHOLED_UNIT_NET_H
#define SINKHOLED_UNIT_NET_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/front_udp.h" /* and with it uv.h */
#include "tests/unit/unit.h"

/* The longest wait for what must come: it takes microseconds, but a machine that is
 * shared may stand still for seconds. */
enum { NET_WAIT_MS = 20000 };

static inline struct addr net_addr(const char *text)
{
	struct addr a;
	ck_assert_int_eq(addr_port_from_text(&a, text, 0), ERR_OK);
	return a;
}

/* A non-blocking socket bound to a (port 0 = any free one); a gets the port. */
static inline int net_socket(int type, struct addr *a)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&sa, a);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(!bind(fd, (struct sockaddr *)&sa, len), "bind: %s",
		      strerror(errno));
	len = sizeof sa;
	ck_assert(!getsockname(fd, (struct sockaddr *)&sa, &len));
	*a = addr_from_sockaddr((struct sockaddr *)&sa);
	return fd;
}

/* text with a port that is free for both UDP and TCP just now. */
static inline struct addr net_free(const char *text)
{
	for (int i = 0; i < 20; i++) {
		struct addr a = net_addr(text);
		int udp = net_socket(SOCK_DGRAM, &a);
		struct sockaddr_storage sa;
		socklen_t len = addr_to_sockaddr(&sa, &a);
		int tcp = socket(sa.ss_family, SOCK_STREAM, 0);
		int err = bind(tcp, (struct sockaddr *)&sa, len);
		close(udp);
		close(tcp);
		if (!err)
			return a;
	}
	ck_abort_msg("no free port");
	return (struct addr){0};
}

/* A socket that talks to a; TCP: connecting, which loopback does at once. */
static inline int net_connect(int type, const struct addr *a)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&sa, a);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&sa, len))
		ck_assert_msg(errno == EINPROGRESS, "connect: %s", strerror(errno));
	return fd;
}

/* Lets the loop work until something can be read from fd or ms have passed. */
static inline bool net_wait(uv_loop_t *loop, int fd, int ms)
{
	uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000;
	do {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uv_run(loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) > 0)
			return true;
	} while (uv_hrtime() < until);
	return false;
}

/* Lets the loop work for ms and a few turns, though the process stands still meanwhile.
 */
static inline void net_run(uv_loop_t *loop, int ms)
{
	uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000;
	for (int turns = 0; turns < 5 || uv_hrtime() < until; turns++) {
		uv_run(loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

/* Reads what comes within ms; 0 = end of the stream, -1 = nothing or an error (errno). */
static inline ssize_t net_read(uv_loop_t *loop, int fd, void *buf, size_t n, int ms)
{
	errno = EAGAIN;
	return net_wait(loop, fd, ms) ? recv(fd, buf, n, MSG_DONTWAIT) : -1;
}

static inline int net_open_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Moves this process into a network namespace of its own, where it may bind any port and
 * nothing leads anywhere. False when the system forbids that. */
static inline bool net_namespace(bool loopback_up)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("skipped: no namespace of our own (%s)\n", strerror(errno));
		return false;
	}
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	if (loopback_up)
		ck_assert(!ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
	return true;
}

#endif
