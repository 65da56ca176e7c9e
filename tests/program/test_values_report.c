/* Where the values of a plan lie, and how long they live. */
#include "atled/atled.h"

#include <stdlib.h>

#include "support.h"

static atl_program *chain_of(atl_graph *graph, unsigned disabled)
{
    atl_node *h = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(4, 64));
    for (int i = 0; i < 4; i++)
        h = atl_softmax(h);
    return atl_compile(graph, ATL_NODES(h), .disabled_passes = disabled);
}

/* Values that live at the same time do not overlap, and all lie in the arena. */
Test(values_report, live_values_do_not_overlap)
{
    atl_graph *graph = atl_graph_new();
    atl_program *program = chain_of(graph, ATL_PASS_IN_PLACE);
    int64_t count = atl_program_values(program, 0, NULL);
    cr_assert_gt(count, 2);
    atl_value_info *values = calloc((size_t)count, sizeof *values);
    cr_assert_eq(atl_program_values(program, count, values), count);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(values[i].offset >= 0 && values[i].offset + values[i].bytes <= atl_program_arena_bytes(program));
        cr_assert_leq(values[i].first_step, values[i].last_step);
        for (int64_t k = 0; k < i; k++) {
            int at_once = values[i].first_step <= values[k].last_step && values[k].first_step <= values[i].last_step;
            int overlap = values[i].offset < values[k].offset + values[k].bytes &&
                          values[k].offset < values[i].offset + values[i].bytes;
            cr_assert(!(at_once && overlap));
        }
    }
    free(values);
    atl_program_free(program);
    atl_graph_free(graph);
}

Test(values_report, steps_know_their_nodes)
{
    atl_graph *graph = atl_graph_new();
    atl_program *program = chain_of(graph, 0);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        cr_assert_str_eq(atl_name_of(info.origin), info.node);
        cr_assert_eq(atl_graph_of(info.origin), graph);
    }
    atl_program_free(program);
    atl_graph_free(graph);
}

Test(values_report, mistakes)
{
    atl_graph *graph = atl_graph_new();
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY));
    atl_program *program = atl_compile(graph, ATL_NODES(atl_exp(x)));
    cr_assert_eq(atl_program_values(program, 0, NULL), 0);
    cr_assert_eq(atl_error_status(), ATL_INVALID);
    atl_program_free(program);
    program = chain_of(graph, 0);
    cr_assert_eq(atl_program_values(program, 3, NULL), 0);
    cr_assert_eq(atl_error_status(), ATL_INVALID);
    atl_program_free(program);
    atl_graph_free(graph);
}
