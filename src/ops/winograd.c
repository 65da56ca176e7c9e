/* Convolutions by Winograd's method.
 *
 * With p the points, a filter g of r taps and a tile of four results, which reads as many pixels as there are points, r + 3,
 *
 *     y = A' [(G g) * (B' x)]
 *
 * in each direction.  M is the polynomial of which the finite points are the zeros.  Row p of B' is M(x) / (x - p), row p of G is
 * (1, p, p^2, ...) / M'(p), row k of A' is p^k; infinity has M in B', and 1 in the last column of A' and the last row of G, and zeros before.
 * The gradient by the filter has r results of four taps: dw = A' [(G dy) * (B' x)], summed over tiles before A' is applied. */
#include "ops/winograd.h"

#include <string.h>

#include "ops/lanes.h"

enum { TILE = 4, MOST_TAPS = 5, MOST_SIDE = MOST_TAPS + 3, MOST_POINTS = MOST_SIDE * MOST_SIDE, APART = 16 };

int atl_winograd_pays(void) { return atl_has_wide_lanes(); }

/* ---- sizes ---------------------------------------------------------------------------------------------------------- */

typedef struct plan {
    int64_t points;           /* in both directions */
    int64_t down, across;     /* tiles */
    int64_t tiles;            /* of the whole batch */
    int64_t block;            /* tiles that are worked on at once */
    int64_t parts, part;      /* the outputs are shared among so many workers; outputs of each */
    int64_t x_apart, y_apart; /* floats from point to point of a block */
} plan;

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

static plan plan_of(const atl_winograd *w)
{
    enum { CACHE = 400 << 10 };
    plan p = {.points = (w->taps + 3) * (w->taps + 3), .parts = 1};
    int64_t rows = rows_beside(lanes_side_by_side(w->out)),
            blocks_of_out = w->out / (lanes_side_by_side(w->out) * LANES);
    p.down = (w->result_height + TILE - 1) / TILE;
    p.across = (w->result_width + TILE - 1) / TILE;
    p.tiles = w->batch * p.down * p.across;
    if (p.tiles < 2 * rows * w->workers && blocks_of_out % w->workers == 0)
        p.parts = w->workers;
    p.part = w->out / p.parts;
    int64_t most = CACHE / (p.points * 4) / (w->in + p.part), share = (p.tiles * p.parts + w->workers - 1) / w->workers;
    most = most < rows ? rows : most / rows * rows;
    int64_t blocks = (share + most - 1) / most;
    p.block = round_up((share + blocks - 1) / blocks, rows);
    p.x_apart = p.block * w->in + APART;
    p.y_apart = p.block * p.part + APART;
    return p;
}

/* Floats from point to point of a transformed filter, or of the sums for one. */
static int64_t filter_apart(const atl_winograd *w) { return w->in * w->out + APART; }

int64_t atl_winograd_filter_floats(const atl_winograd *w) { return plan_of(w).points * filter_apart(w); }

int64_t atl_winograd_scratch_floats(const atl_winograd *w)
{
    plan p = plan_of(w);
    return w->workers * p.points * (p.x_apart + p.y_apart);
}

/* ---- transforms of as many values as there are points, or to them ----------------------------------------------------- */

/* B' x, at 0, 1, -1, 2, -2, infinity: M = x (x^2 - 1) (x^2 - 4) */
WIDE_INLINE void to_6_points(const lanes *x, int pixel_stride, lanes *to, int to_apart)
{
    lanes x0 = x[0], x1 = x[pixel_stride], x2 = x[2 * pixel_stride], x3 = x[3 * pixel_stride], x4 = x[4 * pixel_stride],
          x5 = x[5 * pixel_stride];
    lanes a = x4 - 4 * x2, b = x3 - 4 * x1, c = x4 - x2, d = 2 * (x3 - x1);
    to[0] = 4 * x0 - 5 * x2 + x4;
    to[to_apart] = a + b;
    to[2 * to_apart] = a - b;
    to[3 * to_apart] = c + d;
    to[4 * to_apart] = c - d;
    to[5 * to_apart] = 4 * x1 - 5 * x3 + x5;
}

/* B' x, at 0, 1, -1, 2, -2, 1/2, -1/2, infinity: M = x (x^2 - 1) (x^2 - 4) (x^2 - 1/4) */
WIDE_INLINE void to_8_points(const lanes *x, int pixel_stride, lanes *to, int to_apart)
{
    lanes x0 = x[0], x1 = x[pixel_stride], x2 = x[2 * pixel_stride], x3 = x[3 * pixel_stride];
    lanes x4 = x[4 * pixel_stride], x5 = x[5 * pixel_stride], x6 = x[6 * pixel_stride], x7 = x[7 * pixel_stride];
    lanes a = x6 - 4.25f * x4 + x2, b = x5 - 4.25f * x3 + x1;
    lanes c = x6 - 1.25f * x4 + 0.25f * x2, d = 2 * x5 - 2.5f * x3 + 0.5f * x1;
    lanes e = x6 - 5 * x4 + 4 * x2, f = 0.5f * x5 - 2.5f * x3 + 2 * x1;
    to[0] = x6 - x0 + 5.25f * (x2 - x4);
    to[to_apart] = a + b;
    to[2 * to_apart] = a - b;
    to[3 * to_apart] = c + d;
    to[4 * to_apart] = c - d;
    to[5 * to_apart] = e + f;
    to[6 * to_apart] = e - f;
    to[7 * to_apart] = x7 - x1 + 5.25f * (x3 - x5);
}

WIDE_INLINE void to_points(const int side, const lanes *x, int pixel_stride, lanes *to, int to_apart)
{
    if (side == 6)
        to_6_points(x, pixel_stride, to, to_apart);
    else
        to_8_points(x, pixel_stride, to, to_apart);
}

/* A' m, of `count` rows. */
WIDE_INLINE void from_points(const int side, const int count, const lanes *m, int pixel_stride, lanes *to, int to_apart)
{
    lanes m0 = m[0], last = m[(side - 1) * pixel_stride];
    lanes p = m[pixel_stride] + m[2 * pixel_stride], q = m[pixel_stride] - m[2 * pixel_stride];
    lanes r = m[3 * pixel_stride] + m[4 * pixel_stride], s = m[3 * pixel_stride] - m[4 * pixel_stride];
    lanes y[MOST_TAPS] = {m0 + p + r, q + 2 * s, p + 4 * r, q + 8 * s, p + 16 * r};
    if (side == 8) {
        lanes t = m[5 * pixel_stride] + m[6 * pixel_stride], u = m[5 * pixel_stride] - m[6 * pixel_stride];
        y[0] += t, y[1] += u * (1.0f / 2), y[2] += t * (1.0f / 4), y[3] += u * (1.0f / 8), y[4] += t * (1.0f / 16);
    }
    UNROLL
    for (int i = 0; i < count; i++)
        to[i * to_apart] = i == count - 1 ? y[i] + last : y[i];
}

/* G g, of `count` taps. */
WIDE_INLINE void spread(const int side, const int count, const lanes *g, int pixel_stride, lanes *to, int to_apart)
{
    lanes zero = {0}, g0 = g[0], g1 = g[pixel_stride], g2 = g[2 * pixel_stride];
    lanes g3 = count > 3 ? g[3 * pixel_stride] : zero, g4 = count > 4 ? g[4 * pixel_stride] : zero;
    lanes even = g0 + g2 + g4, odd = g1 + g3, even2 = g0 + 4 * g2 + 16 * g4, odd2 = 2 * g1 + 8 * g3;
    float at1 = side == 6 ? -1.0f / 6 : -2.0f / 9, at2 = side == 6 ? 1.0f / 24 : 1.0f / 90; /* 1 / M' */
    to[0] = g0 * (side == 6 ? 1.0f / 4 : -1.0f);
    to[to_apart] = (even + odd) * at1;
    to[2 * to_apart] = (even - odd) * at1;
    to[3 * to_apart] = (even2 + odd2) * at2;
    to[4 * to_apart] = (even2 - odd2) * at2;
    if (side == 8) {
        lanes half_even = g0 + g2 * (1.0f / 4) + g4 * (1.0f / 16), half_odd = g1 * (1.0f / 2) + g3 * (1.0f / 8);
        to[5 * to_apart] = (half_even + half_odd) * (32.0f / 45);
        to[6 * to_apart] = (half_even - half_odd) * (32.0f / 45);
    }
    to[(side - 1) * to_apart] = g[(count - 1) * pixel_stride];
}

/* ---- the filter ------------------------------------------------------------------------------------------------------- */

/* Sixteen outputs of input i of tap (y, x). */
WIDE_INLINE lanes filter_lanes(const atl_winograd *w, const float *filter, int transposed, int64_t y, int64_t x,
                               int64_t i, int64_t o)
{
    lanes value;
    if (!transposed)
        return load(filter + ((y * w->taps + x) * w->in + i) * w->out + o);
    const float *from = filter + (((w->taps - 1 - y) * w->taps + (w->taps - 1 - x)) * w->out + o) * w->in + i;
    for (int k = 0; k < LANES; k++)
        value[k] = from[k * w->in];
    return value;
}

/* To [points][out / block][in][block], in which the products read it from the first to the last; of the inputs of one worker. */
WIDE_INLINE void filter_to_points(const int taps, const atl_winograd *w, int worker, const float *filter,
                                  int transposed, float *to)
{
    const int side = taps + 3;
    int64_t block = lanes_side_by_side(w->out) * LANES, pixel_stride = filter_apart(w);
    for (int64_t i = w->in * worker / w->workers; i < w->in * (worker + 1) / w->workers; i++)
        for (int64_t o = 0; o < w->out; o += LANES) {
            lanes g[MOST_TAPS * MOST_TAPS], half[MOST_TAPS * MOST_SIDE], all[MOST_POINTS];
            for (int y = 0; y < taps; y++)
                for (int x = 0; x < taps; x++)
                    g[y * taps + x] = filter_lanes(w, filter, transposed, y, x, i, o);
            UNROLL
            for (int y = 0; y < taps; y++)
                spread(side, taps, g + y * taps, 1, half + y * side, 1);
            UNROLL
            for (int x = 0; x < side; x++)
                spread(side, taps, half + x, side, all + x, side);
            float *at = to + (o / block * w->in + i) * block + o % block;
            for (int p = 0; p < side * side; p++)
                store(at + p * pixel_stride, all[p]);
        }
}

WIDE static void transform_filter_part(const atl_winograd *w, int worker, const float *filter, int transposed,
                                       float *to)
{
    if (w->taps == 3)
        filter_to_points(3, w, worker, filter, transposed, to);
    else
        filter_to_points(5, w, worker, filter, transposed, to);
}

void atl_winograd_transform_filter(const atl_winograd *w, const float *filter, int transposed, float *transformed)
{
#pragma omp parallel for num_threads(w->workers) schedule(static, 1) if (w->workers > 1)
    for (int worker = 0; worker < w->workers; worker++)
        transform_filter_part(w, worker, filter, transposed, transformed);
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */

typedef struct place { /* of a tile: its example, and its first result */
    int64_t n, y, x;
} place;

static place place_of(const plan *p, int64_t tile)
{
    return (place){tile / (p->down * p->across), tile / p->across % p->down * TILE, tile % p->across * TILE};
}

/* Rows and columns of a square of pixels that are inside an array of that size. */
typedef struct inside {
    int64_t top, bottom, left, right;
} inside;

static int64_t clamp(int64_t x, int64_t most) { return x < 0 ? 0 : x < most ? x : most; }

static inside part_inside(int64_t y, int64_t x, int64_t side, int64_t height, int64_t width)
{
    return (inside){clamp(-y, side), clamp(height - y, side), clamp(-x, side), clamp(width - x, side)};
}

/* A square of pixels with zeros around the array: 16 channels of it. */
WIDE_INLINE void load_square(const int side, const float *from, int64_t row, int64_t pixel, const inside *in, lanes *to)
{
    lanes zero = {0};
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

/* B' x B of one tile; point p goes to to[p * apart]. */
WIDE_INLINE void tile_to_points(const int side, const atl_winograd *w, const plan *p, int64_t tile, const float *image,
                                int64_t pixel_stride, float *to)
{
    place at = place_of(p, tile);
    int64_t y = at.y - w->pad_top, x = at.x - w->pad_left, apart_in = w->in_pixel_stride ? w->in_pixel_stride : w->in;
    int64_t row = w->width * apart_in;
    const float *from = image + (at.n * w->height + y) * row + x * apart_in;
    inside in = part_inside(y, x, side, w->height, w->width);
    for (int64_t c = 0; c < w->in; c += LANES) {
        lanes all[MOST_POINTS], half[MOST_POINTS];
        load_square(side, from + c, row, apart_in, &in, all);
        UNROLL
        for (int j = 0; j < side; j++)
            to_points(side, all + j, side, half + j, side);
        UNROLL
        for (int i = 0; i < side; i++)
            to_points(side, half + i * side, 1, all + i * side, 1);
        UNROLL
        for (int k = 0; k < side * side; k++)
            store(to + k * pixel_stride + c, all[k]);
    }
}

/* ---- products --------------------------------------------------------------------------------------------------------- */

/* All points of a block of tiles, for the outputs from `first` on, as many as a worker has. */
WIDE_INLINE void products(const int rows, const int vectors, const atl_winograd *w, const plan *p, int64_t tiles,
                          int64_t first, const float *x, const float *filter, float *y)
{
    int64_t block = vectors * LANES;
    for (int64_t k = 0; k < p->points; k++)
        for (int64_t o = 0; o < p->part; o += block) {
            const float *b = filter + k * filter_apart(w) + (first + o) * w->in;
            for (int64_t t = 0; t < tiles; t += rows) {
                product_tile sum;
                clear_tile(rows, vectors, sum);
                add_to_tile(rows, vectors, w->in, x + k * p->x_apart + t * w->in, w->in, 1, b, block, sum);
                store_tile(rows, vectors, sum, y + k * p->y_apart + t * p->part + o, p->part);
            }
        }
}

WIDE static void products_4(const atl_winograd *w, const plan *p, int64_t tiles, int64_t first, const float *x,
                            const float *filter, float *y)
{
    products(6, 4, w, p, tiles, first, x, filter, y);
}
WIDE static void products_3(const atl_winograd *w, const plan *p, int64_t tiles, int64_t first, const float *x,
                            const float *filter, float *y)
{
    products(8, 3, w, p, tiles, first, x, filter, y);
}
WIDE static void products_2(const atl_winograd *w, const plan *p, int64_t tiles, int64_t first, const float *x,
                            const float *filter, float *y)
{
    products(12, 2, w, p, tiles, first, x, filter, y);
}
WIDE static void products_1(const atl_winograd *w, const plan *p, int64_t tiles, int64_t first, const float *x,
                            const float *filter, float *y)
{
    products(12, 1, w, p, tiles, first, x, filter, y);
}

/* ---- results ---------------------------------------------------------------------------------------------------------- */

/* A' m A of one tile, for the outputs first, first + 1, ...; point p is at from[p * apart]. */
WIDE_INLINE void tile_from_points(const int side, const atl_winograd *w, const plan *p, int64_t tile, int64_t first,
                                  const float *from, const atl_epilogue *end, float *result)
{
    place at = place_of(p, tile);
    int64_t start = (at.n * w->result_height + at.y) * w->result_width + at.x;
    int64_t pixel_stride_out = w->out_pixel_stride ? w->out_pixel_stride : w->out;
    int64_t rows = clamp(w->result_height - at.y, TILE), columns = clamp(w->result_width - at.x, TILE);
    for (int64_t c = 0; c < p->part; c += LANES) {
        lanes all[MOST_POINTS], half[TILE * MOST_SIDE];
        UNROLL
        for (int k = 0; k < side * side; k++)
            all[k] = load(from + k * p->y_apart + c);
        UNROLL
        for (int j = 0; j < side; j++)
            from_points(side, TILE, all + j, side, half + j, side);
        UNROLL
        for (int i = 0; i < TILE; i++)
            from_points(side, TILE, half + i * side, 1, all + i * TILE, 1);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                int64_t pixel = start + i * w->result_width + j, channel = first + c;
                store(result + pixel * pixel_stride_out + channel,
                      ended(end, all[i * TILE + j], pixel * w->out + channel, channel));
            }
    }
}

WIDE static void results_of_block(const atl_winograd *w, const plan *p, int64_t first_tile, int64_t tiles,
                                  int64_t first, const float *y, const atl_epilogue *end, float *result)
{
    for (int64_t t = 0; t < tiles; t++)
        if (w->taps == 3)
            tile_from_points(6, w, p, first_tile + t, first, y + t * p->part, end, result);
        else
            tile_from_points(8, w, p, first_tile + t, first, y + t * p->part, end, result);
}

/* ---- convolving ------------------------------------------------------------------------------------------------------- */

WIDE static void block_to_points(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, const float *image,
                                 float *x)
{
    for (int64_t t = 0; t < tiles; t++)
        if (w->taps == 3)
            tile_to_points(6, w, p, first + t, image, p->x_apart, x + t * w->in);
        else
            tile_to_points(8, w, p, first + t, image, p->x_apart, x + t * w->in);
}

/* The products take whole groups of rows: zeros stand for the tiles that are missing. */
static void clear_rows(const atl_winograd *w, const plan *p, int64_t from, int64_t to, float *x)
{
    for (int64_t k = 0; k < p->points && from < to; k++)
        memset(x + k * p->x_apart + from * w->in, 0, (size_t)((to - from) * w->in) * sizeof *x);
}

static void convolve_part(const atl_winograd *w, const plan *p, int worker, const float *image, const float *filter,
                          const atl_epilogue *end, float *scratch, float *result)
{
    int vectors = lanes_side_by_side(w->out);
    int64_t teams = w->workers / p->parts, team = worker / p->parts, first = worker % p->parts * p->part;
    int64_t from = p->tiles * team / teams, to = p->tiles * (team + 1) / teams;
    float *x = scratch + worker * p->points * (p->x_apart + p->y_apart), *y = x + p->points * p->x_apart;
    for (; from < to; from += p->block) {
        int64_t tiles = to - from < p->block ? to - from : p->block, rows = round_up(tiles, rows_beside(vectors));
        block_to_points(w, p, from, tiles, image, x);
        clear_rows(w, p, tiles, rows, x);
        (vectors == 4   ? products_4
         : vectors == 3 ? products_3
         : vectors == 2 ? products_2
                        : products_1)(w, p, rows, first, x, filter, y);
        results_of_block(w, p, from, tiles, first, y, end, result);
    }
}

void atl_winograd_convolve(const atl_winograd *w, const float *image, const float *transformed, const atl_epilogue *end,
                           float *scratch, float *result)
{
    plan p = plan_of(w);
#pragma omp parallel for num_threads(w->workers) schedule(static, 1) if (w->workers > 1)
    for (int worker = 0; worker < w->workers; worker++)
        convolve_part(w, &p, worker, image, transformed, end, scratch, result);
}

/* ---- the gradient by the filter --------------------------------------------------------------------------------------- */

/* Blocks of tiles beside a worker's sums [points][in][out]. */
static plan gradient_plan_of(const atl_winograd *w)
{
    enum { CACHE = 300 << 10, FEWEST = 16 };
    plan p = plan_of(w);
    p.parts = 1;
    p.part = w->out;
    p.block = CACHE / (p.points * 4) / (w->in + w->out);
    p.block = p.block < FEWEST ? FEWEST : p.block;
    p.x_apart = p.block * w->in + APART;
    p.y_apart = p.block * w->out + APART;
    return p;
}

/* Floats of a worker: its sums, and a block of tiles. */
static int64_t sums_apart(const atl_winograd *w, const plan *p)
{
    return p->points * (filter_apart(w) + p->x_apart + p->y_apart);
}

int64_t atl_winograd_gradient_scratch_floats(const atl_winograd *w)
{
    plan p = gradient_plan_of(w);
    return w->workers * sums_apart(w, &p);
}

/* G dy G' of one tile. */
WIDE_INLINE void tile_of_gradient(const int side, const atl_winograd *w, const plan *p, int64_t tile, const float *dy,
                                  float *to)
{
    place at = place_of(p, tile);
    int64_t row = w->result_width * w->out;
    const float *from = dy + (at.n * w->result_height + at.y) * row + at.x * w->out;
    inside in = part_inside(at.y, at.x, TILE, w->result_height, w->result_width);
    for (int64_t c = 0; c < w->out; c += LANES) {
        lanes all[MOST_POINTS], half[TILE * MOST_SIDE];
        load_square(TILE, from + c, row, w->out, &in, all);
        UNROLL
        for (int i = 0; i < TILE; i++)
            spread(side, TILE, all + i * TILE, 1, half + i * side, 1);
        UNROLL
        for (int j = 0; j < side; j++)
            spread(side, TILE, half + j, side, all + j, side);
        UNROLL
        for (int k = 0; k < side * side; k++)
            store(to + k * p->y_apart + c, all[k]);
    }
}

WIDE static void block_of_gradient(const atl_winograd *w, const plan *p, int64_t first, int64_t tiles, const float *dy,
                                   float *y)
{
    for (int64_t t = 0; t < tiles; t++)
        if (w->taps == 3)
            tile_of_gradient(6, w, p, first + t, dy, y + t * w->out);
        else
            tile_of_gradient(8, w, p, first + t, dy, y + t * w->out);
}

WIDE_INLINE void add_products(const int rows, const int vectors, const atl_winograd *w, const plan *p, int64_t tiles,
                              const float *x, const float *y, float *sums)
{
    for (int64_t k = 0; k < p->points; k++)
        for (int64_t o = 0; o < w->out; o += vectors * LANES)
            for (int64_t i = 0; i < w->in; i += rows) {
                float *c = sums + k * filter_apart(w) + i * w->out + o;
                product_tile sum;
                load_tile(rows, vectors, c, w->out, sum);
                add_to_tile(rows, vectors, tiles, x + k * p->x_apart + i, 1, w->in, y + k * p->y_apart + o, w->out,
                            sum);
                store_tile(rows, vectors, sum, c, w->out);
            }
}

WIDE static void add_products_of(int vectors, const atl_winograd *w, const plan *p, int64_t tiles, const float *x,
                                 const float *y, float *sums)
{
    if (vectors == 4)
        add_products(4, 4, w, p, tiles, x, y, sums);
    else if (vectors == 3)
        add_products(8, 3, w, p, tiles, x, y, sums);
    else if (vectors == 2)
        add_products(8, 2, w, p, tiles, x, y, sums);
    else
        add_products(16, 1, w, p, tiles, x, y, sums);
}

static void sum_part(const atl_winograd *w, const plan *p, int worker, const float *image, const float *dy,
                     float *scratch)
{
    int64_t from = p->tiles * worker / w->workers, to = p->tiles * (worker + 1) / w->workers;
    float *sums = scratch + worker * sums_apart(w, p), *x = sums + p->points * filter_apart(w);
    float *y = x + p->points * p->x_apart;
    memset(sums, 0, (size_t)(p->points * filter_apart(w)) * sizeof *sums);
    for (; from < to; from += p->block) {
        int64_t tiles = to - from < p->block ? to - from : p->block;
        block_to_points(w, p, from, tiles, image, x);
        block_of_gradient(w, p, from, tiles, dy, y);
        add_products_of(lanes_side_by_side(w->out), w, p, tiles, x, y, sums);
    }
}

/* A' s A of the sums of all workers, for the inputs of one of them. */
WIDE_INLINE void filter_from_points(const int taps, const atl_winograd *w, const plan *p, int worker,
                                    const float *scratch, float *dw)
{
    const int side = taps + 3;
    int64_t pixel_stride = sums_apart(w, p), point = filter_apart(w);
    for (int64_t i = w->in * worker / w->workers; i < w->in * (worker + 1) / w->workers; i++)
        for (int64_t o = 0; o < w->out; o += LANES) {
            lanes all[MOST_POINTS], half[MOST_TAPS * MOST_SIDE];
            for (int k = 0; k < side * side; k++) {
                const float *from = scratch + k * point + i * w->out + o;
                all[k] = load(from);
                for (int other = 1; other < w->workers; other++)
                    all[k] += load(from + other * pixel_stride);
            }
            UNROLL
            for (int j = 0; j < side; j++)
                from_points(side, taps, all + j, side, half + j, side);
            UNROLL
            for (int y = 0; y < taps; y++)
                from_points(side, taps, half + y * side, 1, all + y * taps, 1);
            for (int k = 0; k < taps * taps; k++)
                store(dw + (k * w->in + i) * w->out + o, all[k]);
        }
}

WIDE static void filter_of_worker(const atl_winograd *w, const plan *p, int worker, const float *scratch, float *dw)
{
    if (w->taps == 3)
        filter_from_points(3, w, p, worker, scratch, dw);
    else
        filter_from_points(5, w, p, worker, scratch, dw);
}

void atl_winograd_filter_gradient(const atl_winograd *w, const float *image, const float *dy, float *scratch, float *dw)
{
    plan p = gradient_plan_of(w);
#pragma omp parallel num_threads(w->workers) if (w->workers > 1)
    {
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            sum_part(w, &p, worker, image, dy, scratch);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < w->workers; worker++)
            filter_of_worker(w, &p, worker, scratch, dw);
    }
}
