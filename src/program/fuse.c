/* Chains, trees and diamonds of element-wise ops become one node each, which is one pass over memory.
 *
 * Every element-wise node belongs to a group, which is computed where its last member, the root, stood.  Going back from users to
 * inputs, a node joins the group of whichever of its users is computed first, if it has the same shape: all its other users come
 * later, so nothing waits for itself, and nothing is computed twice.  A member with users elsewhere is one more result of the
 * group: an optimizer's new weights and new moments are made in one pass. */
#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "program/chain.h"
#include "program/rewrite.h"

typedef struct grouped_node {
    int64_t root;           /* the node whose group it is in; -1: it is not element-wise */
    int64_t first_use;      /* where the first of its users is computed; -1: it has none */
    int32_t uses;           /* of these, in that place */
    int32_t place;          /* while its group is built: its register, plus one */
    int32_t members, parts; /* of the group of a root */
    int64_t seen;           /* the last walk in which it was met */
} grouped_node;

typedef struct groups {
    grouped_node *of; /* each old node */
    int64_t walks;    /* so far */
} groups;

/* What a group reads from memory, and numbers known beforehand, which stand in the chain itself. */
typedef struct given_count {
    int operands, numbers;
} given_count;

static int is_number(const atl_node *node)
{
    float value;
    return node->shape.rank == 0 && atl_is_uniform(node, &value);
}

static int is_fusible(const atl_node *node)
{
    return atl_is_elementwise(node->op) && node->input_count <= ATL_CHAIN_ARITY;
}

static void end_fusing(atl_rewrite *r)
{
    groups *g = r->context;
    if (g)
        atl_release(g->of);
    atl_release(g);
}

/* The members of a root's group, in order: inputs before users.  They are found by walking down from the root. */
static int list_members(groups *g, const atl_node *root, const atl_node **member)
{
    int count = 1;
    int64_t walk = ++g->walks;
    member[0] = root;
    for (int at = 0; at < count; at++)
        for (int i = 0; i < member[at]->input_count; i++) {
            grouped_node *input = &g->of[member[at]->inputs[i]->index];
            if (input->root == root->index && input->seen != walk)
                member[count++] = member[at]->inputs[i];
            input->seen = walk;
        }
    for (int i = 1; i < count; i++) { /* by index: a group is small */
        const atl_node *node = member[i];
        int k = i;
        for (; k > 0 && member[k - 1]->index > node->index; k--)
            member[k] = member[k - 1];
        member[k] = node;
    }
    return count;
}

static given_count count_given(groups *g, const atl_node *root)
{
    const atl_node *member[ATL_CHAIN_LENGTH];
    given_count count = {0};
    int members = list_members(g, root, member);
    int64_t walk = ++g->walks;
    for (int k = 0; k < members; k++)
        for (int i = 0; i < member[k]->input_count; i++) {
            grouped_node *input = &g->of[member[k]->inputs[i]->index];
            if (input->root != root->index && input->seen != walk)
                ++*(is_number(member[k]->inputs[i]) ? &count.numbers : &count.operands);
            input->seen = walk;
        }
    return count;
}

/* Lets the node into the group, if there is room. */
static int joins(const atl_rewrite *r, groups *g, const atl_node *node, int64_t root)
{
    grouped_node *own = &g->of[node->index], *group = &g->of[root];
    int is_part = r->uses[node->index] > own->uses;
    if (group->root != root || r->once[node->index] != r->once[root] ||
        !atl_shape_equal(node->shape, r->from->nodes[root]->shape) || group->members == ATL_CHAIN_LENGTH ||
        group->parts + is_part > ATL_CHAIN_PARTS)
        return 0;
    own->root = root;
    given_count count = count_given(g, r->from->nodes[root]);
    if (count.operands > ATL_CHAIN_OPERANDS || count.numbers > ATL_CHAIN_NUMBERS) {
        own->root = -1;
        return 0;
    }
    group->members++;
    group->parts += is_part;
    return 1;
}

/* An input is told where its user is computed: the earliest counts. */
static void tell_input(grouped_node *input, int64_t place)
{
    if (input->first_use < 0 || place < input->first_use) {
        input->first_use = place;
        input->uses = 0;
    }
    input->uses += place == input->first_use;
}

static int find_groups(atl_rewrite *r)
{
    groups *g = r->context = atl_allocate(1, sizeof *g);
    if (!g || !(g->of = atl_allocate((size_t)r->from->count, sizeof *g->of)))
        return 0;
    for (int64_t n = 0; n < r->from->count; n++)
        g->of[n].root = g->of[n].first_use = -1;
    for (int64_t n = r->from->count - 1; n >= 0; n--) {
        const atl_node *node = r->from->nodes[n];
        grouped_node *own = &g->of[n];
        if (!r->needed[n])
            continue;
        if (is_fusible(node) && (own->first_use < 0 || !joins(r, g, node, own->first_use))) {
            own->root = n;
            own->members = 1;
        }
        for (int i = 0; i < node->input_count; i++)
            if (atl_reads_input(node->op, i))
                tell_input(&g->of[node->inputs[i]->index], own->root >= 0 ? own->root : n);
    }
    return 1;
}

/* A group while its chain is made. */
typedef struct building {
    atl_rewrite *r;
    atl_chain *chain;
    const atl_node *root, *member[ATL_CHAIN_LENGTH], *given[ATL_CHAIN_OPERANDS + ATL_CHAIN_NUMBERS];
    atl_node *operand[ATL_CHAIN_OPERANDS];
    int members;
    int keeps_numbers; /* in the chain; but a chain has one operand at least */
} building;

/* Gives registers to what comes from outside: operands in the first round, numbers in the second. */
static void collect_given(building *b, int numbers)
{
    groups *g = b->r->context;
    atl_chain *chain = b->chain;
    for (int k = 0; k < b->members; k++)
        for (int i = 0; i < b->member[k]->input_count; i++) {
            const atl_node *input = b->member[k]->inputs[i];
            grouped_node *of = &g->of[input->index];
            if (of->root == b->root->index || of->place || (b->keeps_numbers && is_number(input)) != numbers)
                continue;
            if (numbers)
                atl_is_uniform(input, &chain->number[chain->numbers++]);
            else
                b->operand[chain->operands++] = b->r->of[input->index];
            b->given[chain->operands + chain->numbers - 1] = input;
            of->place = chain->operands + chain->numbers;
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
            to->in[i] = g->of[member->inputs[i]->index].place - 1;
        g->of[member->index].place = chain->operands + chain->numbers + k + 1;
    }
    return 1;
}

/* Members that somebody outside wants become parts of the fused node. */
static void hand_out_parts(const building *b, atl_node *fused)
{
    const groups *g = b->r->context;
    for (int k = 0; k < b->members - 1; k++) {
        int64_t n = b->member[k]->index;
        if (b->r->uses[n] == g->of[n].uses)
            continue;
        b->chain->part[b->chain->parts] = k;
        b->r->of[n] = atl_fused_part(fused, b->chain->parts++);
    }
}

static atl_node *fuse_group(atl_rewrite *r, const atl_node *root)
{
    groups *g = r->context;
    building b = {.r = r, .root = root, .chain = atl_graph_allocate(r->to, sizeof *b.chain)};
    if (!b.chain)
        return NULL;
    b.members = list_members(g, root, b.member);
    b.keeps_numbers = count_given(g, root).operands > 0;
    collect_given(&b, 0);
    collect_given(&b, 1);
    atl_node *fused = add_instructions(&b) ? atl_fused(b.chain, b.chain->operands, b.operand) : NULL;
    if (fused)
        hand_out_parts(&b, fused);
    for (int i = 0; i < b.chain->operands + b.chain->numbers; i++)
        g->of[b.given[i]->index].place = 0;
    for (int k = 0; k < b.members; k++) /* the root may be an operand of a later group */
        g->of[b.member[k]->index].place = 0;
    return fused;
}

static atl_node *fused(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const grouped_node *own = &((const groups *)r->context)->of[old->index];
    (void)inputs;
    return own->root == old->index && own->members > 1 ? fuse_group(r, old) : NULL;
}

const atl_pass atl_fuse_pass = {.flag = ATL_PASS_FUSE, .rule = fused, .begin = find_groups, .end = end_fusing};
