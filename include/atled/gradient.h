/* The reverse pass: gradients as nodes of the same graph. */
#ifndef ATLED_GRADIENT_H
#define ATLED_GRADIENT_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum atl_unconnected {
    ATL_UNCONNECTED_ERROR = 0, /* an x from which no path leads to any y is a mistake, named in the message */
    ATL_UNCONNECTED_ZEROS,     /* its gradient is a node of zeros */
    ATL_UNCONNECTED_NULL       /* its gradient is null */
} atl_unconnected;

typedef struct atl_gradients_args {
    atl_nodes of;        /* the ys; float32 */
    atl_nodes by;        /* the xs: any float32 nodes, inputs or not */
    atl_node **result;   /* out: by.count nodes, each of the shape of its x: d sum(ys * seeds) / dx */
    atl_nodes seeds;     /* none: ones; else one for each y, of its shape (a null entry: ones) */
    atl_nodes stop;      /* nodes to treat as constants */
    atl_unconnected unconnected;
    int end_;
} atl_gradients_args;

/* Returns ATL_OK with every result set, or ATL_INVALID with the error recorded on the graph and every result null. */
ATL_API atl_status atl_gradients_with(const atl_gradients_args *args);
#define atl_gradients(...) atl_gradients_with(&(atl_gradients_args){__VA_ARGS__, .end_ = 0})

/* The gradient of the sum of y's elements with respect to x. */
ATL_API atl_node *atl_gradient(atl_node *y, atl_node *x);

#ifdef __cplusplus
}
#endif
#endif
