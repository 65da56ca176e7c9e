/* What a long command tells while it works: one line that is drawn again and again on a terminal, a line now and then elsewhere;
 * and Ctrl-C, which asks it to come to an end. */
#ifndef ATLED_TOOLS_PROGRESS_H
#define ATLED_TOOLS_PROGRESS_H

#include "atled/status.h"

typedef struct progress_line {
    int quiet;
    int terminal; /* stderr is one */
    int drawn;    /* there is a line to be drawn over */
    double last;  /* when it was */
} progress_line;

progress_line start_progress(int quiet);
/* On a terminal at most ten times a second; elsewhere once in two seconds; and whenever `always`. */
void show_progress(progress_line *progress, int always, const char *format, ...) ATL_PRINTF(3, 4);
/* Takes the line away, before anything else is written. */
void end_progress(progress_line *progress);

/* Of a clock that is never set. */
double seconds_now(void);

/* From now on Ctrl-C, a termination signal and the end of the terminal (SIGHUP) only set what was_interrupted returns, so that
 * the work so far can be saved.  A second Ctrl-C or termination signal ends the program.  SIGPIPE is ignored. */
void catch_interrupts(void);
int was_interrupted(void);

#endif
