/* Reductions of floats against the plain loops in double, over random dimensions. */
#include "support.h"

#include <omp.h>

#include "ops/reduction.h"

enum { MOST = 1 << 20 };
static float x[MOST], result[MOST];
static double plain_x[MOST], plain[MOST];

static void fill(int64_t count, float low, float high)
{
    for (int64_t i = 0; i < count; i++)
        plain_x[i] = x[i] = low + (high - low) * (float)random_below(1 << 20) / (1 << 20);
}

static int64_t results_of(const atl_reduction *r)
{
    int64_t count = 1;
    for (int i = 0; i < r->rank; i++)
        count *= r->reduced >> i & 1 ? 1 : r->size[i];
    return count;
}

static atl_reduction random_reduction(int64_t *count_out)
{
    atl_reduction r = {.rank = (int)random_below(6)};
    int64_t limit = random_below(6) ? 3000 : 400000, count = 1;
    for (int i = 0; i < r.rank; i++) {
        int64_t most = limit / count < 1 ? 1 : limit / count;
        r.size[i] = 1 + (int64_t)random_below((uint64_t)(random_below(3) ? (most < 20 ? most : 20) : most));
        count *= r.size[i];
        r.reduced |= (unsigned)random_below(2) << i;
    }
    *count_out = count;
    return r;
}

Test(reduction, every_fold_agrees_with_the_plain_loop)
{
    for (int k = 0; k < 700; k++) {
        int64_t count;
        atl_reduction r = random_reduction(&count);
        atl_fold fold = (atl_fold)(k % (ATL_FOLD_LOG_SUM_EXP + 1));
        int is_product = fold == ATL_FOLD_PRODUCT;
        fill(count, is_product ? 0.99f : -1, is_product ? 1.01f : 1);
        double norm = 0;
        for (int64_t i = 0; i < count; i++)
            norm = fmax(norm, fabs(plain_x[i]));
        atl_reduce_floats(&r, fold, x, result);
        atl_reduce_doubles(&r, fold, plain_x, plain);
        double terms = (double)count / (double)results_of(&r);
        for (int64_t i = 0; i < results_of(&r); i++) {
            double bound = 4e-7 * (fabs(plain[i]) + (fold == ATL_FOLD_SUM ? norm * sqrt(terms)
                                                                          : norm)); /* blocks of 32 terms in a float */
            cr_assert(fabs(result[i] - plain[i]) <= bound,
                      "fold %d, reduction %d, element %lld: %.9g, not %.9g (seed %llu)", (int)fold, k, (long long)i,
                      (double)result[i], plain[i], (unsigned long long)test_seed());
        }
    }
}

Test(reduction, the_error_does_not_grow_with_the_number_of_terms)
{
    atl_reduction last = atl_reduction_over(ATL_SHAPE(MOST), 1), first = atl_reduction_over(ATL_SHAPE(MOST / 4, 4), 1);
    fill(MOST, 0, 1);
    atl_reduce_doubles(&last, ATL_FOLD_SUM, plain_x, plain);
    atl_reduce_floats(&last, ATL_FOLD_SUM, x, result);
    cr_assert_float_eq(result[0] / plain[0], 1, 1.2e-7);
    atl_reduce_doubles(&first, ATL_FOLD_SUM, plain_x, plain);
    atl_reduce_floats(&first, ATL_FOLD_SUM, x, result);
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(result[i] / plain[i], 1, 1.2e-7);
}

Test(reduction, the_same_bits_for_any_number_of_threads)
{
    static float again[MOST];
    int threads = omp_get_max_threads();
    fill(MOST, -1, 1);
    for (int k = 0; k < 100; k++) {
        int64_t count;
        atl_reduction r = random_reduction(&count);
        for (int n = 1; n <= 3; n++) {
            omp_set_num_threads(n);
            atl_reduce_floats(&r, ATL_FOLD_SUM, x, n == 1 ? result : again);
            cr_assert(n == 1 || !memcmp(again, result, (size_t)results_of(&r) * sizeof *again));
        }
    }
    omp_set_num_threads(threads);
}

Test(reduction, what_is_not_a_number_shows)
{
    atl_reduction rows = atl_reduction_over(ATL_SHAPE(2, 40), 2), columns = atl_reduction_over(ATL_SHAPE(40, 2), 1);
    for (int fold = ATL_FOLD_SUM; fold <= ATL_FOLD_LOG_SUM_EXP; fold++)
        for (int place = 0; place < 40; place += 13) {
            fill(80, 0, 1);
            x[place] = NAN;
            atl_reduce_floats(&rows, (atl_fold)fold, x, result);
            cr_expect(isnan(result[0]) && !isnan(result[1]), "fold %d, place %d: %g, %g", fold, place,
                      (double)result[0], (double)result[1]);
            fill(80, 0, 1);
            x[2 * place] = NAN;
            atl_reduce_floats(&columns, (atl_fold)fold, x, result);
            cr_expect(isnan(result[0]) && !isnan(result[1]), "fold %d, row %d: %g, %g", fold, place, (double)result[0],
                      (double)result[1]);
        }
}

Test(reduction, extremes_of_range)
{
    atl_reduction all = atl_reduction_over(ATL_SHAPE(3), 1);
    x[0] = x[1] = x[2] = 1e30f;
    atl_reduce_floats(&all, ATL_FOLD_NORM, x, result);
    cr_assert_float_eq(result[0] / 1e30f, sqrt(3), 1e-6);
    x[0] = x[1] = x[2] = -1000;
    atl_reduce_floats(&all, ATL_FOLD_LOG_SUM_EXP, x, result);
    cr_assert_float_eq(result[0], -1000 + log(3), 1e-4);
    x[0] = x[1] = x[2] = -INFINITY;
    atl_reduce_floats(&all, ATL_FOLD_LOG_SUM_EXP, x, result);
    cr_assert_eq(result[0], -INFINITY);
    x[1] = INFINITY;
    atl_reduce_floats(&all, ATL_FOLD_LOG_SUM_EXP, x, result);
    cr_assert_eq(result[0], INFINITY);
}

Test(reduction, of_nothing)
{
    atl_reduction rows = atl_reduction_over(ATL_SHAPE(2, 0), 2), none = atl_reduction_over(ATL_SHAPE(0, 3), 2);
    result[0] = result[1] = 5;
    atl_reduce_floats(&none, ATL_FOLD_SUM, x, result);
    cr_assert_eq(result[0], 5);
    atl_reduce_floats(&rows, ATL_FOLD_SUM, x, result);
    cr_assert_eq(result[0], 0);
    cr_assert_eq(result[1], 0);
    atl_reduce_floats(&rows, ATL_FOLD_PRODUCT, x, result);
    cr_assert_eq(result[1], 1);
}
