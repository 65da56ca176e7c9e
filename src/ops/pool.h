/* Code shared by the pooling ops: their windows, shapes, and loops. */
#ifndef ATLED_OPS_POOL_H
#define ATLED_OPS_POOL_H

#include "ops/image.h"
#include "ops/window.h"

/* The attributes of every pooling op. */
typedef struct pool_options {
    int32_t window[2]; /* height, width; 0, 0: the whole image */
    window_options slide;
} pool_options;

/* A pooling op with known shapes.  [0] is vertical, [1] horizontal. */
typedef struct pool {
    int64_t batch, channels;
    atl_window window[2];
    const float *x, *dy;
    float *result;
} pool;

static inline int pool_is_global(const pool_options *options)
{
    return options->window[0] == 0 && options->window[1] == 0;
}

pool pool_of(const atl_node *y, const atl_node *image);

/* The pixels in one direction that output o reads: first <= i < last, at least one. */
typedef struct pool_taps {
    int64_t first, last;
} pool_taps;

static inline pool_taps pool_taps_of(const atl_window *window, int64_t o)
{
    int64_t start = o * window->stride - window->pad_before, end = start + window->size;
    return (pool_taps){start > 0 ? start : 0, end < window->input ? end : window->input};
}

static inline int64_t pool_index(const pool *p, int64_t n, int64_t row, int64_t column, int64_t c)
{
    return ((n * p->window[0].input + row) * p->window[1].input + column) * p->channels + c;
}

/* ---- of the ops' descriptors ---- */

bool pool_infer(atl_node *y);      /* [n, h, w, c] -> [n, output height, output width, c] */
bool pool_infer_grad(atl_node *y); /* the adjoint of the result, then the image */
void pool_describe(const atl_node *y, char *text, size_t size);
atl_node *pool_build(const atl_op *op, const atl_pool2d_args *args);
int pool_lower(atl_lowering *lowering, int average);
int pool_lower_grad(atl_lowering *lowering, int average); /* inputs: dy, x, and for the maximum y */
double pool_blocked_benefit(const atl_node *y, unsigned *images);
double pool_grad_blocked_benefit(const atl_node *y, unsigned *images);

/* ---- references ---- */

/* Calls visit for every element of the result: `to` is its index there; its window consists of the pixels v x h of
 * channel c of image n. */
typedef void pool_visit(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c,
                        const double *const *x, double *result);

void pool_visit_all(const pool *p, pool_visit *visit, const double *const *x, double *result);

/* ---- kernels ---- */

enum { POOL_BLOCK = 64 }; /* channels per block of the gradients' loops, so that their notes fit on the stack */

int64_t pool_work(const pool *p);   /* elements read */
int64_t pool_blocks(const pool *p); /* blocks of channels in an image */

/* Adds one window's contribution to dx, for n <= POOL_BLOCK channels, beginning with the channel at `image`. */
typedef void pool_window_loop(const pool *p, const float *image, pool_taps v, pool_taps h, int64_t n, const float *dy,
                              float *dx);

/* Runs `loop` over all windows of channel blocks first <= k < last of all images, after clearing their results.
 * Windows may overlap, so one thread processes the whole image of a block of channels. */
void pool_scatter(const pool *p, int64_t first, int64_t last, pool_window_loop *loop);

#endif
