/* Tiles of a product that registers hold, and calls with a tile's sizes as constants: for files that are compiled once
 * for each instruction set. */
#ifndef ATLED_KERNELS_PRODUCT_TILES_H
#define ATLED_KERNELS_PRODUCT_TILES_H

#include "kernels/vectors.h"

/* Of the terms of a tile's sums: with 16 registers a term is so little work that the end of a loop counts. */
#if ATL_REGISTERS == 32
#define UNROLL_TERMS
#elif defined __clang__
#define UNROLL_TERMS _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL_TERMS _Pragma("GCC unroll 4")
#endif

/* With 32 registers 24 hold sums, with 16 twelve do: a tile with many rows has few vectors side by side. */
enum { MAX_TILE_ROWS = 16, MAX_TILE_VECTORS = 6 };
typedef vec product_tile[MAX_TILE_ROWS][MAX_TILE_VECTORS];

/* Vectors that a tile has side by side, for a number of outputs that is a multiple of VECTOR; and its rows. */
static inline int tile_vectors(int64_t out)
{
    int64_t vectors = out / VECTOR;
    if (ATL_REGISTERS == 32 && vectors % 4 == 0)
        return 4;
    if (ATL_REGISTERS == 32)
        return vectors % 3 == 0 ? 3 : vectors % 2 == 0 ? 2 : 1;
    return vectors % 2 == 0 ? 2 : vectors % 3 == 0 ? 3 : 1;
}
static inline int tile_rows(int vectors)
{
    if (ATL_REGISTERS == 32)
        return vectors == 4 ? 6 : vectors == 3 ? 8 : 12;
    return vectors == 3 ? 4 : vectors == 2 ? 6 : 12;
}

/* Of tiles of `rows` rows, how many have one less, so that nothing is left: a narrow tile waits for its own sums.  Only
 * fewer rows than that have a rest. */
static inline int64_t shorter_tiles(int64_t count, int rows)
{
    int64_t tiles = (count + rows - 1) / rows, less = tiles * rows - count;
    return less > tiles ? 0 : less;
}

INLINE void clear_tile(const int rows, const int vectors, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = (vec){0};
}

INLINE void load_tile(const int rows, const int vectors, const float *c, int64_t c_row, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = load(c + i * c_row + v * VECTOR);
}

INLINE void store_tile(const int rows, const int vectors, product_tile sum, float *c, int64_t c_row)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        store(c + i * c_row + v * VECTOR, sum[i][v]);
}

INLINE void apply_to_sums(const int rows, const int vectors, const atl_epilogue *end, int64_t at, int64_t row,
                          int64_t channel, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = apply_epilogue(end, sum[i][v], at + i * row + v * VECTOR, channel + v * VECTOR);
}

/* The same for a tile, whose rows are `row` apart in a dense result: each operation is asked for once. */
INLINE void apply_to_tile(const int rows, const int vectors, const atl_epilogue *end, int64_t at, int64_t row,
                          int64_t channel, product_tile sum)
{
    const atl_epilogue bias = {.bias = end->bias}, residual = {.residual = end->residual}, mask = {.mask = end->mask},
                       upper = {.relu = end->relu, .highest = end->highest},
                       slope = {.relu_grad = end->relu_grad, .highest = end->highest},
                       made = {.positive = end->positive, .highest = end->highest};
    if (end->bias)
        apply_to_sums(rows, vectors, &bias, at, row, channel, sum);
    if (end->residual)
        apply_to_sums(rows, vectors, &residual, at, row, channel, sum);
    if (end->relu)
        apply_to_sums(rows, vectors, &upper, at, row, channel, sum);
    if (end->relu_grad)
        apply_to_sums(rows, vectors, &slope, at, row, channel, sum);
    if (end->mask)
        apply_to_sums(rows, vectors, &mask, at, row, channel, sum);
    if (end->positive)
        apply_to_sums(rows, vectors, &made, at, row, channel, sum);
}

/* sum [rows, VECTOR * vectors] += a [rows, depth] b [depth, VECTOR * vectors], with floats from row to row and from
 * step to step of the depth. */
INLINE void add_to_tile(const int rows, const int vectors, int64_t depth, const float *a, int64_t a_row, int64_t a_step,
                        const float *b, int64_t b_step, product_tile sum)
{
    UNROLL_TERMS
    for (int64_t k = 0; k < depth; k++, a += a_step, b += b_step) {
        vec row[MAX_TILE_VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            row[v] = load(b + v * VECTOR);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec one = broadcast(a[i * a_row]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] += one * row[v];
        }
    }
}

/* Calls function(rows, vectors, ...) with the tile's sizes as constants, for a number of outputs. */
#if ATL_REGISTERS == 32
#define FOR_TILE(out, function, ...)                                                                                   \
    FOR_VECTORS(tile_vectors(out), function(6, 4, __VA_ARGS__), function(8, 3, __VA_ARGS__),                           \
                function(12, 2, __VA_ARGS__), function(12, 1, __VA_ARGS__))
#else
#define FOR_TILE(out, function, ...)                                                                                   \
    FOR_VECTORS(tile_vectors(out), (void)0, function(4, 3, __VA_ARGS__), function(6, 2, __VA_ARGS__),                  \
                function(12, 1, __VA_ARGS__))
#endif

#endif
