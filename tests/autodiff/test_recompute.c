/* Recompute marks: the same gradient from less memory. */
#include "support.h"

enum { LAYERS = 24, WIDTH = 1 << 14 };

static int64_t arena_of(int marked, atl_tensor **slope)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(WIDTH)), *h = x;
    for (int i = 0; i < LAYERS; i++) {
        int64_t first = atl_graph_node_count(g);
        h = atl_tanh(atl_add(h, atl_reverse(atl_sin(h), 0))); /* reverse: no fusing across it */
        for (int64_t k = first; marked && k < atl_graph_node_count(g); k++)
            if (i % 5 != 4 || atl_graph_node(g, k) != h) /* keeps the result of every fifth layer and no other */
                atl_recompute(atl_graph_node(g, k));
    }
    atl_node *dx = atl_gradient(h, x);
    atl_program *program = atl_compile(g, ATL_NODES(dx));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(WIDTH), -1, 1, 5);
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    *slope = atl_tensor_copy(atl_value(program, dx));
    int64_t bytes = atl_program_arena_bytes(program);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
    return bytes;
}

Test(recompute, the_same_gradient_from_less_memory)
{
    atl_tensor *kept, *again;
    int64_t with_all = arena_of(0, &kept), with_marks = arena_of(1, &again);
    cr_assert_close(again, kept, 1e-6);
    cr_assert_lt(with_marks * 3, with_all * 2, "%lld bytes with marks, %lld without", (long long)with_marks,
                 (long long)with_all);
    atl_tensor_free(kept);
    atl_tensor_free(again);
}

/* The Hessian of sum(h^3 + c) by h, times ones, plus the same by way of x; h is marked, and so stands in the first
 * gradient as a copy. */
static void second_derivatives(int marked, int stops, float *by_h, float *by_x)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2)), *h = atl_tanh(x), *d[2] = {NULL}, *second[2] = {NULL};
    if (marked)
        atl_recompute(h);
    atl_node *cube = atl_mul(h, atl_square(h));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(cube), .by = ATL_NODES(h, x), .result_out = d), ATL_OK);
    atl_nodes stop = stops ? ATL_NODES(h) : (atl_nodes){0, NULL};
    cr_assert_eq(atl_gradients(.of = ATL_NODES(d[0], d[1]), .by = ATL_NODES(h, x), .result_out = second, .stop = stop,
                               .unused = ATL_UNUSED_ZEROS),
                 ATL_OK, "%s", atl_error());
    atl_program *program = atl_compile(g, ATL_NODES(second[0], second[1]));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2), (const float[]){0.5f, -1});
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    memcpy(by_h, atl_floats(atl_value(program, second[0])), 2 * sizeof *by_h);
    memcpy(by_x, atl_floats(atl_value(program, second[1])), 2 * sizeof *by_x);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(recompute, second_derivatives_by_a_marked_node_are_whole)
{
    for (int stops = 0; stops < 2; stops++) {
        float kept[2][2], again[2][2];
        second_derivatives(0, stops, kept[0], kept[1]);
        second_derivatives(1, stops, again[0], again[1]);
        for (int i = 0; i < 4; i++)
            cr_expect_float_eq(again[i / 2][i % 2], kept[i / 2][i % 2], 1e-5, "%d, stops %d: %g, not %g", i, stops,
                               (double)again[i / 2][i % 2], (double)kept[i / 2][i % 2]);
    }
}
