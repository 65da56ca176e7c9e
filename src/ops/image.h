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

#endif
