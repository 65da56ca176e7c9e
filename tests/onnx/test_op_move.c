/* SpaceToDepth in both orders of channels; channels that move, or come in groups; concats that grow. */
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

Test(op_move, space_to_depth)
{
    expect_small(to_depth("DCR"), 28, 8, (const double[]){1, -1, 2, -2, 4, -4, -3, 3});
    expect_small(to_depth("CRD"), 28, 8, (const double[]){1, 2, 4, -3, -1, -2, -4, 3});
}

/* ---- channels that move to the front ----------------------------------------------------------------------------- */

static int64_t count_of_op(const atl_graph *graph, const char *name)
{
    int64_t count = 0;
    for (int64_t i = 0; i < atl_graph_node_count(graph); i++)
        count += strcmp(atl_op_of(atl_graph_node(graph, i))->name, name) == 0;
    return count;
}

static made transposed(const char *name, const char *from, const char *to, const int64_t *order, int rank)
{
    made node = make_node(name, "Transpose", from, NULL, to);
    put_ints_attribute(&node, "perm", rank, order);
    return node;
}

/* Two pixels of two channels, the channels last, as the file's order of images, times a factor for each channel; with
 * `back`, with the channels last again. */
static made scaled_channels(int back)
{
    static const int64_t first[] = {0, 3, 1, 2}, last[] = {0, 2, 3, 1}, pixels[] = {1, 1, 2, 2}, flat[] = {1, 4};
    static const float factors[] = {10, 100};
    made graph = GRAPH(make_node("pixels", "Reshape", "x", "pixels", "p"), transposed("first", "p", "f", first, 4),
                       make_node("scale", "Mul", "f", "factors", "s"));
    if (back)
        put_made(&graph, 1, transposed("last", "s", "l", last, 4));
    put_made(&graph, 1, make_node("flat", "Reshape", back ? "l" : "s", "flat", "y"));
    const int64_t by_channel[] = {2, 1, 1};
    put_made(&graph, 5, make_tensor("pixels", TYPE_INT64, 4, pixels, sizeof pixels));
    put_made(&graph, 5, make_tensor("flat", TYPE_INT64, 2, flat, sizeof flat));
    put_made(&graph, 5, make_tensor_of("factors", TYPE_FLOAT, 3, by_channel, factors, sizeof factors));
    return graph;
}

/* ConvNeXt scales a layer so: nothing moves. */
Test(op_move, channels_that_move_to_the_front_and_back)
{
    expect_small(scaled_channels(1), 18, 4, (const double[]){10, 200, 40, -300});
    expect_small(scaled_channels(0), 18, 4, (const double[]){10, 40, 200, -300});
    small_model m = load_small(scaled_channels(1), 18);
    cr_expect_eq(count_of_op(m.graph, "transpose"), 0);
    free_small(&m);
}

/* ---- channels in groups ------------------------------------------------------------------------------------------ */

static made reshaped(made *graph, const char *from, const char *to, const int64_t *sizes, int rank)
{
    char name[40];
    snprintf(name, sizeof name, "sizes of %s", to);
    put_made(graph, 5, make_tensor(name, TYPE_INT64, rank, sizes, (size_t)rank * sizeof *sizes));
    return make_node(to, "Reshape", from, name, to);
}

/* What becomes of the groups. */
typedef enum use_of_groups { SWAPPED, JOINED, FLATTENED, MOVED, NEGATED, READ_TWICE, GROUP_USES } use_of_groups;

/* Two pixels, x and -x, of four channels in two groups. */
static made groups_of_channels(use_of_groups use)
{
    static const int64_t pixels[] = {1, 1, 2, 4}, first[] = {0, 3, 1, 2}, split[] = {1, 2, -1, 1, 2},
                         swap[] = {0, 2, 1, 3, 4}, move[] = {0, 3, 4, 2, 1}, joined[] = {1, 4, 1, 2}, flat[] = {1, 8},
                         last[] = {0, 2, 3, 1};
    made graph = GRAPH(make_node("negative", "Neg", "x", NULL, "n"));
    made all = make_node("all", "Concat", "x", "n", "both");
    put_int_attribute(&all, "axis", 1);
    put_made(&graph, 1, all);
    put_made(&graph, 1, reshaped(&graph, "both", "pixels", pixels, 4));
    put_made(&graph, 1, transposed("first", "pixels", "image", first, 4));
    put_made(&graph, 1, reshaped(&graph, "image", "groups", split, 5));
    if (use == SWAPPED || use == READ_TWICE)
        put_made(&graph, 1, transposed("swap", "groups", "used", swap, 5));
    else if (use == MOVED)
        put_made(&graph, 1, transposed("move", "groups", "used", move, 5));
    else
        put_made(&graph, 1, make_node("used", use == NEGATED ? "Neg" : "Identity", "groups", NULL, "used"));
    if (use == READ_TWICE) {
        put_made(&graph, 1, reshaped(&graph, "groups", "one", flat, 2));
        put_made(&graph, 1, reshaped(&graph, "used", "other", flat, 2));
        put_made(&graph, 1, make_node("sum", "Sub", "other", "one", "y"));
        return graph;
    }
    if (use == SWAPPED || use == JOINED) {
        put_made(&graph, 1, reshaped(&graph, "used", "joined", joined, 4));
        put_made(&graph, 1, transposed("last", "joined", "end", last, 4));
    }
    put_made(&graph, 1, reshaped(&graph, use == SWAPPED || use == JOINED ? "end" : "used", "y", flat, 2));
    return graph;
}

/* ShuffleNet shuffles so: its channels only move within their pixels.  What else becomes of groups is right, too. */
Test(op_move, channels_in_groups)
{
    static const double expected[GROUP_USES][8] = {
        [SWAPPED] = {1, 4, 2, -3, -1, -4, -2, 3},   [JOINED] = {1, 2, 4, -3, -1, -2, -4, 3},
        [FLATTENED] = {1, -1, 2, -2, 4, -4, -3, 3}, [MOVED] = {1, 4, 2, -3, -1, -4, -2, 3},
        [NEGATED] = {-1, 1, -2, 2, -4, 4, 3, -3},   [READ_TWICE] = {0, 0, 2, -2, -2, 2, 0, 0}};
    for (int use = 0; use < GROUP_USES; use++)
        expect_small(groups_of_channels((use_of_groups)use), 18, 8, expected[use]);
    small_model m = load_small(groups_of_channels(SWAPPED), 18);
    cr_expect_eq(count_of_op(m.graph, "transpose"), 1);
    free_small(&m);
}

/* ---- concats that grow ------------------------------------------------------------------------------------------- */

static made concat_of(const char *name, int axis, const char *const *parts, const char *to)
{
    made node = make_node(name, "Concat", parts[0], NULL, to);
    for (int i = 1; parts[i]; i++)
        put_text(&node, 1, parts[i]);
    put_int_attribute(&node, "axis", axis);
    return node;
}
#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* As in DenseNet: each begins with the parts of the one before, and is that one and the rest. */
Test(op_move, concats_that_grow)
{
    const double expected[] = {1, 2, 4, -3, -1, -2, -4, 3, 1, 2, 4, -3, -1, -2, -4, 3, 1, 2, 4, 3, 1, 2, 4, -3};
    for (int which = 0; which < 2; which++) {
        made graph =
            GRAPH(make_node("negative", "Neg", "x", NULL, "n"), make_node("size", "Abs", "x", NULL, "a"),
                  concat_of("two", 1, PARTS("x", "n"), "two"), concat_of("three", 1, PARTS("x", "n", "a"), "three"),
                  concat_of("four", 1, PARTS("x", "n", "a", "x"), "four"),
                  concat_of("y", 1, PARTS("two", "four"), "y"));
        if (!which) {
            expect_small(graph, 18, 24, expected);
            continue;
        }
        small_model m = load_small(graph, 18);
        const atl_node *four = atl_input_of(m.y, 1);
        cr_expect_eq(atl_input_count(four), 2);
        cr_expect_eq(atl_input_count(atl_input_of(four, 0)), 2);
        cr_expect_eq(atl_input_of(atl_input_of(four, 0), 0), atl_input_of(m.y, 0));
        free_small(&m);
    }
}

/* Along another dimension, in another order, or shorter: these are other concats. */
Test(op_move, concats_that_do_not_grow)
{
    made graph =
        GRAPH(make_node("negative", "Neg", "x", NULL, "n"), concat_of("rows", 0, PARTS("x", "n"), "rows"),
              concat_of("three", 1, PARTS("x", "n", "x"), "three"), concat_of("two", 1, PARTS("x", "n"), "two"),
              concat_of("other", 1, PARTS("n", "x", "n"), "other"),
              concat_of("y", 1, PARTS("two", "three", "other"), "all"),
              concat_of("both", 0, PARTS("rows", "n"), "four"), make_node("most", "ReduceMax", "four", NULL, "m"),
              make_node("add", "Add", "all", "m", "y"));
    expect_small(graph, 11, 32, (const double[]){5, 6, 8, 1, 3, 2, 0, 7, 5, 6, 8, 1, 3, 2, 0, 7,
                                                 5, 6, 8, 1, 3, 2, 0, 7, 5, 6, 8, 1, 3, 2, 0, 7});
}
