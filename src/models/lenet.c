/* Networks for small images: LeNet (LeCun et al. 1998) with relu and max pooling, and the multi-layer perceptron. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/preprocess.h"

/* Converts bytes to about -1..1, in one channel: the mean of R, G and B if there are three. */
static atl_node *grey(const atl_model_args *args)
{
    atl_node *x = args->image;
    atl_graph *graph = atl_graph_of(x);
    atl_shape shape = atl_shape_of(x);
    if (!graph)
        return NULL;
    atl_enter(graph, "preprocess");
    if (shape.rank == 4 && shape.size[3] == 3)
        x = atl_reduce_mean(x, ATL_AXES(3), .keep = 1);
    x = atl_preprocessed(args->scale[0] == 0 ? atl_add_scalar(atl_scale(x, 1 / 127.5f), -1)
                                             : atl_scale(atl_add_scalar(x, -args->mean[0]), args->scale[0]));
    atl_leave(graph);
    return x;
}

static atl_node *conv_pool(atl_node *x, const char *name, int channels)
{
    x = atl_conv_layer(x, name, channels, .window = {5, 5}, .activation = atl_relu);
    return atl_max_pool2d(x, .window = {2, 2}, .stride = {2, 2});
}

atl_node *atl_lenet_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_lenet", "the options are"), NULL;
    atl_node *h = conv_pool(grey(args), "conv1", atl_width_of(args, 0, 32));
    h = atl_flatten(conv_pool(h, "conv2", atl_width_of(args, 1, 32)));
    h = atl_dense_layer(h, "dense1", atl_width_of(args, 2, 96), .initializer = atl_he(), .activation = atl_relu);
    return atl_logits(atl_dense_layer(h, "dense2", atl_width_of(args, 3, 10)));
}

/* Uses the widths up to the first 0; the last one is the number of classes. */
atl_node *atl_mlp_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_mlp", "the options are"), NULL;
    atl_node *x = args->image;
    atl_graph *graph = atl_graph_of(x);
    if (!graph)
        return NULL;
    atl_enter(graph, "preprocess");
    x = atl_preprocessed(args->scale[0] == 0 ? atl_add_scalar(atl_scale(x, 1 / 127.5f), -1)
                                             : atl_scale(atl_add_scalar(x, -args->mean[0]), args->scale[0]));
    atl_leave(graph);
    x = atl_flatten(x);
    int layers = 0;
    while (layers < ATL_MODEL_LAYERS && args->widths[layers])
        layers++;
    static const int usual[] = {256, 10};
    const int *widths = layers ? args->widths : usual;
    layers = layers ? layers : 2;
    for (int i = 0; i < layers; i++)
        x = atl_dense_layer(x, ATL_NAME("dense%d", i + 1), widths[i],
                            .initializer = i < layers - 1 ? atl_he() : atl_glorot(),
                            .activation = i < layers - 1 ? atl_relu : NULL);
    return atl_logits(x);
}
