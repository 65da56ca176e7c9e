/* The gates of relu's gradient before a concat's gradient is split, not after it.
 *
 * Where all parts of an array are gated, each by what the concat had in its place, the array can be gated as a whole by the concat's
 * result.  The parts can then be read where they lie, and a max-pool after the concat lets the gate through. */
#include "atled/program.h"
#include "graph/memory.h"
#include "passes/rewrite.h"

typedef struct joins {
    const atl_node **join_of; /* of each node: the join whose first input it is */
    const atl_node **whole;   /* of each node: the join as whose result it is split into gated parts */
    int32_t *gated;           /* of each node: how many of its uses are such parts */
    char *is_gate;            /* of each gate: it is such a one */
} joins;

/* The join whose result is split as `part` splits its input. */
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

static int is_gated_part(const atl_rewrite *r, const joins *j, const atl_node *gate)
{
    const atl_node *part = gate->op->flags & ATL_OP_GATE ? gate->inputs[0] : NULL;
    return part && part->op->part && r->uses[part->index] == 1 && join_of(j, part) &&
           gate->inputs[1] == part->inputs[1 + part->op->part(part)];
}

static void count_part(joins *j, const atl_node *part)
{
    int64_t array = part->inputs[0]->index;
    const atl_node *join = join_of(j, part);
    if (!j->gated[array])
        j->whole[array] = join;
    j->gated[array] += j->whole[array] == join; /* else not all of its uses will be counted */
}

static void end_joining(atl_rewrite *r)
{
    joins *j = r->context;
    if (!j)
        return;
    atl_release(j->join_of);
    atl_release(j->whole);
    atl_release(j->gated);
    atl_release(j->is_gate);
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
    j->gated = atl_allocate((size_t)from->count, sizeof *j->gated);
    j->is_gate = atl_allocate((size_t)from->count, 1);
    if (!j->join_of || !j->whole || !j->gated || !j->is_gate)
        return 0;
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        if (!r->needed[n])
            continue;
        if (node->op->flags & ATL_OP_JOIN)
            j->join_of[node->inputs[0]->index] = node;
        j->is_gate[n] = (char)is_gated_part(r, j, node);
        if (j->is_gate[n])
            count_part(j, node->inputs[0]);
    }
    return 1;
}

/* All uses of the array are parts that are gated. */
static int is_gated_as_a_whole(const atl_rewrite *r, const joins *j, const atl_node *array)
{
    return j->gated[array->index] > 0 && j->gated[array->index] == r->uses[array->index];
}

static atl_node *joined(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const joins *j = r->context;
    if (j->is_gate[old->index] && is_gated_as_a_whole(r, j, old->inputs[0]->inputs[0]))
        return inputs[0];
    if (!is_gated_as_a_whole(r, j, old))
        return NULL;
    atl_node *array = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
    if (array)
        array->storage = old->storage;
    return atl_gate(array, r->of[j->whole[old->index]->index]);
}

static int concerns(const atl_node *node) { return node->op->part != NULL; }

const atl_pass atl_join_pass = {.flag = ATL_PASS_CONCAT,
                                .concerns = concerns,
                                .rule = joined,
                                .begin = find_joins,
                                .end = end_joining,
                                .looks_around = 1,
                                .merges = 1};
