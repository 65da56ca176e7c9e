/* The passes of the compiler: none changes a result, alone or together; each shortens what it is for. */
#include "nets.h"

static int64_t run_without(const small_net *net, const atl_tensor *pixels, unsigned without, atl_tensor **by_image)
{
    atl_program *program =
        atl_compile(net->graph, ATL_NODES(net->loss, net->by_image, net->by_filter), .without = without);
    cr_assert(program, "%s, %s", atl_graph_error(net->graph), atl_error());
    cr_assert_eq(atl_run(program, ATL_FEED(net->image, pixels)), ATL_OK, "%s", atl_error());
    atl_reference *oracle =
        atl_reference_run(ATL_NODES(net->loss, net->by_image, net->by_filter), ATL_FEED(net->image, pixels));
    cr_assert(oracle, "%s", atl_error());
    cr_assert_close(atl_value(program, net->loss), atl_reference_value(oracle, net->loss), 1e-5);
    cr_assert_close(atl_value(program, net->by_image), atl_reference_value(oracle, net->by_image), 1e-5);
    cr_assert_close(atl_value(program, net->by_filter), atl_reference_value(oracle, net->by_filter), 1e-5);
    if (by_image)
        *by_image = atl_tensor_copy(atl_value(program, net->by_image));
    int64_t steps = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        steps += !info.once;
    }
    atl_reference_free(oracle);
    atl_program_free(program);
    return steps;
}

Test(rewrite, every_set_of_passes_gives_the_same)
{
    small_net net = small_net_new(2, 8);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    int64_t with_all = run_without(&net, pixels, 0, NULL);
    for (unsigned without = 1; without < 128; without++)
        cr_assert_geq(run_without(&net, pixels, without, NULL), with_all, "without %u", without);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}

/* Steps that run every time, without the pass and with it, all other passes being left out. */
static void assert_pass_shortens(unsigned pass)
{
    small_net net = small_net_new(2, 8);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    int64_t without = run_without(&net, pixels, 127, NULL), with = run_without(&net, pixels, 127 & ~pass, NULL);
    cr_assert_lt(with, without, "%lld steps with the pass, %lld without", (long long)with, (long long)without);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}
Test(merge, joins_the_two_gradients) { assert_pass_shortens(ATL_PASS_MERGE); }
Test(simplify, drops_neutral_factors) { assert_pass_shortens(ATL_PASS_SIMPLIFY); }
Test(scale, batch_norm_goes_into_the_filter) { assert_pass_shortens(ATL_PASS_SCALE); }
Test(epilogue, residual_and_relu_are_taken_in) { assert_pass_shortens(ATL_PASS_EPILOGUE); }
Test(fuse, chains_become_one_step) { assert_pass_shortens(ATL_PASS_FUSE); }

Test(rewrite, the_same_run_gives_the_same_bits)
{
    atl_tensor *first, *second;
    for (int i = 0; i < 2; i++) {
        small_net net = small_net_new(2, 8);
        atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1, 7);
        run_without(&net, pixels, 0, i ? &second : &first);
        atl_tensor_free(pixels);
        atl_graph_free(net.graph);
    }
    cr_assert_eq(memcmp(atl_floats(first), atl_floats(second), 2 * 8 * 8 * 3 * sizeof(float)), 0);
    atl_tensor_free(first);
    atl_tensor_free(second);
}
