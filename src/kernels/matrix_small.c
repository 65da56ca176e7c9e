/* Small products, and products of few terms: see matrix.h. */
#include "kernels/matrix.h"

#include "kernels/parallel.h"
#include "kernels/vectors.h"

/* The rows of a product that are computed: the pointers are to the first element of what is left of them. */
typedef struct rows_of_c {
    const atl_product *p;
    const float *a, *b;
    const atl_product_end *end; /* null: none */
    float *c;
    int64_t at, column; /* of c's first element in C */
} rows_of_c;

INLINE rows_of_c from_row(rows_of_c r, int64_t i)
{
    r.a += i * r.p->a_row;
    r.c += i * r.p->n;
    r.at += i * r.p->n;
    return r;
}

INLINE rows_of_c from_column(rows_of_c r, int64_t j)
{
    r.b += j;
    r.c += j;
    r.at += j;
    r.column += j;
    return r;
}

INLINE vec finished(const atl_product_end *end, const int partly, int lanes, vec sum, int64_t at, int64_t column)
{
    if (end->base)
        return load_lanes(partly, lanes, end->base + at) + end->factor * sum;
    if (end->bias)
        sum += load_lanes(partly, lanes, end->bias + column);
    if (end->relu)
        sum = at_most(relu(sum), end->highest);
    return sum;
}

INLINE float finished_one(const atl_product_end *end, float sum, int64_t at, int64_t column)
{
    if (!end)
        return sum;
    if (end->base)
        return end->base[at] + end->factor * sum;
    if (end->bias)
        sum += end->bias[column];
    return !end->relu ? sum : sum <= 0 ? 0 : sum > end->highest ? end->highest : sum;
}

/* A block of C in registers, [rows, VECTOR * width]; with `partly` its first `lanes` columns, for a width of 1. */
INLINE void block_of_c(const int rows, const int width, const int partly, int lanes, rows_of_c r)
{
    vec sum[4][2];
    int64_t n = r.p->n, k = r.p->k, row = r.p->a_row, column = r.p->a_column;
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < width; v++)
        sum[i][v] = (vec){0};
    for (int64_t q = 0; q < k; q++)
        UNROLL
    for (int v = 0; v < width; v++) {
        vec w = load_lanes(partly, lanes, r.b + q * n + v * VECTOR);
        UNROLL
        for (int i = 0; i < rows; i++)
            sum[i][v] += r.a[i * row + q * column] * w;
    }
    if (r.end) /* before any is stored: a load must not wait for a store beside it */
        UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < width; v++)
        sum[i][v] = finished(r.end, partly, lanes, sum[i][v], r.at + i * n + v * VECTOR, r.column + v * VECTOR);
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < width; v++)
        store_lanes(partly, lanes, r.c + i * n + v * VECTOR, sum[i][v]);
}

/* One row and VECTOR columns or fewer: four sums side by side, for one would wait for its own last term. */
INLINE void one_vector(const int partly, int lanes, rows_of_c r)
{
    int64_t n = r.p->n, k = r.p->k, column = r.p->a_column, q = 0;
    vec sum = {0};
    if (k >= 4) {
        vec part[4] = {{0}, {0}, {0}, {0}};
        for (; q + 4 <= k; q += 4)
            UNROLL
        for (int i = 0; i < 4; i++)
            part[i] += r.a[(q + i) * column] * load_lanes(partly, lanes, r.b + (q + i) * n);
        sum = (part[0] + part[1]) + (part[2] + part[3]);
    }
    for (; q < k; q++)
        sum += r.a[q * column] * load_lanes(partly, lanes, r.b + q * n);
    if (r.end)
        sum = finished(r.end, partly, lanes, sum, r.at, r.column);
    store_lanes(partly, lanes, r.c, sum);
}

/* `alone`: the sums need not be in the order of those of several rows. */
INLINE void blocks_of_rows(const int rows, const int alone, rows_of_c r)
{
    int64_t j = 0, n = r.p->n;
    for (; j + 2 * VECTOR <= n; j += 2 * VECTOR)
        block_of_c(rows, 2, 0, VECTOR, from_column(r, j));
    for (; j + VECTOR <= n; j += VECTOR)
        if (alone)
            one_vector(0, VECTOR, from_column(r, j));
        else
            block_of_c(rows, 1, 0, VECTOR, from_column(r, j));
    if (j < n && alone)
        one_vector(1, (int)(n - j), from_column(r, j));
    else if (j < n)
        block_of_c(rows, 1, 1, (int)(n - j), from_column(r, j));
}

/* Rows first..last-1; `alone`: a single one may differ from the others in the order of its sums. */
INLINE void product_in_blocks(const int alone, rows_of_c r, int64_t first, int64_t last)
{
    int64_t i = first;
    for (; i + 4 <= last; i += 4)
        blocks_of_rows(4, 0, from_row(r, i));
    for (; i + 2 <= last; i += 2)
        blocks_of_rows(2, 0, from_row(r, i));
    for (; i < last; i++)
        blocks_of_rows(1, alone, from_row(r, i));
}

/* Element (i, j) of C is a row of A times a row of B's storage. */
static void dot_rows(const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c)
{
    int64_t n = p->n, k = p->k, column = p->a_column;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < n; j++) {
            const float *x = a + i * p->a_row, *w = b + j * k;
            float sum = 0;
            int64_t q = 0;
            if (column == 1 && k >= VECTOR) {
                vec sums = load(x) * load(w);
                for (q = VECTOR; q + VECTOR <= k; q += VECTOR)
                    sums += load(x + q) * load(w + q);
                sum = sum_of_vector(sums);
            }
            for (; q < k; q++)
                sum += x[q * column] * w[q];
            c[i * n + j] = finished_one(end, sum, i * n + j, j);
        }
}

void KERNEL(small_product)(const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c)
{
    const rows_of_c r = {p, a, b, end, c, 0, 0};
    if (p->b_transposed)
        dot_rows(p, a, b, end, c);
    else
        product_in_blocks(1, r, 0, p->m);
}

/* ---- few terms --------------------------------------------------------------------------------------------------- */

/* The same order of sums in every row, wherever a thread begins. */
static void outer_rows(const void *job, int64_t first, int64_t last)
{
    product_in_blocks(0, *(const rows_of_c *)job, first, last);
}

void KERNEL(outer_product)(const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c)
{
    const rows_of_c r = {p, a, b, end, c, 0, 0};
    atl_parallel(p->m, p->m * p->n, outer_rows, &r);
}
