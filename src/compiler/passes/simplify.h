/* Algebra on one node of a graph that is being built. */
#ifndef ATLED_COMPILER_PASSES_SIMPLIFY_H
#define ATLED_COMPILER_PASSES_SIMPLIFY_H

#include "graph/graph.h"

/* An equal, simpler node, or itself; null passes through, and comes of a broken graph. */
atl_node *atl_simplified(atl_node *node);

/* Whether a rule for it may depend on how many read its inputs, which is known of whole graphs only. */
int atl_readers_matter(const atl_node *node);

#endif
