/* Networks that only the benchmarks know; bench/networks.py has the same for the frameworks. */
#include "networks.h"

#include <string.h>

typedef atl_node *activation(atl_node *x);

static bool in_training; /* batch norm by the batch's statistics */

static atl_node *batch_norm(atl_node *x, const char *name)
{
    return atl_batch_norm_layer(x, name, .training = in_training);
}

/* Convolution without a bias, batch norm, activation (null: none). */
static atl_node *conv_norm(atl_node *x, const char *name, int channels, int size, int stride, int groups,
                           activation *act)
{
    int pad = size / 2;
    x = atl_conv_layer(x, name, channels, .window = {size, size}, .stride = {stride, stride}, .padding = ATL_EXPLICIT,
                       .pad = {pad, pad, pad, pad}, .groups = groups, .no_bias = 1);
    x = batch_norm(x, ATL_NAME("%s/norm", name));
    return act ? act(x) : x;
}

static int64_t channels_of(atl_node *x) { return atl_shape_of(x).size[3]; }

static atl_node *classified(atl_node *x)
{
    return atl_dense_layer(atl_reduce_mean(x, ATL_AXES(1, 2)), "classes", 1000);
}

/* ---- MobileNetV2: Sandler et al. 2018 ---------------------------------------------------------------------------- */

static atl_node *inverted_residual(atl_node *x, const char *name, int channels, int stride, int expansion)
{
    int in = (int)channels_of(x), wide = in * expansion;
    atl_node *h = expansion == 1 ? x : conv_norm(x, ATL_NAME("%s/expand", name), wide, 1, 1, 1, atl_relu6);
    h = conv_norm(h, ATL_NAME("%s/depthwise", name), wide, 3, stride, wide, atl_relu6);
    h = conv_norm(h, ATL_NAME("%s/project", name), channels, 1, 1, 1, NULL);
    return stride == 1 && in == channels ? atl_add(x, h) : h;
}

static atl_node *mobilenet_v2(atl_node *x)
{
    static const int stages[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                    {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    x = conv_norm(x, "first", 32, 3, 2, 1, atl_relu6);
    for (int s = 0; s < 7; s++)
        for (int i = 0; i < stages[s][2]; i++)
            x = inverted_residual(x, ATL_NAME("block%d.%d", s, i), stages[s][1], i ? 1 : stages[s][3], stages[s][0]);
    return classified(conv_norm(x, "last", 1280, 1, 1, 1, atl_relu6));
}

/* ---- EfficientNet-B0: Tan and Le 2019; MobileNetV3-Small: Howard et al. 2019 ------------------------------------- */

/* x times a factor for each image and channel, made of the means over the image. */
static atl_node *squeeze_excite(atl_node *x, const char *name, int channels, activation *inner, activation *outer)
{
    atl_node *s = atl_reduce_mean(x, ATL_AXES(1, 2), .keep = 1);
    s = inner(atl_conv_layer(s, ATL_NAME("%s/squeeze", name), channels, .window = {1, 1}));
    s = outer(atl_conv_layer(s, ATL_NAME("%s/excite", name), (int)channels_of(x), .window = {1, 1}));
    return atl_mul(x, s);
}

/* The channels within, the channels made, the side of the window, the stride. */
typedef struct bottleneck {
    int wide, channels, size, stride;
} bottleneck;

static atl_node *excited_residual(atl_node *x, const char *name, bottleneck b, activation *act, int squeezed,
                                  activation *inner, activation *outer)
{
    int in = (int)channels_of(x);
    atl_node *h = b.wide == in ? x : conv_norm(x, ATL_NAME("%s/expand", name), b.wide, 1, 1, 1, act);
    h = conv_norm(h, ATL_NAME("%s/depthwise", name), b.wide, b.size, b.stride, b.wide, act);
    h = squeezed ? squeeze_excite(h, name, squeezed, inner, outer) : h;
    h = conv_norm(h, ATL_NAME("%s/project", name), b.channels, 1, 1, 1, NULL);
    return b.stride == 1 && in == b.channels ? atl_add(x, h) : h;
}

/* Of each stage: the expansion, the channels, the blocks, the stride of the first block, the side of the window. */
static const int efficientnet_stages[7][5] = {{1, 16, 1, 1, 3},  {6, 24, 2, 2, 3},  {6, 40, 2, 2, 5}, {6, 80, 3, 2, 3},
                                              {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5}, {6, 320, 1, 1, 3}};

/* Block i of a stage, for an image of that many channels. */
static bottleneck efficientnet_block(int stage, int i, int in)
{
    const int *s = efficientnet_stages[stage];
    return (bottleneck){in * s[0], s[1], s[4], i ? 1 : s[3]};
}

static atl_node *efficientnet_b0(atl_node *x)
{
    x = conv_norm(x, "first", 32, 3, 2, 1, atl_swish);
    for (int s = 0; s < 7; s++)
        for (int i = 0; i < efficientnet_stages[s][2]; i++) {
            int in = (int)channels_of(x);
            x = excited_residual(x, ATL_NAME("block%d.%d", s, i), efficientnet_block(s, i, in), atl_swish, in / 4,
                                 atl_swish, atl_sigmoid);
        }
    return classified(conv_norm(x, "last", 1280, 1, 1, 1, atl_swish));
}

/* EfficientNet-Lite0, as files made from TensorFlow's have it: no squeeze and excitation, relu6, batch norms folded
 * into the filters and biases, and padding that is one wider behind the image than before it where the stride is 2. */
static atl_node *biased_conv(atl_node *x, const char *name, int channels, int size, int stride, int groups,
                             atl_activation *act)
{
    return atl_conv_layer(x, name, channels, .window = {size, size}, .stride = {stride, stride}, .groups = groups,
                          .activation = act);
}

static atl_node *lite_residual(atl_node *x, const char *name, bottleneck b)
{
    int in = (int)channels_of(x);
    atl_node *h = b.wide == in ? x : biased_conv(x, ATL_NAME("%s/expand", name), b.wide, 1, 1, 1, atl_relu6);
    h = biased_conv(h, ATL_NAME("%s/depthwise", name), b.wide, b.size, b.stride, b.wide, atl_relu6);
    h = biased_conv(h, ATL_NAME("%s/project", name), b.channels, 1, 1, 1, NULL);
    return b.stride == 1 && in == b.channels ? atl_add(x, h) : h;
}

static atl_node *efficientnet_lite0(atl_node *x)
{
    x = biased_conv(x, "first", 32, 3, 2, 1, atl_relu6);
    for (int s = 0; s < 7; s++)
        for (int i = 0; i < efficientnet_stages[s][2]; i++)
            x = lite_residual(x, ATL_NAME("block%d.%d", s, i), efficientnet_block(s, i, (int)channels_of(x)));
    return classified(biased_conv(x, "last", 1280, 1, 1, 1, atl_relu6));
}

static atl_node *mobilenet_v3_small(atl_node *x)
{
    static const struct {
        bottleneck b;
        int squeezed, hard;
    } blocks[] = {{{16, 16, 3, 2}, 8, 0},    {{72, 24, 3, 2}, 0, 0},   {{88, 24, 3, 1}, 0, 0},
                  {{96, 40, 5, 2}, 24, 1},   {{240, 40, 5, 1}, 64, 1}, {{240, 40, 5, 1}, 64, 1},
                  {{120, 48, 5, 1}, 32, 1},  {{144, 48, 5, 1}, 40, 1}, {{288, 96, 5, 2}, 72, 1},
                  {{576, 96, 5, 1}, 144, 1}, {{576, 96, 5, 1}, 144, 1}};
    x = conv_norm(x, "first", 16, 3, 2, 1, atl_hard_swish);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        x = excited_residual(x, ATL_NAME("block%d", (int)i), blocks[i].b, blocks[i].hard ? atl_hard_swish : atl_relu,
                             blocks[i].squeezed, atl_relu, atl_hard_sigmoid);
    x = atl_reduce_mean(conv_norm(x, "last", 576, 1, 1, 1, atl_hard_swish), ATL_AXES(1, 2));
    return atl_dense_layer(atl_hard_swish(atl_dense_layer(x, "hidden", 1024)), "classes", 1000);
}

/* ---- ResNet-18: He et al. 2015 ----------------------------------------------------------------------------------- */

static atl_node *resnet18(atl_node *x)
{
    x = conv_norm(x, "first", 64, 7, 2, 1, atl_relu);
    x = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {1, 1, 1, 1});
    for (int i = 0; i < 8; i++) {
        int channels = 64 << i / 2, stride = i && i % 2 == 0 ? 2 : 1;
        atl_node *h = conv_norm(x, ATL_NAME("block%d/1", i), channels, 3, stride, 1, atl_relu);
        h = conv_norm(h, ATL_NAME("block%d/2", i), channels, 3, 1, 1, NULL);
        if (stride > 1)
            x = conv_norm(x, ATL_NAME("block%d/short", i), channels, 1, stride, 1, NULL);
        x = atl_relu(atl_add(h, x));
    }
    return classified(x);
}

/* ---- DenseNet-121: Huang et al. 2017 ----------------------------------------------------------------------------- */

static atl_node *normed(atl_node *x, const char *name) { return atl_relu(batch_norm(x, name)); }

static atl_node *plain_conv(atl_node *x, const char *name, int channels, int size)
{
    return atl_conv_layer(x, name, channels, .window = {size, size}, .no_bias = 1);
}

static atl_node *densenet121(atl_node *x)
{
    static const int depth[] = {6, 12, 24, 16};
    x = conv_norm(x, "first", 64, 7, 2, 1, atl_relu);
    x = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {1, 1, 1, 1});
    for (int s = 0; s < 4; s++) {
        for (int i = 0; i < depth[s]; i++) {
            const char *name = ATL_NAME("layer%d.%d", s, i);
            atl_node *h = plain_conv(normed(x, ATL_NAME("%s/norm1", name)), ATL_NAME("%s/1", name), 128, 1);
            h = plain_conv(normed(h, ATL_NAME("%s/norm2", name)), ATL_NAME("%s/2", name), 32, 3);
            x = atl_concat(3, x, h);
        }
        if (s == 3)
            break;
        x = plain_conv(normed(x, ATL_NAME("transition%d/norm", s)), ATL_NAME("transition%d", s),
                       (int)channels_of(x) / 2, 1);
        x = atl_avg_pool2d(x, .window = {2, 2}, .stride = {2, 2});
    }
    return classified(normed(x, "last/norm"));
}

/* ---- ViT-tiny: patches of 16 x 16, 192 wide, 12 layers of 3 heads; Touvron et al. 2020 --------------------------- */

enum { WIDTH = 192, HEADS = 3, TOKENS = 197 };

static atl_node *layer_norm(atl_node *x, const char *name)
{
    atl_graph *g = atl_graph_of(x);
    return atl_layer_norm(x, atl_variable(g, ATL_NAME("%s/scale", name), ATL_SHAPE(WIDTH), atl_fill_with(1)),
                          atl_variable(g, ATL_NAME("%s/shift", name), ATL_SHAPE(WIDTH), atl_zeros()), 1e-6f);
}

/* [n, tokens, 192] -> [n, heads, tokens, 64] */
static atl_node *heads(atl_node *x, const char *name)
{
    x = atl_reshape(atl_dense_layer(x, name, WIDTH), ATL_SHAPE(-1, TOKENS, HEADS, WIDTH / HEADS));
    return atl_transpose(x, .order = {0, 2, 1, 3});
}

static atl_node *attention(atl_node *x, const char *name)
{
    atl_node *q = heads(x, ATL_NAME("%s/query", name)), *k = heads(x, ATL_NAME("%s/key", name));
    atl_node *scores = atl_scale(atl_matmul(q, k, .transpose_b = 1), 0.125f);
    atl_node *y = atl_matmul(atl_softmax(scores), heads(x, ATL_NAME("%s/value", name)));
    y = atl_reshape(atl_transpose(y, .order = {0, 2, 1, 3}), ATL_SHAPE(-1, TOKENS, WIDTH));
    return atl_dense_layer(y, ATL_NAME("%s/out", name), WIDTH);
}

static atl_node *vit_tiny(atl_node *x)
{
    atl_graph *g = atl_graph_of(x);
    int64_t batch = atl_shape_of(x).size[0];
    x = atl_conv_layer(x, "patches", WIDTH, .window = {16, 16}, .stride = {16, 16}, .padding = ATL_VALID);
    x = atl_reshape(x, ATL_SHAPE(batch, TOKENS - 1, WIDTH));
    atl_node *token = atl_variable(g, "token", ATL_SHAPE(1, 1, WIDTH), atl_normal(0.02f));
    x = atl_concat(1, atl_broadcast_to(token, ATL_SHAPE(batch, 1, WIDTH)), x);
    x = atl_add(x, atl_variable(g, "places", ATL_SHAPE(1, TOKENS, WIDTH), atl_normal(0.02f)));
    for (int i = 0; i < 12; i++) {
        const char *name = ATL_NAME("layer%d", i);
        x = atl_add(x, attention(layer_norm(x, ATL_NAME("%s/norm1", name)), name));
        atl_node *h = layer_norm(x, ATL_NAME("%s/norm2", name));
        h = atl_gelu(atl_dense_layer(h, ATL_NAME("%s/up", name), 4 * WIDTH));
        x = atl_add(x, atl_dense_layer(h, ATL_NAME("%s/down", name), WIDTH));
    }
    x = atl_slice(layer_norm(x, "norm"), .begin = {0, 0, 0}, .end = {0, 1, 0});
    return atl_dense_layer(atl_reshape(x, ATL_SHAPE(batch, WIDTH)), "classes", 1000);
}

/* ---- small networks, for training -------------------------------------------------------------------------------- */

static atl_node *conv_pool(atl_node *x, const char *name, int channels)
{
    x = atl_conv_layer(x, name, channels, .window = {5, 5}, .activation = atl_relu);
    return atl_max_pool2d(x, .window = {2, 2}, .stride = {2, 2});
}

/* The usual network for handwritten digits. */
static atl_node *digits(atl_node *x)
{
    x = atl_flatten(conv_pool(conv_pool(x, "conv1", 32), "conv2", 64));
    return atl_dense_layer(atl_dense_layer(x, "hidden", 512, .activation = atl_relu), "classes", 10);
}

static atl_node *mlp_512(atl_node *x)
{
    x = atl_flatten(x);
    for (int i = 0; i < 3; i++)
        x = atl_dense_layer(x, ATL_NAME("hidden%d", i), 512, .activation = atl_relu);
    return atl_dense_layer(x, "classes", 10);
}

/* Twice the height and width. */
static atl_node *enlarged(atl_node *x, const char *name, int channels)
{
    atl_node *w = atl_variable(atl_graph_of(x), ATL_NAME("%s/weights", name), ATL_SHAPE(4, 4, channels, channels_of(x)),
                               atl_normal(0.05f));
    x = atl_conv2d_transpose(x, w, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {1, 1, 1, 1});
    return atl_add(x, atl_variable(atl_graph_of(x), ATL_NAME("%s/biases", name), ATL_SHAPE(channels), atl_zeros()));
}

/* The image again, from an eighth of its height and width. */
static atl_node *autoencoder(atl_node *x)
{
    for (int i = 0; i < 3; i++)
        x = atl_conv_layer(x, ATL_NAME("down%d", i), 32 << i, .window = {3, 3}, .stride = {2, 2},
                           .padding = ATL_EXPLICIT, .pad = {1, 1, 1, 1}, .activation = atl_relu);
    for (int i = 1; i >= 0; i--)
        x = atl_relu(enlarged(x, ATL_NAME("up%d", i), 32 << i));
    return enlarged(x, "image", 3);
}

static const struct {
    const char *name;
    atl_node *(*build)(atl_node *image);
} networks[] = {{"mobilenet_v2", mobilenet_v2},
                {"mobilenet_v3_small", mobilenet_v3_small},
                {"efficientnet_b0", efficientnet_b0},
                {"efficientnet_lite0", efficientnet_lite0},
                {"resnet18", resnet18},
                {"densenet121", densenet121},
                {"vit_tiny", vit_tiny},
                {"digits", digits},
                {"mlp_512", mlp_512},
                {"autoencoder", autoencoder}};

atl_node *bench_network(const char *name, atl_node *image)
{
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (!strcmp(networks[i].name, name))
            return networks[i].build(image);
    return NULL;
}

atl_node *bench_network_to_train(const char *name, atl_node *image)
{
    in_training = true;
    atl_node *y = bench_network(name, image);
    in_training = false;
    return y;
}
