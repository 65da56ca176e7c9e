/* The threads of a run together on one processor; see the header. */
#define _GNU_SOURCE /* sched_setaffinity whatever -std= says */
#include "program/sharing.h"

#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <strings.h>

enum {
    WARM_UP = 1,    /* the first runs of a plan read weights and memory for the first time, and say nothing */
    RARE_TRIES = 32 /* trying the slower way takes at most one part in so many of the time */
};

bool atl_sharing_next(atl_sharing *s)
{
    const double apart = s->seconds[0], together = s->seconds[1];
    s->runs++;
    if (!together)
        return true;
    if (!apart) {
        s->next_try = 2 * s->runs;
        return false;
    }
    bool faster = together <= apart;
    if (s->runs < s->next_try)
        return faster;
    double cost = fmin(faster ? apart / together : together / apart, 1e6);
    s->next_try = s->runs + (int64_t)(cost * fmin((double)s->runs, RARE_TRIES));
    return !faster;
}

void atl_sharing_note(atl_sharing *s, bool together, double seconds)
{
    double *lately = &s->seconds[together];
    if (s->runs > WARM_UP)
        *lately = *lately ? (*lately + seconds) / 2 : seconds;
}

#ifdef __linux__

static _Thread_local cpu_set_t places; /* where this thread may run, while it is moved */
static _Thread_local bool moved;

bool atl_can_share(void)
{
    const char *policy = getenv("OMP_WAIT_POLICY");
    return policy && !strcasecmp(policy, "passive");
}

void atl_share_processor(void)
{
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE)
        return;
#pragma omp parallel
    if (!sched_getaffinity(0, sizeof places, &places)) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(here, &one);
        moved = !sched_setaffinity(0, sizeof one, &one);
    }
}

void atl_leave_processor(void)
{
#pragma omp parallel
    if (moved)
        moved = sched_setaffinity(0, sizeof places, &places) != 0;
}

#else

bool atl_can_share(void) { return false; }
void atl_share_processor(void) {}
void atl_leave_processor(void) {}

#endif
