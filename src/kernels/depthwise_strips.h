/* Depthwise convolution by strips of some columns and channels, for depthwise_convolve.c: windows 3 and 5 wide, without
 * dilation, of stride 1 or 2.
 *
 * A strip is a few columns of the result, with some of its channels.  It is computed from above to below, so that the
 * rows which windows share stay in the first-level cache: whole rows of all channels would not.  In it, pixels side by
 * side share loads of the filter and of the image.  Each result is summed in the order of the other loops. */
#ifndef ATLED_KERNELS_DEPTHWISE_STRIPS_H
#define ATLED_KERNELS_DEPTHWISE_STRIPS_H

#include "kernels/conv_sizes.h"
#include "kernels/side_by_side.h"
#include "kernels/taps.h"

/* A filter, from its first element on in the order in which the image is read. */
typedef struct filter_order {
    const float *first;
    int64_t row, column; /* floats to the next */
} filter_order;

enum {
    STRIP_COLUMNS = SIDE_BY_SIDE_SUMS, /* at most */
    STRIP_CHANNELS = 128,              /* about as many at most: filter, image and result of some rows fit into 32 KB */
    LINES_AHEAD = 8                    /* of each pixel, while which memory answers */
};

typedef struct strip {
    const atl_conv_sizes *d;
    const float *image; /* pixel (0, first column of the windows) of an image; may be outside */
    filter_order f;
    const atl_epilogue *end;
    float *result;
    int64_t at;          /* of row 0 of the image and the first column in the result */
    int64_t row, rows;   /* row <= r < rows */
    int64_t first, last; /* channels: first <= c < last */
    uint32_t inside;     /* bit p: pixel p of the row that all windows side by side cover is inside of the image */
} strip;

/* What is needed to sum windows, by value: no store can change it. */
typedef struct window_rows {
    int64_t channels, row;             /* of the image: floats to the next pixel and to the next row */
    int64_t filter_column, filter_row; /* floats to the next element of the filter and to its next row */
    uint32_t inside;                   /* as in a strip */
} window_rows;

/* Sums over `rows` rows of windows side by side.  Where an `edge` is near, pixels that not all windows cover may be
 * outside. */
INLINE void sum_windows(const int count, const int size, const int stride, const int edge, const window_rows by,
                        int64_t rows, const float *line, const float *elements, vec *sum)
{
    const int pixels = (count - 1) * stride + size;
    for (; rows > 0; rows--) {
        const float *pixel = line, *element = elements;
        vec w[WIDEST];
        UNROLL
        for (int j = 0; j < size; j++) {
            w[j] = load(element);
            element += by.filter_column;
            HIDE_ADDRESS(element);
        }
        UNROLL
        for (int p = 0; p < pixels; p++) {
            if (!edge || (p >= size - 1 && p <= pixels - size) || (by.inside >> p & 1)) {
                vec value = load(pixel);
                HIDE_VECTOR(value);
                UNROLL
                for (int k = 0; k < count; k++)
                    if (p >= k * stride && p < k * stride + size)
                        sum[k] += w[p - k * stride] * value;
            }
            pixel += by.channels;
            HIDE_ADDRESS(pixel);
        }
        line += by.row;
        elements += by.filter_row;
    }
}

/* While a row is computed, what a later one reads for the first time is fetched; behind the last row, what the next
 * strip reads. */
INLINE void run_strip(const int count, const int size, const int stride, const int edge, const strip *given)
{
    const strip s = *given; /* copies, which no store into the result can change, so that they stay in registers */
    const atl_conv_sizes d = *s.d;
    const atl_epilogue end = *s.end;
    const int64_t channels = d.channels, row = d.width * channels, result_row = d.result_width * channels;
    const window_rows by = {channels, row, s.f.column, s.f.row, s.inside};
    const int64_t lines = (s.last - s.first + LINE_FLOATS - 1) / LINE_FLOATS;
    const int64_t rows_ahead = (LINES_AHEAD + lines - 1) / lines;
    for (int64_t r = s.row; r < s.rows; r++) {
        const int64_t top = r * stride - d.pad_top, at = s.at + r * result_row;
        const taps v = taps_inside(top, d.height, d.filter_height, 1);
        const float *line = s.image + (top + v.first) * row, *elements = s.f.first + v.first * s.f.row;
        const int is_next = r + rows_ahead >= s.rows;
        const int64_t later = r + rows_ahead - (is_next ? s.rows - s.row : 0);
        const int64_t next = is_next ? count * channels : 0, at_later = s.at + later * result_row + next;
        const float *fresh = s.image + (later * stride - d.pad_top + d.filter_height - stride) * row + next * stride +
                             (size - stride) * channels;
        for (int64_t c = s.first; c < s.last; c += VECTOR) {
            if (c % LINE_FLOATS == 0) {
                for (int i = 0; i < stride; i++)
                    fetch_pixels(count * stride, fresh + i * row + c, channels);
                if (end.relu_grad)
                    fetch_pixels(count, end.relu_grad + at_later + c, channels);
                if (end.residual)
                    fetch_pixels(count, end.residual + at_later + c, channels);
            }
            vec sum[STRIP_COLUMNS];
            UNROLL
            for (int k = 0; k < count; k++)
                sum[k] = (vec){0};
            sum_windows(count, size, stride, edge, by, v.last - v.first, line + c, elements + c, sum);
            const atl_epilogue *operations = &end; /* read again each time: sums leave no registers for it */
            HIDE_ADDRESS(operations);
            write_results(count, operations, sum, at + c, channels, c, s.result);
        }
    }
}

/* Functions, not cases of a switch in one: compilers treat a very long function badly. */
typedef void strip_function(const strip *s);
#define STRIP_NAME(size, stride, edge, count) strip_##size##_##stride##_##edge##_##count
#define STRIP(size, stride, edge, count)                                                                               \
    static __attribute__((noinline)) void STRIP_NAME(size, stride, edge, count)(const strip *s)                        \
    {                                                                                                                  \
        run_strip(count, size, stride, edge, s);                                                                       \
    }
#define STRIPS(size, stride)                                                                                           \
    STRIP(size, stride, 1, 1)                                                                                          \
    STRIP(size, stride, 1, 2)                                                                                          \
    STRIP(size, stride, 1, 3)                                                                                          \
    STRIP(size, stride, 1, 4)                                                                                          \
    STRIP(size, stride, 1, 5)                                                                                          \
    STRIP(size, stride, 1, 6)                                                                                          \
    STRIP(size, stride, 1, 7)                                                                                          \
    STRIP(size, stride, 1, 8)                                                                                          \
    STRIP(size, stride, 0, 5)                                                                                          \
    STRIP(size, stride, 0, 6)                                                                                          \
    STRIP(size, stride, 0, 7)                                                                                          \
    STRIP(size, stride, 0, 8)
STRIPS(3, 1)
STRIPS(3, 2)
STRIPS(5, 1)
STRIPS(5, 2)

/* By filters 3 or 5 wide, strides, whether an edge is near, and columns.  Results at least 17 wide have strips that are
 * away from edges, of at least 5 columns. */
#define STRIPS_OF(size, stride)                                                                                        \
    {                                                                                                                  \
        {NULL,                                                                                                         \
         STRIP_NAME(size, stride, 1, 1),                                                                               \
         STRIP_NAME(size, stride, 1, 2),                                                                               \
         STRIP_NAME(size, stride, 1, 3),                                                                               \
         STRIP_NAME(size, stride, 1, 4),                                                                               \
         STRIP_NAME(size, stride, 0, 5),                                                                               \
         STRIP_NAME(size, stride, 0, 6),                                                                               \
         STRIP_NAME(size, stride, 0, 7),                                                                               \
         STRIP_NAME(size, stride, 0, 8)},                                                                              \
        {                                                                                                              \
            NULL, STRIP_NAME(size, stride, 1, 1), STRIP_NAME(size, stride, 1, 2), STRIP_NAME(size, stride, 1, 3),      \
                STRIP_NAME(size, stride, 1, 4), STRIP_NAME(size, stride, 1, 5), STRIP_NAME(size, stride, 1, 6),        \
                STRIP_NAME(size, stride, 1, 7), STRIP_NAME(size, stride, 1, 8)                                         \
        }                                                                                                              \
    }
static strip_function *const strip_functions[2][2][2][STRIP_COLUMNS + 1] = {{STRIPS_OF(3, 1), STRIPS_OF(3, 2)},
                                                                            {STRIPS_OF(5, 1), STRIPS_OF(5, 2)}};

/* The last element of the first window of a row and the first one of the last window must be inside of the image. */
static int has_strips(const atl_conv_sizes *d)
{
    return (d->filter_width == 3 || d->filter_width == 5) && d->dilation_y == 1 && d->dilation_x == 1 &&
           d->stride_y == d->stride_x && d->stride_x <= 2 && d->pad_left < d->filter_width &&
           (d->result_width - 1) * d->stride_x - d->pad_left < d->width;
}

/* A range of rows, of one image or of all, with some of their channels: row <= r < rows, first <= c < last. */
typedef struct row_range {
    int64_t row, rows, first, last;
} row_range;

/* Of image n. */
static void convolve_strips(const atl_conv_sizes *d, int64_t n, row_range by, const float *image, filter_order f,
                            const atl_epilogue *end, float *result)
{
    const int64_t channels = d->channels, size = d->filter_width, stride = d->stride_x;
    const int64_t strips = (d->result_width + STRIP_COLUMNS - 1) / STRIP_COLUMNS;
    const int64_t lines = (by.last - by.first) / LINE_FLOATS;
    const int64_t parts = (by.last - by.first + STRIP_CHANNELS - 1) / STRIP_CHANNELS;
    for (int64_t i = 0; i < parts * strips; i++) {
        const int64_t part = i / strips, column = d->result_width * (i % strips) / strips;
        const int64_t count = d->result_width * (i % strips + 1) / strips - column;
        const int64_t left = column * stride - d->pad_left, pixels = (count - 1) * stride + size;
        const taps p = taps_inside(left, d->width, pixels, 1);
        const strip s = {.d = d,
                         .image = image + (n * d->height * d->width + left) * channels,
                         .f = f,
                         .end = end,
                         .result = result,
                         .at = (n * d->result_height * d->result_width + column) * channels,
                         .row = by.row,
                         .rows = by.rows,
                         .first = by.first + lines * part / parts * LINE_FLOATS,
                         .last = part + 1 == parts ? by.last : by.first + lines * (part + 1) / parts * LINE_FLOATS,
                         .inside = (1u << p.last) - (1u << p.first)};
        const int edge = p.first > 0 || p.last < pixels;
        strip_functions[size == 5][stride == 2][edge][count](&s);
    }
}

#endif
