/* Values that gradients recompute instead of keeping them. */
#ifndef ATLED_AUTODIFF_RECOMPUTE_H
#define ATLED_AUTODIFF_RECOMPUTE_H

#include "graph/graph.h"

/* The node that gradient rules get instead of y: y, or a copy of it in which marked nodes are recomputed.  Null, with
 * the error recorded on the graph, if out of memory. */
atl_node *atl_recomputed(atl_node *y);

#endif
