#include "resolver/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int notify_open(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	*n = (struct notify){.fd = -1, .to.sun_family = AF_UNIX};
	if (!len)
		return ERR_OK;
	if ((*path != '/' && *path != '@') || len >= sizeof n->to.sun_path)
		return ERR_INVAL;
	memcpy(n->to.sun_path, path, len);
	/* An abstract name begins with NUL, and its length ends it. */
	if (*path == '@')
		n->to.sun_path[0] = 0;
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	n->watchdog = getenv("WATCHDOG_USEC") != NULL;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return n->fd < 0 ? ERR_IO : ERR_OK;
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

/* Not connected: the manager may have made its socket anew. */
void notify_send(const struct notify *n, const char *lines)
{
	if (n->fd >= 0)
		(void)!sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL,
			      (const struct sockaddr *)&n->to, n->to_len);
}
