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
    int32_t *numbers;  /* likewise: known beforehand */
    int32_t *place;    /* of each node while its group is built: its register, plus one */
} groups;

static int is_number(const atl_node *node)
{
    float value;
    return node->shape.rank == 0 && atl_is_uniform(node, &value);
}

/* Inputs that a group would read from memory for this node; numbers known beforehand stand in the chain. */
static int operands_of(const atl_node *node)
{
    int count = 0;
    for (int i = 0; i < node->input_count; i++)
        count += !is_number(node->inputs[i]);
    return count;
}

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
    atl_release(g->numbers);
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
    g->numbers = atl_allocate(count, sizeof *g->numbers);
    g->place = atl_allocate(count, sizeof *g->place);
    if (!g->root || !g->members || !g->operands || !g->numbers || !g->place)
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
            g->operands[n] = operands_of(node);
            g->numbers[n] = node->input_count - g->operands[n];
        }
        int64_t root = g->root[n];
        for (int i = 0; i < node->input_count; i++) {
            const atl_node *input = node->inputs[i];
            int64_t k = input->index;
            int joins = r->uses[k] == 1 && is_fusible(input) && g->root[k] < 0 && r->once[k] == r->once[root] &&
                        atl_shape_equal(input->shape, r->from->nodes[root]->shape) &&
                        g->members[root] < ATL_CHAIN_LENGTH &&
                        g->operands[root] + operands_of(input) - 1 <= ATL_CHAIN_OPERANDS &&
                        g->numbers[root] + input->input_count - operands_of(input) <= ATL_CHAIN_NUMBERS;
            if (!joins)
                continue;
            g->root[k] = root;
            g->members[root]++;
            g->operands[root] += operands_of(input) - 1;
            g->numbers[root] += input->input_count - operands_of(input);
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

/* A group while its chain is made. */
typedef struct building {
    atl_rewrite *r;
    atl_chain *chain;
    const atl_node *root, *member[ATL_CHAIN_LENGTH], *given[ATL_CHAIN_OPERANDS + ATL_CHAIN_NUMBERS];
    atl_node *operand[ATL_CHAIN_OPERANDS];
    int members;
} building;

/* Gives registers to what comes from outside: operands in the first round, numbers in the second. */
static void collect_given(building *b, int numbers)
{
    groups *g = b->r->context;
    atl_chain *chain = b->chain;
    for (int k = 0; k < b->members; k++)
        for (int i = 0; i < b->member[k]->input_count; i++) {
            const atl_node *input = b->member[k]->inputs[i];
            int is_known = is_number(input) && g->operands[b->root->index] > 0; /* a chain has one operand at least */
            if (g->root[input->index] == b->root->index || g->place[input->index] || is_known != numbers)
                continue;
            if (numbers)
                atl_is_uniform(input, &chain->number[chain->numbers++]);
            else
                b->operand[chain->operands++] = b->r->of[input->index];
            b->given[chain->operands + chain->numbers - 1] = input;
            g->place[input->index] = chain->operands + chain->numbers;
        }
}

static int add_instructions(building *b)
{
    const groups *g = b->r->context;
    atl_chain *chain = b->chain;
    for (int k = 0; k < b->members; k++) {
        const atl_node *member = b->member[k];
        atl_instruction *to = &chain->instruction[chain->length++];
        void *attributes = atl_graph_allocate(b->r->to, member->op->attributes + 1);
        if (!attributes)
            return 0;
        memcpy(attributes, member->attributes, member->op->attributes); /* the old graph goes */
        *to = (atl_instruction){.op = member->op, .attributes = attributes, .inputs = member->input_count};
        for (int i = 0; i < to->inputs; i++)
            to->in[i] = g->place[member->inputs[i]->index] - 1;
        g->place[member->index] = chain->operands + chain->numbers + k + 1;
    }
    return 1;
}

static atl_node *fuse_group(atl_rewrite *r, const atl_node *root)
{
    groups *g = r->context;
    building b = {.r = r, .root = root, .chain = atl_graph_allocate(r->to, sizeof *b.chain)};
    if (!b.chain)
        return NULL;
    b.members = list_members(g, root, b.member);
    collect_given(&b, 0);
    collect_given(&b, 1);
    int ok = add_instructions(&b);
    for (int i = 0; i < b.chain->operands + b.chain->numbers; i++)
        g->place[b.given[i]->index] = 0;
    for (int k = 0; k < b.members; k++) /* the root may be an operand of a later group */
        g->place[b.member[k]->index] = 0;
    return ok ? atl_fused(b.chain, b.chain->operands, b.operand) : NULL;
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
