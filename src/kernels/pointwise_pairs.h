/* 1x1 convolutions with few outputs, in vectors of sixteen, for pointwise.c.
 *
 * With one vector of outputs, or one and a half, or two and a half, a tile would load nearly as much as it multiplies,
 * or a part of its vectors would be empty.  So a vector has eight outputs, and for each of them two sums, one of the
 * even terms and one of the odd ones, side by side: a pair of terms is loaded into all eight places at once.  In the
 * end the two are added, and the results of a tile's pixels follow each other without a gap. */
#ifndef ATLED_KERNELS_POINTWISE_PAIRS_H
#define ATLED_KERNELS_POINTWISE_PAIRS_H

#include "kernels/pointwise_small.h"

#if ATL_VECTOR == 16

enum { EIGHT = 8, MOST_EIGHTS = 5, PADDED_PIXELS = 2 };

static int is_paired(const atl_pointwise *p)
{
    return p->out == 3 * EIGHT || p->out == 5 * EIGHT || (p->out == 2 * EIGHT && p->in * p->out <= 2 * SMALL_FILTER);
}

/* Pixels of a tile, so that their results are whole vectors. */
static int paired_rows(const atl_pointwise *p) { return p->out == 2 * EIGHT ? 12 : p->out == 3 * EIGHT ? 8 : 4; }

/* To [in / 2][out][2], and behind that, if `in` is odd, the last term's [out]. */
static void pack_pairs(const atl_pointwise *p, const float *filter, int transposed, float *packed)
{
    const int64_t pairs = p->in - p->in % 2, out = p->out;
    for (int64_t i = 0; i < p->in; i++)
        for (int64_t o = 0; o < out; o++)
            packed[i < pairs ? (i / 2 * out + o) * 2 + i % 2 : i * out + o] =
                filter[transposed ? o * p->in + i : i * out + o];
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* x[0] and x[1], eight times. */
INLINE vec broadcast_pair(const float *x)
{
    double both;
    memcpy(&both, x, sizeof both);
    return (vec)_mm512_set1_pd(both);
}

/* One term in place of a pair: the other is 0, also in the filter's vectors. */
INLINE vec broadcast_single(const float *x)
{
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    return (vec)_mm512_set1_epi64(bits);
}
INLINE vec load_singles(const float *x) { return (vec)_mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i_u *)x)); }

/* The sums of sixteen outputs, from even and odd terms. */
INLINE vec add_pairs(vec a, vec b)
{
    const vec_int even = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
    return (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)even, (__m512)b) +
           (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)(even + 1), (__m512)b);
}

/* two += one pair of terms of each pixel, or with `is_single` the last term of an odd number. */
INLINE void add_pair(const int rows, const int eights, const int is_single, const float *a, int64_t row, const float *b,
                     product_tile two)
{
    vec term[MOST_EIGHTS];
    UNROLL
    for (int v = 0; v < eights; v++)
        term[v] = is_single ? load_singles(b + v * EIGHT) : load(b + v * VECTOR);
    UNROLL
    for (int i = 0; i < rows; i++) {
        const vec terms = is_single ? broadcast_single(a + i * row) : broadcast_pair(a + i * row);
        UNROLL
        for (int v = 0; v < eights; v++)
            two[i][v] += terms * term[v];
    }
}

/* For the pixels from `a` on: sum[n] of results 16 n to 16 n + 15 of all of them. */
INLINE void sum_pairs(const int rows, const int eights, const product *x, const float *a, const stream_lines line,
                      product_tile sum)
{
    const int64_t in = x->p->in, row = x->p->in_pixel_stride;
    const float *b = x->packed;
    product_tile two;
    clear_tile(rows, eights, two);
    for (int64_t k = 0; k + 2 <= in; k += 2, a += 2, b += eights * VECTOR) {
        fetch_next(line, k / 2 * LINE_FLOATS);
        add_pair(rows, eights, 0, a, row, b, two);
    }
    if (in % 2)
        add_pair(rows, eights, 1, a, row, b, two);
    UNROLL
    for (int n = 0; n < rows * eights / 2; n++)
        sum[n][0] = add_pairs(two[2 * n / eights][2 * n % eights], two[(2 * n + 1) / eights][(2 * n + 1) % eights]);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* Two halves of a vector, and where half `n` of a tile is in an array whose pixels are `row` floats apart. */
INLINE vec load_halves(const float *low, const float *high)
{
    return (vec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(low)), _mm256_loadu_ps(high), 1);
}
INLINE void store_halves(float *low, float *high, vec x)
{
    _mm256_storeu_ps(low, _mm512_castps512_ps256((__m512)x));
    _mm256_storeu_ps(high, _mm512_extractf32x8_ps((__m512)x, 1));
}
INLINE int64_t half(const int n, const int eights, int64_t row) { return n / eights * row + n % eights * EIGHT; }

/* Those of sum_pairs are finished and written, from that pixel on. */
INLINE void write_pairs(const int rows, const int eights, const product *x, int64_t pixel, product_tile sum)
{
    const int vectors = rows * eights / 2;
    const atl_epilogue *end = &x->end;
    const int64_t out = eights * EIGHT, to_row = x->p->out_pixel_stride, from_row = end->addend_pixel_stride;
    atl_epilogue dense = *end; /* what is done with arrays of the results' shape, but for the addend */
    dense.bias = NULL;
    if (end->bias)
        UNROLL
    for (int n = 0; n < vectors; n++)
        sum[n][0] += load_halves(end->bias + half(2 * n, eights, 0), end->bias + half(2 * n + 1, eights, 0));
    apply_to_tile(vectors, 1, &dense, pixel * out, VECTOR, 0, sum);
    if (end->scale)
        UNROLL
    for (int n = 0; n < vectors; n++)
        sum[n][0] *= load_halves(end->scale + half(2 * n, eights, 0), end->scale + half(2 * n + 1, eights, 0));
    if (end->addend)
        UNROLL
    for (int n = 0; n < vectors; n++) {
        const float *from = end->addend + pixel * from_row;
        sum[n][0] += load_halves(from + half(2 * n, eights, from_row), from + half(2 * n + 1, eights, from_row));
    }
    if (end->factor)
        multiply_rows(vectors, 1, end->factor + pixel * out, VECTOR, sum);
    float *to = x->result + pixel * to_row;
    if (to_row == out)
        store_tile(vectors, 1, sum, to, VECTOR);
    else
        UNROLL
    for (int n = 0; n < vectors; n++)
        store_halves(to + half(2 * n, eights, to_row), to + half(2 * n + 1, eights, to_row), sum[n][0]);
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

static const float *padded(const float *from, int64_t floats, float *to)
{
    return from ? memcpy(to, from, (size_t)floats * sizeof *to) : NULL;
}

/* The last of an odd number of pixels, as the first of two: whole vectors would read and write behind the arrays. */
INLINE void single_pixel(const int eights, const product *x, int64_t pixel)
{
    enum { PADDED = PADDED_PIXELS * MOST_EIGHTS * EIGHT };
    float residual[PADDED] = {0}, relu_grad[PADDED] = {0}, addend[PADDED] = {0}, factor[PADDED] = {0}, result[PADDED];
    uint8_t mask[PADDED / 8] = {0}, positive[PADDED / 8] = {0};
    const int64_t out = eights * EIGHT;
    const atl_pointwise p = {.in = x->p->in, .out = out, .out_pixel_stride = out}; /* both read the same pixel */
    product two = *x;
    stream_lines none;
    product_tile sum;
    two.p = &p;
    two.result = result;
    two.end.residual = padded(x->end.residual ? x->end.residual + pixel * out : NULL, out, residual);
    two.end.relu_grad = padded(x->end.relu_grad ? x->end.relu_grad + pixel * out : NULL, out, relu_grad);
    two.end.addend = padded(x->end.addend ? x->end.addend + pixel * x->end.addend_pixel_stride : NULL, out, addend);
    two.end.addend_pixel_stride = out;
    two.end.factor = padded(x->end.factor ? x->end.factor + pixel * out : NULL, out, factor);
    two.end.mask = x->end.mask ? memcpy(mask, x->end.mask + pixel * eights, (size_t)eights) : NULL;
    two.end.positive = x->end.positive ? positive : NULL;
    UNROLL
    for (int i = 0; i < STREAMS; i++)
        none[i] = x->packed;
    sum_pairs(PADDED_PIXELS, eights, &two, x->image + pixel * x->p->in_pixel_stride, none, sum);
    write_pairs(PADDED_PIXELS, eights, &two, 0, sum);
    memcpy(x->result + pixel * x->p->out_pixel_stride, result, (size_t)out * sizeof *result);
    if (x->end.positive)
        memcpy(x->end.positive + pixel * eights, positive, (size_t)eights);
}

INLINE void paired_pixels(const int rows, const int eights, const product *x, const streams *all, int64_t pixel)
{
    stream_lines line;
    product_tile sum;
    lines_of(all, pixel, 0, line);
    sum_pairs(rows, eights, x, x->image + pixel * x->p->in_pixel_stride, line, sum);
    write_pairs(rows, eights, x, pixel, sum);
}

INLINE void paired_range(const int rows, const int eights, const product *x, int64_t from, int64_t to)
{
    const streams all = new_streams(x, rows, 1, 2);
    for (; from + rows <= to; from += rows)
        paired_pixels(rows, eights, x, &all, from);
    for (; from + PADDED_PIXELS <= to; from += PADDED_PIXELS)
        paired_pixels(PADDED_PIXELS, eights, x, &all, from);
    if (from < to)
        single_pixel(eights, x, from);
}

static void multiply_pairs(const product *x, int64_t from, int64_t to)
{
    if (x->p->out == 2 * EIGHT)
        paired_range(12, 2, x, from, to);
    else if (x->p->out == 3 * EIGHT)
        paired_range(8, 3, x, from, to);
    else
        paired_range(4, 5, x, from, to);
}

#else

static int is_paired(const atl_pointwise *p)
{
    (void)p;
    return 0;
}
static int paired_rows(const atl_pointwise *p)
{
    (void)p;
    return 1;
}
static void pack_pairs(const atl_pointwise *p, const float *filter, int transposed, float *packed)
{
    (void)p, (void)filter, (void)transposed, (void)packed;
}
static void multiply_pairs(const product *x, int64_t from, int64_t to) { (void)x, (void)from, (void)to; }

#endif

#endif
