/* Models of a few nodes, made in memory, run, and compared. */
#ifndef ATLED_TESTS_ONNX_SMALL_MODEL_H
#define ATLED_TESTS_ONNX_SMALL_MODEL_H

#include "onnx/make_model.h"

typedef struct small_model {
    atl_graph *graph;
    atl_onnx *net;
    atl_node *x, *y;
} small_model;

/* The graph, which is freed, as a model whose input x and output y are float32 [1, 4]. */
static inline small_model load_small(made nodes, int opset)
{
    made model = make_model(nodes, 8, opset);
    small_model m = {.graph = atl_graph_new()};
    m.net = atl_onnx_load(m.graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(m.net, "%s", atl_error());
    free(model.at);
    m.x = atl_onnx_input(m.net, "x");
    m.y = atl_onnx_output(m.net, "y");
    cr_assert(m.x && m.y);
    return m;
}

static inline void free_small(small_model *m)
{
    atl_onnx_free(m->net);
    atl_graph_free(m->graph);
}

/* For x = 1, 2, 4, -3 the float program gives y these elements, and the gradient of the sum
 * of squares by central differences in double. */
static inline void expect_small(made nodes, int opset, int64_t count, const double *expected)
{
    small_model m = load_small(nodes, opset);
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(m.graph, ATL_NODES(m.y));
    cr_assert(program && atl_run(program, ATL_FEED(m.x, x)) == ATL_OK, "%s", atl_error());
    const atl_tensor *y = atl_value(program, m.y);
    cr_assert_eq(atl_tensor_count(y), count, "it has %lld elements", (long long)atl_tensor_count(y));
    for (int64_t i = 0; i < count; i++)
        cr_expect(fabs(element_of(y, i) - expected[i]) <= 1e-5 * (1 + fabs(expected[i])), "element %lld is %g, not %g",
                  (long long)i, element_of(y, i), expected[i]);
    if (atl_dtype_of(m.y) == ATL_FLOAT32) {
        atl_gradient_check check;
        atl_status status = atl_check_gradient(atl_sum(atl_square(m.y)), ATL_NODES(m.x), ATL_FEED(m.x, x), .step = 1e-4,
                                               .result_out = &check);
        cr_expect(status == ATL_OK && check.checked > 0, "%s", atl_error());
    }
    atl_program_free(program);
    atl_tensor_free(x);
    free_small(&m);
}

/* The graph with an open batch, of opset 17: for x = 1 .. 4 and 5 .. 8, y has these elements. */
static inline void expect_for_two(made nodes, int64_t count, const double *expected)
{
    made model = make_model_of(nodes, 8, 17, 1);
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_node *x = atl_onnx_input(net, "x"), *y = atl_onnx_output(net, "y");
    atl_tensor *two = atl_tensor_of_floats(ATL_SHAPE(2, 4), (const float[]){1, 2, 3, 4, 5, 6, 7, 8});
    atl_program *program = atl_compile(graph, ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_FEED(x, two)) == ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_tensor_count(atl_value(program, y)), count);
    for (int64_t i = 0; i < count; i++)
        cr_expect_eq(element_of(atl_value(program, y), i), expected[i], "element %lld is %g, not %g", (long long)i,
                     element_of(atl_value(program, y), i), expected[i]);
    atl_program_free(program);
    atl_tensor_free(two);
    atl_onnx_free(net);
    atl_graph_free(graph);
    free(model.at);
}

/* The model, which is freed, is refused, in these words. */
static inline void expect_model_refused(made model, const char *words)
{
    atl_graph *graph = atl_graph_new();
    cr_expect_null(atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size));
    cr_assert_mentions(atl_error(), words);
    atl_graph_free(graph);
    free(model.at);
}

static inline void expect_refused(made nodes, int opset, const char *words)
{
    expect_model_refused(make_model(nodes, 8, opset), words);
}

#endif
