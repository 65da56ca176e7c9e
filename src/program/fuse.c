/* Chains and trees of element-wise ops become one node each, which is one pass over memory.
 *
 * Going back from users to inputs, an element-wise node joins the group of its user if that user is its only one and has the
 * same shape: so nothing is computed twice. */
#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "program/chain.h"
#include "program/rewrite.h"

typedef struct groups {
    int64_t *root;     /* of each old node: the node whose group it is in; -1: in none */
    int32_t *members;  /* of each root */
    int32_t *operands; /* of each root: at most so many */
    int32_t *place;    /* of each node while its group is built: its register, plus one */
} groups;

static int is_fusible(const atl_node *node)
{
    return atl_is_elementwise(node->op) && node->input_count <= ATL_CHAIN_ARITY;
}

static void end_fusing(atl_rewrite *r)
{
    groups *g = r->context;
    if (!g)
        return;
    atl_release(g->root);
    atl_release(g->members);
    atl_release(g->operands);
    atl_release(g->place);
    atl_release(g);
}

static int find_groups(atl_rewrite *r)
{
    size_t count = (size_t)r->from->count;
    groups *g = r->context = atl_allocate(1, sizeof *g);
    if (!g)
        return 0;
    g->root = atl_allocate(count, sizeof *g->root);
    g->members = atl_allocate(count, sizeof *g->members);
    g->operands = atl_allocate(count, sizeof *g->operands);
    g->place = atl_allocate(count, sizeof *g->place);
    if (!g->root || !g->members || !g->operands || !g->place)
        return 0;
    for (size_t n = 0; n < count; n++)
        g->root[n] = -1;
    for (int64_t n = r->from->count - 1; n >= 0; n--) {
        const atl_node *node = r->from->nodes[n];
        if (!r->needed[n] || !is_fusible(node))
            continue;
        if (g->root[n] < 0) {
            g->root[n] = n;
            g->members[n] = 1;
            g->operands[n] = node->input_count;
        }
        int64_t root = g->root[n];
        for (int i = 0; i < node->input_count; i++) {
            const atl_node *input = node->inputs[i];
            int64_t k = input->index;
            int joins = r->uses[k] == 1 && is_fusible(input) && g->root[k] < 0 && r->once[k] == r->once[root] &&
                        atl_shape_equal(input->shape, r->from->nodes[root]->shape) &&
                        g->members[root] < ATL_CHAIN_LENGTH &&
                        g->operands[root] + input->input_count - 1 <= ATL_CHAIN_OPERANDS;
            if (!joins)
                continue;
            g->root[k] = root;
            g->members[root]++;
            g->operands[root] += input->input_count - 1;
        }
    }
    return 1;
}

/* The members of a root's group, in order: inputs before users. They are found by walking down from the root. */
static int list_members(const groups *g, const atl_node *root, const atl_node **member)
{
    int count = 1;
    member[0] = root;
    for (int at = 0; at < count; at++)
        for (int i = 0; i < member[at]->input_count; i++)
            if (g->root[member[at]->inputs[i]->index] == root->index)
                member[count++] = member[at]->inputs[i];
    for (int i = 1; i < count; i++) { /* by index: a group is small */
        const atl_node *node = member[i];
        int k = i;
        for (; k > 0 && member[k - 1]->index > node->index; k--)
            member[k] = member[k - 1];
        member[k] = node;
    }
    return count;
}

static atl_node *fuse_group(atl_rewrite *r, const atl_node *root)
{
    groups *g = r->context;
    const atl_node *member[ATL_CHAIN_LENGTH], *operand[ATL_CHAIN_OPERANDS];
    atl_node *inputs[ATL_CHAIN_OPERANDS];
    atl_chain *chain = atl_graph_allocate(r->to, sizeof *chain);
    int count = list_members(g, root, member);
    if (!chain)
        return NULL;
    for (int k = 0; k < count; k++)
        for (int i = 0; i < member[k]->input_count; i++) {
            const atl_node *input = member[k]->inputs[i];
            if (g->root[input->index] == root->index || g->place[input->index])
                continue;
            operand[chain->operands] = input;
            inputs[chain->operands] = r->of[input->index];
            g->place[input->index] = ++chain->operands;
        }
    for (int k = 0; k < count; k++) {
        atl_instruction *to = &chain->instruction[chain->length++];
        void *attributes = atl_graph_allocate(r->to, member[k]->op->attributes + 1);
        if (!attributes)
            return NULL;
        memcpy(attributes, member[k]->attributes, member[k]->op->attributes); /* the old graph goes */
        *to = (atl_instruction){.op = member[k]->op, .attributes = attributes, .inputs = member[k]->input_count};
        for (int i = 0; i < to->inputs; i++)
            to->in[i] = g->place[member[k]->inputs[i]->index] - 1;
        g->place[member[k]->index] = chain->operands + k + 1;
    }
    for (int i = 0; i < chain->operands; i++)
        g->place[operand[i]->index] = 0;
    for (int k = 0; k < count; k++) /* the root may be an operand of a later group */
        g->place[member[k]->index] = 0;
    return atl_fused(chain, chain->operands, inputs);
}

static atl_node *fused(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const groups *g = r->context;
    (void)inputs;
    if (g->root[old->index] == old->index && g->members[old->index] > 1)
        return fuse_group(r, old);
    return NULL;
}

const atl_pass atl_fuse_pass = {.flag = ATL_PASS_FUSE, .rule = fused, .begin = find_groups, .end = end_fusing};
