/* Attention and rotary embeddings, against numbers of ONNX's definition: causal, with fewer heads of keys than of
 * queries, with masks, windows and keys of before. */
#include "small_model.h"

/* x as q of those sizes; the node, which makes a; a as y [1, 4]. */
static made around(made node, int rank, const int64_t *sizes)
{
    static const int64_t flat[] = {1, 4};
    made graph = GRAPH(make_node("in", "Reshape", "x", "sizes", "q"), node, make_node("out", "Reshape", "a", "f", "y"));
    put_whole(&graph, "sizes", rank, sizes);
    put_whole(&graph, "f", 2, flat);
    return graph;
}

/* A node of that op, with these inputs, "" for none, that makes a. */
static made node_of(const char *op, int count, const char *const *in)
{
    made node = {0};
    for (int i = 0; i < count; i++)
        put_text(&node, 1, in[i]);
    put_text(&node, 2, "a");
    put_text(&node, 3, "node");
    put_text(&node, 4, op);
    return node;
}

static const int64_t two_by_two[] = {1, 1, 2, 2};

Test(op_attention, keys_of_before_and_causal)
{
    static const char *const in[] = {"q", "q", "q", "", "past", "past"};
    static const int64_t one[] = {1, 1, 1, 2};
    static const float past[] = {0.5f, -0.5f};
    made node = node_of("Attention", 6, in);
    put_int_attribute(&node, "is_causal", 1);
    made graph = around(node, 4, two_by_two);
    put_tensor(&graph, "past", TYPE_FLOAT, 4, one, past, sizeof past);
    expect_small(graph, 23, 4, (const double[]){0.9899731278, 1.9498658180, 3.9999992847, -2.9999992847});
}

/* Two heads of queries and one of keys; a mask that is shorter than the keys, whose second row allows none. */
static made masked(int heads)
{
    static const int64_t queries[] = {1, 2, 2}, keys[] = {1, 4, 1}, of_mask[] = {2, 3}, flat[] = {1, 4};
    static const unsigned char mask[] = {1, 1, 0, 0, 0, 0};
    static const char *const in[] = {"q", "k", "k", "mask"};
    made node = node_of("Attention", 4, in);
    put_int_attribute(&node, "q_num_heads", heads);
    put_int_attribute(&node, "kv_num_heads", 1);
    put_float_attribute(&node, "scale", 0.5f);
    put_float_attribute(&node, "softcap", 3);
    made graph = GRAPH(make_node("in", "Reshape", "x", "sizes", "q"), make_node("keys", "Reshape", "x", "wide", "k"),
                       node, make_node("out", "Reshape", "a", "f", "y"));
    put_whole(&graph, "sizes", 3, queries);
    put_whole(&graph, "wide", 3, keys);
    put_whole(&graph, "f", 2, flat);
    put_tensor(&graph, "mask", TYPE_BOOL, 2, of_mask, mask, sizeof mask);
    return graph;
}

Test(op_attention, shared_keys_and_a_short_mask)
{
    expect_small(masked(2), 24, 4, (const double[]){1.6151747704, 1.6865006685, 0, 0});
    expect_refused(masked(3), 24, "3 heads of 2 numbers");
}

Test(op_attention, a_window_and_a_mask_that_is_added)
{
    static const char *const in[] = {"q", "q", "q", "mask"};
    static const int64_t tokens[] = {1, 1, 4, 1}, four[] = {4};
    static const float mask[] = {0, 1, 0.5f, -1};
    made node = node_of("Attention", 4, in);
    put_int_attribute(&node, "left_window_size", 1);
    put_int_attribute(&node, "right_window_size", 0);
    made graph = around(node, 4, tokens);
    put_tensor(&graph, "mask", TYPE_FLOAT, 1, four, mask, sizeof mask);
    expect_small(graph, 25, 4, (const double[]){1, 1.9525741339, 3.9988942146, -3});
}

Test(op_attention, rotary_embeddings)
{
    static const char *const in[] = {"q", "cos", "sin", "at"};
    static const int64_t four[] = {1, 1, 1, 4}, three[] = {1, 1, 4}, of_angles[] = {1, 1, 2}, column[] = {2, 1},
                         one[] = {1, 1}, second[] = {1};
    static const float cosine[] = {0.6f, 0}, sine[] = {0.8f, 1};
    made graph = around(node_of("RotaryEmbedding", 3, in), 4, four); /* halves */
    put_tensor(&graph, "cos", TYPE_FLOAT, 3, of_angles, cosine, sizeof cosine);
    put_tensor(&graph, "sin", TYPE_FLOAT, 3, of_angles, sine, sizeof sine);
    expect_small(graph, 23, 4, (const double[]){-2.6, 3, 3.2, 2});
    made node = node_of("RotaryEmbedding", 3, in); /* neighbours */
    put_int_attribute(&node, "interleaved", 1);
    put_int_attribute(&node, "num_heads", 1);
    graph = around(node, 3, three);
    put_tensor(&graph, "cos", TYPE_FLOAT, 3, of_angles, cosine, sizeof cosine);
    put_tensor(&graph, "sin", TYPE_FLOAT, 3, of_angles, sine, sizeof sine);
    expect_small(graph, 23, 4, (const double[]){-1, 2, 3, 4});
    node = node_of("RotaryEmbedding", 4, in); /* of a table, by position 1; the rest of the head stays */
    put_int_attribute(&node, "rotary_embedding_dim", 2);
    graph = around(node, 4, four);
    put_tensor(&graph, "cos", TYPE_FLOAT, 2, column, cosine, sizeof cosine);
    put_tensor(&graph, "sin", TYPE_FLOAT, 2, column, sine, sizeof sine);
    put_tensor(&graph, "at", TYPE_INT64, 2, one, second, sizeof second);
    expect_small(graph, 23, 4, (const double[]){-2, 1, 4, -3});
}
