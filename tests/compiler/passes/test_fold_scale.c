/* Folding factors per channel into the preceding filter. */
#include "passes.h"

Test(scale, batch_norm_goes_into_the_filter) { assert_pass_shortens(ATL_PASS_FOLD_SCALE); }

/* Convolution, batch norm for inference, relu: one step per run, with the result of the separate steps. */
Test(scale, batch_norm_costs_nothing)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 7, 7, 16)), *y = atl_relu(normalised(g, x, "layer", 16));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 7, 7, 16), -1, 1);
    cr_assert_gt(steps_saved(ATL_PASS_FOLD_SCALE, ATL_PASS_WINOGRAD, ATL_NODES(y), ATL_FEED(x, value), 1e-6), 0);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert_eq(count_steps(program).always, 1);
    atl_program_free(program);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* A factor that changes in every run is not folded: the filter would be recomputed each time. */
Test(scale, only_what_depends_on_variables)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 7, 7, 16)), *s = atl_reduce_mean(x, ATL_AXES(0, 1, 2));
    atl_node *y = atl_mul(atl_conv2d(x, atl_variable(g, "w", ATL_SHAPE(3, 3, 16, 16), atl_he())), s);
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 7, 7, 16), -1, 1);
    cr_assert_eq(steps_saved(ATL_PASS_FOLD_SCALE, 0, ATL_NODES(y), ATL_FEED(x, value), 0), 0);
    atl_tensor_free(value);
    atl_graph_free(g);
}
