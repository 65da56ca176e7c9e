/* Convolutions as sums of 1x1 convolutions: for a block of results, element after element of the window adds its
 * product of pixels and channels.  The block stays in the second-level cache, and so does the element's matrix while
 * the rows of the block are multiplied with it. */
#include "kernels/tap_sums.h"

#include <string.h>

#include "common/numbers.h"
#include "kernels/pointwise.h"
#include "kernels/vectors.h"

enum { BLOCK_PIXELS = 240 }; /* of a block of results: whole tiles of 4, 6, 8 or 12 pixels */

/* Results of one image: rows and columns first..last-1. */
typedef struct block {
    int64_t image, first_row, last_row, first, last;
} block;

/* The results of a line, from..to-1 within first..last-1, whose pixel o * stride + offset is one of the image's. */
typedef struct span {
    int64_t from, to;
} span;

static span inside(int64_t offset, int64_t stride, int64_t pixels, int64_t first, int64_t last)
{
    int64_t from = offset < 0 ? (-offset + stride - 1) / stride : 0;
    int64_t to = offset < pixels ? (pixels - offset + stride - 1) / stride : 0;
    return (span){atl_larger(from, first), atl_smaller(to, last)};
}

/* Adds the products of one element of the window, with these distances between a result's pixel and its own. */
static void add_tap(const atl_conv_sizes *d, const block *b, int64_t down, int64_t right, const float *image,
                    const float *packed, float *result)
{
    const span rows = inside(down, d->stride_y, d->height, b->first_row, b->last_row);
    const span columns = inside(right, d->stride_x, d->width, b->first, b->last);
    const atl_pointwise p = {.pixels = columns.to - columns.from,
                             .in = d->channels,
                             .out = d->result_channels,
                             .in_pixel_stride = d->stride_x * d->channels,
                             .out_pixel_stride = d->result_channels,
                             .workers = 1};
    for (int64_t row = rows.from; row < rows.to && p.pixels > 0; row++) {
        const int64_t y = b->image * d->height + row * d->stride_y + down, x = columns.from * d->stride_x + right;
        float *to = result + ((b->image * d->result_height + row) * d->result_width + columns.from) * p.out;
        const atl_epilogue add = {.residual = to};
        KERNEL(pointwise_convolve)(&p, image + (y * d->width + x) * d->channels, packed, &add, to);
    }
}

static void finish_row(const atl_conv_sizes *d, int64_t from, int64_t to, const atl_epilogue *end, float *result)
{
    const atl_epilogue own = *end; /* which no store into the result can change */
    for (int64_t at = from * d->result_channels; at < to * d->result_channels;)
        for (int64_t c = 0; c < d->result_channels; c += VECTOR, at += VECTOR)
            store(result + at, apply_epilogue(&own, load(result + at), at, c));
}

static void convolve_block(const atl_conv_sizes *d, const block *b, const float *image, const float *packed,
                           const atl_epilogue *end, float *result)
{
    const int64_t out = d->result_channels, row = b->image * d->result_height;
    for (int64_t y = b->first_row; y < b->last_row; y++)
        memset(result + ((row + y) * d->result_width + b->first) * out, 0,
               (size_t)((b->last - b->first) * out) * sizeof *result);
    for (int64_t i = 0; i < d->filter_height; i++)
        for (int64_t j = 0; j < d->filter_width; j++)
            add_tap(d, b, i * d->dilation_y - d->pad_top, j * d->dilation_x - d->pad_left, image,
                    packed + (i * d->filter_width + j) * d->channels * out, result);
    for (int64_t y = b->first_row; y < b->last_row; y++)
        finish_row(d, (row + y) * d->result_width + b->first, (row + y) * d->result_width + b->last, end, result);
}

/* Blocks are whole rows, or parts of one. */
void KERNEL(tap_sums_convolve)(const atl_conv_sizes *d, const float *image, const float *packed,
                               const atl_epilogue *end, float *result)
{
    const int64_t width = atl_smaller(d->result_width, BLOCK_PIXELS), height = BLOCK_PIXELS / width;
    const int64_t across = (d->result_width + width - 1) / width, down = (d->result_height + height - 1) / height;
    const int64_t blocks = d->batch * down * across;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t n = blocks * worker / d->workers; n < blocks * (worker + 1) / d->workers; n++) {
            const int64_t y = n / across % down * height, x = n % across * width;
            const block b = {.image = n / across / down,
                             .first_row = y,
                             .last_row = atl_smaller(y + height, d->result_height),
                             .first = x,
                             .last = atl_smaller(x + width, d->result_width)};
            convolve_block(d, &b, image, packed, end, result);
        }
}
