/* For reduce_prod. */
#ifndef ATLED_OPS_PRODUCT_H
#define ATLED_OPS_PRODUCT_H

#include "atled/op.h"

/* Of x's shape: for each element the product of the others along the axes, which are given as bits. */
atl_node *atl_product_of_others(atl_node *x, unsigned axes);

#endif
