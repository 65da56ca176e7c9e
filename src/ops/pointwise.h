/* 1x1 convolutions whose pixels may lie apart, before or after: parts of a concat are written in their place, and read there. */
#ifndef ATLED_OPS_POINTWISE_H
#define ATLED_OPS_POINTWISE_H

#include "ops/lanes.h"

typedef struct atl_pointwise {
    int64_t pixels, in, out;                   /* out is a multiple of 16 */
    int64_t in_pixel_stride, out_pixel_stride; /* floats from pixel to pixel */
    int workers;                               /* threads that share the work */
} atl_pointwise;

/* The filter [in, out], or, turned, [out, in], in the order in which it is read: in * out floats. */
void atl_pointwise_pack(const atl_pointwise *p, const float *filter, int transposed, float *packed);

/* result [pixels, out] = epilogue of image [pixels, in] times filter */
void atl_pointwise_convolve(const atl_pointwise *p, const float *image, const float *packed, const atl_epilogue *end,
                            float *result);

#endif
