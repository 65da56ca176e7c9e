/* Images of another size. */
#include "battery.h"

static void expect_row(atl_node *resize(const atl_resize_args *args), int width, const float *row, int new_width,
                       const double *expected)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 1, width, 1));
    atl_node *across = resize(&(atl_resize_args){x, .height = 1, .width = new_width});
    atl_node *down =
        resize(&(atl_resize_args){atl_transpose(x, .order = {0, 2, 1, 3}), .height = new_width, .width = 1});
    atl_program *program = atl_compile(g, ATL_NODES(across, down));
    atl_tensor *image = atl_tensor_of_floats(atl_shape_of(x), row);
    cr_assert(program && !atl_run(program, ATL_FEED(x, image)), "%s", atl_graph_error(g));
    for (int i = 0; i < new_width; i++) {
        cr_expect_float_eq(element_of(atl_value(program, across), i), expected[i], 1e-5, "pixel %d: %g, not %g", i,
                           element_of(atl_value(program, across), i), expected[i]);
        cr_expect_float_eq(element_of(atl_value(program, down), i), expected[i], 1e-5);
    }
    atl_program_free(program);
    atl_tensor_free(image);
    atl_graph_free(g);
}

Test(resize, nearest)
{
    expect_row(atl_resize_nearest_with, 2, (const float[]){1, 2}, 4, (const double[]){1, 1, 2, 2});
    expect_row(atl_resize_nearest_with, 4, (const float[]){1, 2, 3, 4}, 2, (const double[]){2, 4});
    expect_row(atl_resize_nearest_with, 3, (const float[]){1, 2, 3}, 3, (const double[]){1, 2, 3});
    expect_row(atl_resize_nearest_with, 1, (const float[]){5}, 3, (const double[]){5, 5, 5});
    expect_row(atl_resize_nearest_with, 3, (const float[]){1, 2, 3}, 5, (const double[]){1, 1, 2, 3, 3});
}

Test(resize, bilinear)
{
    expect_row(atl_resize_bilinear_with, 2, (const float[]){0, 4}, 4, (const double[]){0, 1, 3, 4});
    expect_row(atl_resize_bilinear_with, 4, (const float[]){1, 2, 3, 4}, 2, (const double[]){1.5, 3.5});
    expect_row(atl_resize_bilinear_with, 3, (const float[]){1, 2, 3}, 3, (const double[]){1, 2, 3});
    expect_row(atl_resize_bilinear_with, 1, (const float[]){5}, 3, (const double[]){5, 5, 5});
}

Test(resize, needs_a_known_size)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "photo", ATL_FLOAT32, ATL_SHAPE(1, ATL_ANY, 4, 3));
    cr_expect_null(atl_resize_bilinear(x, .height = 2, .width = 2));
    cr_assert_mentions(atl_graph_error(g), "resize_bilinear: the image, 'photo', is [1, ?, 4, 3]");
    atl_graph_free(g);
}

Test(resize, of_many_photos)
{
    char text[600];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 31, 45, 3)),
             *y = atl_resize_bilinear(x, .height = 24, .width = 60);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *photos = random_tensor(atl_shape_of(x), 0, 255);
    cr_assert(dx, "%s", atl_graph_error(g));
    cr_expect(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEED(x, photos), text, sizeof text), "%s", text);
    atl_tensor_free(photos);
    atl_graph_free(g);
}

/* The tables of a resize are computed at run time. */
Test(resize, building_takes_nothing)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 1));
    int64_t before = atl_graph_node_count(g);
    for (int i = 0; i < 100; i++) {
        atl_node *y = atl_resize_bilinear(x, .height = 100000000, .width = 100000000);
        cr_assert(y, "%s", atl_graph_error(g));
        cr_assert_eq(atl_shape_of(y).size[1], 100000000);
        cr_assert(atl_resize_nearest(x, .height = 100000000, .width = 3));
    }
    cr_assert_lt(atl_graph_node_count(g) - before, 5000);
    atl_graph_free(g);
}
