/* SqueezeNet v1.1: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
#include "models/preprocess.h"

static atl_node *conv(atl_node *x, const char *name, int channels, int window, int stride, atl_padding padding)
{
    return atl_conv_layer(x, name, channels, .window = {window, window}, .stride = {stride, stride}, .padding = padding,
                          .weight_order = ATL_OUT_IN, .activation = atl_relu);
}

static atl_node *pool(atl_node *x, const char *name)
{
    return atl_named(atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}, .padding = ATL_VALID), "%s", name);
}

/* A fire module: few channels, then many of two window sizes, concatenated.  [n, h, w, c] -> [n, h, w, 2 * expand] */
static atl_node *fire(atl_node *x, int number, int squeeze, int expand)
{
    x = conv(x, ATL_NAME("fire%d_squeeze1x1", number), squeeze, 1, 1, ATL_SAME);
    atl_node *narrow = conv(x, ATL_NAME("fire%d_expand1x1", number), expand, 1, 1, ATL_SAME);
    atl_node *wide = conv(x, ATL_NAME("fire%d_expand3x3", number), expand, 3, 1, ATL_SAME);
    return atl_named(atl_concat(3, narrow, wide), "fire%d", number);
}

atl_node *atl_squeezenet_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_squeezenet", "the options are"), NULL;
    if (!atl_check_model_args(args, "squeezenet", 1, 3))
        return NULL;
    static const float mean[] = {123, 117, 104}, scale[] = {1, 1, 1};
    atl_node *h = atl_preprocess(args, mean, scale);
    h = atl_named(atl_reverse(h, 3), "bgr");
    h = pool(conv(h, "conv1", 64, 3, 2, ATL_VALID), "pool1");
    h = fire(h, 2, 16, 64);
    h = pool(fire(h, 3, 16, 64), "pool3");
    h = fire(h, 4, 32, 128);
    h = pool(fire(h, 5, 32, 128), "pool5");
    h = fire(h, 6, 48, 192);
    h = fire(h, 7, 48, 192);
    h = fire(h, 8, 64, 256);
    h = fire(h, 9, 64, 256);
    h = conv(h, "conv10", atl_width_of(args, 0, 1000), 1, 1, ATL_SAME);
    return atl_logits(atl_reduce_mean(h, ATL_AXES(1, 2)));
}

static const char *const squeezenet_layers[] = {"conv10", NULL};
static const atl_model squeezenet = {.name = "squeezenet",
                                     .about = "SqueezeNet v1.1 for ImageNet, 224 x 224",
                                     .build = atl_squeezenet_with,
                                     .height = 224,
                                     .width = 224,
                                     .resize = 256,
                                     .classes = 1000,
                                     .suffixes = {"_w_0", "_b_0"},
                                     .layers = squeezenet_layers,
                                     .weight_order = ATL_OUT_IN};
ATL_MODEL(squeezenet);
