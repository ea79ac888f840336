/* notify.h: tells the service manager how we do, as sd_notify(3) does.
 * Shape    one datagram of lines WORD=VALUE to the socket that NOTIFY_SOCKET names
 * Memory   the caller's
 * Threads  one
 * Errors   ERR_INVAL (no such kind of socket), ERR_IO from open; what cannot be sent is
 *          left unsaid: the manager then acts as it does for who says nothing
 * Source   sd_notify(3), systemd.service(5) */
#ifndef SINKHOLED_NOTIFY_H
#define SINKHOLED_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "include/err.h"

struct notify {
	int fd;	       /* -1: nobody wants to know */
	bool watchdog; /* WATCHDOG=1 is waited for */
	socklen_t to_len;
	struct sockaddr_un to;
};

MUST_CHECK int notify_open(struct notify *n);
void notify_close(struct notify *n);
void notify_send(const struct notify *n, const char *lines);

#endif
