/* Where the threads of a run compute while other processes hold the processors.
 *
 * The threads of a run wait for each other after every step.  If each of them competes with another process for its
 * processor, a step takes until the last of them has had its turn, which can be a slice of the scheduler.  If all of
 * them are on one processor, they take turns there, and a run waits for that one only, as one thread would.  Each of
 * them still does its own part of the work, so the results are the same bit for bit.
 *
 * That helps only where threads sleep while they wait (OMP_WAIT_POLICY=passive): others spin in place of the thread
 * that they wait for.  Which is faster, apart or together, is measured: the runs of a plan try both now and then. */
#ifndef ATLED_PROGRAM_SHARING_H
#define ATLED_PROGRAM_SHARING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct atl_sharing {
    double seconds[2];      /* what a run took lately: apart, and together; 0: not measured yet */
    int64_t runs, next_try; /* since the start, and at which of them the slower way is tried once more */
} atl_sharing;

/* True if the threads of the next run are to be together; counts the run. */
bool atl_sharing_next(atl_sharing *s);
/* What that run took. */
void atl_sharing_note(atl_sharing *s, bool together, double seconds);

/* True if the environment says that threads sleep while they wait, and a thread can be moved to a processor. */
bool atl_can_share(void);
/* Moves the calling thread, and the other threads of its loops, to the processor that it runs on. */
void atl_share_processor(void);
/* Lets them run where they could before. */
void atl_leave_processor(void);

#endif
