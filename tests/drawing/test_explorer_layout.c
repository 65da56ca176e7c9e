/* The layout of one scope of the explorer: boxes that do not overlap, tails above heads. */
#include "drawing/explorer.h"
#include "support.h"

enum { MOST = 1000 };
static int32_t widths[MOST], at[MOST][2];
static int64_t ends[4 * MOST][2];

static void check_layout(int64_t count, int64_t edges, int is_acyclic)
{
    cr_assert_eq(explorer_place(&(explorer_layout){count, edges, widths, (const int64_t(*)[2])ends, at}), ATL_OK);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(at[i][0] >= widths[i] / 2 - 1 && at[i][1] >= EXPLORER_HEIGHT / 2 - 1, "box %lld lies outside",
                  (long long)i);
        for (int64_t k = 0; k < i; k++)
            cr_assert(abs(at[i][0] - at[k][0]) * 2 + 4 >= widths[i] + widths[k] ||
                          abs(at[i][1] - at[k][1]) + 2 >= EXPLORER_HEIGHT,
                      "boxes %lld and %lld overlap", (long long)i, (long long)k);
    }
    for (int64_t i = 0; is_acyclic && i < edges; i++)
        cr_assert_lt(at[ends[i][0]][1], at[ends[i][1]][1], "edge %lld runs upwards", (long long)i);
}

static int64_t make_random(int64_t count)
{
    int64_t edges = 0;
    for (int64_t i = 0; i < count; i++) {
        widths[i] = 60 + (int32_t)random_below(150);
        for (int k = 0; i && k < 3; k++) {
            ends[edges][0] = (int64_t)random_below((uint64_t)i);
            ends[edges++][1] = i;
        }
    }
    return edges;
}

Test(explorer_layout, nothing_and_one_box)
{
    check_layout(0, 0, 1);
    widths[0] = 80;
    check_layout(1, 0, 1);
}

Test(explorer_layout, graphs_of_graphviz_size)
{
    for (int64_t count = 2; count < 60; count += 19)
        check_layout(count, make_random(count), 1);
}

Test(explorer_layout, graphs_that_are_placed_in_rows) { check_layout(900, make_random(900), 1); }

/* Scopes may use each other's values in turn. */
Test(explorer_layout, cycles_come_to_an_end)
{
    for (int64_t count = 3; count <= 999; count += 996) {
        for (int64_t i = 0; i < count; i++) {
            widths[i] = 90;
            ends[i][0] = i;
            ends[i][1] = (i + 1) % count;
        }
        check_layout(count, count, 0);
    }
}
