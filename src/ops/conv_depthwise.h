/* The gradient by the filters of a depthwise convolution as a step of our own, where oneDNN's is slower. */
#ifndef ATLED_OPS_CONV_DEPTHWISE_H
#define ATLED_OPS_CONV_DEPTHWISE_H

#include "onednn/onednn.h"

/* True if it applies, and is expected to be faster. */
int atl_conv_prefers_depthwise(const onednn_convolution *c);

/* Emits the step for the node being lowered.  1, or 0 with the error set. */
int atl_lower_conv_depthwise(atl_lowering *lowering, const onednn_convolution *c);

#endif
