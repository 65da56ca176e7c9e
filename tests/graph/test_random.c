/* Random numbers by counter. */
#include "support.h"

#include "graph/random.h"

/* Of splitmix64 with seed 0, as published with it. */
Test(random, known_numbers)
{
    cr_assert_eq(atl_random_bits(0, 0), 0xe220a8397b1dcdafu);
    cr_assert_eq(atl_random_bits(0, 1), 0x6e789e6aa1b965f4u);
    cr_assert_eq(atl_random_bits(0, 2), 0x06c45d188009454fu);
}

Test(random, uniform_numbers_fill_their_range_evenly)
{
    enum { COUNT = 100000, BINS = 10 };
    int bin[BINS] = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        float x = atl_random_uniform(test_seed(), i);
        cr_assert(x >= 0 && x < 1);
        bin[(int)(x * BINS)]++;
    }
    for (int i = 0; i < BINS; i++) /* deviation: sqrt(COUNT * 0.1 * 0.9) = 95 */
        cr_assert(abs(bin[i] - COUNT / BINS) < 6 * 95, "bin %d has %d", i, bin[i]);
}

Test(random, normal_numbers_have_the_moments)
{
    enum { COUNT = 100000 };
    double sum = 0, square = 0, third = 0, fourth = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        double x = atl_random_normal(test_seed(), i);
        cr_assert(isfinite(x));
        sum += x / COUNT, square += x * x / COUNT, third += x * x * x / COUNT, fourth += x * x * x * x / COUNT;
    }
    cr_assert(fabs(sum) < 6 * sqrt(1.0 / COUNT), "mean %g", sum);
    cr_assert(fabs(square - 1) < 6 * sqrt(2.0 / COUNT), "variance %g", square);
    cr_assert(fabs(third) < 6 * sqrt(15.0 / COUNT), "third %g", third);
    cr_assert(fabs(fourth - 3) < 6 * sqrt(96.0 / COUNT), "fourth %g", fourth);
}

Test(random, streams_differ)
{
    int equal = 0;
    for (uint64_t i = 0; i < 1000; i++)
        equal += atl_random_bits(1, i) == atl_random_bits(2, i);
    cr_assert_eq(equal, 0);
}
