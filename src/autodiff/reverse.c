/* The reverse pass over the visits: each node's adjoint is complete before the rules of the node's op propagate it.
 * Only this file sums adjoints over broadcast dimensions.  An op without rules is expanded into ops that have some, and
 * a nested pass runs over the expansion. */
#include "autodiff/reverse.h"

#include <stdio.h>
#include <string.h>

#include "atled/ops.h"
#include "autodiff/recompute.h"
#include "graph/memory.h"

/* ---- reversing broadcasts ---------------------------------------------------------------------------------------- */

/* True if dx certainly has x's shape: known sizes agree, and an unknown size of x cannot be a broadcast 1, because
 * every other input has 1 or no dimension there. */
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

/* True if dx is certainly smaller than x in some dimension: a rule may return one number for many elements. */
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

/* ---- propagation ------------------------------------------------------------------------------------------------- */

/* "loss <- relu <- x": from a y by users to the visit, and by `towards` on to an x.  Long paths are shortened. */
static void write_path(const atl_reverse_pass *p, const atl_visit *at, char *text, size_t size)
{
    enum { SHOWN = 6 };
    const atl_visit *above[SHOWN];
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

static int fail_without_rule(atl_reverse_pass *p, atl_visit *v, int input)
{
    char path[1200];
    atl_node *node = v->node;
    v->towards = node->inputs[input]->mark - 1;
    write_path(p, v, path, sizeof path);
    atl_graph_fail(p->graph,
                   "gradient: the op %s ('%s') has no gradient with respect to its input %d, '%s', but the path to x "
                   "needs one: %s. "
                   "Give the op a gradient rule, or put atl_stop_gradient where nothing should flow",
                   node->op->name, atl_name_of(node), input + 1, atl_name_of(node->inputs[input]), path);
    return 0;
}

int atl_may_be_equal(const atl_node *a, const atl_node *b)
{
    int equal = a->shape->rank == b->shape->rank && a->dtype == b->dtype;
    for (int d = 0; equal && d < a->shape->rank; d++)
        equal = a->shape->size[d] == b->shape->size[d] || a->shape->size[d] == ATL_ANY || b->shape->size[d] == ATL_ANY;
    return equal;
}

/* Adds dx to the adjoint of input i.  Returns 0 on failure. */
static int hand_on(atl_reverse_pass *p, atl_node *y, int i, atl_node *dx)
{
    char have[160], want[160];
    atl_node *x = y->inputs[i];
    if (!dx)
        return !p->graph->broken; /* no gradient flows here */
    if (atl_is_elementwise(y->op))
        dx = undo_broadcast(dx, y, i);
    if (!dx)
        return 0;
    if (!atl_may_be_equal(dx, x)) {
        atl_graph_fail(p->graph,
                       "gradient: the rule of op %s ('%s') for its input %d returned %s %s; it must be float32 %s",
                       y->op->name, atl_name_of(y), i + 1, atl_dtype_name(dx->dtype),
                       atl_shape_text(*dx->shape, have, sizeof have), atl_shape_text(*x->shape, want, sizeof want));
        return 0;
    }
    atl_visit *to = atl_visit_of(p, x);
    to->adjoint = to->adjoint ? atl_add(to->adjoint, dx) : dx;
    return to->adjoint != NULL;
}

/* The partial derivatives of an expansion of y with respect to y's inputs, from input `first` on, that lead to an x,
 * given its adjoint; result[i] is null where no gradient flows. */
static int differentiate_expansion(const atl_reverse_pass *outer, atl_node *y, int first, atl_node *expansion,
                                   atl_node *dy, atl_node **result)
{
    atl_reverse_pass p = {.graph = y->graph, .local = 1, .lowest = y->index};
    int ok = 1;
    for (int i = 0; i < y->input_count; i++)
        if (y->inputs[i]->index < p.lowest)
            p.lowest = y->inputs[i]->index;
    for (int i = 0; i < y->input_count; i++)
        result[i] = i >= first && atl_reaches_x(outer, y, i) ? y->inputs[i] : NULL; /* asked before marks change */
    for (int i = 0; ok && i < y->input_count; i++) {
        int64_t x = result[i] ? atl_enter_visit(&p, result[i]) : 0;
        ok = x >= 0;
        if (ok && result[i])
            p.visits[x].is_x = 1;
    }
    ok = ok && atl_walk_from(&p, expansion);
    if (ok) {
        atl_visit_of(&p, expansion)->adjoint = dy;
        ok = atl_run_reverse_pass(&p);
    }
    for (int i = 0; i < y->input_count; i++) {
        atl_visit *x = ok && result[i] ? atl_visit_of(&p, result[i]) : NULL;
        result[i] = x ? x->adjoint : NULL;
        if (x)
            x->adjoint = NULL; /* an input that occurs twice gets its adjoint once */
    }
    atl_finish_pass(&p);
    return ok;
}

/* The node whose expansion is differentiated: y, or if input 0 has its gradient from another rule, the same op on a
 * first input that stops gradients, so that the expansion passes none on to it. */
static atl_node *expanded_for(atl_node *y, int but_first)
{
    if (!but_first)
        return y;
    atl_node **inputs = atl_allocate((size_t)y->input_count, sizeof *inputs);
    if (!inputs)
        return atl_graph_out_of_memory(y->graph);
    memcpy(inputs, y->inputs, (size_t)y->input_count * sizeof *inputs);
    inputs[0] = atl_stop_gradient(y->inputs[0]);
    atl_node *other = atl_apply_with(y->op, y->attributes, (atl_nodes){y->input_count, inputs});
    atl_release(inputs);
    return other;
}

/* but_first: input 0 is left out. */
static int pass_through_expansion(atl_reverse_pass *p, atl_node *y, atl_node *dy, int but_first)
{
    atl_node *expanded = expanded_for(y, but_first), *expansion = expanded ? y->op->expand(expanded) : NULL;
    atl_node **result = expansion ? atl_allocate((size_t)y->input_count, sizeof *result) : NULL;
    if (!result)
        return 0;
    int ok = differentiate_expansion(p, y, but_first != 0, expansion, dy, result);
    for (int i = 0; ok && i < y->input_count; i++)
        if (result[i])
            ok = hand_on(p, y, i, result[i]);
    atl_release(result);
    return ok;
}

/* The rule that overrides the op's own for this node, or null. */
static atl_gradient_rule *override_of(const atl_reverse_pass *p, const atl_node *node)
{
    for (const atl_override *o = p->overrides; o && o->op; o++)
        if (!strcmp(o->op, node->op->name) && (!o->scope || !strncmp(o->scope, atl_name_of(node), strlen(o->scope))))
            return o->rule;
    return NULL;
}

static int has_rule(const atl_op *op, int i) { return op->gradient_of || (i < ATL_MAX_RULES && op->gradient[i]); }

/* The first input that leads to an x and for which the op has no rule, counted from `first`; -1 if all have one. */
static int without_rule(const atl_reverse_pass *p, const atl_node *y, int first)
{
    for (int i = first; i < y->input_count; i++)
        if (atl_reaches_x(p, y, i) && !has_rule(y->op, i))
            return i;
    return -1;
}

static int apply_rules(atl_reverse_pass *p, atl_visit *v)
{
    atl_node *y = v->node, *dy = v->adjoint, *shown = atl_recomputed(y);
    const atl_op *op = y->op;
    atl_gradient_rule *instead = override_of(p, y);
    int first = instead != NULL;
    if (!shown)
        return 0;
    int lacking = without_rule(p, y, first);
    if (lacking >= 0 && !op->expand)
        return fail_without_rule(p, v, lacking);
    if (instead && y->input_count && atl_reaches_x(p, y, 0) && !hand_on(p, y, 0, instead(shown, dy)))
        return 0;
    if (lacking >= 0) /* the expansion knows all derivatives, those of inputs with a rule, too */
        return pass_through_expansion(p, y, dy, first);
    for (int i = first; i < y->input_count; i++) {
        if (!atl_reaches_x(p, y, i))
            continue;
        atl_gradient_rule *rule = i < ATL_MAX_RULES ? op->gradient[i] : NULL;
        if (!hand_on(p, y, i, rule ? rule(shown, dy) : op->gradient_of(shown, dy, i)))
            return 0;
    }
    return 1;
}

int atl_run_reverse_pass(atl_reverse_pass *p)
{
    for (int64_t i = p->order_count - 1; i >= 0; i--) {
        atl_visit *v = &p->visits[p->order[i]];
        if (!v->adjoint || v->towards < 0 || atl_pass_ends_at(p, v))
            continue;
        atl_node *outer_forward = p->graph->forward;
        if (!p->local) /* nodes that an expansion adds belong to the expanded node */
            p->graph->forward = v->node;
        int ok = apply_rules(p, v);
        p->graph->forward = outer_forward;
        if (!ok)
            return 0;
    }
    return 1;
}
