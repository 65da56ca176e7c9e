/* Simplification: equations between element-wise ops (algebra.c), each op's own `simplify`, and equations between other
 * ops (peephole.c).  Element-wise ops
 * broadcast by themselves, so their inputs need no explicit broadcast.  An op on constants only becomes a constant. */
#include "atled/program.h"
#include "compiler/passes/algebra.h"
#include "compiler/passes/peephole.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "compiler/passes/simplify.h"

enum { MOST_INPUTS = 8 };

static int broadcast_to(int count, atl_node *const *inputs, atl_shape to)
{
    atl_shape shape = {0};
    for (int i = 0; i < count; i++)
        if (!atl_broadcast_shapes(shape, *inputs[i]->shape, &shape))
            return 0;
    return atl_shape_equal(shape, to);
}

/* The input that an array broadcasts; an array of equal constants becomes that constant; null if it broadcasts
 * nothing. */
static atl_node *repeated_by(atl_node *node)
{
    float value;
    if (node->shape->rank > 0 && atl_is_uniform(node, &value))
        return atl_scalar(node, value);
    return node->op->flags & ATL_OP_BROADCAST ? node->inputs[0] : NULL;
}

/* The element-wise node on its inputs before they were broadcast; the node itself if there is no such input. */
static atl_node *without_repeating(atl_node *node)
{
    atl_node *inputs[MOST_INPUTS];
    int changed = 0, count = node->input_count;
    if (!atl_is_elementwise(node->op) || count > MOST_INPUTS)
        return node;
    for (int i = 0; i < count; i++)
        inputs[i] = node->inputs[i];
    for (int i = 0; i < count; i++) {
        atl_node *repeated = inputs[i], *prepackable = repeated_by(repeated);
        if (!prepackable)
            continue;
        inputs[i] = prepackable;
        if (broadcast_to(count, inputs, *node->shape))
            changed = 1;
        else
            inputs[i] = repeated; /* its shape determines the shape of the result */
    }
    return changed ? atl_apply_with(node->op, node->attributes, (atl_nodes){count, inputs}) : node;
}

/* Evaluates an element-wise node on constants; null if the node is not one. */
static atl_node *reckoned(atl_node *node)
{
    const atl_op *op = node->op;
    double x[MOST_INPUTS];
    float given[MOST_INPUTS], value;
    const float *map_inputs[MOST_INPUTS];
    if (!atl_is_elementwise(op) || node->input_count > MOST_INPUTS || node->dtype != ATL_FLOAT32 ||
        op->flags & ATL_OP_RANDOM)
        return NULL;
    for (int i = 0; i < node->input_count; i++) {
        if (!atl_is_uniform(node->inputs[i], &given[i]))
            return NULL;
        x[i] = (double)given[i];
        map_inputs[i] = &given[i];
    }
    if (op->function)
        value = (float)op->function(x[0]);
    else if (op->element)
        value = (float)op->element(x, node->attributes);
    else
        op->map(node->attributes, 1, map_inputs, &value);
    return node->shape->rank ? atl_fill(node, value) : atl_scalar(node, value);
}

static atl_node *simpler_than(atl_node *node)
{
    atl_node *simpler = reckoned(node);
    if (!simpler)
        simpler = atl_simplify_by_algebra(node);
    if (!simpler && node->op->simplify)
        simpler = node->op->simplify(node);
    return simpler || node->graph->broken ? simpler : atl_simplify_by_peephole(node);
}

atl_node *atl_simplified(atl_node *node)
{
    if (node && node->op->flags & ATL_OP_SIDE_EFFECT) /* it has to run as it is */
        return node;
    for (int rounds = 0; node && rounds < 8; rounds++) {
        node = without_repeating(node);
        atl_node *simpler = node ? simpler_than(node) : NULL;
        if (!simpler)
            break;
        node = simpler;
    }
    return node;
}

static atl_node *simplified(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    atl_node *node = atl_rebuilt(r, old, inputs);
    for (int i = 0; node && i < old->input_count; i++)
        inputs[i]->read_once = r->uses[old->inputs[i]->index] == 1;
    return atl_simplified(node);
}

/* Rules that depend on who else reads a value: a concat of a concat (concat.c), a product of a transpose (transpose.c),
 * and some of the peephole's. */
int atl_readers_matter(const atl_node *node)
{
    for (int i = 0; node->op->simplify && i < node->input_count; i++)
        if (atl_hooks_of(node->inputs[i])->transposed || node->inputs[i]->op == node->op)
            return 1;
    return atl_peephole_looks_at_readers(node);
}

const atl_pass atl_simplify_pass = {.rule = simplified, .needs_use_counts = 1, .merges = 1};
