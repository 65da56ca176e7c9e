/* SpaceToDepth in both orders of channels. */
#include "small_model.h"

/* x and -x as two channels [1, 2, 2, 2] in one block. */
static made to_depth(const char *mode)
{
    static const int64_t picture[] = {1, 2, 2, 2}, flat[] = {1, 8};
    made both = make_node("both", "Concat", "x", "n", "b"), depth = make_node("depth", "SpaceToDepth", "p", NULL, "d");
    put_int_attribute(&both, "axis", 1);
    put_int_attribute(&depth, "blocksize", 2);
    put_text_attribute(&depth, "mode", mode);
    made graph =
        GRAPH(make_node("negative", "Neg", "x", NULL, "n"), both, make_node("picture", "Reshape", "b", "picture", "p"),
              depth, make_node("flat", "Reshape", "d", "flat", "y"));
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 4, picture, sizeof picture));
    put_made(&graph, 5, make_tensor("flat", TYPE_INT64, 2, flat, sizeof flat));
    return graph;
}

Test(op_shape, space_to_depth)
{
    expect_small(to_depth("DCR"), 28, 8, (const double[]){1, -1, 2, -2, 4, -4, -3, 3});
    expect_small(to_depth("CRD"), 28, 8, (const double[]){1, 2, 4, -3, -1, -2, -4, 3});
}
