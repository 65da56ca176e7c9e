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
