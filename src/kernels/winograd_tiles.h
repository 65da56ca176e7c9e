/* Winograd's method: sizes, the transforms, and the way of a tile to its points and back.  Included by the sources of
 * the kernel only.
 *
 * With p the points, a filter g of r numbers and a tile of four results, which reads as many pixels as there are
 * points, r + 3,
 *
 *     y = A' [(G g) * (B' x)]
 *
 * in each direction.  M is the polynomial of which the finite points are the zeros.  Row p of B' is M(x) / (x - p), row
 * p of G is (1, p, p^2, ...) / M'(p), row k of A' is p^k; infinity has M in B', and 1 in the last column of A' and the
 * last row of G, and zeros before. The gradient by the filter has r results of four numbers: dw = A' [(G dy) * (B' x)],
 * summed over tiles before A' is applied. */
#ifndef ATLED_KERNELS_WINOGRAD_TILES_H
#define ATLED_KERNELS_WINOGRAD_TILES_H

#include "kernels/vectors.h"
#include "common/numbers.h"
#include "kernels/winograd.h"

enum { TILE = 4, MAX_KERNEL_SIZE = 5, MAX_SIDE = MAX_KERNEL_SIZE + 3, MAX_POINTS = MAX_SIDE * MAX_SIDE, PADDING = 16 };

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

typedef struct plan {
    int64_t tile_points;        /* in both directions */
    int64_t down, across;       /* tiles */
    int64_t tiles;              /* of the whole batch */
    int64_t block;              /* tiles that are worked on at once */
    int64_t parts, part;        /* the outputs are shared among so many workers; outputs of each */
    int64_t depth;              /* inputs of a slice of the block's x */
    int64_t x_stride, y_stride; /* floats from point to point of a block */
} plan;

static inline plan tiles_of(const atl_winograd *w)
{
    plan p = {.tile_points = (w->kernel_size + 3) * (w->kernel_size + 3), .parts = 1, .part = w->out, .depth = w->in};
    p.down = (w->result_height + TILE - 1) / TILE;
    p.across = (w->result_width + TILE - 1) / TILE;
    p.tiles = w->batch * p.down * p.across;
    return p;
}

/* Floats from point to point of a transformed filter, or of the sums for one. */
static inline int64_t filter_stride(const atl_winograd *w) { return w->in * w->out + PADDING; }

/* ---- transforms of as many values as there are points, or to them ------------------------------------------------ */

/* B' x, at 0, 1, -1, 2, -2, infinity: M = x (x^2 - 1) (x^2 - 4) */
INLINE void to_6_points(const vec *x, int stride, vec *to, int to_stride)
{
    vec x0 = x[0], x1 = x[stride], x2 = x[2 * stride], x3 = x[3 * stride], x4 = x[4 * stride], x5 = x[5 * stride];
    vec a = x4 - 4 * x2, b = x3 - 4 * x1, c = x4 - x2, d = 2 * (x3 - x1);
    to[0] = 4 * x0 - 5 * x2 + x4;
    to[to_stride] = a + b;
    to[2 * to_stride] = a - b;
    to[3 * to_stride] = c + d;
    to[4 * to_stride] = c - d;
    to[5 * to_stride] = 4 * x1 - 5 * x3 + x5;
}

/* B' x, at 0, 1, -1, 2, -2, 1/2, -1/2, infinity: M = x (x^2 - 1) (x^2 - 4) (x^2 - 1/4) */
INLINE void to_8_points(const vec *x, int stride, vec *to, int to_stride)
{
    vec x0 = x[0], x1 = x[stride], x2 = x[2 * stride], x3 = x[3 * stride];
    vec x4 = x[4 * stride], x5 = x[5 * stride], x6 = x[6 * stride], x7 = x[7 * stride];
    vec a = x6 - 4.25f * x4 + x2, b = x5 - 4.25f * x3 + x1;
    vec c = x6 - 1.25f * x4 + 0.25f * x2, d = 2 * x5 - 2.5f * x3 + 0.5f * x1;
    vec e = x6 - 5 * x4 + 4 * x2, f = 0.5f * x5 - 2.5f * x3 + 2 * x1;
    to[0] = x6 - x0 + 5.25f * (x2 - x4);
    to[to_stride] = a + b;
    to[2 * to_stride] = a - b;
    to[3 * to_stride] = c + d;
    to[4 * to_stride] = c - d;
    to[5 * to_stride] = e + f;
    to[6 * to_stride] = e - f;
    to[7 * to_stride] = x7 - x1 + 5.25f * (x3 - x5);
}

INLINE void to_points(const int side, const vec *x, int stride, vec *to, int to_stride)
{
    if (side == 6)
        to_6_points(x, stride, to, to_stride);
    else
        to_8_points(x, stride, to, to_stride);
}

/* A' m, of `count` rows. */
INLINE void from_points(const int side, const int count, const vec *m, int stride, vec *to, int to_stride)
{
    vec m0 = m[0], last = m[(side - 1) * stride];
    vec p = m[stride] + m[2 * stride], q = m[stride] - m[2 * stride];
    vec r = m[3 * stride] + m[4 * stride], s = m[3 * stride] - m[4 * stride];
    vec y[MAX_KERNEL_SIZE] = {m0 + p + r, q + 2 * s, p + 4 * r, q + 8 * s, p + 16 * r};
    if (side == 8) {
        vec t = m[5 * stride] + m[6 * stride], u = m[5 * stride] - m[6 * stride];
        y[0] += t, y[1] += u * (1.0f / 2), y[2] += t * (1.0f / 4), y[3] += u * (1.0f / 8), y[4] += t * (1.0f / 16);
    }
    UNROLL
    for (int i = 0; i < count; i++)
        to[i * to_stride] = i == count - 1 ? y[i] + last : y[i];
}

/* G g, of `count` kernel_size. */
INLINE void filter_transform(const int side, const int count, const vec *g, int stride, vec *to, int to_stride)
{
    vec zero = {0}, g0 = g[0], g1 = g[stride], g2 = g[2 * stride];
    vec g3 = count > 3 ? g[3 * stride] : zero, g4 = count > 4 ? g[4 * stride] : zero;
    vec even = g0 + g2 + g4, odd = g1 + g3, even2 = g0 + 4 * g2 + 16 * g4, odd2 = 2 * g1 + 8 * g3;
    float at1 = side == 6 ? -1.0f / 6 : -2.0f / 9, at2 = side == 6 ? 1.0f / 24 : 1.0f / 90; /* 1 / M' */
    to[0] = g0 * (side == 6 ? 1.0f / 4 : -1.0f);
    to[to_stride] = (even + odd) * at1;
    to[2 * to_stride] = (even - odd) * at1;
    to[3 * to_stride] = (even2 + odd2) * at2;
    to[4 * to_stride] = (even2 - odd2) * at2;
    if (side == 8) {
        vec half_even = g0 + g2 * (1.0f / 4) + g4 * (1.0f / 16), half_odd = g1 * (1.0f / 2) + g3 * (1.0f / 8);
        to[5 * to_stride] = (half_even + half_odd) * (32.0f / 45);
        to[6 * to_stride] = (half_even - half_odd) * (32.0f / 45);
    }
    to[(side - 1) * to_stride] = g[(count - 1) * stride];
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

typedef struct place { /* of a tile: its example, and its first result */
    int64_t n, y, x;
} place;

static inline place place_of(const plan *p, int64_t tile)
{
    return (place){tile / (p->down * p->across), tile / p->across % p->down * TILE, tile % p->across * TILE};
}

/* Rows and columns of a square of pixels that are inside an array of that size. */
typedef struct inside {
    int64_t top, bottom, left, right;
} inside;

static inline int64_t clamp(int64_t x, int64_t most) { return x < 0 ? 0 : x < most ? x : most; }

static inline inside part_inside(int64_t y, int64_t x, int64_t side, int64_t height, int64_t width)
{
    return (inside){clamp(-y, side), clamp(height - y, side), clamp(-x, side), clamp(width - x, side)};
}

/* A square of pixels with zeros around the array: 16 channels of it. */
INLINE void load_square(const int side, const float *from, int64_t row, int64_t pixel, const inside *in, vec *to)
{
    vec zero = {0};
    if (in->top == 0 && in->left == 0 && in->bottom == side && in->right == side) {
        UNROLL
        for (int i = 0; i < side; i++)
            UNROLL
        for (int j = 0; j < side; j++)
            to[i * side + j] = load(from + i * row + j * pixel);
        return;
    }
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            to[i * side + j] = i >= in->top && i < in->bottom && j >= in->left && j < in->right
                                   ? load(from + i * row + j * pixel)
                                   : zero;
}

/* B' x B of one tile, its channels first..last-1; point p goes to to[p * stride]. */
INLINE void tile_to_points(const int side, const atl_winograd *w, const plan *p, int64_t tile, int64_t first,
                           int64_t last, const float *image, float *to)
{
    place at = place_of(p, tile);
    int64_t y = at.y - w->pad_top, x = at.x - w->pad_left,
            pixel_stride = w->in_pixel_stride ? w->in_pixel_stride : w->in;
    int64_t row = w->width * pixel_stride;
    const float *from = image + (at.n * w->height + y) * row + x * pixel_stride;
    inside in = part_inside(y, x, side, w->height, w->width);
    const int64_t stride = p->x_stride;
    for (int64_t c = first; c < last; c += VECTOR, to += VECTOR) {
        vec all[MAX_POINTS], half[MAX_POINTS];
        load_square(side, from + c, row, pixel_stride, &in, all);
        UNROLL
        for (int j = 0; j < side; j++)
            to_points(side, all + j, side, half + j, side);
        UNROLL
        for (int i = 0; i < side; i++)
            to_points(side, half + i * side, 1, all + i * side, 1);
        UNROLL
        for (int k = 0; k < side * side; k++)
            store(to + k * stride, all[k]);
    }
}

/* A' m A of one tile, for p->part outputs from `first` on; point k is at from[k * p->y_stride]. */
INLINE void tile_from_points(const int side, const atl_winograd *w, const plan *p, int64_t tile, int64_t first,
                             const float *from, const atl_epilogue *end, float *result)
{
    place at = place_of(p, tile);
    int64_t start = (at.n * w->result_height + at.y) * w->result_width + at.x;
    int64_t pixel_stride = w->out_pixel_stride ? w->out_pixel_stride : w->out;
    int64_t rows = clamp(w->result_height - at.y, TILE), columns = clamp(w->result_width - at.x, TILE);
    for (int64_t c = 0; c < p->part; c += VECTOR) {
        vec all[MAX_POINTS], half[TILE * MAX_SIDE];
        UNROLL
        for (int k = 0; k < side * side; k++)
            all[k] = load(from + k * p->y_stride + c);
        UNROLL
        for (int j = 0; j < side; j++)
            from_points(side, TILE, all + j, side, half + j, side);
        UNROLL
        for (int i = 0; i < TILE; i++)
            from_points(side, TILE, half + i * side, 1, all + i * TILE, 1);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                int64_t pixel = start + i * w->result_width + j, channel = first + c;
                store(result + pixel * pixel_stride + channel,
                      apply_epilogue(end, all[i * TILE + j], pixel * w->out + channel, channel));
            }
    }
}

/* A block of tiles to x, point by point: [slices][points][tiles][p->depth], with all inputs in slices of p->depth. */
INLINE void block_to_points(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, const float *image,
                            float *x)
{
    const int64_t in = w->in, depth = p->depth, slice = p->tile_points * p->x_stride;
    for (int64_t t = 0; t < tiles; t++) {
        float *to = x + t * depth;
        for (int64_t i = 0; i < in; i += depth, to += slice) {
            int64_t last = i + depth < in ? i + depth : in;
            if (w->kernel_size == 3)
                tile_to_points(6, w, p, first + t, i, last, image, to);
            else
                tile_to_points(8, w, p, first + t, i, last, image, to);
        }
    }
}

/* The products take whole groups of rows: zeros stand for the tiles that are missing. */
static inline void clear_rows(const atl_winograd *w, const plan *p, int64_t from, int64_t to, float *x)
{
    int64_t slices = (w->in + p->depth - 1) / p->depth;
    for (int64_t k = 0; k < slices * p->tile_points && from < to; k++)
        memset(x + k * p->x_stride + from * p->depth, 0, (size_t)((to - from) * p->depth) * sizeof *x);
}

/* ---- the filter -------------------------------------------------------------------------------------------------- */

/* G g G' of one input for VECTOR outputs, tap t being g[t]: point p goes to to[p * point]. */
INLINE void taps_to_points(const int size, const vec *g, int64_t point, float *to)
{
    const int side = size + 3;
    vec half[MAX_KERNEL_SIZE * MAX_SIDE], all[MAX_POINTS];
    UNROLL
    for (int y = 0; y < size; y++)
        filter_transform(side, size, g + y * size, 1, half + y * side, 1);
    UNROLL
    for (int x = 0; x < side; x++)
        filter_transform(side, size, half + x, side, all + x, side);
    for (int p = 0; p < side * side; p++)
        store(to + p * point, all[p]);
}

/* Input i, of a filter that is not transposed. */
INLINE void filter_row_to_points(const int size, const atl_winograd *w, const float *filter, int64_t i, int64_t o,
                                 int64_t point, float *to)
{
    vec taps[MAX_KERNEL_SIZE * MAX_KERNEL_SIZE];
    UNROLL
    for (int t = 0; t < size * size; t++) {
        const float *from = filter + (t * w->in + i) * w->out + o;
        __builtin_prefetch(from + 4 * w->out); /* some inputs later: rows lie far from each other */
        taps[t] = load(from);
    }
    taps_to_points(size, taps, point, to);
}

/* VECTOR inputs from i on and as many outputs from o on: input i + k at point p goes to to[p * point + k * row].  Where
 * the filter lies transposed, whole vectors of inputs are read, and turned. */
INLINE void filter_square_to_points(const int size, const atl_winograd *w, const float *filter, int transposed,
                                    int64_t i, int64_t o, int64_t point, int64_t row, float *to)
{
    vec taps[VECTOR * MAX_KERNEL_SIZE * MAX_KERNEL_SIZE];
    for (int k = 0; k < VECTOR && !transposed; k++)
        filter_row_to_points(size, w, filter, i + k, o, point, to + k * row);
    for (int t = 0; t < size * size && transposed; t++) {
        const float *from = filter + ((size * size - 1 - t) * w->out + o) * w->in + i;
        vec square[VECTOR];
        for (int k = 0; k < VECTOR; k++) {
            __builtin_prefetch(from + k * w->in + VECTOR);
            square[k] = load(from + k * w->in);
        }
        turn_square(square);
        for (int k = 0; k < VECTOR; k++)
            taps[k * size * size + t] = square[k];
    }
    for (int k = 0; k < VECTOR && transposed; k++)
        taps_to_points(size, taps + k * size * size, point, to + k * row);
}

#endif
