/* Sums of products, for sum_to to simplify to. */
#ifndef ATLED_OPS_MOMENTS_H
#define ATLED_OPS_MOMENTS_H

#include "ops/ops.h"

/* sum_to(a * b, like) in one pass, which writes no product; null where it does not apply: a and b must have one shape, and `like`
 * be the last of its dimensions, or a single number. */
atl_node *atl_sum_product_to(atl_node *a, atl_node *b, atl_node *like);

#endif
