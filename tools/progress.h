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

/* From now on Ctrl-C (and a termination signal) only sets what was_interrupted returns; a second one ends the program. */
void catch_interrupts(void);
int was_interrupted(void);

#endif
