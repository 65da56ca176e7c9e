/* The state of atled train: prepared in train_start.c, used in train.c. */
#ifndef ATLED_TOOLS_TRAIN_SESSION_H
#define ATLED_TOOLS_TRAIN_SESSION_H

#include <stdio.h>

#include "plot.h"
#include "progress.h"
#include "train_options.h"

typedef struct train_session {
    train_options set;
    training t;
    network_file file; /* if --model names one */
    atl_dataset *data, *test;
    atl_batches *batches;
    progress_line progress;
    int64_t per_epoch, steps, done; /* steps in an epoch, to run in all, and done */
    int64_t first;                  /* done before this run */
    double started, waited;         /* waited: seconds in which the next batch was not ready */
    double loss, right;             /* moving averages, for the progress line */
    FILE *log;
    epoch_record *records;
    int record_count;
} train_session;

/* Everything before the first step.  Returns 0, or the exit code after an error message; call end_session either
 * way. */
int start_session(train_session *session);
/* Returns code, or another one after an error message if the log could not be written completely. */
int end_session(train_session *session, int code);

#endif
