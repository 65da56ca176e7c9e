/* A convolution with few input channels, as a network's first layer has, and its gradients. */
#ifndef ATLED_KERNELS_FEW_CHANNELS_H
#define ATLED_KERNELS_FEW_CHANNELS_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

enum { ATL_FEW_CHANNELS = 4 }; /* the most that an image may have */

/* No groups; result_channels is a multiple of a vector.  The filter is
 * [filter_height, filter_width, channels, result_channels].
 *
 * few_channels_convolve: the result, with the epilogue
 * few_channels_image_gradient: the gradient by the image; `scratch` is of few_channels_image_scratch floats
 * few_channels_filter_gradient: the gradient by the filter.  Its bits depend on the number of workers: each has a sum
 *     of its own, all but the first in `scratch`, of few_channels_filter_scratch floats */
#define ATL_FEW_CHANNELS_KERNELS(K)                                                                                    \
    K(void, few_channels_convolve,                                                                                     \
      (const atl_conv_sizes *f, const float *image, const float *filter, const atl_epilogue *end, float *result))      \
    K(int64_t, few_channels_image_scratch, (const atl_conv_sizes *f))                                                  \
    K(void, few_channels_image_gradient,                                                                               \
      (const atl_conv_sizes *f, const float *dy, const float *filter, float *scratch, float *dx))                      \
    K(int64_t, few_channels_filter_scratch, (const atl_conv_sizes *f))                                                 \
    K(void, few_channels_filter_gradient,                                                                              \
      (const atl_conv_sizes *f, const float *image, const float *dy, float *scratch, float *dw))

#endif
