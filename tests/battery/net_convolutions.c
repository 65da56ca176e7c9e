/* The layers of random networks that are made of convolutions. */
#include "net_layers.h"

/* The channels of a layer's result: those of its operand for the first settings. */
static int channels_for(const net *n, const atl_node *x, int setting)
{
    static const int any[] = {5, 8, 12, 17, 24}, by_8[] = {8, 24, 16, 40, 32}, by_16[] = {16, 32, 48, 16, 32};
    if (setting < 4)
        return (int)channels_of(x);
    int aligned = n->recipe->option[NET_ALIGNED];
    return (aligned == 1 ? by_16 : aligned == 2 ? by_8 : any)[setting - 4];
}

/* A filter of its own, or that of an earlier layer if it fits. */
static atl_node *filter_for(net *n, int k, int shared, atl_shape shape)
{
    for (int j = 0; shared && j < k; j++) {
        atl_node *earlier = atl_find(n->graph, ATL_NAME("filter%d", j + 1));
        if (earlier && atl_shape_equal(atl_shape_of(earlier), shape)) {
            net_say(n, ", the filter of %d", j + 1);
            return earlier;
        }
    }
    return net_variable(n, "filter", k, shape, atl_he());
}

/* What often follows a convolution: bias, relu, both, another activation. */
static atl_node *finished(net *n, int k, atl_node *x, int setting)
{
    if (setting == 1 || setting == 2 || setting == 4) {
        net_say(n, ", bias");
        x = atl_bias_add(x, net_variable(n, "bias", k, ATL_SHAPE(channels_of(x)), atl_uniform(-0.3f, 0.3f)));
    }
    if (setting == 2 || setting == 3) {
        net_say(n, ", relu");
        x = atl_relu(x);
    }
    if (setting == 4 || setting == 5) {
        net_say(n, setting == 4 ? ", tanh" : ", leaky_relu");
        x = setting == 4 ? atl_tanh(x) : atl_leaky_relu(x, 0.1f);
    }
    return x;
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

typedef struct geometry {
    int window, stride, dilation, groups, channels;
    atl_padding padding;
} geometry;

static atl_node *convolve_nchw(atl_node *x, atl_node *filter, const geometry *g)
{
    x = atl_transpose(x, .order = {0, 3, 1, 2});
    x = atl_conv2d(x, filter, .stride = {g->stride, g->stride}, .padding = g->padding, .layout = ATL_NCHW);
    return atl_transpose(x, .order = {0, 2, 3, 1});
}

atl_node *net_convolution(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    static const int windows[] = {3, 1, 5, 2, 3, 1};
    geometry g = {windows[p[0]], 1, 1, 1, channels_for(n, x, p[1]), ATL_SAME};
    int kind = p[2], nchw = kind == 6;
    (void)y;
    g.stride = kind == 2 || kind == 3 ? 2 : 1;
    g.padding = kind == 1 || kind == 3 ? ATL_VALID : ATL_SAME;
    g.dilation = kind == 4 ? 2 : 1;
    g.groups = kind == 5 && channels_of(x) % 2 == 0 && g.channels % 2 == 0 ? 2 : 1;
    if (g.padding == ATL_VALID && smaller_side(x) < g.window)
        return x;
    net_say(n, ", %dx%d, %d channels%s%s%s%s%s", g.window, g.window, g.channels, g.stride == 2 ? ", stride 2" : "",
            g.padding == ATL_VALID ? ", valid" : "", g.dilation == 2 ? ", dilation 2" : "",
            g.groups == 2 ? ", 2 groups" : "", nchw ? ", NCHW" : "");
    atl_shape shape = ATL_SHAPE(g.window, g.window, channels_of(x) / g.groups, g.channels);
    atl_node *filter = filter_for(n, k, p[4] == 1, shape);
    n->products += (double)(height_of(x) * width_of(x) * atl_shape_count(shape)) / (g.stride * g.stride);
    x = nchw ? convolve_nchw(x, filter, &g)
             : atl_conv2d(x, filter, .stride = {g.stride, g.stride}, .padding = g.padding,
                          .dilation = {g.dilation, g.dilation}, .groups = g.groups);
    return finished(n, k, x, p[3]);
}

/* x + convolution(x): a residual block of one convolution. */
atl_node *net_residual(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int window = (int[]){3, 1, 5, 3}[p[0]], channels = (int)channels_of(x);
    (void)y;
    net_say(n, ", %dx%d, plus its operand%s%s", window, window, p[1] ? ", bias" : "", p[2] ? ", relu" : "");
    atl_shape shape = ATL_SHAPE(window, window, channels, channels);
    n->products += (double)(height_of(x) * width_of(x) * atl_shape_count(shape));
    atl_node *made = atl_conv2d(x, filter_for(n, k, 0, shape));
    if (p[1])
        made = atl_bias_add(made, net_variable(n, "bias", k, ATL_SHAPE(channels), atl_uniform(-0.3f, 0.3f)));
    made = p[3] ? atl_add(x, made) : atl_add(made, x);
    return p[2] ? atl_relu(made) : made;
}

atl_node *net_depthwise(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int multiplier = p[0] == 2 ? 2 : 1, stride = p[1] ? 2 : 1;
    (void)y;
    net_say(n, ", 3x3, multiplier %d, stride %d", multiplier, stride);
    atl_node *filter =
        net_variable(n, "depthwise", k, ATL_SHAPE(3, 3, channels_of(x), multiplier), atl_uniform(-0.5f, 0.5f));
    n->products += (double)(height_of(x) * width_of(x) * channels_of(x) * multiplier * 9);
    return finished(n, k, atl_depthwise_conv2d(x, filter, .stride = {stride, stride}), p[2]);
}

atl_node *net_transposed_convolution(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int channels = channels_for(n, x, p[0]), stride = p[1] && smaller_side(x) < 9 ? 2 : 1;
    (void)y;
    net_say(n, ", 3x3, %d channels, stride %d", channels, stride);
    atl_shape shape = ATL_SHAPE(3, 3, channels, channels_of(x));
    n->products += (double)(height_of(x) * width_of(x) * atl_shape_count(shape));
    atl_node *filter = net_variable(n, "transposed", k, shape, atl_he());
    return finished(n, k, atl_conv2d_transpose(x, filter, .stride = {stride, stride}), p[2]);
}

/* ---- several at once --------------------------------------------------------------------------------------------- */

/* Cut into parts along the channels, each treated in its own variant, and joined again. */
atl_node *net_branches(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    atl_node *parts[2];
    int64_t channels = channels_of(x);
    (void)y;
    if (channels % 2 || atl_split(x, 3, 2, NULL, parts))
        return x;
    net_say(n, ", %s", (const char *[]){"3x3 and 1x1", "1x1 and its operand", "relu and tanh"}[p[0]]);
    int64_t half = channels / 2;
    if (p[0] == 2)
        return atl_concat(3, atl_relu(parts[0]), atl_tanh(parts[1]));
    int window = p[0] ? 1 : 3;
    n->products += (double)(height_of(x) * width_of(x) * half * half * window * window);
    parts[0] = atl_conv2d(parts[0], net_variable(n, "left", k, ATL_SHAPE(window, window, half, half), atl_he()));
    if (p[0] == 0)
        parts[1] = atl_conv2d(parts[1], net_variable(n, "right", k, ATL_SHAPE(1, 1, half, half), atl_he()));
    return p[1] ? atl_concat(3, atl_relu(parts[0]), parts[1]) : atl_concat(3, parts[1], parts[0]);
}

/* Two 1x1 convolutions of one operand, joined: the fire module of SqueezeNet. */
atl_node *net_fire(net *n, int k, atl_node *x, atl_node *y, const int *p)
{
    int channels = channels_for(n, x, p[0]), window = p[1] ? 3 : 1;
    (void)y;
    if (channels > 32)
        channels = 32;
    net_say(n, ", 1x1 and %dx%d, %d channels each", window, window, channels);
    n->products += (double)(height_of(x) * width_of(x) * channels_of(x) * channels * (1 + window * window));
    atl_node *a = atl_conv2d(x, net_variable(n, "left", k, ATL_SHAPE(1, 1, channels_of(x), channels), atl_he()));
    atl_node *b =
        atl_conv2d(x, net_variable(n, "right", k, ATL_SHAPE(window, window, channels_of(x), channels), atl_he()));
    return p[2] ? atl_relu(atl_concat(3, a, b)) : atl_concat(3, atl_relu(a), atl_relu(b));
}
