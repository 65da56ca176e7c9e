/* Bias, residual and relu in the convolution or product before them. */
#include "passes.h"

/* How many steps beside the product itself are saved when element-wise ops are not fused, and when they are. */
static void check_both(atl_node *y, int64_t expected, int64_t fused)
{
    atl_graph *g = atl_graph_of(y);
    atl_node *x = atl_find(g, "x");
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    int64_t saved = steps_saved(ATL_PASS_EPILOGUE, ATL_PASS_FUSE, ATL_NODES(y), ATL_FEED(x, value), 1e-6);
    cr_expect_eq(saved, expected, "%lld steps saved, not %lld", (long long)saved, (long long)expected);
    saved = steps_saved(ATL_PASS_EPILOGUE, 0, ATL_NODES(y), ATL_FEED(x, value), 1e-6);
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

/* The product itself is an output, too. */
Test(epilogue, not_where_the_product_is_read_twice)
{
    atl_node *y = convolved(3), *both[] = {y, with_bias(y)}, *x = atl_find(atl_graph_of(y), "x");
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    cr_assert_eq(steps_saved(ATL_PASS_EPILOGUE, 0, (atl_nodes){2, both}, ATL_FEED(x, value), 0), 0);
    atl_tensor_free(value);
    atl_graph_free(atl_graph_of(y));
}
