#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/small_share.h"

enum {
	SHARE_NICE = 10, /* a tenth: each step is a quarter more or less */
	/* The least turn there is (since Linux 6.12; older ones have the usual one). The
	 * usual one is milliseconds, and who wakes up meanwhile waits for its end. */
	SHARE_TURN_NS = 100000,
};

void small_share(void)
{
	struct sched_attr a = {.size = sizeof a};
	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) ||
	    a.sched_policy != SCHED_NORMAL || a.sched_nice)
		return;
	a.sched_policy = SCHED_BATCH; /* does not end another's turn */
	a.sched_nice = SHARE_NICE;
	a.sched_runtime = SHARE_TURN_NS;
	(void)syscall(SYS_sched_setattr, 0, &a, 0);
}
