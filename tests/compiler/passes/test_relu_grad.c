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
    args.disabled_passes |= ATL_PASS_POST_OP; /* so that each relu's gradient that is left has a step of its own */
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
/* Only where a vector is less than a byte of bits, masks are steps of their own. */
Test(gate, by_masks) { check(ATL_SHAPE(1, 100, 101, 64), 3, 0, 0, atl_isa_in_use() == ATL_ISA_GENERIC ? 2 : 0); }

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

/* Sums in the shape of a batch norm's gradient read the relu's gradient: it joins their pass, in as many steps.
 * Without the pass fuse there is none to join. */
Test(gate, not_where_only_sums_and_element_wise_ops_read_it)
{
    atl_graph *g = atl_graph_new();
    atl_shape image = ATL_SHAPE(4, 16, 16, 16), channels = ATL_SHAPE(16);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image);
    atl_node *scale = atl_variable(g, "scale", channels, atl_fill_with(1)),
             *offset = atl_variable(g, "offset", channels, atl_fill_with(0));
    atl_node *h = atl_relu(atl_add(atl_mul(x, scale), offset));
    atl_node *y = atl_conv2d(h, atl_variable(g, "w", ATL_SHAPE(3, 3, 16, 16), atl_he())), *slope[2];
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(y))), .by = ATL_NODES(scale, offset),
                               .result_out = slope),
                 ATL_OK);
    atl_program *program = atl_compile(g, (atl_nodes){2, slope}),
                *without = atl_compile(g, (atl_nodes){2, slope}, .disabled_passes = ATL_PASS_RELU_GRAD),
                *apart = atl_compile(g, (atl_nodes){2, slope}, .disabled_passes = ATL_PASS_FUSE);
    cr_assert(program && without && apart, "%s", atl_error());
    cr_expect_eq(steps_by(program, "conv2d_input_relu_grad", NULL), 0);
    cr_expect_eq(steps_by(apart, "conv2d_input_relu_grad", NULL), 1);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", NULL), 1);
    cr_expect_eq(atl_program_step_count(program), atl_program_step_count(without));
    atl_program_free(program);
    atl_program_free(without);
    atl_program_free(apart);
    atl_graph_free(g);
}

/* ---- by 1x1 and depthwise convolutions, of relu and relu6 -------------------------------------------------------- */

typedef atl_node *activation(atl_node *x);

/* An inverted residual block as of MobileNetV2, twice: 1x1, depthwise, 1x1, and the image added. */
static atl_node *blocks(atl_node *x, int64_t size, int stride, activation *act)
{
    atl_graph *g = atl_graph_of(x);
    int64_t channels = atl_shape_of(x).size[3], wide = 3 * channels;
    atl_node *h = x;
    for (int i = 0; i < 2; i++) {
        atl_node *up = atl_variable(g, ATL_NAME("up%d", i), ATL_SHAPE(1, 1, channels, wide), atl_he());
        atl_node *depth = atl_variable(g, ATL_NAME("depth%d", i), ATL_SHAPE(size, size, 1, wide), atl_he());
        atl_node *down = atl_variable(g, ATL_NAME("down%d", i), ATL_SHAPE(1, 1, wide, channels), atl_he());
        atl_node *y = act(atl_scale(atl_conv2d(h, up), 4));
        y = act(atl_scale(atl_conv2d(y, depth, .stride = {stride, stride}, .groups = (int)wide), 4));
        y = act(atl_conv2d(y, down));
        h = stride == 1 ? atl_add(h, y) : y;
    }
    return h;
}

static void check_blocks(atl_shape image, int64_t size, int stride, activation *act, const char *fused)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *y = blocks(x, size, stride, act);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    cr_assert(dx, "%s", atl_graph_error(g));
    atl_program *with = atl_compile(g, ATL_NODES(y, dx));
    atl_program *without = atl_compile(g, ATL_NODES(y, dx), .disabled_passes = ATL_PASS_RELU_GRAD);
    atl_tensor *pixels = atl_uniform_tensor(image, -1, 1, 5);
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    cr_expect_geq(steps_by(with, fused, NULL), 1, "%lld", (long long)steps_by(with, fused, NULL));
    cr_expect_eq(steps_by(without, fused, NULL), 0);
    cr_assert_close(atl_value(with, dx), atl_value(without, dx), 2e-6);
    assert_like_references(with, ATL_NODES(y, dx), ATL_FEED(x, pixels), 2e-5);
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

Test(gate, by_1x1_and_depthwise_convolutions)
{
    for (int stride = 1; stride <= 2; stride++)
        for (int64_t size = 3; size <= 5; size += 2) {
            check_blocks(ATL_SHAPE(2, 11, 10, 16), size, stride, atl_relu, "conv2d_input_relu_grad");
            check_blocks(ATL_SHAPE(2, 11, 10, 16), size, stride, atl_relu6, "conv2d_input_relu6_grad");
        }
}

/* Images that are large enough to be kept as masks. */
Test(gate, of_relu6_by_masks)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 100, 101, 32)), *y = blocks(x, 3, 1, atl_relu6);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_program *with = atl_compile(g, ATL_NODES(dx)),
                *without = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_COMPRESS);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(x), -1, 1, 5);
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    if (atl_isa_in_use() == ATL_ISA_GENERIC)
        cr_expect_geq(steps_by(with, "above_zero", NULL), 2);
    cr_expect_eq(memcmp(atl_floats(atl_value(with, dx)), atl_floats(atl_value(without, dx)),
                        (size_t)atl_tensor_count(pixels) * 4),
                 0);
    cr_expect_lt(atl_program_arena_bytes(with), atl_program_arena_bytes(without));
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

/* A value that a relu's gradient and a relu6's gradient need is not kept as the mask of one of them. */
Test(gate, of_relu_and_relu6_of_one_value)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 100, 101, 64)), *h = x;
    for (int i = 0; i < 2; i++)
        h = atl_relu(atl_conv2d(h, atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, 64, 64), atl_he())));
    atl_node *y = atl_relu6(atl_scale(h, 3)), *dx = atl_gradient(atl_sum(atl_mul(y, h)), x);
    atl_program *with = atl_compile(g, ATL_NODES(dx)),
                *without = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_COMPRESS);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(x), -1, 1, 5);
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    cr_expect_eq(largest_difference(atl_value(with, dx), atl_value(without, dx)), 0);
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

/* ---- factors and further gradients, of dense blocks -------------------------------------------------------------- */

static atl_node *normalised(atl_node *x, int i)
{
    atl_graph *g = atl_graph_of(x);
    const atl_shape shape = atl_shape_of(x), channels = ATL_SHAPE(shape.size[3]);
    return atl_relu(atl_add(atl_mul(x, atl_variable(g, ATL_NAME("scale%d", i), channels, atl_fill_with(0.7f))),
                            atl_variable(g, ATL_NAME("offset%d", i), channels, atl_fill_with(0.1f))));
}

/* As of DenseNet: each layer normalises what is there, and appends its own channels; or adds them, as of ResNet v2. */
static atl_node *dense_block(atl_node *x, int layers, int appends)
{
    atl_graph *g = atl_graph_of(x);
    for (int i = 0; i < layers; i++) {
        const atl_shape shape = atl_shape_of(x);
        atl_node *narrow = atl_variable(g, ATL_NAME("narrow%d", i), ATL_SHAPE(1, 1, shape.size[3], 32), atl_he());
        atl_node *wide =
            atl_variable(g, ATL_NAME("wide%d", i), ATL_SHAPE(3, 3, 32, appends ? 16 : shape.size[3]), atl_he());
        atl_node *h = atl_conv2d(atl_relu(atl_conv2d(normalised(x, i), narrow)), wide);
        x = appends ? atl_concat(3, x, h) : atl_add(x, h);
    }
    return x;
}

/* The gradients of the concats are summed by the convolutions: no step copies a part, scales or adds.  Returns the
 * number of masks. */
static int64_t check_dense_block(atl_shape image, int layers, int appends, float first)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *y = dense_block(x, layers, appends);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    cr_assert(dx, "%s", atl_graph_error(g));
    atl_program *with = atl_compile(g, ATL_NODES(dx));
    atl_program *without = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_RELU_GRAD);
    atl_tensor *pixels = atl_uniform_tensor(image, -1, 1, 5);
    atl_floats(pixels)[0] = first;
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    cr_expect_eq(steps_by(with, "conv2d_input_relu_grad", "pointwise"), layers);
    cr_expect_eq(steps_by(with, "fused", "jit:uni"), 0);
    cr_expect_eq(steps_by(with, "fused", "fused"), steps_by(without, "fused", "fused") - layers);
    const float *a = atl_floats(atl_value(with, dx)), *b = atl_floats(atl_value(without, dx));
    for (int64_t i = 0; i < atl_tensor_count(pixels); i++)
        cr_assert((isnan(a[i]) && isnan(b[i])) || fabsf(a[i] - b[i]) <= 1e-4f * (1 + fabsf(b[i])),
                  "element %lld: %g, %g", (long long)i, (double)a[i], (double)b[i]);
    if (isfinite(first))
        assert_like_references(with, ATL_NODES(dx), ATL_FEED(x, pixels), 2e-5);
    int64_t masks = steps_by(with, "above_zero", NULL);
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
    return masks;
}

Test(gate, sums_gradients_of_dense_blocks)
{
    cr_expect_eq(check_dense_block(ATL_SHAPE(2, 9, 7, 32), 4, 1, 0.5f), 0);
    cr_expect_gt(check_dense_block(ATL_SHAPE(1, 96, 100, 64), 2, 1, 0.5f), 0);
    check_dense_block(ATL_SHAPE(2, 9, 7, 32), 3, 1, NAN);
    check_dense_block(ATL_SHAPE(2, 9, 7, 32), 3, 1, INFINITY);
}

/* A dense sum is written over the gradient that it adds. */
Test(gate, sums_gradients_of_residuals)
{
    check_dense_block(ATL_SHAPE(2, 9, 7, 32), 3, 0, 0.5f);
    check_dense_block(ATL_SHAPE(2, 9, 7, 32), 3, 0, NAN);
}

/* A factor that is not finite makes NaN also of what the relu's gradient has set to zero. */
Test(gate, multiplies_zeros_by_factors)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5, 6, 16));
    atl_node *factor = atl_variable(g, "factor", ATL_SHAPE(16), atl_fill_with(1)),
             *offset = atl_variable(g, "offset", ATL_SHAPE(16), atl_fill_with(0));
    atl_node *h = atl_relu(atl_add(atl_mul(x, factor), offset));
    atl_node *y = atl_conv2d(h, atl_variable(g, "w", ATL_SHAPE(1, 1, 16, 16), atl_he()));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *factors = atl_uniform_tensor(ATL_SHAPE(16), 1, 2, 6);
    atl_floats(factors)[3] = -INFINITY;
    cr_assert_eq(atl_variable_assign(factor, factors), ATL_OK);
    atl_program *with = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_POST_OP),
                *without = atl_compile(g, ATL_NODES(dx), .disabled_passes = ATL_PASS_RELU_GRAD | ATL_PASS_POST_OP);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(x), 0.1f, 1, 5);
    cr_assert(with && without && !atl_run(with, ATL_FEED(x, pixels)) && !atl_run(without, ATL_FEED(x, pixels)));
    cr_expect_eq(steps_by(with, "fused", NULL), 1, "of the forward pass");
    cr_expect_eq(steps_by(with, "mul", NULL), 1, "of the square's gradient");
    const float *a = atl_floats(atl_value(with, dx)), *b = atl_floats(atl_value(without, dx));
    for (int64_t i = 0; i < atl_tensor_count(pixels); i++) {
        cr_assert_eq(isnan(a[i]) != 0, i % 16 == 3, "element %lld: %g", (long long)i, (double)a[i]);
        cr_assert(isnan(a[i]) || fabsf(a[i] - b[i]) <= 1e-5f * (1 + fabsf(b[i])));
    }
    atl_tensor_free(factors);
    atl_tensor_free(pixels);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}
