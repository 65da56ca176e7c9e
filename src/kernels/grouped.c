/* Convolutions in small groups: a vector of results sums, for each channel k of a group, the image's vector in which
 * every lane holds channel k of its own group, times the filters' row k.  No product is with a zero. */
#include "kernels/grouped.h"

#include "kernels/taps.h"

enum { SIDE_BY_SIDE = 6 }; /* results that share a load of the filter, and pixels, each turned into lanes once */

/* Lane i is lane number[i] of x. */
INLINE vec permuted(vec x, vec_int number)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_permutexvar_ps((__m512i)number, (__m512)x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec)_mm256_permutevar8x32_ps((__m256)x, (__m256i)number);
#else
    vec y;
    for (int i = 0; i < VECTOR; i++)
        y[i] = x[number[i]];
    return y;
#endif
}

/* The first lane of each lane's group. */
static vec_int first_of_group(int64_t group)
{
    vec_int first;
    for (int i = 0; i < VECTOR; i++)
        first[i] = (int32_t)(i / group * group);
    return first;
}

typedef struct grouped {
    const atl_conv_sizes *d;
    int64_t group;
    vec_int first;
    const float *filter;
    const atl_epilogue *end;
    float *result;
} grouped;

/* Adds row i of windows three elements wide, side by side: each pixel is turned into lanes once for three results. */
INLINE void add_row_of_three(const grouped *g, int64_t i, const float *x, int64_t c, vec *sum)
{
    const int64_t channels = g->d->channels;
    const float *filter = g->filter + i * 3 * g->group * channels + c;
    for (int64_t k = 0; k < g->group; k++, filter += channels) {
        const vec_int lanes = g->first + (int32_t)k;
        const vec left = load(filter), middle = load(filter + g->group * channels),
                  right = load(filter + 2 * g->group * channels);
        UNROLL
        for (int p = 0; p < SIDE_BY_SIDE + 2; p++) {
            const vec pixel = permuted(load(x + p * channels + c), lanes);
            if (p < SIDE_BY_SIDE)
                sum[p] += pixel * left;
            if (p >= 1 && p <= SIDE_BY_SIDE)
                sum[p - 1] += pixel * middle;
            if (p >= 2)
                sum[p - 2] += pixel * right;
        }
    }
}

/* Adds row i of `count` windows, `step` floats apart. */
INLINE void add_row(const int count, const grouped *g, int64_t i, taps h, int64_t step, const float *x, int64_t c,
                    vec *sum)
{
    const atl_conv_sizes *d = g->d;
    for (int64_t j = h.first; j < h.last; j++)
        for (int64_t k = 0; k < g->group; k++) {
            const vec w = load(g->filter + ((i * d->filter_width + j) * g->group + k) * d->channels + c);
            UNROLL
            for (int p = 0; p < count; p++)
                sum[p] += w * permuted(load(x + j * d->dilation_x * d->channels + p * step + c), g->first + (int32_t)k);
        }
}

/* `count` results side by side; x is element (0, 0) of the first window, which may lie outside. */
INLINE void some_results(const int count, const int by_three, const grouped *g, taps v, taps h, const float *x,
                         int64_t at)
{
    const atl_conv_sizes *d = g->d;
    const int64_t row = d->dilation_y * d->width * d->channels;
    for (int64_t c = 0; c < d->channels; c += VECTOR) {
        vec sum[SIDE_BY_SIDE];
        UNROLL
        for (int p = 0; p < count; p++)
            sum[p] = (vec){0};
        for (int64_t i = v.first; i < v.last; i++)
            if (by_three)
                add_row_of_three(g, i, x + i * row, c, sum);
            else
                add_row(count, g, i, h, d->stride_x * d->channels, x + i * row, c, sum);
        UNROLL
        for (int p = 0; p < count; p++)
            store(g->result + at + p * d->channels + c, apply_epilogue(g->end, sum[p], at + p * d->channels + c, c));
    }
}

static void convolve_row(const grouped *g, int64_t row, const float *image)
{
    const atl_conv_sizes *d = g->d;
    const int64_t top = row % d->result_height * d->stride_y - d->pad_top;
    const float *of = image + (row / d->result_height * d->height + top) * d->width * d->channels;
    const taps v = taps_inside(top, d->height, d->filter_height, d->dilation_y);
    const int is_three = d->filter_width == 3 && d->stride_x == 1 && d->dilation_x == 1;
    for (int64_t o = 0; o < d->result_width;) {
        const int64_t left = o * d->stride_x - d->pad_left, at = (row * d->result_width + o) * d->channels;
        const int64_t right = left + (SIDE_BY_SIDE - 1) * d->stride_x + (d->filter_width - 1) * d->dilation_x;
        const float *x = of + left * d->channels;
        const int inside = o + SIDE_BY_SIDE <= d->result_width && left >= 0 && right < d->width;
        if (inside && is_three)
            some_results(SIDE_BY_SIDE, 1, g, v, (taps){0, 3}, x, at);
        else if (inside)
            some_results(SIDE_BY_SIDE, 0, g, v, (taps){0, d->filter_width}, x, at);
        else
            some_results(1, 0, g, v, taps_inside(left, d->width, d->filter_width, d->dilation_x), x, at);
        o += inside ? SIDE_BY_SIDE : 1;
    }
}

void KERNEL(grouped_convolve)(const atl_conv_sizes *d, int64_t group, const float *image, const float *filter,
                              const atl_epilogue *end, float *result)
{
    const int64_t rows = d->batch * d->result_height;
    const grouped g = {d, group, first_of_group(group), filter, end, result};
#pragma omp parallel for num_threads(d->workers) schedule(static, 1) if (d->workers > 1)
    for (int worker = 0; worker < d->workers; worker++)
        for (int64_t row = rows * worker / d->workers; row < rows * (worker + 1) / d->workers; row++)
            convolve_row(&g, row, image);
}

void KERNEL(grouped_turn)(const atl_conv_sizes *d, int64_t group, const float *filter, float *turned)
{
    const int64_t elements = d->filter_height * d->filter_width, channels = d->channels;
    for (int64_t t = 0; t < elements; t++)
        for (int64_t k = 0; k < group; k++)
            for (int64_t c = 0; c < channels; c++)
                turned[(t * group + k) * channels + c] =
                    filter[((elements - 1 - t) * group + c % group) * channels + c / group * group + k];
}
