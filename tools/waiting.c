/* How the threads of a command wait for each other.
 *
 * OpenMP's threads spin for milliseconds while they wait, which is fastest on a quiet machine.  Where other processes
 * hold the processors, they spin in place of the thread that they wait for, and every step takes as long as the
 * scheduler's slices.  Threads that sleep lose nothing then.  The runtime reads its policy before main, so a command
 * that finds the machine crowded starts once more with another one.  The policy changes no result. */
#include "waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int running_threads(const char *loadavg)
{
    int running, all;
    return sscanf(loadavg, "%*f %*f %*f %d/%d", &running, &all) == 2 && running >= 0 ? running : -1;
}

int is_crowded(int running, int threads, int processors)
{
    return threads > 1 && processors > 0 && running - 1 + threads > processors;
}

static int running_now(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/loadavg", "r");
    if (!file)
        return -1;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return running_threads(text);
}

/* The least of a few looks, a millisecond apart: a process that has just ended, or wakes for a moment, is no load. */
static int running_for_a_while(void)
{
    enum { LOOKS = 5, APART = 1000000 };
    int least = running_now();
    for (int i = 1; i < LOOKS && least > 1; i++) {
        nanosleep(&(struct timespec){0, APART}, NULL);
        int now = running_now();
        least = now < least ? now : least;
    }
    return least;
}

static int is_said(void)
{
    static const char *const names[] = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return 1;
    return 0;
}

void wait_asleep_if_crowded(char **argv)
{
    const char *asked = getenv("OMP_NUM_THREADS");
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN), threads = asked ? atoi(asked) : processors;
    if (is_said() || !is_crowded(2, threads, processors) || !is_crowded(running_for_a_while(), threads, processors))
        return;
    char path[4096]; /* the name rather than the link: a debugger's own program may be behind that */
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1))
        return;
    path[length] = 0;
    execv(path, argv); /* if it fails, this process goes on */
}
