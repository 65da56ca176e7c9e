/* VGG16: Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, 2014. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
#include "models/preprocess.h"

atl_node *atl_vgg16_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_vgg16", "the options are"), NULL;
    if (!atl_check_model_args(args, "vgg16", 16, 3))
        return NULL;
    static const int width[] = {64, 128, 256, 512, 512}, depth[] = {2, 2, 3, 3, 3};
    static const float mean[] = {123.68f, 116.779f, 103.939f}, scale[] = {1, 1, 1};
    atl_node *h = atl_preprocess(args, mean, scale);
    int layer = 0;
    for (int block = 0; block < 5; block++) {
        for (int i = 0; i < depth[block]; i++)
            h = atl_conv_layer(h, ATL_NAME("conv%d_%d", block + 1, i + 1), atl_width_of(args, layer++, width[block]),
                               .window = {3, 3}, .activation = atl_relu);
        h = atl_named(atl_max_pool2d(h, .window = {2, 2}, .stride = {2, 2}), "pool%d", block + 1);
    }
    h = atl_flatten(h);
    h = atl_dense_layer(h, "fc6", atl_width_of(args, 13, 4096), .activation = atl_relu);
    h = atl_dense_layer(h, "fc7", atl_width_of(args, 14, 4096), .activation = atl_relu);
    return atl_logits(atl_dense_layer(h, "fc8", atl_width_of(args, 15, 1000)));
}

static const char *const vgg16_layers[] = {"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2",
                                           "conv3_3", "conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2",
                                           "conv5_3", "fc6",     "fc7",     "fc8",     NULL};
static const atl_model vgg16 = {.name = "vgg16",
                                .about = "VGG16 for ImageNet, 224 x 224, or any widths and size that its weights have",
                                .build = atl_vgg16_with,
                                .height = 224,
                                .width = 224,
                                .resize = 256,
                                .classes = 1000,
                                .suffixes = {"_W", "_b"},
                                .layers = vgg16_layers,
                                .flat_layer = 13,
                                .flat_area = 32 * 32};
ATL_MODEL(vgg16);
