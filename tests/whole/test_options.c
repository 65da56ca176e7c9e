/* Options: zero stands for the default, ATL_ZERO for the value zero, and an option that a call does not use is an
 * error. */
#include "support.h"

static atl_graph *g;
static void open_graph(void) { g = atl_graph_new(); }
static void close_graph(void) { atl_graph_free(g); }
TestSuite(options, .init = open_graph, .fini = close_graph);

/* The weights of a small network after eight steps. */
static void train(atl_optimizer optimizer, float *weights_out)
{
    atl_graph *graph = atl_graph_new();
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(4, 3));
    atl_node *y = atl_dense_layer(x, "dense", 2, .activation = atl_tanh);
    atl_node *step = atl_minimize(atl_mean(atl_square(atl_add_scalar(y, -0.5f))), optimizer);
    atl_program *program = atl_compile(graph, ATL_NODES(step), .threads = 1);
    cr_assert(program, "%s", atl_error());
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(4, 3), -1, 1, 5);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    memcpy(weights_out, atl_floats(atl_variable_value(atl_find(graph, "dense/weights"))), 6 * sizeof *weights_out);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(graph);
}

static int differ(const float *a, const float *b) { return memcmp(a, b, 6 * sizeof *a) != 0; }

Test(options, a_sweep_over_momentum_trains_three_nets)
{
    const double momentum[] = {0, 0.5, 0.9};
    float weights[3][6], sgd[6], usual[6];
    for (int i = 0; i < 3; i++)
        train(atl_momentum(.rate = 0.1, .momentum = ATL_EXACTLY(momentum[i])), weights[i]);
    train(atl_sgd(.rate = 0.1), sgd);
    train(atl_momentum(.rate = 0.1), usual);
    cr_assert(differ(weights[0], weights[1]) && differ(weights[1], weights[2]) && differ(weights[0], weights[2]));
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(weights[0][i], sgd[i], 1e-6);
    cr_assert(!differ(weights[2], usual));
}

/* Adam without the first moment is RMSProp; without the second, it is the sign of the mean; both differ from the
 * default. */
Test(options, zero_betas_epsilon_and_weight_decay)
{
    float usual[6], zero[6], adamw[6], none[6];
    train(atl_adam(.rate = 0.1), usual);
    train(atl_adam(.rate = 0.1, .beta1 = ATL_ZERO), zero);
    cr_assert(differ(usual, zero));
    train(atl_adam(.rate = 0.1, .beta2 = ATL_ZERO), zero);
    cr_assert(differ(usual, zero));
    train(atl_adam(.rate = 0.1, .epsilon = 0.1), usual);
    train(atl_adam(.rate = 0.1, .epsilon = ATL_ZERO), zero);
    cr_assert(differ(usual, zero));
    train(atl_adam(.rate = 0.1), usual);
    train(atl_adamw(.rate = 0.1), adamw);
    train(atl_adamw(.rate = 0.1, .weight_decay = ATL_ZERO), none);
    cr_assert(differ(usual, adamw) && !differ(usual, none));
    cr_assert_eq(atl_rmsprop(.rho = ATL_ZERO).rho, 0);
    cr_assert_eq(atl_rmsprop().rho, 0.9);
}

Test(options, zeros_of_ops)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3)), *counter = atl_step_counter(g);
    cr_assert_eq(atl_dropout(x, .rate = ATL_ZERO), x);
    atl_node *same = atl_normal_noise(x, counter, .mean = 3, .deviation = ATL_ZERO);
    atl_node *constant =
        atl_batch_norm(x, .mean = ATL_CONSTANT(x, 0, 0, 0), .variance = ATL_CONSTANT(x, 4, 4, 4), .epsilon = ATL_ZERO);
    atl_node *loss = atl_softmax_cross_entropy(x, .label = ATL_ZERO);
    atl_program *program = atl_compile(g, ATL_NODES(same, constant, loss));
    cr_assert(program, "%s", atl_error());
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2, 3), (float[]){1, 2, 3, 3, 2, 1});
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(atl_floats(atl_value(program, same))[i], 3);
        cr_assert_eq(atl_floats(atl_value(program, constant))[i], atl_floats(value)[i] / 2);
    }
    cr_assert_gt(atl_floats(atl_value(program, loss))[0], atl_floats(atl_value(program, loss))[1]);
    atl_tensor_free(value);
    atl_program_free(program);
}

/* Each call on a new graph, because a graph keeps its first error. */
#define ASSERT_REFUSED(call, words)                                                                                    \
    do {                                                                                                               \
        close_graph();                                                                                                 \
        open_graph();                                                                                                  \
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 4, 4, 3));                                           \
        atl_node *flat = atl_input(g, "flat", ATL_FLOAT32, ATL_SHAPE(2, 3));                                           \
        atl_node *filter = atl_variable(g, "filter", ATL_SHAPE(3, 3, 3, 2), atl_he());                                 \
        (void)flat, (void)filter, (void)x;                                                                             \
        cr_expect_null(call, "%s", #call);                                                                             \
        cr_expect(strstr(atl_error(), words), "%s says \"%s\", not \"%s\"", #call, atl_error(), words);                \
        cr_expect_str_eq(atl_graph_error(g), atl_error());                                                             \
    } while (0)

Test(options, what_a_call_does_not_have_is_refused)
{
    ASSERT_REFUSED(atl_uniform_noise(x, .deviation = 2), ".deviation");
    ASSERT_REFUSED(atl_normal_noise(x, .high = 2), ".high");
    ASSERT_REFUSED(atl_exponential_decay(g, 0.1f, .factor = 0.5f, .steps = 10), "no .steps");
    ASSERT_REFUSED(atl_step_decay(g, 0.1f, .factor = 0.5f, .at = {10}, .staircase = 1), "no .staircase");
    ASSERT_REFUSED(atl_cosine_decay(g, 0.1f, .steps = 10, .factor = 0.5f), "no .factor");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_sgd(.momentum = 0.9)), "sgd has no .momentum");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_adam(.weight_decay = 0.1)),
                   "adam has no .weight_decay");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_momentum(.beta1 = 0.9)), "momentum has no .beta1");
    ASSERT_REFUSED(atl_conv2d(x, filter, .pad = {1, 1, 1, 1}), "ATL_PAD(1)");
    ASSERT_REFUSED(atl_reduce_sum(x, .axis = {1}), "ATL_AXES");
    ASSERT_REFUSED(atl_max_pool2d(x, .stride = {2, 2}), ".stride is not used without a window");
    ASSERT_REFUSED(atl_conv2d(x, filter, .layout = (atl_layout)9), "no .layout with the number 9");
    ASSERT_REFUSED(atl_conv2d(x, filter, .weight_order = (atl_weight_order)7), "no .weight_order with the number 7");
    ASSERT_REFUSED(atl_variable(g, "v", ATL_SCALAR, (atl_initializer){.kind = 99}), "kind 99");
    ASSERT_REFUSED(atl_dense_layer(flat, "d", 0), "width of 1 or more");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_adam(.beta1 = 2)), ".beta1 is out of range");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_sgd(), .clip_norm = -1), ".clip_norm");
    ASSERT_REFUSED(atl_minimize(atl_mean(atl_conv2d(x, filter)), atl_sgd(), .average = 1), ".average");
    ASSERT_REFUSED(atl_compile(g, ATL_NODES(x), .check = 5), ".check is 5");
    atl_node *rate = NULL;
    ASSERT_REFUSED((rate = atl_constant_rate(g, 0.1f), atl_minimize(atl_mean(x), atl_sgd(rate, .rate = 0.1))),
                   "sgd has no .rate beside .schedule");
}

Test(options, what_a_network_does_not_have_is_refused)
{
    ASSERT_REFUSED(atl_squeezenet(x, .widths = {10, 5}), ".widths[1] is 5");
    ASSERT_REFUSED(atl_cifar10(x, .widths = {[5] = 2}), ".widths[5]");
    ASSERT_REFUSED(atl_mlp(x, .widths = {4, 0, 10}), ".widths[2] is 10");
    ASSERT_REFUSED(atl_resnet20(x, .widths = {-1}), "it must be positive");
    ASSERT_REFUSED(atl_vgg16(x, .mean = {1, 2, 3}), ".mean is given without .scale");
    ASSERT_REFUSED(atl_mlp(x, .mean = {1, 2, 3}, .scale = {1}), "one .mean and one .scale");
    ASSERT_REFUSED(atl_lenet(x, .scale = {1, 2, 2}), "one .mean and one .scale");
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 6, 6, 3));
    (void)image;
    close_graph();
    open_graph();
    image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 6, 6, 3));
    cr_assert(atl_mlp(image, .mean = {1, 1, 1}, .scale = {2, 2, 2}, .widths = {4}), "%s", atl_error());
    cr_assert(atl_named(atl_resnet20(image, .scale = {0, 0, 2}), "blue"), "%s", atl_error());
    cr_assert(atl_find(g, "preprocess/result_1"), "a scale of zero for red and green is a scale");
}

static void expect_refused(atl_status status, const char *words)
{
    cr_expect_eq(status, ATL_INVALID, "not refused: %s", words);
    cr_expect(strstr(atl_error(), words), "\"%s\" does not mention %s", atl_error(), words);
}

Test(options, numbers_out_of_range_are_refused)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(2), 0, 1, 1),
               *images = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4, 4, 1)),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    atl_dataset *data = atl_dataset_of(images, labels);
    cr_assert_null(atl_batches_new(data, .threads = -1));
    cr_assert_mentions(atl_error(), "-1 threads");
    atl_gradient_check check;
    expect_refused(atl_check_gradient(atl_sum(x), ATL_NODES(x), ATL_FEED(x, value), .most = -1, .result_out = &check),
                   ".most");
    atl_program *program = atl_compile(g, ATL_NODES(atl_neg(x)), .threads = 1);
    expect_refused(atl_program_profile(program, ATL_FEED(x, value), -1), "-1 runs");
    expect_refused(atl_write_dot(g, scratch_file("a.dot"), stderr), "both a path and a file");
    atl_program_free(program);
    atl_dataset_free(data);
    atl_tensor_free(images);
    atl_tensor_free(labels);
    atl_tensor_free(value);
}

Test(options, what_files_do_not_use_is_refused)
{
    atl_npz_report report;
    const char *path = scratch_file("options.npz");
    atl_variable(g, "w", ATL_SHAPE(2), atl_zeros());
    expect_refused(atl_save_npz(g, path, .allow_missing = true), ".allow_missing");
    expect_refused(atl_save_npz(g, path, .allow_extra = true), ".allow_extra");
    expect_refused(atl_save_npz(g, path, .report_out = &report), ".report_out");
    cr_assert_eq(atl_save_npz(g, path), ATL_OK, "%s", atl_error());
    expect_refused(atl_load_npz(g, path, .averages = true), ".averages");
}

Test(options, what_an_attack_does_not_use_is_refused)
{
    atl_tensor *a = atl_uniform_tensor(ATL_SHAPE(1, 4, 4, 3), 0, 255, 1),
               *b = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3));
    expect_refused(atl_descend(a, a, .rate = 1, .moments = {b, b}), ".moments is for");
    expect_refused(atl_descend(a, a, .rate = 1, .method = ATL_DESCENT_SIGN, .iteration = 3), ".iteration is for");
    expect_refused(atl_descend(a, a, .rate = 1, .method = ATL_DESCENT_ADAM, .moments = {b, b}, .iteration = -1), "-1");
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3)), *logits = atl_mlp(image);
    cr_assert_null(atl_fooler_new(image, logits, .compile.graph = g));
    cr_assert_mentions(atl_error(), ".compile.graph");
    atl_fooler *fooler = atl_fooler_new(image, logits, .compile.threads = 1);
    atl_fool_result result;
    expect_refused(atl_fool(fooler, .start = a, .seed = 3, .result_out = &result), ".seed");
    expect_refused(atl_fool(fooler, .context = a, .result_out = &result), ".context");
    expect_refused(atl_fool(fooler, .iterations = -1, .result_out = &result), ".iterations is -1");
    expect_refused(atl_fool(fooler, .confidence = 1.5f, .result_out = &result), ".confidence is 1.5");
    cr_assert_eq(atl_fool(fooler, .start = a, .iterations = ATL_ZERO, .result_out = &result), ATL_OK, "%s",
                 atl_error());
    cr_assert_eq(result.iterations, 0);
    atl_tensor_free(result.pixels);
    /* The most probable class is enough: the start's own class is there at once. */
    cr_assert_eq(atl_fool(fooler, result.top, a, .confidence = ATL_ZERO, .result_out = &result), ATL_OK);
    cr_assert(result.met && result.iterations == 0);
    atl_tensor_free(result.pixels);
    atl_fooler_free(fooler);
    atl_tensor_free(a);
    atl_tensor_free(b);
}

/* A PyTorch state_dict: entries that no variable has are allowed, missing ones are not. */
Test(options, a_state_dict_loads_and_a_missing_weight_does_not)
{
    const char *path = scratch_file("state_dict.npz");
    atl_variable(g, "bn.weight", ATL_SHAPE(2), atl_zeros());
    atl_variable(g, "bn.bias", ATL_SHAPE(2), atl_zeros());
    atl_tensor *two = atl_tensor_of_floats(ATL_SHAPE(2), (float[]){3, 4}),
               *steps = atl_tensor_new(ATL_INT32, ATL_SCALAR);
    const atl_npz_entry all[] = {{"bn.num_batches_tracked", steps}, {"bn.weight", two}, {"bn.bias", two}};
    cr_assert_eq(atl_write_npz(path, 3, all), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(g, path), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "num_batches_tracked");
    cr_assert_mentions(atl_error(), "allow_extra");
    cr_assert_eq(atl_load_npz(g, path, .allow_extra = true), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_floats(atl_variable_value(atl_find(g, "bn.bias")))[1], 4);
    cr_assert_eq(atl_write_npz(path, 2, all), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_npz(g, path, .allow_extra = true), ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "1 missing: 'bn.bias'");
    atl_tensor_free(two);
    atl_tensor_free(steps);
}

/* Zeros that are requested are zeros, in a layer, too. */
Test(options, zeros_of_initializers_and_blurs)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 3, 3, 1));
    cr_assert(atl_conv_layer(x, "c", 2, .initializer = atl_zeros()) && atl_conv_layer(x, "he", 2) &&
              atl_dense_layer(atl_flatten(x), "d", 2, .initializer = atl_zeros()) &&
              atl_dense_layer(atl_flatten(x), "glorot", 2));
    cr_assert_eq(atl_floats(atl_variable_value(atl_find(g, "c/weights")))[0], 0);
    cr_assert_eq(atl_floats(atl_variable_value(atl_find(g, "d/weights")))[0], 0);
    cr_assert_neq(atl_floats(atl_variable_value(atl_find(g, "he/weights")))[0], 0);
    cr_assert_neq(atl_floats(atl_variable_value(atl_find(g, "glorot/weights")))[0], 0);
    atl_node *same = atl_gaussian_blur(x, .deviation = 1, .radius = ATL_ZERO), *blurred = atl_gaussian_blur(x, 1);
    atl_program *program = atl_compile(g, ATL_NODES(same, blurred), .threads = 1);
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(1, 3, 3, 1), 0, 1, 1);
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_lt(largest_difference(atl_value(program, same), value), 1e-6);
    cr_assert_gt(largest_difference(atl_value(program, blurred), value), 0.01);
    atl_tensor_free(value);
    atl_program_free(program);
}

Test(options, what_newcomers_stumble_over)
{
    ASSERT_REFUSED(atl_softmax_cross_entropy(flat), "no target is given");
    ASSERT_REFUSED(atl_softmax_cross_entropy(flat, atl_softmax(flat), .label = 1), "give one of");
    ASSERT_REFUSED(atl_conv2d(x, filter, .padding = 1), "ATL_PAD(1)");
    ASSERT_REFUSED(atl_conv2d(x, filter, .padding = 2), "ATL_PAD(2)");
    ASSERT_REFUSED(atl_max_pool2d(x, .window = {2, 2}, .padding = 1), "ATL_PAD(1)");
    ASSERT_REFUSED(atl_dense_layer(atl_avg_pool2d(x), "classes", 10), "atl_flatten");
}

Test(options, one_pixel_on_each_side)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 8, 8, 3));
    atl_node *filter = atl_variable(g, "filter", ATL_SHAPE(3, 3, 3, 2), atl_he());
    atl_node *all = atl_conv2d(x, filter, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {1, 1, 1, 1});
    atl_node *shorter = atl_conv2d(x, filter, .stride = {2, 2}, ATL_PAD(1));
    atl_node *as_tensorflow = atl_conv2d(x, filter, .stride = {2, 2});
    atl_program *program = atl_compile(g, ATL_NODES(all, shorter, as_tensorflow));
    cr_assert(program, "%s", atl_error());
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1);
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    cr_assert_eq(largest_difference(atl_value(program, all), atl_value(program, shorter)), 0);
    cr_assert_gt(largest_difference(atl_value(program, all), atl_value(program, as_tensorflow)), 0.01);
    atl_tensor_free(value);
    atl_program_free(program);
}

/* A class token for each example of an unknown batch. */
Test(options, a_value_for_each_of_an_unknown_batch)
{
    atl_node *tokens = atl_input(g, "tokens", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2, 3));
    atl_node *token = atl_variable(g, "token", ATL_SHAPE(1, 1, 3), atl_fill_with(7));
    atl_node *all = atl_concat(1, atl_repeat_batch(token, tokens), tokens), *by_token = atl_gradient(all, token);
    atl_program *program = atl_compile(g, ATL_NODES(all, by_token));
    cr_assert(program, "%s", atl_error());
    for (int n = 1; n < 4; n++) {
        atl_tensor *value = random_tensor(ATL_SHAPE(n, 2, 3), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEED(tokens, value)), ATL_OK, "%s", atl_error());
        cr_assert(atl_shape_equal(atl_tensor_shape(atl_value(program, all)), ATL_SHAPE(n, 3, 3)));
        for (int i = 0; i < n; i++)
            cr_assert_eq(atl_floats(atl_value(program, all))[9 * i], 7);
        cr_assert_eq(atl_floats(atl_value(program, by_token))[0], (float)n);
        atl_tensor_free(value);
    }
    atl_program_free(program);
    cr_assert_null(atl_concat(1, token, tokens));
    cr_assert_mentions(atl_error(), "atl_repeat_batch");
}
