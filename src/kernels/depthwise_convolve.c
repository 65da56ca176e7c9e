/* Depthwise convolution: by strips (depthwise_strips.h), or pixel after pixel with all channels of each. */
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

/* A function of its own, because among the loops over strips its innermost loops have too few registers. */
static __attribute__((noinline)) void convolve_row(const atl_conv_sizes *d, int64_t row, const float *image,
                                                   filter_order f, const atl_epilogue *end, float *result)
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

/* Of all images; of all channels where there are no strips. */
static void convolve_range(const atl_conv_sizes *d, row_range by, const float *image, filter_order f,
                           const atl_epilogue *end, float *result)
{
    for (int64_t row = by.row, next; row < by.rows && by.first < by.last; row = next)
        if (has_strips(d)) {
            const int64_t n = row / d->result_height, first = n * d->result_height;
            next = by.rows < first + d->result_height ? by.rows : first + d->result_height;
            convolve_strips(d, n, (row_range){row - first, next - first, by.first, by.last}, image, f, end, result);
        } else {
            convolve_row(d, row, image, f, end, result);
            next = row + 1;
        }
}

/* A place in all rows, one after another. */
typedef struct place {
    int64_t row, channel;
} place;

/* Where a worker begins.  So few rows that they do not share evenly are cut, at a multiple of a cache line. */
static place beginning_of(const atl_conv_sizes *d, int worker)
{
    enum { FEW = 16 }; /* rows a worker */
    const int64_t rows = d->batch * d->result_height, lines = d->channels / LINE_FLOATS;
    if (!has_strips(d) || rows % d->workers == 0 || rows >= FEW * d->workers || lines == 0)
        return (place){rows * worker / d->workers, 0};
    const int64_t line = rows * lines * worker / d->workers;
    return (place){line / lines, line % lines * LINE_FLOATS};
}

/* From one place to the other: of three ranges of channels, each has the same rows. */
static void convolve_between(const atl_conv_sizes *d, place from, place to, const float *image, filter_order f,
                             const atl_epilogue *end, float *result)
{
    const int64_t low = from.channel < to.channel ? from.channel : to.channel, high = from.channel + to.channel - low;
    const int64_t cut[] = {0, low, high, d->channels};
    for (int i = 0; i < 3; i++) {
        const row_range by = {from.row + (cut[i] < from.channel), to.row + (cut[i] < to.channel), cut[i], cut[i + 1]};
        convolve_range(d, by, image, f, end, result);
    }
}

void KERNEL(depthwise_convolve)(const atl_conv_sizes *d, const float *image, const float *filter,
                                const atl_epilogue *end, float *result)
{
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        convolve_between(d, beginning_of(d, worker), beginning_of(d, worker + 1), image, order_of(d, filter), end,
                         result);
}
