/* Batch normalisation with given statistics. */
#include "battery.h"

enum { CHANNELS = 3 };

typedef struct norm {
    atl_graph *graph;
    atl_node *x, *mean, *variance, *scale, *shift;
} norm;

static norm new_norm(atl_shape shape)
{
    norm n = {.graph = atl_graph_new()};
    n.x = atl_input(n.graph, "x", ATL_FLOAT32, shape);
    n.mean = atl_variable(n.graph, "mean", ATL_SHAPE(CHANNELS), atl_normal(1));
    n.variance = atl_variable(n.graph, "variance", ATL_SHAPE(CHANNELS), atl_uniform(0.5f, 2));
    n.scale = atl_variable(n.graph, "scale", ATL_SHAPE(CHANNELS), atl_normal(1));
    n.shift = atl_variable(n.graph, "shift", ATL_SHAPE(CHANNELS), atl_normal(1));
    return n;
}

static void expect_formula(atl_layout layout, atl_shape shape, int with_scale)
{
    norm n = new_norm(shape);
    atl_node *y = atl_batch_norm(n.x, n.mean, n.variance, with_scale ? n.scale : NULL, with_scale ? n.shift : NULL,
                                 .epsilon = 0.01f, .layout = layout);
    atl_program *program = atl_compile(n.graph, ATL_NODES(y));
    atl_tensor *image = random_tensor(shape, -3, 3);
    cr_assert(program && !atl_run(program, ATL_FEED(n.x, image)), "%s", atl_graph_error(n.graph));
    int64_t inner = 1; /* elements between one channel and the next */
    for (int d = 2; layout == ATL_NCHW && d < shape.rank; d++)
        inner *= shape.size[d];
    for (int64_t i = 0; i < atl_tensor_count(image); i++) {
        int64_t c = i / inner % CHANNELS;
        double scale = with_scale ? element_of(atl_variable_value(n.scale), c) : 1;
        double shift = with_scale ? element_of(atl_variable_value(n.shift), c) : 0;
        double expected = (element_of(image, i) - element_of(atl_variable_value(n.mean), c)) /
                              sqrt(element_of(atl_variable_value(n.variance), c) + 0.01) * scale +
                          shift;
        cr_assert_float_eq(element_of(atl_value(program, y), i), expected, 1e-5 * (1 + fabs(expected)), "element %lld",
                           (long long)i);
    }
    /* All but a product and a sum depends only on variables, and is prepacked. */
    atl_step_info step;
    int each_time = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++)
        each_time += !atl_program_step(program, i, &step) && !step.prepack;
    cr_expect_leq(each_time, 2);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(n.graph);
}

Test(batch_norm, is_its_formula)
{
    expect_formula(ATL_NHWC, ATL_SHAPE(2, 4, 5, CHANNELS), 1);
    expect_formula(ATL_NHWC, ATL_SHAPE(2, 4, 5, CHANNELS), 0);
    expect_formula(ATL_NCHW, ATL_SHAPE(2, CHANNELS, 4, 5), 1);
    expect_formula(ATL_NHWC, ATL_SHAPE(6, CHANNELS), 1);
    expect_formula(ATL_NCHW, ATL_SHAPE(6, CHANNELS), 1);
}

Test(batch_norm, stands_in_a_scope_of_its_own)
{
    norm n = new_norm(ATL_SHAPE(1, 2, 2, CHANNELS));
    atl_enter(n.graph, "block");
    atl_node *y = atl_batch_norm(n.x, n.mean, n.variance);
    atl_leave(n.graph);
    cr_expect(!strncmp(atl_name_of(y), "block/batch_norm/", 17), "%s", atl_name_of(y));
    cr_expect(!strncmp(atl_name_of(atl_relu(y)), "relu", 4));
    atl_graph_free(n.graph);
}

Test(batch_norm, gradients_of_all_of_its_inputs)
{
    char text[600];
    norm n = new_norm(ATL_SHAPE(2, 3, 3, CHANNELS));
    atl_node *y = atl_batch_norm(n.x, n.mean, n.variance, n.scale, n.shift),
             *by[] = {n.x, n.mean, n.variance, n.scale, n.shift};
    atl_node *result[5];
    atl_gradients(.of = ATL_NODES(atl_sum(atl_square(y))), .by = {5, by}, .result_out = result);
    atl_tensor *image = random_tensor(atl_shape_of(n.x), -3, 3);
    cr_assert(result[4], "%s", atl_graph_error(n.graph));
    cr_expect(floats_agree(5, result, ATL_FEED(n.x, image), text, sizeof text), "%s", text);
    atl_tensor_free(image);
    atl_graph_free(n.graph);
}

static void expect_message(const char *text, atl_shape x, atl_shape mean, float epsilon, atl_layout layout)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, x), *vector = atl_input(g, "statistics", ATL_FLOAT32, mean);
    atl_enter(g, "norm1");
    cr_expect_null(atl_batch_norm(image, vector, vector, .epsilon = epsilon, .layout = layout));
    atl_leave(g);
    cr_assert_mentions(atl_graph_error(g), text);
    cr_assert_mentions(atl_graph_error(g), "norm1/batch_norm: ");
    atl_graph_free(g);
}

Test(batch_norm, mistakes)
{
    expect_message("[3]", ATL_SHAPE(2, 4, 4, 3), ATL_SHAPE(4), 0, ATL_NHWC);
    expect_message("[2, 4, 4, 3]", ATL_SHAPE(2, 4, 4, 3), ATL_SHAPE(4), 0, ATL_NHWC);
    expect_message("'statistics'", ATL_SHAPE(2, 4, 4, 3), ATL_SHAPE(1, 3), 0, ATL_NHWC);
    expect_message("[4]", ATL_SHAPE(2, 4, 4, 3), ATL_SHAPE(3), 0, ATL_NCHW);
    expect_message("no dimension", ATL_SHAPE(4), ATL_SHAPE(4), 0, ATL_NCHW);
    expect_message("epsilon", ATL_SHAPE(2, 4), ATL_SHAPE(4), -1, ATL_NHWC);
}

/* The statistics of a batch whose mean is far from 0: float and double agree, except for the rounding of the mean. */
Test(batch_norm, a_mean_far_above_the_deviation)
{
    enum { N = 256 };
    for (float off = 1; off <= 1000; off *= 10) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(N, 1)),
                 *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(N, 1));
        atl_node *y = atl_batch_norm_layer(x, "bn", .training = 1), *dx = atl_gradient(atl_sum(atl_mul(y, w)), x);
        atl_nodes wanted = ATL_NODES(y, dx);
        atl_program *program = atl_compile(g, wanted);
        atl_tensor *at = random_tensor(ATL_SHAPE(N, 1), off - 1, off + 1),
                   *weights = random_tensor(ATL_SHAPE(N, 1), -1, 1);
        const atl_feed feeds[] = {{x, at}, {w, weights}, {NULL, NULL}};
        cr_assert(program, "%s", atl_graph_error(g));
        /* In float the error of the mean is up to 2^-24 of the mean, and the deviation is 0.58. */
        assert_like_references(program, wanted, feeds, 1e-6 + 3e-7 * (double)off);
        atl_tensor_free(at);
        atl_tensor_free(weights);
        atl_program_free(program);
        atl_graph_free(g);
    }
}

/* For each possible row as the outlier. */
Test(batch_norm, moments_with_an_outlier)
{
    enum { N = 10000 };
    static const int64_t places[] = {0, N / 5, N / 2, N - 1};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(N, 3)), *m = atl_moments(x);
    atl_program *program = atl_compile(g, ATL_NODES(m));
    for (int i = 0; i < 4; i++)
        for (float size = 10; size < 1e6f; size *= 10) {
            atl_tensor *value = random_tensor(ATL_SHAPE(N, 3), -1, 1);
            atl_floats(value)[places[i] * 3 + 1] = size;
            assert_like_references(program, ATL_NODES(m), ATL_FEED(x, value), 1e-6);
            atl_tensor_free(value);
        }
    atl_program_free(program);
    atl_graph_free(g);
}
