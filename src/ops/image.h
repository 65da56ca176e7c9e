/* Images in ops: [batch, height, width, channels], and the option for another order. */
#ifndef ATLED_OPS_IMAGE_H
#define ATLED_OPS_IMAGE_H

#include "ops/ops.h"

/* Fails on y unless input i is float32 with four dimensions. */
int atl_require_image(atl_node *y, int i);

/* The image as NHWC: inserts a transpose for ATL_NCHW.  Null, with the error recorded for `builder`, if it is not an
 * image. */
atl_node *atl_image_to_nhwc(atl_node *image, atl_layout layout, const char *builder);
/* The inverse. */
atl_node *atl_image_from_nhwc(atl_node *image, atl_layout layout);

/* For relu_grad's .simplify: a node equal to relu_grad(dx, x) if dx is the gradient of a max-pool of x; else null. */
atl_node *atl_relu_grad_before_pool(atl_node *dx, atl_node *x);
/* The array that dx spreads over maps, if dx is the gradient of a pooling: the sums over dx's maps equal the sums over
 * this array's.  Else null. */
atl_node *atl_spread_by_pool(const atl_node *dx);

#endif
