/* Hoists relu gradients over the split of a concat's gradient.
 *
 * If a relu's gradient is applied to every part of an array, each with its part of a concat as the mask, then one relu
 * gradient can be applied to the whole array with the concat's result as the mask.  The parts can then be read in
 * place, and the relu gradient can move through a max-pool that follows the concat. */
#include "atled/program.h"
#include "graph/memory.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

typedef struct joins {
    const atl_node **join_of; /* of each node: the concat whose first input it is */
    const atl_node **whole;   /* of each node: the concat whose result is the mask of its parts */
    int32_t *relu_gradient;   /* of each node: the number of its uses that are such parts */
    char *is_relu_grad;       /* of each relu gradient: it is applied to such a part */
} joins;

/* The concat whose result is split in the same way as `part` splits its input. */
static const atl_node *join_of(const joins *j, const atl_node *part)
{
    const atl_node *join = part->input_count > 1 ? j->join_of[part->inputs[1]->index] : NULL;
    if (!join || join->input_count != part->input_count - 1 || join->index > part->inputs[0]->index)
        return NULL;
    for (int i = 0; i < join->input_count; i++)
        if (join->inputs[i] != part->inputs[1 + i])
            return NULL;
    return atl_shape_equal(*join->shape, *part->inputs[0]->shape) ? join : NULL;
}

static int is_relu_grad_part(const atl_rewrite *r, const joins *j, const atl_node *relu_grad)
{
    const atl_node *part = relu_grad->op->flags & ATL_OP_RELU_GRAD ? relu_grad->inputs[0] : NULL;
    return part && atl_hooks_of(part)->part && r->uses[part->index] == 1 && join_of(j, part) &&
           relu_grad->inputs[1] == part->inputs[1 + atl_hooks_of(part)->part(part)];
}

static void count_part(joins *j, const atl_node *part)
{
    int64_t array = part->inputs[0]->index;
    const atl_node *join = join_of(j, part);
    if (!j->relu_gradient[array])
        j->whole[array] = join;
    j->relu_gradient[array] += j->whole[array] == join; /* otherwise not all of its uses will be counted */
}

static void end_joining(atl_rewrite *r)
{
    joins *j = r->context;
    if (!j)
        return;
    atl_release(j->join_of);
    atl_release(j->whole);
    atl_release(j->relu_gradient);
    atl_release(j->is_relu_grad);
    atl_release(j);
}

static int find_joins(atl_rewrite *r)
{
    const atl_graph *from = r->from;
    joins *j = r->context = atl_allocate(1, sizeof *j);
    if (!j)
        return 0;
    j->join_of = atl_allocate((size_t)from->count, sizeof *j->join_of);
    j->whole = atl_allocate((size_t)from->count, sizeof *j->whole);
    j->relu_gradient = atl_allocate((size_t)from->count, sizeof *j->relu_gradient);
    j->is_relu_grad = atl_allocate((size_t)from->count, 1);
    if (!j->join_of || !j->whole || !j->relu_gradient || !j->is_relu_grad)
        return 0;
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        if (!r->needed[n])
            continue;
        if (node->op->flags & ATL_OP_CONCAT)
            j->join_of[node->inputs[0]->index] = node;
        j->is_relu_grad[n] = (char)is_relu_grad_part(r, j, node);
        if (j->is_relu_grad[n])
            count_part(j, node->inputs[0]);
    }
    return 1;
}

/* True if all uses of the array are parts with a relu gradient. */
static int all_parts_have_relu_grad(const atl_rewrite *r, const joins *j, const atl_node *array)
{
    return j->relu_gradient[array->index] > 0 && j->relu_gradient[array->index] == r->uses[array->index];
}

/* In nested concats the relu gradient of a part can be an array whose own parts have relu gradients: then its own one
 * goes, and the one for its parts comes in its place. */
static atl_node *joined(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const joins *j = r->context;
    int goes = j->is_relu_grad[old->index] && all_parts_have_relu_grad(r, j, old->inputs[0]->inputs[0]);
    atl_node *array = goes ? inputs[0] : NULL;
    if (!all_parts_have_relu_grad(r, j, old))
        return array;
    if (!goes) {
        array = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
        if (array)
            array->storage = old->storage;
    }
    return atl_relu_grad(array, r->of[j->whole[old->index]->index]);
}

static int is_candidate(const atl_node *node) { return atl_hooks_of(node)->part != NULL; }

const atl_pass atl_hoist_relu_grad_pass = {.is_candidate = is_candidate,
                                           .rule = joined,
                                           .begin = find_joins,
                                           .end = end_joining,
                                           .needs_use_counts = 1,
                                           .merges = 1};
