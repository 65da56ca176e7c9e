/* From which step to which a value is used. */
#include "support.h"

#include "compiler/memory/lifetimes.h"

Test(lifetimes, from_the_first_step_to_the_last)
{
    /* Value 2 is a part of value 1, value 3 an output, and value 4 is never used. */
    atl_plan_value values[] = {{.space = ATL_FED, .shares = -1},
                               {.space = ATL_IN_ARENA, .shares = -1},
                               {.space = ATL_IN_ARENA, .shares = 1},
                               {.space = ATL_IN_ARENA, .shares = -1, .pinned = 1},
                               {.space = ATL_IN_ARENA, .shares = -1}};
    atl_plan_step steps[] = {{.reads = 1, .read = {0}, .writes = 1, .write = {3}},
                             {.reads = 1, .read = {3}, .writes = 1, .write = {1}},
                             {.reads = 1, .read = {0}, .writes = 1, .write = {2}},
                             {.reads = 1, .read = {2}, .writes = 1, .write = {3}}};
    atl_plan plan = {.values = values, .value_count = 5, .steps = steps, .step_count = 4};
    atl_lifetimes lives = {0};
    cr_assert(atl_allocate_lifetimes(&plan, &lives));
    atl_find_lifetimes(&plan, &lives, ATL_IN_ARENA);
    cr_expect_eq(atl_root_of(&plan, 2), 1);
    cr_expect_eq(lives.first[1], 1);
    cr_expect_eq(lives.last[1], 3, "a part keeps the whole alive");
    cr_expect_eq(lives.first[3], 0);
    cr_expect_eq(lives.last[3], 4, "an output lives to the end");
    cr_expect_eq(lives.first[4], -1);
    atl_release_lifetimes(&lives);
}

Test(lifetimes, a_part_that_is_an_output_keeps_the_whole_to_the_end)
{
    atl_plan_value values[] = {{.space = ATL_IN_ARENA, .shares = -1},
                               {.space = ATL_IN_ARENA, .shares = 0, .pinned = 1},
                               {.space = ATL_IN_ARENA, .shares = -1}};
    atl_plan_step steps[] = {{.writes = 1, .write = {0}}, {.writes = 1, .write = {2}}};
    atl_plan plan = {.values = values, .value_count = 3, .steps = steps, .step_count = 2};
    atl_lifetimes lives = {0};
    cr_assert(atl_allocate_lifetimes(&plan, &lives));
    atl_find_lifetimes(&plan, &lives, ATL_IN_ARENA);
    cr_expect_eq(lives.first[0], 0);
    cr_expect_eq(lives.last[0], 2);
    cr_expect_eq(lives.last[2], 1);
    atl_release_lifetimes(&lives);
}
