/* Total variation and Gaussian blur. */
#include "battery.h"

static const atl_tensor *run(atl_program **program, atl_node *wanted, const atl_node *x, const atl_tensor *image)
{
    *program = atl_compile(atl_graph_of(wanted), ATL_NODES(wanted));
    cr_assert(*program && !atl_run(*program, ATL_FEED(x, image)), "%s", atl_graph_error(atl_graph_of(wanted)));
    return atl_value(*program, wanted);
}

Test(smooth, total_variation_counts_each_pair_of_neighbours_once)
{
    const float pixels[] = {1, 4, 2, -1, /* | */ 5, 5, 5, 5};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2, 2, 1));
    atl_tensor *images = atl_tensor_of_floats(ATL_SHAPE(2, 2, 2, 1), pixels);
    atl_program *program;
    const atl_tensor *value = run(&program, atl_total_variation(x), x, images);
    cr_expect_eq(element_of(value, 0), 1 + 5 + 3 + 3);
    cr_expect_eq(element_of(value, 1), 0);
    atl_program_free(program);
    atl_tensor_free(images);
    atl_graph_free(g);
}

/* Only a run tells that the images are one pixel high. */
Test(smooth, total_variation_of_images_that_turn_out_to_be_rows)
{
    const float pixels[] = {1, 4, 2};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, ATL_ANY, ATL_ANY, 1));
    atl_node *variation = atl_total_variation(x), *slope = atl_gradient(variation, x);
    atl_tensor *row = atl_tensor_of_floats(ATL_SHAPE(1, 1, 3, 1), pixels),
               *pixel = atl_tensor_of_floats(ATL_SHAPE(1, 1, 1, 1), pixels);
    atl_program *program;
    cr_expect_eq(element_of(run(&program, variation, x, row), 0), 3 + 2);
    atl_program_free(program);
    cr_expect_eq(element_of(run(&program, variation, x, pixel), 0), 0);
    atl_program_free(program);
    const atl_tensor *value = run(&program, slope, x, row);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(element_of(value, i), ((const double[]){-1, 2, -1})[i]);
    atl_program_free(program);
    atl_tensor_free(row);
    atl_tensor_free(pixel);
    atl_graph_free(g);
}

Test(smooth, a_blur_leaves_a_constant_image_as_it_is)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 9, 7, 3));
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, atl_shape_of(x));
    for (int64_t i = 0; i < atl_tensor_count(image); i++)
        atl_floats(image)[i] = 10 + (float)(i % 3);
    atl_program *program;
    const atl_tensor *value = run(&program, atl_gaussian_blur(x, .deviation = 2), x, image);
    for (int64_t i = 0; i < atl_tensor_count(image); i++)
        cr_assert_float_eq(element_of(value, i), 10 + i % 3, 1e-5, "element %lld is %g", (long long)i,
                           element_of(value, i));
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(g);
}

/* Far from the border one pixel becomes the product of two Gaussians. */
Test(smooth, a_blur_of_one_pixel_is_a_gaussian)
{
    enum { SIDE = 15 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 1));
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, atl_shape_of(x));
    atl_floats(image)[SIDE * 7 + 7] = 1;
    atl_program *program;
    const atl_tensor *value = run(&program, atl_gaussian_blur(x, .deviation = 1), x, image);
    double middle = element_of(value, SIDE * 7 + 7);
    cr_expect_float_eq(element_of(value, SIDE * 7 + 9) / middle, exp(-2), 1e-5);
    cr_expect_float_eq(element_of(value, SIDE * 8 + 6) / middle, exp(-1), 1e-5);
    cr_expect_eq(element_of(value, SIDE * 7 + 11), 0); /* beyond three deviations */
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(g);
}
