/* The sizes of a convolution, for our own loops over its windows. */
#ifndef ATLED_KERNELS_CONV_SIZES_H
#define ATLED_KERNELS_CONV_SIZES_H

#include <stdint.h>

/* The image is [batch, height, width, channels], the result [batch, result_height, result_width, result_channels], all
 * dense. */
typedef struct atl_conv_sizes {
    int64_t batch, height, width, channels, result_height, result_width, result_channels;
    int64_t filter_height, filter_width, stride_y, stride_x, pad_top, pad_left;
    int64_t dilation_y, dilation_x; /* of depthwise_convolve and tap_sums_convolve; 1 for the others */
    int flipped; /* of these two: a gradient by the image, whose filter is turned by half a turn */
    int workers; /* threads that share the work; the bits do not depend on it */
} atl_conv_sizes;

#endif
