/* Runs the passes in the order of passes.def. */
#include "compiler/passes/passes.h"

#include "atled/program.h"
#include "graph/memory.h"
#include "compiler/passes/rewrite.h"
#include "compiler/passes/simplify.h"

#define ON_GRAPH(name, flag) {&atl_##name##_pass, flag},
#define IN_PLAN(name, flag)
static const struct {
    const atl_pass *pass;
    unsigned flag;
} on_graph[] = {
#include "compiler/passes/passes.def"
};
#undef ON_GRAPH
#undef IN_PLAN

#define ON_GRAPH(name, flag) {#name, flag},
#define IN_PLAN(name, flag)  {#name, flag},
static const atl_named_pass named[] = {
#include "compiler/passes/passes.def"
};

const atl_named_pass *atl_pass_table(int64_t *count_out)
{
    if (count_out)
        *count_out = sizeof named / sizeof *named;
    return named;
}

static atl_status run_all(atl_copy *copy, atl_nodes outputs, const atl_pass_options *options)
{
    atl_node **roots = atl_allocate((size_t)outputs.count, sizeof *roots);
    atl_status status = roots ? ATL_OK : atl_out_of_memory();
    for (int64_t i = 0; roots && i < outputs.count; i++)
        roots[i] = copy->of[outputs.node[i]->index];
    for (size_t i = 0; !status && i < sizeof on_graph / sizeof *on_graph; i++) {
        const atl_pass *pass = on_graph[i].pass;
        if (!(options->disabled & on_graph[i].flag) &&
            (!pass->is_candidate || atl_any_node(copy->graph, pass->is_candidate)))
            status = atl_run_pass(copy, outputs.count, roots, pass, options);
    }
    atl_release(roots);
    return status;
}

atl_status atl_run_passes(atl_nodes outputs, atl_input_shape *shape_of, const void *context, atl_pass_options options,
                          atl_copy *copy_out)
{
    unsigned at_once = ATL_PASS_CSE | ATL_PASS_SIMPLIFY;
    if (options.disabled & ATL_PASS_CONCAT_ELIMINATION)
        options.disabled |= ATL_PASS_HOIST_RELU_GRAD; /* which prepares for it */
    if (!(options.disabled & ATL_PASS_HOIST_RELU_GRAD) &&
        atl_any_node(outputs.node[0]->graph, atl_hoist_relu_grad_pass.is_candidate))
        at_once = ATL_PASS_CSE; /* it looks for concats before they are simplified */
    at_once &= ~options.disabled;
    atl_status status = atl_specialize_shapes(outputs, shape_of, context, at_once, copy_out);
    if (status)
        return status;
    if (at_once & ATL_PASS_SIMPLIFY && !atl_any_node(copy_out->graph, atl_readers_matter))
        options.disabled |= ATL_PASS_SIMPLIFY; /* already done during the copy */
    status = run_all(copy_out, outputs, &options);
    if (status)
        atl_copy_free(copy_out);
    return status;
}
