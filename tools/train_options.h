/* The command line of atled train. */
#ifndef ATLED_TOOLS_TRAIN_OPTIONS_H
#define ATLED_TOOLS_TRAIN_OPTIONS_H

#include "training.h"

/* One field per option, see --help.  A number is NaN if it was not given: its default depends on other options. */
typedef struct train_options {
    const char *model, *data, *output, *widths, *at, *checkpoint, *resume, *weights, *log, *plot;
    int optimizer, schedule, staircase, flip, find_nan, allow_non_finite, quiet, distributed, deterministic,
        sync_batch_norm;
    int64_t micro_batches, bucket_mb, rate_batch, epochs, batch, seed, crop, pad, most_steps, stop_after, save_every;
    double rate, momentum, rms_decay, beta1, beta2, epsilon, factor, every, lowest, warm_up, decay, decay_all,
        clip_value, clip_norm, clip_global_norm, average, brightness, contrast;
    option_list decay_of, rate_of; /* to be freed */
    compile_options compile;
    picture_settings picture; /* of an ONNX file */
} train_options;

/* Like read_options. */
int read_train_options(train_options *set, int argc, char **argv, int *code);

/* These functions return 0, or the exit code after an error message. */
int read_widths(const train_options *set, int widths[ATL_MODEL_LAYERS]);
int read_drops(const train_options *set, int64_t per_epoch, int64_t at[MOST_DROPS]); /* in steps */

/* Computes values that depend on several options: may change set->optimizer and the decays. */
atl_optimizer settle_optimizer(train_options *set);

#endif
