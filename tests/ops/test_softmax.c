/* Softmax beyond its samples: logits of any size. */
#include "battery.h"

typedef struct softmax_case {
    atl_graph *graph;
    atl_node *x, *y, *log, *dx;
} softmax_case;

static softmax_case new_case(atl_shape shape)
{
    softmax_case c = {.graph = atl_graph_new()};
    c.x = atl_input(c.graph, "x", ATL_FLOAT32, shape);
    c.y = atl_softmax(c.x);
    c.log = atl_log_softmax(c.x);
    c.dx = atl_gradient(atl_sum(atl_square(c.y)), c.x);
    cr_assert(c.dx, "%s", atl_graph_error(c.graph));
    return c;
}

static void check_random(atl_shape shape, float size)
{
    char text[600];
    softmax_case c = new_case(shape);
    atl_tensor *logits = random_tensor(shape, -size, size);
    int ok = floats_agree(3, (atl_node *[]){c.y, c.log, c.dx}, ATL_FEED(c.x, logits), text, sizeof text);
    cr_expect(ok, "%s", text);
    atl_tensor_free(logits);
    atl_graph_free(c.graph);
}

Test(softmax, of_logits_of_any_size)
{
    const float sizes[] = {1e-4f, 1, 30, 1e4f};
    for (int i = 0; i < 4; i++) {
        check_random(ATL_SHAPE(1, 10), sizes[i]);
        check_random(ATL_SHAPE(7, 3, 33), sizes[i]);
        check_random(ATL_SHAPE(130, 1000), sizes[i]);
    }
}

static void expect_values(const float *logits, int n, const double *expected)
{
    softmax_case c = new_case(ATL_SHAPE(n));
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(n), logits);
    atl_program *program = atl_compile(c.graph, ATL_NODES(c.y, c.log));
    atl_reference *exact = atl_reference_run(ATL_NODES(c.y), ATL_FEED(c.x, x));
    cr_assert(program && exact && !atl_run(program, ATL_FEED(c.x, x)), "%s", atl_graph_error(c.graph));
    for (int i = 0; i < n; i++) {
        cr_expect_float_eq(element_of(atl_value(program, c.y), i), expected[i], 1e-6);
        cr_expect_float_eq(element_of(atl_reference_value(exact, c.y), i), expected[i], 1e-12);
        double log = element_of(atl_value(program, c.log), i);
        cr_expect(expected[i] == 0 ? log < -80 : fabs(log - logf((float)expected[i])) < 1e-5, "log %g", log);
    }
    atl_reference_free(exact);
    atl_program_free(program);
    atl_tensor_free(x);
    atl_graph_free(c.graph);
}

Test(softmax, of_extreme_rows)
{
    expect_values((const float[]){1e4f, -1e4f, 0}, 3, (const double[]){1, 0, 0});
    expect_values((const float[]){-1e4f, -1e4f}, 2, (const double[]){0.5, 0.5});
    expect_values((const float[]){3e38f, 3e38f, -3e38f, 1}, 4, (const double[]){0.5, 0.5, 0, 0});
    expect_values((const float[]){-INFINITY, 2, 2}, 3, (const double[]){0, 0.5, 0.5});
    expect_values((const float[]){-1e30f, -1e30f}, 2, (const double[]){0.5, 0.5});
    expect_values((const float[]){-7}, 1, (const double[]){1});
}

Test(softmax, of_nan_is_nan)
{
    const float logits[] = {1, NAN, 2};
    softmax_case c = new_case(ATL_SHAPE(3));
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(3), logits);
    atl_program *program = atl_compile(c.graph, ATL_NODES(c.y));
    cr_assert(program && !atl_run(program, ATL_FEED(c.x, x)));
    for (int i = 0; i < 3; i++)
        cr_expect(isnan(element_of(atl_value(program, c.y), i)));
    atl_program_free(program);
    atl_tensor_free(x);
    atl_graph_free(c.graph);
}
