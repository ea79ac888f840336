#include "resolver/front.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "resolver/front_tcp.h"
#include "resolver/front_udp.h"

enum {
	/* Per connection in the kernel: 1024 clients that never read hold 128 MB. */
	TCP_SEND_BUFFER = 64 << 10,
	TCP_RECEIVE_BUFFER = 16 << 10,
};

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) ? -1 : 0;
}

/* Over the sysctl limit while we are privileged, else up to it. */
static void set_buffers(int fd, int receive, int send)
{
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive))
		(void)set(fd, SOL_SOCKET, SO_RCVBUF, receive);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, send))
		(void)set(fd, SOL_SOCKET, SO_SNDBUF, send);
}

/* OMIT: path MTU news, which anybody can forge, never changes what we send; 1232 bytes
 * fit everywhere. PKTINFO: a wildcard socket must know which address was asked. */
static int set_udp(int fd, const struct addr *a)
{
	bool any = front_wildcard(a);
	set_buffers(fd, FRONT_UDP_BUFFER, FRONT_UDP_BUFFER);
	if (a->family == 4)
		return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT) ||
		       (any && set(fd, IPPROTO_IP, IP_PKTINFO, 1));
	return set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT) ||
	       (any && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
}

/* REUSEADDR: a restart must not wait for the old process's closed connections. */
static int set_tcp(int fd)
{
	set_buffers(fd, TCP_RECEIVE_BUFFER, TCP_SEND_BUFFER);
	return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	       set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int error_of(int saved_errno)
{
	switch (saved_errno) {
	case EADDRINUSE:
		return ERR_BUSY;
	case EADDRNOTAVAIL:
		return ERR_NOENT;
	case EACCES:
	case EPERM:
		return ERR_ACCESS;
	default:
		return ERR_IO;
	}
}

static void close_all(const int *fds, int n)
{
	int saved = errno;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	errno = saved;
}

static int bind_one(int *out, int type, const struct addr *a, bool shared)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&sa, a);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_of(errno);
	if ((a->family == 6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
	    (shared && set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
	    (type == SOCK_DGRAM ? set_udp(fd, a) : set_tcp(fd)) ||
	    bind(fd, (const struct sockaddr *)&sa, len)) {
		close_all(&fd, 1);
		return error_of(errno);
	}
	*out = fd;
	return ERR_OK;
}

/* With SO_REUSEPORT a bind succeeds when all who hold the port have set it too under the
 * same user: a second resolver started by root, Debian's unbound for one, would take half
 * of the questions unnoticed. Without it a bind fails whatever the others have set. */
int front_bind(int *fds, int n, int type, const struct addr *listen)
{
	int probe;
	int err = bind_one(&probe, type, listen, false);
	if (err)
		return err;
	close(probe);
	for (int i = 0; i < n; i++) {
		err = bind_one(&fds[i], type, listen, true);
		if (err) {
			close_all(fds, i);
			return err;
		}
	}
	return ERR_OK;
}

void front_bind_why(char out[FRONT_WHY_MAX], const struct addr *listen, int err,
		    int saved_errno)
{
	char a[ADDR_TEXT_MAX];
	addr_port_to_text(a, listen);
	switch (err) {
	case ERR_BUSY:
		snprintf(
			out, FRONT_WHY_MAX,
			"cannot listen on %s: another program has this port, or `listen` "
			"names it twice; \"ss -lntup sport = :%u\" shows who has it",
			a, listen->port);
		break;
	case ERR_NOENT:
		snprintf(out, FRONT_WHY_MAX,
			 "cannot listen on %s: no interface of this machine has that "
			 "address; \"ip address\" lists them",
			 a);
		break;
	case ERR_ACCESS:
		snprintf(out, FRONT_WHY_MAX,
			 "cannot listen on %s: permission denied; ports below 1024 need "
			 "root "
			 "or CAP_NET_BIND_SERVICE",
			 a);
		break;
	default:
		snprintf(out, FRONT_WHY_MAX, "cannot listen on %s: %s%s", a,
			 strerror(saved_errno),
			 saved_errno == EAFNOSUPPORT
				 ? "; this machine has no IPv6, take the address out of "
				   "`listen`"
				 : "");
	}
}
