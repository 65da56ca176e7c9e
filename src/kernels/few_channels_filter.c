/* The gradient by the filter of a convolution with few input channels.
 *
 * In NHWC the numbers of an image's row that one row of the filter reads, all channels of its pixels, lie side by side.
 * So a row of the filter is a matrix [pixels * channels, result_channels], and its gradient a sum over all results of
 * such numbers times a pixel of dy.  A tile of that matrix is summed in registers over a block of results which the
 * first-level cache keeps while all other tiles read it. */
#include <string.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/few_channels.h"
#include "kernels/vectors.h"

enum {
    MOST_VECTORS = ATL_REGISTERS == 32 ? 4 : 2, /* of a tile's row */
    MOST_ROWS = 12,                             /* of a tile, if its rows have one vector */
    SUMS = ATL_REGISTERS == 32 ? 24 : 12,       /* vectors of a tile */
    BLOCK_FLOATS = ATL_CORE_FLOATS * 3 / 4,     /* of dy */
    USUAL_CHANNELS = 64                         /* the columns of more are read one group after another */
};

/* Rows of results, over all images, and a range of each row. */
typedef struct block {
    int64_t from, to, first, last;
    const float *next; /* what lies behind it in dy, and is fetched meanwhile */
} block;

/* A tile of the matrix of row `tap` of the filter: rows of it from k on, and columns from o on. */
typedef struct tile {
    int64_t tap, k, o;
} tile;

/* sum[row][vector] += x dy for the results from..to-1 of one row of dy.  x is the row of the image, `line` numbers, and
 * `at` the number in it that result 0 multiplies by row 0 of the tile: with `checked` some may lie outside of it. */
INLINE void add_results(const int rows, const int vectors, const int checked, const atl_conv_sizes *f, int64_t from,
                        int64_t to, const float *x, int64_t at, const float *dy, vec *sum)
{
    const int64_t line = f->width * f->channels, step = f->stride_x * f->channels;
    for (int64_t i = from; i < to; i++) {
        vec d[MOST_VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            d[v] = load(dy + i * f->result_channels + v * VECTOR);
        UNROLL
        for (int r = 0; r < rows; r++) {
            const int64_t number = at + i * step + r;
            if (checked && (number < 0 || number >= line))
                continue;
            const vec value = broadcast(x[number]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] += value * d[v];
        }
    }
}

/* Adds to a tile of dw its sums over the block: sums of a block are few, so that rounding stays small. */
INLINE void add_tile(const int rows, const int vectors, const atl_conv_sizes *f, const block *b, const tile *t,
                     const float *image, const float *dy, float *dw)
{
    const int64_t line = f->width * f->channels, step = f->stride_x * f->channels;
    const int64_t at = t->k - f->pad_left * f->channels, room = line - rows - at;
    const int64_t inside = room < 0 ? 0 : room / step + 1; /* results before the first that reaches over the end */
    const int64_t first = atl_smaller(atl_larger(at < 0 ? (-at + step - 1) / step : 0, b->first), b->last);
    const int64_t last = atl_larger(atl_smaller(inside, b->last), first);
    vec sum[SUMS];
    UNROLL
    for (int r = 0; r < rows; r++) /* two loops: one of more than 16 turns is not unrolled, and sums were in memory */
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[r * vectors + v] = (vec){0};
    for (int64_t row = b->from; row < b->to; row++) {
        const int64_t y = row % f->result_height * f->stride_y - f->pad_top + t->tap;
        if (y < 0 || y >= f->height)
            continue;
        const float *x = image + (row / f->result_height * f->height + y) * line;
        const float *d = dy + row * f->result_width * f->result_channels + t->o;
        add_results(rows, vectors, 1, f, b->first, first, x, at, d, sum);
        add_results(rows, vectors, 0, f, first, last, x, at, d, sum);
        add_results(rows, vectors, 1, f, last, b->last, x, at, d, sum);
    }
    float *to = dw + (t->tap * f->filter_width * f->channels + t->k) * f->result_channels + t->o;
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vectors; v++) {
        float *at_sum = to + r * f->result_channels + v * VECTOR;
        store(at_sum, load(at_sum) + sum[r * vectors + v]);
    }
}

/* A tile is never higher than `most`: so no code is made of those that are. */
INLINE void add_tile_up_to(const int rows, const int most, const int vectors, const atl_conv_sizes *f, const block *b,
                           const tile *t, const float *image, const float *dy, float *dw)
{
    if (rows <= most)
        add_tile(rows, vectors, f, b, t, image, dy, dw);
}

/* Part i of `count` of what lies behind the block, as much as the columns of a tile are of it. */
INLINE void fetch_next(const block *b, const int vectors, int64_t o, int64_t i, int64_t count)
{
    const int64_t pixels = (b->to - b->from) * (b->last - b->first);
    const float *next = b->next + pixels * o + pixels * vectors * VECTOR * i / count;
    for (int64_t at = 0; at < pixels * vectors * VECTOR / count; at += LINE_FLOATS)
        __builtin_prefetch(next + at, 0, 2);
}

/* All rows of the filter's matrices, in tiles of about the same height. */
INLINE void add_columns(const int vectors, const atl_conv_sizes *f, const block *b, int64_t o, const float *image,
                        const float *dy, float *dw)
{
    const int most = SUMS / vectors < MOST_ROWS ? SUMS / vectors : MOST_ROWS;
    const int64_t rows = f->filter_width * f->channels, tiles = (rows + most - 1) / most;
    for (int64_t i = 0; i < f->filter_height * tiles; i++) {
        const int64_t n = i % tiles, k = rows * n / tiles;
        const tile t = {.tap = i / tiles, .k = k, .o = o};
        fetch_next(b, vectors, o, i, f->filter_height * tiles);
        switch (rows * (n + 1) / tiles - k) {
            CASES_TO_6(add_tile, vectors, f, b, &t, image, dy, dw)
            CASE_OF(7, add_tile_up_to, most, vectors, f, b, &t, image, dy, dw)
            CASE_OF(8, add_tile_up_to, most, vectors, f, b, &t, image, dy, dw)
            CASE_OF(9, add_tile_up_to, most, vectors, f, b, &t, image, dy, dw)
            CASE_OF(10, add_tile_up_to, most, vectors, f, b, &t, image, dy, dw)
            CASE_OF(11, add_tile_up_to, most, vectors, f, b, &t, image, dy, dw)
        default:
            add_tile_up_to(MOST_ROWS, most, vectors, f, b, &t, image, dy, dw);
        }
    }
}

/* Functions of their own: the compiler takes much longer for one that has all loops. */
static void add_four(const atl_conv_sizes *f, const block *b, int64_t o, const float *image, const float *dy, float *dw)
{
    add_columns(MOST_VECTORS, f, b, o, image, dy, dw);
}
static void add_two(const atl_conv_sizes *f, const block *b, int64_t o, const float *image, const float *dy, float *dw)
{
    add_columns(2, f, b, o, image, dy, dw);
}
static void add_one(const atl_conv_sizes *f, const block *b, int64_t o, const float *image, const float *dy, float *dw)
{
    add_columns(1, f, b, o, image, dy, dw);
}

static void add_block(const atl_conv_sizes *f, const block *b, const float *image, const float *dy, float *dw)
{
    for (int64_t o = 0; o < f->result_channels;) {
        const int64_t left = (f->result_channels - o) / VECTOR;
        if (MOST_VECTORS == 4 && left >= 4)
            add_four(f, b, o, image, dy, dw), o += 4 * VECTOR;
        else if (left >= 2)
            add_two(f, b, o, image, dy, dw), o += 2 * VECTOR;
        else
            add_one(f, b, o, image, dy, dw), o += VECTOR;
    }
}

static int64_t floats_of_filter(const atl_conv_sizes *f)
{
    return f->filter_height * f->filter_width * f->channels * f->result_channels;
}

/* Sums over the rows from..to-1 of dy. */
static void sum_rows(const atl_conv_sizes *f, int64_t from, int64_t to, const float *image, const float *dy, float *dw)
{
    const int64_t pixels = BLOCK_FLOATS / atl_smaller(f->result_channels, USUAL_CHANNELS);
    const int64_t rows = atl_larger(pixels / f->result_width, 1), parts = atl_divide_up(f->result_width, pixels);
    const int64_t line = f->result_width * f->result_channels;
    memset(dw, 0, (size_t)floats_of_filter(f) * sizeof *dw);
    for (int64_t row = from; row < to; row += rows)
        for (int64_t n = 0; n < parts; n++) {
            const block b = {.from = row,
                             .to = atl_smaller(row + rows, to),
                             .first = f->result_width * n / parts,
                             .last = f->result_width * (n + 1) / parts,
                             .next = dy + (atl_smaller(row + rows, to) - 1) * line +
                                     f->result_width * (n + 1) / parts * f->result_channels};
            add_block(f, &b, image, dy, dw);
        }
}

int64_t KERNEL(few_channels_filter_scratch)(const atl_conv_sizes *f) { return (f->workers - 1) * floats_of_filter(f); }

void KERNEL(few_channels_filter_gradient)(const atl_conv_sizes *f, const float *image, const float *dy, float *scratch,
                                          float *dw)
{
    const int64_t rows = f->batch * f->result_height, floats = floats_of_filter(f);
#pragma omp parallel for num_threads(f->workers) schedule(static, 1) if (f->workers > 1)
    for (int worker = 0; worker < f->workers; worker++)
        sum_rows(f, rows * worker / f->workers, rows * (worker + 1) / f->workers, image, dy,
                 worker ? scratch + (worker - 1) * floats : dw);
    for (int worker = 1; worker < f->workers; worker++)
        for (int64_t i = 0; i < floats; i += VECTOR)
            store(dw + i, load(dw + i) + load(scratch + (worker - 1) * floats + i));
}
