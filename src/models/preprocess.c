/* Nodes that the networks share at their input and output. */
#include "models/preprocess.h"

#include "atled/op.h"

static int all_equal(const float values[3], float to) { return values[0] == to && values[1] == to && values[2] == to; }

atl_node *atl_preprocessed(atl_node *node) { return atl_named(node, "result"); }
atl_node *atl_logits(atl_node *node) { return atl_named(node, "logits"); }

int atl_check_model_args(const atl_model_args *args, const char *network, int layers, int channels)
{
    atl_graph *graph = atl_graph_of(args->image);
    const float *m = args->mean, *s = args->scale;
    for (int i = 0; i < ATL_MODEL_LAYERS; i++)
        if (i >= layers ? args->widths[i] : args->widths[i] < 0)
            return atl_builder_error(graph, network, ".widths[%d] is %d, but %s", i, args->widths[i],
                                     i < layers ? "it must be positive" : "no layer has that width") != NULL;
    if (atl_uses_own_scale(args) && !all_equal(m, 0))
        return atl_builder_error(graph, network, ".mean is given without .scale: give both, or none") != NULL;
    for (int i = channels; i < 3; i++)
        if ((m[i] != 0 && m[i] != m[0]) || (s[i] != 0 && s[i] != s[0]))
            return atl_builder_error(graph, network,
                                     "it has one .mean and one .scale for all channels: give the first of each") !=
                   NULL;
    return 1;
}

atl_node *atl_preprocess(const atl_model_args *args, const float mean[3], const float scale[3])
{
    atl_graph *graph = atl_graph_of(args->image);
    int own = atl_uses_own_scale(args);
    const float *m = own ? mean : args->mean, *s = own ? scale : args->scale;
    atl_node *x = args->image;
    if (!graph || (all_equal(m, 0) && all_equal(s, 1)))
        return x;
    atl_enter(graph, "preprocess");
    if (!all_equal(m, 0))
        x = atl_sub(x, ATL_CONSTANT(x, m[0], m[1], m[2]));
    if (!all_equal(s, 1))
        x = atl_mul(x, ATL_CONSTANT(x, s[0], s[1], s[2]));
    atl_preprocessed(x);
    atl_leave(graph);
    return x;
}
