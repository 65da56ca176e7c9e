/* Activation compression: an image that only its relu's gradient needs is stored as bits, which changes only the
 * memory. */
#include "support.h"

/* The bits of the image gradient, and the arena's size, of four layers of relu(convolution). */
static atl_tensor *gradient_of(int64_t batch, int64_t side, int64_t channels, unsigned without, int64_t *arena)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(batch, side, side, 3)), *h = image;
    for (int i = 0; i < 4; i++) {
        atl_node *filter =
            atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, atl_shape_of(h).size[3], channels), atl_he());
        h = atl_relu(atl_conv2d(h, filter));
    }
    atl_node *dx = atl_gradient(atl_sum(atl_square(h)), image);
    atl_program *program = atl_compile(g, ATL_NODES(dx), .disabled_passes = without);
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(batch, side, side, 3), -1, 1, 5);
    cr_assert(program && !atl_run(program, ATL_FEED(image, pixels)), "%s", atl_error());
    int64_t masks = steps_by(program, "above_zero", NULL);
    cr_expect(without & ATL_PASS_COMPRESS ? masks == 0 : masks > 0, "%lld masks", (long long)masks);
    atl_tensor *result = atl_tensor_copy(atl_value(program, dx));
    *arena = atl_program_arena_bytes(program);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
    return result;
}

static void check(int64_t batch, int64_t side, int64_t channels, unsigned without)
{
    int64_t with = 0, plain = 0;
    atl_tensor *a = gradient_of(batch, side, channels, without, &with),
               *b = gradient_of(batch, side, channels, without | ATL_PASS_COMPRESS, &plain);
    cr_expect_eq(memcmp(atl_floats(a), atl_floats(b), (size_t)atl_tensor_count(a) * 4), 0, "%lld x %lld, %lld channels",
                 (long long)side, (long long)side, (long long)channels);
    cr_expect_lt(with, plain);
    atl_tensor_free(a);
    atl_tensor_free(b);
}

Test(digest, the_same_bits_in_less_memory) { check(1, 128, 64, 0); }
Test(digest, in_plain_layout) { check(1, 128, 64, ATL_PASS_WINOGRAD); }
Test(digest, of_an_odd_number_of_elements) { check(3, 101, 19, 0); }

Test(digest, small_images_are_kept_as_they_are)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 16, 16, 3));
    atl_node *y = atl_relu(atl_conv2d(x, atl_variable(g, "w", ATL_SHAPE(3, 3, 3, 16), atl_he())));
    atl_program *program = atl_compile(g, ATL_NODES(atl_gradient(atl_sum(atl_square(y)), x)));
    cr_assert(program);
    cr_expect_eq(steps_by(program, "above_zero", NULL), 0);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Convolutions of our own write the bits beside their results: no step makes a mask. */
static void check_own_masks(atl_node *(*activation)(atl_node *))
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 100, 101, 64)), *h = x;
    for (int i = 0; i < 3; i++)
        h = activation(atl_conv2d(h, atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, 64, 64), atl_he())));
    atl_node *dx = atl_gradient(atl_sum(atl_square(h)), x);
    atl_program *with = atl_compile(g, ATL_NODES(dx)),
                *without = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_COMPRESS);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(x), -1, 1, 5);
    atl_floats(pixels)[5] = NAN;
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    if (atl_isa_in_use() == ATL_ISA_GENERIC) /* bytes of bits hold more than a vector */
        cr_expect_gt(steps_by(with, "above_zero", NULL), 0);
    else
        cr_expect_eq(steps_by(with, "above_zero", NULL), 0);
    cr_expect_eq(steps_by(with, "conv2d_input_relu_grad", NULL) + steps_by(with, "conv2d_input_relu6_grad", NULL), 2);
    cr_expect_lt(atl_program_arena_bytes(with), atl_program_arena_bytes(without));
    cr_expect_eq(memcmp(atl_floats(atl_value(with, dx)), atl_floats(atl_value(without, dx)),
                        (size_t)atl_tensor_count(pixels) * 4),
                 0);
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

Test(digest, relu_masks_by_convolutions) { check_own_masks(atl_relu); }
Test(digest, relu6_masks_by_convolutions) { check_own_masks(atl_relu6); }
