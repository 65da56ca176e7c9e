/* Scan: a body for each element. */
#include "small_model.h"

/* sum + element: what is carried over, and what is collected. */
static made running_sum(int backwards)
{
    made body = GRAPH(make_node("add", "Add", "sum", "e", "next"), make_node("copy", "Identity", "next", NULL, "out"));
    put_made(&body, 11, make_port("sum", TYPE_FLOAT));
    put_made(&body, 11, make_port("e", TYPE_FLOAT));
    put_made(&body, 12, make_port("next", TYPE_FLOAT));
    put_made(&body, 12, make_port("out", TYPE_FLOAT));
    made scan = make_node("scan", "Scan", "zero", "x", "last");
    put_text(&scan, 2, "all");
    put_int_attribute(&scan, "num_scan_inputs", 1);
    for (int i = 0; i < 3; i++) {
        static const char *const name[] = {"scan_input_axes", "scan_output_axes", "scan_input_directions"};
        if (i < 2 || backwards)
            put_attribute(&scan, name[i], 7, 8, NULL, i == 1 ? 0 : 1);
    }
    put_graph_attribute(&scan, "body", body);
    return scan;
}

static made with_zero(made graph)
{
    static const float zero[1];
    put_made(&graph, 5, make_tensor("zero", TYPE_FLOAT, 1, zero, sizeof zero));
    return graph;
}

Test(op_scan, a_running_sum)
{
    expect_small(with_zero(GRAPH(running_sum(0), make_node("copy", "Identity", "all", NULL, "y"))), 13, 4,
                 (const double[]){1, 3, 7, 4});
    expect_small(with_zero(GRAPH(running_sum(0), make_node("copy", "Identity", "last", NULL, "y"))), 13, 1,
                 (const double[]){4});
}

Test(op_scan, from_the_end)
{
    expect_small(with_zero(GRAPH(running_sum(1), make_node("copy", "Identity", "all", NULL, "y"))), 13, 4,
                 (const double[]){-3, 1, 3, 4});
}

Test(op_scan, what_is_refused)
{
    made scan = make_node("scan", "Scan", "x", NULL, "y");
    expect_refused(GRAPH(scan), 13, "'scan' (Scan): it needs a body, and at least one input that is scanned");
}
