/* Relu gradients within the convolutions that compute the gradient: the same bits in fewer steps. */
#include "support.h"

typedef struct result {
    atl_tensor *slope[2];
    int64_t gated, gates, masks; /* steps */
} result;

/* Two residual blocks relu(x + conv(relu(conv(x)))): the image gradient and, if `trains`, the gradient of the first
 * filter. */
static result run(atl_shape image, int taps, int trains, const atl_compile_args *how)
{
    result r = {0};
    atl_graph *g = atl_graph_new();
    int64_t channels = image.size[3];
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *h = x, *first = NULL;
    for (int i = 0; i < 4; i += 2) {
        atl_node *a = atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(taps, taps, channels, channels), atl_he());
        atl_node *b = atl_variable(g, ATL_NAME("w%d", i + 1), ATL_SHAPE(taps, taps, channels, channels), atl_he());
        first = first ? first : a;
        h = atl_relu(atl_add(h, atl_conv2d(atl_relu(atl_conv2d(h, a)), b)));
    }
    atl_node *slope[2], *loss = atl_sum(atl_square(h));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = ATL_NODES(x, first), .result_out = slope), ATL_OK);
    atl_compile_args args = *how;
    args.graph = g;
    args.outputs = (atl_nodes){1 + trains, slope};
    atl_program *program = atl_compile_with(&args);
    atl_tensor *pixels = atl_uniform_tensor(image, -1, 1, 5);
    cr_assert(program && !atl_run(program, ATL_FEED(x, pixels)), "%s", atl_error());
    r.gated = steps_by(program, "conv2d_input_relu_grad", NULL);
    r.gates = steps_by(program, "relu_grad", NULL) + steps_by(program, "relu_grad_by_mask", NULL);
    r.masks = steps_by(program, "above_zero", NULL);
    for (int i = 0; i <= trains; i++)
        r.slope[i] = atl_tensor_copy(atl_value(program, slope[i]));
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
    return r;
}

static void check(atl_shape image, int taps, int trains, unsigned without, int masks)
{
    result with = run(image, taps, trains, &(atl_compile_args){.disabled_passes = without});
    result plain = run(image, taps, trains, &(atl_compile_args){.disabled_passes = without | ATL_PASS_RELU_GRAD});
    cr_expect_eq(with.gated, 3, "%lld", (long long)with.gated);
    cr_expect_eq(with.masks, masks, "%lld", (long long)with.masks);
    cr_expect_leq(with.gates, plain.gates - (without & ATL_PASS_FUSE ? 3 : 0));
    cr_expect_eq(plain.gated, 0);
    for (int i = 0; i <= trains; i++) {
        cr_expect_eq(memcmp(atl_floats(with.slope[i]), atl_floats(plain.slope[i]),
                            (size_t)atl_tensor_count(with.slope[i]) * 4),
                     0, "gradient %d", i);
        atl_tensor_free(with.slope[i]);
        atl_tensor_free(plain.slope[i]);
    }
}

Test(gate, the_same_bits) { check(ATL_SHAPE(8, 17, 15, 16), 3, 0, 0, 0); }
Test(gate, of_5x5_windows) { check(ATL_SHAPE(2, 9, 7, 32), 5, 1, 0, 0); }
Test(gate, without_fusing) { check(ATL_SHAPE(3, 8, 8, 48), 3, 1, ATL_PASS_FUSE, 0); }
Test(gate, by_masks) { check(ATL_SHAPE(1, 100, 101, 64), 3, 0, 0, 2); }

static void expect_none(atl_compile_args how)
{
    result r = run(ATL_SHAPE(1, 8, 8, 16), 3, 0, &how);
    cr_expect_eq(r.gated, 0);
    atl_tensor_free(r.slope[0]);
}

Test(gate, only_where_winograds_method_is_sure)
{
    expect_none((atl_compile_args){.disabled_passes = ATL_PASS_WINOGRAD});
    expect_none((atl_compile_args){.timing = 1});
}
