/* Comparisons and selections with special values. */
#include "ops/maps.h"

Test(compare, nan_equals_nothing)
{
    for (size_t i = 0; i < COUNT(special_floats); i++) {
        const float x = special_floats[i];
        cr_expect_eq(map_of("equal", NAN, x), 0);
        cr_expect_eq(map_of("not_equal", NAN, x), 1);
        cr_expect_eq(map_of("less", NAN, x), 0);
        cr_expect_eq(map_of("less_equal", NAN, x), 0);
        cr_expect_eq(map_of("greater", x, NAN), 0);
        cr_expect_eq(map_of("greater_equal", x, NAN), 0);
    }
}

Test(compare, zeros_are_equal_and_false)
{
    cr_expect_eq(map_of("equal", 0, -0.0f), 1);
    cr_expect_eq(map_of("less", -0.0f, 0), 0);
    cr_expect_eq(map_of("logical_not", -0.0f, 0), 1);
    cr_expect_eq(map_of("logical_or", -0.0f, 0), 0);
    cr_expect_eq(map_of("heaviside", 0, 0), 0);
}

Test(compare, denormals_are_numbers)
{
    cr_expect_eq(map_of("greater", 1e-45f, 0), 1);
    cr_expect_eq(map_of("logical_and", 1e-45f, -1e-45f), 1);
    cr_expect_eq(map_of("heaviside", 1e-45f, 0), 1);
    cr_expect_eq(map_of("relu_grad", 3, 1e-45f), 3);
}

Test(compare, truth_tables)
{
    static const struct {
        float a, b, both, either, one;
    } row[] = {{0, 0, 0, 0, 0}, {0, 2, 0, 1, 1}, {-3, 0, 0, 1, 1}, {0.5f, NAN, 1, 1, 0}};
    for (size_t i = 0; i < COUNT(row); i++) {
        cr_expect_eq(map_of("logical_and", row[i].a, row[i].b), row[i].both, "row %zu", i);
        cr_expect_eq(map_of("logical_or", row[i].a, row[i].b), row[i].either, "row %zu", i);
        cr_expect_eq(map_of("logical_xor", row[i].a, row[i].b), row[i].one, "row %zu", i);
    }
}

/* The operand that is not selected has no effect, even if it is NaN or inf. */
Test(compare, choices_hide_the_other)
{
    cr_expect_eq(map_of("relu_grad", NAN, -1), 0);
    cr_expect_eq(map_of("relu_grad", INFINITY, 0), 0);
    cr_expect_eq(map_of("relu_grad", INFINITY, NAN), 0);
    const float condition[3] = {0, 1, NAN}, a[3] = {NAN, 2, 3}, b[3] = {1, INFINITY, NAN};
    const float *const x[3] = {condition, a, b};
    float y[3];
    op_named("select")->map(NULL, 3, x, y);
    cr_assert(y[0] == 1 && y[1] == 2 && y[2] == 3);
}

/* A problem known from TensorFlow: an infinite slope on the side that is not selected would give NaN if it were
 * multiplied by a mask. */
Test(compare, select_keeps_slopes_finite)
{
    atl_graph *g = atl_graph_new();
    const float values[2] = {0, 4};
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2)), *zero = atl_scalar(x, 0);
    atl_node *is_positive = atl_greater(x, zero), *safe = atl_select(is_positive, x, atl_scalar(x, 1));
    atl_node *slope = atl_gradient(atl_select(is_positive, atl_sqrt(safe), zero), x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2), values);
    atl_program *p = atl_compile(g, ATL_NODES(slope));
    cr_assert(p && atl_run(p, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert(element_of(atl_value(p, slope), 0) == 0 && element_of(atl_value(p, slope), 1) == 0.25);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
}
