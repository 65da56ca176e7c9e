/* Small, narrow and flat matrix products against plain loops, without writing outside the result. */
#include "cost/cost.h"
#include "isas.h"

typedef struct operands {
    int64_t a_count, b_count, c_count;
    float *a, *b, *c;
} operands;

static operands new_operands(const atl_product *p)
{
    operands o = {p->m * p->k, p->k * p->n, p->m * p->n, NULL, NULL, NULL};
    o.a = random_floats(o.a_count);
    o.b = random_floats(o.b_count);
    o.c = random_floats(o.c_count);
    return o;
}

/* Element (i, j), of which the sum of the terms is so much. */
static double ended(const atl_product *p, const atl_product_end *end, const float *base, double sum, int64_t i,
                    int64_t j)
{
    if (!end)
        return sum;
    if (end->base)
        return base[i * p->n + j] + end->factor * sum;
    if (end->bias)
        sum += end->bias[j];
    return end->relu ? fmin(fmax(sum, 0), end->highest) : sum;
}

/* `base`: what end->base, which the result may have overwritten, was before. */
static void check_ended_and_free(const atl_product *p, operands *o, const atl_product_end *end, const float *base,
                                 const char *what)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            for (int64_t q = 0; q < p->k; q++) {
                double term =
                    (double)o->a[i * p->a_row + q * p->a_column] * o->b[p->b_transposed ? j * p->k + q : q * p->n + j];
                sum += term;
                size += fabs(term);
            }
            sum = ended(p, end, base, sum, i, j);
            double bound = (double)(p->k + 2) * 0x1p-24 * (size + (end ? 1 : 0)); /* a bias or base is at most 1 */
            cr_assert(fabs(o->c[i * p->n + j] - sum) <= bound, "%s, %dx%dx%d at (%d, %d): %g, not %g", what, (int)p->m,
                      (int)p->n, (int)p->k, (int)i, (int)j, (double)o->c[i * p->n + j], sum);
        }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(o->c[o->c_count + i]), "%s, %dx%dx%d writes beyond the result", what, (int)p->m, (int)p->n,
                  (int)p->k);
    free(o->a);
    free(o->b);
    free(o->c);
}

static void check_and_free(const atl_product *p, operands *o, const char *what)
{
    check_ended_and_free(p, o, NULL, NULL, what);
}

static atl_product product_of(int64_t m, int64_t n, int64_t k, int transpose_a, int transpose_b)
{
    return (atl_product){m, n, k, transpose_a ? 1 : k, transpose_a ? m : 1, transpose_b};
}

ISA_TEST(matrix, small_products)
{
    for (int64_t m = 1; m < 8; m++)
        for (int64_t n = 1; n < 70; n += n < 35 ? FEWER(1, 3) : 7)
            for (int64_t depth = 0; depth < 20; depth += depth < 6 ? FEWER(1, 2) : 5)
                for (int way = 0; way < 4; way++) {
                    atl_product p = product_of(m, n, depth, way & 1, way >> 1);
                    operands o = new_operands(&p);
                    k->small_product(&p, o.a, o.b, NULL, o.c);
                    check_and_free(&p, &o, "small");
                }
}

typedef void product_kernel(const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c);

/* Bias, relu with a limit and without, and updates of an array in its place and into another. */
static void check_ends(product_kernel *kernel, const atl_product *p, const char *what)
{
    float *row = random_floats(p->n);
    for (int which = 0; which < 5; which++) {
        operands o = new_operands(p);
        float *base = random_floats(o.c_count);
        const atl_product_end end = {.bias = which < 3 ? row : NULL,
                                     .relu = which == 1 || which == 2,
                                     .highest = which == 2 ? 0.25f : INFINITY,
                                     .base = which < 3    ? NULL
                                             : which == 3 ? o.c
                                                          : base,
                                     .factor = -0.75f};
        if (which == 3)
            memcpy(base, o.c, (size_t)o.c_count * sizeof *base);
        kernel(p, o.a, o.b, &end, o.c);
        check_ended_and_free(p, &o, &end, base, what);
        free(base);
    }
    free(row);
}

ISA_TEST(matrix, small_products_with_an_end)
{
    for (int64_t m = 1; m < 8; m++)
        for (int64_t n = 1; n < 70; n += n < 35 ? FEWER(1, 3) : 7)
            for (int64_t depth = 1; depth < 10; depth += 4)
                for (int way = 0; way < 4; way++) {
                    atl_product p = product_of(m, n, depth, way & 1, way >> 1);
                    check_ends(k->small_product, &p, "small with an end");
                }
}

ISA_TEST(matrix, streams)
{
    for (int64_t m = 1; m <= ATL_FEW_ROWS; m++)
        for (int64_t n = 1; n < 2000; n = n * 2 + 1)
            for (int64_t depth = 1; depth < 300; depth = depth * 3 + 1)
                for (int way = 0; way < 3; way++)
                    for (int parts = 1; parts < 9; parts += 3) {
                        atl_product p = product_of(m, n, depth, way & 1, way >> 1);
                        operands o = new_operands(&p);
                        float *partial = random_floats(atl_stream_partial(&p, parts));
                        k->stream_product(&p, parts, o.a, o.b, o.c, partial);
                        check_and_free(&p, &o, "stream");
                        free(partial);
                    }
}

/* A matrix that comes from memory has a loop of its own. */
ISA_TEST(matrix, streams_of_large_matrices)
{
    enum { N = 4099, DEPTH = 1037 };
    _Static_assert(N * DEPTH >= ATL_FAR_FLOATS, "large enough");
    for (int64_t m = 1; m <= ATL_FEW_ROWS; m += FEWER(1, 3)) {
        int parts = 1 + (int)(m % 3);
        atl_product p = product_of(m, N, DEPTH, m % 2, 0);
        operands o = new_operands(&p);
        float *partial = random_floats(atl_stream_partial(&p, parts));
        k->stream_product(&p, parts, o.a, o.b, o.c, partial);
        check_and_free(&p, &o, "stream");
        free(partial);
    }
}

ISA_TEST(matrix, outer_products)
{
    for (int64_t m = 1; m < 300; m = m * 3 + 2)
        for (int64_t n = 1; n < 300; n = n * 3 + 1)
            for (int64_t depth = 1; depth <= ATL_FEW_ROWS; depth++)
                for (int way = 0; way < 2; way++) {
                    atl_product p = product_of(m, n, depth, way, 0);
                    operands o = new_operands(&p);
                    k->outer_product(&p, o.a, o.b, NULL, o.c);
                    check_and_free(&p, &o, "outer");
                }
}

ISA_TEST(matrix, outer_products_with_an_end)
{
    for (int64_t m = 1; m < 300; m = m * 3 + 2)
        for (int64_t n = 1; n < 300; n = n * 3 + 1)
            for (int64_t depth = 1; depth <= ATL_FEW_ROWS; depth += 3) {
                atl_product p = product_of(m, n, depth, 1, 0);
                check_ends(k->outer_product, &p, "outer with an end");
            }
}

/* Where a thread begins must not show: the same rows, alone. */
ISA_TEST(matrix, rows_of_outer_products_are_the_same_alone)
{
    enum { M = 7, N = 37, DEPTH = 7 };
    atl_product p = product_of(M, N, DEPTH, 0, 0), one = product_of(1, N, DEPTH, 0, 0);
    operands o = new_operands(&p);
    float *row = random_floats(N);
    k->outer_product(&p, o.a, o.b, NULL, o.c);
    for (int64_t i = 0; i < M; i++) {
        k->outer_product(&one, o.a + i * DEPTH, o.b, NULL, row);
        cr_assert_eq(memcmp(row, o.c + i * N, N * sizeof *row), 0, "row %d", (int)i);
    }
    free(row);
    check_and_free(&p, &o, "outer");
}

ISA_TEST(matrix, rows_of_packed_products)
{
    for (int64_t m = 1; m < 60; m += m < 26 ? 1 : 11)
        for (int64_t n = k->vector; n <= 12 * k->vector; n += FEWER(1, 5) * k->vector)
            for (int64_t depth = 1; depth < 70; depth = depth * 3 + 2)
                for (int way = 0; way < 2; way++) {
                    atl_product p = product_of(m, n, depth, way, 0);
                    operands o = new_operands(&p);
                    float *packed = random_floats(o.b_count);
                    k->panel_pack(&p, o.b, packed);
                    for (int i = 0; i < MARGIN; i++)
                        cr_assert(isnan(packed[o.b_count + i]), "packing writes beyond its floats");
                    k->panel_rows(&p, o.a, packed, o.c);
                    free(packed);
                    check_and_free(&p, &o, "packed");
                }
}
