/* disk_fault.c: a disk that fails or is slow, for a program that has this preloaded:
 * while DISK_FAULT/eio exists, writing and syncing a segment of the hit log gives EIO;
 * while DISK_FAULT/slow exists, syncing one takes 500 ms. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SLOW_US = 500000, PATH_MAX_HERE = 4096 };

static bool is_set(const char *fault)
{
	char path[PATH_MAX_HERE];
	const char *dir = getenv("DISK_FAULT");
	if (!dir)
		return false;
	snprintf(path, sizeof path, "%s/%s", dir, fault);
	return access(path, F_OK) == 0;
}

static bool is_segment(int fd)
{
	char link[64], path[PATH_MAX_HERE];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	return n > 5 && memcmp(path + n - 5, ".hits", 5) == 0;
}

static bool fails(int fd)
{
	if (!is_segment(fd) || !is_set("eio"))
		return false;
	errno = EIO;
	return true;
}

int fdatasync(int fd)
{
	if (fails(fd))
		return -1;
	if (is_segment(fd) && is_set("slow"))
		usleep(SLOW_US);
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return fails(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	return fails(fd) ? -1 : syscall(SYS_writev, fd, parts, n);
}
