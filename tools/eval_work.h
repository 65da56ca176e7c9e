/* atled eval in shards: a task is a batch. */
#ifndef ATLED_TOOLS_EVAL_WORK_H
#define ATLED_TOOLS_EVAL_WORK_H

#include "training.h"
#include "work.h"

/* The command line of atled eval. */
typedef struct eval_settings {
    const char *model, *weights, *data, *picture;
    int64_t batch, crop;
    int part, with_matrix, allow_non_finite;
    compile_options compile;
    picture_settings form; /* of an ONNX file */
    shard_options shard;
} eval_settings;

/* Evaluates the batches of this shard, or adds up those of all shards that are merged; then *is_shown_out is true, and
 * the score and the confusion [classes, classes] are those of the whole.  Returns the exit code. */
int eval_shard(eval_settings *set, training *t, const atl_dataset *data, int classes, int64_t *confusion,
               score *score_out, int *is_shown_out);

#endif
