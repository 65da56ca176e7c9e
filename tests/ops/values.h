/* For tests of ops: constants from literals, and assertions about a node's value. */
#ifndef ATLED_TESTS_OPS_VALUES_H
#define ATLED_TESTS_OPS_VALUES_H

#include "support.h"

/* A constant of consecutive numbers 0, 1, 2, ... */
static inline atl_node *counting(atl_graph *graph, atl_shape shape)
{
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; value && i < atl_tensor_count(value); i++)
        atl_floats(value)[i] = (float)i;
    atl_node *node = value ? atl_constant(graph, value) : NULL;
    atl_tensor_free(value);
    return node;
}

static inline atl_node *floats_of(atl_graph *graph, atl_shape shape, const float *values)
{
    atl_tensor *value = atl_tensor_of_floats(shape, values);
    atl_node *node = atl_constant(graph, value);
    atl_tensor_free(value);
    return node;
}

static inline atl_node *ints_of(atl_graph *graph, atl_shape shape, const int32_t *values)
{
    atl_tensor *value = atl_tensor_of_ints(shape, values);
    atl_node *node = atl_constant(graph, value);
    atl_tensor_free(value);
    return node;
}

#define FLOATS(graph, shape, ...) floats_of((graph), (shape), (const float[]){__VA_ARGS__})
#define INTS(graph, shape, ...)   ints_of((graph), (shape), (const int32_t[]){__VA_ARGS__})

/* The node, run by a program and by the references, has this shape and these elements, within float rounding. */
static inline void expect_values(atl_node *y, atl_shape shape, const double *expected)
{
    char text[2][160];
    cr_assert(y, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_shape_of(y), shape), "the shape is %s, not %s",
              atl_shape_text(atl_shape_of(y), text[0], sizeof text[0]), atl_shape_text(shape, text[1], sizeof text[1]));
    atl_program *program = atl_compile(atl_graph_of(y), ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_NO_FEEDS) == ATL_OK, "%s", atl_error());
    atl_reference *reference = atl_reference_run(ATL_NODES(y), ATL_NO_FEEDS);
    cr_assert(reference, "%s", atl_error());
    const atl_tensor *value = atl_value(program, y), *exact = atl_reference_value(reference, y);
    for (int64_t i = 0; i < atl_shape_count(shape); i++) {
        double bound = 1e-6 * fabs(expected[i]);
        cr_expect(fabs(element_of(value, i) - expected[i]) <= bound, "element %lld is %g, not %g", (long long)i,
                  element_of(value, i), expected[i]);
        cr_expect(fabs(element_of(exact, i) - expected[i]) <= bound, "element %lld of the reference is %g, not %g",
                  (long long)i, element_of(exact, i), expected[i]);
    }
    atl_reference_free(reference);
    atl_program_free(program);
}
#define EXPECT_VALUES(y, shape, ...) expect_values((y), (shape), (const double[]){__VA_ARGS__})

/* The builder failed, and its message contains all of this. */
#define EXPECT_REFUSED(graph, node, ...)                                                                               \
    do {                                                                                                               \
        cr_assert_null(node);                                                                                          \
        const char *const mentioned_[] = {__VA_ARGS__};                                                                \
        for (size_t i_ = 0; i_ < sizeof mentioned_ / sizeof *mentioned_; i_++)                                         \
            cr_assert_mentions(atl_graph_error(graph), mentioned_[i_]);                                                \
    } while (0)

#endif
