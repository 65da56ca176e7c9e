/* The loops of reductions against the same in double. */
#include "kernels/fold.h"

#include "isas.h"

static double step_of(atl_fold kind, double total, double x, double shift)
{
    switch (kind) {
    case ATL_FOLD_MAX:
        return isnan(x) || x > total ? x : total;
    case ATL_FOLD_MIN:
        return isnan(x) || x < total ? x : total;
    case ATL_FOLD_PRODUCT:
        return total * x;
    case ATL_FOLD_SUM_SQUARE:
    case ATL_FOLD_NORM:
        return total + x * x;
    case ATL_FOLD_LOG_SUM_EXP:
        return total + exp(x - shift);
    default:
        return total + x;
    }
}

static double start_of(atl_fold kind)
{
    return kind == ATL_FOLD_MAX ? -INFINITY : kind == ATL_FOLD_MIN ? INFINITY : kind == ATL_FOLD_PRODUCT ? 1 : 0;
}

static void expect_total(atl_fold kind, int64_t n, double got, double expected)
{
    cr_expect((isnan(got) && isnan(expected)) || got == expected || fabs(got - expected) <= 1e-5 * (1 + fabs(expected)),
              "fold %d of %lld: %g, not %g", (int)kind, (long long)n, got, expected);
}

enum { ROWS = 5, MOST = 1200 };

static void check_rows(const atl_fold_loops *loops, atl_fold kind, int64_t n)
{
    double part[MOST], total[MOST], more[MOST], expected[MOST];
    float *x = random_floats(ROWS * n), *shift = random_floats(n);
    loops->begin(part, n);
    for (int r = 0; r < ROWS; r++)
        loops->rows(part, x + r * n, shift, n);
    for (int64_t i = 0; i < n; i++) {
        total[i] = expected[i] = start_of(kind), more[i] = 2;
        for (int r = 0; r < ROWS; r++)
            expected[i] = step_of(kind, expected[i], (double)x[r * n + i], (double)shift[i]);
    }
    loops->flush(total, part, 0, n);
    for (int64_t i = 0; i < n; i++)
        expect_total(kind, n, total[i], expected[i]);
    loops->join(total, more, n);
    for (int64_t i = 0; i < n; i++) {
        double joined = kind == ATL_FOLD_MAX       ? fmax(expected[i], 2)
                        : kind == ATL_FOLD_MIN     ? fmin(expected[i], 2)
                        : kind == ATL_FOLD_PRODUCT ? expected[i] * 2
                                                   : expected[i] + 2;
        expect_total(kind, n, total[i], joined);
    }
    free(x), free(shift);
}

static void check_runs(const atl_fold_loops *loops, atl_fold kind, int64_t n, int with_nan)
{
    enum { RUNS = 37 }; /* extremes are found for VECTOR runs at a time */
    double total[RUNS];
    float *x = random_floats(RUNS * (n + 2)), shift[RUNS] = {0.5f, 0, -0.25f};
    for (int64_t r = 1; with_nan && n > 0 && r < RUNS; r += 3)
        x[r * (n + 2) + r * 5 % n] = r % 2 ? NAN : INFINITY;
    for (int r = 0; r < RUNS; r++)
        total[r] = start_of(kind);
    loops->runs(total, x, n + 2, n, shift, RUNS);
    for (int r = 0; r < RUNS; r++) {
        double expected = start_of(kind);
        for (int64_t i = 0; i < n; i++) {
            double next = (double)x[r * (n + 2) + i];
            expected = isnan(expected) ? expected : step_of(kind, expected, next, (double)shift[r]);
        }
        expect_total(kind, n, total[r], expected);
    }
    free(x);
}

ISA_TEST(fold, rows_and_runs)
{
    for (int kind = ATL_FOLD_SUM; kind <= ATL_FOLD_LOG_SUM_EXP; kind++) {
        const atl_fold_loops *loops = k->fold_loops((atl_fold)kind);
        for (int64_t n = 0; n < MOST; n += n < 40 ? 1 : 277) {
            check_rows(loops, (atl_fold)kind, n);
            check_runs(loops, (atl_fold)kind, n, 0);
            check_runs(loops, (atl_fold)kind, n, 1);
        }
    }
}
