/* Results that are written over operands, and over the variables to which they are assigned. */
#include "passes.h"

Test(in_place, results_take_the_place_of_operands)
{
    counted with, without;
    compare_without(ATL_PASS_IN_PLACE, &with, &without);
    cr_assert_eq(with.always, without.always);
    cr_assert_leq(with.arena, without.arena);
}

/* Step by step: one array in place, two else. */
Test(in_place, a_chain_in_place_needs_one_array)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = x;
    for (int i = 0; i < 5; i++)
        y = atl_sin(y);
    atl_program *with = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE),
                *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE | ATL_PASS_IN_PLACE);
    atl_tensor *value = random_tensor(ATL_SHAPE(1000), -1, 1);
    cr_assert_eq(atl_run(with, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(atl_run(without, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(memcmp(atl_floats(atl_value(with, y)), atl_floats(atl_value(without, y)), 1000 * sizeof(float)), 0);
    cr_assert_lt(atl_program_arena_bytes(with), 5000);
    cr_assert_geq(atl_program_arena_bytes(without), 8000);
    atl_tensor_free(value);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

/* Two steps of descent, with the new weights written over the old ones and not. */
Test(in_place, assignments_in_place_and_not)
{
    float last[2];
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 8)),
                 *w = atl_variable(g, "w", ATL_SHAPE(8, 3), atl_he());
        atl_node *loss = atl_sum(atl_square(atl_tanh(atl_matmul(x, w))));
        atl_node *step = atl_assign(w, atl_sub(w, atl_scale(atl_gradient(loss, w), 0.1f)));
        atl_program *program = atl_compile(g, ATL_NODES(loss, step), .disabled_passes = i ? ATL_PASS_IN_PLACE : 0);
        atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(4, 8), -1, 1, 3);
        for (int run = 0; run < 3; run++)
            cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        last[i] = atl_scalar_of(program, loss);
        atl_tensor_free(value);
        atl_program_free(program);
        atl_graph_free(g);
    }
    cr_assert_eq(last[0], last[1]);
}
