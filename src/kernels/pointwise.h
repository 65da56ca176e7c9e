/* 1x1 convolutions whose pixels may lie apart, before or after: parts of a concat are written in their place, and read
 * there. */
#ifndef ATLED_KERNELS_POINTWISE_H
#define ATLED_KERNELS_POINTWISE_H

#include "kernels/epilogue.h"

typedef struct atl_pointwise {
    int64_t pixels, in, out;                   /* out: see below */
    int64_t in_pixel_stride, out_pixel_stride; /* floats from pixel to pixel */
    int workers;                               /* threads that share the work */
} atl_pointwise;

/* True if there are kernels for so many outputs, with vectors of so many floats. */
static inline int atl_pointwise_has(int64_t out, int64_t vector)
{
    return out > 0 && (out % vector == 0 || (vector == 16 && (out == 24 || out == 40)));
}

/* pack: the filter [in, out], or, transposed, [out, in], in the order in which it is read: in * out floats.
 * convolve: result [pixels, out] = epilogue of image [pixels, in] times filter */
#define ATL_POINTWISE_KERNELS(K)                                                                                       \
    K(void, pointwise_pack, (const atl_pointwise *p, const float *filter, int transposed, float *packed))              \
    K(void, pointwise_convolve,                                                                                        \
      (const atl_pointwise *p, const float *image, const float *packed, const atl_epilogue *end, float *result))

#endif
