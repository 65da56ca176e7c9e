/* What our own convolution kernels are told of their sizes. */
#ifndef ATLED_OPS_CONV_SIZES_H
#define ATLED_OPS_CONV_SIZES_H

#include "kernels/conv_sizes.h"
#include "onednn/onednn.h"

/* Multiplications and additions. */
double atl_conv_flops(const onednn_convolution *c);

atl_conv_sizes atl_conv_sizes_of(const onednn_convolution *c);

/* The gradient by the image, without strides, as a convolution of the result's gradient with the filter turned by half
 * a turn. */
atl_conv_sizes atl_conv_turned(atl_conv_sizes d);

/* Of one example, the pairs of a result and an element of its window that lies inside of the image. */
double atl_conv_pairs_inside(const atl_conv_sizes *d);

#endif
