/* Shared by the tests of ONNX files: loading, running, comparing. */
#ifndef ATLED_TESTS_ONNX_NETS_H
#define ATLED_TESTS_ONNX_NETS_H

#include "support.h"

typedef struct onnx_net {
    atl_graph *graph;
    atl_onnx *net;
    atl_node *input, *output; /* the first ones */
} onnx_net;

static inline onnx_net open_net(const char *path)
{
    onnx_net n = {.graph = atl_graph_new()};
    n.net = atl_onnx_load(n.graph, path);
    cr_assert(n.net, "%s", atl_error());
    n.input = atl_onnx_input(n.net, atl_onnx_input_name(n.net, 0));
    n.output = atl_onnx_output(n.net, atl_onnx_output_name(n.net, 0));
    cr_assert(n.input && n.output);
    return n;
}

static inline void close_net(onnx_net *n)
{
    atl_onnx_free(n->net);
    atl_graph_free(n->graph);
}

#endif
