/* Winograd convolutions in programs, in NHWC: the same result as direct ones, and only where they are faster. */
#include "ops/conv_winograd.h"

#include "kernels/kernels.h"
#include "support.h"

/* Two layers with bias, residual and relu, and all gradients. `wanted`: the result, the image gradient, the filter
 * gradients. */
static atl_program *compile_layers(atl_graph *g, int64_t taps, unsigned without, atl_node *wanted[4])
{
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(4, 22, 19, 32)), *filter[2], *h = image;
    for (int i = 0; i < 2; i++) {
        filter[i] = atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(taps, taps, 32, 32), atl_he());
        atl_node *bias = atl_variable(g, ATL_NAME("b%d", i), ATL_SHAPE(32), atl_fill_with(20));
        h = atl_relu(atl_add(atl_bias_add(atl_conv2d(h, filter[i]), bias), image)); /* far from relu's kink */
    }
    wanted[0] = h;
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(h))), .by = ATL_NODES(image, filter[0], filter[1]),
                               .result_out = wanted + 1),
                 ATL_OK);
    atl_program *program = atl_compile(g, ((atl_nodes){4, wanted}), .disabled_passes = without);
    cr_assert(program, "%s", atl_graph_error(g));
    return program;
}

static void check_layers(int64_t taps)
{
    atl_node *wanted[2][4];
    atl_graph *g[2];
    atl_program *program[2];
    atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 22, 19, 32), -1, 1);
    for (int i = 0; i < 2; i++) {
        g[i] = atl_graph_new();
        program[i] = compile_layers(g[i], taps, i ? ATL_PASS_WINOGRAD : 0, wanted[i]);
        cr_assert_eq(atl_run(program[i], ATL_FEED(atl_find(g[i], "image"), pixels)), ATL_OK, "%s", atl_error());
    }
    cr_expect_eq(steps_by(program[0], NULL, "winograd:"), 6);
    cr_expect_eq(steps_by(program[1], NULL, "winograd:"), 0);
    for (int k = 0; k < 4; k++)
        cr_assert_close(atl_value(program[0], wanted[0][k]), atl_value(program[1], wanted[1][k]), 1e-5);
    for (int i = 0; i < 2; i++) {
        atl_program_free(program[i]);
        atl_graph_free(g[i]);
    }
    atl_tensor_free(pixels);
}

Test(conv_winograd, windows_of_3_agree_with_direct_ones) { check_layers(3); }
Test(conv_winograd, windows_of_5_agree_with_direct_ones) { check_layers(5); }

/* One convolution and both its gradients against the double reference: the error that program.h and
 * docs/performance.md state. */
static void check_error(int64_t taps, int64_t channels)
{
    atl_graph *g = atl_graph_new();
    atl_shape shape = ATL_SHAPE(4, 22, 19, channels);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *seed = atl_input(g, "seed", ATL_FLOAT32, shape);
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(taps, taps, channels, channels), atl_he());
    atl_node *wanted[3] = {atl_conv2d(x, w)};
    cr_assert_eq(atl_gradients(.of = ATL_NODES(wanted[0]), .by = ATL_NODES(x, w), .result_out = wanted + 1,
                               .seeds = ATL_NODES(seed)),
                 ATL_OK);
    atl_program *program = atl_compile(g, ((atl_nodes){3, wanted}));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_gt(steps_by(program, NULL, "winograd:"), 0);
    atl_tensor *pixels = random_tensor(shape, -1, 1), *slope = random_tensor(shape, -1, 1);
    assert_like_references(program, (atl_nodes){3, wanted}, ATL_FEEDS({x, pixels}, {seed, slope}),
                           taps == 3 ? 2.5e-6 : 4.5e-6);
    atl_tensor_free(pixels);
    atl_tensor_free(slope);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(conv_winograd, error_is_what_is_stated)
{
    for (int64_t taps = 3; taps <= 5; taps += 2)
        for (int64_t channels = 16; channels <= FEWER(128, 32); channels *= 2)
            check_error(taps, channels);
}

/* As many channels as a vector has numbers are too few for oneDNN's direct convolutions. */
Test(conv_winograd, is_used_for_few_channels)
{
    const int64_t channels = atl_kernels->vector;
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 56, 56, channels));
    atl_node *y = atl_conv2d(x, atl_variable(g, "w", ATL_SHAPE(3, 3, channels, channels), atl_he()));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_error());
    cr_expect_eq(steps_by(program, NULL, "winograd:"), 1);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(conv_winograd, is_left_alone_where_it_does_not_apply)
{
    onednn_convolution c = {.image = ATL_SHAPE(1, 56, 56, 64),
                            .filter = ATL_SHAPE(3, 3, 64, 64),
                            .result = ATL_SHAPE(1, 56, 56, 64),
                            .vertical = {.size = 3, .stride = 1, .dilation = 1, .pad_before = 1},
                            .groups = 1};
    c.horizontal = c.vertical;
    cr_assert(atl_conv_winograd_seconds(&c) < 1);
    onednn_convolution strided = c, grouped = c, padded = c, narrow = c;
    strided.vertical.stride = 2;
    grouped.groups = 2;
    padded.horizontal.pad_before = 3;
    narrow.image.size[3] = 64 + atl_kernels->vector / 2;
    cr_expect(isinf(atl_conv_winograd_seconds(&strided)));
    cr_expect(isinf(atl_conv_winograd_seconds(&grouped)));
    cr_expect(isinf(atl_conv_winograd_seconds(&padded)));
    cr_expect(isinf(atl_conv_winograd_seconds(&narrow)));
}

/* ---- dilated ----------------------------------------------------------------------------------------------------- */

/* A convolution with bias, residual and relu, or relu6, and its gradients by the image and the filter.  Before it, a
 * relu whose gradient the image's gradient applies. */
typedef struct dilated_layer {
    int64_t height, width, channels;
    int dilation, pad, limited;
} dilated_layer;

enum { DILATED_OUTPUTS = 3 };

static atl_program *compile_dilated(atl_graph *g, dilated_layer d, unsigned without, atl_node *wanted[DILATED_OUTPUTS])
{
    const int64_t grown = 2 * (d.pad - d.dilation);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, d.height, d.width, d.channels));
    atl_node *added = atl_input(g, "added", ATL_FLOAT32, ATL_SHAPE(2, d.height + grown, d.width + grown, d.channels));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 3, d.channels, d.channels), atl_he());
    atl_node *bias = atl_variable(g, "bias", ATL_SHAPE(d.channels), atl_uniform(-1, 1));
    atl_node *y = atl_conv2d(atl_relu(x), w, .dilation = {d.dilation, d.dilation}, ATL_PAD(d.pad));
    y = atl_add(atl_bias_add(y, bias), added);
    wanted[0] = d.limited ? atl_relu6(y) : atl_relu(y);
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(wanted[0])), .by = ATL_NODES(x, w), .result_out = wanted + 1),
                 ATL_OK);
    atl_program *program = atl_compile(g, ((atl_nodes){DILATED_OUTPUTS, wanted}), .disabled_passes = without);
    cr_assert(program, "%s", atl_graph_error(g));
    return program;
}

typedef void dilated_check(dilated_layer d, const atl_tensor *got, const atl_tensor *expected, int output);

/* Runs both programs, with Winograd's method and without. */
static void compare_dilated(dilated_layer d, const atl_tensor *pixels, int64_t steps, dilated_check *check)
{
    const int64_t grown = 2 * (d.pad - d.dilation);
    atl_node *wanted[2][DILATED_OUTPUTS];
    atl_graph *g[2];
    atl_program *program[2];
    atl_tensor *added = random_tensor(ATL_SHAPE(2, d.height + grown, d.width + grown, d.channels), 3, 4);
    for (int i = 0; i < 2; i++) {
        g[i] = atl_graph_new();
        program[i] = compile_dilated(g[i], d, i ? ATL_PASS_WINOGRAD : 0, wanted[i]);
        cr_assert_eq(atl_run(program[i], ATL_FEEDS({atl_find(g[i], "x"), pixels}, {atl_find(g[i], "added"), added})),
                     ATL_OK, "%s", atl_error());
    }
    cr_expect_geq(steps_by(program[0], NULL, "winograd:"), steps, "dilation %d, pad %d", d.dilation, d.pad);
    cr_expect_eq(steps_by(program[1], NULL, "winograd:"), 0);
    for (int k = 0; k < DILATED_OUTPUTS; k++)
        check(d, atl_value(program[0], wanted[0][k]), atl_value(program[1], wanted[1][k]), k);
    for (int i = 0; i < 2; i++) {
        atl_program_free(program[i]);
        atl_graph_free(g[i]);
    }
    atl_tensor_free(added);
}

static void expect_close(dilated_layer d, const atl_tensor *got, const atl_tensor *expected, int output)
{
    (void)d, (void)output;
    cr_assert_close(got, expected, 1e-5);
}

/* Every remainder of the sizes by the dilation. */
Test(conv_winograd, dilated_ones_agree_with_direct_ones)
{
    for (int dilation = 2; dilation <= 4; dilation++)
        for (int rest = 0; rest < dilation; rest++) {
            const dilated_layer d = {4 * dilation + rest, 8 * dilation - rest, 128, dilation, dilation, rest % 2};
            atl_tensor *pixels = random_tensor(ATL_SHAPE(2, d.height, d.width, d.channels), -1, 1);
            compare_dilated(d, pixels, 2, expect_close);
            atl_tensor_free(pixels);
        }
}

/* None, less than the dilation, and as far as the window reaches. */
Test(conv_winograd, dilated_ones_with_any_padding)
{
    for (int dilation = 2; dilation <= 3; dilation++)
        for (int pad = 0; pad <= 2 * dilation; pad += pad ? dilation : dilation - 1) {
            const dilated_layer d = {25, 22, 128, dilation, pad, 0};
            atl_tensor *pixels = random_tensor(ATL_SHAPE(2, d.height, d.width, d.channels), -1, 1);
            compare_dilated(d, pixels, 1, expect_close);
            atl_tensor_free(pixels);
        }
}

/* What is not finite without Winograd's method is not finite with it; results that are finite with it are close; and
 * the pixels of one of the interleaved images spoil no result of another. */
static void expect_like_special(dilated_layer d, const atl_tensor *got, const atl_tensor *expected, int output)
{
    const float *made = atl_floats(got), *direct = atl_floats(expected);
    const int64_t per_pixel = d.channels;
    for (int64_t i = 0; i < atl_tensor_count(got); i++) {
        cr_assert(isfinite(direct[i]) || !isfinite(made[i]), "element %lld of output %d", (long long)i, output);
        if (isfinite(made[i]) && output == 0) /* relu's gradient is 0 at the result's NaNs: there are more of them */
            cr_assert_float_eq(made[i], direct[i], 1e-4f * fmaxf(1, fabsf(direct[i])));
        const int64_t pixel = i / per_pixel % (d.height * d.width);
        if (output == 0 && (pixel / d.width % d.dilation || pixel % d.width % d.dilation))
            cr_assert(isfinite(made[i]), "row %lld, column %lld", (long long)(pixel / d.width),
                      (long long)(pixel % d.width));
    }
}

Test(conv_winograd, dilated_special_values)
{
    for (int dilation = 2; dilation <= 4; dilation++) {
        const dilated_layer d = {4 * dilation + 1, 8 * dilation - 1, 128, dilation, dilation, 0};
        atl_tensor *pixels = random_tensor(ATL_SHAPE(2, d.height, d.width, d.channels), -1, 1);
        float *x = atl_floats(pixels);
        for (int64_t i = 0; i < atl_tensor_count(pixels); i += 7)
            x[i] = i % 2 ? -0.0f : 1e-40f;
        x[0] = NAN;
        x[(dilation * d.width + 3 * dilation) * d.channels + 5] = INFINITY;
        x[(2 * dilation * d.width + 5 * dilation) * d.channels + 100] = -INFINITY;
        compare_dilated(d, pixels, 2, expect_like_special);
        atl_tensor_free(pixels);
    }
}

/* Few elements of a window lie within the image: without Winograd's method the others cost nothing. */
Test(conv_winograd, windows_that_reach_beside_the_image_are_left_alone)
{
    static const int dilations[] = {12, 24, 36};
    for (size_t i = 0; i < sizeof dilations / sizeof *dilations; i++) {
        const dilated_layer d = {14, 14, 128, dilations[i], dilations[i], 0};
        atl_node *wanted[DILATED_OUTPUTS];
        atl_graph *g = atl_graph_new();
        atl_program *program = compile_dilated(g, d, 0, wanted);
        cr_expect_eq(steps_by(program, NULL, "winograd:"), 0);
        atl_program_free(program);
        atl_graph_free(g);
    }
}
