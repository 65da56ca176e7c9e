/* A network with what it takes to train it: a graph in which it is trained, whose program is a whole step, and one in which it is
 * used, without what only training needs. */
#ifndef ATLED_TOOLS_TRAINING_H
#define ATLED_TOOLS_TRAINING_H

#include "compile_options.h"

enum {
    OPTIMIZER_SGD,
    OPTIMIZER_MOMENTUM,
    OPTIMIZER_NESTEROV,
    OPTIMIZER_RMSPROP,
    OPTIMIZER_ADAGRAD,
    OPTIMIZER_ADAM,
    OPTIMIZER_ADAMW
};
enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_EXPONENTIAL, SCHEDULE_STEP };
extern const char *const optimizer_names[], *const schedule_names[];

enum { MOST_DROPS = 8 }; /* of atl_step_decay */

typedef struct training_settings {
    const atl_model *model;
    int widths[ATL_MODEL_LAYERS];
    int64_t height, width, channels;
    int optimizer;
    atl_optimizer options; /* as train.h has them, with the rate at its highest */
    int schedule, staircase;
    double factor, lowest;         /* of exponential and step; of cosine */
    int64_t every, warm_up, steps; /* in steps */
    int64_t at[MOST_DROPS];        /* steps at which the schedule `step` drops, in place of `every`; 0: none */
    double decay, decay_all;       /* on the weights of dense layers, and of all */
    option_list decay_of, rate_of; /* "conv1=0.001": what lies in that scope has its own; freed by the caller */
    double clip_value, clip_norm, clip_global_norm;
    double average; /* of a moving average, which is then used in place of the weights; 0: none */
    uint64_t seed;
    compile_options compile;
    int look_only; /* no step */
} training_settings;

/* The network in one of its graphs. */
typedef struct net {
    atl_graph *graph;
    atl_node *image, *labels, *logits;
    atl_node *loss; /* mean cross entropy, without the decay */
} net;

typedef struct training {
    training_settings set;
    net trained; /* all null if it is only looked at */
    net used;
    /* Where averages are used and there is batch norm: in training, too, but only to take the statistics of the averaged net. */
    net measured;
    atl_node *right; /* share of the batch that is classified correctly */
    atl_node *rate;  /* of the step at hand */
    atl_node *step;  /* does it; its value is the loss with the decay */
    atl_program *train, *look, *measure;
    atl_batches_args examples; /* what is trained on: for whoever trains to fill in after begin_training */
    int64_t handed_over;       /* steps done when `used` was last given its values; -1: never */
} training;

/* 0, or the exit code after a complaint; end_training either way. */
int begin_training(const char *command, const training_settings *set, training *training_out);
void end_training(training *t);

/* Steps done, in this run and those before it. */
int64_t steps_done(const training *t);

/* Gives `used` the values of what is trained, or their moving averages, unless it has them already. */
atl_status hand_over(training *t);
/* These, to a file; for whoever uses the network. */
atl_status save_weights(training *t, const char *path);
/* Everything, for going on. */
atl_status save_checkpoint(const training *t, const char *path);
/* Weights to begin with, as far as there are any. */
atl_status load_weights(const training *t, const char *path, atl_npz_report *report);

/* The first variable that holds a NaN or an infinity, of what is trained or of what was handed over; null if none does. */
const char *non_finite_variable_of(const training *t);

typedef struct score {
    int64_t count;
    double loss;  /* mean cross entropy */
    double right; /* share of the first guesses that are right */
    double top5;
    int64_t not_finite; /* images with a score that is NaN or infinite */
} score;
/* Over a whole data set, each image cut from its middle.  confusion: null, or classes * classes counts, by [truth][guess]. */
atl_status look_at(training *t, const atl_dataset *data, int64_t batch, int64_t *confusion, score *score_out);

#endif
