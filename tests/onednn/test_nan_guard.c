/* NaN passes through everything that oneDNN computes, whatever is fused into a step, and whichever thread meets it. */
#include <fenv.h>

#include "atled/reference.h"
#include "support.h"

static int64_t count_nans(const atl_tensor *t)
{
    int64_t count = 0;
    for (int64_t i = 0; i < atl_tensor_count(t); i++)
        count += isnan(element_of(t, i)) != 0;
    return count;
}

/* oneDNN's loops for SSE4.1 read whole blocks of eight channels, of the next pixel, too: a NaN there, times a weight of
 * zero, spoils this one.  So where channels do not fill blocks, such a result is that of an image which has NaN in the
 * seven elements before each NaN, too. */
static atl_tensor *spread_over_blocks(const atl_tensor *image)
{
    enum { BLOCK = 8 };
    atl_shape shape = atl_tensor_shape(image);
    atl_tensor *spread = atl_tensor_copy(image);
    cr_assert(spread, "%s", atl_error());
    if (atl_isa_in_use() == ATL_ISA_GENERIC && shape.rank == 4 && shape.size[3] % BLOCK)
        for (int64_t i = 0; i < atl_tensor_count(image); i++)
            for (int64_t k = i; isnan(element_of(image, i)) && k >= 0 && k > i - BLOCK; k--)
                atl_floats(spread)[k] = NAN;
    return spread;
}

/* The value and the gradient with respect to x (null: none) have NaN where the double reference has NaN, with all
 * passes, and without any.  Winograd's algorithm may have more NaNs, because it computes several pixels together.
 * Returns the number of NaNs in the value. */
static int64_t expect_same_nans(atl_node *x, atl_node *y, atl_node *dx, const atl_tensor *value, const char *what)
{
    static const unsigned without[] = {ATL_PASS_WINOGRAD, ~0u, 0};
    atl_nodes wanted = dx ? ATL_NODES(y, dx) : ATL_NODES(y);
    atl_reference *exact = atl_reference_run(wanted, ATL_FEED(x, value));
    atl_tensor *spread = spread_over_blocks(value);
    atl_reference *allowed = atl_reference_run(wanted, ATL_FEED(x, spread));
    cr_assert(exact && allowed, "%s: %s", what, atl_error());
    int64_t count = count_nans(atl_reference_value(exact, y));
    for (int k = 0; k < 3; k++) {
        atl_program *program = atl_compile(atl_graph_of(y), wanted, .disabled_passes = without[k]);
        cr_assert(program, "%s: %s", what, atl_graph_error(atl_graph_of(y)));
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s: %s", what, atl_error());
        for (int64_t w = 0; w < wanted.count; w++) {
            const atl_tensor *got = atl_value(program, wanted.node[w]);
            for (int64_t i = 0; i < atl_tensor_count(got); i++) {
                double is = element_of(got, i), should = element_of(atl_reference_value(exact, wanted.node[w]), i);
                int may_be = without[k] == 0 || isnan(element_of(atl_reference_value(allowed, wanted.node[w]), i));
                cr_assert(isnan(should) ? isnan(is) : !isnan(is) || may_be,
                          "%s, %s, element %lld: %g without passes %x, %g in double", what, w ? "gradient" : "value",
                          (long long)i, is, without[k], should);
            }
        }
        atl_program_free(program);
    }
    atl_reference_free(exact);
    atl_reference_free(allowed);
    atl_tensor_free(spread);
    return count;
}

enum { PLACES = 3 };

/* NaN as the first, a middle, and the last element: a different thread meets each. */
static void check(atl_node *x, atl_node *y, int with_gradient, const char *what)
{
    cr_assert(y, "%s: %s", what, atl_graph_error(atl_graph_of(x)));
    atl_node *dx = with_gradient ? atl_gradient(atl_sum(y), x) : NULL;
    int64_t nans = 0;
    for (int place = 0; place < PLACES; place++) {
        atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
        atl_floats(value)[place * (atl_tensor_count(value) - 1) / (PLACES - 1)] = NAN;
        nans += expect_same_nans(x, y, dx, value, what);
        atl_tensor_free(value);
    }
    cr_assert_gt(nans, 0, "%s: no NaN came through", what);
}

static atl_node *filter(atl_node *x, int size, int in, int out)
{
    return atl_variable(atl_graph_of(x), ATL_NAME("w%d_%d_%d", size, in, out), ATL_SHAPE(size, size, in, out),
                        atl_he());
}

Test(nan_guard, convolutions_with_relu)
{
    static const int in[] = {3, 16, 30}, out[] = {32, 48, 7};
    for (int i = 0; i < 3; i++)
        for (int size = 1; size <= 5; size += 2)
            for (int stride = 1; stride <= 2; stride++) {
                atl_graph *g = atl_graph_new();
                atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 19, 18, in[i]));
                atl_node *bias = atl_variable(g, "b", ATL_SHAPE(out[i]), atl_normal(1));
                atl_node *y = atl_conv2d(x, filter(x, size, in[i], out[i]), .stride = {stride, stride});
                check(x, atl_relu(atl_bias_add(y, bias)), 0, ATL_NAME("%dx%d, stride %d", size, size, stride));
                atl_graph_free(g);
            }
}

Test(nan_guard, residuals)
{
    static const int channels[] = {16, 64, 10};
    for (int i = 0; i < 3; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 28, 28, channels[i]));
        atl_node *y = atl_conv2d(x, filter(x, 3, channels[i], channels[i]));
        check(x, atl_relu(atl_add(y, x)), 0, ATL_NAME("%d channels", channels[i]));
        atl_graph_free(g);
    }
}

Test(nan_guard, products_with_relu)
{
    static const int64_t sizes[][3] = {{64, 64, 64}, {200, 300, 100}, {2, 1000, 500}, {3, 4, 5}, {100, 2, 100}};
    for (int i = 0; i < 5; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(sizes[i][0], sizes[i][1]));
        atl_node *w = atl_variable(g, "w", ATL_SHAPE(sizes[i][1], sizes[i][2]), atl_he());
        atl_node *bias = atl_variable(g, "b", ATL_SHAPE(sizes[i][2]), atl_normal(1));
        check(x, atl_relu(atl_bias_add(atl_matmul(x, w), bias)), 0, ATL_NAME("product %d", i));
        atl_graph_free(g);
    }
}

Test(nan_guard, max_pools_and_their_gradients)
{
    static const int channels[] = {3, 16, 70};
    for (int i = 0; i < 3; i++)
        for (int size = 2; size <= 4; size++)
            for (int stride = 1; stride <= 2; stride++) {
                atl_graph *g = atl_graph_new();
                atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 21, 18, channels[i]));
                atl_node *y = atl_max_pool2d(x, .window = {size, size}, .stride = {stride, stride});
                check(x, y, 0, "value alone");
                atl_tensor *factors = random_tensor(atl_shape_of(y), 1, 2);
                check(x, atl_mul(y, atl_constant(g, factors)), 1, "with gradient");
                atl_tensor_free(factors);
                atl_graph_free(g);
            }
}

/* Where no element is NaN, the gradient of a window goes to the same element as before, although another algorithm
 * computed the step. */
Test(nan_guard, what_is_finite_beside_a_nan_is_right)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 24, 24, 16));
    atl_node *y = atl_max_pool2d(atl_relu(atl_conv2d(x, filter(x, 3, 16, 24), .stride = {2, 2})), .window = {3, 3},
                                 .stride = {2, 2});
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_nodes wanted = ATL_NODES(y, dx);
    atl_program *program = atl_compile(g, wanted);
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    atl_floats(value)[100 * 16 + 5] = NAN;
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    atl_reference *exact = atl_reference_run(wanted, ATL_FEED(x, value));
    cr_assert(exact, "%s", atl_error());
    for (int w = 0; w < 2; w++)
        for (int64_t i = 0; i < atl_tensor_count(atl_value(program, wanted.node[w])); i++) {
            double got = element_of(atl_value(program, wanted.node[w]), i),
                   expected = element_of(atl_reference_value(exact, wanted.node[w]), i);
            cr_assert(isnan(expected) ? isnan(got) : fabs(got - expected) <= 1e-4 * fmax(1, fabs(expected)),
                      "%s, element %lld: %g, not %g", w ? "gradient" : "value", (long long)i, got, expected);
        }
    atl_reference_free(exact);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* The caller's floating-point flag for invalid operations is unchanged. */
Test(nan_guard, flags_of_the_caller)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 19, 18, 3));
    atl_node *y = atl_relu(atl_conv2d(x, filter(x, 3, 3, 7)));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    for (int up = 0; up < 2; up++) {
        feclearexcept(FE_ALL_EXCEPT);
        if (up)
            feraiseexcept(FE_INVALID);
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
        cr_expect_eq(fetestexcept(FE_INVALID) != 0, up);
    }
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* A batch of NaN stops a training step whatever is fused, and no weight changes. */
Test(nan_guard, training_stops)
{
    for (int fused = 0; fused < 2; fused++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 16, 16, 3));
        atl_node *h = atl_conv_layer(x, "conv", .channels = 16, .window = {3, 3}, .activation = atl_relu);
        h = atl_max_pool2d(h, .window = {2, 2});
        h = atl_dense_layer(atl_flatten(h), "dense", 64, .activation = atl_relu);
        atl_node *loss = atl_mean(atl_square(atl_dense_layer(h, "out", 1)));
        atl_program *p = atl_compile(g, ATL_NODES(atl_minimize(loss, atl_sgd(.rate = 0.1))),
                                     .disabled_passes = fused ? 0 : ATL_PASS_EPILOGUE);
        cr_assert(p, "%s", atl_graph_error(g));
        atl_tensor *batch = random_tensor(ATL_SHAPE(4, 16, 16, 3), -1, 1),
                   *before = atl_tensor_copy(atl_variable_value(atl_find(g, "dense/weights")));
        atl_floats(batch)[77] = NAN;
        cr_expect_eq(atl_run(p, ATL_FEED(x, batch)), ATL_NOT_FINITE);
        cr_expect_eq(largest_difference(atl_variable_value(atl_find(g, "dense/weights")), before), 0);
        atl_tensor_free(batch);
        atl_tensor_free(before);
        atl_program_free(p);
        atl_graph_free(g);
    }
}
