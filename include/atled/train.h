/* Training: a whole step (gradients, clipping, the optimizer, moving averages) as one node of the graph.
 *
 *     atl_node *cost = atl_add(loss, atl_weight_decay(g));
 *     atl_node *step = atl_minimize(cost, atl_adam(.rate = 0.001f));
 *     atl_program *train = atl_compile(g, ATL_NODES(step));
 *     while (next_batch())
 *         atl_run(train, ATL_FEEDS({images, x}, {labels, y}));    atl_scalar_of(train, step) is the cost before the step
 *
 * What an optimizer remembers is kept in variables named after those it trains, "conv1/weights/adam/m", and how many steps were
 * run in the variable "steps".  They are saved and loaded with the weights (atl_save_npz), and then training goes on bit for bit. */
#ifndef ATLED_TRAIN_H
#define ATLED_TRAIN_H

#include "ops.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- attributes of variables -------------------------------------------------------------------------------------- */

/* What a variable knows about itself, for training, which asks when its nodes are built.  Each setter returns the
 * variable, so that calls nest; null passes through, and a node that is no variable is a mistake. */
ATL_API atl_node *atl_variable_set_trainable(atl_node *variable, int trainable); /* default: 1; 0 for int32 */
ATL_API atl_node *
atl_variable_set_decay(atl_node *variable,
                       float decay); /* decay * w^2 / 2 in atl_weight_decay; default 0; ATL_ZERO: not by AdamW either */
ATL_API atl_node *atl_variable_set_rate_scale(atl_node *variable, float scale); /* times the learning rate; default 1 */
ATL_API atl_node *atl_variable_set_average(atl_node *variable, float decay); /* of a moving average, 0.999; 0: none */
/* Belongs to the training, not to the model: an optimizer's memory, a counter.  Default 0. */
ATL_API atl_node *atl_variable_set_state(atl_node *variable, int is_state);
ATL_API int atl_variable_is_trainable(const atl_node *variable);
ATL_API int atl_variable_is_state(const atl_node *variable);
ATL_API float atl_variable_decay(const atl_node *variable);
ATL_API float atl_variable_rate_scale(const atl_node *variable);
ATL_API float atl_variable_average(const atl_node *variable);

/* The sum over all variables of decay * w^2 / 2, each with the decay it was given by atl_variable_set_decay; 0 if none was. */
ATL_API atl_node *atl_weight_decay(atl_graph *graph);

/* ---- learning rates: scalars that follow atl_step_counter ------------------------------------------------------------- */

typedef struct atl_rate_args {
    atl_graph *graph;
    float rate;    /* at the first step */
    int64_t every; /* steps; 0: 1 */
    float factor;
    int staircase; /* changes at whole multiples of .every only */
    int64_t at[8]; /* steps at which the rate is multiplied by .factor; in any order, 0: none */
    int64_t steps; /* how long it takes */
    float lowest;  /* where it ends */
    int end_;
} atl_rate_args;
/* rate * factor^(step / every); with .staircase as in the CIFAR-10 tutorial of TensorFlow. */
ATL_API atl_node *atl_exponential_decay_with(const atl_rate_args *args);
/* rate * factor^(how many of .at have been reached) */
ATL_API atl_node *atl_step_decay_with(const atl_rate_args *args);
/* lowest + (rate - lowest) * (1 + cos(pi * step / steps)) / 2, then lowest             Loshchilov & Hutter 2017 */
ATL_API atl_node *atl_cosine_decay_with(const atl_rate_args *args);
#define atl_exponential_decay(...) atl_exponential_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
#define atl_step_decay(...)        atl_step_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
#define atl_cosine_decay(...)      atl_cosine_decay_with(ATL_OPTIONS_(atl_rate_args, __VA_ARGS__))
ATL_API atl_node *atl_constant_rate(atl_graph *graph, float rate);
/* rate * min((step + 1) / steps, 1): any rate, reached in so many steps. */
ATL_API atl_node *atl_warm_up(atl_node *rate, int64_t steps);

/* ---- optimizers: w the variable, g its gradient, r the rate ------------------------------------------------------------ */

typedef struct atl_optimizer_rule atl_optimizer_rule;

/* The options of all of them.  atl_minimize refuses one that its optimizer does not have.  0 is the default: see ATL_ZERO. */
typedef struct atl_optimizer {
    int begin_;          /* so that all may be left out: atl_adam() */
    atl_node *schedule;  /* the rate, as a scalar node; null: .rate */
    double rate;         /* 0: 0.01; Adam's: 0.001 */
    double momentum;     /* 0: 0.9, but RMSProp's: none */
    double rho;          /* RMSProp's, of its mean square; 0: 0.9 */
    double weight_decay; /* AdamW's; 0: 0.01 */
    double beta1, beta2; /* Adam's; 0: 0.9, 0.999 */
    double epsilon;      /* 0: 1e-8 */
    double start;        /* Adagrad's accumulator at the beginning */
    const atl_optimizer_rule *rule;
    const char *unused; /* set by the calls below: the name of an option that the optimizer does not have */
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
/* The same, and w shrinks by r * weight_decay * w beside it: by its own decay if it was given one, else, if it has two
 * dimensions or more, by .weight_decay.  Then leave atl_weight_decay out of the cost.                         Loshchilov & Hutter 2019 */
ATL_API atl_optimizer atl_adamw_with(const atl_optimizer *options);
#define atl_sgd(...)      atl_sgd_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_momentum(...) atl_momentum_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_nesterov(...) atl_nesterov_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_rmsprop(...)  atl_rmsprop_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adagrad(...)  atl_adagrad_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adam(...)     atl_adam_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))
#define atl_adamw(...)    atl_adamw_with(ATL_OPTIONS_OR_NONE_(atl_optimizer, __VA_ARGS__))

/* An optimizer of one's own is a rule, too.  Its formulas are best made of element-wise nodes of the variable's shape: then they
 * run in one pass over memory, which reads each array once and writes each new value where the old one was. */
enum { ATL_MAX_SLOTS = 4 };
typedef struct atl_rule_inputs {
    atl_node *variable, *gradient;
    atl_node *rate;      /* scalar */
    atl_node *corrected; /* what the rule's `correct` made of it */
    double decay;        /* see AdamW */
} atl_rule_inputs;
struct atl_optimizer_rule {
    const char *name;                        /* "adam" */
    const char *slot[ATL_MAX_SLOTS];         /* what it remembers for each variable: "m", "v" */
    double (*start)(const atl_optimizer *o); /* of all slots; null: 0 */
    atl_node *(*correct)(const atl_optimizer *o, atl_node *rate, atl_node *t); /* t: 1 at the first step; may be null */
    /* The new value of the variable; new_slot[i] is to be that of slot[i]. */
    atl_node *(*update)(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot, atl_node **new_slot);
};

/* ---- a step --------------------------------------------------------------------------------------------------------------- */

typedef struct atl_minimize_args {
    atl_node *cost; /* scalar */
    atl_optimizer optimizer;
    atl_nodes variables;    /* none: every trainable one that the cost depends on */
    float clip_value;       /* each element of a gradient to [-clip_value, clip_value]; 0: not */
    float clip_norm;        /* each gradient scaled down to this norm (of Euclid); 0: not */
    float clip_global_norm; /* all gradients together; 0: not */
    float average;          /* moving average of every variable without one of its own; 0: none */
    int unchecked;          /* a cost that is not finite is no error */
    int check_gradients;    /* the norm of all gradients must be finite, too: one more pass over them */
    int end_;
} atl_minimize_args;
/* A node that does one step: its value is the cost before it.  A run whose cost is NaN or infinite fails with ATL_NOT_FINITE and
 * leaves every variable as it was.  Includes what atl_add_update was called for, and counts atl_step_counter up. */
ATL_API atl_node *atl_minimize_with(const atl_minimize_args *args);
#define atl_minimize(...) atl_minimize_with(ATL_OPTIONS_(atl_minimize_args, __VA_ARGS__))

/* x * min(1, limit / |x|) */
ATL_API atl_node *atl_clip_by_norm(atl_node *x, float limit);
/* sqrt of the sum of all squares */
ATL_API atl_node *atl_global_norm(atl_nodes nodes);

/* ---- afterwards ----------------------------------------------------------------------------------------------------------- */

/* Scalar: the share of rows of scores [.., classes] whose largest one is the label's; labels int32 [..]. */
ATL_API atl_node *atl_accuracy(atl_node *scores, atl_node *labels);

/* The moving average of a variable, a variable NAME/average; null if none is kept.  It is the plain mean of the values after each
 * step until that many steps have passed that the decay weighs older ones less: its beginning does not matter. */
ATL_API atl_node *atl_average_of(const atl_node *variable);

/* Copies the values of the variables of one graph to those of the same names in another, which is built without what training
 * needs: dropout, batch statistics.  Those that `to` has and `from` lacks, or that differ in shape, are an error, and then nothing
 * is changed.  With `averages`, moving averages are taken where they are kept: batch norm's statistics, kept for the weights
 * and not for their averages, are then to be taken anew (docs/training.md, "The net that trains and the net that is used"). */
ATL_API atl_status atl_copy_variables(atl_graph *to, const atl_graph *from, int averages);

/* Computes all that `of` depends on (assigning nothing) and sets *node_out to the node made first that has a NaN or an infinity:
 * an input, a variable, or where it began; null if there is none.  For a step that failed with ATL_NOT_FINITE. */
ATL_API atl_status atl_find_non_finite(atl_node *of, const atl_feed *feeds, const atl_node **node_out);

#ifdef __cplusplus
}
#endif
#endif
