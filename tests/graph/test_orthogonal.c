/* Random orthogonal matrices. */
#include "graph/orthogonal.h"

#include "support.h"

/* A large matrix, by the products with some of its vectors: all are orthogonal to these. */
static void check_large(int64_t rows, int64_t columns)
{
    atl_tensor *w = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(rows, columns));
    cr_assert(w, "%s", atl_error());
    cr_assert_eq(atl_fill_orthogonal(atl_floats(w), ATL_SHAPE(rows, columns), 1, 7), ATL_OK, "%s", atl_error());
    const float *x = atl_floats(w);
    int64_t vectors = rows < columns ? rows : columns, length = rows + columns - vectors;
    int64_t step = rows < columns ? columns : 1, next = rows < columns ? 1 : columns;
    for (int64_t i = 0; i < vectors; i += vectors / 7)
        for (int64_t j = 0; j < vectors; j++) {
            double dot = 0;
            for (int64_t c = 0; c < length; c++)
                dot += (double)x[i * step + c * next] * (double)x[j * step + c * next];
            cr_assert_float_eq(dot, i == j, 1e-5, "vectors %lld and %lld: %g", (long long)i, (long long)j, dot);
        }
    atl_tensor_free(w);
}

Test(orthogonal, large) { check_large(700, 700); }
Test(orthogonal, large_and_tall) { check_large(900, 310); }
Test(orthogonal, large_and_wide) { check_large(310, 900); }

Test(orthogonal, seeds_and_gain)
{
    float a[12], b[12], other[12], twice[12];
    cr_assert_eq(atl_fill_orthogonal(a, ATL_SHAPE(3, 4), 1, 1), ATL_OK);
    cr_assert_eq(atl_fill_orthogonal(b, ATL_SHAPE(3, 4), 1, 1), ATL_OK);
    cr_assert_eq(atl_fill_orthogonal(other, ATL_SHAPE(3, 4), 1, 2), ATL_OK);
    cr_assert_eq(atl_fill_orthogonal(twice, ATL_SHAPE(3, 4), 2, 1), ATL_OK);
    cr_expect_arr_eq(a, b, sizeof a);
    cr_expect_neq(memcmp(a, other, sizeof a), 0);
    for (int i = 0; i < 12; i++)
        cr_expect_eq(twice[i], 2 * a[i]);
}

Test(orthogonal, nothing_and_a_number)
{
    float one = 0;
    cr_expect_eq(atl_fill_orthogonal(&one, ATL_SHAPE(0, 4), 1, 1), ATL_OK);
    cr_expect_eq(atl_fill_orthogonal(&one, ATL_SHAPE(4, 0), 1, 1), ATL_OK);
    cr_expect_eq(one, 0);
    cr_expect_eq(atl_fill_orthogonal(&one, ATL_SCALAR, 1, 1), ATL_OK);
    cr_expect_eq(fabsf(one), 1);
}
