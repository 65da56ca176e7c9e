/* GridSample with depth. */
#include "small_model.h"

/* x as a picture of one plane [1, 1, 1, 2, 2], read in its middle, and at its last pixel. */
static made sampled(const char *mode)
{
    static const int64_t picture[] = {1, 1, 1, 2, 2}, grid[] = {1, 1, 1, 2, 3}, flat[] = {1, 2};
    static const float places[] = {0, 0, 0, 0.5f, 0.5f, 0};
    made sample = make_node("sample", "GridSample", "p", "g", "s");
    put_text_attribute(&sample, "mode", mode);
    made graph =
        GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), make_node("grid", "Reshape", "places", "grid", "g"),
              sample, make_node("flat", "Reshape", "s", "flat", "y"));
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 5, picture, sizeof picture));
    put_made(&graph, 5, make_tensor("grid", TYPE_INT64, 5, grid, sizeof grid));
    put_made(&graph, 5, make_tensor("flat", TYPE_INT64, 2, flat, sizeof flat));
    put_made(&graph, 5, make_tensor("places", TYPE_FLOAT, 6, places, sizeof places));
    return graph;
}

Test(op_grid, with_depth)
{
    expect_small(sampled("linear"), 20, 2, (const double[]){(1 + 2 + 4 - 3) / 4.0, -3});
    expect_small(sampled("nearest"), 20, 2, (const double[]){1, -3});
    expect_refused(sampled("cubic"), 20, "'sample' (GridSample): it takes [batch, channels, height, width]");
}
