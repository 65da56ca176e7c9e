/* The gradient by the image of a convolution with few input channels, as a network's first layer has. */
#ifndef ATLED_KERNELS_FEW_CHANNELS_H
#define ATLED_KERNELS_FEW_CHANNELS_H

#include <stdint.h>

enum { ATL_FEW_CHANNELS = 4 }; /* the most that an image may have */

/* No dilation, no groups.  The image's gradient is [batch, height, width, channels], that of the result
 * [batch, result_height, result_width, result_channels], the filter
 * [filter_height, filter_width, channels, result_channels], all dense. */
typedef struct atl_few_channels {
    int64_t batch, height, width, channels, result_height, result_width;
    int64_t result_channels; /* a multiple of a vector */
    int64_t filter_height, filter_width, stride_y, stride_x, pad_top, pad_left;
    int workers; /* threads that share the work; the bits do not depend on it */
} atl_few_channels;

#define ATL_FEW_CHANNELS_KERNELS(K)                                                                                    \
    K(void, few_channels_image_gradient, (const atl_few_channels *f, const float *dy, const float *filter, float *dx))

#endif
