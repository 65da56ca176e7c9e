/* Small networks for the tests of the compiler. */
#ifndef ATLED_TESTS_PROGRAM_NETS_H
#define ATLED_TESTS_PROGRAM_NETS_H

#include "support.h"

/* A residual network with batch norm, in which every pass applies; 16 channels, so that blocked layouts are
 * possible. */
typedef struct small_net {
    atl_graph *graph;
    atl_node *image, *loss, *by_image, *by_filter;
} small_net;

static inline atl_node *normalised(atl_graph *g, atl_node *x, const char *name, int channels)
{
    atl_enter(g, name);
    atl_node *filter = atl_variable(g, "weights", ATL_SHAPE(3, 3, atl_shape_of(x).size[3], channels), atl_he());
    x = atl_conv2d(x, filter);
    x = atl_batch_norm(x, atl_variable(g, "mean", ATL_SHAPE(channels), atl_normal(0.1f)),
                       atl_variable(g, "variance", ATL_SHAPE(channels), atl_uniform(0.5f, 2)),
                       atl_variable(g, "scale", ATL_SHAPE(channels), atl_uniform(0.5f, 2)),
                       atl_variable(g, "shift", ATL_SHAPE(channels), atl_normal(0.1f)));
    atl_leave(g);
    return x;
}

static inline small_net small_net_new(int64_t batch, int64_t size)
{
    small_net net = {.graph = atl_graph_new()};
    atl_graph *g = net.graph;
    net.image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(batch, size, size, 3));
    atl_node *x = atl_relu(normalised(g, atl_scale(net.image, 1), "first", 16));
    atl_node *y = atl_relu(normalised(g, x, "second", 16));
    y = atl_relu(atl_add(normalised(g, y, "third", 16), x));
    y = atl_max_pool2d(y, .window = {2, 2});
    y = atl_mul(atl_tanh(y), atl_sigmoid(atl_scale(atl_add_scalar(y, 0), 0.5f)));
    y = atl_reduce_mean(y, ATL_AXES(1, 2));
    net.loss = atl_sum(atl_softmax_cross_entropy(y, .label = 2));
    net.by_image = atl_gradient(net.loss, net.image);
    net.by_filter = atl_gradient(net.loss, atl_find(g, "second/weights"));
    return net;
}

#endif
