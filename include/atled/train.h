/* Training: a whole step (gradients, clipping, the optimizer, moving averages) as one node of the graph.
 *
 *     atl_node *cost = atl_add(loss, atl_weight_decay(g));
 *     atl_node *step = atl_minimize(cost, atl_adam(.rate = 0.001f));
 *     atl_program *train = atl_compile(g, ATL_NODES(step));
 *     while (next_batch())
 *         atl_run(train, ATL_FEEDS({images, x}, {labels, y}));    atl_scalar_of(train, step) is the cost before the
 *         step
 *
 * An optimizer stores its values in variables named after those it trains, "conv1/weights/adam/m", and the number of
 * steps in the variable "steps".  They are saved and loaded with the weights (atl_save_npz), and training then
 * continues bit for bit. */
#ifndef ATLED_TRAIN_H
#define ATLED_TRAIN_H

#include "distributed.h"
#include "ops.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- attributes of variables ------------------------------------------------------------------------------------- */

/* Attributes of a variable for training, which reads them when it builds its nodes.  Each setter returns the variable,
 * so that calls nest; null passes through, and a node that is not a variable is an error. */
ATL_API atl_node *atl_variable_set_trainable(atl_node *variable, bool trainable); /* default: true; false for int32 */
/* decay * w^2 / 2 is its share of atl_weight_decay.  Default: 0; ATL_ZERO: no decay in AdamW either. */
ATL_API atl_node *atl_variable_set_decay(atl_node *variable, float decay);
/* Multiplies the learning rate.  Default: 1. */
ATL_API atl_node *atl_variable_set_rate_scale(atl_node *variable, float scale);
/* The decay of its moving average, in [0, 1), for example 0.999.  Default: 0, no average. */
ATL_API atl_node *atl_variable_set_average(atl_node *variable, float decay);
/* Marks a variable that belongs to training and not to the model: an optimizer's variable, a counter.  Default:
 * false. */
ATL_API atl_node *atl_variable_set_state(atl_node *variable, bool is_state);
ATL_API bool atl_variable_is_trainable(const atl_node *variable);
ATL_API bool atl_variable_is_state(const atl_node *variable);
ATL_API float atl_variable_decay(const atl_node *variable);
ATL_API float atl_variable_rate_scale(const atl_node *variable);
ATL_API float atl_variable_average(const atl_node *variable);

/* The sum over all variables of decay * w^2 / 2, with each variable's decay from atl_variable_set_decay; 0 if none has
 * one. */
ATL_API atl_node *atl_weight_decay(atl_graph *graph);

/* ---- learning rates: scalars that follow atl_step_counter -------------------------------------------------------- */

typedef struct atl_rate_args {
    atl_graph *graph;
    float rate;    /* at the first step */
    int64_t every; /* steps; 0: 1 */
    float factor;
    bool staircase; /* changes only at whole multiples of .every */
    int64_t at[8];  /* steps at which .factor multiplies the rate; in any order, 0: none */
    int64_t steps;  /* duration */
    float lowest;   /* the final rate */
    int end_;
} atl_rate_args;
/* rate * factor^(step / every); with .staircase as in the CIFAR-10 tutorial of TensorFlow. */
ATL_API atl_node *atl_exponential_decay_with(const atl_rate_args *args);
/* rate * factor^(number of entries of .at that have been reached) */
ATL_API atl_node *atl_step_decay_with(const atl_rate_args *args);
/* lowest + (rate - lowest) * (1 + cos(pi * step / steps)) / 2, then lowest             Loshchilov & Hutter 2017 */
ATL_API atl_node *atl_cosine_decay_with(const atl_rate_args *args);
#define atl_exponential_decay(...) atl_exponential_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
#define atl_step_decay(...)        atl_step_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
#define atl_cosine_decay(...)      atl_cosine_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
ATL_API atl_node *atl_constant_rate(atl_graph *graph, float rate);
/* rate * min((step + 1) / steps, 1): ramps any rate up over that many steps. */
ATL_API atl_node *atl_warm_up(atl_node *rate, int64_t steps);

/* ---- optimizers: w the variable, g its gradient, r the rate ------------------------------------------------------ */

typedef struct atl_optimizer_rule atl_optimizer_rule;

/* The options of all optimizers.  atl_minimize rejects one that its optimizer does not use.  0 is the default: see
 * ATL_ZERO. */
typedef struct atl_optimizer {
    int begin_;          /* allows a call without options: atl_adam() */
    atl_node *schedule;  /* the rate, as a scalar node, instead of .rate; null: .rate */
    double rate;         /* 0: 0.01; Adam's: 0.001 */
    double momentum;     /* 0: 0.9, but none for RMSProp */
    double rho;          /* of RMSProp's mean square; 0: 0.9 */
    double weight_decay; /* of AdamW; 0: 0.01 */
    double beta1, beta2; /* of Adam; 0: 0.9, 0.999 */
    double epsilon;      /* 0: 1e-8 */
    double start;        /* the first value of Adagrad's accumulator */
    const atl_optimizer_rule *rule;
    const char *unused; /* set by the functions below: the name of an option that the optimizer does not use */
} atl_optimizer;
/* w - r g */
ATL_API atl_optimizer atl_sgd_with(const atl_optimizer *options);
/* m' = momentum m + g;  w - r m'                                                               Polyak 1964 */
ATL_API atl_optimizer atl_momentum_with(const atl_optimizer *options);
/* m' = momentum m + g;  w - r (g + momentum m')                        Nesterov 1983, as in Sutskever et al. 2013 */
ATL_API atl_optimizer atl_nesterov_with(const atl_optimizer *options);
/* v' = rho v + (1 - rho) g^2;  w - r g / (sqrt(v') + epsilon)                             Hinton 2012
 * With .momentum, m' = momentum m + g / (sqrt(v') + epsilon);  w - r m'. */
ATL_API atl_optimizer atl_rmsprop_with(const atl_optimizer *options);
/* v' = v + g^2;  w - r g / (sqrt(v') + epsilon)                                         Duchi et al. 2011 */
ATL_API atl_optimizer atl_adagrad_with(const atl_optimizer *options);
/* m' = beta1 m + (1 - beta1) g;  v' = beta2 v + (1 - beta2) g^2;
 * w - r sqrt(1 - beta2^t) / (1 - beta1^t) m' / (sqrt(v') + epsilon), t = 1 at the first step   Kingma & Ba 2015 */
ATL_API atl_optimizer atl_adam_with(const atl_optimizer *options);
/* The same, and w also shrinks by r * weight_decay * w: by its own decay if it has one, otherwise, if it has two
 * dimensions or more, by .weight_decay.  Leave atl_weight_decay out of the cost then.
 * Loshchilov & Hutter 2019 */
ATL_API atl_optimizer atl_adamw_with(const atl_optimizer *options);
#define atl_sgd(...)      atl_sgd_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_momentum(...) atl_momentum_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_nesterov(...) atl_nesterov_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_rmsprop(...)  atl_rmsprop_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adagrad(...)  atl_adagrad_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adam(...)     atl_adam_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adamw(...)    atl_adamw_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))

/* Your own optimizer is a rule, too.  Build its formulas from element-wise nodes of the variable's shape: then they run
 * in one pass over memory, which reads each array once and overwrites it with its new value. */
enum { ATL_MAX_SLOTS = 4 };
typedef struct atl_rule_inputs {
    atl_node *variable, *gradient;
    atl_node *rate;      /* scalar */
    atl_node *corrected; /* the rate after the rule's `correct` */
    double decay;        /* see AdamW */
} atl_rule_inputs;
struct atl_optimizer_rule {
    const char *name;                        /* "adam" */
    const char *slot[ATL_MAX_SLOTS];         /* what it stores for each variable: "m", "v" */
    double (*start)(const atl_optimizer *o); /* of all slots; null: 0 */
    atl_node *(*correct)(const atl_optimizer *o, atl_node *rate, atl_node *t); /* t: 1 at the first step; may be null */
    /* Returns the new value of the variable, and sets new_slot_out[i] to the new value of slot[i]. */
    atl_node *(*update)(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                        atl_node **new_slot_out);
};

/* ---- a step ------------------------------------------------------------------------------------------------------ */

typedef struct atl_minimize_args {
    atl_node *cost; /* scalar */
    atl_optimizer optimizer;
    atl_nodes variables;    /* none: every trainable variable on which the cost depends */
    float clip_value;       /* clips each element of a gradient to [-clip_value, clip_value]; 0: no clipping */
    float clip_norm;        /* scales each gradient down to this Euclidean norm; 0: no clipping */
    float clip_global_norm; /* the same for all gradients together; 0: no clipping */
    float average;          /* decay of the moving average of every variable without its own; 0: none */
    bool unchecked;         /* a cost that is not finite is not an error */
    bool check_gradients;   /* the norm of all gradients must be finite, too: costs one more pass over them */
    /* Averages the cost, the gradients and the values of atl_add_update over ranks (distributed.h), and then clips and
     * updates: all ranks get the same variables.  A variable is updated as soon as its gradient's mean is there, so
     * that a failure of the transport may leave some with their new values: those of the graph can then not be saved
     * or copied, until others are loaded.  Null: this process alone. */
    atl_all_reduce *all_reduce;
    /* If not null, the step is divided: a program of the node *part_out computes the gradients of one part of a batch,
     * and a program of the step only averages and updates.  Needs .all_reduce. */
    atl_node **part_out;
    atl_nodes reported;      /* float32 nodes of known shape, for example an accuracy, whose means are wanted, too */
    atl_node **reported_out; /* their means, as nodes of the step */
    int end_;
} atl_minimize_args;
/* A node that runs one step; its value is the cost before the step.  A run whose cost is NaN or infinite fails with
 * ATL_NOT_FINITE and changes no variable.  The step includes the assignments of atl_add_update, and increments
 * atl_step_counter. */
ATL_API atl_node *atl_minimize_with(const atl_minimize_args *args);
#define atl_minimize(...) atl_minimize_with(ATL_OPTIONS_(atl_minimize_args, __VA_ARGS__))

/* A part of a batch, to be run together with the other parts of this rank. */
typedef struct atl_batch_part {
    atl_context *context; /* of a program of atl_minimize's .part_out; each part has its own */
    const atl_feed *feeds;
    float weight; /* as in atl_all_reduce_weigh; 0: 1 */
} atl_batch_part;
/* Runs all atl_all_reduce_parts of this rank, in place of one atl_run for each, for a graph in which nodes average over
 * all parts (atl_all_reduce_mean, batch norm with .all_reduce).  Each part has a thread, but one of them runs at a
 * time: to its next mean, where it waits for the others.  Returns the first part's failure. */
ATL_API atl_status atl_run_parts(atl_all_reduce *all_reduce, const atl_batch_part *parts);

/* x * min(1, limit / |x|) */
ATL_API atl_node *atl_clip_by_norm(atl_node *x, float limit);
/* sqrt of the sum of all squares */
ATL_API atl_node *atl_global_norm(atl_nodes nodes);

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

/* Scalar: the fraction of rows of scores [.., classes] whose largest score is the label's; labels int32 [..]. */
ATL_API atl_node *atl_accuracy(atl_node *scores, atl_node *labels);

/* The moving average of a variable, a variable NAME/average; null if there is none.  It is the plain mean of the values
 * after each step until the decay would give older values less weight, so its first value has no influence. */
ATL_API atl_node *atl_average_of(const atl_node *variable);

/* Copies the values of variables from one graph to those with the same names in another, which is built without what
 * only training needs: dropout, batch statistics.  A variable that `to` has and `from` lacks, or one with another
 * shape, is an error, and then nothing is changed.  With `averages`, moving averages are copied where they exist.
 * Batch norm's running statistics belong to the weights and not to their averages: measure them again
 * (docs/training.md, "Training and inference graphs"). */
ATL_API atl_status atl_copy_variables(atl_graph *to, const atl_graph *from, bool averages);

/* Computes everything on which `of` depends (without assigning) and sets *node_out to the first node with a NaN or an
 * infinity: an input, a variable, or the node where it began; null if there is none.  Use it after a step failed with
 * ATL_NOT_FINITE. */
ATL_API atl_status atl_find_non_finite(atl_node *of, const atl_feed *feeds, const atl_node **node_out);

#ifdef __cplusplus
}
#endif
#endif
