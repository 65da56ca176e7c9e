/* A convolution with few input channels, and its gradients, as steps of our own, where oneDNN's take longer. */
#ifndef ATLED_OPS_CONV_FEW_CHANNELS_H
#define ATLED_OPS_CONV_FEW_CHANNELS_H

#include "onednn/onednn.h"

/* True if it is one of these, with operations after it that our kernels know. */
int atl_conv_has_few_channels(const onednn_convolution *c);

/* True if it is, and is expected to be faster. */
int atl_conv_prefers_few_channels(const onednn_convolution *c);

/* Emits the step for the node being lowered.  1, or 0 with the error set. */
int atl_lower_conv_few_channels(atl_lowering *lowering, const onednn_convolution *c);

#endif
