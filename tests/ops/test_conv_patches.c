/* The gradient by the image of a convolution whose windows lie side by side is a product, with the same values. */
#include "support.h"

typedef struct patches {
    atl_graph *graph;
    atl_node *image, *y, *outputs[3]; /* y, its gradients by the image and by the filter */
    atl_tensor *pixels;
} patches;

static patches patches_new(atl_shape image, int height, int width, int stride, int64_t results)
{
    patches p = {.graph = atl_graph_new(), .pixels = random_tensor(image, -1, 1)};
    p.image = atl_input(p.graph, "image", ATL_FLOAT32, image);
    atl_node *filter = atl_variable(p.graph, "filter", ATL_SHAPE(height, width, image.size[3], results), atl_he());
    atl_node *bias = atl_variable(p.graph, "bias", ATL_SHAPE(results), atl_normal(1));
    p.y = atl_add(atl_conv2d(p.image, filter, .stride = {height, stride}, .padding = ATL_VALID), bias);
    p.outputs[0] = p.y;
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(p.y))), .by = ATL_NODES(p.image, filter),
                               .result_out = p.outputs + 1),
                 ATL_OK, "%s", atl_error());
    return p;
}

static void patches_free(patches *p)
{
    atl_tensor_free(p->pixels);
    atl_graph_free(p->graph);
}

static atl_program *compiled(patches *p, unsigned without)
{
    atl_program *program = atl_compile(p->graph, {3, p->outputs}, .disabled_passes = without);
    cr_assert(program && !atl_run(program, ATL_FEED(p->image, p->pixels)), "%s", atl_error());
    return program;
}

static void check(atl_shape image, int height, int width, int stride, int is_product)
{
    patches p = patches_new(image, height, width, stride, 32);
    atl_program *program = compiled(&p, 0), *plain = compiled(&p, ATL_PASS_SIMPLIFY);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", NULL), !is_product);
    cr_expect_eq(steps_by(plain, "conv2d_input_grad", NULL), 1);
    for (int i = 0; i < 3; i++)
        cr_assert_close(atl_value(program, p.outputs[i]), atl_value(plain, p.outputs[i]), 2e-6);
    assert_like_references(program, (atl_nodes){3, p.outputs}, ATL_FEED(p.image, p.pixels), 2e-6);
    atl_program_free(program);
    atl_program_free(plain);
    patches_free(&p);
}

Test(conv_patches, squares) { check(ATL_SHAPE(2, 64, 48, 3), 8, 8, 8, 1); }
Test(conv_patches, rectangles) { check(ATL_SHAPE(3, 32, 60, 1), 4, 6, 6, 1); }
Test(conv_patches, pixels_left_over) { check(ATL_SHAPE(3, 32, 61, 1), 4, 6, 6, 0); }
Test(conv_patches, windows_that_overlap) { check(ATL_SHAPE(3, 32, 60, 1), 4, 6, 3, 0); }
Test(conv_patches, many_channels) { check(ATL_SHAPE(1, 32, 32, 16), 4, 4, 4, 0); }
Test(conv_patches, few_patches) { check(ATL_SHAPE(1, 16, 16, 3), 4, 4, 4, 0); }

Test(conv_patches, a_nan_stays_in_its_patch)
{
    patches p = patches_new(ATL_SHAPE(1, 32, 32, 3), 4, 4, 4, 32);
    atl_floats(p.pixels)[(9 * 32 + 21) * 3] = NAN; /* patch 2, 5 */
    atl_floats(p.pixels)[0] = INFINITY;
    atl_program *program = compiled(&p, 0);
    const float *y = atl_floats(atl_value(program, p.y)), *dx = atl_floats(atl_value(program, p.outputs[1]));
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < 32; k++)
            cr_expect(i == 2 * 8 + 5 ? isnan(y[i * 32 + k])
                      : i == 0       ? isinf(y[k])
                                     : isfinite(y[i * 32 + k]),
                      "%d, %d", i, k);
    for (int row = 0; row < 32; row++)
        for (int column = 0; column < 32; column++) {
            int is_nan = row / 4 == 2 && column / 4 == 5, is_first = row / 4 == 0 && column / 4 == 0;
            cr_expect(is_first || isnan(dx[(row * 32 + column) * 3]) == is_nan, "%d, %d", row, column);
        }
    atl_program_free(program);
    patches_free(&p);
}
