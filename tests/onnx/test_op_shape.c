/* Sizes that are computed from an open batch. */
#include "small_model.h"

/* As torch.onnx writes token.expand(n, -1): where a size is -1, it is 1; the batch is never -1.  Then the token stands
 * before x.  `asked` takes the place of -1. */
static made token_before(int64_t asked)
{
    static const int64_t ones[] = {1, 1};
    static const float token[] = {10, 20, 30, 40};
    made concat = make_node("concat", "Concat", "t", "x", "y"),
         choose = make_node("choose", "Where", "e", "ones", "to");
    put_int_attribute(&concat, "axis", 0);
    put_text(&choose, 1, "s");
    made graph = GRAPH(make_node("shape", "Shape", "x", NULL, "s"), make_node("equal", "Equal", "s", "asked", "e"),
                       choose, make_node("expand", "Expand", "token", "to", "t"), concat);
    put_made(&graph, 5, make_tensor("asked", TYPE_INT64, 1, &asked, sizeof asked));
    put_made(&graph, 5, make_tensor("ones", TYPE_INT64, 2, ones, sizeof ones));
    put_made(&graph, 5, make_tensor("token", TYPE_FLOAT, 4, token, sizeof token));
    return graph;
}

Test(op_shape, batch_is_never_minus_one)
{
    expect_for_two(token_before(-1), 16, (const double[]){10, 20, 30, 40, 10, 20, 30, 40, 1, 2, 3, 4, 5, 6, 7, 8});
}

/* It may be 3: what depends on that is refused, not guessed. */
Test(op_shape, batch_may_be_any_number) { expect_model_refused(make_model_of(token_before(3), 8, 17, 1), "batch"); }
