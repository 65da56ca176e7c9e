/* Orthonormal rows by Gram and Schmidt's method, modified: as soon as some rows are done, their share is taken out of
 * all rows after them.  That is two matrix products for each block of rows: the dot products of the later rows with
 * it, and the sum of its rows with these factors.
 *
 * One pass is enough for a row that keeps more than KEPT of its length, since the error is then that much larger than
 * the rounding of a double; the few others are treated again.
 *
 * The same bits for each instruction set: a dot product has as many partial sums everywhere, and no product is fused
 * with an addition. */
#include "kernels/orthogonal.h"

#include <math.h>
#include <string.h>

#include "kernels/level.h"
#include "kernels/parallel.h"
#include "kernels/vectors.h"

#define KEPT 1e-4

enum {
    BLOCK = 32,  /* rows whose share is taken out of the others at once */
    GROUP = 32,  /* of the other rows, whose factors are kept together */
    DEPTH = 256, /* of a dot product, before its partial sums are added up */
    DOUBLES = VECTOR / 2,
    TILE_ROWS = 4,
    TILE_COLUMNS = ATL_REGISTERS == 32 ? 4 : 2, /* of factors, and vectors of a sum */
    LANES = ATL_ORTHOGONAL_LANES
};

typedef double vec_double __attribute__((vector_size(4 * ATL_VECTOR)));
typedef double vec_double_anywhere __attribute__((vector_size(4 * ATL_VECTOR), aligned(8), may_alias));

INLINE vec_double load_doubles(const double *x) { return *(const vec_double_anywhere *)x; }
INLINE void store_doubles(double *x, vec_double value) { *(vec_double_anywhere *)x = value; }

/* a b, rounded: the compiler sees no product that it could fuse with an addition. */
INLINE vec_double product_of(vec_double a, vec_double b)
{
    vec_double product = a * b;
#if defined __x86_64__
    __asm__("" : "+v"(product));
#elif defined __aarch64__
    __asm__("" : "+w"(product));
#endif
    return product;
}

/* sum [rows, BLOCK] += the dot products of the rows of a with those of b, over `depth` whole lanes. */
INLINE void add_dots(const int rows, const int columns, const double *a, const double *b, int64_t row, int64_t depth,
                     double *sum)
{
    double lane[TILE_ROWS][TILE_COLUMNS][LANES];
    for (int part = 0; part < LANES; part += DOUBLES) {
        vec_double total[TILE_ROWS][TILE_COLUMNS] = {{{0}}};
        for (int64_t k = part; k < depth; k += LANES) {
            vec_double of_b[TILE_COLUMNS];
            UNROLL
            for (int j = 0; j < columns; j++)
                of_b[j] = load_doubles(b + j * row + k);
            UNROLL
            for (int i = 0; i < rows; i++) {
                vec_double of_a = load_doubles(a + i * row + k);
                UNROLL
                for (int j = 0; j < columns; j++)
                    total[i][j] += product_of(of_a, of_b[j]);
            }
        }
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
        for (int j = 0; j < columns; j++)
            store_doubles(lane[i][j] + part, total[i][j]);
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const double *l = lane[i][j];
            sum[i * BLOCK + j] += ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]));
        }
}

/* a [rows, DOUBLES * vectors] -= factor [rows, BLOCK] b [count, DOUBLES * vectors] */
INLINE void subtract_rows(const int rows, const int vectors, double *a, const double *factor, const double *b,
                          int64_t row, int count)
{
    vec_double rest[TILE_ROWS][TILE_COLUMNS];
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        rest[i][v] = load_doubles(a + i * row + v * DOUBLES);
    for (int j = 0; j < count; j++, b += row) {
        vec_double of_b[TILE_COLUMNS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            of_b[v] = load_doubles(b + v * DOUBLES);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec_double by = factor[i * BLOCK + j] - (vec_double){0};
            UNROLL
            for (int v = 0; v < vectors; v++)
                rest[i][v] -= product_of(by, of_b[v]);
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        store_doubles(a + i * row + v * DOUBLES, rest[i][v]);
}

/* All columns, of which there are whole lanes. */
INLINE void subtract_columns(const int rows, double *a, const double *factor, const double *b, int64_t row, int count)
{
    int64_t k = 0;
    for (; k + TILE_COLUMNS * DOUBLES <= row; k += TILE_COLUMNS * DOUBLES)
        subtract_rows(rows, TILE_COLUMNS, a + k, factor, b + k, row, count);
    for (; k < row; k += DOUBLES)
        subtract_rows(rows, 1, a + k, factor, b + k, row, count);
}

static double dot(const double *a, const double *b, int64_t row)
{
    double sum = 0;
    add_dots(1, 1, a, b, row, row, &sum);
    return sum;
}

/* Takes the share of the unit rows first..i-1 out of row i, one after the other. */
static void take_out(double *q, int64_t row, int64_t first, int64_t i)
{
    for (int64_t j = first; j < i; j++) {
        double factor = dot(q + i * row, q + j * row, row);
        subtract_columns(1, q + i * row, &factor, q + j * row, row, 1);
    }
}

/* Row i, without the share of the rows before `first`, becomes a unit row; `before` was the square of its length. */
static void finish_row(double *q, int64_t row, int64_t length, int64_t first, int64_t i, double before)
{
    double *v = q + i * row;
    take_out(q, row, first, i);
    double square = dot(v, v, row);
    for (int64_t tries = 0; tries <= length && !(square > KEPT * KEPT * before); tries++) {
        before = square;
        if (!(square > 0)) { /* a combination of the rows before: another one will do */
            memset(v, 0, (size_t)row * sizeof *v);
            v[(i + tries) % length] = before = 1;
        }
        take_out(q, row, 0, i);
        square = dot(v, v, row);
    }
    double norm = sqrt(square);
    for (int64_t k = 0; k < length; k++)
        v[k] /= norm;
}

typedef struct elimination {
    double *rest;        /* the rows after the block */
    const double *block; /* BLOCK unit rows */
    int64_t row;
} elimination;

/* Takes the block's share out of the rows first..last-1 of the rest. */
static void eliminate(const void *given, int64_t first, int64_t last)
{
    const elimination *job = given;
    const int64_t row = job->row;
    for (; first < last; first += GROUP) {
        double factor[GROUP * BLOCK] = {0};
        int count = (int)(last - first < GROUP ? last - first : GROUP), tiled = count - count % TILE_ROWS;
        double *rest = job->rest + first * row;
        for (int64_t k = 0; k < row; k += DEPTH) {
            int64_t depth = row - k < DEPTH ? row - k : DEPTH;
            for (int i = 0; i < tiled; i += TILE_ROWS)
                for (int j = 0; j < BLOCK; j += TILE_COLUMNS)
                    add_dots(TILE_ROWS, TILE_COLUMNS, rest + i * row + k, job->block + j * row + k, row, depth,
                             factor + i * BLOCK + j);
            for (int i = tiled; i < count; i++)
                for (int j = 0; j < BLOCK; j += TILE_COLUMNS)
                    add_dots(1, TILE_COLUMNS, rest + i * row + k, job->block + j * row + k, row, depth,
                             factor + i * BLOCK + j);
        }
        for (int i = 0; i < tiled; i += TILE_ROWS)
            subtract_columns(TILE_ROWS, rest + i * row, factor + i * BLOCK, job->block, row, BLOCK);
        for (int i = tiled; i < count; i++)
            subtract_columns(1, rest + i * row, factor + i * BLOCK, job->block, row, BLOCK);
    }
}

void KERNEL(orthonormalize)(double *q, int64_t vectors, int64_t length, double *squares)
{
    const int64_t row = atl_orthogonal_row(length);
    for (int64_t i = 0; i < vectors; i++)
        squares[i] = dot(q + i * row, q + i * row, row);
    for (int64_t first = 0; first < vectors; first += BLOCK) {
        int64_t end = first + BLOCK < vectors ? first + BLOCK : vectors;
        for (int64_t i = first; i < end; i++)
            finish_row(q, row, length, first, i, squares[i]);
        elimination job = {.rest = q + end * row, .block = q + first * row, .row = row};
        atl_parallel(vectors - end, (vectors - end) * row * BLOCK, eliminate, &job);
    }
}
