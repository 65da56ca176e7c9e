/* The gradient by the image of a convolution with few input channels.
 *
 * The lanes of a vector are channels of the result: a tile's sums, one vector for each channel of some pixels, are
 * added up over all elements of the filter that have read these pixels, and over the channels of the result a vector at
 * a time.  Only then are the lanes of each vector added.  So no lane is wasted on channels that the image lacks.
 *
 * The pixels of a tile lie a stride apart: the same elements of the filter have read them, in windows side by side. */
#include "kernels/few_channels.h"

#include "kernels/few_channels_planes.h"
#include "kernels/taps.h"

enum {
    SUMS = ATL_REGISTERS == 32 ? 24 : 12, /* vectors of sums in registers, beside those of the filter and of dy */
    MOST_PIXELS = 12                      /* of a tile */
};

/* What is the same for all pixels. */
typedef struct gradient {
    const atl_conv_sizes *f;
    const float *dy, *filter;
    float *dx;
} gradient;

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* Half of the lanes of a and of b, each added to another of the same vector.  The halves that meet are those which
 * instructions with constants bring together. */
#if defined __AVX512F__ && ATL_VECTOR == 16
INLINE vec add_halves(const int level, vec a, vec b)
{
    const __m512 x = (__m512)a, y = (__m512)b;
    const __m512d x2 = (__m512d)a, y2 = (__m512d)b;
    if (level == 0)
        return (vec)_mm512_unpacklo_ps(x, y) + (vec)_mm512_unpackhi_ps(x, y);
    if (level == 1)
        return (vec)_mm512_unpacklo_pd(x2, y2) + (vec)_mm512_unpackhi_pd(x2, y2);
    if (level == 2)
        return (vec)_mm512_shuffle_f32x4(x, y, 0x44) + (vec)_mm512_shuffle_f32x4(x, y, 0xEE);
    return (vec)_mm512_shuffle_f32x4(x, y, 0x88) + (vec)_mm512_shuffle_f32x4(x, y, 0xDD);
}
#elif defined __AVX2__ && ATL_VECTOR == 8
INLINE vec add_halves(const int level, vec a, vec b)
{
    const __m256 x = (__m256)a, y = (__m256)b;
    const __m256d x2 = (__m256d)a, y2 = (__m256d)b;
    if (level == 0)
        return (vec)_mm256_unpacklo_ps(x, y) + (vec)_mm256_unpackhi_ps(x, y);
    if (level == 1)
        return (vec)_mm256_unpacklo_pd(x2, y2) + (vec)_mm256_unpackhi_pd(x2, y2);
    return (vec)_mm256_permute2f128_ps(x, y, 0x20) + (vec)_mm256_permute2f128_ps(x, y, 0x31);
}
#else
INLINE vec add_halves(const int level, vec a, vec b)
{
    if (level == 0)
        return __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}
#endif

/* Adds the lanes of each of `count` vectors: two vectors after another become one, until each sum is one lane.  Sum i
 * is numbers[place_of_sum(count, i)]: of the lane's number, bit k tells whether it was in the second one at level k. */
INLINE void add_lanes(const int count, vec *sums, float *numbers)
{
    int n = count;
    UNROLL
    for (int level = 0; 1 << level < VECTOR; level++) {
        const int half = (n + 1) / 2;
        UNROLL
        for (int i = 0; i < half; i++)
            sums[i] = add_halves(level, sums[i], i + half < n ? sums[i + half] : (vec){0});
        n = half;
    }
    UNROLL
    for (int i = 0; i < n; i++)
        store(numbers + i * VECTOR, sums[i]);
}
INLINE int place_of_sum(const int count, int i)
{
    int n = count, lane = 0;
    UNROLL
    for (int level = 0; 1 << level < VECTOR; level++) {
        const int half = (n + 1) / 2;
        lane += (i >= half) << level;
        i = i >= half ? i - half : i;
        n = half;
    }
    return i * VECTOR + lane;
}

/* Some pixels of dx, `step` floats apart, from sums[pixel][channel]. */
INLINE void write_sums(const int pixels, const int channels, vec *sums, float *dx, int64_t step)
{
    float numbers[SUMS + VECTOR];
    add_lanes(pixels * channels, sums, numbers);
    UNROLL
    for (int p = 0; p < pixels; p++)
        UNROLL
    for (int c = 0; c < channels; c++)
        dx[p * step + c] = numbers[place_of_sum(pixels * channels, p * channels + c)];
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* A line of the row below, which the next rows read, for each line of this one. */
INLINE void fetch_next_row(const atl_conv_sizes *f, int64_t floats, const float *dy)
{
    for (int64_t i = 0; i < floats; i += LINE_FLOATS)
        __builtin_prefetch(dy + f->result_width * f->result_channels + i, 0, 2);
}

/* sums[pixel][channel] += dy times one element of the filter; `out` channels of the result. */
INLINE void add_element(const int pixels, const int channels, const int64_t out, const float *dy, const float *filter,
                        vec *sums)
{
    for (int64_t o = 0; o < out; o += VECTOR) {
        vec w[ATL_FEW_CHANNELS];
        UNROLL
        for (int c = 0; c < channels; c++)
            w[c] = load(filter + c * out + o);
        UNROLL
        for (int p = 0; p < pixels; p++) {
            /* volatile: the compiler would load it for each channel again */
            const vec d = *(const volatile vec_anywhere *)(dy + p * out + o);
            UNROLL
            for (int c = 0; c < channels; c++)
                sums[p * channels + c] += d * w[c];
        }
    }
}

/* Some pixels of dx, the first of which the elements v and h of the filter have read; dy is the pixel whose window has
 * read it by the first of these. */
INLINE void some_pixels(const int pixels, const int channels, const int64_t out, const gradient *g, taps v, taps h,
                        const float *dy, float *dx)
{
    const atl_conv_sizes *f = g->f;
    vec sums[SUMS];
    UNROLL
    for (int p = 0; p < pixels; p++) /* two loops: one of more than 16 turns is not unrolled, and sums were in memory */
        UNROLL
    for (int c = 0; c < channels; c++)
        sums[p * channels + c] = (vec){0};
    for (int64_t i = v.first; i < v.last; i += f->stride_y, dy -= f->result_width * out) {
        const float *d = dy;
        for (int64_t j = h.first; j < h.last; j += f->stride_x, d -= out)
            add_element(pixels, channels, out, d, g->filter + (i * f->filter_width + j) * channels * out, sums);
    }
    write_sums(pixels, channels, sums, dx, f->stride_x * channels);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* A row of dx, and what has read it. */
typedef struct image_row {
    taps v;          /* elements of the filter */
    const float *dy; /* the row whose windows have read it by the first of these */
    float *dx;
} image_row;

/* The pixels of a row that lie a stride apart, from `x` on. */
typedef struct row_phase {
    int64_t x, pixels;
    int64_t first, last; /* first <= i < last: pixels in tiles, which have been read by the same elements */
    taps h;              /* these elements */
    int64_t result;      /* whose window has read pixel 0 by the first of them */
} row_phase;

static row_phase phase_of(const atl_conv_sizes *f, int64_t x, int tile)
{
    const int64_t stride = f->stride_x, at = x + f->pad_left;
    row_phase r = {.x = x, .pixels = (f->width - x + stride - 1) / stride, .result = at / stride};
    r.h = (taps){at % stride, f->filter_width};
    int64_t elements = (r.h.last - r.h.first + stride - 1) / stride;
    r.first = elements - 1 > r.result ? elements - 1 - r.result : 0;
    r.last = r.pixels < f->result_width - r.result ? r.pixels : f->result_width - r.result;
    if (r.last - r.first < tile)
        r.first = r.last = r.pixels;
    return r;
}

/* The pixels of a phase before or behind its tiles. */
INLINE void lone_pixels(const int channels, const int64_t out, const gradient *g, const image_row *row,
                        const row_phase *phase, int64_t from, int64_t to)
{
    const atl_conv_sizes *f = g->f;
    for (int64_t i = from; i < to; i++) {
        int64_t x = phase->x + i * f->stride_x, at = x + f->pad_left;
        const taps h = elements_over(at, f->stride_x, f->filter_width, f->result_width);
        const float *dy = row->dy + (at - h.first) / f->stride_x * out;
        some_pixels(1, channels, out, g, row->v, h, dy, row->dx + x * channels);
    }
}

/* The pixels in tiles; the last two tiles may overlap. */
INLINE void tiled_pixels(const int tile, const int channels, const int64_t out, const gradient *g, const image_row *row,
                         const row_phase *phase)
{
    const atl_conv_sizes *f = g->f;
    const int64_t fetched = tile * out / f->stride_x; /* of the tile's part of the next row, in each phase */
    for (int64_t i = phase->first; i < phase->last; i += tile) {
        int64_t from = i < phase->last - tile ? i : phase->last - tile;
        const float *dy = row->dy + (phase->result + from) * out;
        if (row->v.first == 0)
            fetch_next_row(f, fetched, dy + phase->h.first * fetched);
        some_pixels(tile, channels, out, g, row->v, phase->h, dy, row->dx + (phase->x + from * f->stride_x) * channels);
    }
}

/* Row i of all images. */
INLINE image_row image_row_of(const gradient *g, int64_t i)
{
    const atl_conv_sizes *f = g->f;
    const int64_t y = i % f->height + f->pad_top;
    const taps v = elements_over(y, f->stride_y, f->filter_height, f->result_height);
    const int64_t result = i / f->height * f->result_height + (y - v.first) / f->stride_y;
    return (image_row){v, g->dy + result * f->result_width * f->result_channels, g->dx + i * f->width * f->channels};
}

INLINE void gradient_of_rows(const int channels, const int64_t out, const gradient *g, int64_t from, int64_t to)
{
    const int tile = SUMS / channels < MOST_PIXELS ? SUMS / channels : MOST_PIXELS;
    const atl_conv_sizes *f = g->f;
    for (int64_t i = from; i < to; i++) {
        const image_row row = image_row_of(g, i);
        for (int64_t x = 0; x < f->stride_x && x < f->width; x++) {
            const row_phase phase = phase_of(f, x, tile);
            lone_pixels(channels, out, g, &row, &phase, 0, phase.first);
            tiled_pixels(tile, channels, out, g, &row, &phase);
            lone_pixels(channels, out, g, &row, &phase, phase.last, phase.pixels);
        }
    }
}

/* Of the usual number of channels, 3, results of a usual number have loops of a known length. */
static void gradient_of_part(const gradient *g, int64_t from, int64_t to)
{
    const int64_t channels = g->f->channels, out = g->f->result_channels;
    if (channels == 1)
        gradient_of_rows(1, out, g, from, to);
    else if (channels == 2)
        gradient_of_rows(2, out, g, from, to);
    else if (channels == 4)
        gradient_of_rows(4, out, g, from, to);
    else if (out == 64)
        gradient_of_rows(3, 64, g, from, to);
    else if (out == 32)
        gradient_of_rows(3, 32, g, from, to);
    else
        gradient_of_rows(3, out, g, from, to);
}

/* Pixels by planes, and again those at the edges. */
static void gradient_by_planes(const gradient *g, int64_t from, int64_t to, float *scratch)
{
    const atl_conv_sizes *f = g->f;
    const int64_t out = f->result_channels;
    plane_rows planes = planes_at(f, scratch);
    memset(scratch, 0, (size_t)floats_of_planes(f) * sizeof *scratch);
    for (int64_t i = from; i < to; i++) {
        const image_row row = image_row_of(g, i);
        const int64_t last = row.dy < g->dy ? 0 : (row.dy - g->dy) / (f->result_width * out);
        row_by_planes(f, &planes, row.v, last, g->dy, g->filter, row.dx);
        for (int64_t x = 0; x < f->stride_x; x++) {
            const row_phase phase = phase_of(f, x, 1);
            lone_pixels(PLANES, out, g, &row, &phase, 0, phase.first);
            lone_pixels(PLANES, out, g, &row, &phase, phase.last, phase.pixels);
        }
    }
}

int64_t KERNEL(few_channels_image_scratch)(const atl_conv_sizes *f)
{
    return has_planes(f) ? f->workers * floats_of_planes(f) : 0;
}

void KERNEL(few_channels_image_gradient)(const atl_conv_sizes *f, const float *dy, const float *filter, float *scratch,
                                         float *dx)
{
    const gradient g = {f, dy, filter, dx};
    const int64_t rows = f->batch * f->height;
#pragma omp parallel for num_threads(f->workers) schedule(static, 1) if (f->workers > 1)
    for (int worker = 0; worker < f->workers; worker++) {
        const int64_t from = rows * worker / f->workers, to = rows * (worker + 1) / f->workers;
        if (has_planes(f))
            gradient_by_planes(&g, from, to, scratch + worker * floats_of_planes(f));
        else
            gradient_of_part(&g, from, to);
    }
}
