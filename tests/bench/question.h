/* question.h: the question that all programs here ask, A of a name with EDNS, whom, and
 * when. */
#ifndef SINKHOLED_BENCH_QUESTION_H
#define SINKHOLED_BENCH_QUESTION_H

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/addr.h"
#include "include/wire.h"

/* Its length, with ID 0; 0: text is no name, or there is no room. */
static inline size_t question_make(uint8_t *out, size_t room, const char *text)
{
	static const uint8_t opt[DNS_OPT_LEN] = {0, 0, DNS_OPT, 4, 208};
	uint8_t name[DNS_NAME_MAX];
	struct wire_writer w = wire_writer(out, room);
	if (name_from_str(name, text))
		return 0;
	wire_put_header(&w, 0, DNS_RD, (const uint16_t[]){1, 0, 0, 1});
	wire_put_name(&w, name);
	wire_put16(&w, DNS_A);
	wire_put16(&w, DNS_IN);
	wire_put(&w, opt, sizeof opt);
	return w.err ? 0 : wire_written(&w);
}

/* A socket for messages to ADDRESS@PORT; -1: there is none. */
static inline int question_socket(const char *at, int flags)
{
	struct addr to;
	struct sockaddr_storage ss;
	if (addr_port_from_text(&to, at, 53))
		return -1;
	socklen_t len = addr_to_sockaddr(&ss, &to);
	int fd = socket(ss.ss_family, SOCK_DGRAM | flags, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int64_t question_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
