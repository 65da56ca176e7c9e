/* The gradient by the filters of a depthwise convolution: one filter for each channel. */
#ifndef ATLED_KERNELS_DEPTHWISE_H
#define ATLED_KERNELS_DEPTHWISE_H

#include <stdint.h>

enum { ATL_MAX_DEPTHWISE = 7 }; /* the widest filter */

/* No dilation.  The image is [batch, height, width, channels], the gradient of the result
 * [batch, result_height, result_width, channels], that by the filter [filter_height, filter_width, 1, channels], all
 * dense. */
typedef struct atl_depthwise {
    int64_t batch, height, width, result_height, result_width;
    int64_t channels; /* a multiple of a vector */
    int64_t filter_height, filter_width, stride_y, stride_x, pad_top, pad_left;
    int workers; /* threads that share the work; the bits do not depend on it */
} atl_depthwise;

#define ATL_DEPTHWISE_KERNELS(K)                                                                                       \
    K(void, depthwise_filter_gradient, (const atl_depthwise *d, const float *image, const float *dy, float *dw))

#endif
