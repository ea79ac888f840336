#include "tools/hits_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

/* Where a crash goes on; NULL outside. A signal handler's, so it cannot be anybody's
 * argument; the thread's own that crashes. */
static _Thread_local sigjmp_buf *volatile crash_exit;

static void on_crash(int sig)
{
	if (crash_exit)
		siglongjmp(*crash_exit, 1);
	signal(sig, SIG_DFL); /* our own fault: end as without a handler */
	raise(sig);
}

void hits_guard_start(void)
{
	/* NODEFER: the handler is left by a jump that restores no mask. */
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGABRT, &sa, NULL); /* LMDB's assertions */
}

int hits_guard(int (*fn)(void *arg), void *arg)
{
	sigjmp_buf here, *const outer = crash_exit;
	if (sigsetjmp(here, 0) == 0) {
		crash_exit = &here;
		int got = fn(arg);
		crash_exit = outer;
		return got;
	}
	crash_exit = outer;
	return ERR_DAMAGED;
}
