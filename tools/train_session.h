/* The state of atled train: prepared in train_start.c, used in train.c. */
#ifndef ATLED_TOOLS_TRAIN_SESSION_H
#define ATLED_TOOLS_TRAIN_SESSION_H

#include <stdio.h>

#include "plot.h"
#include "progress.h"
#include "train_options.h"

/* A part of a batch that is run together with the others: copies of what is fed. */
typedef struct part_feeds {
    atl_tensor *images, *labels, *counter, *stop;
    atl_feed feeds[5];
    int32_t number;
    float stops;
} part_feeds;

typedef struct train_session {
    train_options set;
    training t;
    network_file file; /* if --model names one */
    atl_dataset *data, *test;
    atl_batches *batches;
    progress_line progress;
    int64_t per_epoch, steps, done; /* steps in an epoch, to run in all, and done */
    int64_t first;                  /* done before this run */
    atl_all_reduce *all_reduce;     /* of a batch in parts, or null */
    int64_t parts;                  /* of a batch */
    atl_batch_part *together;       /* those of this rank, if they run together, or null */
    part_feeds *fed;
    struct early_save *early; /* on rank 0 of several; else null */
    double started, waited;   /* waited: seconds in which the next batch was not ready */
    double loss, right;       /* moving averages, for the progress line */
    FILE *log;
    epoch_record *records;
    int record_count;
} train_session;

/* Decides in how many parts a batch is run.  Returns 0, or the exit code after an error message. */
int start_averaging(train_session *session);
/* Has the parts of this rank run together (--sync-batch-norm).  Returns 0, or the exit code after an error message. */
int start_parts(train_session *session);
void free_parts(train_session *session);
/* What must be the same on all ranks, to be freed; null out of memory. */
char *facts_of_session(const train_session *session, int argc, char **argv);
/* Runs one step on the next batch; *batch_out becomes its last part on this rank, or null if no batch could be
 * made. */
atl_status run_step(train_session *session, const atl_batch **batch_out);

/* Has the state saved at the first signal, while parts of a batch are run: between leave_variables and take_variables.
 * Returns 0, or the exit code after an error message. */
int begin_early_save(train_session *session);
void end_early_save(train_session *session);
void leave_variables(train_session *session);
void take_variables(train_session *session);

/* Everything before the first step.  Returns 0, or the exit code after an error message; call end_session either
 * way. */
int start_session(train_session *session);
/* Returns code, or another one after an error message if the log could not be written completely. */
int end_session(train_session *session, int code);

#endif
