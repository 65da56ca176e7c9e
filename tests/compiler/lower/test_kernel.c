/* Ops that have only a reference in double, and no kernel. */
#include "support.h"

static bool infer_ints(atl_node *y) { return atl_set_type(y, ATL_INT32, ATL_SHAPE(5)); }

static void reference_far_out(const atl_node *y, const double *const *x, double *result)
{
    static const double values[] = {1e30, -1e30, NAN, 7.9, -7.9};
    (void)y, (void)x;
    memcpy(result, values, sizeof values);
}

static const atl_op far_out_op = {.name = "far_out", .arity = 1, .infer = infer_ints, .reference = reference_far_out};

/* A value out of range of int32 becomes what a cast would return. */
Test(kernel, integers_of_a_reference_are_limited)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1)), *y = atl_apply(&far_out_op, x);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1));
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    const int32_t *got = atl_ints(atl_value(program, y));
    const int32_t expected[] = {INT32_MAX, INT32_MIN, 0, 7, -7};
    for (int i = 0; i < 5; i++)
        cr_expect_eq(got[i], expected[i], "element %d is %d, not %d", i, got[i], expected[i]);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
