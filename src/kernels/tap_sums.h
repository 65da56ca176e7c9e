/* Convolutions with any strides and dilations, and their gradients by the image, as sums of products: one for each
 * element of the window. */
#ifndef ATLED_KERNELS_TAP_SUMS_H
#define ATLED_KERNELS_TAP_SUMS_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

/* The result's channels are a multiple of a vector.  `flipped`: a gradient by the image.  The image is the gradient of
 * a convolution's result, and the strides, the paddings of the turned window and the dilations tell which of its pixels
 * a result reads: those at (result + element * dilation - pad) / stride, where that has no rest.
 *
 * tap_sums_pack: the filter [filter_height, filter_width, channels, result_channels], or, flipped, the convolution's
 *     [filter_height, filter_width, result_channels, channels], in the order in which it is read: as many floats.  With
 *     the same workers as tap_sums_convolve.
 * tap_sums_convolve: the result, with the epilogue; elements of the window that lie beside the image cost nothing */
#define ATL_TAP_SUMS_KERNELS(K)                                                                                        \
    K(void, tap_sums_pack, (const atl_conv_sizes *d, const float *filter, float *packed))                              \
    K(void, tap_sums_convolve,                                                                                         \
      (const atl_conv_sizes *d, const float *image, const float *packed, const atl_epilogue *end, float *result))

#endif
