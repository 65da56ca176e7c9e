/* Small and narrow matrix products. */
#include "ops/matrix.h"

#include <string.h>

#include "ops/fast.h"
#include "ops/parallel.h"

/* ---- small --------------------------------------------------------------------------------------------------------- */

/* Row i of C is a sum of rows of B: four at a time, for fewer passes over the row of C. */
ATL_FAST static void sum_rows_of_b(const atl_product *p, int64_t first, int64_t last, const float *restrict a,
                                   const float *restrict b, float *restrict c)
{
    int64_t n = p->n, k = p->k, column = p->a_column;
    for (int64_t i = first; i < last; i++) {
        const float *x = a + i * p->a_row;
        float *y = c + i * n;
        int64_t q = k % 4;
        for (int64_t j = 0; j < n; j++)
            y[j] = q ? x[0] * b[j] : 0;
        for (int64_t r = 1; r < q; r++)
            for (int64_t j = 0; j < n; j++)
                y[j] += x[r * column] * b[r * n + j];
        for (; q < k; q += 4) {
            const float *b0 = b + q * n, *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
            float x0 = x[q * column], x1 = x[(q + 1) * column], x2 = x[(q + 2) * column], x3 = x[(q + 3) * column];
            ATL_LANES
            for (int64_t j = 0; j < n; j++)
                y[j] += (x0 * b0[j] + x1 * b1[j]) + (x2 * b2[j] + x3 * b3[j]);
        }
    }
}

/* Element (i, j) of C is a row of A times a row of B's storage. */
ATL_FAST static void dot_rows(const atl_product *p, const float *restrict a, const float *restrict b, float *restrict c)
{
    int64_t n = p->n, k = p->k, column = p->a_column;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < n; j++) {
            const float *x = a + i * p->a_row, *w = b + j * k;
            float sum = 0;
            if (column == 1) {
#pragma omp simd reduction(+ : sum)
                for (int64_t q = 0; q < k; q++)
                    sum += x[q] * w[q];
            } else
                for (int64_t q = 0; q < k; q++)
                    sum += x[q * column] * w[q];
            c[i * n + j] = sum;
        }
}

void atl_small_product(const atl_product *p, const float *a, const float *b, float *c)
{
    if (p->b_transposed)
        dot_rows(p, a, b, c);
    else
        sum_rows_of_b(p, 0, p->m, a, b, c);
}

/* ---- a few rows times a large matrix ----------------------------------------------------------------------------------- */

/* Sixteen floats anywhere: one AVX-512 register, two of AVX2. */
typedef float lanes __attribute__((vector_size(64)));
typedef float lanes_anywhere __attribute__((vector_size(64), aligned(4)));
enum { LANES = 16 };
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

typedef struct stream {
    const atl_product *product;
    const float *a, *b;
    float *c, *partial;
    int parts;
} stream;

/* c[i, :] += x[i, 0] b0 + .. + x[i, 3] b3 for `rows` rows i, the rows of B being read once. */
INLINE void add_four_rows(const int rows, int64_t n, float (*x)[4], const float *b, float *c)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes w0 = *(const lanes_anywhere *)(b + j), w1 = *(const lanes_anywhere *)(b + n + j);
        lanes w2 = *(const lanes_anywhere *)(b + 2 * n + j), w3 = *(const lanes_anywhere *)(b + 3 * n + j);
        UNROLL
        for (int i = 0; i < rows; i++) {
            lanes_anywhere *y = (lanes_anywhere *)(c + i * n + j);
            *y = *y + ((x[i][0] * w0 + x[i][1] * w1) + (x[i][2] * w2 + x[i][3] * w3));
        }
    }
    for (; j < n; j++)
        for (int i = 0; i < rows; i++)
            c[i * n + j] += (x[i][0] * b[j] + x[i][1] * b[n + j]) + (x[i][2] * b[2 * n + j] + x[i][3] * b[3 * n + j]);
}

/* The rows first..last-1 of B, with their columns of A, added up in c [rows, n]. */
INLINE void add_rows(const int rows, const atl_product *p, int64_t first, int64_t last, const float *a, const float *b,
                     float *c)
{
    int64_t q = first;
    float x[ATL_FEW_ROWS][4];
    memset(c, 0, (size_t)(rows * p->n) * sizeof *c);
    for (; q + 4 <= last; q += 4) {
        for (int i = 0; i < rows; i++)
            for (int r = 0; r < 4; r++)
                x[i][r] = a[i * p->a_row + (q + r) * p->a_column];
        add_four_rows(rows, p->n, x, b + q * p->n, c);
    }
    for (; q < last; q++)
        for (int i = 0; i < rows; i++) {
            float factor = a[i * p->a_row + q * p->a_column];
            for (int64_t j = 0; j < p->n; j++)
                c[i * p->n + j] += factor * b[q * p->n + j];
        }
}

#define FOR_ROWS(function, rows, ...)                                                                                  \
    switch (rows) {                                                                                                    \
    case 1:                                                                                                            \
        function(1, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 2:                                                                                                            \
        function(2, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 3:                                                                                                            \
        function(3, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 4:                                                                                                            \
        function(4, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 5:                                                                                                            \
        function(5, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 6:                                                                                                            \
        function(6, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    case 7:                                                                                                            \
        function(7, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    default:                                                                                                           \
        function(8, __VA_ARGS__);                                                                                      \
        break;                                                                                                         \
    }

ATL_FAST static void add_part(const stream *s, int64_t part)
{
    const atl_product *p = s->product;
    int64_t first = p->k * part / s->parts, last = p->k * (part + 1) / s->parts;
    float *c = part == 0 ? s->c : s->partial + (part - 1) * p->m * p->n;
    FOR_ROWS(add_rows, p->m, p, first, last, s->a, s->b, c)
}

static void add_parts(const void *job, int64_t first, int64_t last)
{
    for (int64_t part = first; part < last; part++)
        add_part(job, part);
}

/* c[i, j] = the dot products of `rows` rows of A with `width` rows of B's storage, which start at b. */
INLINE void dot_block(const int rows, const int width, const atl_product *p, const float *a, const float *b, float *c)
{
    lanes sum[ATL_FEW_ROWS][4];
    int64_t k = p->k, q = 0;
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int j = 0; j < width; j++)
        sum[i][j] = (lanes){0};
    for (; q + LANES <= k; q += LANES) {
        lanes w[4];
        UNROLL
        for (int j = 0; j < width; j++)
            w[j] = *(const lanes_anywhere *)(b + j * k + q);
        UNROLL
        for (int i = 0; i < rows; i++) {
            lanes x = *(const lanes_anywhere *)(a + i * p->a_row + q);
            UNROLL
            for (int j = 0; j < width; j++)
                sum[i][j] += x * w[j];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < width; j++) {
            float total = 0;
            for (int lane = 0; lane < LANES; lane++)
                total += sum[i][j][lane];
            for (int64_t r = q; r < k; r++)
                total += a[i * p->a_row + r] * b[j * k + r];
            c[i * p->n + j] = total;
        }
}

/* Columns first..last-1 of C. As many rows of B together as there are registers for their sums. */
INLINE void dot_columns(const int rows, const atl_product *p, int64_t first, int64_t last, const float *a,
                        const float *b, float *c)
{
    const int width = rows <= 4 ? 4 : 2;
    int64_t j = first;
    for (; j + width <= last; j += width)
        dot_block(rows, width, p, a, b + j * p->k, c + j);
    for (; j < last; j++)
        dot_block(rows, 1, p, a, b + j * p->k, c + j);
}

ATL_FAST static void dot_part(const stream *s, int64_t part)
{
    const atl_product *p = s->product;
    int64_t blocks = (p->n + 3) / 4; /* of four columns, so that the bits do not depend on the number of parts */
    int64_t first = blocks * part / s->parts * 4, last = blocks * (part + 1) / s->parts * 4;
    if (last > p->n)
        last = p->n;
    FOR_ROWS(dot_columns, p->m, p, first, last, s->a, s->b, s->c)
}

static void dot_parts(const void *job, int64_t first, int64_t last)
{
    for (int64_t part = first; part < last; part++)
        dot_part(job, part);
}

int64_t atl_stream_partial(const atl_product *p, int parts) { return p->b_transposed ? 0 : (parts - 1) * p->m * p->n; }

void atl_stream_product(const atl_product *p, int parts, const float *a, const float *b, float *c, float *partial)
{
    const stream s = {p, a, b, c, partial, parts};
    if (p->b_transposed) {
        atl_parallel(parts, p->n * p->k, dot_parts, &s);
        return;
    }
    atl_parallel(parts, p->n * p->k, add_parts, &s);
    for (int64_t part = 0; part < parts - 1; part++)
        for (int64_t j = 0; j < p->m * p->n; j++)
            c[j] += partial[part * p->m * p->n + j];
}

/* ---- few terms ------------------------------------------------------------------------------------------------------- */

static void outer_rows(const void *job, int64_t first, int64_t last)
{
    const stream *s = job;
    sum_rows_of_b(s->product, first, last, s->a, s->b, s->c);
}

void atl_outer_product(const atl_product *p, const float *a, const float *b, float *c)
{
    const stream s = {p, a, b, c, NULL, 0};
    atl_parallel(p->m, p->m * p->n, outer_rows, &s);
}
