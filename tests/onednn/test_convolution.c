/* Implementations of convolutions: never oneDNN's reference loops. */
#include "onednn/onednn.h"
#include "ops/window.h"
#include "support.h"

static onednn_convolution layer(int64_t n, int64_t side, int64_t in, int64_t out, int window, int stride, int groups,
                                onednn_pass pass)
{
    window_options options;
    atl_window_options(&options, (int[]){stride, stride}, NULL, NULL, ATL_SAME, (int[]){0, 0, 0, 0});
    atl_window w = atl_window_of(&options, 0, side, window);
    return (onednn_convolution){.pass = pass,
                                .image = ATL_SHAPE(n, side, side, in),
                                .filter = ATL_SHAPE(window, window, in / groups, out),
                                .result = ATL_SHAPE(n, w.output, w.output, out),
                                .vertical = w,
                                .horizontal = w,
                                .groups = groups,
                                .bias_input = ONEDNN_NO_INPUT,
                                .residual_input = ONEDNN_NO_INPUT};
}

static void check_layer(int64_t n, int64_t side, int64_t in, int64_t out, int window, int stride, int groups)
{
    char text[100];
    for (int way = 0; way < 5; way++) {
        onednn_pass pass = way < 3 ? (onednn_pass)way : ONEDNN_FORWARD;
        onednn_convolution c = layer(n, side, in, out, window, stride, groups, pass);
        if (way >= 3) {
            c.bias_input = 2;
            c.activation = ONEDNN_RELU;
            c.residual_input = way == 4 ? 3 : ONEDNN_NO_INPUT;
        }
        onednn_convolution_implementation(&c, text, sizeof text);
        cr_expect(text[0] && !strstr(text, "ref"), "%dx%d, %d to %d channels, %d groups, at %d, pass %d, %s: '%s' %s",
                  window, window, (int)in, (int)out, groups, (int)side, pass,
                  way < 3    ? "alone"
                  : way == 3 ? "bias, relu"
                             : "and residual",
                  text, text[0] ? "" : atl_error());
    }
}

Test(convolution, vgg16)
{
    static const int width[] = {64, 128, 256, 512, 512};
    for (int b = 0, in = 3, side = 224; b < 5; b++, side /= 2)
        for (int i = 0; i < 2; i++, in = width[b])
            check_layer(1, side, i ? width[b] : b ? width[b - 1] : in, width[b], 3, 1, 1);
    check_layer(8, 56, 256, 256, 3, 1, 1);
}

Test(convolution, vgg16_narrow)
{
    static const int width[] = {3, 6, 7, 9, 12, 16};
    for (int i = 0; i + 1 < 6; i++)
        check_layer(2, 64 >> i, width[i], width[i + 1], 3, 1, 1);
}

Test(convolution, squeezenet)
{
    static const int squeeze[] = {16, 32, 48, 64}, side[] = {55, 27, 13, 13};
    check_layer(1, 224, 3, 64, 3, 2, 1);
    for (int i = 0; i < 4; i++) {
        check_layer(1, side[i], squeeze[i] * 8, squeeze[i], 1, 1, 1);
        check_layer(1, side[i], squeeze[i], squeeze[i] * 4, 1, 1, 1);
        check_layer(1, side[i], squeeze[i], squeeze[i] * 4, 3, 1, 1);
    }
    check_layer(1, 13, 512, 1000, 1, 1, 1);
}

Test(convolution, resnet20)
{
    for (int n = 1; n <= 128; n *= 128) {
        check_layer(n, 32, 3, 16, 3, 1, 1);
        for (int width = 16, side = 32; width <= 64; width *= 2, side /= 2) {
            check_layer(n, side, width, width, 3, 1, 1);
            check_layer(n, side, width, width * 2, 3, 2, 1);
        }
    }
}

Test(convolution, cifar10)
{
    check_layer(128, 24, 3, 64, 5, 1, 1);
    check_layer(128, 12, 64, 64, 5, 1, 1);
    check_layer(3, 24, 3, 64, 5, 1, 1);
}

Test(convolution, groups_and_depthwise)
{
    check_layer(2, 28, 32, 32, 3, 1, 32);
    check_layer(2, 28, 32, 64, 3, 2, 4);
    check_layer(2, 15, 5, 5, 3, 2, 5);
    check_layer(2, 15, 6, 9, 3, 1, 3);
    check_layer(2, 15, 5, 10, 3, 1, 5);
}

Test(convolution, refuses_what_onednn_would_take)
{
    char text[100];
    onednn_convolution c = layer(1, 8, 3, 4, 3, 1, 1, ONEDNN_FORWARD);
    c.image.size[0] = c.result.size[0] = (int64_t)1 << 40;
    cr_assert_str_empty(onednn_convolution_implementation(&c, text, sizeof text));
    cr_assert_mentions(atl_error(), "2^31 - 1");
}
