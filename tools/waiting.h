/* How the threads of a command wait for each other. */
#ifndef ATLED_TOOLS_WAITING_H
#define ATLED_TOOLS_WAITING_H

/* From the text of Linux's /proc/loadavg: how many threads of the whole machine run or want to; -1: it does not say. */
int running_threads(const char *loadavg);

/* True if this process's threads would have to share processors with others: `running` includes the calling thread. */
int is_crowded(int running, int threads, int processors);

/* Restarts the process with OMP_WAIT_POLICY=passive if the machine is crowded now and the user has not said how threads
 * are to wait.  Returns if it stays as it is.  Call it first in main, before anything is read or written. */
void wait_asleep_if_crowded(char **argv);

#endif
