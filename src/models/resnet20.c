/* ResNet-20 for CIFAR-10: He, Zhang, Ren & Sun, Deep residual learning for image recognition, 2015, section 4.2, with
 * shortcuts of option A: every second pixel, and zeros for the new channels. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
#include "models/preprocess.h"

/* Padding is explicit: with stride 2 it is at the top and left, unlike ATL_SAME's. */
static atl_node *conv_norm(const atl_model_args *args, atl_node *x, const char *conv, const char *norm, int channels,
                           int stride)
{
    x = atl_conv_layer(x, conv, channels, .window = {3, 3}, .stride = {stride, stride}, .padding = ATL_EXPLICIT,
                       .pad = {1, 1, 1, 1}, .weight_order = ATL_OUT_IN, .no_bias = 1);
    return atl_batch_norm_layer(x, norm, 1e-5f, .training = args->training, .all_reduce = args->all_reduce);
}

/* [n, h, w, c] -> [n, h / 2, w / 2, channels], with the old channels in the middle of the new ones. */
static atl_node *halve(atl_node *x, int channels)
{
    int64_t old = atl_shape_of(x).rank == 4 ? atl_shape_of(x).size[3] : channels;
    int64_t before = (channels - old) / 2, after = channels - old - before;
    x = atl_slice(x, .stride = {1, 2, 2, 1});
    return atl_pad(x, .before = {0, 0, 0, before}, .after = {0, 0, 0, after});
}

static atl_node *block(const atl_model_args *args, atl_node *x, int stage, int index, int channels)
{
    int first = stage > 1 && index == 0;
    const char *place = ATL_NAME("layer%d.%d", stage, index);
    atl_node *shortcut = first ? halve(x, channels) : x;
    atl_node *h = conv_norm(args, x, ATL_NAME("%s.conv1", place), ATL_NAME("%s.bn1", place), channels, first ? 2 : 1);
    h = conv_norm(args, atl_relu(h), ATL_NAME("%s.conv2", place), ATL_NAME("%s.bn2", place), channels, 1);
    return atl_relu(atl_add(h, shortcut));
}

atl_node *atl_resnet20_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_resnet20", "the options are"), NULL;
    if (!atl_check_model_args(args, "resnet20", 1, 3))
        return NULL;
    static const float mean[] = {255 * .485f, 255 * .456f, 255 * .406f};
    static const float scale[] = {1 / (255 * .229f), 1 / (255 * .224f), 1 / (255 * .225f)};
    atl_node *h = atl_preprocess(args, mean, scale);
    h = atl_relu(conv_norm(args, h, "conv1", "bn1", 16, 1));
    for (int stage = 1; stage <= 3; stage++)
        for (int i = 0; i < 3; i++)
            h = block(args, h, stage, i, 8 << stage);
    h = atl_reduce_mean(h, ATL_AXES(1, 2));
    return atl_logits(atl_dense_layer(h, "linear", atl_width_of(args, 0, 10), .weight_order = ATL_OUT_IN));
}

static const char *const resnet20_layers[] = {"linear", NULL};
static const atl_model resnet20 = {.name = "resnet20",
                                   .about = "ResNet-20 for CIFAR-10, 32 x 32",
                                   .build = atl_resnet20_with,
                                   .height = 32,
                                   .width = 32,
                                   .resize = 32,
                                   .classes = 10,
                                   .labels = atl_cifar10_labels,
                                   .suffixes = {".weight", ".bias", ".weight", ".bias", ".running_mean",
                                                ".running_var"},
                                   .layers = resnet20_layers,
                                   .weight_order = ATL_OUT_IN};
ATL_MODEL(resnet20);
