#include "support.h"

static atl_node *picture(atl_graph *g) { return atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 8, 10, 6)); }

Test(layers, conv_makes_its_variables_in_a_scope_of_its_own)
{
    atl_graph *g = atl_graph_new();
    atl_node *y =
        atl_conv_layer(picture(g), "conv", 12, .window = {3, 5}, .stride = {2, 1}, .groups = 2, .activation = atl_relu);
    expect_shape(y, ATL_SHAPE(ATL_ANY, 4, 10, 12));
    expect_shape(atl_find(g, "conv/weights"), ATL_SHAPE(3, 5, 3, 12));
    expect_shape(atl_find(g, "conv/biases"), ATL_SHAPE(12));
    cr_assert(strncmp(atl_name_of(y), "conv/", 5) == 0, "%s", atl_name_of(y));
    y = atl_conv_layer(picture(atl_graph_of(NULL)), "null", 3);
    cr_assert_null(y);
    atl_graph_free(g);
}

Test(layers, filters_may_be_kept_output_first)
{
    atl_graph *g = atl_graph_new();
    atl_node *y = atl_conv_layer(picture(g), "conv", 12, .window = {3, 3}, .weight_order = ATL_OUT_IN, .no_bias = 1);
    expect_shape(y, ATL_SHAPE(ATL_ANY, 8, 10, 12));
    expect_shape(atl_find(g, "conv/weights"), ATL_SHAPE(12, 6, 3, 3));
    cr_assert_null(atl_find(g, "conv/biases"));
    atl_graph_free(g);
}

static atl_node *unknown_conv(atl_node *x) { return atl_conv_layer(x, "layer", 4); }
static atl_node *unknown_depthwise(atl_node *x) { return atl_depthwise_layer(x, "layer"); }
static atl_node *unknown_batch_norm(atl_node *x) { return atl_batch_norm_layer(x, "layer"); }
static atl_node *unknown_dense(atl_node *x) { return atl_dense_layer(x, "layer", 4); }

/* The message names the layer and its input, not a variable of it. */
Test(layers, a_size_that_a_variable_needs_must_be_known)
{
    static const struct {
        atl_node *(*build)(atl_node *x);
        atl_shape shape;
        const char *says;
    } row[] = {
        {unknown_conv, {4, {1, 3, 3, ATL_ANY}}, "layer: the number of channels must be known"},
        {unknown_depthwise, {4, {1, 3, 3, ATL_ANY}}, "layer: the number of channels must be known"},
        {unknown_batch_norm, {4, {1, 3, 3, ATL_ANY}}, "layer: the last size must be known"},
        {unknown_dense, {2, {1, ATL_ANY}}, "layer: the last size must be known"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        atl_graph *g = atl_graph_new();
        cr_expect_null(row[i].build(atl_input(g, "pixels", ATL_FLOAT32, row[i].shape)));
        cr_expect(strstr(atl_error(), row[i].says) && strstr(atl_error(), "'pixels' is ["), "%s", atl_error());
        atl_graph_free(g);
    }
}

/* The same numbers with channels first or last. */
Test(layers, channels_first_adds_the_bias_along_channels)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5, 6, 3));
    atl_node *last = atl_conv_layer(x, "last", 4, .window = {3, 3});
    atl_node *first =
        atl_conv_layer(atl_transpose(x, .order = {0, 3, 1, 2}), "first", 4, .window = {3, 3}, .layout = ATL_NCHW);
    first = atl_transpose(first, .order = {0, 2, 3, 1});
    cr_assert(first && last, "%s", atl_graph_error(g));
    atl_tensor *biases = random_tensor(ATL_SHAPE(4), -1, 1), *pixels = random_tensor(ATL_SHAPE(2, 5, 6, 3), -1, 1);
    cr_assert(atl_variable_assign(atl_find(g, "first/weights"), atl_variable_value(atl_find(g, "last/weights"))) ==
              ATL_OK);
    cr_assert(atl_variable_assign(atl_find(g, "first/biases"), biases) == ATL_OK);
    cr_assert(atl_variable_assign(atl_find(g, "last/biases"), biases) == ATL_OK);
    atl_program *program = atl_compile(g, ATL_NODES(first, last));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert(atl_run(program, ATL_FEED(x, pixels)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, first), atl_value(program, last), 1e-6);
    atl_program_free(program);
    atl_tensor_free(biases);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

/* A filter's fan-in is its window times its input channels, in either layout: deviation sqrt(2 / (5 * 5 * 6)). */
Test(layers, he_initialisation_counts_the_same_fan_in_in_both_layouts)
{
    for (int layout = ATL_IN_OUT; layout <= ATL_OUT_IN; layout++) {
        atl_graph *g = atl_graph_new();
        atl_conv_layer(picture(g), "conv", 64, .window = {5, 5}, .weight_order = (atl_weight_order)layout);
        const atl_tensor *w = atl_variable_value(atl_find(g, "conv/weights"));
        double squares = 0;
        for (int64_t i = 0; i < atl_tensor_count(w); i++)
            squares += element_of(w, i) * element_of(w, i);
        double deviation = sqrt(squares / (double)atl_tensor_count(w)), expected = sqrt(2.0 / (5 * 5 * 6));
        cr_assert(fabs(deviation / expected - 1) < 0.05, "deviation %g, not %g", deviation, expected);
        atl_graph_free(g);
    }
}

Test(layers, dense_with_either_order_of_weights)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 7));
    expect_shape(atl_dense_layer(x, "a", 5, .activation = atl_tanh), ATL_SHAPE(ATL_ANY, 5));
    expect_shape(atl_dense_layer(x, "b", 5, .weight_order = ATL_OUT_IN, .no_bias = 1), ATL_SHAPE(ATL_ANY, 5));
    expect_shape(atl_find(g, "a/weights"), ATL_SHAPE(7, 5));
    expect_shape(atl_find(g, "b/weights"), ATL_SHAPE(5, 7));
    cr_assert_null(atl_find(g, "b/biases"));
    atl_graph_free(g);
}

Test(layers, batch_norm_starts_as_the_identity)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3, 3, 4)), *y = atl_batch_norm_layer(x, "bn", 1e-12f);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 3, 3, 4), -1, 1);
    cr_assert(atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, y), value, 1e-6);
    cr_assert(atl_find(g, "bn/mean") && atl_find(g, "bn/variance") && atl_find(g, "bn/scale") &&
              atl_find(g, "bn/shift"));
    atl_program_free(program);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* Each error in a graph of its own, because a graph keeps the first one. */
Test(layers, mistakes_are_told_with_the_layer_and_the_shape)
{
    atl_graph *g = atl_graph_new();
    cr_assert_null(atl_conv_layer(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3)), "conv", 4));
    cr_assert_mentions(atl_graph_error(g), "conv/");
    cr_assert_mentions(atl_graph_error(g), "[2, 3]");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_conv_layer(picture(g), NULL, 4));
    cr_assert_mentions(atl_graph_error(g), "name");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_conv_layer(picture(g), "conv", 4, .groups = 4)); /* of 6 channels */
    cr_assert_mentions(atl_graph_error(g), "conv/");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_conv_layer(picture(g), "conv", 0));
    cr_assert_str_not_empty(atl_graph_error(g));
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert(atl_dense_layer(atl_flatten(picture(g)), "fc", 4), "%s", atl_graph_error(g));
    cr_assert_null(atl_dense_layer(atl_flatten(picture(atl_graph_of(NULL))), "fc", 4));
    cr_assert_null(atl_dense_layer(atl_flatten(atl_find(g, "x")), "fc", 4)); /* the name is taken */
    cr_assert_mentions(atl_graph_error(g), "fc/weights");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_dense_layer(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, ATL_ANY)), "fc", 4));
    cr_assert_mentions(atl_graph_error(g), "?");
    atl_graph_free(g);
}

/* Uses the batch's own statistics, in double; and the running ones follow them. */
Test(layers, batch_norm_in_training)
{
    enum { COUNT = 2 * 3 * 3, CHANNELS = 4 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3, 3, CHANNELS));
    atl_node *y = atl_batch_norm_layer(x, "bn", .training = 1, .momentum = 0.8f);
    atl_node *step = atl_minimize(atl_sum(atl_square(y)), atl_sgd(.rate = 0.1));
    atl_program *p = atl_compile(g, ATL_NODES(y, step));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 3, 3, CHANNELS), 4, 6);
    cr_assert(p, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(p, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    for (int c = 0; c < CHANNELS; c++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < COUNT; i++)
            mean += atl_floats(value)[i * CHANNELS + c] / COUNT;
        for (int i = 0; i < COUNT; i++)
            variance += pow(atl_floats(value)[i * CHANNELS + c] - mean, 2) / COUNT;
        for (int i = 0; i < COUNT; i++)
            cr_assert_float_eq(atl_floats(atl_value(p, y))[i * CHANNELS + c],
                               (atl_floats(value)[i * CHANNELS + c] - mean) / sqrt(variance + 1e-5), 2e-5);
        cr_assert_float_eq(atl_floats(atl_variable_value(atl_find(g, "bn/mean")))[c], 0.2 * mean, 1e-5);
        cr_assert_float_eq(atl_floats(atl_variable_value(atl_find(g, "bn/variance")))[c],
                           0.8 + 0.2 * variance * COUNT / (COUNT - 1), 1e-5);
    }
    cr_assert(!atl_variable_is_trainable(atl_find(g, "bn/mean")) && atl_variable_is_trainable(atl_find(g, "bn/scale")));
    cr_assert_lt(atl_floats(atl_variable_value(atl_find(g, "bn/scale")))[0], 1);
    atl_tensor_free(value);
    atl_program_free(p);
    atl_graph_free(g);
}

Test(layers, decay_is_of_the_weights)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 2));
    x = atl_conv_layer(x, "conv", 3, .window = {3, 3}, .decay = 0.25f);
    atl_dense_layer(atl_flatten(x), "dense", 5, .decay = 0.5f);
    cr_assert_eq(atl_variable_decay(atl_find(g, "conv/weights")), 0.25f);
    cr_assert_eq(atl_variable_decay(atl_find(g, "dense/weights")), 0.5f);
    cr_assert(atl_variable_decay(atl_find(g, "conv/biases")) == 0 &&
              atl_variable_decay(atl_find(g, "dense/biases")) == 0);
    atl_graph_free(g);
}

/* Depthwise: a channel alone, by loops in double; in both orders of weights. */
Test(layers, depthwise_reads_one_channel_each)
{
    enum { H = 4, W = 5, IN = 3, M = 2 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, H, W, IN));
    atl_node *y =
        atl_depthwise_layer(x, "dw", .multiplier = M, .window = {3, 3}, .activation = atl_relu, .decay = 0.5f);
    atl_node *z =
        atl_depthwise_layer(x, "oi", .multiplier = M, .window = {3, 3}, .weight_order = ATL_OUT_IN, .no_bias = true);
    expect_shape(y, ATL_SHAPE(ATL_ANY, H, W, IN * M));
    atl_node *weights = atl_find(g, "dw/weights"), *turned = atl_find(g, "oi/weights");
    expect_shape(weights, ATL_SHAPE(3, 3, IN, M));
    expect_shape(turned, ATL_SHAPE(IN * M, 1, 3, 3));
    expect_shape(atl_find(g, "dw/biases"), ATL_SHAPE(IN * M));
    cr_assert_null(atl_find(g, "oi/biases"));
    cr_assert_eq(atl_variable_decay(weights), 0.5f);
    atl_program *program = atl_compile(g, ATL_NODES(y, z));
    atl_tensor *value = random_tensor(ATL_SHAPE(1, H, W, IN), -1, 1);
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    const float *f = atl_floats(atl_variable_value(weights)), *t = atl_floats(atl_variable_value(turned));
    for (int i = 0; i < H * W * IN * M; i++) {
        int o = i % (IN * M), c = o / M, col = i / (IN * M) % W, row = i / (IN * M) / W;
        double sum = 0, other = 0;
        for (int k = 0; k < 9; k++) {
            int r = row + k / 3 - 1, s = col + k % 3 - 1;
            double at = r < 0 || r >= H || s < 0 || s >= W ? 0 : atl_floats(value)[(r * W + s) * IN + c];
            sum += at * f[k * IN * M + o];
            other += at * t[o * 9 + k];
        }
        cr_expect_float_eq(atl_floats(atl_value(program, y))[i], sum > 0 ? sum : 0, 1e-5);
        cr_expect_float_eq(atl_floats(atl_value(program, z))[i], other, 1e-5);
    }
    atl_program_free(program);
    atl_tensor_free(value);
    cr_assert_null(atl_depthwise_layer(x, "less", .multiplier = -1));
    cr_assert_mentions(atl_graph_error(g), ".multiplier");
    atl_graph_free(g);
}
