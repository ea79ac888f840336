/* echo.c: what the kernel alone costs. Sends every question back with QR set.
 * usage: echo ADDRESS@PORT [single]
 * In batches of 64 by recvmmsg and sendmmsg; single: one call for each datagram. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "include/addr.h"
#include "include/dns.h"

enum { BATCH = 64, ROOM = 512 };

static void one_by_one(int fd)
{
	uint8_t msg[ROOM];
	struct sockaddr_storage from;
	for (;;) {
		socklen_t len = sizeof from;
		ssize_t n =
			recvfrom(fd, msg, sizeof msg, 0, (struct sockaddr *)&from, &len);
		if (n < DNS_HEADER_LEN)
			continue;
		msg[2] |= DNS_QR >> 8;
		sendto(fd, msg, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void in_batches(int fd)
{
	static uint8_t msg[BATCH][ROOM];
	static struct sockaddr_storage from[BATCH];
	struct iovec v[BATCH];
	struct mmsghdr m[BATCH];
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			v[i] = (struct iovec){msg[i], ROOM};
			m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
							    .msg_namelen = sizeof from[i],
							    .msg_iov = &v[i],
							    .msg_iovlen = 1}};
		}
		int n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			msg[i][2] |= DNS_QR >> 8;
			v[i].iov_len = m[i].msg_len;
		}
		if (n > 0)
			sendmmsg(fd, m, (unsigned)n, 0);
	}
}

int main(int argc, char **argv)
{
	struct addr at;
	struct sockaddr_storage ss;
	if (argc < 2 || argc > 3 || addr_port_from_text(&at, argv[1], 53)) {
		fprintf(stderr, "usage: echo ADDRESS@PORT [single]\n");
		return 2;
	}
	socklen_t len = addr_to_sockaddr(&ss, &at);
	int fd = socket(ss.ss_family, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len)) {
		perror("echo");
		return 2;
	}
	if (argc == 3)
		one_by_one(fd);
	in_batches(fd);
}
