/* Activation compression: a large value that is kept only for an op that needs little of it is replaced by a compact
 * form.  The relu's gradient, for example, needs one bit per element of the relu's result. */
#include "atled/program.h"
#include "cost/cost.h"
#include "graph/memory.h"
#include "ops/expression.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

enum {
    LONG = 4 /* nodes between the last other use and the first use that can take the compact form */
};

typedef struct value_uses {
    int64_t last,
        /* Uses of the value: the last one that needs the value itself; the first one that can take the compact form,
         * or 0. */
        first_compressed;
    int32_t reads;
    const atl_op *by;
    atl_node *compress; /* the compact node */
} value_uses;

static int can_compress(const atl_node *node, int i)
{
    return i >= 0 && i == node->input_count - 1 && atl_hooks_of(node)->compress &&
           atl_hooks_of(node)->from_compressed && atl_shape_equal(*node->inputs[i]->shape, *node->shape) &&
           (!atl_is_elementwise(node->op) || atl_shape_equal(*node->inputs[0]->shape, *node->shape));
}

/* The input of which the node can use the compact form. */
static const atl_node *compressible_input(const atl_node *node)
{
    int last = node->input_count - 1;
    return can_compress(node, last) ? node->inputs[last] : NULL;
}

static int is_candidate(const atl_node *node)
{
    return compressible_input(node) && atl_shape_count(*node->shape) >= atl_costs_in_use()->kept_image;
}

static void note_uses(value_uses *of, const atl_node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        value_uses *v = &of[node->inputs[i]->index];
        v->reads += atl_reads_input(node, i);
        if (atl_is_shape_input(node->op, i))
            continue;
        if (!can_compress(node, i))
            v->last = node->index;
        else if (!v->first_compressed) {
            v->first_compressed = node->index;
            v->by = node->op;
        } else if (v->by->hooks->compress != atl_hooks_of(node)->compress)
            v->last = node->index; /* it would need another form: that of a relu is not that of a relu6 */
    }
}

static int begin(atl_rewrite *r)
{
    const atl_graph *from = r->from;
    value_uses *of = r->context = atl_allocate((size_t)from->count, sizeof *of);
    if (!of)
        return 0;
    for (int64_t n = 0; n < from->count; n++)
        if (r->needed[n])
            note_uses(of, from->nodes[n]);
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        int pays = of[n].first_compressed > of[n].last + LONG && of[n].first_compressed > n + LONG && !r->prepack[n] &&
                   r->uses[n] == of[n].reads && atl_shape_count(*node->shape) >= atl_costs_in_use()->kept_image &&
                   !(node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT));
        if (!pays)
            of[n].by = NULL;
    }
    return 1;
}

static atl_node *compressed(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    value_uses *of = r->context;
    value_uses *v = &of[old->index];
    atl_node *made = NULL;
    const atl_node *input = compressible_input(old);
    if (input && of[input->index].compress)
        made = atl_hooks_of(old)->from_compressed(old, inputs, of[input->index].compress);
    else if (atl_expression_of(old))
        made = atl_fused(atl_expression_of(old), old->input_count, inputs);
    if (!v->by)
        return made;
    if (!made)
        made = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
    v->compress = made ? v->by->hooks->compress(made) : NULL;
    return v->compress ? made : NULL;
}

static void end(atl_rewrite *r) { atl_release(r->context); }

const atl_pass atl_compress_pass = {
    .is_candidate = is_candidate, .rule = compressed, .begin = begin, .end = end, .needs_use_counts = 1};
