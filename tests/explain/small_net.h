/* What the tests of explanations share: a small network, and its scores and gradients in double. */
#ifndef ATLED_TESTS_EXPLAIN_SMALL_NET_H
#define ATLED_TESTS_EXPLAIN_SMALL_NET_H

#include "support.h"

enum { SIDE = 12, CLASSES = 5, ELEMENTS = SIDE * SIDE * 3, MAP = SIDE / 2, CHANNELS = 8 };

typedef struct small_net {
    atl_graph *graph;
    atl_node *image, *layer, *scores, *target, *score;
    atl_tensor *pixels; /* [SIDE, SIDE, 3] */
} small_net;

/* Two convolutions with relu, the first pooled; the mean of the second's map [MAP, MAP, CHANNELS]; a dense layer. */
static inline small_net small_net_new(int64_t batch)
{
    small_net net = {.graph = atl_graph_new()};
    atl_set_seed(net.graph, test_seed());
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, SIDE, SIDE, 3));
    atl_node *x = atl_scale(atl_add_scalar(net.image, -100), 1 / 64.0f);
    x = atl_conv_layer(x, "conv1", 6, .window = {3, 3}, .activation = atl_relu);
    x = atl_max_pool2d(x, .window = {2, 2});
    net.layer = atl_conv_layer(x, "conv2", CHANNELS, .window = {3, 3}, .activation = atl_relu);
    x = atl_reduce_mean(net.layer, ATL_AXES(1, 2));
    net.scores = atl_dense_layer(x, "dense", CLASSES, .initializer = atl_normal(1));
    net.target = atl_input(net.graph, "class", ATL_INT32, ATL_SHAPE(batch));
    net.score = atl_sum(atl_gather_last(net.scores, net.target));
    cr_assert(net.score, "%s", atl_graph_error(net.graph));
    net.pixels = random_tensor(ATL_SHAPE(SIDE, SIDE, 3), 0, 255);
    return net;
}

static inline void free_small_net(small_net *net)
{
    atl_tensor_free(net->pixels);
    atl_graph_free(net->graph);
}

static inline atl_explainer *explainer_of(const small_net *net)
{
    atl_explainer *explainer = atl_explainer_new(net->image, net->scores);
    cr_assert(explainer, "%s", atl_error());
    cr_assert_eq(atl_explainer_classes(explainer), CLASSES);
    return explainer;
}

/* The node's value in double for the picture x, [1, SIDE, SIDE, 3] in double: an atl_tensor to be freed. */
static inline atl_tensor *reference_value(const small_net *net, atl_node *node, const double *x, int target)
{
    atl_tensor *picture = atl_tensor_new(ATL_FLOAT64, ATL_SHAPE(1, SIDE, SIDE, 3));
    atl_tensor *class = atl_tensor_of_ints(ATL_SHAPE(1), (int32_t[]){target});
    memcpy(atl_doubles(picture), x, ELEMENTS * sizeof *x);
    atl_reference *run = atl_reference_run(ATL_NODES(node), ATL_FEEDS({net->image, picture}, {net->target, class}));
    cr_assert(run, "%s", atl_error());
    atl_tensor *value = atl_tensor_copy(atl_reference_value(run, node));
    atl_reference_free(run);
    atl_tensor_free(picture);
    atl_tensor_free(class);
    return value;
}

static inline void doubles_of(const atl_tensor *tensor, double *to)
{
    for (int64_t i = 0; i < atl_tensor_count(tensor); i++)
        to[i] = element_of(tensor, i);
}

static inline double reference_score(const small_net *net, const double *x, int target)
{
    atl_tensor *value = reference_value(net, net->score, x, target);
    double score = element_of(value, 0);
    atl_tensor_free(value);
    return score;
}

/* The relative L2 distance of a result from what it should be must be below this. */
#define FORMULA_BOUND 1e-5
static inline void assert_near(const atl_tensor *value, const double *expected, double bound)
{
    double off = 0, size = 0;
    cr_assert(value);
    for (int64_t i = 0; i < atl_tensor_count(value); i++) {
        off += pow(element_of(value, i) - expected[i], 2);
        size += pow(expected[i], 2);
    }
    cr_assert(size > 0 && sqrt(off / size) <= bound, "%.3g of the formula's value (seed %llu)", sqrt(off / size),
              (unsigned long long)test_seed());
}

/* The map of an attribution to channels: the largest size at each pixel. */
static inline void assert_map_of_channels(const atl_explanation *e)
{
    cr_assert(atl_shape_equal(atl_tensor_shape(e->attribution), ATL_SHAPE(SIDE, SIDE, 3)));
    cr_assert(atl_shape_equal(atl_tensor_shape(e->map), ATL_SHAPE(SIDE, SIDE)));
    for (int i = 0; i < SIDE * SIDE; i++) {
        const float *a = atl_floats(e->attribution) + 3 * i;
        cr_assert_eq(atl_floats(e->map)[i], fmaxf(fabsf(a[0]), fmaxf(fabsf(a[1]), fabsf(a[2]))));
    }
}

#define cr_assert_explained(status) cr_assert_eq((status), ATL_OK, "%s", atl_error())

#endif
