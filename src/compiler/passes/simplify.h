/* Simplifies one node of a graph that is being built. */
#ifndef ATLED_COMPILER_PASSES_SIMPLIFY_H
#define ATLED_COMPILER_PASSES_SIMPLIFY_H

#include "graph/graph.h"

/* An equal, simpler node, or the node itself; null (from a graph with an error) gives null. */
atl_node *atl_simplified(atl_node *node);

/* True if a rule for it may depend on the number of readers of its inputs, which is known only for whole graphs. */
int atl_readers_matter(const atl_node *node);

#endif
