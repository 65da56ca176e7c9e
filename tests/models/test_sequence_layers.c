/* Layers on sequences. */
#include "support.h"

Test(sequence_layers, layer_norm_starts_with_ones_and_zeros)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY, 6)), *y = atl_layer_norm_layer(x, "ln");
    expect_shape(atl_find(g, "ln/scale"), ATL_SHAPE(6));
    expect_shape(atl_find(g, "ln/shift"), ATL_SHAPE(6));
    atl_node *expected = atl_layer_norm(x);
    atl_program *program = atl_compile(g, ATL_NODES(y, expected));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 3, 6), -5, 5);
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, y), atl_value(program, expected), 1e-6);
    atl_program_free(program);
    atl_tensor_free(value);
    cr_assert_null(atl_layer_norm_layer(atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(2, ATL_ANY)), "open"));
    cr_assert_mentions(atl_graph_error(g), "known size");
    atl_graph_free(g);
}

Test(sequence_layers, embedding_takes_rows)
{
    atl_graph *g = atl_graph_new();
    atl_node *ids = atl_input(g, "ids", ATL_INT32, ATL_SHAPE(ATL_ANY, 3));
    atl_node *y = atl_embedding_layer(ids, "words", .vocabulary = 10, .width = 4, .decay = 0.5f);
    expect_shape(y, ATL_SHAPE(ATL_ANY, 3, 4));
    atl_node *weights = atl_find(g, "words/weights");
    expect_shape(weights, ATL_SHAPE(10, 4));
    cr_assert_eq(atl_variable_decay(weights), 0.5f);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    const int32_t wanted[] = {9, 0, -1, 3, 3, 10};
    atl_tensor *value = atl_tensor_of_ints(ATL_SHAPE(2, 3), wanted);
    cr_assert(program && atl_run(program, ATL_FEED(ids, value)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < 6; i++)
        for (int d = 0; d < 4; d++)
            cr_expect_eq(atl_floats(atl_value(program, y))[i * 4 + d],
                         wanted[i] < 0 || wanted[i] > 9 ? 0
                                                        : atl_floats(atl_variable_value(weights))[wanted[i] * 4 + d]);
    atl_program_free(program);
    atl_tensor_free(value);
    cr_assert_null(atl_embedding_layer(ids, "none", .width = 4));
    cr_assert_mentions(atl_graph_error(g), ".vocabulary");
    atl_graph_free(g);
}

/* One head with identities as weights is attention itself; a new order of the weights gives the same numbers. */
Test(sequence_layers, attention_by_its_variables)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 5, 6));
    atl_node *c = atl_input(g, "c", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 7, 4));
    atl_node *y = atl_attention_layer(x, "in_out", .heads = 2, .context = c);
    atl_node *z = atl_attention_layer(x, "out_in", .heads = 2, .context = c, .weight_order = ATL_OUT_IN);
    expect_shape(y, ATL_SHAPE(ATL_ANY, 5, 6));
    static const char *const part[] = {"query", "key", "value", "output"};
    for (int i = 0; i < 4; i++) {
        atl_node *from = atl_find(g, ATL_NAME("in_out/%s/weights", part[i]));
        atl_node *to = atl_find(g, ATL_NAME("out_in/%s/weights", part[i]));
        int in = i == 1 || i == 2 ? 4 : 6;
        expect_shape(from, ATL_SHAPE(in, 6));
        expect_shape(to, ATL_SHAPE(6, in));
        expect_shape(atl_find(g, ATL_NAME("in_out/%s/biases", part[i])), ATL_SHAPE(6));
        atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(6, in));
        for (int r = 0; r < in; r++)
            for (int s = 0; s < 6; s++)
                atl_floats(value)[s * in + r] = atl_floats(atl_variable_value(from))[r * 6 + s];
        cr_assert_eq(atl_variable_assign(to, value), ATL_OK);
        atl_tensor_free(value);
    }
    /* The same from matrix products: heads are columns 0..2 and 3..5. */
    atl_node *q = atl_matmul(x, atl_find(g, "in_out/query/weights")),
             *k = atl_matmul(c, atl_find(g, "in_out/key/weights"));
    atl_node *v = atl_matmul(c, atl_find(g, "in_out/value/weights")), *head[2];
    for (int h = 0; h < 2; h++) {
        atl_node *part_of[] = {q, k, v};
        for (int i = 0; i < 3; i++)
            part_of[i] = atl_slice(part_of[i], .begin = {0, 0, 3 * h}, .end = {0, 0, 3 * h + 3});
        atl_node *scores = atl_scale(atl_einsum("nqd,nkd->nqk", part_of[0], part_of[1]), (float)(1 / sqrt(3)));
        head[h] = atl_einsum("nqk,nkd->nqd", atl_softmax(scores), part_of[2]);
    }
    atl_node *expected = atl_matmul(atl_concat(-1, head[0], head[1]), atl_find(g, "in_out/output/weights"));
    atl_program *program = atl_compile(g, ATL_NODES(y, z, expected));
    cr_assert(program, "%s", atl_error());
    atl_tensor *a = random_tensor(ATL_SHAPE(2, 5, 6), -2, 2), *b = random_tensor(ATL_SHAPE(2, 7, 4), -2, 2);
    cr_assert(atl_run(program, ATL_FEEDS({x, a}, {c, b})) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, y), atl_value(program, expected), 1e-5);
    cr_assert_close(atl_value(program, z), atl_value(program, expected), 1e-5);
    atl_program_free(program);
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_graph_free(g);
}

/* A later token changes nothing before it. */
Test(sequence_layers, causal_attention_and_unknown_lengths)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY, 4));
    atl_node *y = atl_attention_layer(x, "self", .heads = 2, .causal = true, .width = 8, .no_bias = true);
    expect_shape(y, ATL_SHAPE(ATL_ANY, ATL_ANY, 4));
    expect_shape(atl_find(g, "self/output/weights"), ATL_SHAPE(8, 4));
    cr_assert_null(atl_find(g, "self/query/biases"));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *a = random_tensor(ATL_SHAPE(1, 5, 4), -2, 2), *before = NULL;
    for (int i = 0; i < 2; i++) {
        cr_assert(program && atl_run(program, ATL_FEED(x, a)) == ATL_OK, "%s", atl_error());
        if (i == 0)
            before = atl_tensor_copy(atl_value(program, y));
        atl_floats(a)[17] += 1;
    }
    double change[2] = {0};
    for (int k = 0; k < 20; k++)
        change[k >= 16] += fabs(element_of(before, k) - element_of(atl_value(program, y), k));
    cr_expect_eq(change[0], 0);
    cr_expect_gt(change[1], 0);
    atl_tensor_free(a);
    atl_tensor_free(before);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(sequence_layers, mistakes_of_attention)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5, 6));
    cr_assert_null(atl_attention_layer(x, "self", .heads = 4));
    cr_assert_mentions(atl_graph_error(g), "4 heads cannot share a width of 6");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_attention_layer(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 6)), "self"));
    cr_assert_mentions(atl_graph_error(g), "[2, 6]");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_attention_layer(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5, 6)), NULL));
    cr_assert_mentions(atl_graph_error(g), "name");
    atl_graph_free(g);
}
