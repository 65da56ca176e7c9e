/* The example's map of a network whose answer is known: what it writes is the overlay of that map. */
#include "support.h"

int explain_picture(int argc, char **argv);
#define main explain_picture
#include "../../examples/explain_picture.c"
#undef main

Test(explain_picture, explains_the_class_that_the_network_sees)
{
    char output[4200], weights[4200], missing[] = "/nowhere.png";
    snprintf(output, sizeof output, "%s", scratch_file("explained.png"));
    snprintf(weights, sizeof weights, "%s", source_file("models/cifar10.npz"));
    char picture[4200];
    snprintf(picture, sizeof picture, "%s", scratch_file("square.png"));
    atl_tensor *pixels = square();
    cr_assert_eq(atl_write_png(picture, pixels), ATL_OK, "%s", atl_error());
    cr_assert_eq(explain_picture(4, (char *[]){"explain_picture", picture, output, weights}), 0, "%s", atl_error());
    atl_tensor *overlay = atl_read_image(output);
    cr_assert(overlay && atl_shape_equal(atl_tensor_shape(overlay), ATL_SHAPE(SIDE, SIDE, 3)), "%s", atl_error());
    cr_assert(largest_difference(overlay, pixels) > 20);
    cr_assert_eq(explain_picture(4, (char *[]){"explain_picture", missing, output, weights}), 1);
    cr_assert_mentions(atl_error(), "nowhere.png");
    atl_tensor_free(pixels);
    atl_tensor_free(overlay);
}

Test(explain_picture, the_first_of_equal_classes_is_taken)
{
    atl_tensor *p = atl_tensor_of_floats(ATL_SHAPE(4), (float[]){0.1f, 0.4f, 0.4f, 0.1f});
    cr_assert_eq(most_probable(p), 1);
    atl_tensor_free(p);
}
