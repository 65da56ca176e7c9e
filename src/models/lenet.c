/* LeNet (LeCun et al. 1998) with relu and max pooling. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
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
    x = atl_preprocessed(atl_uses_own_scale(args) ? atl_add_scalar(atl_scale(x, 1 / 127.5f), -1)
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
    if (!atl_check_model_args(args, "lenet", 4, 1))
        return NULL;
    atl_node *h = conv_pool(grey(args), "conv1", atl_width_of(args, 0, 32));
    h = atl_flatten(conv_pool(h, "conv2", atl_width_of(args, 1, 32)));
    h = atl_dense_layer(h, "dense1", atl_width_of(args, 2, 96), .initializer = atl_he(), .activation = atl_relu);
    return atl_logits(atl_dense_layer(h, "dense2", atl_width_of(args, 3, 10)));
}

static const char *const lenet_layers[] = {"conv1", "conv2", "dense1", "dense2", NULL};
static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
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
ATL_MODEL(lenet);
