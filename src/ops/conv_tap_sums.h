/* A convolution, or its gradient by the image, as a sum of 1x1 convolutions: a step of our own for what oneDNN has no
 * vector kernel for, as wide dilations with AVX2. */
#ifndef ATLED_OPS_CONV_TAP_SUMS_H
#define ATLED_OPS_CONV_TAP_SUMS_H

#include "onednn/onednn.h"

/* Estimated seconds; INFINITY where it cannot be one. */
double atl_conv_tap_sums_seconds(const onednn_convolution *c);

/* True if it can be one, and takes less time than oneDNN's. */
int atl_conv_prefers_tap_sums(const onednn_convolution *c);

/* Emits the step for the node being lowered.  Returns 1, or 0 with the error set. */
int atl_lower_conv_tap_sums(atl_lowering *lowering, const onednn_convolution *c);

#endif
