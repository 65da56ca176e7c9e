/* The multi-layer perceptron. */
#include "atled/layers.h"
#include "graph/error.h"
#include "models/model.h"
#include "models/preprocess.h"

/* The widths end at the first 0; the last one is the number of classes. */
atl_node *atl_mlp_with(const atl_model_args *args)
{
    if (!args)
        return atl_null_argument("atl_mlp", "the options are"), NULL;
    atl_node *x = args->image;
    atl_graph *graph = atl_graph_of(x);
    int layers = 0;
    while (layers < ATL_MODEL_LAYERS && args->widths[layers])
        layers++;
    if (!graph || !atl_check_model_args(args, "mlp", layers, 1))
        return NULL;
    atl_enter(graph, "preprocess");
    x = atl_preprocessed(atl_uses_own_scale(args) ? atl_add_scalar(atl_scale(x, 1 / 127.5f), -1)
                                                  : atl_scale(atl_add_scalar(x, -args->mean[0]), args->scale[0]));
    atl_leave(graph);
    x = atl_flatten(x);
    static const int usual[] = {256, 10};
    const int *widths = layers ? args->widths : usual;
    layers = layers ? layers : 2;
    for (int i = 0; i < layers; i++)
        x = atl_dense_layer(x, ATL_NAME("dense%d", i + 1), widths[i],
                            .initializer = i < layers - 1 ? atl_he() : atl_glorot(),
                            .activation = i < layers - 1 ? atl_relu : NULL);
    return atl_logits(x);
}

static const char *const mlp_layers[] = {"dense1",  "dense2",  "dense3",  "dense4",  "dense5",  "dense6",
                                         "dense7",  "dense8",  "dense9",  "dense10", "dense11", "dense12",
                                         "dense13", "dense14", "dense15", "dense16", NULL};
static const atl_model mlp = {.name = "mlp",
                              .about = "dense layers of any widths, on pictures of any size",
                              .build = atl_mlp_with,
                              .height = 28,
                              .width = 28,
                              .resize = 28,
                              .classes = 10,
                              .layers = mlp_layers,
                              .any_depth = 1};
ATL_MODEL(mlp);
