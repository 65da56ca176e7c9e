/* Scatters that reduce what goes to one place. */
#include "small_model.h"

/* 5 and -2 go to place 1 of x, 2 to place 3. */
static made scattered(int by_tuples, const char *reduction)
{
    static const int64_t places[] = {1, 1, 3}, tuples[] = {0, 1, 0, 1, 0, 3};
    static const float updates[] = {5, -2, 2};
    static const int64_t row[] = {1, 3}, pairs[] = {3, 2};
    made scatter = make_node("scatter", by_tuples ? "ScatterND" : "ScatterElements", "x", "i", "y");
    put_text(&scatter, 1, by_tuples ? "updates" : "u");
    if (!by_tuples)
        put_int_attribute(&scatter, "axis", 1);
    put_text_attribute(&scatter, "reduction", reduction);
    made graph = GRAPH(make_node("shape", "Reshape", "places", "sizes", "i"),
                       make_node("row", "Reshape", "updates", "row", "u"), scatter);
    put_made(&graph, 5,
             by_tuples ? make_tensor("places", TYPE_INT64, 6, tuples, sizeof tuples)
                       : make_tensor("places", TYPE_INT64, 3, places, sizeof places));
    put_made(&graph, 5, make_tensor("sizes", TYPE_INT64, 2, by_tuples ? pairs : row, sizeof row));
    put_made(&graph, 5, make_tensor("row", TYPE_INT64, 2, row, sizeof row));
    put_made(&graph, 5, make_tensor("updates", TYPE_FLOAT, 3, updates, sizeof updates));
    return graph;
}

Test(op_scatter, reductions)
{
    for (int by_tuples = 0; by_tuples < 2; by_tuples++) {
        expect_small(scattered(by_tuples, "add"), 18, 4, (const double[]){1, 5, 4, -1});
        expect_small(scattered(by_tuples, "mul"), 18, 4, (const double[]){1, -20, 4, -6});
        expect_small(scattered(by_tuples, "max"), 18, 4, (const double[]){1, 5, 4, 2});
        expect_small(scattered(by_tuples, "min"), 18, 4, (const double[]){1, -2, 4, -3});
        expect_refused(scattered(by_tuples, "mean"), 18, "its reduction is 'mean'");
    }
}
