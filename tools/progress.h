/* The progress of a long command: one line that is redrawn on a terminal, or an occasional line elsewhere; and Ctrl-C,
 * which asks the command to end. */
#ifndef ATLED_TOOLS_PROGRESS_H
#define ATLED_TOOLS_PROGRESS_H

#include "atled/status.h"

typedef struct progress_line {
    int quiet;
    int terminal; /* stderr is one */
    int drawn;    /* a line must be erased */
    double last;  /* the time of the last line */
} progress_line;

progress_line start_progress(int quiet);
/* On a terminal at most ten times a second; elsewhere once in two seconds; and whenever `always`. */
void show_progress(progress_line *progress, int always, const char *format, ...) ATL_PRINTF(3, 4);
/* Erases the line before other output. */
void end_progress(progress_line *progress);

/* From a monotonic clock. */
double seconds_now(void);

/* After this call, Ctrl-C, a termination signal and the end of the terminal (SIGHUP) only set the result of
 * was_interrupted, so that the work so far can be saved.  A second Ctrl-C or termination signal ends the program.
 * SIGPIPE is ignored. */
void catch_interrupts(void);
int was_interrupted(void);

#endif
