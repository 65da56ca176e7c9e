/* An activation that keeps its slope for the gradient: for the compiler's pass `keep_slope`. */
#ifndef ATLED_OPS_KEPT_SLOPE_H
#define ATLED_OPS_KEPT_SLOPE_H

#include "ops/ops.h"

/* gelu(x), and its derivative at x as a part of that node. */
atl_node *atl_gelu_with_slope(atl_node *x);
atl_node *atl_kept_slope(atl_node *gelu_with_slope);

#endif
