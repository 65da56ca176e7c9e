/* Layer normalisation (Ba, Kiros & Hinton 2016), composed of other ops. */
#include "graph/option.h"
#include "ops/ops.h"

static int check_vector(const atl_node *x, const atl_node *vector, const char *what)
{
    if (!vector || atl_shapes_agree(*vector->shape, ATL_SHAPE(x->shape->size[x->shape->rank - 1])))
        return 1;
    atl_builder_error(
        x->graph, "layer_norm",
        "the %s, '%s', is %s, but the input, '%s', is %s: it must have one element for each of its last dimension",
        what, atl_name_of(vector), SHAPE_OF(vector), atl_name_of(x), SHAPE_OF(x));
    return 0;
}

static int check(const atl_layer_norm_args *args)
{
    const atl_node *x = args->x;
    if (x->shape->rank < 1)
        return atl_builder_error(x->graph, "layer_norm",
                                 "the input, '%s', is a scalar; the last dimension is normalised",
                                 atl_name_of(x)) != NULL;
    double epsilon = atl_option(args->epsilon, 1e-5);
    if (!(epsilon >= 0) || isinf(epsilon))
        return atl_builder_error(x->graph, "layer_norm", "epsilon is %g; it must not be negative", epsilon) != NULL;
    return check_vector(x, args->scale, "scale") && check_vector(x, args->shift, "shift");
}

/* scale * (x - mean) / sqrt(variance + epsilon) + shift, with mean and variance of each row */
atl_node *atl_layer_norm_with(const atl_layer_norm_args *args)
{
    if (!args)
        return atl_null_argument("atl_layer_norm", "the options are"), NULL;
    if (!args->x || !check(args))
        return NULL;
    atl_graph *graph = args->x->graph;
    atl_enter(graph, "layer_norm");
    atl_node *y = atl_sub(args->x, atl_reduce_mean(args->x, ATL_AXES(-1), .keep = 1));
    atl_node *variance = atl_reduce_mean(atl_square(y), ATL_AXES(-1), .keep = 1);
    y = atl_mul(y, atl_rsqrt(atl_add(variance, atl_scalar(args->x, (float)atl_option(args->epsilon, 1e-5)))));
    if (args->scale)
        y = atl_mul(y, args->scale);
    if (args->shift)
        y = atl_add(y, args->shift);
    atl_leave(graph);
    return y;
}

static atl_node *sample_all(atl_node *const *x) { return atl_layer_norm(x[0], x[1], x[2]); }
static atl_node *sample_plain(atl_node *x) { return atl_layer_norm(x, .epsilon = 0.1f); }

static const atl_op layer_norm_composed = {
    .name = "layer_norm",
    .samples =
        (const atl_sample[]){{"rows", .build = sample_all, .input = {{2, {3, 5}}, {1, {5}}, {1, {5}}}, .inputs = 3},
                             {"sequences", .build = sample_all, .input = {{3, {2, 3, 4}}, {1, {4}}, {1, {4}}},
                              .inputs = 3},
                             {"without scale and shift", .unary = sample_plain, .input = {{2, {3, 5}}}, .inputs = 1},
                             {"4 scales for 5", .build = sample_all, .input = {{2, {3, 5}}, {1, {4}}, {1, {5}}},
                              .inputs = 3, .error = "[4]"},
                             {"scalar", .unary = sample_plain, .input = {{0}}, .inputs = 1, .error = "is a scalar"},
                             {0}}};
ATL_COMPOSED(layer_norm_composed);
