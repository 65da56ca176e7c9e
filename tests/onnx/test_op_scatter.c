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

enum { BY_ELEMENT, BY_TUPLE, BY_ROW };

/* Beside 2^30, where float32 has steps of 128: elements -1 and 1 of the flattened x become 100 and 200, or the last row
 * becomes 10, 20, 30, 40. */
static made whole_scattered(int kind, const char *reduction)
{
    enum { LARGE = 1 << 30 };
    static const int64_t places[] = {-1, 1}, updates[] = {LARGE + 100, LARGE + 200}, large = LARGE, flat = -1,
                         row[] = {LARGE + 10, LARGE + 20, LARGE + 30, LARGE + 40}, sizes[] = {2, 1},
                         row_sizes[] = {1, 4};
    made whole = make_node("whole", "Cast", "x", NULL, "w"), back = make_node("back", "Cast", "d", NULL, "y"),
         scatter = make_node("scatter", kind == BY_ELEMENT ? "ScatterElements" : "ScatterND",
                             kind == BY_ROW ? "l" : "f", "places", "s");
    put_text(&scatter, 1, "updates");
    put_text_attribute(&scatter, "reduction", reduction);
    put_int_attribute(&whole, "to", TYPE_INT64);
    put_int_attribute(&back, "to", TYPE_FLOAT);
    made graph =
        GRAPH(whole, make_node("large", "Add", "w", "large", "l"), make_node("flat", "Reshape", "l", "flat", "f"),
              scatter, make_node("difference", "Sub", "s", "large", "d"), back);
    put_whole(&graph, "large", 1, &large);
    put_whole(&graph, "flat", 1, &flat);
    if (kind == BY_ROW) {
        put_tensor(&graph, "places", TYPE_INT64, 2, (const int64_t[]){1, 1}, places, sizeof *places);
        put_tensor(&graph, "updates", TYPE_INT64, 2, row_sizes, row, sizeof row);
    } else {
        put_tensor(&graph, "places", TYPE_INT64, kind == BY_TUPLE ? 2 : 1, sizes, places, sizeof places);
        put_whole(&graph, "updates", 2, updates);
    }
    return graph;
}

Test(op_scatter, whole_numbers)
{
    for (int kind = BY_ELEMENT; kind <= BY_TUPLE; kind++) {
        expect_for_two(whole_scattered(kind, "none"), 8, (const double[]){1, 200, 3, 4, 5, 6, 7, 100});
        expect_model_refused(make_model_of(whole_scattered(kind, "add"), 8, 18, 1), "'add', which is read for real");
    }
    expect_for_two(whole_scattered(BY_ROW, "none"), 8, (const double[]){1, 2, 3, 4, 10, 20, 30, 40});
}
