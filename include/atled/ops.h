/* The builders of the built-in ops.
 *
 * Every builder returns a node of the same graph as its inputs, or null (see graph.h).  Shapes: images are [batch,
 * height, width, channels] (NHWC), filters [height, width, in, out] (HWIO), dense weights [in, out].  Values are floats
 * unless stated otherwise.  Ops with options are called with designated initialisers, and zero means the default:
 *
 *     atl_conv2d(image, filter, .stride = {2, 2}, .padding = ATL_SAME)
 *
 * is a macro over atl_conv2d_with(&(atl_conv2d_args){image, filter, .stride = {2, 2}, ...}).  In C++, name either all
 * arguments in their order, or none: atl_conv2d(.image = image, .filter = filter, .stride = {2, 2}). */
#ifndef ATLED_OPS_H
#define ATLED_OPS_H

#include "graph.h"
#include "image_ops.h"
#include "sequence_ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sources ----------------------------------------------------------------------------------------------------- */

/* A value that is fed in every run.  Dimensions may be ATL_ANY. */
ATL_API atl_node *atl_input(atl_graph *graph, const char *name, atl_dtype dtype, atl_shape shape);

/* The first value of a variable.  Random values depend on the graph's seed and the variable's name: the same program
 * gives the same bits.  fan_in and fan_out are derived from the shape, as for filters [.., in, out]. */
typedef struct atl_initializer {
    enum {
        ATL_INIT_DEFAULT = 0, /* not given: zeros for a variable, its own choice for a layer */
        ATL_INIT_ZEROS,
        ATL_INIT_CONSTANT,         /* a */
        ATL_INIT_UNIFORM,          /* [a, b) */
        ATL_INIT_NORMAL,           /* mean a, standard deviation b */
        ATL_INIT_TRUNCATED_NORMAL, /* the same, redrawn beyond two standard deviations */
        ATL_INIT_GLOROT,           /* uniform in +-sqrt(6 / (fan_in + fan_out))     Glorot & Bengio 2010 */
        ATL_INIT_HE,               /* normal, standard deviation sqrt(2 / fan_in)   He et al. 2015 */
        ATL_INIT_ORTHOGONAL,       /* a * an orthogonal matrix [rest, out]          Saxe et al. 2014 */
        ATL_INIT_INTEGER           /* an int32 variable */
    } kind;
    float a, b;
    int32_t integer;
} atl_initializer;
/* One function per kind.  The arguments are the constant, the bounds, the standard deviation for a mean of 0, or the
 * factor of the orthogonal matrix. */
ATL_API atl_initializer atl_zeros(void);
ATL_API atl_initializer atl_fill_with(float value);
ATL_API atl_initializer atl_uniform(float lowest, float highest);
ATL_API atl_initializer atl_normal(float deviation);
ATL_API atl_initializer atl_truncated_normal(float deviation);
ATL_API atl_initializer atl_glorot(void);
ATL_API atl_initializer atl_he(void);
ATL_API atl_initializer atl_orthogonal(float gain);
ATL_API void atl_set_seed(atl_graph *graph, uint64_t seed); /* call it before the first value is used; default 0 */

/* A value that is kept between runs.  Its memory is allocated and initialised at the first use. */
ATL_API atl_node *atl_variable(atl_graph *graph, const char *name, atl_shape shape, atl_initializer initializer);
/* The same with int32 values, for counters; never trained. */
ATL_API atl_node *atl_int_variable(atl_graph *graph, const char *name, atl_shape shape, int32_t value);
/* The current value, owned by the graph and valid until it changes; null on failure. */
ATL_API const atl_tensor *atl_variable_value(const atl_node *variable);
ATL_API atl_status atl_variable_assign(atl_node *variable, const atl_tensor *value); /* copies */
/* The variables of a graph, in order of creation; the list is valid until the next node is created. */
ATL_API atl_nodes atl_variables(const atl_graph *graph);

/* Assigns the value to the variable at the end of the run; the node's own value is the new one.  Within a run every
 * reader of the variable gets the old value; if a run fails, no variable changes.  A program with two assignments to
 * one variable does not compile.  Do not run a program that assigns to a variable at the same time as others that read
 * it.  atl_value of the variable itself returns its current value.  The double-precision reference assigns nothing. */
ATL_API atl_node *atl_assign(atl_node *variable, atl_node *value);
/* The value of the first node, after all the others have been computed: combines many assignments into one output. */
ATL_API atl_node *atl_group_with(atl_nodes nodes);
#define atl_group(...) atl_group_with(ATL_NODES(__VA_ARGS__))
/* Returns x; if x has a NaN or an infinity, the run fails with ATL_NOT_FINITE and no variable changes. */
ATL_API atl_node *atl_check_finite(atl_node *x);

/* The variable 'steps' of the graph, an int32 scalar, created at the first call: the number of training steps run so
 * far. */
ATL_API atl_node *atl_step_counter(atl_graph *graph);
ATL_API atl_node *atl_increment(atl_node *x); /* int32: x + 1; the largest int32 stays */
/* The assignment that increments it: one node for the whole graph, so that two optimizers in a program count once. */
ATL_API atl_node *atl_count_step(atl_graph *graph);

/* Adds the assignment to every step that a later atl_minimize builds: for a layer's running averages.  Returns it. */
ATL_API atl_node *atl_add_update(atl_node *assignment);
/* All assignments added so, in order; the list is valid until the next one is added. */
ATL_API atl_nodes atl_updates(const atl_graph *graph);

/* Random numbers in the shape of `like`, generated from a seed and a counter: the same seed and counter give the same
 * bits on every machine. */
typedef struct atl_noise_args {
    atl_node *like;
    atl_node *counter;     /* int32 scalar: each value gives other numbers; null: see atl_set_noise_counter */
    uint64_t seed;         /* 0: derived from the graph's seed and the node's index, so that nodes differ */
    float low, high;       /* uniform in [low, high); both 0: [0, 1) */
    float mean, deviation; /* normal; deviation 0: 1; ATL_ZERO: exactly the mean */
    int end_;
} atl_noise_args;
/* float32 of the shape of `like`; no gradient.  Each function has its own options; using the other's is an error. */
ATL_API atl_node *atl_uniform_noise_with(const atl_noise_args *args);
ATL_API atl_node *atl_normal_noise_with(const atl_noise_args *args);
#define atl_uniform_noise(...) atl_uniform_noise_with(ATL_OPTIONS_(atl_noise_args, __VA_ARGS__))
#define atl_normal_noise(...)  atl_normal_noise_with(ATL_OPTIONS_(atl_noise_args, __VA_ARGS__))
/* The counter, an int32 scalar, of noise and dropout that are built from now on without a counter of their own; null:
 * atl_step_counter.  A training step that runs a batch in parts feeds the number of the part, so that parts differ. */
ATL_API void atl_set_noise_counter(atl_graph *graph, atl_node *counter);

/* Dropout (Srivastava et al. 2014): each element is 0 with probability `rate`, otherwise divided by 1 - rate.  Use it
 * in the training graph and leave it out for inference. */
typedef struct atl_dropout_args {
    atl_node *x;
    float rate;        /* 0: 0.5; ATL_ZERO: no dropout; must be below 1 */
    atl_node *counter; /* this and the seed: as for noise */
    uint64_t seed;
    int end_;
} atl_dropout_args;
ATL_API atl_node *atl_dropout_with(const atl_dropout_args *args);
#define atl_dropout(...) atl_dropout_with(ATL_OPTIONS_(atl_dropout_args, __VA_ARGS__))

ATL_API atl_node *atl_constant(atl_graph *graph, const atl_tensor *value); /* copies */
/* ATL_CONSTANT(image, 1.5f, 2, 3): a vector [3] in the graph of `image`. */
#define ATL_CONSTANT(node, ...)                                                                                        \
    atl_vector((node), (int64_t)ATL_COUNT_(float, __VA_ARGS__), ATL_ARRAY_(float, __VA_ARGS__))
ATL_API atl_node *atl_vector(const atl_node *in_graph_of, int64_t count, const float *values);
ATL_API atl_node *atl_scalar(const atl_node *in_graph_of, float value); /* a scalar */
ATL_API atl_node *atl_fill(atl_node *like, float value); /* every element is `value`, with the shape of `like` */
/* Scalar: the number of elements of a divided by that of b, from their shapes only. */
ATL_API atl_node *atl_size_ratio(atl_node *a, atl_node *b);

/* ---- element by element, with NumPy broadcasting ----------------------------------------------------------------- */

ATL_API atl_node *atl_add(atl_node *a, atl_node *b);
ATL_API atl_node *atl_sub(atl_node *a, atl_node *b);
ATL_API atl_node *atl_mul(atl_node *a, atl_node *b);
ATL_API atl_node *atl_div(atl_node *a, atl_node *b);
ATL_API atl_node *atl_pow(atl_node *a, atl_node *b);     /* a > 0 where b is not an integer */
ATL_API atl_node *atl_minimum(atl_node *a, atl_node *b); /* at a tie the gradient goes to a */
ATL_API atl_node *atl_maximum(atl_node *a, atl_node *b);
ATL_API atl_node *atl_scale(atl_node *x, float factor);      /* x * factor */
ATL_API atl_node *atl_add_scalar(atl_node *x, float amount); /* x + amount */
ATL_API atl_node *atl_bias_add(atl_node *x, atl_node *bias); /* bias [channels], added along the last dimension */

ATL_API atl_node *atl_neg(atl_node *x);
ATL_API atl_node *atl_abs(atl_node *x);
ATL_API atl_node *atl_sign(atl_node *x); /* -1, 0, 1; gradient zero */
ATL_API atl_node *atl_square(atl_node *x);
ATL_API atl_node *atl_reciprocal(atl_node *x); /* 1 / x */
ATL_API atl_node *atl_sqrt(atl_node *x);
ATL_API atl_node *atl_rsqrt(atl_node *x); /* 1 / sqrt(x) */
ATL_API atl_node *atl_exp(atl_node *x);
ATL_API atl_node *atl_exp2(atl_node *x);  /* 2^x */
ATL_API atl_node *atl_expm1(atl_node *x); /* e^x - 1 */
ATL_API atl_node *atl_log(atl_node *x);   /* natural; NaN below 0 */
ATL_API atl_node *atl_log1p(atl_node *x); /* log(1 + x) */
ATL_API atl_node *atl_erf(atl_node *x);   /* 2 / sqrt(pi) * the integral of exp(-t^2) from 0 to x */
ATL_API atl_node *atl_erfc(atl_node *x);  /* 1 - erf(x) */
ATL_API atl_node *atl_floor(atl_node *x); /* this and the next two: the gradient is zero */
ATL_API atl_node *atl_ceil(atl_node *x);
ATL_API atl_node *atl_round(atl_node *x); /* halves to the even neighbour */
ATL_API atl_node *atl_sin(atl_node *x);   /* radians */
ATL_API atl_node *atl_cos(atl_node *x);
ATL_API atl_node *atl_tan(atl_node *x);
ATL_API atl_node *atl_asin(atl_node *x);
ATL_API atl_node *atl_acos(atl_node *x);
ATL_API atl_node *atl_atan(atl_node *x);

ATL_API atl_node *atl_sinh(atl_node *x); /* hyperbolic, and their inverses */
ATL_API atl_node *atl_cosh(atl_node *x);
ATL_API atl_node *atl_asinh(atl_node *x);
ATL_API atl_node *atl_acosh(atl_node *x);  /* NaN below 1 */
ATL_API atl_node *atl_atanh(atl_node *x);  /* NaN beyond -1 and 1 */
ATL_API atl_node *atl_is_nan(atl_node *x); /* 1 where x is not a number, else 0; gradient zero */
/* x with less precision; the gradient passes as if nothing were rounded. */
ATL_API atl_node *atl_round_through(atl_node *x);     /* to whole numbers, halves to the even neighbour */
ATL_API atl_node *atl_round_to_half(atl_node *x);     /* to IEEE binary16 */
ATL_API atl_node *atl_round_to_bfloat16(atl_node *x); /* to 8 bits of mantissa */

ATL_API atl_node *atl_relu(atl_node *x);                    /* max(x, 0), NaN for NaN; gradient 0 for 0 and NaN */
ATL_API atl_node *atl_relu6(atl_node *x);                   /* x clipped to [0, 6]; gradient 0 at both ends */
ATL_API atl_node *atl_leaky_relu(atl_node *x, float slope); /* x > 0 ? x : slope * x */
ATL_API atl_node *atl_elu(atl_node *x);                     /* x > 0 ? x : e^x - 1 */
ATL_API atl_node *atl_selu(atl_node *x);                    /* x > 0 ? 1.0507 x : 1.7581 (e^x - 1) */
ATL_API atl_node *atl_tanh(atl_node *x);
ATL_API atl_node *atl_sigmoid(atl_node *x);      /* 1 / (1 + e^-x) */
ATL_API atl_node *atl_hard_sigmoid(atl_node *x); /* x / 6 + 1 / 2 clipped to [0, 1] */
ATL_API atl_node *atl_softplus(atl_node *x);     /* log(1 + e^x) */
ATL_API atl_node *atl_softsign(atl_node *x);     /* x / (1 + |x|) */
ATL_API atl_node *atl_swish(atl_node *x);        /* x * sigmoid(x) */
ATL_API atl_node *atl_hard_swish(atl_node *x);   /* x * hard_sigmoid(x) */
ATL_API atl_node *atl_gelu(atl_node *x);         /* x * erfc(-x / sqrt(2)) / 2 */
ATL_API atl_node *atl_gelu_tanh(atl_node *x);    /* x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 */
ATL_API atl_node *atl_clip(atl_node *x, float lowest, float highest); /* gradient 1 in [lowest, highest], 0 outside */
ATL_API atl_node *atl_relu_grad(atl_node *x, atl_node *by); /* by > 0 ? x : 0; no gradient with respect to `by` */
ATL_API atl_node *atl_heaviside(atl_node *x);               /* x > 0 ? 1 : 0; gradient zero */

/* 1 where the condition holds, otherwise 0; the gradient is zero.  Any value other than 0 is true. */
ATL_API atl_node *atl_equal(atl_node *a, atl_node *b);
ATL_API atl_node *atl_not_equal(atl_node *a, atl_node *b);
ATL_API atl_node *atl_less(atl_node *a, atl_node *b);
ATL_API atl_node *atl_less_equal(atl_node *a, atl_node *b);
ATL_API atl_node *atl_greater(atl_node *a, atl_node *b);
ATL_API atl_node *atl_greater_equal(atl_node *a, atl_node *b);
ATL_API atl_node *atl_logical_and(atl_node *a, atl_node *b);
ATL_API atl_node *atl_logical_or(atl_node *a, atl_node *b);
ATL_API atl_node *atl_logical_xor(atl_node *a, atl_node *b);
ATL_API atl_node *atl_logical_not(atl_node *x);
/* condition true ? a : b; no gradient with respect to the condition */
ATL_API atl_node *atl_select(atl_node *condition, atl_node *a, atl_node *b);

/* Integer arithmetic, int32; a result out of range saturates. */
typedef enum atl_int_op {
    ATL_INT_ADD = 0,
    ATL_INT_SUB,
    ATL_INT_MUL,
    ATL_INT_DIV, /* towards zero; by 0: 0, as for the next two */
    ATL_INT_MOD, /* the remainder with the sign of b */
    ATL_INT_REM, /* the remainder with the sign of a */
    ATL_INT_MIN,
    ATL_INT_MAX,
    ATL_INT_POW,
    ATL_INT_SHIFT_LEFT, /* by 0..31; 0 for any other b, as for the next one */
    ATL_INT_SHIFT_RIGHT,
    ATL_INT_EQUAL, /* this and the next two: 0 or 1 */
    ATL_INT_LESS,
    ATL_INT_LESS_EQUAL
} atl_int_op;
ATL_API atl_node *atl_int_binary(atl_int_op op, atl_node *a, atl_node *b);
/* The lowest 1 to 31 bits of int32 x, as a signed or unsigned integer of that width: the result of arithmetic in that
 * width. */
ATL_API atl_node *atl_int_wrap(atl_node *x, int bits, bool is_signed);

ATL_API atl_node *atl_cast(atl_node *x, atl_dtype dtype); /* float to int32 rounds towards zero and saturates */
ATL_API atl_node *atl_stop_gradient(atl_node *x);         /* returns x; no gradient flows through */

/* ---- matrix products --------------------------------------------------------------------------------------------- */

/* [.., m, k] x [.., k, n] -> [.., m, n]; leading dimensions must agree, or one side has none. */
typedef struct atl_matmul_args {
    atl_node *a, *b;
    bool transpose_a, transpose_b; /* swaps the last two dimensions first */
    int end_;
} atl_matmul_args;
ATL_API atl_node *atl_matmul_with(const atl_matmul_args *args);
#define atl_matmul(...) atl_matmul_with(ATL_OPTIONS_(atl_matmul_args, __VA_ARGS__))

/* ---- classes and losses ------------------------------------------------------------------------------------------ */

ATL_API atl_node *atl_softmax(atl_node *logits);     /* over the last dimension */
ATL_API atl_node *atl_log_softmax(atl_node *logits); /* without overflow */

/* Cross entropy of softmax(logits [.., classes]) -> [..], one loss per example.  Give exactly one of the three
 * targets. */
typedef struct atl_cross_entropy_args {
    atl_node *logits;
    atl_node *targets; /* dense: probabilities of the shape of logits */
    atl_node *labels;  /* sparse: int32 [..], or a scalar for all; the loss is NaN for a label outside 0..classes-1 */
    int label;         /* the same class for every example; class 0 is ATL_ZERO: .label = ATL_EXACTLY(class) */
    int end_;
} atl_cross_entropy_args;
ATL_API atl_node *atl_softmax_cross_entropy_with(const atl_cross_entropy_args *args);
#define atl_softmax_cross_entropy(...) atl_softmax_cross_entropy_with(ATL_OPTIONS_(atl_cross_entropy_args, __VA_ARGS__))
/* The same, with labels: int32 [..], or a scalar. */
ATL_API atl_node *atl_sparse_softmax_cross_entropy(atl_node *logits, atl_node *labels);

/* Scalar: mean of (a - b)^2.  The shapes must be the same: losses do not broadcast. */
ATL_API atl_node *atl_mean_squared_error(atl_node *a, atl_node *b);
ATL_API atl_node *atl_l2_loss(atl_node *x); /* scalar: sum of x^2, over 2 */

/* The next three give one loss for each element; atl_mean makes one of them. */
/* -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)), for targets t in [0, 1], without overflow */
ATL_API atl_node *atl_sigmoid_cross_entropy(atl_node *logits, atl_node *targets);
/* d = a - b: d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2) */
ATL_API atl_node *atl_huber_loss(atl_node *a, atl_node *b, float delta);
ATL_API atl_node *atl_hinge_loss(atl_node *scores, atl_node *targets); /* max(0, 1 - t * score), for targets -1 and 1 */
/* Over the last dimension: [.., n] -> [..]. */
ATL_API atl_node *atl_kl_divergence(atl_node *p, atl_node *q);     /* sum of p log(p / q); 0 where p is 0 */
ATL_API atl_node *atl_cosine_similarity(atl_node *a, atl_node *b); /* a . b / (|a| |b|), in [-1, 1]; |.| >= 1e-6 */

/* ---- reductions -------------------------------------------------------------------------------------------------- */

/* Over some dimensions or all: atl_reduce_sum(x, ATL_AXES(1, 2), .keep = true).  The result lacks the reduced
 * dimensions. */
typedef struct atl_reduce_args {
    atl_node *x;
    int axes;               /* number of entries in .axis; 0: all dimensions */
    int axis[ATL_MAX_RANK]; /* negative counts from the end */
    bool keep;              /* keeps the reduced dimensions with size 1 */
    int end_;
} atl_reduce_args;
ATL_API atl_node *atl_reduce_sum_with(const atl_reduce_args *args);
ATL_API atl_node *atl_reduce_sum_square_with(const atl_reduce_args *args); /* of x^2 */
ATL_API atl_node *atl_reduce_mean_with(const atl_reduce_args *args);
ATL_API atl_node *atl_reduce_max_with(const atl_reduce_args *args); /* equal maxima share the gradient */
ATL_API atl_node *atl_reduce_min_with(const atl_reduce_args *args);
/* All derivatives are also correct where elements are 0. */
ATL_API atl_node *atl_reduce_prod_with(const atl_reduce_args *args);
/* log(sum of e^x), without overflow. */
ATL_API atl_node *atl_reduce_log_sum_exp_with(const atl_reduce_args *args);
/* Square root of the sum of x^2; gradient 0 where that is 0. */
ATL_API atl_node *atl_reduce_l2_norm_with(const atl_reduce_args *args);
#define atl_reduce_sum(...)         atl_reduce_sum_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_sum_square(...)  atl_reduce_sum_square_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_mean(...)        atl_reduce_mean_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_max(...)         atl_reduce_max_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_min(...)         atl_reduce_min_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_prod(...)        atl_reduce_prod_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_log_sum_exp(...) atl_reduce_log_sum_exp_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define atl_reduce_l2_norm(...)     atl_reduce_l2_norm_with(ATL_OPTIONS_(atl_reduce_args, __VA_ARGS__))
#define ATL_AXES(...)               .axes = (int)ATL_COUNT_(int, __VA_ARGS__), .axis = {__VA_ARGS__}
ATL_API atl_node *atl_sum(atl_node *x); /* of all elements: a scalar */
ATL_API atl_node *atl_mean(atl_node *x);
ATL_API atl_node *atl_l2_norm(atl_node *x);
/* Along one axis: y[i] = x[0] + ... + x[i]. */
typedef struct atl_cumulative_sum_args {
    atl_node *x;
    int axis;       /* negative counts from the end */
    bool exclusive; /* without x[i] itself: starts with 0 */
    bool reverse;   /* from the end: x[i] + ... + x[n - 1] */
    int end_;
} atl_cumulative_sum_args;
ATL_API atl_node *atl_cumulative_sum_with(const atl_cumulative_sum_args *args);
#define atl_cumulative_sum(...) atl_cumulative_sum_with(ATL_OPTIONS_(atl_cumulative_sum_args, __VA_ARGS__))
ATL_API atl_node *atl_argmax(atl_node *x, int axis); /* int32, without that dimension; the first of equal maxima */
/* Sums x over the dimensions in which `like` is 1 or missing: reverses a broadcast. */
ATL_API atl_node *atl_sum_to(atl_node *x, atl_node *like);
ATL_API atl_node *atl_broadcast_like(atl_node *x, atl_node *like);
/* Repeats x [1, ...] for each example of `like` [n, ...], of which only the shape is used: [n, ...].  For a value that
 * each example of an unknown batch gets, such as a class token [1, 1, d] before the tokens [?, t, d], or the first
 * state [1, d] of a recurrent network. */
ATL_API atl_node *atl_repeat_batch(atl_node *x, atl_node *like);
ATL_API atl_node *atl_broadcast_to(atl_node *x, atl_shape shape); /* a size of -1 keeps x's */

/* ---- shapes: these move elements of either type ------------------------------------------------------------------ */

ATL_API atl_node *atl_reshape(atl_node *x, atl_shape shape); /* one size may be -1: it is computed from the others */
ATL_API atl_node *atl_reshape_like(atl_node *x, atl_node *like);
ATL_API atl_node *atl_flatten(atl_node *x);               /* [n, ...] -> [n, rest] */
ATL_API atl_node *atl_expand_dims(atl_node *x, int axis); /* inserts a dimension of size 1 before dimension `axis` */
ATL_API atl_node *atl_squeeze(atl_node *x, int axis);     /* removes a dimension of size 1 */

/* Permutes the dimensions. */
typedef struct atl_transpose_args {
    atl_node *x;
    int order[ATL_MAX_RANK]; /* result dimension i is x's dimension order[i]; all 0: reversed */
    int end_;
} atl_transpose_args;
ATL_API atl_node *atl_transpose_with(const atl_transpose_args *args);
#define atl_transpose(...) atl_transpose_with(ATL_OPTIONS_(atl_transpose_args, __VA_ARGS__))

/* Concatenates along an axis (negative counts from the end); all other sizes and the types must agree.  A size of 1
 * does not agree with an unknown size: see atl_repeat_batch. */
ATL_API atl_node *atl_concat_with(int axis, atl_nodes inputs);
#define atl_concat(axis, ...) atl_concat_with((axis), ATL_NODES(__VA_ARGS__))

/* A block of x, of the same rank. */
typedef struct atl_slice_args {
    atl_node *x;
    /* As NumPy's begin:end:stride, for as many dimensions as given; negative counts from the end. */
    int64_t begin[ATL_MAX_RANK];
    int64_t end[ATL_MAX_RANK];    /* 0: to the end */
    int64_t stride[ATL_MAX_RANK]; /* 0: 1; positive */
    int end_;
} atl_slice_args;
ATL_API atl_node *atl_slice_with(const atl_slice_args *args);
#define atl_slice(...) atl_slice_with(ATL_OPTIONS_(atl_slice_args, __VA_ARGS__))

/* Pads x with `value`: size i becomes before[i] + size + after[i]. */
typedef struct atl_pad_args {
    atl_node *x;
    int64_t before[ATL_MAX_RANK], after[ATL_MAX_RANK]; /* number of elements to add */
    float value;
    int end_;
} atl_pad_args;
ATL_API atl_node *atl_pad_with(const atl_pad_args *args);
#define atl_pad(...) atl_pad_with(ATL_OPTIONS_(atl_pad_args, __VA_ARGS__))

/* Reverses the elements along these axes; negative axes count from the end. */
ATL_API atl_node *atl_reverse_with(atl_node *x, int64_t count, const int *axes);
#define atl_reverse(x, ...) atl_reverse_with((x), (int64_t)ATL_COUNT_(int, __VA_ARGS__), ATL_ARRAY_(int, __VA_ARGS__))

/* The matrices [.., rows, columns] of x with zeros above a diagonal: 0 is the main one, 1 the next one above it, -1
 * below. */
ATL_API atl_node *atl_tril(atl_node *x, int diagonal);

/* Repeats x: along each dimension as often as `times` says; all positive. */
ATL_API atl_node *atl_tile_with(atl_node *x, int64_t count, const int64_t *times);
#define atl_tile(x, ...) atl_tile_with((x), (int64_t)ATL_COUNT_(int64_t, __VA_ARGS__), ATL_ARRAY_(int64_t, __VA_ARGS__))

/* Concatenates inputs of equal shapes along a new axis. */
ATL_API atl_node *atl_stack_with(int axis, atl_nodes inputs);
#define atl_stack(axis, ...) atl_stack_with((axis), ATL_NODES(__VA_ARGS__))
/* The inverse: parts_out[i] = x[.., i, ..], without the axis, whose size must be `count`.  Returns ATL_OK with all
 * parts set, or ATL_INVALID with all null. */
ATL_API atl_status atl_unstack(atl_node *x, int axis, int64_t count, atl_node **parts_out);
/* Splits x into parts of the given sizes along an axis; at most one size may be -1: the rest.  sizes null: equal
 * parts. */
ATL_API atl_status atl_split(atl_node *x, int axis, int64_t count, const int64_t *sizes, atl_node **parts_out);

/* x [.., n, ..] with dimension `axis` replaced by the dimensions of int32 indices [..]: y[.., i, ..] = x[..,
 * indices[i], ..].  0 where an index is outside 0..n-1. */
ATL_API atl_node *atl_gather(atl_node *x, atl_node *indices, int axis);
/* The adjoint of gather: zeros of the shape of `like` [.., n, ..], to which updates, of the shape of the gather's
 * result, are added at the indices.  An index may occur several times; one out of range is ignored.  Only the shape of
 * `like` is used. */
ATL_API atl_node *atl_scatter_add(atl_node *updates, atl_node *indices, atl_node *like, int axis);

/* x [.., n] at int32 indices [.., k], each row at its own: y[.., i] = x[.., indices[.., i]]; 0 where an index is out of
 * range. */
ATL_API atl_node *atl_take_along(atl_node *x, atl_node *indices);
/* The converse: zeros of the shape of `like` [.., n], to which updates [.., k] are added at the indices [.., k]. */
ATL_API atl_node *atl_scatter_along(atl_node *updates, atl_node *indices, atl_node *like);
/* x [.., n] -> int32 [.., k]: the indices of the k largest elements of each row, in descending order of the elements;
 * of equal elements the first comes first, and NaN comes last. */
ATL_API atl_node *atl_top_k(atl_node *x, int64_t k);

/* int32 [..] -> float [.., classes]: 1 at the label; all zeros if the label is out of range. */
ATL_API atl_node *atl_one_hot(atl_node *labels, int64_t classes);
/* x [.., classes], int32 [..] -> [..]: x[.., labels[..]]; 0 where a label is out of range. */
ATL_API atl_node *atl_gather_last(atl_node *x, atl_node *labels);
ATL_API atl_node *atl_index_last(atl_node *x, int64_t index); /* x [.., classes] -> [..] */

#ifdef __cplusplus
}
#endif
#endif
