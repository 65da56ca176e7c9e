/* Gradients as nodes of the same graph: checks the request, runs the reverse pass (reverse.h), and collects the
 * adjoints. */
#include "atled/gradient.h"

#include <stdio.h>
#include <string.h>

#include "autodiff/reverse.h"
#include "common/plural.h"
#include "graph/memory.h"

static const char *cut_reason(const atl_node *node, int input)
{
    if (node->op->flags & ATL_OP_STOPS_GRADIENT)
        return "stops gradients";
    if (atl_is_shape_input(node->op, input))
        return "uses its shape only";
    return "does not pass one on: int32 values do not change smoothly";
}

/* Tells where a path from y to x is cut, if there is one.  This happens rarely, so it may be slow. */
static const char *explain_cut(atl_node *y, const atl_node *x, char *text, size_t size)
{
    atl_graph *graph = y->graph;
    char *depends = atl_allocate((size_t)graph->count, 1);
    text[0] = 0;
    if (!depends)
        return text;
    depends[x->index] = 1;
    for (int64_t n = x->index + 1; n <= y->index; n++)
        for (int i = 0; i < graph->nodes[n]->input_count; i++)
            depends[n] |= depends[graph->nodes[n]->inputs[i]->index];
    for (const atl_node *node = y; depends[y->index] && node != x;) {
        int next = 0;
        while (!depends[node->inputs[next]->index])
            next++;
        if (!atl_is_differentiable_edge(node, next)) {
            snprintf(text, size, "; a path leads through %s ('%s'), but that %s", node->op->name, atl_name_of(node),
                     cut_reason(node, next));
            break;
        }
        node = node->inputs[next];
    }
    atl_release(depends);
    return text;
}

static int check_nodes(atl_graph *graph, atl_nodes nodes, const char *what)
{
    for (int64_t i = 0; i < nodes.count; i++) {
        const atl_node *node = nodes.node[i];
        if (!node) {
            atl_set_error(ATL_INVALID, "gradient: %s is null", what);
            return 0;
        }
        if (node->graph != graph) {
            atl_graph_fail(graph, "gradient: '%s' (%s) is a node of another graph", atl_name_of(node), what);
            return 0;
        }
        if (node->dtype != ATL_FLOAT32) {
            atl_graph_fail(graph, "gradient: '%s' (%s) is %s; gradients exist for float32 only", atl_name_of(node),
                           what, atl_dtype_name(node->dtype));
            return 0;
        }
    }
    return 1;
}

static int check_seeds(atl_graph *graph, const atl_gradients_args *args)
{
    if (args->seeds.count && args->seeds.count != args->of.count) {
        atl_graph_fail(graph, "gradient: %lld seed%s for %lld y%s; give one for each, or none",
                       (long long)args->seeds.count, atl_plural(args->seeds.count), (long long)args->of.count,
                       atl_plural(args->of.count));
        return 0;
    }
    for (int64_t i = 0; i < args->seeds.count; i++) {
        const atl_node *seed = args->seeds.node[i], *y = args->of.node[i];
        char a[160], b[160];
        if (!seed || (seed->graph == graph && atl_may_be_equal(seed, y)))
            continue;
        atl_graph_fail(graph, "gradient: the seed '%s' is %s %s%s; it must be float32 %s, as '%s' is",
                       atl_name_of(seed), atl_dtype_name(seed->dtype), atl_shape_text(*seed->shape, a, sizeof a),
                       seed->graph == graph ? "" : " of another graph", atl_shape_text(*y->shape, b, sizeof b),
                       atl_name_of(y));
        return 0;
    }
    return 1;
}

static int seed_roots(atl_reverse_pass *p, const atl_gradients_args *args)
{
    for (int64_t i = 0; i < args->of.count; i++) {
        atl_node *y = args->of.node[i], *seed = args->seeds.count ? args->seeds.node[i] : NULL;
        atl_visit *v = atl_visit_of(p, y);
        if (!v->reaches)
            continue;
        p->graph->forward = y;
        if (!seed)
            seed = atl_fill(y, 1);
        v->adjoint = v->adjoint ? atl_add(v->adjoint, seed) : seed;
        p->graph->forward = NULL;
        if (!v->adjoint)
            return 0;
    }
    return 1;
}

static int fail_unused(const atl_reverse_pass *p, atl_node *y, const atl_node *x)
{
    char cut[600];
    atl_graph_fail(p->graph,
                   "gradient: no path leads from '%s' to '%s'%s. For zeros in such a case set .unused = "
                   "ATL_UNUSED_ZEROS",
                   atl_name_of(y), atl_name_of(x), explain_cut(y, x, cut, sizeof cut));
    return 0;
}

/* A node that is recomputed for gradients stands in them as `again`: both are one value, and its derivative is the sum
 * of theirs. */
static atl_visit *visit_again(const atl_reverse_pass *p, const atl_node *node)
{
    return node->again ? atl_visit_of(p, node->again) : NULL;
}

static int collect(atl_reverse_pass *p, const atl_gradients_args *args)
{
    for (int64_t i = 0; i < args->by.count; i++) {
        const atl_visit *v = atl_visit_of(p, args->by.node[i]), *again = visit_again(p, v->node);
        atl_node *dx = v->adjoint;
        if (again && again->adjoint)
            dx = dx ? atl_add(dx, again->adjoint) : again->adjoint;
        int connected = dx || v->user >= 0 || (again && again->user >= 0); /* a path with a zero gradient is a path */
        if (!connected && args->unused == ATL_UNUSED_ERROR)
            return fail_unused(p, args->of.node[0], v->node);
        if (!dx && (connected || args->unused == ATL_UNUSED_ZEROS)) {
            dx = atl_fill(v->node, 0);
            if (!dx)
                return 0;
        }
        args->result_out[i] = dx;
    }
    return 1;
}

/* Enters the node, and the one that recomputes it, as an x or as a node to stop at. */
static int enter(atl_reverse_pass *p, atl_node *node, int is_x)
{
    atl_node *both[] = {node, node->again};
    for (int k = 0; k < 2 && both[k]; k++) {
        int64_t at = atl_enter_visit(p, both[k]);
        if (at < 0)
            return 0;
        if (is_x)
            p->visits[at].is_x = p->visits[at].reaches = 1;
        else
            p->visits[at].is_stop = 1;
    }
    return 1;
}

static int differentiate(atl_reverse_pass *p, const atl_gradients_args *args)
{
    p->lowest = INT64_MAX;
    for (int64_t i = 0; i < args->by.count; i++) {
        if (!enter(p, args->by.node[i], 1))
            return 0;
        if (args->by.node[i]->index < p->lowest)
            p->lowest = args->by.node[i]->index;
    }
    for (int64_t i = 0; i < args->stop.count; i++)
        if (!enter(p, args->stop.node[i], 0))
            return 0;
    for (int64_t i = 0; i < args->of.count; i++)
        if (!atl_walk_from(p, args->of.node[i]))
            return 0;
    return seed_roots(p, args) && atl_run_reverse_pass(p) && collect(p, args);
}

/* Runs the pass; saves and restores the graph's scope and forward node. */
static int run_pass(atl_graph *graph, const atl_gradients_args *args)
{
    const char *scope = graph->scope, *own = atl_graph_unique_scope(graph, "gradients");
    atl_node *forward = graph->forward;
    atl_reverse_pass p = {.graph = graph, .overrides = args->overrides};
    if (own)
        graph->scope = own;
    graph->forward = NULL;
    int ok = own && differentiate(&p, args);
    atl_finish_pass(&p);
    graph->scope = scope;
    graph->forward = forward;
    return ok && !graph->broken;
}

atl_status atl_gradients_with(const atl_gradients_args *args)
{
    if (!args)
        return atl_null_argument("atl_gradients", "the options are");
    for (int64_t i = 0; args->result_out && i < args->by.count; i++)
        args->result_out[i] = NULL;
    if (ATL_LIST_IS_NULL(args->of) || ATL_LIST_IS_NULL(args->by) || ATL_LIST_IS_NULL(args->seeds) ||
        ATL_LIST_IS_NULL(args->stop))
        return atl_null_argument("atl_gradients", "a list of nodes is");
    atl_node *first = args->of.count ? args->of.node[0] : NULL;
    if (!first || !args->result_out || !args->by.count)
        return atl_set_error(ATL_INVALID,
                             "gradient: it takes at least one y, one x, and room for the result; a null y is the "
                             "result of an earlier mistake");
    atl_graph *graph = first->graph;
    if (graph->broken)
        return atl_set_error(graph->broken, "%s", graph->error);
    if (!check_nodes(graph, args->of, "a y") || !check_nodes(graph, args->by, "an x") ||
        !check_nodes(graph, args->stop, "a node to stop at") || !check_seeds(graph, args))
        return ATL_INVALID;
    if (run_pass(graph, args))
        return ATL_OK;
    for (int64_t i = 0; i < args->by.count; i++)
        args->result_out[i] = NULL;
    if (!graph->broken)
        atl_graph_out_of_memory(graph);
    return ATL_INVALID;
}

atl_node *atl_gradient(atl_node *y, atl_node *x)
{
    atl_node *dx = NULL;
    if (y && x)
        atl_gradients(ATL_NODES(y), ATL_NODES(x), &dx);
    return dx;
}
