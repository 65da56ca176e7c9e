/* Convolutions in small groups of channels, which share a vector, as ResNeXt's. */
#ifndef ATLED_KERNELS_GROUPED_H
#define ATLED_KERNELS_GROUPED_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

/* The result has as many channels as the image, a multiple of a vector, in groups of `group` channels, a power of two
 * that is at most a vector.  The filter is [filter_height, filter_width, group, channels].
 *
 * grouped_convolve: the result, with the epilogue
 * grouped_turn: the filter by which the gradient by the image, without strides, is such a convolution */
#define ATL_GROUPED_KERNELS(K)                                                                                         \
    K(void, grouped_convolve,                                                                                          \
      (const atl_conv_sizes *d, int64_t group, const float *image, const float *filter, const atl_epilogue *end,       \
       float *result))                                                                                                 \
    K(void, grouped_turn, (const atl_conv_sizes *d, int64_t group, const float *filter, float *turned))

#endif
