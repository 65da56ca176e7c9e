/* Pads of zeros that become the padding of a convolution and of its gradients. */
#include "passes.h"

typedef struct padded {
    atl_graph *g;
    atl_node *x, *y, *dx, *dw;
} padded;

static padded convolved(atl_pad_args pad, int64_t size, int stride, atl_padding padding)
{
    padded p = {.g = atl_graph_new()};
    p.x = pad.x = atl_input(p.g, "x", ATL_FLOAT32, ATL_SHAPE(2, 9, 8, 3));
    atl_node *w = atl_variable(p.g, "w", ATL_SHAPE(size, size, 3, 4), atl_he());
    p.y = atl_conv2d(atl_pad_with(&pad), w, .stride = {stride, stride}, .padding = padding);
    atl_node *loss = atl_sum(atl_square(p.y)), *both[2];
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = ATL_NODES(p.x, w), .result_out = both), ATL_OK, "%s",
                 atl_error());
    p.dx = both[0], p.dw = both[1];
    return p;
}

/* Value and both gradients are those of the reference, and pads and slices are left or not. */
static void check(atl_pad_args pad, int64_t size, int stride, atl_padding padding, int absorbed)
{
    padded p = convolved(pad, size, stride, padding);
    atl_program *program = atl_compile(p.g, ATL_NODES(p.y, p.dx, p.dw));
    cr_assert(program, "%s", atl_graph_error(p.g));
    atl_tensor *image = random_tensor(atl_shape_of(p.x), -1, 1);
    assert_like_references(program, ATL_NODES(p.y, p.dx, p.dw), ATL_FEED(p.x, image), 1e-5);
    cr_expect_eq(steps_by(program, "pad", NULL) == 0, absorbed, "%lldx%lld over %d", (long long)size, (long long)size,
                 stride);
    cr_expect_eq(steps_by(program, "slice", NULL) == 0, absorbed);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(p.g);
}

#define PAD(...) ((atl_pad_args){__VA_ARGS__})

Test(conv_pad, of_zeros_on_the_four_sides)
{
    for (int64_t size = 3; size <= 5; size += 2)
        for (int stride = 1; stride <= 3; stride++) {
            check(PAD(.before = {0, 1, 0}, .after = {0, 0, 1}), size, stride, ATL_VALID, 1);
            check(PAD(.before = {0, 1, 2}, .after = {0, 2, 1}), size, stride, ATL_VALID, 1);
        }
    check(PAD(.before = {0, 1, 1}, .after = {0, 1, 1}), 5, 1, ATL_SAME, 1);
    check(PAD(.before = {0, 0, 1}, .after = {0, 1, 1}), 3, 2, ATL_SAME, 1);
}

Test(conv_pad, stays_where_it_cannot_be_padding)
{
    check(PAD(.before = {0, 3, 0}), 3, 1, ATL_VALID, 0);                /* wider than the window */
    check(PAD(.before = {0, 1, 0}, .value = 0.5f), 3, 1, ATL_VALID, 0); /* no zeros */
    check(PAD(.before = {1, 1, 0}), 3, 1, ATL_VALID, 0);                /* more images, too */
}
