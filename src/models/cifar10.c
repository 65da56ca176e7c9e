/* The CIFAR-10 network of TensorFlow's tutorial (after Krizhevsky's cuda-convnet), and its multi-scale variant. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
#include "models/preprocess.h"

/* (x - mean) / max(standard deviation, 1 / sqrt(count)) per image; the lower bound keeps a constant image finite. */
static atl_node *standardise(const atl_model_args *args)
{
    static const float none[] = {0, 0, 0}, one[] = {1, 1, 1};
    atl_node *x = args->image;
    atl_graph *graph = atl_graph_of(x);
    if (!graph || !atl_uses_own_scale(args))
        return atl_preprocess(args, none, one);
    atl_enter(graph, "preprocess");
    x = atl_sub(x, atl_reduce_mean(x, ATL_AXES(1, 2, 3), .keep = 1));
    atl_node *variance = atl_reduce_mean(atl_square(x), ATL_AXES(1, 2, 3), .keep = 1);
    /* One over the number of elements in an image. */
    atl_node *least = atl_size_ratio(variance, x);
    x = atl_preprocessed(atl_div(x, atl_sqrt(atl_maximum(variance, least))));
    atl_leave(graph);
    return x;
}

static atl_node *conv(atl_node *x, const char *name, int channels)
{
    return atl_conv_layer(x, name, channels, .window = {5, 5}, .initializer = atl_truncated_normal(0.05f),
                          .activation = atl_relu);
}

static atl_node *pool(atl_node *x, const char *name)
{
    return atl_named(atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2}), "%s", name);
}

static atl_node *norm(atl_node *x, const char *name)
{
    return atl_named(atl_lrn(x, .radius = 4, .bias = 1, .alpha = 0.001f / 9, .beta = 0.75f), "%s", name);
}

static atl_node *dense_layers(const atl_model_args *args, atl_node *x)
{
    x = atl_flatten(x);
    x = atl_dense_layer(x, "local3", atl_width_of(args, 2, 384), .initializer = atl_truncated_normal(0.04f),
                        .activation = atl_relu);
    x = atl_dense_layer(x, "local4", atl_width_of(args, 3, 192), .initializer = atl_truncated_normal(0.04f),
                        .activation = atl_relu);
    x = atl_dense_layer(x, "softmax_linear", atl_width_of(args, 4, 10),
                        .initializer = atl_truncated_normal(1 / 192.0f));
    return atl_logits(x);
}

atl_node *atl_cifar10_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_cifar10", "the options are"), NULL;
    if (!atl_check_model_args(args, "cifar10", 5, 3))
        return NULL;
    atl_node *h = conv(standardise(args), "conv1", atl_width_of(args, 0, 64));
    h = norm(pool(h, "pool1"), "norm1");
    h = conv(h, "conv2", atl_width_of(args, 1, 64));
    return dense_layers(args, pool(norm(h, "norm2"), "pool2"));
}

/* Normalises before pooling; conv2 reads the finer map; both maps, pooled to the same size, are concatenated. */
atl_node *atl_cifar10_multiscale_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_cifar10_multiscale", "the options are"), NULL;
    if (!atl_check_model_args(args, "cifar10_multiscale", 5, 3))
        return NULL;
    atl_node *fine = norm(conv(standardise(args), "conv1", atl_width_of(args, 0, 64)), "norm1");
    atl_node *coarse = norm(conv(fine, "conv2", atl_width_of(args, 1, 64)), "norm2");
    return dense_layers(args, atl_named(atl_concat(2, pool(fine, "pool1"), pool(coarse, "pool2")), "scales"));
}

const char *const atl_cifar10_labels[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                          "dog",      "frog",       "horse", "ship", "truck"};
static const char *const cifar10_layers[] = {"conv1", "conv2", "local3", "local4", "softmax_linear", NULL};
static const atl_model cifar10 = {.name = "cifar10",
                                  .about = "CIFAR-10 network of TensorFlow's tutorial, 24 x 24",
                                  .build = atl_cifar10_with,
                                  .height = 24,
                                  .width = 24,
                                  .resize = 32,
                                  .classes = 10,
                                  .labels = atl_cifar10_labels,
                                  .layers = cifar10_layers,
                                  .flat_layer = 2,
                                  .flat_area = 16};
ATL_MODEL(cifar10);

static const atl_model cifar10_multiscale = {.name = "cifar10-multiscale",
                                             .about = "the same, its dense layers seeing both scales",
                                             .build = atl_cifar10_multiscale_with,
                                             .height = 24,
                                             .width = 24,
                                             .resize = 32,
                                             .classes = 10,
                                             .labels = atl_cifar10_labels,
                                             .layers = cifar10_layers,
                                             .flat_layer = 2,
                                             .flat_area = 2};
ATL_MODEL(cifar10_multiscale);
