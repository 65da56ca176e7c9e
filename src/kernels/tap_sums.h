/* Convolutions with any strides and dilations as sums of 1x1 convolutions, one for each element of the window. */
#ifndef ATLED_KERNELS_TAP_SUMS_H
#define ATLED_KERNELS_TAP_SUMS_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

/* The result's channels are a multiple of a vector.  The filter is [filter_height, filter_width] matrices
 * [channels, result_channels], each packed by pointwise_pack.
 *
 * tap_sums_convolve: the result, with the epilogue; elements of the window that lie beside the image cost nothing */
#define ATL_TAP_SUMS_KERNELS(K)                                                                                        \
    K(void, tap_sums_convolve,                                                                                         \
      (const atl_conv_sizes *d, const float *image, const float *packed, const atl_epilogue *end, float *result))

#endif
