/* Fusion of element-wise ops: chains, trees and diamonds become one node each, which makes one pass over memory.  Sums
 * over their results are computed in the same pass.
 *
 * Every element-wise node belongs to a group.  The group is computed at the position of its last member, the root.  The
 * pass goes from users to inputs.  A node joins the group of the user that is computed first, if it has the same shape.
 * All its other users come later, so there is no cycle, and nothing is computed twice.  A member with users outside the
 * group becomes one more result of the group: an optimizer's new weights and new moments are computed in one pass.
 *
 * A sum over elements is the root of a group, too.  In a second traversal, from inputs to users, such a group is merged
 * into an earlier group that computes or sums an array that it reads, if all its other inputs are computed by then.  So
 * a relu's gradient, its sum for the bias and its sums with the image for a batch norm take one pass. */
#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "compiler/passes/fuse.h"
#include "compiler/passes/passes.h"

/* What a group reads from memory, the constants that the expression contains, and the results of the group. */
typedef struct group_count {
    int operands, numbers, arrays, sums;
} group_count;

int atl_group_is_number(const atl_node *node)
{
    float value;
    return node->shape->rank == 0 && atl_is_uniform(node, &value);
}

/* A node whose value differs from run to run is not fused: nothing would show that the fused node must not be
 * prepacked. */
static int is_fusible(const atl_node *node)
{
    return atl_is_elementwise(node->op) && !(node->op->flags & (ATL_OP_SIDE_EFFECT | ATL_OP_RANDOM)) &&
           node->input_count <= ATL_EXPRESSION_ARITY;
}

int atl_group_is_sum(const atl_node *node, atl_sum_form *form)
{
    return !atl_is_elementwise(node->op) && atl_hooks_of(node)->as_sum && atl_hooks_of(node)->as_sum(node, form);
}

/* The arrays that a member reads. */
int atl_group_operands(const atl_node *node, const atl_node **x)
{
    atl_sum_form form;
    if (atl_group_is_sum(node, &form)) {
        x[0] = node->inputs[form.a];
        x[1] = form.b < 0 ? NULL : node->inputs[form.b];
        return form.b < 0 || form.b == form.a ? 1 : 2;
    }
    for (int i = 0; i < node->input_count; i++)
        x[i] = node->inputs[i];
    return node->input_count;
}

/* The shape over which the root's group runs. */
atl_shape atl_group_shape(const atl_node *root)
{
    atl_sum_form form;
    return atl_group_is_sum(root, &form) ? *root->inputs[form.a]->shape : *root->shape;
}

static void end_fusing(atl_rewrite *r)
{
    groups *g = r->context;
    if (g)
        atl_release(g->of);
    atl_release(g);
}

/* The members of a root's group, in order: inputs before users. */
static int list_members(const atl_rewrite *r, int64_t root, const atl_node **member)
{
    const groups *g = r->context;
    int count = 0;
    for (int64_t n = root; n >= 0; n = g->of[n].next) {
        int k = count++;
        for (; k > 0 && member[k - 1]->index > n; k--) /* by index: a group is small */
            member[k] = member[k - 1];
        member[k] = r->from->nodes[n];
    }
    return count;
}

static int fits(group_count c)
{
    return c.operands <= ATL_EXPRESSION_OPERANDS && c.numbers <= ATL_EXPRESSION_SCALARS &&
           c.arrays <= ATL_EXPRESSION_ARRAYS && c.sums <= ATL_EXPRESSION_SUMS;
}

/* Counts for the listed members, which all have the same root. */
static group_count count_group(const atl_rewrite *r, int members, const atl_node *const *member)
{
    groups *g = r->context;
    const atl_node *x[ATL_EXPRESSION_ARITY];
    group_count count = {0};
    atl_sum_form form;
    int32_t root = g->of[member[0]->index].root;
    uint32_t walk = ++g->walks;
    for (int k = 0; k < members; k++)
        for (int i = atl_group_operands(member[k], x) - 1; i >= 0; i--) {
            grouped_node *input = &g->of[x[i]->index];
            if (input->root == root)
                input->inside++;
            else if (input->seen != walk)
                ++*(atl_group_is_number(x[i]) ? &count.numbers : &count.operands);
            input->seen = walk;
        }
    for (int k = 0; k < members; k++) {
        grouped_node *of = &g->of[member[k]->index];
        if (atl_group_is_sum(member[k], &form))
            count.sums++;
        else
            count.arrays += r->uses[member[k]->index] > of->inside;
        of->inside = 0;
    }
    return count;
}

static void append_member(groups *g, int64_t root, int64_t n)
{
    g->of[n].root = (int32_t)root;
    g->of[g->of[root].last].next = (int32_t)n;
    g->of[root].last = (int32_t)n;
    g->of[root].members++;
}

/* Adds the node to the group, if there is room. */
static int joins(const atl_rewrite *r, groups *g, const atl_node *node, int64_t root)
{
    const atl_node *member[ATL_EXPRESSION_LENGTH];
    grouped_node *own = &g->of[node->index], *group = &g->of[root];
    int32_t last = group->last,
            given = group->given + node->input_count - 1; /* the node itself was an operand before */
    int32_t arrays = group->arrays + (r->uses[node->index] > 1);
    if (group->root != root || r->prepack[node->index] != r->prepack[root] ||
        !atl_shape_equal(*node->shape, atl_group_shape(r->from->nodes[root])) ||
        group->members == ATL_EXPRESSION_LENGTH)
        return 0;
    append_member(g, root, node->index);
    group->given = given;
    group->arrays = arrays;
    if (given <= ATL_EXPRESSION_OPERANDS && given <= ATL_EXPRESSION_SCALARS && arrays <= ATL_EXPRESSION_ARRAYS)
        return 1;
    int members = list_members(r, root, member);
    group_count count = count_group(r, members, member);
    group->given = count.operands + count.numbers;
    group->arrays = count.arrays;
    if (fits(count))
        return 1;
    own->root = g->of[last].next = -1;
    group->last = last;
    group->members--; /* the other counts stay upper bounds */
    return 0;
}

/* Records in an input where its user is computed: the earliest position counts. */
static void tell_input(grouped_node *input, int64_t place)
{
    if (input->first_use < 0 || place < input->first_use)
        input->first_use = (int32_t)place;
}

static void open_group(groups *g, const atl_node *root)
{
    grouped_node *own = &g->of[root->index];
    own->root = own->last = (int32_t)root->index;
    own->members = own->arrays = 1;
    own->given = root->input_count;
}

/* ---- merging sums into an earlier group -------------------------------------------------------------------------- */

static int have_equal_sums(const atl_node *const *member, int members)
{
    atl_sum_form first = {0}, form;
    int found = 0;
    for (int k = 0; k < members; k++)
        if (atl_group_is_sum(member[k], &form)) {
            if (found && (form.outer != first.outer || form.reduced != first.reduced || form.inner != first.inner))
                return 0;
            first = form;
            found = 1;
        }
    return found;
}

/* True if everything that the group reads from outside is computed before that position; constants have no position. */
static int is_known_at(const groups *g, const atl_node *const *member, int members, int64_t place)
{
    const atl_node *x[ATL_EXPRESSION_ARITY];
    atl_sum_form form;
    int64_t root = g->of[member[0]->index].root;
    for (int k = 0; k < members; k++)
        for (int i = atl_group_operands(member[k], x) - 1; i >= 0; i--) {
            int64_t n = x[i]->index, made = g->of[n].root < 0 ? n : g->of[n].root;
            if (made != root && !atl_group_is_number(x[i]) &&
                (made == place ? atl_group_is_sum(x[i], &form) : made > place || n > place))
                return 0;
        }
    return 1;
}

static void merge_groups(groups *g, int64_t root, int64_t into)
{
    for (int64_t n = root, next; n >= 0; n = next) {
        next = g->of[n].next;
        g->of[n].next = -1;
        append_member(g, into, n);
    }
}

/* Merges the group of a sum into an earlier one, if possible. */
static int joins_earlier(const atl_rewrite *r, groups *g, int64_t root, int64_t into)
{
    const atl_node *member[2 * ATL_EXPRESSION_LENGTH];
    if (into < 0 || into >= root || g->of[into].root != into || r->prepack[root] != r->prepack[into] ||
        g->of[root].members + g->of[into].members > ATL_EXPRESSION_LENGTH ||
        !atl_shape_equal(atl_group_shape(r->from->nodes[root]), atl_group_shape(r->from->nodes[into])))
        return 0;
    int members = list_members(r, root, member), all = members + list_members(r, into, member + members);
    if (!have_equal_sums(member, all) || !is_known_at(g, member, members, into))
        return 0;
    for (int k = 0; k < members; k++)
        g->of[member[k]->index].root = into;
    int fit = fits(count_group(r, all, member));
    for (int k = 0; k < members; k++)
        g->of[member[k]->index].root = root;
    if (fit)
        merge_groups(g, root, into);
    return fit;
}

/* Merges the sum's group into that of an array which it reads, or into one that sums the same array. */
static void place_sum(const atl_rewrite *r, groups *g, const atl_node *sum)
{
    const atl_node *member[ATL_EXPRESSION_LENGTH], *x[ATL_EXPRESSION_ARITY];
    int members = list_members(r, sum->index, member), placed = 0;
    for (int k = 0; k < members && !placed; k++)
        for (int i = atl_group_operands(member[k], x) - 1; i >= 0 && !placed; i--) {
            const grouped_node *input = &g->of[x[i]->index];
            if (atl_shape_equal(*x[i]->shape, atl_group_shape(sum)) && input->root != sum->index)
                placed =
                    joins_earlier(r, g, sum->index, input->root) || joins_earlier(r, g, sum->index, input->summed_by);
        }
    for (int k = 0; k < members; k++)
        for (int i = atl_group_operands(member[k], x) - 1; i >= 0; i--)
            if (g->of[x[i]->index].summed_by < 0)
                g->of[x[i]->index].summed_by = g->of[sum->index].root;
}

static int find_groups(atl_rewrite *r)
{
    groups *g = r->context = atl_allocate(1, sizeof *g);
    const atl_graph *from = r->from;
    atl_sum_form form;
    if (!g || !(g->of = atl_allocate((size_t)from->count, sizeof *g->of)))
        return 0;
    for (int64_t n = 0; n < from->count; n++)
        g->of[n].root = g->of[n].first_use = g->of[n].next = g->of[n].summed_by = -1;
    for (int64_t n = from->count - 1; n >= 0; n--) {
        const atl_node *node = from->nodes[n];
        grouped_node *own = &g->of[n];
        if (!r->needed[n])
            continue;
        if (is_fusible(node) ? own->first_use < 0 || !joins(r, g, node, own->first_use) : atl_group_is_sum(node, &form))
            open_group(g, node);
        for (int i = 0; i < node->input_count; i++)
            if (atl_reads_input(node, i))
                tell_input(&g->of[node->inputs[i]->index], own->root >= 0 ? own->root : n);
    }
    for (int64_t n = 0; n < from->count; n++)
        if (g->of[n].root == n && atl_group_is_sum(from->nodes[n], &form))
            place_sum(r, g, from->nodes[n]);
    atl_choose_results(r, g);
    return 1;
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

/* A group while its expression is built. */
typedef struct building {
    atl_rewrite *r;
    atl_expression expression;
    atl_expression_room room;
    int64_t root;
    group_members list;
    const atl_node *given[ATL_EXPRESSION_OPERANDS + ATL_EXPRESSION_SCALARS];
    const atl_node *array[ATL_EXPRESSION_ARRAYS], *sum[ATL_EXPRESSION_SUMS]; /* its results */
    atl_node *operand[ATL_EXPRESSION_OPERANDS + 1];                          /* and the second matrix of a product */
    int keeps_numbers; /* constants stay in the expression; but an expression has at least one operand */
} building;

/* Assigns registers to inputs from outside: operands in the first round, constants in the second. */
static void collect_given(building *b, int numbers)
{
    groups *g = b->r->context;
    atl_expression *expression = &b->expression;
    const atl_node *x[ATL_EXPRESSION_ARITY];
    for (int k = 0; k < b->list.count; k++) {
        int inputs = atl_group_operands(b->list.node[k], x);
        for (int i = 0; i < inputs; i++) {
            grouped_node *of = &g->of[x[i]->index];
            of->inside += numbers;
            if (of->listed == b->list.walk || of->place || (b->keeps_numbers && atl_group_is_number(x[i])) != numbers)
                continue;
            if (numbers)
                atl_is_uniform(x[i], &expression->number[expression->numbers++]);
            else
                b->operand[expression->operands++] = b->r->of[x[i]->index];
            b->given[expression->operands + expression->numbers - 1] = x[i];
            of->place = expression->operands + expression->numbers;
        }
    }
}

static void add_instruction(building *b, const atl_node *member)
{
    groups *g = b->r->context;
    atl_expression *expression = &b->expression;
    atl_instruction *to = &expression->instruction[expression->length];
    *to = (atl_instruction){.op = member->op, .attributes = member->attributes, .inputs = member->input_count};
    for (int i = 0; i < to->inputs && i < ATL_EXPRESSION_ARITY; i++)
        to->in[i] = (uint8_t)(g->of[member->inputs[i]->index].place - 1);
    if (g->of[member->index].root == b->root && g->of[member->index].is_result) {
        b->array[expression->arrays] = member;
        expression->array[expression->arrays++] = expression->length;
    }
    expression->length++;
    g->of[member->index].place = expression->operands + expression->numbers + expression->length;
}

static void add_sum(building *b, const atl_node *member, const atl_sum_form *form)
{
    const groups *g = b->r->context;
    atl_expression *expression = &b->expression;
    expression->outer = form->outer;
    expression->reduced = form->reduced;
    expression->inner = form->inner;
    b->sum[expression->sums] = member;
    expression->sum[expression->sums++] =
        (atl_expression_sum){.a = g->of[member->inputs[form->a]->index].place - 1,
                             .b = form->b < 0 ? -1 : g->of[member->inputs[form->b]->index].place - 1,
                             .scale = form->scale,
                             .shape = *member->shape};
}

static void add_members(building *b)
{
    atl_sum_form form;
    for (int k = 0; k < b->list.count; k++)
        if (atl_group_is_sum(b->list.node[k], &form))
            add_sum(b, b->list.node[k], &form);
        else
            add_instruction(b, b->list.node[k]);
}

/* Every result becomes a node that replaces the old one. */
static void hand_out_results(const building *b, atl_node *fused)
{
    int arrays = b->expression.arrays;
    for (int k = 0; k < arrays + b->expression.sums; k++)
        b->r->of[(k < arrays ? b->array[k] : b->sum[k - arrays])->index] = atl_fused_part(fused, k);
}

static void forget_places(const building *b)
{
    groups *g = b->r->context;
    for (int i = 0; i < b->expression.operands + b->expression.numbers; i++)
        g->of[b->given[i]->index].place = g->of[b->given[i]->index].inside = 0;
    for (int k = 0; k < b->list.count; k++) /* a member may be an operand of a later group */
        g->of[b->list.node[k]->index].place = g->of[b->list.node[k]->index].inside = 0;
}

/* Takes the place of a product of matrices that only this group reads: it is computed a few rows at a time, and never
 * written to memory as a whole. */
static void absorb_product(building *b)
{
    const groups *g = b->r->context;
    atl_expression *c = &b->expression;
    for (int i = 0; i < c->operands && c->product < 0 && !c->sums; i++) {
        const int64_t n = b->given[i]->index;
        atl_node *y = b->operand[i];
        if (b->r->uses[n] != g->of[n].inside || g->of[n].is_kept || b->r->prepack[n] != b->r->prepack[b->root] ||
            !atl_shape_equal(*y->shape, c->shape) || !atl_hooks_of(y)->as_rows ||
            !atl_hooks_of(y)->as_rows(y, &c->rows))
            continue;
        c->product = i;
        b->operand[i] = y->inputs[0];
        b->operand[c->operands] = y->inputs[1];
    }
}

static atl_node *fuse_group(atl_rewrite *r, int64_t root, const group_members *list)
{
    building b;
    b.r = r;
    b.root = root;
    b.expression = atl_expression_in(&b.room);
    b.list = *list;
    b.keeps_numbers = list->arrays + list->vectors > 0;
    b.expression.shape = atl_group_shape(r->from->nodes[root]);
    collect_given(&b, 0);
    collect_given(&b, 1);
    add_members(&b);
    absorb_product(&b);
    atl_node *fused = atl_fused(&b.expression, b.expression.operands + (b.expression.product >= 0), b.operand);
    if (fused)
        hand_out_results(&b, fused);
    forget_places(&b);
    return fused ? r->of[root] : NULL;
}

/* Members that their group does not store are rebuilt, too, but nobody needs them. */
static atl_node *fused(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    groups *g = r->context;
    group_members list;
    int64_t root = g->of[old->index].root;
    (void)inputs;
    if (root < 0 || old->index < root)
        return NULL;
    if (old->index > root)
        return r->of[old->index]; /* built with its group */
    atl_list_members(r, g, root, &list);
    return list.count > 1 ? fuse_group(r, root, &list) : NULL;
}

const atl_pass atl_fuse_pass = {.rule = fused, .begin = find_groups, .end = end_fusing, .needs_use_counts = 1};
