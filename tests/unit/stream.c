#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tools/cli.h"
#include "tools/stream.h"

enum { SOON_MS = 30, LATE_MS = 5000, LARGE = 4 << 20 };

/* s->fd does not block, *other does. */
static void pair(struct stream *s, int *other)
{
	int fd[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ck_assert_int_eq(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	*s = (struct stream){fd[0], eventfd(0, 0)};
	*other = fd[1];
}

static void end(struct stream *s, int other)
{
	close(s->fd);
	close(s->stop_fd);
	close(other);
}

START_TEST(whole_or_not)
{
	struct stream s;
	uint8_t got[8] = {0};
	int other;
	pair(&s, &other);
	ck_assert_int_eq(write(other, "abcdef", 6), 6);
	ck_assert_int_eq(stream_move(&s, got, 4, false, cli_now_ms() + LATE_MS), 0);
	ck_assert_mem_eq(got, "abcd", 4);
	/* Two bytes of four, and nothing more. */
	int64_t start = cli_now_ms();
	ck_assert_int_eq(stream_move(&s, got, 4, false, start + SOON_MS), ERR_BUSY);
	ck_assert_int_ge(cli_now_ms() - start, SOON_MS);
	ck_assert_int_eq(shutdown(other, SHUT_WR), 0);
	ck_assert_int_eq(stream_move(&s, got, 4, false, cli_now_ms() + LATE_MS),
			 ERR_RANGE);
	end(&s, other);
}
END_TEST

/* Who never reads keeps nobody for longer than the limit; and the end comes at once. */
START_TEST(never_reads)
{
	static uint8_t large[LARGE];
	const uint64_t one = 1;
	struct stream s;
	int other;
	pair(&s, &other);
	ck_assert_int_eq(stream_move(&s, large, LARGE, true, cli_now_ms() + SOON_MS),
			 ERR_BUSY);
	ck_assert_int_eq(write(s.stop_fd, &one, sizeof one), sizeof one);
	ck_assert_int_eq(stream_move(&s, large, LARGE, true, cli_now_ms() + LATE_MS),
			 ERR_STOPPED);
	close(other);
	ck_assert_int_eq(stream_move(&s, large, LARGE, true, cli_now_ms() + LATE_MS),
			 ERR_IO);
	close(s.fd);
	close(s.stop_fd);
}
END_TEST

UNIT_SUITE("stream", whole_or_not, never_reads)
