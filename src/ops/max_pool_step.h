/* Max-pooling and its gradient as steps of our own kernels. */
#ifndef ATLED_OPS_MAX_POOL_STEP_H
#define ATLED_OPS_MAX_POOL_STEP_H

#include "ops/pool.h"

/* True if our kernels can pool input `image` of the node being lowered: it is in NHWC, and its channels fill vectors.
 * The answer is the same for the pooling and for its gradient, which reads the positions that the pooling keeps. */
int atl_can_pool_in_steps(const atl_lowering *lowering, const pool *p, int image);

/* Emits the step for y = max_pool2d(x). */
int atl_lower_max_pool(atl_lowering *lowering, const pool *p);

/* Emits the step for dx = max_pool2d_grad(dy, x, y): y must have kept its positions. */
int atl_lower_max_pool_gradient(atl_lowering *lowering, const pool *p);

#endif
