/* The gradient by the filters of a depthwise convolution: each worker has some channels, a vector of them at a time. */
#include "kernels/depthwise.h"

#include "common/numbers.h"
#include "kernels/vectors.h"

enum { BLOCK_RESULTS = 1024, MOST_TAPS = ATL_MAX_DEPTHWISE * ATL_MAX_DEPTHWISE };

/* Results ox of a row for which every tap of a row of the filter is inside of the image: first..last-1. */
static void inside_of_row(const atl_conv_sizes *d, int64_t *first, int64_t *last)
{
    *first = (d->pad_left + d->stride_x - 1) / d->stride_x;
    int64_t room = d->width - d->filter_width + d->pad_left;
    *last = room < 0 ? 0 : room / d->stride_x + 1;
    if (*last > d->result_width)
        *last = d->result_width;
    if (*first > *last)
        *first = *last;
}

/* sum[tx] += x dy for the results from..to-1 of one row; the image's row may be short of some taps if `checked`. */
INLINE void add_results(const int size, const int checked, const atl_conv_sizes *d, int64_t from, int64_t to,
                        const float *x, const float *dy, vec *sum)
{
    vec kept[ATL_MAX_DEPTHWISE];
    UNROLL
    for (int t = 0; t < size; t++)
        kept[t] = sum[t];
    for (int64_t o = from; o < to; o++) {
        vec g = load(dy + o * d->channels);
        int64_t left = o * d->stride_x - d->pad_left;
        UNROLL
        for (int t = 0; t < size; t++)
            if (!checked || (left + t >= 0 && left + t < d->width))
                kept[t] += g * load(x + (left + t) * d->channels);
    }
    UNROLL
    for (int t = 0; t < size; t++)
        sum[t] = kept[t];
}

/* Adds the rows from..to-1 of dy, over all images. */
INLINE void rows_of_width(const int size, const atl_conv_sizes *d, int64_t from, int64_t to, const float *image,
                          const float *dy, vec *sum)
{
    int64_t first, last;
    inside_of_row(d, &first, &last);
    for (int64_t row = from; row < to; row++) {
        int64_t n = row / d->result_height, top = row % d->result_height * d->stride_y - d->pad_top;
        const float *g = dy + row * d->result_width * d->channels;
        for (int64_t t = 0; t < d->filter_height; t++) {
            if (top + t < 0 || top + t >= d->height)
                continue;
            const float *x = image + (n * d->height + top + t) * d->width * d->channels;
            add_results(size, 1, d, 0, first, x, g, sum + t * size);
            add_results(size, 0, d, first, last, x, g, sum + t * size);
            add_results(size, 1, d, last, d->result_width, x, g, sum + t * size);
        }
    }
}

/* One vector of channels.  Sums of a block are few, so that rounding stays small in those of all. */
static void run_channels(const atl_conv_sizes *d, const float *image, const float *dy, float *dw)
{
    vec total[MOST_TAPS], sum[MOST_TAPS];
    const int64_t taps = d->filter_height * d->filter_width, rows = d->batch * d->result_height;
    const int64_t block = atl_larger(BLOCK_RESULTS / atl_larger(d->result_width, 1), 1);
    for (int64_t t = 0; t < taps; t++)
        total[t] = (vec){0};
    for (int64_t row = 0; row < rows; row += block) {
        const int64_t end = atl_smaller(row + block, rows);
        for (int64_t t = 0; t < taps; t++)
            sum[t] = (vec){0};
        switch (d->filter_width) {
            CASES_TO_6(rows_of_width, d, row, end, image, dy, sum)
        default:
            rows_of_width(ATL_MAX_DEPTHWISE, d, row, end, image, dy, sum);
        }
        for (int64_t t = 0; t < taps; t++)
            total[t] += sum[t];
    }
    for (int64_t t = 0; t < taps; t++)
        store(dw + t * d->channels, total[t]);
}

void KERNEL(depthwise_filter_gradient)(const atl_conv_sizes *d, const float *image, const float *dy, float *dw)
{
    int64_t vectors = d->channels / VECTOR;
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t v = vectors * worker / d->workers; v < vectors * (worker + 1) / d->workers; v++)
            run_channels(d, image + v * VECTOR, dy + v * VECTOR, dw + v * VECTOR);
}
