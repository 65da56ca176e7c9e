/* The passes together: no set of them changes a result. */
#include "passes.h"

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

Test(rewrite, without_any_pass)
{
    counted with, without;
    compare_without(~0u, &with, &without);
    cr_assert_lt(with.always, without.always);
    cr_assert_lt(with.arena, without.arena);
}
