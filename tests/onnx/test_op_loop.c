/* Loop: how often it runs, what is carried over and what is collected. */
#include "small_model.h"

/* Two times what is carried over; it is also collected.  The condition is that of the turn. */
static made doubling(const char *most, const char *condition, const char *result)
{
    made body = GRAPH(make_node("go", "Identity", "c", NULL, "c_out"), make_node("add", "Add", "v", "v", "next"),
                      make_node("copy", "Identity", "next", NULL, "part"));
    static const char *const in[] = {"i", "c", "v"}, *const out[] = {"c_out", "next", "part"};
    static const int type[] = {TYPE_INT64, TYPE_BOOL, TYPE_FLOAT};
    for (int i = 0; i < 3; i++) {
        put_made(&body, 11, make_port(in[i], type[i]));
        put_made(&body, 12, make_port(out[i], i ? TYPE_FLOAT : TYPE_BOOL));
    }
    made loop = {0};
    put_text(&loop, 1, most);
    put_text(&loop, 1, condition);
    put_text(&loop, 1, "x");
    put_text(&loop, 2, "last");
    put_text(&loop, 2, "all");
    put_text(&loop, 3, "loop");
    put_text(&loop, 4, "Loop");
    put_graph_attribute(&loop, "body", body);
    return GRAPH(loop, make_node("result", "Identity", result, NULL, "y"));
}

static made with_inputs(made graph, int64_t most, char condition)
{
    put_made(&graph, 5, make_tensor("most", TYPE_INT64, 1, &most, sizeof most));
    put_made(&graph, 5, make_tensor("goes_on", TYPE_BOOL, 1, &condition, 1));
    return graph;
}

Test(op_loop, carried_over)
{
    expect_small(with_inputs(doubling("most", "goes_on", "last"), 3, 1), 13, 4, (const double[]){8, 16, 32, -24});
    expect_small(with_inputs(doubling("most", "", "last"), 3, 0), 13, 4, (const double[]){8, 16, 32, -24});
}

Test(op_loop, collected)
{
    expect_small(with_inputs(doubling("most", "goes_on", "all"), 2, 1), 13, 8,
                 (const double[]){2, 4, 8, -6, 4, 8, 16, -12});
}

Test(op_loop, that_never_runs)
{
    expect_small(with_inputs(doubling("most", "goes_on", "last"), 3, 0), 13, 4, (const double[]){1, 2, 4, -3});
    expect_small(with_inputs(doubling("most", "goes_on", "last"), 0, 1), 13, 4, (const double[]){1, 2, 4, -3});
}

Test(op_loop, that_never_ends)
{
    expect_refused(with_inputs(doubling("", "goes_on", "last"), 0, 1), 13, "'loop' (Loop): more than 10000 turns");
}
