/* Equations between ops of different files, so that these need not know each other. */
#ifndef ATLED_COMPILER_PASSES_PEEPHOLE_H
#define ATLED_COMPILER_PASSES_PEEPHOLE_H

#include "graph/graph.h"

/* An equal, simpler node of the same shape and type, from the op of the node and that of an input; null if there is
 * none.  All shapes are known. */
atl_node *atl_simplify_by_peephole(atl_node *y);

/* True if an equation may apply to y that asks whether something else reads its input. */
int atl_peephole_looks_at_readers(const atl_node *y);

#endif
