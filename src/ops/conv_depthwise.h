/* A depthwise convolution, or one of its gradients, as a step of our own, where oneDNN's takes longer. */
#ifndef ATLED_OPS_CONV_DEPTHWISE_H
#define ATLED_OPS_CONV_DEPTHWISE_H

#include "onednn/onednn.h"

/* True if it applies, and is expected to be faster: oneDNN's gradients have no epilogue, so that a relu's gradient
 * would be a step of its own. */
int atl_conv_prefers_depthwise(const onednn_convolution *c);

/* Emits the step for the node being lowered.  1, or 0 with the error set. */
int atl_lower_conv_depthwise(atl_lowering *lowering, const onednn_convolution *c);

#endif
