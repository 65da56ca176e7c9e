/* 1x1 convolutions whose filter lasts: our own kernel computes those with as many terms as the costs say. */
#include "battery.h"
#include "kernels/kernels.h"
#include "values.h"

static atl_node *convolved(atl_node *x, int64_t in, int64_t out)
{
    atl_node *w = atl_variable(atl_graph_of(x), "w", ATL_SHAPE(1, 1, in, out), atl_he());
    return atl_relu(atl_conv2d(x, w));
}

/* The number of steps by our kernel in the forward pass, and with the gradient by the image. */
static void check(int64_t in, int64_t out, int forward, int both)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    const atl_shape image = ATL_SHAPE(2, 7, 5, in);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *y = convolved(x, in, out);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *pixels = random_tensor(image, -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEED(x, pixels), text, sizeof text), "%s", text);
    atl_program *first = atl_compile(g, ATL_NODES(y)), *second = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(first && second, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(first, NULL, "pointwise"), forward, "%d to %d channels", (int)in, (int)out);
    cr_expect_eq(steps_by(second, NULL, "pointwise"), both, "%d to %d channels", (int)in, (int)out);
    atl_program_free(first);
    atl_program_free(second);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

Test(conv_pointwise, many_terms)
{
    int wide = atl_kernels->vector > 4; /* narrower vectors leave them to oneDNN */
    check(128, 160, wide, 2 * wide);
    check(160, 8, atl_kernels->vector == 8, wide + (atl_kernels->vector == 8)); /* the gradient has 8 terms */
}

/* Of small filters, whose results are written pixel by pixel, fewer are enough. */
Test(conv_pointwise, few_terms)
{
    int wide = atl_kernels->vector > 4;
    check(16, 32, wide, 2 * wide);
    check(96, 24, wide, 2 * wide); /* vectors of sixteen: one and a half */
    check(40, 16, wide, 2 * wide);
    check(3, 32, 0, 0);
}

/* The mask of a relu6 whose image leaves the caches is written beside it, not by a step of its own. */
Test(conv_pointwise, a_mask_beside_the_result)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    const atl_shape image = ATL_SHAPE(1, 96, 64, 16);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image);
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(1, 1, 16, 96), atl_normal(2));
    atl_node *v = atl_variable(g, "v", ATL_SHAPE(1, 1, 96, 24), atl_he());
    atl_node *y = atl_conv2d(atl_relu6(atl_conv2d(x, w)), v), *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *pixels = random_tensor(image, -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEED(x, pixels), text, sizeof text), "%s", text);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program, "%s", atl_graph_error(g));
    if (atl_kernels->vector > 4)
        cr_expect_eq(steps_by(program, NULL, "bits"), 0);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

/* Packing the filter in each run would cost more than it saves. */
Test(conv_pointwise, a_filter_that_the_program_trains_is_not_packed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 7, 5, 128)), *y = convolved(x, 128, 128);
    atl_node *w = atl_find(g, "w");
    atl_program *program = atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, NULL, "pointwise"), 0);
    atl_program_free(program);
    atl_graph_free(g);
}
