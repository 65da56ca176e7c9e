/* Images in ops: [batch, height, width, channels], and the option that gives another order. */
#ifndef ATLED_OPS_IMAGE_H
#define ATLED_OPS_IMAGE_H

#include "ops/ops.h"

/* Fails on y unless input i is float32 with four dimensions. */
int atl_require_image(atl_node *y, int i);

/* The image as NHWC: a transpose is put in for ATL_NCHW.  Null, with the mistake recorded for `builder`, if it is no image. */
atl_node *atl_image_to_nhwc(atl_node *image, atl_layout layout, const char *builder);
/* And back. */
atl_node *atl_image_from_nhwc(atl_node *image, atl_layout layout);

/* For the gate's .simplify: what equals gate(dx, x) if dx is the gradient of a max-pool of x; else null. */
atl_node *atl_relu_grad_before_pool(atl_node *dx, atl_node *x);
/* What dx spreads over maps if it is the gradient of a pooling: the sums over its maps are those over dx's.  Else null. */
atl_node *atl_spread_by_pool(const atl_node *dx);

#endif
