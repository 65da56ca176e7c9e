/* Operands of products rounded to bfloat16: near the float32 result if the processor has it; otherwise equal.
 * Without Winograd's algorithm, which is float32 and sometimes faster. */
#include "nets.h"

/* The number of steps of the program with "bf16" in implementation or layout. */
static int rounded_steps(const atl_program *program)
{
    int count = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        count += strstr(info.implementation, "bf16") || strstr(info.layout, "bf16");
    }
    return count;
}

/* Compares all outputs of a program with bfloat16 with those of one without. */
static void assert_near(atl_nodes wanted, const atl_feed *feeds, int expect_rounding, double bound)
{
    atl_program *exact = atl_compile_with(&(atl_compile_args){.outputs = wanted, .disabled_passes = ATL_PASS_WINOGRAD}),
                *rounded = atl_compile_with(
                    &(atl_compile_args){.outputs = wanted, .disabled_passes = ATL_PASS_WINOGRAD, .bfloat16 = 1});
    cr_assert(exact && rounded, "%s", atl_error());
    cr_assert_eq(atl_run(exact, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(rounded, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(rounded_steps(exact), 0);
    cr_assert(!atl_program_uses_bfloat16(exact));
    cr_assert_eq(atl_program_uses_bfloat16(rounded), atl_has_bfloat16());
    int is_rounded = expect_rounding && atl_has_bfloat16();
    cr_assert_eq(rounded_steps(rounded) > 0, is_rounded);
    for (int64_t i = 0; i < wanted.count; i++) {
        double distance = relative_l2(atl_value(rounded, wanted.node[i]), atl_value(exact, wanted.node[i]));
        cr_assert(distance < bound && (is_rounded ? distance > 0 : distance == 0), "value %d is %g off", (int)i,
                  distance);
    }
    atl_program_free(exact);
    atl_program_free(rounded);
}
/* At the end of a test of rounding. */
static void skip_without_bfloat16(void)
{
    if (!atl_has_bfloat16())
        cr_skip_test("this processor has no instructions for bfloat16: only that nothing is rounded was tested");
}

#define ASSERT_NEAR(rounding, feeds, ...) assert_near(ATL_NODES(__VA_ARGS__), feeds, rounding, 0.02)

/* A convolution with this window and stride, with all its gradients. */
static void assert_convolution_near(int64_t channels, int64_t window, int64_t stride, int rounding)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, 33, 35, channels));
    atl_node *filter = atl_variable(g, "filter", ATL_SHAPE(window, window, channels, 144), atl_he());
    atl_node *bias = atl_variable(g, "bias", ATL_SHAPE(144), atl_normal(0.1f));
    atl_node *y = atl_relu(atl_add(atl_conv2d(image, filter, .stride = {stride, stride}), bias));
    atl_node *loss = atl_sum(atl_square(y));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 33, 35, channels), -1, 1);
    ASSERT_NEAR(rounding, ATL_FEED(image, pixels), y, atl_gradient(loss, image), atl_gradient(loss, filter));
    atl_tensor_free(pixels);
    atl_graph_free(g);
    if (rounding)
        skip_without_bfloat16();
}
Test(bfloat16, convolution_3x3) { assert_convolution_near(32, 3, 1, 1); }
Test(bfloat16, convolution_3x3_stride_2) { assert_convolution_near(16, 3, 2, 1); }
Test(bfloat16, convolution_1x1) { assert_convolution_near(48, 1, 1, 1); }
Test(bfloat16, convolution_2x2_stride_2) { assert_convolution_near(48, 2, 2, 1); }
Test(bfloat16, little_work_stays_exact) { assert_convolution_near(48, 1, 2, 0); }
Test(bfloat16, first_layer_stays_exact) { assert_convolution_near(3, 3, 1, 0); }
Test(bfloat16, odd_channels_stay_exact) { assert_convolution_near(20, 3, 1, 0); }

/* Only convolutions that are then faster than Winograd's algorithm in float32 are rounded. */
static int64_t rounded_in(int64_t batch, int64_t size, int64_t in, int64_t out)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(batch, size, size, in));
    atl_node *y = atl_conv2d(image, atl_variable(g, "filter", ATL_SHAPE(3, 3, in, out), atl_he()));
    atl_program *program = atl_compile(g, ATL_NODES(y), .bfloat16 = 1, .threads = 2);
    cr_assert(program, "%s", atl_graph_error(g));
    int64_t count = rounded_steps(program);
    atl_program_free(program);
    atl_graph_free(g);
    return count;
}
Test(bfloat16, only_where_it_is_faster)
{
    if (!atl_has_bfloat16())
        cr_skip_test("this processor has no instructions for bfloat16");
    cr_expect_eq(rounded_in(8, 27, 32, 128), 0, "fire4 of SqueezeNet: Winograd's method takes 0.8 of the time");
    cr_expect_eq(rounded_in(128, 16, 32, 32), 0, "ResNet-20's second stage: 0.9");
    cr_expect_gt(rounded_in(1, 13, 64, 256), 0, "fire8, where reading the transformed filter takes longer");
    cr_expect_gt(rounded_in(1, 14, 512, 512), 0, "VGG16's last stage");
}

Test(bfloat16, matrix_products)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(257, 514));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(514, 277), atl_he()),
             *b = atl_variable(g, "b", ATL_SHAPE(277), atl_normal(0.1f));
    atl_node *y = atl_relu(atl_add(atl_matmul(x, w), b)), *loss = atl_sum(atl_square(y));
    atl_tensor *value = random_tensor(ATL_SHAPE(257, 514), -1, 1);
    ASSERT_NEAR(1, ATL_FEED(x, value), y, atl_gradient(loss, x), atl_gradient(loss, w));
    ASSERT_NEAR(1, ATL_FEED(x, value), atl_matmul(x, x, .transpose_b = 1), atl_matmul(x, x, .transpose_a = 1));
    atl_tensor_free(value);
    atl_graph_free(g);
    skip_without_bfloat16();
}

Test(bfloat16, products_of_a_batch)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(3, 140, 350)),
             *b = atl_variable(g, "b", ATL_SHAPE(3, 350, 160), atl_normal(1)),
             *c = atl_variable(g, "c", ATL_SHAPE(350, 160), atl_normal(1));
    atl_tensor *value = random_tensor(ATL_SHAPE(3, 140, 350), -1, 1);
    ASSERT_NEAR(1, ATL_FEED(a, value), atl_matmul(a, b));
    ASSERT_NEAR(1, ATL_FEED(a, value), atl_matmul(a, c));
    atl_tensor_free(value);
    atl_graph_free(g);
    skip_without_bfloat16();
}

static void assert_product_stays_exact(int64_t rows, int64_t depth, int64_t columns)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(rows, depth));
    atl_node *y = atl_matmul(x, atl_variable(g, "w", ATL_SHAPE(depth, columns), atl_he()));
    atl_tensor *value = random_tensor(ATL_SHAPE(rows, depth), -1, 1);
    ASSERT_NEAR(0, ATL_FEED(x, value), y);
    atl_tensor_free(value);
    atl_graph_free(g);
}
Test(bfloat16, products_of_few_rows_stay_exact) { assert_product_stays_exact(4, 130, 700); }
Test(bfloat16, small_products_stay_exact) { assert_product_stays_exact(65, 130, 70); }

/* Residuals, batch norm in the filters, pools: a whole network, in which roundings add up, and some relus change
 * sides. */
Test(bfloat16, a_net)
{
    small_net net = small_net_new(4, 32);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 32, 32, 3), -1, 1);
    assert_near(ATL_NODES(net.loss), ATL_FEED(net.image, pixels), 1, 0.02);
    assert_near(ATL_NODES(net.by_image, net.by_filter), ATL_FEED(net.image, pixels), 1, 0.2);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
    skip_without_bfloat16();
}
