/* Convolutions in groups of some channels, as ResNeXt's and RegNet's. */
#ifndef ATLED_KERNELS_GROUPED_H
#define ATLED_KERNELS_GROUPED_H

#include "kernels/conv_sizes.h"
#include "kernels/epilogue.h"

/* True if there is a kernel: for groups that share a vector, or that have as many channels as a vector or more.  A
 * group's last vector may overlap the one before, where that begins with a byte of a mask; so may the last of all. */
static inline int atl_grouped_has(int64_t channels, int64_t group, int64_t vector)
{
    const int fills = group >= vector && (group % vector == 0 || group % 8 == 0);
    return group > 1 && channels % group == 0 && channels >= vector && (fills || vector % group == 0);
}

/* The result has as many channels as the image, in groups of `group` channels.  The filter is [filter_height,
 * filter_width, group, channels].  A mask that the epilogue reads or writes needs channels in multiples of 8.
 *
 * grouped_floats: of a packed filter
 * grouped_pack: the filter in the order in which it is read; `turned`: the one by which the gradient by the image,
 *     without strides, is such a convolution
 * grouped_convolve: the result, with the epilogue */
#define ATL_GROUPED_KERNELS(K)                                                                                         \
    K(int64_t, grouped_floats, (const atl_conv_sizes *d, int64_t group))                                               \
    K(void, grouped_pack, (const atl_conv_sizes *d, int64_t group, int turned, const float *filter, float *packed))    \
    K(void, grouped_convolve,                                                                                          \
      (const atl_conv_sizes *d, int64_t group, const float *image, const float *packed, const atl_epilogue *end,       \
       float *result))

#endif
