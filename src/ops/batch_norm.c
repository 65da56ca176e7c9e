/* Batch normalisation with given statistics, composed of other ops. */
#include "common/plural.h"
#include "graph/option.h"
#include "ops/ops.h"

/* Checks one of the vectors, which must be [channels]; null is allowed if it is optional. */
static int check_vector(const atl_batch_norm_args *args, const atl_node *vector, int64_t channels, const char *what)
{
    if (!vector)
        return 1;
    if (vector->shape->rank == 1 &&
        (vector->shape->size[0] == channels || channels == ATL_ANY || vector->shape->size[0] == ATL_ANY))
        return 1;
    atl_builder_error(args->x->graph, "batch_norm",
                      "the %s, '%s', is %s, but the input, '%s', %s, has %lld channel%s: it must be [%lld]", what,
                      atl_name_of(vector), SHAPE_OF(vector), atl_name_of(args->x), SHAPE_OF(args->x),
                      (long long)channels, atl_plural(channels), (long long)channels);
    return 0;
}

static int check(const atl_batch_norm_args *args)
{
    const atl_node *x = args->x;
    int first = args->layout == ATL_NCHW; /* channels are the second dimension, not the last */
    if (x->shape->rank < 1 + first)
        return atl_builder_error(x->graph, "batch_norm",
                                 "the input, '%s', is %s, and has no dimension for the channels", atl_name_of(x),
                                 SHAPE_OF(x)) != NULL;
    double epsilon = atl_option(args->epsilon, 1e-5);
    if (!(epsilon >= 0) || isinf(epsilon))
        return atl_builder_error(x->graph, "batch_norm", "epsilon is %g; it must not be negative", epsilon) != NULL;
    int64_t channels = x->shape->size[first ? 1 : x->shape->rank - 1];
    return check_vector(args, args->mean, channels, "mean") &&
           check_vector(args, args->variance, channels, "variance") &&
           check_vector(args, args->scale, channels, "scale") && check_vector(args, args->shift, channels, "shift");
}

/* [channels] -> [channels, 1, 1], to broadcast with [n, channels, h, w] */
static atl_node *spread(atl_node *vector, const atl_batch_norm_args *args)
{
    for (int i = 2; args->layout == ATL_NCHW && i < args->x->shape->rank; i++)
        vector = atl_expand_dims(vector, i - 1);
    return vector;
}

static int is_lasting(const atl_node *x) { return (x->op->flags & (ATL_OP_VARIABLE | ATL_OP_CONSTANT)) != 0; }

/* With factor = scale / sqrt(variance + epsilon), and given statistics: x * factor + (shift - mean * factor), where
 * all but the first product and sum depends on variables only, and is computed once.  With those of a batch: (x -
 * mean) * factor + shift, which loses no digit where the mean is far from 0. */
atl_node *atl_batch_norm_with(const atl_batch_norm_args *args)
{
    if (!args)
        return atl_null_argument("atl_batch_norm", "the options are"), NULL;
    if (!args->x || !args->mean || !args->variance || !check(args))
        return NULL;
    atl_graph *graph = args->x->graph;
    atl_enter(graph, "batch_norm");
    atl_node *epsilon = atl_scalar(args->x, (float)atl_option(args->epsilon, 1e-5));
    atl_node *deviation = atl_sqrt(atl_add(args->variance, epsilon));
    atl_node *factor = atl_div(args->scale ? args->scale : atl_scalar(args->x, 1), deviation);
    atl_node *y;
    if (is_lasting(args->mean)) {
        atl_node *offset = atl_mul(args->mean, factor);
        offset = args->shift ? atl_sub(args->shift, offset) : atl_neg(offset);
        y = atl_add(atl_mul(args->x, spread(factor, args)), spread(offset, args));
    } else {
        y = atl_mul(atl_sub(args->x, spread(args->mean, args)), spread(factor, args));
        y = args->shift ? atl_add(y, spread(args->shift, args)) : y;
    }
    atl_leave(graph);
    return y;
}

static atl_node *sample_all(atl_node *const *x) { return atl_batch_norm(x[0], x[1], x[2], x[3], x[4]); }
static atl_node *sample_plain(atl_node *const *x) { return atl_batch_norm(x[0], x[1], x[2], .epsilon = 0.1f); }
static atl_node *sample_nchw(atl_node *const *x)
{
    return atl_batch_norm(x[0], x[1], x[2], x[3], x[4], .layout = ATL_NCHW);
}

#define VECTORS(c)                                                                                                     \
    {1, {c}}, {1, {c}, 0.5f, 2}, {1, {c}},                                                                             \
    {                                                                                                                  \
        1, { c }                                                                                                       \
    }

static const atl_op batch_norm_composed = {
    .name = "batch_norm",
    .samples = (const atl_sample[]){
        {"NHWC", .build = sample_all, .input = {{4, {2, 3, 2, 4}}, VECTORS(4)}, .inputs = 5},
        {"NCHW", .build = sample_nchw, .input = {{4, {2, 4, 2, 3}}, VECTORS(4)}, .inputs = 5},
        {"without scale and shift", .build = sample_plain, .input = {{2, {5, 4}}, VECTORS(4)}, .inputs = 3},
        {"3 statistics for 4 channels", .build = sample_all, .input = {{2, {5, 4}}, VECTORS(3)}, .inputs = 5,
         .error = "[3]"},
        {"scalar", .build = sample_plain, .input = {{0}, VECTORS(3)}, .inputs = 3, .error = "no dimension"},
        {0}}};
ATL_COMPOSED(batch_norm_composed);

/* Uses the statistics of the batch itself, through which the gradient flows, too: a layer does this in training. */
static atl_node *by_the_batch(atl_node *const *x)
{
    atl_node *row[2];
    atl_unstack(atl_moments(x[0]), 0, 2, row);
    return atl_square(atl_batch_norm(x[0], row[0], row[1], x[1], x[2]));
}

static const atl_op batch_norm_training_composed = {
    .name = "batch_norm_training",
    .samples =
        (const atl_sample[]){{"images", .build = by_the_batch, .input = {{4, {2, 3, 2, 3}}, {1, {3}}, {1, {3}}},
                              .inputs = 3},
                             {"rows", .build = by_the_batch, .input = {{2, {5, 4}}, {1, {4}}, {1, {4}}}, .inputs = 3},
                             {"2 scales for 3 channels", .build = by_the_batch,
                              .input = {{2, {5, 3}}, {1, {2}}, {1, {3}}}, .inputs = 3, .error = "[2]"},
                             {0}}};
ATL_COMPOSED(batch_norm_training_composed);
