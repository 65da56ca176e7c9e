/* Bias, residual and relu in the convolution or product before them. */
#include "passes.h"

/* How many steps beside the product itself are saved when element-wise ops are not fused, and when they are. */
static void check_both(atl_node *y, int64_t expected, int64_t fused)
{
    atl_graph *g = atl_graph_of(y);
    atl_node *x = atl_find(g, "x");
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    const unsigned apart = ATL_PASS_POST_OP; /* else the element-wise ops have no steps of their own */
    int64_t saved = steps_saved(ATL_PASS_EPILOGUE, ATL_PASS_FUSE | apart, ATL_NODES(y), ATL_FEED(x, value), 1e-6);
    cr_expect_eq(saved, expected, "%lld steps saved, not %lld", (long long)saved, (long long)expected);
    saved = steps_saved(ATL_PASS_EPILOGUE, apart, ATL_NODES(y), ATL_FEED(x, value), 1e-6);
    cr_expect_eq(saved, fused, "%lld steps saved, not %lld, with fusing", (long long)saved, (long long)fused);
    atl_tensor_free(value);
    atl_graph_free(g);
}
static void check(atl_node *y, int64_t expected) { check_both(y, expected, 1); }

static atl_node *convolved(int64_t size)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 9, 8, 16));
    return atl_conv2d(x, atl_variable(g, "w", ATL_SHAPE(size, size, 16, 16), atl_he()));
}
static atl_node *multiplied(void)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(33, 16));
    return atl_matmul(x, atl_variable(g, "w", ATL_SHAPE(16, 16), atl_he()));
}
static atl_node *with_bias(atl_node *y)
{
    return atl_bias_add(y, atl_variable(atl_graph_of(y), "b", ATL_SHAPE(16), atl_normal(1)));
}
static atl_node *with_residual(atl_node *y) { return atl_add(y, atl_find(atl_graph_of(y), "x")); }

Test(epilogue, of_a_convolution)
{
    for (int64_t size = 1; size <= 5; size += 2) {
        check(with_bias(convolved(size)), 1);
        check(atl_relu(convolved(size)), 1);
        check(atl_relu(with_bias(convolved(size))), 2);
    }
}

/* With oneDNN's loops for SSE4.1 a residual stays a step of its own, and so does the relu behind it. */
Test(epilogue, of_a_convolution_with_a_residual)
{
    int is_apart = atl_isa_in_use() == ATL_ISA_GENERIC;
    for (int64_t size = 1; size <= 5; size += 2) {
        check_both(with_residual(convolved(size)), is_apart ? 0 : 1, is_apart ? 0 : 1);
        check_both(atl_relu(with_residual(with_bias(convolved(size)))), is_apart ? 1 : 3, is_apart ? 0 : 1);
    }
}

Test(epilogue, of_a_matrix_product)
{
    check(with_bias(multiplied()), 1);
    check(atl_relu(with_bias(multiplied())), 2);
}

/* Relu6, and any clip from 0 on: everything that the product computes, NaN too, is as without the pass. */
Test(epilogue, of_a_relu_with_a_limit)
{
    for (int64_t size = 1; size <= 5; size += 2) {
        check(atl_relu6(with_bias(convolved(size))), 2);
        check(atl_clip(with_bias(convolved(size)), 0, 0.5f), 2);
    }
    check(atl_clip(with_bias(multiplied()), 0, 0.5f), 2);
}

static void check_special_values(atl_node *y)
{
    atl_graph *g = atl_graph_of(y);
    atl_node *x = atl_find(g, "x");
    atl_tensor *value = random_tensor(atl_shape_of(x), -3, 3);
    atl_floats(value)[3] = NAN;
    atl_floats(value)[atl_tensor_count(value) - 5] = INFINITY;
    atl_program *with = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_WINOGRAD);
    atl_program *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_WINOGRAD | ATL_PASS_EPILOGUE);
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, value)) && !atl_run(without, ATL_FEED(x, value)));
    const atl_tensor *a = atl_value(with, y), *b = atl_value(without, y);
    int64_t lost = 0, nans = 0, most = 0;
    for (int64_t i = 0; i < atl_tensor_count(a); i++) {
        lost += isnan(element_of(b, i)) && !isnan(element_of(a, i));
        nans += isnan(element_of(b, i));
        most += element_of(b, i) >= 0.5;
        cr_expect(isnan(element_of(a, i)) || (element_of(a, i) >= 0 && element_of(a, i) <= 0.5));
    }
    cr_expect_eq(lost, 0, "%lld NaNs are lost", (long long)lost);
    cr_expect(nans > 0 && most > 0, "the input tests nothing");
    atl_tensor_free(value);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

Test(epilogue, a_relu_with_a_limit_keeps_nan)
{
    for (int64_t size = 1; size <= 5; size += 2)
        check_special_values(atl_clip(with_bias(convolved(size)), 0, 0.5f));
    check_special_values(atl_clip(with_bias(multiplied()), 0, 0.5f));
}

/* w - rate * gradient, and with a sum in place of the difference: the product of a gradient is the whole step, for few
 * terms and for little work; and a gradient that is read twice is a step of its own. */
static void check_descent(int64_t rows, int64_t columns, int64_t images, int adds, int is_read, int64_t expected)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(images, rows)),
             *dy = atl_input(g, "dy", ATL_FLOAT32, ATL_SHAPE(images, columns)),
             *rate = atl_input(g, "rate", ATL_FLOAT32, ATL_SHAPE());
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(rows, columns), atl_uniform(-1, 1));
    atl_node *dw = atl_matmul(x, dy, .transpose_a = 1), *step = atl_mul(rate, dw);
    atl_node *outputs[] = {adds ? atl_add(w, step) : atl_sub(w, step), is_read ? dw : rate};
    atl_tensor *pixels = random_tensor(atl_shape_of(x), -1, 1), *of_y = random_tensor(atl_shape_of(dy), -1, 1),
               *number = random_tensor(ATL_SHAPE(), 0.25, 0.5);
    int64_t saved = steps_saved(ATL_PASS_EPILOGUE, 0, (atl_nodes){1 + is_read, outputs},
                                ATL_FEEDS({x, pixels}, {dy, of_y}, {rate, number}), 1e-6);
    cr_expect_eq(saved, expected, "[%d, %d], %d images: %d steps saved, not %d", (int)rows, (int)columns, (int)images,
                 (int)saved, (int)expected);
    atl_tensor_free(pixels);
    atl_tensor_free(of_y);
    atl_tensor_free(number);
    atl_graph_free(g);
}

Test(epilogue, of_a_step_of_gradient_descent)
{
    for (int adds = 0; adds < 2; adds++) {
        check_descent(8, 16, 1, adds, 0, 1);
        check_descent(9, 33, 5, adds, 0, 1);
        check_descent(700, 300, 8, adds, 0, 1);
        check_descent(9, 33, 5, adds, 1, 0);
        check_descent(700, 300, 64, adds, 0, 0); /* oneDNN's product */
    }
}

/* Several steps, in the memory of the variable. */
Test(epilogue, descends_where_the_variable_lies)
{
    enum { ROWS = 5, COLUMNS = 19, STEPS = 3 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, ROWS)),
             *w = atl_variable(g, "w", ATL_SHAPE(ROWS, COLUMNS), atl_uniform(-1, 1));
    atl_node *dy = atl_input(g, "dy", ATL_FLOAT32, ATL_SHAPE(1, COLUMNS));
    atl_node *next = atl_sub(w, atl_scale(atl_matmul(x, dy, .transpose_a = 1), 0.5f));
    atl_program *program = atl_compile(g, ATL_NODES(atl_assign(w, next)));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, ROWS), -1, 1), *of_y = random_tensor(ATL_SHAPE(1, COLUMNS), -1, 1),
               *before = atl_tensor_copy(atl_variable_value(w));
    for (int i = 0; i < STEPS; i++)
        cr_assert_eq(atl_run(program, ATL_FEEDS({x, pixels}, {dy, of_y})), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
        double slope = element_of(pixels, i / COLUMNS) * element_of(of_y, i % COLUMNS);
        double expected = element_of(before, i) - STEPS * 0.5 * slope;
        cr_expect_float_eq(element_of(atl_variable_value(w), i), expected, 1e-5);
    }
    atl_tensor_free(pixels);
    atl_tensor_free(of_y);
    atl_tensor_free(before);
    atl_program_free(program);
    atl_graph_free(g);
}

/* The product is needed without it, too. */
Test(epilogue, not_where_the_product_is_read_twice)
{
    atl_node *y = convolved(3), *both[] = {y, with_bias(y)}, *x = atl_find(atl_graph_of(y), "x");
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    cr_assert_eq(steps_saved(ATL_PASS_EPILOGUE, 0, (atl_nodes){2, both}, ATL_FEED(x, value), 0), 0);
    atl_tensor_free(value);
    atl_graph_free(atl_graph_of(y));
}
