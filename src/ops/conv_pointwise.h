/* A 1x1 convolution, or its gradient with respect to the image, as a step that can read and write parts of a concat in
 * place. */
#ifndef ATLED_OPS_CONV_POINTWISE_H
#define ATLED_OPS_CONV_POINTWISE_H

#include "onednn/onednn.h"

/* True if it is such a convolution. */
int atl_conv_is_pointwise(const onednn_convolution *c);

/* True if it is one, and takes less time than oneDNN's.  Ours also makes a relu's mask; behind oneDNN's a step of its
 * own does. */
int atl_conv_prefers_pointwise(const onednn_convolution *c, int makes_mask);

/* True if it takes less time than oneDNN's followed by a step for a relu's gradient. */
int atl_conv_pointwise_pays(const onednn_convolution *c);

/* Emits the step for the node being lowered.  Returns 1, or 0 with the error set. */
int atl_lower_conv_pointwise(atl_lowering *lowering, const onednn_convolution *c);

#endif
