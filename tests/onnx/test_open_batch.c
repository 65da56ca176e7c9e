/* Ops that are told the open batch size: how often to repeat, how far to count, how many elements there are. */
#include "small_model.h"

/* The batch as one number, "n", and as a vector of one, "ns"; one = 1 as a vector. */
static void put_batch(made *graph)
{
    static const int64_t zero = 0, one = 1;
    made begin = make_node("begin", "Slice", "s", "zero", "ns");
    put_text(&begin, 1, "one");
    put_made(graph, 1, make_node("shape", "Shape", "x", NULL, "s"));
    put_made(graph, 1, begin);
    put_made(graph, 1, make_node("number", "Squeeze", "ns", NULL, "n"));
    put_whole(graph, "zero", 1, &zero);
    put_whole(graph, "one", 1, &one);
}

/* A row of two, repeated for each example and `times` within it. */
static made repeated(int64_t times)
{
    static const float row[] = {10, 20};
    static const int64_t sizes[] = {1, 2};
    made graph = {0}, tile = make_node("tile", "Tile", "row", "times", "y"),
         list = make_node("list", "Concat", "ns", "within", "times");
    put_int_attribute(&list, "axis", 0);
    put_batch(&graph);
    put_made(&graph, 1, list);
    put_made(&graph, 1, tile);
    put_whole(&graph, "within", 1, &times);
    put_tensor(&graph, "row", TYPE_FLOAT, 2, sizes, row, sizeof row);
    return graph;
}

Test(open_batch, tile)
{
    expect_for_two(repeated(1), 4, (const double[]){10, 20, 10, 20});
    expect_for_two(repeated(2), 8, (const double[]){10, 20, 10, 20, 10, 20, 10, 20});
}

/* x is repeated along the batch as often as the batch says: N * N rows. */
Test(open_batch, tile_of_the_batch)
{
    made graph = {0}, list = make_node("list", "Concat", "ns", "one", "times");
    put_int_attribute(&list, "axis", 0);
    put_batch(&graph);
    put_made(&graph, 1, list);
    put_made(&graph, 1, make_node("tile", "Tile", "x", "times", "y"));
    expect_model_refused(make_model_of(graph, 8, 17, 1), "how often dimension 0 is repeated");
}

/* From `first` below times * n. */
static made counted(int64_t first, int64_t times, int64_t step)
{
    made graph = {0}, range = make_node("range", "Range", "first", "limit", "r"),
         cast = make_node("cast", "Cast", "r", NULL, "y");
    put_text(&range, 1, "step");
    put_int_attribute(&cast, "to", TYPE_FLOAT);
    put_batch(&graph);
    put_made(&graph, 1, make_node("limit", "Mul", "n", "times", "limit"));
    put_made(&graph, 1, range);
    put_made(&graph, 1, cast);
    put_tensor(&graph, "first", TYPE_INT64, 0, NULL, &first, sizeof first);
    put_tensor(&graph, "times", TYPE_INT64, 0, NULL, &times, sizeof times);
    put_tensor(&graph, "step", TYPE_INT64, 0, NULL, &step, sizeof step);
    return graph;
}

Test(open_batch, range)
{
    expect_for_two(counted(0, 1, 1), 2, (const double[]){0, 1});
    expect_for_two(counted(0, 4, 1), 8, (const double[]){0, 1, 2, 3, 4, 5, 6, 7});
    expect_for_two(counted(1, 4, 2), 4, (const double[]){1, 3, 5, 7});
    expect_for_two(counted(3, 4, 2), 3, (const double[]){3, 5, 7});
    expect_for_two(counted(0, -4, -2), 4, (const double[]){0, -2, -4, -6});
    expect_model_refused(make_model_of(counted(0, 3, 2), 8, 17, 1), "from 0 to 3 * batch + 0 by 2: fix the batch");
    expect_model_refused(make_model_of(counted(-1, 1, 1), 8, 17, 1), "from -1 to 1 * batch + 0 by 1: fix the batch");
}

/* Rows of the flattened x are replaced; the last one is called -1. */
Test(open_batch, scatter)
{
    static const int64_t flat = -1, places[] = {-1, 1}, sizes[] = {2, 1};
    static const float updates[] = {10, 20};
    made scatter = make_node("scatter", "ScatterND", "f", "places", "y");
    put_text(&scatter, 1, "updates");
    made graph = GRAPH(make_node("flat", "Reshape", "x", "flat", "f"), scatter);
    put_whole(&graph, "flat", 1, &flat);
    put_tensor(&graph, "places", TYPE_INT64, 2, sizes, places, sizeof places);
    put_made(&graph, 5, make_tensor("updates", TYPE_FLOAT, 2, updates, sizeof updates));
    expect_for_two(graph, 8, (const double[]){1, 20, 3, 4, 5, 6, 7, 10});
}

/* Elements [0, 1] and [-1, 3] of x are replaced. */
Test(open_batch, scatter_by_tuples)
{
    static const int64_t places[] = {0, 1, -1, 3}, sizes[] = {2, 2};
    static const float updates[] = {10, 20};
    made scatter = make_node("scatter", "ScatterND", "x", "places", "y");
    put_text(&scatter, 1, "updates");
    made graph = GRAPH(scatter);
    put_tensor(&graph, "places", TYPE_INT64, 2, sizes, places, sizeof places);
    put_made(&graph, 5, make_tensor("updates", TYPE_FLOAT, 2, updates, sizeof updates));
    expect_for_two(graph, 8, (const double[]){1, 10, 3, 4, 5, 6, 7, 20});
}

/* A table's rows are gathered by x; their number, of which a shape is computed, is the batch. */
Test(open_batch, gather_by_indices)
{
    static const float table[] = {0, 10, 20, 30, 40, 50, 60, 70, 80}, row[] = {1, 2, 3, 4};
    static const int64_t sizes[] = {1, 4};
    made cast = make_node("cast", "Cast", "x", NULL, "i"), tile = make_node("tile", "Expand", "row", "s", "y");
    put_int_attribute(&cast, "to", TYPE_INT64);
    made graph = GRAPH(cast, make_node("gather", "Gather", "table", "i", "g"),
                       make_node("shape", "Shape", "g", NULL, "s"), tile);
    put_made(&graph, 5, make_tensor("table", TYPE_FLOAT, 9, table, sizeof table));
    put_tensor(&graph, "row", TYPE_FLOAT, 2, sizes, row, sizeof row);
    expect_for_two(graph, 8, (const double[]){1, 2, 3, 4, 1, 2, 3, 4});
}

/* ---- sizes that nothing tells ------------------------------------------------------------------------------------ */

/* The first row of x is cut off; "s" is the shape of the others, "n" their number, which is no multiple of the batch.
 * The node reads what follows from it. */
static made without_first_row(made node)
{
    static const int64_t zero = 0, one = 1, most = INT64_MAX, four = 4;
    made cut = make_node("cut", "Slice", "x", "one", "rows"), count = make_node("count", "Slice", "s", "zero", "n");
    put_text(&cut, 1, "most");
    put_text(&cut, 1, "zero");
    put_text(&count, 1, "one");
    made graph = GRAPH(cut, make_node("shape", "Shape", "rows", NULL, "s"), count,
                       make_node("is four", "Equal", "s", "four", "c"),
                       make_node("number", "Squeeze", "n", NULL, "single"), node);
    put_whole(&graph, "zero", 1, &zero);
    put_whole(&graph, "one", 1, &one);
    put_whole(&graph, "most", 1, &most);
    put_whole(&graph, "four", 1, &four);
    return graph;
}

static void expect_unknown(made node, const char *words)
{
    expect_model_refused(make_model_of(without_first_row(node), 8, 17, 1), words);
}

/* A loop that would run as often as there are rows. */
static made loop_over_rows(void)
{
    made loop = make_node("loop", "Loop", "single", "", "y"),
         body = GRAPH(make_node("go", "Identity", "c", NULL, "c_out"), make_node("one", "Identity", "x", NULL, "part"));
    put_text(&loop, 1, "x");
    put_made(&body, 11, make_port("i", TYPE_INT64));
    put_made(&body, 11, make_port("c", TYPE_BOOL));
    put_made(&body, 11, make_port("v", TYPE_FLOAT));
    put_made(&body, 12, make_port("c_out", TYPE_BOOL));
    put_made(&body, 12, make_port("part", TYPE_FLOAT));
    put_graph_attribute(&loop, "body", body);
    return loop;
}

Test(open_batch, unknown_sizes_decide_nothing)
{
    made part = make_node("part", "Slice", "x", "zero", "y"),
         range = make_node("range", "Range", "zero", "single", "y"),
         some = make_node("some", "Compress", "x", "c", "y"), value = make_node("value", "Cast", "n", NULL, "y");
    put_text(&part, 1, "n");
    put_text(&range, 1, "one");
    put_int_attribute(&some, "axis", 1);
    put_int_attribute(&value, "to", TYPE_FLOAT);
    expect_unknown(part, "its input 'n' depends on an unknown size");
    expect_unknown(range, "its limit depends on an unknown size");
    expect_unknown(some, "its input 'c' depends on an unknown size");
    expect_unknown(loop_over_rows(), "its input 'single' depends on an unknown size");
    expect_unknown(make_node("filled", "ConstantOfShape", "s", NULL, "y"),
                   "the size of dimension 0 depends on an unknown size");
    expect_unknown(make_node("wide", "Expand", "one", "s", "y"), "the size of dimension 0 depends on an unknown size");
    expect_unknown(make_node("places", "NonZero", "s", NULL, "y"), "its input depends on an unknown size");
    expect_unknown(value, "computed from an unknown size");
}

/* Pooled over 2 by 2 and put back; `stride` is that of the unpooling. */
static made put_back(int64_t stride, const char *sizes)
{
    static const int64_t picture[] = {-1, 1, 2, 2}, two[] = {2, 2}, shape[] = {1, 1, 3, 3};
    int64_t strides[] = {stride, stride};
    made pool = make_node("pool", "MaxPool", "p", NULL, "m"), back = make_node("back", "MaxUnpool", "m", "places", "y");
    put_text(&pool, 2, "places");
    put_ints_attribute(&pool, "kernel_shape", 2, two);
    put_ints_attribute(&pool, "strides", 2, two);
    put_ints_attribute(&back, "kernel_shape", 2, two);
    put_ints_attribute(&back, "strides", 2, strides);
    if (sizes)
        put_text(&back, 1, sizes);
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), pool, back);
    put_whole(&graph, "picture", 4, picture);
    put_whole(&graph, "shape", 4, shape);
    return graph;
}

Test(open_batch, max_unpool)
{
    expect_for_two(put_back(2, NULL), 8, (const double[]){0, 0, 0, 4, 0, 0, 0, 8});
    expect_small(put_back(2, NULL), 17, 4, (const double[]){0, 0, 4, 0});
    expect_refused(put_back(1, NULL), 17, "its windows overlap");
    expect_refused(put_back(2, "shape"), 17, "it has an output_shape");
}
