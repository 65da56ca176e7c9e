/* Orthonormal rows: against the definition, for rows that depend on one another too, and bit for bit between the
 * instruction sets and numbers of threads. */
#include "kernels/orthogonal.h"

#include <omp.h>

#include "isas.h"

typedef struct rows {
    int64_t count, length, row;
    double *q, *squares;
} rows;

static rows rows_new(int64_t count, int64_t length)
{
    rows r = {count, length, atl_orthogonal_row(length)};
    r.q = calloc((size_t)(count * r.row), sizeof *r.q);
    r.squares = calloc((size_t)count, sizeof *r.squares);
    atl_tensor *values = atl_uniform_tensor(ATL_SHAPE(count, length), -1, 1, 1);
    cr_assert(r.q && r.squares && values);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < length; k++)
            r.q[i * r.row + k] = (double)atl_floats(values)[i * length + k];
    atl_tensor_free(values);
    return r;
}

static void rows_free(rows *r)
{
    free(r->q);
    free(r->squares);
}

static double dot_of(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

static void expect_orthonormal(const rows *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double dot = dot_of(r->q + i * r->row, r->q + j * r->row, r->length);
            cr_assert_float_eq(dot, i == j, 1e-10, "%lld x %lld: rows %lld and %lld: %g", (long long)r->count,
                               (long long)r->length, (long long)i, (long long)j, dot);
        }
        for (int64_t k = r->length; k < r->row; k++)
            cr_assert_eq(r->q[i * r->row + k], 0);
    }
}

/* Less than a lane, blocks that are full and not, square ones, whose last rows keep little of their length. */
ISA_TEST(orthogonal, rows_become_orthonormal)
{
    static const int64_t sizes[][2] = {{1, 1},   {1, 5},   {3, 3},    {8, 8},    {20, 33},
                                       {32, 32}, {33, 40}, {77, 131}, {150, 150}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rows r = rows_new(sizes[i][0], sizes[i][1]);
        k->orthonormalize(r.q, r.count, r.length, r.squares);
        expect_orthonormal(&r);
        rows_free(&r);
    }
}

/* Each row stays in the span of itself and of those before it, on its own side. */
ISA_TEST(orthogonal, spans_stay)
{
    enum { ROWS = 40, LENGTH = 50 };
    rows r = rows_new(ROWS, LENGTH), before = rows_new(ROWS, LENGTH);
    k->orthonormalize(r.q, ROWS, LENGTH, r.squares);
    for (int i = 0; i < ROWS; i++) {
        double rest[LENGTH], *v = before.q + i * before.row;
        memcpy(rest, v, sizeof rest);
        for (int j = 0; j <= i; j++) {
            double factor = dot_of(v, r.q + j * r.row, LENGTH);
            if (j == i)
                cr_expect_gt(factor, 0, "row %d is turned round", i);
            for (int c = 0; c < LENGTH; c++)
                rest[c] -= factor * r.q[j * r.row + c];
        }
        cr_expect_lt(dot_of(rest, rest, LENGTH), 1e-20, "row %d", i);
    }
    rows_free(&r);
    rows_free(&before);
}

ISA_TEST(orthogonal, rows_that_depend_on_others)
{
    enum { ROWS = 70, LENGTH = 72 };
    rows r = rows_new(ROWS, LENGTH);
    memset(r.q, 0, (size_t)r.row * sizeof *r.q);                            /* zeros */
    memcpy(r.q + 2 * r.row, r.q + 1 * r.row, (size_t)r.row * sizeof *r.q);  /* twice, in one block */
    memcpy(r.q + 60 * r.row, r.q + 5 * r.row, (size_t)r.row * sizeof *r.q); /* and in two */
    for (int c = 0; c < LENGTH; c++)                                        /* nearly */
        r.q[61 * r.row + c] = r.q[6 * r.row + c] + 1e-9 * r.q[7 * r.row + c] + 1e-12 * r.q[61 * r.row + c];
    k->orthonormalize(r.q, ROWS, LENGTH, r.squares);
    expect_orthonormal(&r);
    rows_free(&r);
}

static rows orthonormalize_with(const atl_kernel_table *k, int threads)
{
    rows r = rows_new(301, 333);
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    k->orthonormalize(r.q, r.count, r.length, r.squares);
    omp_set_num_threads(before);
    return r;
}

ISA_TEST(orthogonal, same_bits_everywhere)
{
    rows expected = orthonormalize_with(atl_kernels_of(ATL_ISA_GENERIC), 1);
    for (int threads = 1; threads <= 5; threads += 2) {
        rows r = orthonormalize_with(k, threads);
        cr_expect_eq(memcmp(r.q, expected.q, (size_t)(r.count * r.row) * sizeof *r.q), 0, "%d threads", threads);
        rows_free(&r);
    }
    rows_free(&expected);
}
