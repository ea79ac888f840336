/* small_share.h: long work beside a resolver takes little of the processors.
 * Shape    one function
 * Units    none
 * Memory   none
 * Threads  of the one that calls, and of those that it starts from then on
 * Errors   none: where the kernel says no, all stays as it is
 * Source   sched(7), sched_setattr(2) */
#ifndef SINKHOLED_TOOLS_SMALL_SHARE_H
#define SINKHOLED_TOOLS_SMALL_SHARE_H

/* Where others want all processors, a tenth of what one of them gets, in turns that a
 * resolver does not feel. Not only what nobody else wants: a flood of questions would
 * stop every update of a list, and who waits for the store's lock would wait as long. Who
 * was started with a policy or a nice value of its own keeps both (chrt(1), nice(1)). */
void small_share(void);

#endif
