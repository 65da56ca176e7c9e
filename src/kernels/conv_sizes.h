/* The sizes of a convolution, for our own loops over its windows. */
#ifndef ATLED_KERNELS_CONV_SIZES_H
#define ATLED_KERNELS_CONV_SIZES_H

#include <stdint.h>

/* The image is [batch, height, width, channels], the result [batch, result_height, result_width, result_channels], all
 * dense. */
typedef struct atl_conv_sizes {
    int64_t batch, height, width, channels, result_height, result_width, result_channels;
    int64_t filter_height, filter_width, stride_y, stride_x, pad_top, pad_left;
    int64_t dilation_y, dilation_x; /* read by depthwise_convolve, grouped_convolve and tap_sums_convolve only */
    int flipped; /* of the first and the last of these: a gradient by the image, its filter turned by half a turn */
    int workers; /* threads that share the work; only the bits of few_channels_filter_gradient depend on it */
} atl_conv_sizes;

#endif
