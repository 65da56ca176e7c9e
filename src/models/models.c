/* The table of networks: what is needed to build a network by its name and a file of weights. */
#include "atled/models.h"

#include <stdio.h>
#include <string.h>

#include "graph/error.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static const char *const cifar10_labels[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                             "dog",      "frog",       "horse", "ship", "truck"};
static const char *const vgg16_layers[] = {"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2",
                                           "conv3_3", "conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2",
                                           "conv5_3", "fc6",     "fc7",     "fc8",     NULL};
static const char *const cifar10_layers[] = {"conv1", "conv2", "local3", "local4", "softmax_linear", NULL};
static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const lenet_layers[] = {"conv1", "conv2", "dense1", "dense2", NULL},
                         *const mlp_layers[] = {"dense1",  "dense2",  "dense3",  "dense4",  "dense5",  "dense6",
                                                "dense7",  "dense8",  "dense9",  "dense10", "dense11", "dense12",
                                                "dense13", "dense14", "dense15", "dense16", NULL};
static const char *const squeezenet_layers[] = {"conv10", NULL}, *const resnet20_layers[] = {"linear", NULL};

static const atl_model cifar10 = {.name = "cifar10",
                                  .about = "CIFAR-10 network of TensorFlow's tutorial, 24 x 24",
                                  .build = atl_cifar10_with,
                                  .height = 24,
                                  .width = 24,
                                  .resize = 32,
                                  .classes = 10,
                                  .labels = cifar10_labels,
                                  .layers = cifar10_layers,
                                  .flat_layer = 2,
                                  .flat_area = 16};
static const atl_model cifar10_multiscale = {.name = "cifar10-multiscale",
                                             .about = "the same, its dense layers seeing both scales",
                                             .build = atl_cifar10_multiscale_with,
                                             .height = 24,
                                             .width = 24,
                                             .resize = 32,
                                             .classes = 10,
                                             .labels = cifar10_labels,
                                             .layers = cifar10_layers,
                                             .flat_layer = 2,
                                             .flat_area = 2};
static const atl_model lenet = {.name = "lenet",
                                .about = "LeNet for MNIST, 28 x 28",
                                .build = atl_lenet_with,
                                .height = 28,
                                .width = 28,
                                .resize = 28,
                                .classes = 10,
                                .labels = digits,
                                .layers = lenet_layers,
                                .flat_layer = 2,
                                .flat_area = 16};
static const atl_model mlp = {.name = "mlp",
                              .about = "dense layers of any widths, on pictures of any size",
                              .build = atl_mlp_with,
                              .height = 28,
                              .width = 28,
                              .resize = 28,
                              .classes = 10,
                              .layers = mlp_layers};
static const atl_model resnet20 = {.name = "resnet20",
                                   .about = "ResNet-20 for CIFAR-10, 32 x 32",
                                   .build = atl_resnet20_with,
                                   .height = 32,
                                   .width = 32,
                                   .resize = 32,
                                   .classes = 10,
                                   .labels = cifar10_labels,
                                   .suffixes = {".weight", ".bias", ".weight", ".bias", ".running_mean",
                                                ".running_var"},
                                   .layers = resnet20_layers,
                                   .weight_order = ATL_OUT_IN};
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

static const atl_model *const models[] = {&cifar10, &cifar10_multiscale, &lenet, &mlp, &resnet20, &squeezenet, &vgg16};

const atl_model *const *atl_models(int *count)
{
    if (count)
        *count = COUNT(models);
    return models;
}

const atl_model *atl_model_find(const char *name)
{
    for (int i = 0; i < COUNT(models); i++)
        if (name && strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}

/* The shape of the layer's weights, under the network's own key or the library's, whichever the archive has; a scalar
 * if it has neither. */
static atl_status weights_shape(const atl_model *model, const atl_npz *npz, int layer, atl_shape *shape)
{
    const char *own = ATL_NAME("%s/weights", model->layers[layer]);
    const char *usual = ATL_NAME("%s%s", model->layers[layer], model->suffixes[0] ? model->suffixes[0] : "/weights");
    const char *key = atl_npz_has(npz, own) ? own : usual;
    *shape = ATL_SCALAR;
    return atl_npz_has(npz, key) ? atl_npz_shape(npz, key, shape) : ATL_OK;
}

/* Filters are [.., out] or [out, ..]; dense weights likewise. */
static int64_t outputs_of(const atl_model *model, atl_shape shape)
{
    return shape.size[model->weight_order == ATL_OUT_IN ? 0 : shape.rank - 1];
}

/* The side of the square image whose flattened map has that many elements; 0 if there is none. */
static int64_t side_of(const atl_model *model, int64_t features, int64_t channels)
{
    for (int64_t side = 1; channels > 0 && side <= 4096; side++)
        if (side * side % model->flat_area == 0 && side * side / model->flat_area * channels == features)
            return side;
    return 0;
}

static atl_status measure(const atl_model *model, const atl_npz *npz, atl_model_size *size)
{
    atl_shape shape;
    for (int i = 0; model->layers[i]; i++) {
        atl_status status = weights_shape(model, npz, i, &shape);
        if (status)
            return status;
        if (shape.rank != 2 && shape.rank != 4)
            continue;
        int64_t out = outputs_of(model, shape);
        if (out > 0 && out < 1 << 24)
            size->widths[i] = (int)out;
        /* A perceptron may have any number of layers. */
        if ((!model->layers[i + 1] || model == &mlp) && size->widths[i])
            size->classes = size->widths[i];
        if (i && i == model->flat_layer && shape.rank == 2) {
            int64_t side = side_of(model, shape.size[0], size->widths[i - 1]);
            if (side)
                size->height = size->width = side;
        }
    }
    return ATL_OK;
}

atl_status atl_model_size_of(const atl_model *model, const char *path, atl_model_size *size_out)
{
    if (!model || !size_out)
        return atl_null_argument("atl_model_size_of", model ? "size_out is" : "the model is");
    *size_out = (atl_model_size){.height = model->height, .width = model->width, .classes = model->classes};
    if (!path)
        return ATL_OK;
    atl_npz *npz = atl_npz_open(path);
    if (!npz)
        return atl_error_status();
    atl_status status = measure(model, npz, size_out);
    atl_npz_close(npz);
    return status;
}

atl_status atl_model_load_with(const atl_model *model, const atl_npz_args *args)
{
    if (!model || !args)
        return atl_null_argument("atl_model_load", args ? "the model is" : "the options are");
    atl_npz_args usual = *args;
    atl_npz *npz = atl_npz_open(args->path);
    if (!npz)
        return atl_error_status();
    if (!atl_npz_has(npz, ATL_NAME("%s/weights", model->layers[0])))
        memcpy(usual.suffixes, model->suffixes, sizeof usual.suffixes);
    atl_npz_close(npz);
    return atl_load_npz_with(&usual);
}
