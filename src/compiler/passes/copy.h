/* A program's own copy of the part of a graph that it needs. */
#ifndef ATLED_COMPILER_PASSES_COPY_H
#define ATLED_COMPILER_PASSES_COPY_H

#include "graph/graph.h"

typedef struct atl_copy {
    atl_graph *graph;
    atl_node **of; /* of[i]: the copy of the original graph's node i, or null if it was not needed */
    int64_t count;
} atl_copy;

/* Records that the nodes from index `first` on, which have just been built, replace `old`.  of[]: the new node of each
 * old one. */
void atl_note_origin(atl_graph *graph, int64_t first, const atl_node *old, const atl_node *origin, atl_node *const *of);

/* Frees the graph. */
void atl_copy_free(atl_copy *copy);

#endif
