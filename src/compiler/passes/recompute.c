/* Results of fused groups that are computed again where they are read.
 *
 * A group stores an array for another group that is computed later: a batch norm's deviations, for example, or a
 * relu's gradient times the norm's factors.  Often the other group could compute it from what it reads anyway, by a
 * few operations in registers, which take less time than writing and reading an array beyond the caches.  So
 *
 * - a result is not stored if every group that reads it can compute it again, and reads no more arrays then;
 * - an array that is stored for others is computed again in a group that reads all arrays that this takes.
 *
 * Only operations that can run in registers are repeated.  They round as before, so the bits are the same. */
#include "compiler/passes/fuse.h"

enum {
    MOST_REPEATED = 8, /* operations of other groups in a group */
    LEAST_COUNT = 256  /* elements of an array: fewer are in the first-level cache, and an operation costs a call */
};

/* ---- who stores, and who reads ----------------------------------------------------------------------------------- */

static void note_reader(grouped_node *x, int32_t root)
{
    for (int i = 0; i < ATL_GROUP_READERS; i++)
        if (x->reader[i] < 0 || x->reader[i] == root) {
            x->reader[i] = root;
            return;
        }
    x->is_read_elsewhere = 1;
}

/* Sets .is_result, .reader and .is_read_elsewhere; .inside is the number of uses by groups. */
static void note_uses(const atl_rewrite *r, groups *g)
{
    const atl_graph *from = r->from;
    atl_sum_form form;
    for (int64_t n = 0; n < from->count; n++)
        for (int i = 0; i < ATL_GROUP_READERS; i++)
            g->of[n].reader[i] = -1;
    for (int64_t n = 0; n < from->count; n++) {
        const atl_node *node = from->nodes[n];
        const int32_t root = g->of[n].root;
        for (int i = 0; r->needed[n] && root >= 0 && i < node->input_count; i++) {
            grouped_node *x = &g->of[node->inputs[i]->index];
            if (x->root < 0 || !atl_reads_input(node, i))
                continue;
            x->inside++;
            if (x->root != root) {
                x->is_result = 1;
                note_reader(x, root);
            }
        }
    }
    for (int64_t n = 0; n < from->count; n++) {
        grouped_node *x = &g->of[n];
        x->is_read_elsewhere |= r->uses[n] > x->inside;
        x->is_result |= x->is_read_elsewhere;
        x->inside = 0;
        if (x->root >= 0)
            g->of[x->root].results += x->is_result || atl_group_is_sum(from->nodes[n], &form);
    }
}

/* ---- the members of a group -------------------------------------------------------------------------------------- */

static int is_in_memory(const groups *g, const atl_node *x)
{
    atl_sum_form form;
    return g->of[x->index].root < 0 || g->of[x->index].is_result || atl_group_is_sum(x, &form);
}

static int is_listed(const groups *g, const group_members *list, const atl_node *x)
{
    return g->of[x->index].listed == list->walk;
}

/* True if it reads a whole variable: what is computed again from that would keep it from being assigned in place. */
static int reads_variable(const atl_node *x)
{
    for (int i = 0; i < x->input_count; i++)
        if (x->inputs[i]->op->flags & ATL_OP_VARIABLE && atl_shape_equal(*x->inputs[i]->shape, *x->shape))
            return 1;
    return 0;
}

/* Appends a member of another group, if the group can compute it again. */
static int repeat_member(const atl_rewrite *r, groups *g, group_members *list, const atl_node *x)
{
    const int64_t root = g->of[list->node[0]->index].root;
    if (list->count == ATL_EXPRESSION_LENGTH || list->count - list->own == MOST_REPEATED ||
        atl_shape_count(*x->shape) < LEAST_COUNT || !atl_is_elementwise(x->op) || !atl_hooks_of(x)->element_op ||
        reads_variable(x) || r->prepack[x->index] != r->prepack[root] ||
        !atl_shape_equal(*x->shape, atl_group_shape(r->from->nodes[root])))
        return 0;
    g->of[x->index].listed = list->walk;
    list->node[list->count++] = x;
    return 1;
}

/* Appends what members from number `first` on read and nobody stores. */
static int repeat_unstored(const atl_rewrite *r, groups *g, group_members *list, int first)
{
    const atl_node *x[ATL_EXPRESSION_ARITY];
    for (int k = first; k < list->count; k++)
        for (int i = atl_group_operands(list->node[k], x) - 1; i >= 0; i--)
            if (!is_listed(g, list, x[i]) && !is_in_memory(g, x[i]) && !repeat_member(r, g, list, x[i]))
                return 0;
    return 1;
}

static void count_operands(const atl_rewrite *r, groups *g, group_members *list)
{
    const atl_node *x[ATL_EXPRESSION_ARITY];
    const atl_shape shape = atl_group_shape(r->from->nodes[g->of[list->node[0]->index].root]);
    const uint32_t walk = ++g->walks;
    list->arrays = list->vectors = list->numbers = 0;
    for (int k = 0; k < list->count; k++)
        for (int i = atl_group_operands(list->node[k], x) - 1; i >= 0; i--) {
            if (is_listed(g, list, x[i]) || g->of[x[i]->index].seen == walk)
                continue;
            g->of[x[i]->index].seen = walk;
            ++*(atl_group_is_number(x[i])              ? &list->numbers
                : atl_shape_equal(*x[i]->shape, shape) ? &list->arrays
                                                       : &list->vectors);
        }
}

/* A group that reads arrays of its own shape only can work on images in blocks of channels: it stays so. */
static int fits(const group_members *list, const group_members *before)
{
    return list->arrays <= before->arrays && list->arrays + list->vectors <= ATL_EXPRESSION_OPERANDS &&
           list->numbers <= ATL_EXPRESSION_SCALARS && (list->vectors == 0 || before->vectors > 0 || before->sums > 0);
}

static void shorten(groups *g, group_members *list, int count)
{
    while (list->count > count)
        g->of[list->node[--list->count]->index].listed = 0;
}

/* Computes the array again in this group, if that takes only arrays that the group reads anyway. */
static int replace_array(const atl_rewrite *r, groups *g, group_members *list, const atl_node *x)
{
    const group_members before = *list;
    if (is_listed(g, list, x) || g->of[x->index].root < 0)
        return 0;
    if (repeat_member(r, g, list, x) && repeat_unstored(r, g, list, before.count)) {
        count_operands(r, g, list);
        if (list->arrays < before.arrays && fits(list, &before))
            return 1;
    }
    shorten(g, list, before.count);
    count_operands(r, g, list);
    return 0;
}

/* Lists the group's members and what is computed again for them.  Returns 0 if it cannot be. */
static int list_all(const atl_rewrite *r, groups *g, int64_t root, group_members *list)
{
    const atl_node *x[ATL_EXPRESSION_ARITY];
    atl_sum_form form;
    list->count = list->sums = 0;
    list->walk = ++g->walks;
    for (int64_t n = root; n >= 0; n = g->of[n].next) {
        list->node[list->count++] = r->from->nodes[n];
        list->sums += atl_group_is_sum(r->from->nodes[n], &form);
        g->of[n].listed = list->walk;
    }
    list->own = list->count;
    if (!repeat_unstored(r, g, list, 0))
        return 0;
    count_operands(r, g, list);
    for (int k = 0; k < list->count; k++)
        for (int i = atl_group_operands(list->node[k], x) - 1; i >= 0; i--)
            replace_array(r, g, list, x[i]);
    return 1;
}

void atl_list_members(const atl_rewrite *r, groups *g, int64_t root, group_members *list)
{
    list_all(r, g, root, list);
    for (int k = 1; k < list->count; k++) { /* by index: a group is small */
        const atl_node *node = list->node[k];
        int at = k;
        for (; at > 0 && list->node[at - 1]->index > node->index; at--)
            list->node[at] = list->node[at - 1];
        list->node[at] = node;
    }
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

/* True if that group can do without the stored array. */
static int can_repeat(const atl_rewrite *r, groups *g, int64_t root, grouped_node *array)
{
    group_members before, list;
    array->is_result = 1;
    int possible = list_all(r, g, root, &before);
    array->is_result = 0;
    possible = possible && list_all(r, g, root, &list) && fits(&list, &before);
    array->is_result = 1;
    return possible;
}

/* What is computed again in that group reads results of others, which have to stay. */
static void keep_operands(const atl_rewrite *r, groups *g, int64_t root)
{
    group_members list;
    const atl_node *x[ATL_EXPRESSION_ARITY];
    list_all(r, g, root, &list);
    for (int k = list.own; k < list.count; k++)
        for (int i = atl_group_operands(list.node[k], x) - 1; i >= 0; i--)
            if (!is_listed(g, &list, x[i]))
                g->of[x[i]->index].is_kept = 1;
}

static void choose_result(const atl_rewrite *r, groups *g, const atl_node *node)
{
    grouped_node *array = &g->of[node->index];
    if (!array->is_result || array->is_kept || array->is_read_elsewhere || g->of[array->root].results == 1 ||
        !atl_hooks_of(node)->element_op)
        return;
    for (int i = 0; i < ATL_GROUP_READERS && array->reader[i] >= 0; i++)
        if (!can_repeat(r, g, array->reader[i], array))
            return;
    array->is_result = 0;
    g->of[array->root].results--;
    for (int i = 0; i < ATL_GROUP_READERS && array->reader[i] >= 0; i++)
        keep_operands(r, g, array->reader[i]);
}

void atl_choose_results(const atl_rewrite *r, groups *g)
{
    note_uses(r, g);
    for (int64_t n = 0; n < r->from->count; n++)
        if (g->of[n].root >= 0)
            choose_result(r, g, r->from->nodes[n]);
}
