/* Rebuilds a graph for one pass. */
#include "compiler/passes/rewrite.h"

#include <string.h>

#include "atled/program.h"
#include "lowering/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"

static int analyse(atl_rewrite *r, const atl_pass *pass, int64_t count, atl_node *const *roots)
{
    const atl_graph *from = r->from;
    r->of = atl_allocate((size_t)from->count, sizeof *r->of);
    if (!r->of || !pass->needs_use_counts)
        return r->of != NULL;
    r->needed = atl_mark_needed(from, count, roots, 0);
    r->uses = atl_allocate((size_t)from->count, sizeof *r->uses);
    r->prepack = r->needed ? atl_mark_prepackable(from, r->needed) : NULL;
    if (!r->needed || !r->uses || !r->prepack)
        return 0;
    for (int64_t i = 0; i < count; i++)
        r->uses[roots[i]->index]++;
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        for (int i = 0; r->needed[n] && i < node->input_count; i++)
            if (atl_reads_input(node, i))
                r->uses[node->inputs[i]->index]++;
    }
    return 1;
}

/* The storage of a constant that a pass created is freed with its graph: the next graph needs its own. */
static atl_storage *storage_for(atl_node *node, const atl_node *old)
{
    atl_storage *storage = old->storage;
    if (!storage || storage->node != old)
        return storage;
    storage = atl_graph_allocate(node->graph, sizeof *storage);
    if (!storage)
        return NULL;
    *storage = *old->storage;
    storage->node = node;
    storage->value = atl_tensor_copy(old->storage->value);
    if (!storage->value)
        atl_graph_out_of_memory(node->graph);
    return storage;
}

atl_node *atl_rebuilt(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    atl_node *node = atl_repeat(r->to, old, inputs);
    if (node)
        node->storage = storage_for(node, old);
    return node && !r->to->broken ? node : NULL;
}

static int build_all(atl_rewrite *r, const atl_pass *pass, const char *kept)
{
    const atl_graph *from = r->from;
    int widest = 1;
    for (int64_t n = 0; n < from->count; n++)
        if (from->nodes[n]->input_count > widest)
            widest = from->nodes[n]->input_count;
    atl_node **inputs = atl_allocate((size_t)widest, sizeof *inputs);
    int ok = inputs != NULL;
    for (int64_t n = 0; ok && n < from->count; n++) {
        const atl_node *old = from->nodes[n];
        if (!kept[n])
            continue;
        for (int i = 0; i < old->input_count; i++)
            inputs[i] = r->of[old->inputs[i]->index];
        int64_t first = r->to->count;
        atl_node *made = pass->rule ? pass->rule(r, old, inputs) : NULL;
        if (!made && !r->to->broken)
            made = atl_rebuilt(r, old, inputs);
        ok = !r->to->broken;
        atl_note_origin(r->to, first, old, old->origin, r->of);
        r->of[n] = ok && r->merging.table ? atl_cse_new(&r->merging, r->to, first, made) : made;
    }
    atl_release(inputs);
    return ok;
}

static atl_node *new_of(const atl_rewrite *r, const atl_node *old) { return old ? r->of[old->index] : NULL; }

atl_status atl_run_pass(atl_copy *copy, int64_t count, atl_node **roots, const atl_pass *pass,
                        const atl_pass_options *options)
{
    atl_rewrite r = {.from = copy->graph,
                     .winograd = options->winograd,
                     .fuses = !(options->disabled & ATL_PASS_FUSE),
                     .packs_weights = options->packs_weights,
                     .micro_batch = options->micro_batch,
                     .to = atl_graph_new()};
    int merges = pass->merges && !(options->disabled & ATL_PASS_CSE);
    char *kept = atl_mark_needed(copy->graph, count, roots, 1);
    if (r.to)
        r.to->is_copy = 1;
    int ok = r.to && kept && analyse(&r, pass, count, roots) &&
             (!merges || atl_merging_begin(&r.merging, copy->graph->count));
    ok = ok && (!pass->begin || pass->begin(&r)) && (r.is_unchanged || build_all(&r, pass, kept));
    if (pass->end)
        pass->end(&r);
    atl_status status =
        ok ? ATL_OK
        : r.to && r.to->broken
            ? atl_set_error(r.to->broken == ATL_INVALID ? ATL_INTERNAL : r.to->broken, "compiling: %s", r.to->error)
            : atl_out_of_memory();
    if (ok && !r.is_unchanged) {
        for (int64_t i = 0; i < copy->count; i++)
            copy->of[i] = new_of(&r, copy->of[i]);
        for (int64_t i = 0; i < count; i++)
            roots[i] = new_of(&r, roots[i]);
        atl_graph_free(copy->graph);
        copy->graph = r.to;
    } else
        atl_graph_free(r.to);
    atl_release(kept);
    atl_release(r.needed);
    atl_release(r.uses);
    atl_release(r.prepack);
    atl_release(r.of);
    atl_merging_end(&r.merging);
    return status;
}

int atl_is_channel_vector(const atl_node *node, const atl_node *of)
{
    int64_t channels = of->shape->rank ? of->shape->size[of->shape->rank - 1] : 1;
    return of->shape->rank > 1 && atl_shape_count(*node->shape) == channels && node->shape->rank >= 1 &&
           node->shape->size[node->shape->rank - 1] == channels && node->shape->rank <= of->shape->rank;
}

atl_node *atl_as_channel_vector(const atl_rewrite *r, const atl_node *old)
{
    return atl_reshape(r->of[old->index], ATL_SHAPE(atl_shape_count(*old->shape)));
}

int atl_any_node(const atl_graph *graph, int (*is_so)(const atl_node *node))
{
    for (int64_t n = 0; n < graph->count; n++)
        if (is_so(graph->nodes[n]))
            return 1;
    return 0;
}
