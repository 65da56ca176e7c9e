/* A few rows times a large matrix, which is bound by how fast that can be read: see matrix.h. */
#include "kernels/matrix.h"

#include "cost/cost.h"
#include "kernels/parallel.h"
#include "kernels/vectors.h"

typedef struct stream {
    const atl_product *product;
    const float *a, *b;
    float *c, *partial;
    int parts;
} stream;

enum { SHORT_ROW = 2048 }; /* floats of two pages; of longer rows processors foresee enough */

/* Rows that are read side by side lie in several pages, and processors foresee such reads late.  So while some short
 * rows of B are read, the same number of rows behind them is fetched, line after line from the first to the last:
 * memory answers soonest in that order.  Fetches so many floats from `from` on. */
INLINE void fetch_floats(const int64_t floats, const float *from)
{
    UNROLL
    for (int64_t i = 0; i < floats; i += LINE_FLOATS)
        __builtin_prefetch(from + i, 0, 3);
}

/* Of the rows from `next` on, in which n columns are read, as many as `floats` in the columns from j on of each of
 * `count` rows. */
INLINE void fetch_rows(const int count, const int64_t floats, const float *next, int64_t n, int64_t row, int64_t j)
{
    if (row > SHORT_ROW)
        return;
    if (n == row)
        fetch_floats(count * floats, next + j * count);
    else
        UNROLL
    for (int q = 0; q < count; q++)
        fetch_floats(floats, next + q * row + j);
}

/* c[i, :] += x[i, 0] b0 + .. + x[i, 3] b3 for `rows` rows i and n columns, the rows of B being read once; b and c are
 * rows of so many. */
INLINE void add_four_rows(const int rows, int64_t n, int64_t row, float (*x)[4], const float *b, float *c)
{
    int64_t j = 0;
    for (; j + VECTOR <= n; j += VECTOR) {
        fetch_rows(4, VECTOR, b + 4 * row, n, row, j);
        vec w0 = load(b + j), w1 = load(b + row + j), w2 = load(b + 2 * row + j), w3 = load(b + 3 * row + j);
        UNROLL
        for (int i = 0; i < rows; i++) {
            float *y = c + i * row + j;
            store(y, load(y) + ((x[i][0] * w0 + x[i][1] * w1) + (x[i][2] * w2 + x[i][3] * w3)));
        }
    }
    for (; j < n; j++)
        for (int i = 0; i < rows; i++)
            c[i * row + j] +=
                (x[i][0] * b[j] + x[i][1] * b[row + j]) + (x[i][2] * b[2 * row + j] + x[i][3] * b[3 * row + j]);
}

/* The same for a B that comes from memory: more of its rows side by side, so that each sum is loaded and stored once
 * for all of them. */
enum { TOGETHER = 8 };

/* c [rows, VECTOR * vectors] += x^T b, with x [TOGETHER, ATL_FEW_ROWS] and b [TOGETHER, VECTOR * vectors]; b and c are
 * parts of rows of so many. */
INLINE void add_some(const int rows, const int vectors, int64_t row, const float *x, const float *b, float *c)
{
    vec sum[ATL_FEW_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = (vec){0};
    UNROLL
    for (int q = 0; q < TOGETHER; q++) {
        vec w[2];
        UNROLL
        for (int v = 0; v < vectors; v++)
            w[v] = load(b + q * row + v * VECTOR);
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] += x[q * ATL_FEW_ROWS + i] * w[v];
    }
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++) {
        float *y = c + i * row + v * VECTOR;
        store(y, load(y) + sum[i][v]);
    }
}

/* As many rows together as registers hold sums of. */
INLINE void add_all(const int rows, const int vectors, int64_t row, const float *x, const float *b, float *c)
{
    const int some = ATL_REGISTERS == 32 || rows <= 6 ? rows : 4;
    add_some(some, vectors, row, x, b, c);
    if (some < rows)
        add_some(rows - some, vectors, row, x + some, b, c + some * row);
}

INLINE void add_together(const int rows, int64_t n, int64_t row, const float *x, const float *b, float *c)
{
    int64_t j = 0;
    for (; j + 2 * VECTOR <= n; j += 2 * VECTOR) {
        fetch_rows(TOGETHER, 2 * VECTOR, b + TOGETHER * row, n, row, j);
        add_all(rows, 2, row, x, b + j, c + j);
    }
    for (; j + VECTOR <= n; j += VECTOR)
        add_all(rows, 1, row, x, b + j, c + j);
    for (; j < n; j++)
        for (int i = 0; i < rows; i++) {
            float sum = 0;
            for (int q = 0; q < TOGETHER; q++)
                sum += x[q * ATL_FEW_ROWS + i] * b[q * row + j];
            c[i * row + j] += sum;
        }
}

/* The narrowest vectors have no instruction that loads one number into all, which the loop above does too often. */
static int is_far(const atl_product *p) { return ATL_VECTOR > 4 && p->k * p->n >= ATL_FAR_FLOATS; }

/* The rows q..last-1 of B, one by one. */
INLINE void add_last_rows(const int rows, const atl_product *p, int64_t columns, int64_t q, int64_t last,
                          const float *a, const float *b, float *c)
{
    for (; q < last; q++)
        for (int i = 0; i < rows; i++) {
            float factor = a[i * p->a_row + q * p->a_column];
            for (int64_t j = 0; j < columns; j++)
                c[i * p->n + j] += factor * b[q * p->n + j];
        }
}

/* Some columns of c: the rows first..last-1 of B, with their columns of A, added up. */
INLINE void add_rows(const int rows, const atl_product *p, int64_t columns, int64_t first, int64_t last, const float *a,
                     const float *b, float *c)
{
    int64_t q = first;
    float x[ATL_FEW_ROWS][4];
    for (int i = 0; i < rows; i++)
        memset(c + i * p->n, 0, (size_t)columns * sizeof *c);
    for (; q + 4 <= last; q += 4) {
        for (int i = 0; i < rows; i++)
            for (int r = 0; r < 4; r++)
                x[i][r] = a[i * p->a_row + (q + r) * p->a_column];
        add_four_rows(rows, columns, p->n, x, b + q * p->n, c);
    }
    add_last_rows(rows, p, columns, q, last, a, b, c);
}

/* The same for a B that comes from memory. */
INLINE void add_far_rows(const int rows, const atl_product *p, int64_t columns, int64_t first, int64_t last,
                         const float *a, const float *b, float *c)
{
    int64_t q = first;
    for (int i = 0; i < rows; i++)
        memset(c + i * p->n, 0, (size_t)columns * sizeof *c);
    for (; q + TOGETHER <= last; q += TOGETHER) {
        float together[TOGETHER * ATL_FEW_ROWS];
        for (int r = 0; r < TOGETHER; r++)
            for (int i = 0; i < rows; i++)
                together[r * ATL_FEW_ROWS + i] = a[i * p->a_row + (q + r) * p->a_column];
        add_together(rows, columns, p->n, together, b + q * p->n, c);
    }
    add_last_rows(rows, p, columns, q, last, a, b, c);
}

/* As many columns at a time as the first-level cache holds sums of; of a B that comes from memory as many as the second
 * one does, because its rows are read the faster the longer they are. */
INLINE void add_columns(const int rows, const int far, const atl_product *p, int64_t first, int64_t last,
                        const float *a, const float *b, float *c)
{
    const int64_t block = (far ? ATL_NEAR_FLOATS : ATL_CORE_FLOATS / 4 * 3) / rows / 64 * 64;
    for (int64_t j = 0; j < p->n; j += block)
        if (far)
            add_far_rows(rows, p, p->n - j < block ? p->n - j : block, first, last, a, b + j, c + j);
        else
            add_rows(rows, p, p->n - j < block ? p->n - j : block, first, last, a, b + j, c + j);
}

#define FOR_ROWS(function, rows, ...)                                                                                  \
    switch (rows) {                                                                                                    \
        CASES_TO_6(function, __VA_ARGS__)                                                                              \
        CASE_OF(7, function, __VA_ARGS__)                                                                              \
    default:                                                                                                           \
        function(ATL_FEW_ROWS, __VA_ARGS__);                                                                           \
    }

static void add_part(const stream *s, int64_t part)
{
    const atl_product *p = s->product;
    int64_t first = p->k * part / s->parts, last = p->k * (part + 1) / s->parts;
    float *c = part == 0 ? s->c : s->partial + (part - 1) * p->m * p->n;
    if (is_far(p))
        FOR_ROWS(add_columns, p->m, 1, p, first, last, s->a, s->b, c)
    else
        FOR_ROWS(add_columns, p->m, 0, p, first, last, s->a, s->b, c)
}

static void add_parts(const void *job, int64_t first, int64_t last)
{
    for (int64_t part = first; part < last; part++)
        add_part(job, part);
}

/* c[i, j] = the dot products of `rows` rows of A with `width` rows of B's storage, which start at b. */
INLINE void dot_block(const int rows, const int width, const atl_product *p, const float *a, const float *b, float *c)
{
    vec sum[ATL_FEW_ROWS][4];
    int64_t k = p->k, q = 0;
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int j = 0; j < width; j++)
        sum[i][j] = (vec){0};
    for (; q + VECTOR <= k; q += VECTOR) {
        vec w[4];
        if (k <= SHORT_ROW)
            fetch_floats(width * VECTOR, b + width * k + q * width);
        UNROLL
        for (int j = 0; j < width; j++)
            w[j] = load(b + j * k + q);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec x = load(a + i * p->a_row + q);
            UNROLL
            for (int j = 0; j < width; j++)
                sum[i][j] += x * w[j];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < width; j++) {
            float total = sum_of_vector(sum[i][j]);
            for (int64_t r = q; r < k; r++)
                total += a[i * p->a_row + r] * b[j * k + r];
            c[i * p->n + j] = total;
        }
}

/* Columns first..last-1 of C, for some rows.  As many rows of B together as there are registers for their sums: the
 * more, the less often A, which only the second-level cache holds, is read. */
INLINE void dot_some(const int rows, const atl_product *p, int64_t first, int64_t last, const float *a, const float *b,
                     float *c)
{
    const int left = ATL_REGISTERS - (ATL_VECTOR == 4); /* a product that is no part of an FMA needs one, too */
    const int width = (rows + 1) * 4 < left ? 4 : (rows + 1) * 3 < left ? 3 : 2;
    int64_t j = first;
    for (; j + width <= last; j += width)
        dot_block(rows, width, p, a, b + j * p->k, c + j);
    for (; j < last; j++)
        dot_block(rows, 1, p, a, b + j * p->k, c + j);
}

enum { DOT_COLUMNS = 12 }; /* a multiple of all widths */

INLINE void dot_columns(const int rows, const atl_product *p, int64_t first, int64_t last, const float *a,
                        const float *b, float *c)
{
    const int some = ATL_REGISTERS == 32 || rows <= 4 ? rows : rows / 2;
    if (some == rows) {
        dot_some(rows, p, first, last, a, b, c);
        return;
    }
    for (int64_t j = first; j < last; j += DOT_COLUMNS) { /* while the caches hold their rows of B */
        int64_t end = last - j < DOT_COLUMNS ? last : j + DOT_COLUMNS;
        dot_some(some, p, j, end, a, b, c);
        dot_some(rows - some, p, j, end, a + some * p->a_row, b, c + some * p->n);
    }
}

static void dot_part(const stream *s, int64_t part)
{
    const atl_product *p = s->product;
    int64_t blocks = (p->n + DOT_COLUMNS - 1) / DOT_COLUMNS; /* a column's bits depend on nothing else */
    int64_t first = blocks * part / s->parts * DOT_COLUMNS, last = blocks * (part + 1) / s->parts * DOT_COLUMNS;
    if (last > p->n)
        last = p->n;
    FOR_ROWS(dot_columns, p->m, p, first, last, s->a, s->b, s->c)
}

static void dot_parts(const void *job, int64_t first, int64_t last)
{
    for (int64_t part = first; part < last; part++)
        dot_part(job, part);
}

void KERNEL(stream_product)(const atl_product *p, int parts, const float *a, const float *b, float *c, float *partial)
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
