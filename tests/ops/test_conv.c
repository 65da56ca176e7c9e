/* Convolution beyond its samples: values computed by hand, random geometries, and shapes that become known late. */
#include "battery.h"
#include "values.h"

static atl_node *ones(atl_graph *g, atl_shape shape) { return atl_fill(counting(g, shape), 1); }

Test(conv, by_hand)
{
    atl_graph *g = atl_graph_new();
    EXPECT_VALUES(atl_conv2d(ones(g, ATL_SHAPE(1, 3, 3, 1)), ones(g, ATL_SHAPE(3, 3, 1, 1))), ATL_SHAPE(1, 3, 3, 1), 4,
                  6, 4, 6, 9, 6, 4, 6, 4);
    /* The single pixel of padding is not at the top or left. */
    atl_node *image = atl_add_scalar(counting(g, ATL_SHAPE(1, 4, 4, 1)), 1), *sum = ones(g, ATL_SHAPE(3, 3, 1, 1));
    EXPECT_VALUES(atl_conv2d(image, sum, .stride = {2, 2}), ATL_SHAPE(1, 2, 2, 1), 54, 45, 72, 54);
    EXPECT_VALUES(atl_conv2d(image, sum, .padding = ATL_VALID), ATL_SHAPE(1, 2, 2, 1), 54, 63, 90, 99);
    EXPECT_VALUES(atl_conv2d(image, ones(g, ATL_SHAPE(2, 2, 1, 1)), .dilation = {3, 3}, .padding = ATL_VALID),
                  ATL_SHAPE(1, 1, 1, 1), 1 + 4 + 13 + 16);
    EXPECT_VALUES(atl_conv2d(image, sum, .padding = ATL_EXPLICIT, .pad = {2, 0, 0, 2}, .stride = {3, 3}),
                  ATL_SHAPE(1, 2, 2, 1), 1 + 2 + 3, 4, 5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15, 8 + 12 + 16);
    atl_graph_free(g);
}

Test(conv, filters_are_not_turned_around)
{
    atl_graph *g = atl_graph_new();
    atl_node *row = FLOATS(g, ATL_SHAPE(1, 1, 3, 1), 1, 2, 3);
    EXPECT_VALUES(atl_conv2d(row, FLOATS(g, ATL_SHAPE(1, 2, 1, 1), 10, 1), .padding = ATL_VALID), ATL_SHAPE(1, 1, 2, 1),
                  12, 23);
    /* [in, out]: out 0 takes the first channel, out 1 the sum, out 2 ten times the second. */
    atl_node *pixel = FLOATS(g, ATL_SHAPE(1, 1, 1, 2), 3, 5);
    EXPECT_VALUES(atl_conv2d(pixel, FLOATS(g, ATL_SHAPE(1, 1, 2, 3), 1, 1, 0, 0, 1, 10)), ATL_SHAPE(1, 1, 1, 3), 3, 8,
                  50);
    EXPECT_VALUES(atl_conv2d(pixel, FLOATS(g, ATL_SHAPE(3, 2, 1, 1), 1, 0, 1, 1, 0, 10), .weight_order = ATL_OUT_IN),
                  ATL_SHAPE(1, 1, 1, 3), 3, 8, 50);
    /* Groups: channels 0, 1 make outputs 0, 1; channels 2, 3 make outputs 2, 3. */
    atl_node *four = FLOATS(g, ATL_SHAPE(1, 1, 1, 4), 1, 2, 3, 4);
    EXPECT_VALUES(atl_conv2d(four, FLOATS(g, ATL_SHAPE(1, 1, 2, 4), 1, 2, 3, 4, 10, 20, 30, 40), .groups = 2),
                  ATL_SHAPE(1, 1, 1, 4), 21, 42, 129, 172);
    EXPECT_VALUES(atl_conv2d(four, FLOATS(g, ATL_SHAPE(1, 1, 1, 4), 1, 10, 100, 1000), .groups = 4),
                  ATL_SHAPE(1, 1, 1, 4), 1, 20, 300, 4000);
    atl_graph_free(g);
}

Test(conv, gradients_by_hand)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = counting(g, ATL_SHAPE(1, 3, 3, 1)), *filter = FLOATS(g, ATL_SHAPE(2, 2, 1, 1), 1, 2, 3, 4);
    atl_node *y = atl_conv2d(image, filter, .padding = ATL_VALID), *by[2];
    cr_assert_eq(atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(image, filter), .result_out = by), ATL_OK);
    EXPECT_VALUES(by[0], ATL_SHAPE(1, 3, 3, 1), 1, 3, 2, 4, 10, 6, 3, 7, 4);
    EXPECT_VALUES(by[1], ATL_SHAPE(2, 2, 1, 1), 0 + 1 + 3 + 4, 1 + 2 + 4 + 5, 3 + 4 + 6 + 7, 4 + 5 + 7 + 8);
    atl_graph_free(g);
}

static int between(int low, int high) { return low + (int)random_below((uint64_t)(high - low + 1)); }

/* A random geometry, which may be invalid; in one of `wide` cases with many channels. */
static atl_conv2d_args random_geometry(atl_graph *g, int wide)
{
    atl_conv2d_args args = {.stride = {between(1, 3), between(1, 3)}, .dilation = {between(1, 2), between(1, 2)}};
    int groups = between(0, 2) ? 1 : between(2, 5), most = between(1, wide) == 1 ? 70 : 9;
    int in = between(0, 3) ? between(1, most) : 1, out = between(0, 3) ? between(1, most) : 1;
    int fh = between(0, 2) ? between(1, 5) : 1, fw = between(0, 2) ? between(1, 5) : 1;
    args.groups = groups;
    args.padding = (const atl_padding[]){ATL_SAME, ATL_VALID, ATL_EXPLICIT}[between(0, 2)];
    for (int i = 0; i < 4 && args.padding == ATL_EXPLICIT; i++)
        args.pad[i] = between(0, ((i < 2 ? fh : fw) - 1) * args.dilation[i / 2]);
    args.image = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(between(1, 3), between(1, 14), between(1, 14), in * groups));
    args.filter = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(fh, fw, in, out * groups));
    return args;
}

/* Returns 0 if the window does not fit. */
static int check_geometry(int wide)
{
    char text[1000], what[300];
    atl_graph *g = atl_graph_new();
    atl_conv2d_args args = random_geometry(g, wide);
    atl_node *y = atl_conv2d_with(&args), *by[2];
    if (!y) {
        cr_assert_mentions(atl_graph_error(g), "larger than the image's");
        atl_graph_free(g);
        return 0;
    }
    atl_op_of(y)->describe(y, what, sizeof what);
    atl_node *seed = atl_input(g, "seed", ATL_FLOAT32, atl_shape_of(y));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(args.image, args.filter), .seeds = ATL_NODES(seed),
                               .result_out = by),
                 ATL_OK, "%s", atl_graph_error(g));
    atl_tensor *x = random_tensor(atl_shape_of(args.image), -1, 1),
               *w = random_tensor(atl_shape_of(args.filter), -1, 1);
    atl_tensor *s = random_tensor(atl_shape_of(y), -1, 1);
    int agree = floats_agree(3, (atl_node *[]){y, by[0], by[1]},
                             ATL_FEEDS({args.image, x}, {args.filter, w}, {seed, s}), text, sizeof text);
    char shapes[2][100];
    cr_assert(agree, "%s of %s by %s: %s", what, atl_shape_text(atl_shape_of(args.image), shapes[0], 100),
              atl_shape_text(atl_shape_of(args.filter), shapes[1], 100), text);
    atl_tensor_free(x);
    atl_tensor_free(w);
    atl_tensor_free(s);
    atl_graph_free(g);
    return 1;
}

Test(conv, random_geometries)
{
    int checked = 0;
    while (checked < 200)
        checked += check_geometry(10);
}

/* oneDNN 2.6.3 has a kernel that writes beyond its scratchpad for these; see preferences_of. */
Test(conv, strided_1x1_filters)
{
    for (int channels = 1; channels < 40; channels += 3)
        for (int out = 1; out < 8; out += 3) {
            char text[1000];
            atl_graph *g = atl_graph_new();
            atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 12, 7, channels));
            atl_node *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(1, 1, channels, out));
            atl_node *dw = atl_gradient(atl_square(atl_conv2d(x, w, .stride = {2, 1})), w);
            atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1), *filter = random_tensor(atl_shape_of(w), -1, 1);
            cr_assert(floats_agree(1, &dw, ATL_FEEDS({x, image}, {w, filter}), text, sizeof text), "%s", text);
            atl_tensor_free(image);
            atl_tensor_free(filter);
            atl_graph_free(g);
        }
}

Test(conv, unknown_sizes_flow_through)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY, 9, 3));
    atl_node *filter = atl_input(g, "filter", ATL_FLOAT32, ATL_SHAPE(3, ATL_ANY, ATL_ANY, 4));
    atl_node *y = atl_conv2d(image, filter, .stride = {2, 2});
    expect_shape(y, ATL_SHAPE(ATL_ANY, ATL_ANY, ATL_ANY, 4));
    atl_node *dx = atl_gradient(y, image), *dw = atl_gradient(y, filter);
    expect_shape(dx, ATL_SHAPE(ATL_ANY, ATL_ANY, 9, 3));
    expect_shape(dw, ATL_SHAPE(3, ATL_ANY, ATL_ANY, 4));
    for (int64_t batch = 0; batch < 3; batch++) {
        char text[1000];
        atl_tensor *x = random_tensor(ATL_SHAPE(batch, 5, 9, 3), -1, 1),
                   *w = random_tensor(ATL_SHAPE(3, 3, 3, 4), -1, 1);
        cr_assert(floats_agree(3, (atl_node *[]){y, dx, dw}, ATL_FEEDS({image, x}, {filter, w}), text, sizeof text),
                  "batch %d: %s", (int)batch, text);
        atl_tensor_free(x);
        atl_tensor_free(w);
    }
    atl_graph_free(g);
}

Test(conv, mistakes_of_size)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 5, 5, 1));
    atl_node *filter = atl_input(g, "filter", ATL_FLOAT32, ATL_SHAPE(3, 3, 1, 1));
    EXPECT_REFUSED(g, atl_conv2d(image, filter, .dilation = {2147483647, 1}), "conv2d", "more than 2^31");
    atl_graph_free(g);
    g = atl_graph_new();
    image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 3000000000, 1, 1));
    filter = atl_input(g, "filter", ATL_FLOAT32, ATL_SHAPE(3, 3, 1, 1));
    EXPECT_REFUSED(g, atl_conv2d(image, filter), "conv2d", "3000000000", "2^31 - 1");
    atl_graph_free(g);
    g = atl_graph_new();
    image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1 << 30, 1 << 15, 1, 1));
    filter = atl_input(g, "filter", ATL_FLOAT32, ATL_SHAPE(1, 1, 1, 1 << 20));
    EXPECT_REFUSED(g, atl_conv2d(image, filter), "conv2d", "2^60");
    atl_graph_free(g);
}

/* Two residual blocks and all their gradients, by Winograd's algorithm and directly. */
Test(conv, winograd_with_residuals_and_filter_gradients)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(32, 8, 8, 64)), *h = image, *filter[4], *wanted[6];
    for (int i = 0; i < 4; i += 2) {
        filter[i] = atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, 64, 64), atl_he());
        filter[i + 1] = atl_variable(g, ATL_NAME("w%d", i + 1), ATL_SHAPE(3, 3, 64, 64), atl_he());
        atl_node *bias = atl_variable(g, ATL_NAME("b%d", i), ATL_SHAPE(64), atl_normal(0.1f));
        atl_node *inner = atl_softplus(atl_conv2d(h, filter[i]));
        h = atl_add(h, atl_bias_add(atl_conv2d(inner, filter[i + 1]), bias));
        h = i ? h : atl_relu(atl_add_scalar(h, 20)); /* no relu near 0, where rounding would matter */
    }
    wanted[0] = h;
    atl_nodes by = {5, (atl_node *const[]){image, filter[0], filter[1], filter[2], filter[3]}};
    cr_assert_eq(atl_gradients(.of = ATL_NODES(h), .by = by, .result_out = wanted + 1), ATL_OK);
    atl_nodes all = {6, wanted};
    atl_program *direct = atl_compile(g, all, .disabled_passes = ATL_PASS_WINOGRAD), *winograd = atl_compile(g, all);
    cr_assert(direct && winograd, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(direct, "conv2d_filter_grad", "wino"), 0);
    cr_expect_geq(steps_by(winograd, "conv2d_filter_grad", "wino"), 1);
    cr_expect_eq(steps_by(winograd, "conv2d_fused", "wino"), 2, "the residuals keep Winograd's method away");
    atl_tensor *pixels = random_tensor(atl_shape_of(image), -1, 1);
    cr_assert_eq(atl_run(direct, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
    for (int run = 0; run < 2; run++) {
        cr_assert_eq(atl_run(winograd, ATL_FEED(image, pixels)), ATL_OK, "%s", atl_error());
        for (int i = 0; i < 6; i++)
            cr_assert_close(atl_value(winograd, wanted[i]), atl_value(direct, wanted[i]), 1e-5);
    }
    atl_tensor_free(pixels);
    atl_program_free(direct);
    atl_program_free(winograd);
    atl_graph_free(g);
}
