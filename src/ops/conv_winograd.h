/* A convolution, or one of its two gradients, as a step by Winograd's method (kernels/winograd.h), in NHWC. */
#ifndef ATLED_OPS_CONV_WINOGRAD_H
#define ATLED_OPS_CONV_WINOGRAD_H

#include "onednn/onednn.h"

/* Estimated seconds (cost/cost.h); INFINITY where it does not apply. */
double atl_conv_winograd_seconds(const onednn_convolution *c);

/* Emits the step for the node being lowered.  Returns 1, or 0 with the error set. */
int atl_lower_conv_winograd(atl_lowering *lowering, const onednn_convolution *c);

#endif
