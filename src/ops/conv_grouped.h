/* A convolution in small groups of channels, or its gradient by the image, as a step of our own. */
#ifndef ATLED_OPS_CONV_GROUPED_H
#define ATLED_OPS_CONV_GROUPED_H

#include "onednn/onednn.h"

/* True if it is one, and takes less time than oneDNN's. */
int atl_conv_prefers_grouped(const onednn_convolution *c);

/* Emits the step for the node being lowered.  Returns 1, or 0 with the error set. */
int atl_lower_conv_grouped(atl_lowering *lowering, const onednn_convolution *c);

#endif
