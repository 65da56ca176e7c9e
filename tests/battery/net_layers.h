/* The layers of random networks, for the table in net_layers.c: each makes value k + 1 of x, and y if it takes two
 * operands. */
#ifndef ATLED_TESTS_NET_LAYERS_H
#define ATLED_TESTS_NET_LAYERS_H

#include "net.h"

typedef atl_node *net_layer_builder(net *n, int k, atl_node *x, atl_node *y, const int *p);

static inline int64_t channels_of(const atl_node *x) { return atl_shape_of(x).size[3]; }
static inline int64_t height_of(const atl_node *x) { return atl_shape_of(x).size[1]; }
static inline int64_t width_of(const atl_node *x) { return atl_shape_of(x).size[2]; }
static inline int64_t smaller_side(const atl_node *x)
{
    return height_of(x) < width_of(x) ? height_of(x) : width_of(x);
}

atl_node *net_variable(net *n, const char *name, int k, atl_shape shape, atl_initializer initializer);

/* net_convolutions.c */
net_layer_builder net_convolution, net_residual, net_depthwise, net_transposed_convolution, net_branches, net_fire;

#endif
