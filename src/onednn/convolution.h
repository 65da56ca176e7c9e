/* For convolution.c, which chooses an implementation, and convolution_steps.c, which makes steps of it. */
#ifndef ATLED_ONEDNN_CONVOLUTION_H
#define ATLED_ONEDNN_CONVOLUTION_H

#include "onednn/primitive.h"

/* The three arrays, the bias, and how the window slides, in oneDNN's words. */
typedef struct onednn_geometry {
    onednn_desc image, filter, result, bias; /* as given to the primitive; the filter's order is its choice */
    onednn_desc plain_filter;                /* HWIO, seen as oihw or goihw */
    onednn_desc plain_image, plain_result;   /* NHWC */
    dnnl_alg_kind_t algorithm;
    int sums; /* true: the residual is copied to the result, and the kernel adds to it; some kernels need that */
    int threads;
    dnnl_dims_t stride, dilation, before, after; /* dilation: 0 for a dense window */
    const char *filter_letters;
} onednn_geometry;

void onednn_release_geometry(onednn_geometry *g);

/* Multiplications and additions of one pass. */
double onednn_convolution_flops(const onednn_convolution *c);

/* Fills *g and opens the fastest implementation; null with the error set and nothing to release.  Clears c->bfloat16
 * where the operands are not rounded after all. */
dnnl_primitive_desc_t onednn_open_convolution(onednn_geometry *g, onednn_convolution *c);

/* The implementation for what *g describes; may change g->algorithm and g->sums. */
dnnl_status_t onednn_choose_convolution(dnnl_primitive_desc_t *desc, onednn_geometry *g, const onednn_convolution *c);

#endif
