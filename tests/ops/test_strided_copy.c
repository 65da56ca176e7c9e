/* Fast strided copies against plain ones, with random descriptors. */
#include "support.h"

#include "ops/strided_copy.h"

enum { MOST = 1 << 20 };

/* A copy over dense arrays whose dimensions are in random order, some of them reversed, repeated, or cut short. */
static atl_strided_copy random_walk(int64_t *to_count, int64_t *from_count)
{
    atl_strided_copy desc = {.rank = (int)random_below(5)};
    int64_t limit = random_below(8) ? 4000 : 300000, elements = 1;
    int order[5] = {0, 1, 2, 3, 4};
    for (int i = 0; i < desc.rank; i++) {
        int64_t most = limit / elements < 1 ? 1 : limit / elements;
        desc.size[i] = 1 + (int64_t)random_below((uint64_t)(random_below(3) ? (most < 40 ? most : 40) : most));
        elements *= desc.size[i];
        int other = (int)random_below((uint64_t)i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    *to_count = *from_count = 1;
    for (int i = desc.rank - 1; i >= 0; i--) {
        int step = 1 + !random_below(8);
        desc.to[i] = *to_count * step;
        *to_count *= desc.size[i] * step;
    }
    for (int i = desc.rank - 1; i >= 0; i--) {
        int d = order[i], kind = (int)random_below(8);
        int64_t step = kind == 1 ? 2 : 1;
        desc.from[d] = kind == 0 ? 0 : *from_count * step;
        if (kind)
            *from_count *= desc.size[d] * step;
        if (kind == 2) {
            desc.from_start += (desc.size[d] - 1) * desc.from[d];
            desc.from[d] = -desc.from[d];
        }
    }
    return desc;
}

Test(strided_copy, agrees_with_the_plain_loop)
{
    static int32_t from[MOST], to[MOST];
    static double plain_from[MOST], plain_to[MOST];
    int done = 0;
    for (int i = 0; i < MOST; i++)
        plain_from[i] = from[i] = i;
    for (int k = 0; k < 2000; k++) {
        int64_t to_count, from_count;
        atl_strided_copy desc = random_walk(&to_count, &from_count);
        if (to_count > MOST || from_count > MOST)
            continue;
        for (int64_t i = 0; i < to_count; i++)
            plain_to[i] = to[i] = -1;
        atl_copy_words(&desc, to, from);
        atl_copy_doubles(&desc, plain_to, plain_from);
        for (int64_t i = 0; i < to_count; i++)
            cr_assert_eq(to[i], plain_to[i], "walk %d (seed %llu), element %lld: %d, not %g", k,
                         (unsigned long long)test_seed(), (long long)i, to[i], plain_to[i]);
        done++;
    }
    cr_assert_gt(done, 1000);
}

Test(strided_copy, one_long_run_of_memory)
{
    static int32_t from[100003], to[100004];
    for (int i = 0; i < 100003; i++)
        from[i] = i;
    to[100003] = -7;
    atl_strided_copy desc = atl_strided_copy_over(ATL_SHAPE(100003));
    atl_copy_words(&desc, to, from);
    cr_assert_eq(memcmp(to, from, sizeof from), 0);
    cr_assert_eq(to[100003], -7);
}

Test(strided_copy, nothing_at_all)
{
    int32_t from = 1, to = 2;
    atl_strided_copy desc = atl_strided_copy_over(ATL_SHAPE(3, 0, 2));
    atl_copy_words(&desc, &to, &from);
    cr_assert_eq(to, 2);
}

Test(strided_copy, a_scalar)
{
    int32_t from = 1, to = 2;
    atl_strided_copy desc = atl_strided_copy_over(ATL_SCALAR);
    atl_copy_words(&desc, &to, &from);
    cr_assert_eq(to, 1);
}
