/* Parts of a concat that are computed directly into its result, and read there. */
#include "passes.h"

/* A convolution of a part of a concat whose other part is a convolution, too. */
static atl_program *compiled(atl_graph *g, atl_node **image_out, atl_node **y_out, unsigned disabled)
{
    *image_out = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, 9, 7, 4));
    atl_node *a = atl_variable(g, "a", ATL_SHAPE(3, 3, 4, 8), atl_he()),
             *b = atl_variable(g, "b", ATL_SHAPE(1, 1, 4, 16), atl_he()),
             *c = atl_variable(g, "c", ATL_SHAPE(3, 3, 8, 8), atl_he());
    atl_node *left = atl_conv2d(*image_out, a), *right = atl_conv2d(*image_out, b);
    *y_out = atl_concat(-1, atl_conv2d(left, c), right, atl_square(left));
    return atl_compile(g, ATL_NODES(*y_out), .disabled_passes = disabled);
}

Test(strided, parts_have_the_values_of_copies)
{
    atl_graph *g = atl_graph_new(), *h = atl_graph_new();
    atl_node *image, *other, *y, *z;
    atl_program *direct = compiled(g, &image, &y, 0), *copied = compiled(h, &other, &z, ATL_PASS_CONCAT_ELIMINATION);
    cr_assert(direct && copied, "%s", atl_error());
    atl_tensor *pixels = random_tensor(ATL_SHAPE(2, 9, 7, 4), -1, 1);
    cr_assert_eq(atl_run(direct, ATL_FEED(image, pixels)), ATL_OK);
    cr_assert_eq(atl_run(copied, ATL_FEED(other, pixels)), ATL_OK);
    cr_assert_close(atl_value(direct, y), atl_value(copied, z), 1e-5);
    atl_tensor_free(pixels);
    atl_program_free(direct);
    atl_program_free(copied);
    atl_graph_free(g);
    atl_graph_free(h);
}

/* Without Winograd's method, whose scratch memory is larger than these images. */
Test(strided, parts_take_no_more_memory_than_copies)
{
    enum { DIRECT = ATL_PASS_WINOGRAD, COPIED = ATL_PASS_WINOGRAD | ATL_PASS_CONCAT_ELIMINATION };
    atl_graph *g = atl_graph_new(), *h = atl_graph_new();
    atl_node *image, *y;
    atl_program *direct = compiled(g, &image, &y, DIRECT), *copied = compiled(h, &image, &y, COPIED);
    cr_assert(direct && copied, "%s", atl_error());
    cr_expect_lt(atl_program_arena_bytes(direct), atl_program_arena_bytes(copied));
    atl_program_free(direct);
    atl_program_free(copied);
    atl_graph_free(g);
    atl_graph_free(h);
}
