/* A convolution, or its gradient by the image, as a sum of products, one for each element of the window: our own direct
 * convolution, for any strides and dilations. */
#ifndef ATLED_OPS_CONV_TAP_SUMS_H
#define ATLED_OPS_CONV_TAP_SUMS_H

#include "onednn/onednn.h"

/* Estimated seconds; INFINITY where it cannot be one. */
double atl_conv_tap_sums_seconds(const onednn_convolution *c);

/* Emits the step for the node being lowered.  Returns 1, or 0 with the error set. */
int atl_lower_conv_tap_sums(atl_lowering *lowering, const onednn_convolution *c);

#endif
