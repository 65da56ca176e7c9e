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

static void check_and_free(const atl_product *p, operands *o, const char *what)
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
            double bound = (double)(p->k + 2) * 0x1p-24 * size;
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
                    k->small_product(&p, o.a, o.b, o.c);
                    check_and_free(&p, &o, "small");
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
                    k->outer_product(&p, o.a, o.b, o.c);
                    check_and_free(&p, &o, "outer");
                }
}
