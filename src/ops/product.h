/* For reduce_prod. */
#ifndef ATLED_OPS_PRODUCT_H
#define ATLED_OPS_PRODUCT_H

#include "atled/op.h"

/* Of x's shape: for each element the product of the others that lie with it along the axes, of which there is a bit
 * for each. */
atl_node *atl_product_of_others(atl_node *x, unsigned axes);

#endif
