/* A network and the graphs to train it: one graph for training, whose program is a whole step, and one for inference,
 * without what only training needs. */
#ifndef ATLED_TOOLS_TRAINING_H
#define ATLED_TOOLS_TRAINING_H

#include "compile_options.h"
#include "network_file.h"

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
    const network_file *file; /* in place of the model, if not null; must outlive the training */
    int widths[ATL_MODEL_LAYERS];
    int64_t height, width, channels;
    int optimizer;
    atl_optimizer options; /* as train.h has them, with the rate at its highest */
    int schedule, staircase;
    double factor, lowest;         /* of exponential and step; of cosine */
    int64_t every, warm_up, steps; /* in steps */
    int64_t at[MOST_DROPS];        /* steps at which the schedule `step` drops, in place of `every`; 0: none */
    double decay, decay_all;       /* on the weights of dense layers, and of all */
    option_list decay_of,
        rate_of; /* "conv1=0.001": the variables in that scope have their own value; freed by the caller */
    double clip_value, clip_norm, clip_global_norm;
    double average; /* of a moving average, which replaces the weights in tests; 0: none */
    uint64_t seed;
    compile_options compile;
    int look_only;              /* no step */
    atl_all_reduce *all_reduce; /* the batch is run in parts, and the step averages them; null: in one */
    int sync_batch_norm;        /* its statistics are those of all parts: run them by atl_run_parts */
} training_settings;

/* The network in one of its graphs. */
typedef struct net {
    atl_graph *graph;
    atl_node *image, *labels, *logits;
    atl_node *loss; /* mean cross entropy, without the decay */
    atl_onnx *net;  /* of a file */
    int code;       /* of a failure about which an error message was printed */
} net;

typedef struct training {
    training_settings set;
    net trained; /* all null if the network is only evaluated */
    net used;
    /* With averages and batch norm: built for training, but only to measure the statistics of the averaged network. */
    net measured;
    atl_node *right; /* fraction of the batch that is classified correctly */
    atl_node *rate;  /* of the current step */
    atl_node *step;  /* one training step; its value is the loss with the decay */
    atl_program *train, *look, *measure;
    /* With all_reduce: `gradients` runs a part of the batch, and then `train` the step. */
    atl_program *gradients;
    atl_node *part;
    atl_node *counter,
        *stop; /* inputs of a part: its number over all batches, modulo 2^31; 1 if this rank wants to stop */
    atl_node *mean_loss, *mean_right, *mean_stop; /* of the batch; the first two without all_reduce, too */
    atl_batches_args examples;                    /* the training data: the caller fills it in after begin_training */
    int64_t handed_over;                          /* steps done when `used` was last given its values; -1: never */
} training;

/* Returns 0, or the exit code after an error message; call end_training either way. */
int begin_training(const char *command, const training_settings *set, training *training_out);
void end_training(training *t);

/* The number of steps done in this run and in earlier ones. */
int64_t steps_done(const training *t);

/* Copies the trained values, or their moving averages, to `used`, unless it has them already. */
atl_status hand_over(training *t);
/* Saves these to a file, for inference. */
atl_status save_weights(training *t, const char *path);
/* Saves everything needed to resume. */
atl_status save_checkpoint(const training *t, const char *path);
/* Loads initial weights, as far as the file has them. */
atl_status load_weights(const training *t, const char *path, const atl_weight_name *names, atl_npz_report *report);

/* The first variable with a NaN or an infinity, among the trained or the copied ones; null if there is none. */
const char *non_finite_variable_of(const training *t);

typedef struct score {
    int64_t count;
    double loss;  /* mean cross entropy */
    double right; /* fraction of correct classifications */
    double top5;
    int64_t not_finite; /* images with a score that is NaN or infinite */
} score;
/* Evaluates a whole data set on centre crops.  confusion: null, or classes * classes counts, by [truth][guess]. */
atl_status look_at(training *t, const atl_dataset *data, int64_t batch, int64_t *confusion, score *score_out);
/* Its parts: evaluates a batch, and adds counts (in place of fractions) and the sum of the losses to the score; makes
 * fractions and a mean of them. */
atl_status look_at_batch(const training *t, const atl_batch *batch, int64_t *confusion, score *sum);
void finish_score(score *sum);

#endif
