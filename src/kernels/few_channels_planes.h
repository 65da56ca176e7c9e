/* The gradient by an image of three channels where few numbers add up to each pixel, for few_channels.c.
 *
 * There, adding the lanes of each sum takes as long as the sums.  So here the lanes of a vector are pixels side by
 * side: each row of dy is turned into planes of one channel once, and stays in the cache while the rows of the image
 * that have been read by its windows are computed.  Sums are planes, too, of pixels a stride apart, until a row is
 * done.
 *
 * Around the planes are zeros, so that sums at the edges take terms which they should not: those pixels are computed
 * again by the other loops, because a term is not 0 if the filter is infinite there. */
#ifndef ATLED_KERNELS_FEW_CHANNELS_PLANES_H
#define ATLED_KERNELS_FEW_CHANNELS_PLANES_H

#include "common/numbers.h"
#include "kernels/few_channels.h"
#include "kernels/taps.h"

enum {
    PLANES = 3,        /* channels of the image */
    PLANE_VECTORS = 4, /* of a tile: with three channels twelve sums */
    MOST_ROWS = 16     /* of the filter */
};

/* Buffers of a worker. */
typedef struct plane_rows {
    float *rows;          /* [kept][result_channels][length]: row r of dy is number r % kept */
    float *sums;          /* [stride_x][PLANES][length]: a row of the image */
    int64_t kept, length; /* of the first, */
    int64_t before;       /* floats are 0 in each plane of dy */
    int64_t ready;        /* rows of dy up to this one have been turned */
} plane_rows;

static int64_t length_of_planes(const atl_conv_sizes *f, int64_t *before)
{
    *before = atl_round_up(f->filter_width / f->stride_x + 1, LINE_FLOATS);
    const int64_t pixels = (f->width + f->pad_left) / f->stride_x + 2 * VECTOR;
    const int64_t length = *before + atl_round_up(atl_larger(pixels, f->result_width), LINE_FLOATS);
    return length % 512 == 0 ? length + LINE_FLOATS : length; /* else planes would share the same lines of a cache */
}

static plane_rows planes_at(const atl_conv_sizes *f, float *scratch)
{
    plane_rows p = {.rows = scratch, .kept = (f->filter_height + f->stride_y - 1) / f->stride_y, .ready = 0};
    p.length = length_of_planes(f, &p.before);
    p.sums = scratch + p.kept * f->result_channels * p.length;
    return p;
}

static int64_t floats_of_planes(const atl_conv_sizes *f)
{
    const plane_rows p = planes_at(f, NULL);
    return (p.kept * f->result_channels + f->stride_x * PLANES) * p.length;
}

/* Where few numbers add up to a pixel, and a row has vectors enough for tiles. */
static int has_planes(const atl_conv_sizes *f)
{
    const int64_t elements = f->filter_height * f->filter_width / (f->stride_y * f->stride_x);
    return VECTOR > 4 && f->channels == PLANES && f->width >= f->stride_x * 2 * VECTOR &&
           elements * f->result_channels <= 8 * VECTOR && f->filter_height <= MOST_ROWS;
}

/* A row of dy becomes a row of each plane. */
static void turn_row(const atl_conv_sizes *f, const float *dy, float *planes, int64_t length)
{
    const int64_t out = f->result_channels;
    for (int64_t x = 0; x < f->result_width; x += VECTOR)
        for (int64_t o = 0; o < out; o += VECTOR) {
            const int64_t count = atl_smaller(VECTOR, f->result_width - x);
            vec square[VECTOR];
            UNROLL
            for (int k = 0; k < VECTOR; k++) {
                square[k] = k < count ? load(dy + (x + k) * out + o) : (vec){0};
            }
            turn_square(square);
            UNROLL
            for (int k = 0; k < VECTOR; k++)
                store(planes + (o + k) * length + x, square[k]);
        }
}

/* One tile of a row's sums.  `planes` are, for each row of dy, the window that has read the tile's first pixel by its
 * first element; each next element is of the window before. */
INLINE void sum_planes(const int vectors, const atl_conv_sizes *f, const float *const *planes, int64_t length, int rows,
                       int columns, const float *filter, float *sums)
{
    const int64_t out = f->result_channels, element = f->stride_x * PLANES * out;
    const int64_t row = f->stride_y * f->filter_width * PLANES * out;
    vec sum[PLANE_VECTORS][PLANES];
    UNROLL
    for (int k = 0; k < vectors; k++)
        UNROLL
    for (int c = 0; c < PLANES; c++)
        sum[k][c] = (vec){0};
    for (int64_t o = 0; o < out; o++)
        for (int i = 0; i < rows; i++) {
            const float *d = planes[i] + o * length, *w = filter + i * row + o;
            for (int j = 0; j < columns; j++, d--, w += element) {
                vec of[PLANES];
                UNROLL
                for (int c = 0; c < PLANES; c++)
                    of[c] = broadcast(w[c * out]);
                UNROLL
                for (int k = 0; k < vectors; k++) {
                    /* volatile: the compiler would load it for each channel again */
                    const vec value = *(const volatile vec_anywhere *)(d + k * VECTOR);
                    UNROLL
                    for (int c = 0; c < PLANES; c++)
                        sum[k][c] += value * of[c];
                }
            }
        }
    UNROLL
    for (int k = 0; k < vectors; k++)
        UNROLL
    for (int c = 0; c < PLANES; c++)
        store(sums + c * length + k * VECTOR, sum[k][c]);
}

/* The pixels of phase x; v are the rows of the filter that have read this row, the first of them for row `last` of dy.
 */
static void sum_phase(const atl_conv_sizes *f, const plane_rows *p, taps v, int64_t last, const float *dy,
                      const float *filter, int64_t x)
{
    const int64_t stride = f->stride_x, at = x + f->pad_left, pixels = (f->width - x + stride - 1) / stride;
    const int64_t first = at % stride, all = (pixels + VECTOR - 1) / VECTOR;
    const int columns = (int)((f->filter_width - first + stride - 1) / stride);
    const float *planes[MOST_ROWS];
    int rows = 0;
    for (int64_t i = v.first; i < v.last; i += f->stride_y, last--)
        planes[rows++] = p->rows + last % p->kept * f->result_channels * p->length + p->before + at / stride;
    filter += (v.first * f->filter_width + first) * PLANES * f->result_channels;
    float *sums = p->sums + x * PLANES * p->length;
    const int64_t lines =
        f->result_width * f->result_channels / LINE_FLOATS; /* of dy's next row, a part for each tile */
    const int64_t tiles = (all + PLANE_VECTORS - 1) / PLANE_VECTORS;
    for (int64_t t = 0; t < tiles; t++) {
        const int64_t from = all * t / tiles * VECTOR, vectors = all * (t + 1) / tiles - all * t / tiles;
        const int64_t part = (v.first * stride + x) * tiles + t, parts = f->stride_y * stride * tiles;
        for (int64_t i = lines * part / parts; i < lines * (part + 1) / parts; i++)
            __builtin_prefetch(dy + (p->ready * lines + i) * LINE_FLOATS, 0, 2);
        const float *moved[MOST_ROWS];
        for (int i = 0; i < rows; i++)
            moved[i] = planes[i] + from;
        FOR_VECTORS(vectors, sum_planes(4, f, moved, p->length, rows, columns, filter, sums + from),
                    sum_planes(3, f, moved, p->length, rows, columns, filter, sums + from),
                    sum_planes(2, f, moved, p->length, rows, columns, filter, sums + from),
                    sum_planes(1, f, moved, p->length, rows, columns, filter, sums + from))
    }
}

/* A row of the image from its sums. */
INLINE void interleave(const int64_t stride, const atl_conv_sizes *f, const plane_rows *p, float *dx)
{
    int64_t i = 0;
    for (; (i + 1) * stride <= f->width; i++)
        for (int64_t k = 0; k < stride * PLANES; k++)
            dx[i * stride * PLANES + k] = p->sums[k * p->length + i];
    for (int64_t k = 0; k < (f->width - i * stride) * PLANES; k++)
        dx[i * stride * PLANES + k] = p->sums[k * p->length + i];
}

/* Row `row` of all images but for its edges: v as above, `last` of all rows of dy. */
static void row_by_planes(const atl_conv_sizes *f, plane_rows *p, taps v, int64_t last, const float *dy,
                          const float *filter, float *dx)
{
    const int64_t count = v.first < v.last ? (v.last - v.first + f->stride_y - 1) / f->stride_y : 0;
    const int64_t out = f->result_channels;
    for (int64_t r = atl_larger(p->ready, last - count + 1); r <= last && count > 0; r++) {
        turn_row(f, dy + r * f->result_width * out, p->rows + r % p->kept * out * p->length + p->before, p->length);
        p->ready = r + 1;
    }
    for (int64_t i = 0; i < f->width * PLANES; i += LINE_FLOATS) /* which it will be written to */
        __builtin_prefetch(dx + i, 1, 2);
    for (int64_t x = 0; x < f->stride_x; x++)
        sum_phase(f, p, v, last, dy, filter, x);
    if (f->stride_x == 2)
        interleave(2, f, p, dx);
    else
        interleave(f->stride_x, f, p, dx);
}

#endif
