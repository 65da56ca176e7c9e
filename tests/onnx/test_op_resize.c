/* Resize: with antialias a smaller picture is made of all pixels; where a size is rounded. */
#include "small_model.h"

/* x [1, 4] as [1, 1, 1, 4], resized in the last dimension. */
static made resized(int antialias, const char *mode, float scale, int exclude_outside)
{
    static const int64_t picture[] = {1, 1, 1, 4};
    const float scales[] = {1, 1, 1, scale};
    made resize = make_node("resize", "Resize", "p", "", "y");
    put_text(&resize, 1, "scales");
    put_text_attribute(&resize, "mode", mode);
    put_int_attribute(&resize, "antialias", antialias);
    put_int_attribute(&resize, "exclude_outside", exclude_outside);
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), resize);
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 4, picture, sizeof picture));
    put_made(&graph, 5, make_tensor("scales", TYPE_FLOAT, 4, scales, sizeof scales));
    return graph;
}

/* Pixels 0 and 1 of the result lie at 0.5 and 2.5.  The filter is a triangle of twice the width, with the weights 1/4,
 * 3/4, 3/4, 1/4; beyond the edges the picture goes on with its last pixel, or it is left out. */
Test(op_resize, linear_with_antialias)
{
    expect_small(resized(1, "linear", 0.5f, 0), 18, 2, (const double[]){1.75, 0.25});
    const double left = (0.75 * 1 + 0.75 * 2 + 0.25 * 4) / 1.75, right = (0.25 * 2 + 0.75 * 4 + 0.75 * -3) / 1.75;
    expect_small(resized(1, "linear", 0.5f, 1), 18, 2, (const double[]){left, right});
}

Test(op_resize, linear_without_antialias)
{
    expect_small(resized(0, "linear", 0.5f, 0), 18, 2, (const double[]){1.5, 0.5});
}

/* A larger picture has no need of it. */
Test(op_resize, antialias_of_a_larger_picture)
{
    small_model plain = load_small(resized(0, "cubic", 2, 0), 18), smooth = load_small(resized(1, "cubic", 2, 0), 18);
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_reference *a = atl_reference_run(ATL_NODES(plain.y), ATL_FEED(plain.x, x)),
                  *b = atl_reference_run(ATL_NODES(smooth.y), ATL_FEED(smooth.x, x));
    cr_assert(a && b, "%s", atl_error());
    for (int i = 0; i < 8; i++)
        cr_expect_float_eq(element_of(atl_reference_value(a, plain.y), i),
                           element_of(atl_reference_value(b, smooth.y), i), 1e-6);
    atl_reference_free(a);
    atl_reference_free(b);
    atl_tensor_free(x);
    free_small(&plain);
    free_small(&smooth);
}

/* 4 * 0.6 is rounded down to 2 pixels of 2.4: their middle stays that of the picture, so they lie 1/3 to the right of
 * where half_pixel has them, at 2/3 and 7/3. */
Test(op_resize, half_pixel_symmetric)
{
    static const int64_t picture[] = {1, 1, 1, 4};
    static const float scales[] = {1, 1, 1, 0.6f};
    made resize = make_node("resize", "Resize", "p", "", "y");
    put_text(&resize, 1, "scales");
    put_text_attribute(&resize, "mode", "linear");
    put_text_attribute(&resize, "coordinate_transformation_mode", "half_pixel_symmetric");
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), resize);
    put_made(&graph, 5, make_tensor("picture", TYPE_INT64, 4, picture, sizeof picture));
    put_made(&graph, 5, make_tensor("scales", TYPE_FLOAT, 4, scales, sizeof scales));
    expect_small(graph, 19, 2, (const double[]){1 + 2.0 / 3, 4 - 7.0 / 3});
}
