/* Depthwise convolution and its gradients: one filter for each channel. */
#ifndef ATLED_KERNELS_DEPTHWISE_H
#define ATLED_KERNELS_DEPTHWISE_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

enum { ATL_MAX_DEPTHWISE = 7 }; /* the widest filter */

/* A filter is not wider than ATL_MAX_DEPTHWISE: [filter_height, filter_width, 1, channels].  The result has as many
 * channels as the image, a multiple of a vector.
 *
 * depthwise_convolve: the result, with the epilogue
 * depthwise_image_gradient: the gradient by the image, with the epilogue
 * depthwise_filter_gradient: the gradient by the filters */
#define ATL_DEPTHWISE_KERNELS(K)                                                                                       \
    K(void, depthwise_convolve,                                                                                        \
      (const atl_conv_sizes *d, const float *image, const float *filter, const atl_epilogue *end, float *result))      \
    K(void, depthwise_image_gradient,                                                                                  \
      (const atl_conv_sizes *d, const float *dy, const float *filter, const atl_epilogue *end, float *dx))             \
    K(void, depthwise_filter_gradient, (const atl_conv_sizes *d, const float *image, const float *dy, float *dw))

#endif
