/* Nodes that the networks share at their input and output. */
#include "models/preprocess.h"

static int all_equal(const float values[3], float to) { return values[0] == to && values[1] == to && values[2] == to; }

atl_node *atl_preprocessed(atl_node *node) { return atl_named(node, "result"); }
atl_node *atl_logits(atl_node *node) { return atl_named(node, "logits"); }

atl_node *atl_preprocess(const atl_model_args *args, const float mean[3], const float scale[3])
{
    atl_graph *graph = atl_graph_of(args->image);
    int own = args->scale[0] == 0;
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
