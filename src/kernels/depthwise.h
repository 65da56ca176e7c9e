/* Depthwise convolution and its gradients: one filter for each channel. */
#ifndef ATLED_KERNELS_DEPTHWISE_H
#define ATLED_KERNELS_DEPTHWISE_H

#include <stdint.h>

#include "kernels/epilogue.h"

enum { ATL_MAX_DEPTHWISE = 7 }; /* the widest filter */

/* No dilation; a filter is not wider than ATL_MAX_DEPTHWISE.  The image is [batch, height, width, channels], the
 * gradient of the result [batch, result_height, result_width, channels], that by the filter
 * [filter_height, filter_width, 1, channels], all dense. */
typedef struct atl_depthwise {
    int64_t batch, height, width, result_height, result_width;
    int64_t channels; /* a multiple of a vector */
    int64_t filter_height, filter_width, stride_y, stride_x, pad_top, pad_left;
    int flipped; /* of depthwise_convolve: the filter is turned by half a turn, as for a gradient of stride 1 */
    int workers; /* threads that share the work; the bits do not depend on it */
} atl_depthwise;

/* depthwise_convolve: the result, with the epilogue
 * depthwise_image_gradient: the gradient by the image, with the epilogue
 * depthwise_filter_gradient: the gradient by the filters */
#define ATL_DEPTHWISE_KERNELS(K)                                                                                       \
    K(void, depthwise_convolve,                                                                                        \
      (const atl_depthwise *d, const float *image, const float *filter, const atl_epilogue *end, float *result))       \
    K(void, depthwise_image_gradient,                                                                                  \
      (const atl_depthwise *d, const float *dy, const float *filter, const atl_epilogue *end, float *dx))              \
    K(void, depthwise_filter_gradient, (const atl_depthwise *d, const float *image, const float *dy, float *dw))

#endif
