/* Values that gradients compute again in place of keeping them. */
#ifndef ATLED_AUTODIFF_RECOMPUTE_H
#define ATLED_AUTODIFF_RECOMPUTE_H

#include "graph/graph.h"

/* The node to show to gradient rules in place of y: y, or a copy of it in which marked nodes are computed again. Null, with the
 * graph broken, when out of memory. */
atl_node *atl_recomputed(atl_node *y);

#endif
