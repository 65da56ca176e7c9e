/* Equations between ops: the plan lacks the op that the equation saves, and the values stay the same. */
#include "passes.h"

#include <string.h>

static atl_graph *g;

static atl_node *image(void) { return atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 6, 6, 3)); }
static atl_node *cut(atl_node *x, int axis, int64_t begin, int64_t end)
{
    atl_slice_args args = {.x = x};
    args.begin[axis] = begin;
    args.end[axis] = end;
    return atl_slice_with(&args);
}

static atl_node *slice_of_concat(void)
{
    atl_node *x = image();
    return atl_exp(cut(atl_concat(3, atl_square(x), x), 3, 3, 5));
}
static atl_node *slice_across_concat(void)
{
    atl_node *x = image();
    return atl_exp(cut(atl_concat(3, atl_square(x), x), 3, 2, 5));
}
static atl_node *slice_of_pad(void)
{
    atl_pad_args args = {.x = image(), .before = {1, 2}, .after = {0, 1}};
    return atl_exp(atl_slice(atl_pad_with(&args), .begin = {1, 3}, .end = {4, 6}));
}
static atl_node *slice_beyond_pad(void)
{
    atl_pad_args args = {.x = image(), .before = {1, 2}, .after = {0, 1}};
    return atl_exp(atl_slice(atl_pad_with(&args), .begin = {0, 1}, .end = {4, 6}));
}
static atl_node *slice_of_broadcast(void)
{
    atl_node *row = atl_reduce_sum(image(), ATL_AXES(0, 1, 2));
    return cut(atl_broadcast_to(row, ATL_SHAPE(5, 3)), 0, 1, 2);
}
static atl_node *concat_of_slices(void)
{
    atl_node *x = image();
    return atl_concat(0, cut(x, 0, 0, 1), cut(x, 0, 1, 3), atl_square(cut(x, 0, 0, 1)));
}
static atl_node *concat_of_everything(void)
{
    atl_node *x = image();
    return atl_exp(atl_concat(-1, cut(x, 3, 0, 1), cut(x, 3, 1, 3)));
}
static atl_node *concat_in_another_order(void)
{
    atl_node *x = image();
    return atl_concat(-1, cut(x, 3, 1, 3), cut(x, 3, 0, 1));
}
static atl_node *product_of_swaps(void)
{
    atl_node *a = atl_reshape(image(), ATL_SHAPE(36, 12));
    return atl_matmul(atl_transpose(a), a, .transpose_a = 0);
}
static atl_node *sum_of_broadcast(void)
{
    atl_node *row = atl_reduce_mean(image(), ATL_AXES(0, 1, 2));
    return atl_reduce_sum(atl_broadcast_to(row, ATL_SHAPE(5, 3)), ATL_AXES(0));
}
static atl_node *maximum_of_transpose(void)
{
    return atl_reduce_max(atl_transpose(image(), .order = {3, 1, 0, 2}), ATL_AXES(1, 3));
}
static atl_node *sum_of_pool_gradient(void)
{
    atl_node *x = image(), *bias = atl_variable(g, "bias", ATL_SHAPE(3), atl_zeros());
    return atl_gradient(atl_square(atl_max_pool2d(atl_add(x, bias), .window = {2, 2})), bias);
}
static atl_node *sum_of_negative(void)
{
    atl_node *x = image(), *row = atl_reduce_max(x, ATL_AXES(0, 1, 2));
    return atl_neg(atl_sum_to(atl_neg(atl_sin(x)), row));
}
static atl_node *relu_gradient_of_pool_gradient(void)
{
    atl_node *x = image();
    return atl_gradient(atl_square(atl_max_pool2d(atl_relu(x), .window = {2, 2})), x);
}

static const struct equation {
    const char *about, *op; /* the op of which `steps` steps are left in the plan */
    atl_node *(*build)(void);
    int steps;
} equations[] = {
    {"a slice of one part of a concat", "concat", slice_of_concat, 0},
    {"a slice of both parts", "concat", slice_across_concat, 1},
    {"a slice between the padding", "pad", slice_of_pad, 0},
    {"a slice of padding, too", "pad", slice_beyond_pad, 1},
    {"a slice of a broadcast array", "slice", slice_of_broadcast, 0},
    {"adjacent slices", "slice", concat_of_slices, 2},
    {"all slices of an array", "slice", concat_of_everything, 0},
    {"slices in another order", "slice", concat_in_another_order, 2},
    {"a product of a transpose", "transpose", product_of_swaps, 0},
    {"a sum of a broadcast array", "broadcast_to", sum_of_broadcast, 0},
    {"a maximum of a transpose", "transpose", maximum_of_transpose, 1}, /* of the result */
    {"a sum of a pooling's gradient", "max_pool2d_grad", sum_of_pool_gradient, 0},
    {"a sum of negative numbers", "neg", sum_of_negative, 0},
    {"a relu's gradient after a pooling's", "max_pool2d_grad", relu_gradient_of_pool_gradient, 1},
};

Test(peephole, each_equation_saves_what_it_is_for)
{
    for (size_t i = 0; i < sizeof equations / sizeof *equations; i++) {
        g = atl_graph_new();
        atl_node *y = equations[i].build();
        cr_assert(y, "%s: %s", equations[i].about, atl_graph_error(g));
        atl_program *plain = atl_compile(g, ATL_NODES(y), .disabled_passes = ~0u),
                    *simple = atl_compile(g, ATL_NODES(y), .disabled_passes = ~(unsigned)ATL_PASS_SIMPLIFY);
        cr_assert(plain && simple, "%s", atl_graph_error(g));
        cr_expect_eq(steps_by(simple, equations[i].op, NULL), equations[i].steps, "%s: %d steps of %s, not %d",
                     equations[i].about, (int)steps_by(simple, equations[i].op, NULL), equations[i].op,
                     equations[i].steps);
        atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 6, 6, 3), -1, 1);
        assert_same_values(simple, plain, ATL_NODES(y), ATL_FEED(atl_find(g, "x"), pixels), 1e-6);
        atl_tensor_free(pixels);
        atl_program_free(plain);
        atl_program_free(simple);
        atl_graph_free(g);
    }
}

/* The factors, one for each sum, are applied to the sums. */
Test(peephole, a_sum_of_products_with_the_same_factors_multiplies_the_sum)
{
    g = atl_graph_new();
    atl_node *x = image(), *factor = atl_reduce_max(x, ATL_AXES(0, 1, 2)),
             *y = atl_sum_to(atl_mul(atl_sin(x), factor), factor);
    atl_program *plain = atl_compile(g, ATL_NODES(y), .disabled_passes = ~0u),
                *simple = atl_compile(g, ATL_NODES(y), .disabled_passes = ~(unsigned)ATL_PASS_SIMPLIFY);
    cr_assert(plain && simple, "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 6, 6, 3), -1, 1);
    assert_same_values(simple, plain, ATL_NODES(y), ATL_FEED(x, pixels), 1e-6);
    cr_expect_eq(steps_by(simple, "mul", NULL), 1);
    for (int64_t i = 0; i < atl_program_step_count(simple); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(simple, i, &info), ATL_OK);
        cr_expect(strcmp(info.op, "mul") || atl_shape_count(info.shape) == 3);
    }
    atl_tensor_free(pixels);
    atl_program_free(plain);
    atl_program_free(simple);
    atl_graph_free(g);
}

/* An op of a user's own may have the name of one of ours. */
static atl_node *user_slice(atl_node *x)
{
    static const atl_op slice = ATL_ELEMENTWISE_OP("slice", sin, NULL);
    return atl_apply(&slice, x);
}

Test(peephole, names_of_a_users_ops_do_not_count)
{
    g = atl_graph_new();
    atl_node *x = image(), *y = user_slice(atl_concat(3, atl_square(x), x));
    cr_assert(y, "%s", atl_graph_error(g));
    atl_program *plain = atl_compile(g, ATL_NODES(y), .disabled_passes = ~0u), *simple = atl_compile(g, ATL_NODES(y));
    cr_assert(plain && simple, "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 6, 6, 3), -1, 1);
    assert_same_values(simple, plain, ATL_NODES(y), ATL_FEED(x, pixels), 1e-6);
    atl_tensor_free(pixels);
    atl_program_free(plain);
    atl_program_free(simple);
    atl_graph_free(g);
}
