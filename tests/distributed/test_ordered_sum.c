/* The sum of M parts has the same bits however the parts are divided among ranks. */
#include "support.h"
#include "distributed/ordered_sum.h"
#include "graph/random.h"

#include <string.h>

enum { MOST_PARTS = 70, FLOATS = 5 };

static float value[MOST_PARTS][FLOATS];

/* Each rank adds its parts, as they come; then what remains is added in the order of the ranks. */
static void sum_over(int parts, int ranks, float *sum)
{
    static float memory[MOST_PARTS][FLOATS];
    atl_pieces all = {0};
    memcpy(memory, value, sizeof memory);
    for (int r = 0; r < ranks; r++) {
        atl_pieces own = {0}, expected;
        int64_t first, count = atl_parts_of_rank(parts, r, ranks, &first);
        int most = atl_pieces_of_rank(parts, r, ranks, &expected);
        for (int64_t i = first; i < first + count; i++) {
            cr_assert(own.count + !atl_completes_pair(&own, i) <= most);
            atl_append_piece(&own, (atl_piece){.first = i, .at = memory[i]}, FLOATS);
        }
        cr_assert_eq(own.count, expected.count);
        for (int i = 0; i < own.count; i++) {
            cr_assert_eq(own.piece[i].first, expected.piece[i].first);
            cr_assert_eq(own.piece[i].level, expected.piece[i].level);
            atl_append_piece(&all, own.piece[i], FLOATS);
        }
    }
    atl_finish_sum(&all, FLOATS);
    cr_assert_eq(all.piece[0].first, 0);
    memcpy(sum, all.piece[0].at, FLOATS * sizeof *sum);
}

Test(ordered_sum, has_the_same_bits_for_any_number_of_ranks)
{
    uint64_t seed = test_seed();
    for (int i = 0; i < MOST_PARTS; i++)
        for (int k = 0; k < FLOATS; k++)
            value[i][k] = 2 * atl_random_uniform(seed, (uint64_t)(i * FLOATS + k)) - 1;
    for (int parts = 1; parts <= MOST_PARTS; parts++) {
        float alone[FLOATS], sum[FLOATS];
        sum_over(parts, 1, alone);
        for (int k = 0; k < FLOATS; k++) {
            double exact = 0;
            for (int i = 0; i < parts; i++)
                exact += (double)value[i][k];
            cr_assert(fabs(exact - (double)alone[k]) < 1e-5, "%d parts: %g, not %g", parts, (double)alone[k], exact);
        }
        for (int ranks = 2; ranks <= parts; ranks++) {
            sum_over(parts, ranks, sum);
            cr_assert(memcmp(sum, alone, sizeof sum) == 0, "%d parts, %d ranks", parts, ranks);
        }
    }
}

Test(ordered_sum, every_part_belongs_to_one_rank)
{
    for (int parts = 1; parts <= MOST_PARTS; parts++)
        for (int ranks = 1; ranks <= parts; ranks++) {
            int64_t next = 0;
            for (int r = 0; r < ranks; r++) {
                int64_t first, count = atl_parts_of_rank(parts, r, ranks, &first);
                cr_assert_eq(first, next);
                cr_assert(count >= parts / ranks && count <= parts / ranks + 1);
                next += count;
            }
            cr_assert_eq(next, parts);
        }
}

Test(ordered_sum, a_weight_multiplies)
{
    float sum[3] = {1, 2, 3}, x[3] = {4, 5, 6};
    atl_add_weighted(sum, x, 1, 3);
    cr_assert(sum[0] == 5 && sum[1] == 7 && sum[2] == 9);
    atl_add_weighted(sum, x, 0.5f, 2);
    cr_assert(sum[0] == 7 && sum[1] == 9.5f && sum[2] == 9);
}
