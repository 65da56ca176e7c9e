/* Depthwise convolution, and its gradient by the image: by strips (depthwise_strips.h), or pixel after pixel with all
 * channels of each. */
#include "kernels/depthwise.h"

#include "kernels/depthwise_strips.h"
#include "kernels/taps.h"

enum { SIDE_BY_SIDE = 4 }; /* results that share a load of the filter */

static filter_order order_of(const atl_conv_sizes *d, const float *filter)
{
    int64_t row = d->filter_width * d->channels, count = d->filter_height * row;
    return d->flipped ? (filter_order){filter + count - d->channels, -row, -d->channels}
                      : (filter_order){filter, row, d->channels};
}

/* `count` results side by side, for all channels; x is element (0, 0) of the first window, which may be outside. */
INLINE void some_results(const int count, const atl_conv_sizes *d, taps v, taps h, const float *x, filter_order f,
                         const atl_epilogue *end, int64_t at, float *result)
{
    const int64_t row = d->dilation_y * d->width * d->channels, column = d->dilation_x * d->channels;
    const int64_t step = d->stride_x * d->channels;
    for (int64_t c = 0; c < d->channels; c += VECTOR) {
        if (end->relu_grad && c % LINE_FLOATS == 0) { /* what the next results read of it */
            UNROLL
            for (int k = 0; k < count; k++)
                __builtin_prefetch(end->relu_grad + at + (SIDE_BY_SIDE + k) * d->channels + c, 0, 3);
        }
        vec sum[SIDE_BY_SIDE];
        UNROLL
        for (int k = 0; k < count; k++)
            sum[k] = (vec){0};
        for (int64_t i = v.first; i < v.last; i++)
            for (int64_t j = h.first; j < h.last; j++) {
                vec w = load(f.first + i * f.row + j * f.column + c);
                const float *pixel = x + i * row + j * column + c;
                UNROLL
                for (int k = 0; k < count; k++)
                    sum[k] += w * load(pixel + k * step);
            }
        UNROLL
        for (int k = 0; k < count; k++)
            store(result + at + k * d->channels + c, apply_epilogue(end, sum[k], at + k * d->channels + c, c));
    }
}

/* Windows 3 and 5 wide have a constant number of columns. */
INLINE void inner_results(const atl_conv_sizes *d, taps v, const float *x, filter_order f, const atl_epilogue *end,
                          int64_t at, float *result)
{
    if (d->filter_width == 3)
        some_results(SIDE_BY_SIDE, d, v, (taps){0, 3}, x, f, end, at, result);
    else if (d->filter_width == 5)
        some_results(SIDE_BY_SIDE, d, v, (taps){0, 5}, x, f, end, at, result);
    else
        some_results(SIDE_BY_SIDE, d, v, (taps){0, d->filter_width}, x, f, end, at, result);
}

/* ---- all windows ------------------------------------------------------------------------------------------------- */

static void convolve_row(const atl_conv_sizes *d, int64_t row, const float *image, filter_order f,
                         const atl_epilogue *end, float *result)
{
    int64_t top = row % d->result_height * d->stride_y - d->pad_top;
    const float *of = image + (row / d->result_height * d->height + top) * d->width * d->channels;
    taps v = taps_inside(top, d->height, d->filter_height, d->dilation_y);
    const atl_epilogue own = *end; /* which no store into the result can change, so that it stays in registers */
    end = &own;
    for (int64_t o = 0; o < d->result_width;) {
        int64_t left = o * d->stride_x - d->pad_left, right = left + (SIDE_BY_SIDE - 1) * d->stride_x;
        int64_t at = (row * d->result_width + o) * d->channels;
        const float *x = of + left * d->channels;
        int inside = o + SIDE_BY_SIDE <= d->result_width && left >= 0 &&
                     right + (d->filter_width - 1) * d->dilation_x < d->width;
        if (inside)
            inner_results(d, v, x, f, end, at, result);
        else
            some_results(1, d, v, taps_inside(left, d->width, d->filter_width, d->dilation_x), x, f, end, at, result);
        o += inside ? SIDE_BY_SIDE : 1;
    }
}

/* Rows row..rows-1 of all images. */
static void convolve_rows(const atl_conv_sizes *d, int64_t row, int64_t rows, const float *image, filter_order f,
                          const atl_epilogue *end, float *result)
{
    for (int64_t next = row; row < rows; row = next)
        if (has_strips(d)) {
            const int64_t n = row / d->result_height, first = n * d->result_height;
            next = rows < first + d->result_height ? rows : first + d->result_height;
            convolve_strips(d, n, row - first, next - first, image, f, end, result);
        } else
            convolve_row(d, next++, image, f, end, result);
}

void KERNEL(depthwise_convolve)(const atl_conv_sizes *d, const float *image, const float *filter,
                                const atl_epilogue *end, float *result)
{
    int64_t rows = d->batch * d->result_height;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        convolve_rows(d, rows * worker / d->workers, rows * (worker + 1) / d->workers, image, order_of(d, filter), end,
                      result);
}

/* ---- the gradient by the image ----------------------------------------------------------------------------------- */

/* A result that has read a pixel, and by which element of the filter. */
typedef struct reader {
    int64_t result, element; /* in floats from the first */
} reader;

INLINE int find_readers(const atl_conv_sizes *d, taps v, taps h, int64_t y, int64_t x, reader *list)
{
    int count = 0;
    for (int64_t i = v.first; i < v.last; i += d->stride_y)
        for (int64_t j = h.first; j < h.last; j += d->stride_x)
            list[count++] = (reader){((y - i) / d->stride_y * d->result_width + (x - j) / d->stride_x) * d->channels,
                                     (i * d->filter_width + j) * d->channels};
    return count;
}

/* All channels of `pixels` pixels, `stride` pixels apart: the list is of the first.  The same elements are over all of
 * them, of a result further on each. */
INLINE void gradient_of_pixels(const int count, const int pixels, const atl_conv_sizes *d, const reader *list,
                               const float *dy, const float *filter, const atl_epilogue *end, int64_t at, float *dx)
{
    const int64_t channels = d->channels, step = d->stride_x * channels;
    for (int64_t c = 0; c < channels; c += VECTOR) {
        if (end->relu_grad && c % LINE_FLOATS == 0) { /* of pixels as far away as these four are long */
            UNROLL
            for (int p = 0; p < pixels; p++)
                __builtin_prefetch(end->relu_grad + at + (SIDE_BY_SIDE + p) * step + c, 0, 3);
        }
        vec sum[SIDE_BY_SIDE];
        UNROLL
        for (int p = 0; p < pixels; p++)
            sum[p] = (vec){0};
        for (int k = 0; k < count; k++) {
            const vec w = load(filter + list[k].element + c);
            UNROLL
            for (int p = 0; p < pixels; p++)
                sum[p] += load(dy + list[k].result + p * channels + c) * w;
        }
        write_results(pixels, end, sum, at + c, step, c, dx);
    }
}

/* Loops over a constant number of results are unrolled. */
INLINE void gradient_of_some(const int pixels, const atl_conv_sizes *d, taps v, taps h, int64_t y, int64_t x,
                             const float *of, const float *filter, const atl_epilogue *end, int64_t at, float *dx)
{
    reader list[ATL_MAX_DEPTHWISE * ATL_MAX_DEPTHWISE];
    const int count = find_readers(d, v, h, y, x, list);
    if (count == 1)
        gradient_of_pixels(1, pixels, d, list, of, filter, end, at, dx);
    else if (count == 2)
        gradient_of_pixels(2, pixels, d, list, of, filter, end, at, dx);
    else if (count == 4)
        gradient_of_pixels(4, pixels, d, list, of, filter, end, at, dx);
    else if (count == 6)
        gradient_of_pixels(6, pixels, d, list, of, filter, end, at, dx);
    else
        gradient_of_pixels(count, pixels, d, list, of, filter, end, at, dx);
}

static void gradient_of_row(const atl_conv_sizes *d, int64_t row, const float *dy, const float *filter,
                            const atl_epilogue *end, float *dx)
{
    const int64_t y = row % d->height + d->pad_top, apart = (SIDE_BY_SIDE - 1) * d->stride_x;
    const float *of = dy + row / d->height * d->result_height * d->result_width * d->channels;
    const taps v = elements_over(y, d->stride_y, d->filter_height, d->result_height);
    const atl_epilogue own = *end;
    for (int64_t x = 0; x < d->width;) {
        /* Of so many pixels side by side, every stride-th is read by the same elements: all of them, or one pixel.  An
         * image that goes to memory is written in order. */
        int same = x + SIDE_BY_SIDE * d->stride_x <= d->width && !is_far(d);
        for (int64_t i = 0; i < d->stride_x && same; i++) {
            const taps h = elements_over(x + i + d->pad_left, d->stride_x, d->filter_width, d->result_width);
            const taps last = elements_over(x + i + apart + d->pad_left, d->stride_x, d->filter_width, d->result_width);
            same = h.first == last.first && h.last == last.last;
        }
        const int64_t end_of_block = x + (same ? d->stride_x : 1);
        for (; x < end_of_block; x++) {
            const int64_t at = (row * d->width + x) * d->channels, padded = x + d->pad_left;
            const taps h = elements_over(padded, d->stride_x, d->filter_width, d->result_width);
            if (same)
                gradient_of_some(SIDE_BY_SIDE, d, v, h, y, padded, of, filter, &own, at, dx);
            else
                gradient_of_some(1, d, v, h, y, padded, of, filter, &own, at, dx);
        }
        x += same ? apart : 0;
    }
}

void KERNEL(depthwise_image_gradient)(const atl_conv_sizes *d, const float *dy, const float *filter,
                                      const atl_epilogue *end, float *dx)
{
    int64_t rows = d->batch * d->height;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t row = rows * worker / d->workers; row < rows * (worker + 1) / d->workers; row++)
            gradient_of_row(d, row, dy, filter, end, dx);
}
