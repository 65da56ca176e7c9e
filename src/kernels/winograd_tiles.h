/* Winograd's method: the transforms, and the way of a tile to its points and back.  Included by the sources of
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

#include "kernels/winograd_plan.h"

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

/* The same for two results, at 0, 1, -1, infinity: M = x (x^2 - 1).  Row p has the factor by which G's 1 / M'(p) is not
 * that of four results, so that the filter's transform is the same: -4, -3, -3, 1. */
INLINE void to_short_points(const vec *x, int stride, vec *to, int to_stride)
{
    vec x0 = x[0], x1 = x[stride], x2 = x[2 * stride], x3 = x[3 * stride];
    to[0] = 4 * (x0 - x2);
    to[to_stride] = -3 * (x1 + x2);
    to[2 * to_stride] = 3 * (x1 - x2);
    to[3 * to_stride] = x3 - x1;
}

INLINE void to_points(const int side, const vec *x, int stride, vec *to, int to_stride)
{
    if (side == SHORT_SIDE)
        to_short_points(x, stride, to, to_stride);
    else if (side == 6)
        to_6_points(x, stride, to, to_stride);
    else
        to_8_points(x, stride, to, to_stride);
}

/* A' m, of `count` rows. */
INLINE void from_points(const int side, const int count, const vec *m, int stride, vec *to, int to_stride)
{
    vec m0 = m[0], last = m[(side - 1) * stride];
    vec p = m[stride] + m[2 * stride], q = m[stride] - m[2 * stride];
    vec r = {0}, s = {0};
    if (side > SHORT_SIDE) {
        r = m[3 * stride] + m[4 * stride];
        s = m[3 * stride] - m[4 * stride];
    }
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

/* Rows and columns of pixels, as far apart as the dilation.  They may reach beyond the array, where zeros are. */
typedef struct pixels {
    int64_t row_stride, pixel_stride; /* floats from one to the next */
    int is_inside;                    /* as a whole; else: */
    uint32_t rows, columns;           /* bit i: row or column i is inside */
} pixels;

/* Of `count` rows or columns from `start` on, `step` apart, those that are inside. */
static inline uint32_t inside_bits(int count, int64_t start, int64_t step, int64_t size)
{
    const int64_t first = clamp(steps_over(-start, step), count), end = clamp(steps_over(size - start, step), count);
    return ((1u << end) - 1) & ~((1u << first) - 1);
}

/* `y` and `x`: the first pixel in an array of that size. */
static inline pixels pixels_of(const plan *p, int rows, int columns, int64_t y, int64_t x, int64_t height,
                               int64_t width, int64_t row, int64_t pixel)
{
    const int64_t down = p->down.dilation, across = p->across.dilation;
    pixels read = {.row_stride = down * row, .pixel_stride = across * pixel};
    read.is_inside = y >= 0 && x >= 0 && y + (rows - 1) * down < height && x + (columns - 1) * across < width;
    if (!read.is_inside) {
        read.rows = inside_bits(rows, y, down, height);
        read.columns = inside_bits(columns, x, across, width);
    }
    return read;
}

/* Where so many rows begin. */
INLINE void find_rows(const int count, const float *from, int64_t stride, const float **row)
{
    UNROLL
    for (int i = 0; i < count; i++, from += stride) {
        HIDE_ADDRESS(from);
        row[i] = from;
    }
}

/* A vector of channels of each pixel of column j.  Only pixels inside of the array are read. */
INLINE void load_column(const int rows, const pixels *p, const float *const *row, int j, vec *to)
{
    static const float zeros[VECTOR] = {0};
    const uint32_t inside = p->columns >> j & 1 ? p->rows : 0;
    UNROLL
    for (int i = 0; i < rows; i++) {
        const float *pixel = row[i] + j * p->pixel_stride;
        to[i] = load(p->is_inside || inside >> i & 1 ? pixel : zeros);
    }
}

/* Which point of a whole tile is point i of one with `points` in this direction. */
INLINE int whole_point(const int side, const int points, int i) { return i == points - 1 ? side - 1 : i; }

/* Points from point i to the next one. */
INLINE int to_next_point(const int side, const int points, int i)
{
    return whole_point(side, points, i + 1) - whole_point(side, points, i);
}

/* B' x B of one tile with `down` and `across` points, its channels first..last-1; point p goes to to[p * stride]. */
INLINE void tile_to_points(const int side, const int down, const int across, const atl_winograd *w, const plan *p,
                           const place *at, int64_t first, int64_t last, const float *image, float *to)
{
    const int64_t y = at->y - w->pad_top, x = at->x - w->pad_left, stride = p->x_stride;
    const int64_t pixel = w->in_pixel_stride ? w->in_pixel_stride : w->in, row = w->width * pixel;
    const float *from = image + (at->n * w->height + y) * row + x * pixel;
    const pixels read = pixels_of(p, down, across, y, x, w->height, w->width, row, pixel);
    for (int64_t c = first; c < last; c += VECTOR, to += VECTOR) {
        vec half[MAX_POINTS], line[MAX_SIDE];
        const float *rows[MAX_SIDE];
        find_rows(down, from + c, read.row_stride, rows);
        UNROLL
        for (int j = 0; j < across; j++) {
            load_column(down, &read, rows, j, line);
            to_points(down, line, 1, half + j, across);
        }
        float *points = to;
        UNROLL
        for (int i = 0; i < down; i++) {
            to_points(across, half + i * across, 1, line, 1);
            UNROLL
            for (int j = 0; j < across; j++)
                store(points + whole_point(side, across, j) * stride, line[j]);
            points += to_next_point(side, down, i) * side * stride;
            HIDE_ADDRESS(points);
        }
    }
}

/* Some results of a row, `step` pixels apart, of a vector of channels; `columns`: those inside of the image. */
INLINE void store_pixels(const int count, int64_t columns, int64_t step, const atl_winograd *w, const atl_epilogue *end,
                         int64_t pixel, int64_t channel, product_tile made, float *result)
{
    const int64_t stride = w->out_pixel_stride ? w->out_pixel_stride : w->out, next = step * stride;
    const int64_t at = pixel * w->out + channel, row = step * w->out;
    float *to = result + pixel * stride + channel;
    if (columns == count) {
        apply_to_tile(count, 1, end, at, row, channel, made);
        UNROLL
        for (int j = 0; j < count; j++, to += next)
            store(to, made[j][0]);
    } else
        for (int64_t j = 0; j < columns; j++)
            store(to + j * next, apply_epilogue(end, made[j][0], at + j * row, channel));
}

/* A' m A of one tile, for p->part outputs from `first` on; point k is at from[k * p->y_stride]. */
INLINE void tile_from_points(const int side, const int down, const int across, const atl_winograd *w, const plan *p,
                             const place *at, int64_t first, const float *from, const atl_epilogue *end, float *result)
{
    const int made_down = down - side + TILE, made_across = across - side + TILE; /* results */
    int64_t start = (at->n * w->result_height + at->y) * w->result_width + at->x;
    const int64_t step = p->across.dilation, row = p->down.dilation * w->result_width; /* pixels */
    const int64_t rows = clamp(steps_over(w->result_height - at->y, p->down.dilation), made_down);
    const int64_t columns = clamp(steps_over(w->result_width - at->x, step), made_across);
    for (int64_t c = 0; c < p->part; c += VECTOR) {
        vec half[TILE * MAX_SIDE], line[MAX_SIDE];
        const float *points[MAX_SIDE];
        find_rows(down, from + c, side * p->y_stride, points);
        UNROLL
        for (int j = 0; j < across; j++) {
            UNROLL
            for (int i = 0; i < down; i++) {
                const int64_t last = (whole_point(side, down, i) - i) * side; /* from the next point to the last one */
                line[i] = load(points[i] + (last + whole_point(side, across, j)) * p->y_stride);
            }
            from_points(down, made_down, line, 1, half + j, across);
        }
        UNROLL
        for (int i = 0; i < made_down; i++) {
            product_tile made;
            from_points(across, made_across, half + i * across, 1, line, 1);
            UNROLL
            for (int j = 0; j < made_across; j++)
                made[j][0] = line[j];
            if (i < rows)
                store_pixels(made_across, columns, step, w, end, start + i * row, first + c, made, result);
        }
    }
}

/* Calls function(side, points down, points across, ...) with the sizes of a tile as constants. */
#define FOR_KIND(kernel_size, kind, function, ...)                                                                     \
    do {                                                                                                               \
        if (kernel_size == 5)                                                                                          \
            function(8, 8, 8, __VA_ARGS__);                                                                            \
        else if (kind == WHOLE)                                                                                        \
            function(6, 6, 6, __VA_ARGS__);                                                                            \
        else if (kind == SHORT_DOWN)                                                                                   \
            function(6, SHORT_SIDE, 6, __VA_ARGS__);                                                                   \
        else if (kind == SHORT_ACROSS)                                                                                 \
            function(6, 6, SHORT_SIDE, __VA_ARGS__);                                                                   \
        else                                                                                                           \
            function(6, SHORT_SIDE, SHORT_SIDE, __VA_ARGS__);                                                          \
    } while (0)

/* A block of tiles to x, point by point: [slices][points][tiles][p->depth], with all inputs in slices of p->depth. */
static inline void block_to_points(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles,
                                   const float *image, float *x)
{
    const int64_t in = w->in, depth = p->depth, slice = p->tile_points * p->x_stride;
    place at = place_of(p, first);
    for (int64_t t = 0; t < tiles; t++, to_next_place(p, first + t, &at)) {
        float *to = x + t * depth;
        for (int64_t i = 0; i < in; i += depth, to += slice) {
            int64_t last = i + depth < in ? i + depth : in;
            FOR_KIND(w->kernel_size, at.kind, tile_to_points, w, p, &at, i, last, image, to);
        }
    }
}

/* The results of a block of tiles, for p->part outputs from `first_out` on. */
static inline void block_from_points(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles,
                                     int64_t first_out, const float *y, const atl_epilogue *end, float *result)
{
    place at = place_of(p, first);
    for (int64_t t = 0; t < tiles; t++, to_next_place(p, first + t, &at))
        FOR_KIND(w->kernel_size, at.kind, tile_from_points, w, p, &at, first_out, y + t * p->part, end, result);
}

/* The products take whole groups of rows: zeros stand for the tiles that are missing. */
static inline void clear_rows(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, int64_t rows,
                              float *x)
{
    int64_t slices = (w->in + p->depth - 1) / p->depth;
    for (int64_t k = 0; k < slices * p->tile_points; k++) {
        const point_rows r = rows_with_point(p, k % p->tile_points, first, tiles, rows);
        if (r.to < r.end)
            memset(x + k * p->x_stride + r.to * p->depth, 0, (size_t)((r.end - r.to) * p->depth) * sizeof *x);
    }
}

/* ---- the filter -------------------------------------------------------------------------------------------------- */

/* Of G g G' of one input for VECTOR outputs, tap t being g[t], the columns first..last-1: point (y, x) goes to
 * to[(y * columns + x - first) * point] for so many columns. */
INLINE void taps_to_points(const int size, int first, int last, const vec *g, int64_t point, float *to)
{
    const int side = size + 3;
    vec half[MAX_KERNEL_SIZE * MAX_SIDE], all[MAX_POINTS];
    float *rows[MAX_SIDE];
    to -= first * point;
    UNROLL
    for (int y = 0; y < side; y++, to += (last - first) * point) {
        HIDE_ADDRESS(to);
        rows[y] = to;
    }
    UNROLL
    for (int y = 0; y < size; y++)
        filter_transform(side, size, g + y * size, 1, half + y * side, 1);
    UNROLL
    for (int x = 0; x < side; x++)
        if (x >= first && x < last) {
            filter_transform(side, size, half + x, side, all, 1);
            UNROLL
            for (int y = 0; y < side; y++)
                store(rows[y] + x * point, all[y]);
        }
}

/* Input i, of a filter that is not transposed. */
INLINE void filter_row_to_points(const int size, const atl_winograd *w, const float *filter, int64_t i, int64_t o,
                                 int64_t point, float *to)
{
    vec taps[MAX_KERNEL_SIZE * MAX_KERNEL_SIZE];
    const float *from = filter + i * w->out + o;
    UNROLL
    for (int t = 0; t < size * size; t++, from += w->in * w->out) {
        HIDE_ADDRESS(from);
        __builtin_prefetch(from + 4 * w->out); /* some inputs later: rows lie far from each other */
        taps[t] = load(from);
    }
    taps_to_points(size, 0, size + 3, taps, point, to);
}

/* VECTOR rows of as many floats, turned; fetches what lies behind them. */
INLINE void load_turned(const float *from, int64_t row, vec square[VECTOR])
{
    for (int k = 0; k < VECTOR; k++) {
        __builtin_prefetch(from + k * row + VECTOR);
        square[k] = load(from + k * row);
    }
    turn_square(square);
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
        load_turned(from, w->in, square);
        for (int k = 0; k < VECTOR; k++)
            taps[k * size * size + t] = square[k];
    }
    for (int k = 0; k < VECTOR && transposed; k++)
        taps_to_points(size, 0, size + 3, taps + k * size * size, point, to + k * row);
}

#endif
