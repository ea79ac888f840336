#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "tools/cli.h"
#include "tools/stream.h"

enum { LOOK_MS = 1000 }; /* a clock that jumps is noticed so soon */

int stream_wait(const struct stream *s, short events, int64_t until_ms)
{
	struct pollfd p[2] = {{s->fd, events, 0}, {s->stop_fd, POLLIN, 0}};
	for (;;) {
		int64_t left = until_ms - cli_now_ms();
		if (left <= 0)
			return ERR_BUSY;
		int n = poll(p, 2, left > LOOK_MS ? LOOK_MS : (int)left);
		if (n > 0 && p[1].revents)
			return ERR_STOPPED;
		if (n > 0 && p[0].revents)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return ERR_IO;
	}
}

int stream_move(const struct stream *s, uint8_t *bytes, size_t len, bool out,
		int64_t until_ms)
{
	while (len) {
		ssize_t n = out ? send(s->fd, bytes, len, MSG_NOSIGNAL)
				: recv(s->fd, bytes, len, 0);
		if (n == 0)
			return ERR_RANGE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ERR_IO;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		int err = stream_wait(s, out ? POLLOUT : POLLIN, until_ms);
		if (err)
			return err;
	}
	return ERR_OK;
}
