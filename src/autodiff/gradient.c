/* The reverse pass: adjoints as nodes of the same graph.
 *
 * One walk from the ys finds the nodes that lie on a path to an x, inputs before users.  Going back over them, each node's
 * adjoint is complete before it is handed on by the rules of the node's op.  What broadcasting has spread is summed up again
 * here, and nowhere else.  An op without rules is expanded into ops that have some, and a pass of its own runs over the
 * expansion.  Nothing recurses over the depth of a graph. */
#include "atled/gradient.h"

#include <stdio.h>
#include <string.h>

#include "autodiff/recompute.h"
#include "graph/graph.h"
#include "graph/memory.h"

typedef struct visit {
    atl_node *node;
    atl_node *adjoint; /* null: nothing has flowed here yet */
    int64_t user;      /* the visit through which the node was found; -1: none */
    int64_t towards;   /* an input on the way to an x; -1: none */
    int32_t outer;     /* the node's mark in the enclosing pass */
    int next_input;    /* of the walk */
    char is_x, is_stop, walked, reaches;
} visit;

/* While a pass runs, node->mark is one more than the index of the node's visit. */
typedef struct pass {
    atl_graph *graph;
    visit *visits;
    int64_t count, capacity;
    int64_t *order; /* indices of visits, inputs before users */
    int64_t order_count, order_capacity;
    int64_t *stack;
    int64_t depth, stack_capacity;
    int64_t lowest; /* no x has a lower index */
    int local;      /* the xs are independent of each other: the walk ends at them */
    const atl_override *overrides;
} pass;

/* The node's visit, or null.  A mark that an enclosing pass has left leads elsewhere. */
static visit *visit_of(const pass *p, const atl_node *node)
{
    int64_t mark = node->mark;
    return mark && mark <= p->count && p->visits[mark - 1].node == node ? &p->visits[mark - 1] : NULL;
}

/* The index of the node's visit, made if need be; -1 out of memory. */
static int64_t enter(pass *p, atl_node *node)
{
    visit *known = visit_of(p, node);
    if (known)
        return known - p->visits;
    if (p->count >= INT32_MAX || !ATL_GROW(p->visits, p->count, p->capacity))
        return -1;
    p->visits[p->count] = (visit){.node = node, .user = -1, .towards = -1, .outer = node->mark};
    node->mark = (int32_t)++p->count;
    return p->count - 1;
}

static void finish(pass *p)
{
    for (int64_t i = p->count - 1; i >= 0; i--)
        p->visits[i].node->mark = p->visits[i].outer;
    atl_release(p->visits);
    atl_release(p->order);
    atl_release(p->stack);
}

/* True if a gradient may flow from the node to its input i. */
static int is_differentiable_edge(const atl_node *node, int i)
{
    return node->dtype == ATL_FLOAT32 && node->inputs[i]->dtype == ATL_FLOAT32 && !atl_is_shape_input(node->op, i) &&
           !(node->op->flags & ATL_OP_STOPS_GRADIENT);
}

/* True if input i lies on the way to an x. */
static int is_wanted(const pass *p, const atl_node *node, int i)
{
    const visit *input = visit_of(p, node->inputs[i]);
    return is_differentiable_edge(node, i) && input && input->reaches;
}

/* True where the pass goes no further down. */
static int ends_at(const pass *p, const visit *v)
{
    return v->is_stop || (p->local && v->is_x) || v->node->index < p->lowest;
}

static int push(pass *p, int64_t index)
{
    if (!ATL_GROW(p->stack, p->depth, p->stack_capacity))
        return 0;
    p->stack[p->depth++] = index;
    return 1;
}

/* All inputs have been seen: takes the visit off the stack into the order. */
static int close_visit(pass *p)
{
    int64_t at = p->stack[--p->depth];
    visit *v = &p->visits[at];
    v->walked = 1;
    v->reaches = v->is_x || v->towards >= 0;
    if (v->reaches && p->depth)
        p->visits[p->stack[p->depth - 1]].towards = at;
    if (!ATL_GROW(p->order, p->order_count, p->order_capacity))
        return 0;
    p->order[p->order_count++] = at;
    return 1;
}

/* Walks down from one y in post-order.  0: out of memory. */
static int walk_from(pass *p, atl_node *y)
{
    int64_t root = enter(p, y);
    if (root < 0)
        return 0;
    if (p->visits[root].walked)
        return 1;
    if (!push(p, root))
        return 0;
    while (p->depth) {
        int64_t at = p->stack[p->depth - 1];
        atl_node *node = p->visits[at].node;
        int i = p->visits[at].next_input++;
        if (i >= node->input_count || ends_at(p, &p->visits[at])) {
            if (!close_visit(p))
                return 0;
            continue;
        }
        if (!is_differentiable_edge(node, i) || node->inputs[i]->index < p->lowest)
            continue;
        int64_t input = enter(p, node->inputs[i]);
        if (input < 0)
            return 0;
        if (p->visits[input].user < 0)
            p->visits[input].user = at;
        if (!p->visits[input].walked) {
            if (!push(p, input))
                return 0;
        } else if (p->visits[input].reaches)
            p->visits[at].towards = input;
    }
    return 1;
}

/* ---- broadcasting undone ------------------------------------------------------------------------------------------ */

/* True if dx certainly has x's shape: known sizes agree, and an unknown size of x cannot be a 1 that was spread, because every
 * other input has 1 or nothing there. */
static int certainly_fits(const atl_node *dx, const atl_node *y, int input)
{
    atl_shape want = *y->inputs[input]->shape, have = *dx->shape;
    if (want.rank != have.rank)
        return 0;
    for (int i = 1; i <= want.rank; i++) {
        int64_t size = want.size[want.rank - i];
        if (size != have.size[have.rank - i])
            return 0;
        for (int j = 0; size == ATL_ANY && j < y->input_count; j++) {
            atl_shape other = *y->inputs[j]->shape;
            if (y->inputs[j] != y->inputs[input] && i <= other.rank && other.size[other.rank - i] != 1)
                return 0;
        }
    }
    return 1;
}

/* True if dx is certainly smaller than x somewhere: a rule may return one number for many elements. */
static int is_smaller(const atl_node *dx, const atl_node *x)
{
    if (dx->shape->rank < x->shape->rank)
        return 1;
    for (int i = 1; i <= x->shape->rank; i++)
        if (dx->shape->size[dx->shape->rank - i] == 1 && x->shape->size[x->shape->rank - i] != 1)
            return 1;
    return 0;
}

static atl_node *undo_broadcast(atl_node *dx, atl_node *y, int input)
{
    if (certainly_fits(dx, y, input))
        return dx;
    if (is_smaller(dx, y->inputs[input]))
        dx = atl_broadcast_like(dx, y);
    return dx && certainly_fits(dx, y, input) ? dx : atl_sum_to(dx, y->inputs[input]);
}

/* ---- going back ------------------------------------------------------------------------------------------------------- */

/* "loss <- relu <- x": from a y by users to the visit, and by `towards` on to an x.  Long ways are cut short. */
static void write_path(const pass *p, const visit *at, char *text, size_t size)
{
    enum { SHOWN = 6 };
    const visit *above[SHOWN];
    int64_t i = at->user, used = 0;
    int count = 0;
    for (; i >= 0 && count < SHOWN; i = p->visits[i].user)
        above[count++] = &p->visits[i];
    text[0] = 0;
    if (i >= 0) {
        while (p->visits[i].user >= 0)
            i = p->visits[i].user;
        used += snprintf(text, size, "%s <- ... <- ", atl_name_of(p->visits[i].node));
    }
    while (count-- > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, "%s <- ", atl_name_of(above[count]->node));
    for (int n = 0; (size_t)used < size; n++, at = &p->visits[at->towards]) {
        used += snprintf(text + used, size - (size_t)used, "%s%s", n ? " <- " : "",
                         n < SHOWN ? atl_name_of(at->node) : "...");
        if (n == SHOWN || at->towards < 0)
            break;
    }
}

static int fail_without_rule(pass *p, visit *v, int input)
{
    char path[1200];
    atl_node *node = v->node;
    v->towards = node->inputs[input]->mark - 1;
    write_path(p, v, path, sizeof path);
    atl_graph_fail(
        p->graph,
        "gradient: the op %s ('%s') has no gradient with respect to its input %d, '%s', and stands in the way: %s. "
        "Give the op a gradient rule, or put atl_stop_gradient where nothing should flow",
        node->op->name, atl_name_of(node), input + 1, atl_name_of(node->inputs[input]), path);
    return 0;
}

/* True if the sizes that both know agree. */
static int may_be_equal(const atl_node *a, const atl_node *b)
{
    int equal = a->shape->rank == b->shape->rank && a->dtype == b->dtype;
    for (int d = 0; equal && d < a->shape->rank; d++)
        equal = a->shape->size[d] == b->shape->size[d] || a->shape->size[d] == ATL_ANY || b->shape->size[d] == ATL_ANY;
    return equal;
}

/* Adds dx to the adjoint of input i. 0 on failure. */
static int hand_on(pass *p, atl_node *y, int i, atl_node *dx)
{
    char have[160], want[160];
    atl_node *x = y->inputs[i];
    if (!dx)
        return !p->graph->broken; /* nothing flows this way */
    if (atl_is_elementwise(y->op))
        dx = undo_broadcast(dx, y, i);
    if (!dx)
        return 0;
    if (!may_be_equal(dx, x)) {
        atl_graph_fail(p->graph,
                       "gradient: the rule of op %s ('%s') for its input %d returned %s %s; it must be float32 %s",
                       y->op->name, atl_name_of(y), i + 1, atl_dtype_name(dx->dtype),
                       atl_shape_text(*dx->shape, have, sizeof have), atl_shape_text(*x->shape, want, sizeof want));
        return 0;
    }
    visit *to = visit_of(p, x);
    to->adjoint = to->adjoint ? atl_add(to->adjoint, dx) : dx;
    return to->adjoint != NULL;
}

static int reverse(pass *p);

/* The partial derivatives of an expansion of y by y's wanted inputs, given its adjoint; result[i] null where nothing flows. */
static int differentiate_expansion(const pass *outer, atl_node *y, atl_node *expansion, atl_node *dy, atl_node **result)
{
    pass p = {.graph = y->graph, .local = 1, .lowest = y->index};
    int ok = 1;
    for (int i = 0; i < y->input_count; i++)
        if (y->inputs[i]->index < p.lowest)
            p.lowest = y->inputs[i]->index;
    for (int i = 0; i < y->input_count; i++)
        result[i] = is_wanted(outer, y, i) ? y->inputs[i] : NULL; /* asked before marks change */
    for (int i = 0; ok && i < y->input_count; i++) {
        int64_t x = result[i] ? enter(&p, result[i]) : 0;
        ok = x >= 0;
        if (ok && result[i])
            p.visits[x].is_x = 1;
    }
    ok = ok && walk_from(&p, expansion);
    if (ok) {
        visit_of(&p, expansion)->adjoint = dy;
        ok = reverse(&p);
    }
    for (int i = 0; i < y->input_count; i++) {
        visit *x = ok && result[i] ? visit_of(&p, result[i]) : NULL;
        result[i] = x ? x->adjoint : NULL;
        if (x)
            x->adjoint = NULL; /* an input that stands twice is handed on once */
    }
    finish(&p);
    return ok;
}

static int pass_through_expansion(pass *p, atl_node *y, atl_node *dy)
{
    atl_node *expansion = y->op->expand(y);
    atl_node **result = expansion ? atl_allocate((size_t)y->input_count, sizeof *result) : NULL;
    if (!result)
        return 0;
    int ok = differentiate_expansion(p, y, expansion, dy, result);
    for (int i = 0; ok && i < y->input_count; i++)
        if (result[i])
            ok = hand_on(p, y, i, result[i]);
    atl_release(result);
    return ok;
}

/* The rule that takes the place of the op's own for this node, or null. */
static atl_gradient_rule *override_of(const pass *p, const atl_node *node)
{
    for (const atl_override *o = p->overrides; o && o->op; o++)
        if (!strcmp(o->op, node->op->name) && (!o->scope || !strncmp(o->scope, atl_name_of(node), strlen(o->scope))))
            return o->rule;
    return NULL;
}

static int apply_rules(pass *p, visit *v)
{
    atl_node *y = v->node, *dy = v->adjoint, *shown = atl_recomputed(y);
    const atl_op *op = y->op;
    atl_gradient_rule *instead = override_of(p, y);
    if (!shown)
        return 0;
    for (int i = 0; i < y->input_count; i++) {
        if (!is_wanted(p, y, i))
            continue;
        atl_gradient_rule *rule = i == 0 && instead ? instead : i < ATL_MAX_RULES ? op->gradient[i] : NULL;
        if (!op->gradient_of && !rule)
            return op->expand ? pass_through_expansion(p, y, dy) : fail_without_rule(p, v, i);
        if (!hand_on(p, y, i, rule ? rule(shown, dy) : op->gradient_of(shown, dy, i)))
            return 0;
    }
    return 1;
}

/* Hands the roots' adjoints down.  0 on failure, with the error on the graph unless memory ran out. */
static int reverse(pass *p)
{
    for (int64_t i = p->order_count - 1; i >= 0; i--) {
        visit *v = &p->visits[p->order[i]];
        if (!v->adjoint || v->towards < 0 || ends_at(p, v))
            continue;
        atl_node *outer_forward = p->graph->forward;
        if (!p->local) /* what an expansion adds belongs to the node expanded */
            p->graph->forward = v->node;
        int ok = apply_rules(p, v);
        p->graph->forward = outer_forward;
        if (!ok)
            return 0;
    }
    return 1;
}

/* ---- the public face ------------------------------------------------------------------------------------------------- */

static const char *cut_reason(const atl_node *node, int input)
{
    if (node->op->flags & ATL_OP_STOPS_GRADIENT)
        return "stops gradients";
    if (atl_is_shape_input(node->op, input))
        return "uses its shape only";
    return "does not pass one on: int32 values do not change smoothly";
}

/* Says where a way from y to x is cut, if there is one.  Rare, so it may be slow. */
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
        if (!is_differentiable_edge(node, next)) {
            snprintf(text, size, "; a way leads through %s ('%s'), but that %s", node->op->name, atl_name_of(node),
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
            atl_graph_fail(graph, "gradient: '%s' (%s) is %s; gradients are of and by float32 only", atl_name_of(node),
                           what, atl_dtype_name(node->dtype));
            return 0;
        }
    }
    return 1;
}

static int check_seeds(atl_graph *graph, const atl_gradients_args *args)
{
    if (args->seeds.count && args->seeds.count != args->of.count) {
        atl_graph_fail(graph, "gradient: %lld seeds for %lld ys; give one for each, or none",
                       (long long)args->seeds.count, (long long)args->of.count);
        return 0;
    }
    for (int64_t i = 0; i < args->seeds.count; i++) {
        const atl_node *seed = args->seeds.node[i], *y = args->of.node[i];
        char a[160], b[160];
        if (!seed || (seed->graph == graph && may_be_equal(seed, y)))
            continue;
        atl_graph_fail(graph, "gradient: the seed '%s' is %s %s%s; it must be float32 %s, as '%s' is",
                       atl_name_of(seed), atl_dtype_name(seed->dtype), atl_shape_text(*seed->shape, a, sizeof a),
                       seed->graph == graph ? "" : " of another graph", atl_shape_text(*y->shape, b, sizeof b),
                       atl_name_of(y));
        return 0;
    }
    return 1;
}

static int seed_roots(pass *p, const atl_gradients_args *args)
{
    for (int64_t i = 0; i < args->of.count; i++) {
        atl_node *y = args->of.node[i], *seed = args->seeds.count ? args->seeds.node[i] : NULL;
        visit *v = visit_of(p, y);
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

static int fail_unused(const pass *p, atl_node *y, const atl_node *x)
{
    char cut[600];
    atl_graph_fail(p->graph,
                   "gradient: no path leads from '%s' to '%s'%s. For zeros in such a case set .unconnected = "
                   "ATL_UNUSED_ZEROS",
                   atl_name_of(y), atl_name_of(x), explain_cut(y, x, cut, sizeof cut));
    return 0;
}

static int collect(pass *p, const atl_gradients_args *args)
{
    for (int64_t i = 0; i < args->by.count; i++) {
        const visit *v = visit_of(p, args->by.node[i]);
        atl_node *dx = v->adjoint;
        int connected = dx || v->user >= 0; /* a path of zero gradients is a path */
        if (!connected && args->unused == ATL_UNUSED_ERROR)
            return fail_unused(p, args->of.node[0], v->node);
        if (!dx && (connected || args->unused == ATL_UNUSED_ZEROS)) {
            dx = atl_fill(v->node, 0);
            if (!dx)
                return 0;
        }
        args->result[i] = dx;
    }
    return 1;
}

static int differentiate(pass *p, const atl_gradients_args *args)
{
    p->lowest = INT64_MAX;
    for (int64_t i = 0; i < args->by.count; i++) {
        int64_t x = enter(p, args->by.node[i]);
        if (x < 0)
            return 0;
        p->visits[x].is_x = p->visits[x].reaches = 1;
        if (args->by.node[i]->index < p->lowest)
            p->lowest = args->by.node[i]->index;
    }
    for (int64_t i = 0; i < args->stop.count; i++) {
        int64_t stop = enter(p, args->stop.node[i]);
        if (stop < 0)
            return 0;
        p->visits[stop].is_stop = 1;
    }
    for (int64_t i = 0; i < args->of.count; i++)
        if (!walk_from(p, args->of.node[i]))
            return 0;
    return seed_roots(p, args) && reverse(p) && collect(p, args);
}

/* Runs the pass with the graph's scope and forward node set aside. */
static int run_pass(atl_graph *graph, const atl_gradients_args *args)
{
    const char *scope = graph->scope, *own = atl_graph_unique_scope(graph, "gradients");
    atl_node *forward = graph->forward;
    pass p = {.graph = graph, .overrides = args->overrides};
    if (own)
        graph->scope = own;
    graph->forward = NULL;
    int ok = own && differentiate(&p, args);
    finish(&p);
    graph->scope = scope;
    graph->forward = forward;
    return ok && !graph->broken;
}

atl_status atl_gradients_with(const atl_gradients_args *args)
{
    if (!args)
        return atl_null_argument("atl_gradients", "the options are");
    for (int64_t i = 0; args->result && i < args->by.count; i++)
        args->result[i] = NULL;
    if (ATL_LIST_IS_NULL(args->of) || ATL_LIST_IS_NULL(args->by) || ATL_LIST_IS_NULL(args->seeds) ||
        ATL_LIST_IS_NULL(args->stop))
        return atl_null_argument("atl_gradients", "a list of nodes is");
    atl_node *first = args->of.count ? args->of.node[0] : NULL;
    if (!first || !args->result || !args->by.count)
        return atl_set_error(ATL_INVALID,
                             "gradient: it takes at least one y, one x, and room for the result; a null y is the "
                             "result of an earlier mistake");
    atl_graph *graph = first->graph;
    if (graph->broken)
        return atl_set_error(ATL_INVALID, "%s", graph->error);
    if (!check_nodes(graph, args->of, "a y") || !check_nodes(graph, args->by, "an x") ||
        !check_nodes(graph, args->stop, "a node to stop at") || !check_seeds(graph, args))
        return ATL_INVALID;
    if (run_pass(graph, args))
        return ATL_OK;
    for (int64_t i = 0; i < args->by.count; i++)
        args->result[i] = NULL;
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
