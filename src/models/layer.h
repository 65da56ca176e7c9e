/* What all layers begin with. */
#ifndef ATLED_MODELS_LAYER_H
#define ATLED_MODELS_LAYER_H

#include "atled/layers.h"

/* The graph in which a layer is built.  Null if its input is null, or if the layer has no name; the builder of
 * variables records the latter error. */
static inline atl_graph *atl_layer_graph(const atl_node *x, const char *name)
{
    atl_graph *graph = atl_graph_of(x);
    if (graph && !name)
        atl_variable(graph, NULL, ATL_SCALAR, atl_zeros());
    return name ? graph : NULL;
}

#endif
