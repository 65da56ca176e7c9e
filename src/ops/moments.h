/* Sums of products, to which sum_to simplifies. */
#ifndef ATLED_OPS_MOMENTS_H
#define ATLED_OPS_MOMENTS_H

#include "ops/ops.h"

/* sum_to(a * b, like) in one pass, which does not store the product; null where it does not apply: a and b must have
 * one shape, and `like` must be the last of its dimensions, or a single number. */
atl_node *atl_sum_product_to(atl_node *a, atl_node *b, atl_node *like);

#endif
