/* Common subexpression elimination: every new node looks for an equal node in a hash table.
 *
 * Equal nodes have the same inputs, and the last of these was usually created shortly before.  So a node is entered
 * near that input: then a pass over a large graph accesses the table in order.  Only nodes that share their last input
 * with many others are scattered. */
#include "compiler/passes/cse.h"

#include <string.h>

#include "graph/memory.h"
#include "graph/tensor.h"

enum { SMALL_CONSTANT = 64, LINE = 8 /* entries: 64 bytes */ };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static int may_merge(const atl_node *node)
{
    return !node->distinct &&
           !(node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_SIDE_EFFECT | ATL_OP_RANDOM));
}

static uint64_t hash_of(const atl_node *node)
{
    uint64_t hash = mix((uint64_t)(uintptr_t)node->op, (uint64_t)node->input_count);
    const char *bytes = node->attributes;
    for (size_t i = 0, size = node->op->attributes; i < size; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < sizeof word ? size - i : sizeof word);
        hash = mix(hash, word);
    }
    for (int i = 0; i < node->input_count; i++)
        hash = mix(hash, (uint64_t)node->inputs[i]->index);
    if (node->storage && node->storage->value->count <= SMALL_CONSTANT)
        for (int64_t i = 0; i < node->storage->value->count; i++)
            hash = mix(hash, ((const uint32_t *)node->storage->value->data)[i]);
    return hash;
}

static int are_equal(const atl_node *a, const atl_node *b)
{
    if (a->op != b->op || a->input_count != b->input_count || memcmp(a->attributes, b->attributes, a->op->attributes) ||
        (a->input_count && memcmp(a->inputs, b->inputs, (size_t)a->input_count * sizeof *a->inputs)))
        return 0;
    if (a->storage == b->storage)
        return 1;
    if (!a->storage || !b->storage || !atl_shape_equal(*a->shape, *b->shape) || a->dtype != b->dtype)
        return 0;
    const atl_tensor *x = a->storage->value, *y = b->storage->value;
    return x->count <= SMALL_CONSTANT && !memcmp(x->data, y->data, (size_t)x->count * 4);
}

static int64_t last_input(const atl_node *node)
{
    int64_t last = -1;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i]->index > last)
            last = node->inputs[i]->index;
    return last;
}

/* The entry of an equal node, or the free entry for the node. */
static atl_cse_entry *place_of(const atl_cse_table *m, const atl_graph *graph, const atl_node *node)
{
    uint64_t hash = hash_of(node), near = 0, tried = 0;
    int64_t last = last_input(node);
    if (last >= 0)
        near = 2 * (uint64_t)last & m->mask & ~(uint64_t)(LINE - 1);
    else
        tried = LINE;
    for (;; tried++) {
        uint64_t at = tried < LINE ? near + (hash + tried) % LINE : (hash / LINE + tried) & m->mask;
        atl_cse_entry *entry = &m->table[at];
        if (entry->node && (entry->hash != (uint32_t)hash || !are_equal(graph->nodes[entry->node - 1], node)))
            continue;
        entry->hash = (uint32_t)hash; /* the entry already belongs to the node, or takes it now */
        return entry;
    }
}

static int set_size(atl_cse_table *m, int64_t nodes)
{
    for (m->mask = 64; m->mask < (uint64_t)nodes * 2; m->mask *= 2)
        ;
    m->table = atl_allocate((size_t)m->mask--, sizeof *m->table);
    return m->table != NULL;
}

int atl_merging_begin(atl_cse_table *m, int64_t nodes)
{
    *m = (atl_cse_table){0};
    return set_size(m, nodes);
}

void atl_merging_end(atl_cse_table *m) { atl_release(m->table); }

/* Doubles the capacity for nodes.  Returns 0 if out of memory. */
static int grow(atl_cse_table *m, const atl_graph *graph)
{
    atl_cse_table larger = {.count = m->count};
    if (!set_size(&larger, 2 * m->count))
        return 0;
    for (uint64_t at = 0; at <= m->mask; at++)
        if (m->table[at].node)
            place_of(&larger, graph, graph->nodes[m->table[at].node - 1])->node = m->table[at].node;
    atl_release(m->table);
    *m = larger;
    return 1;
}

/* The node, or an equal one that was entered before. */
static atl_node *merged(atl_cse_table *m, const atl_graph *graph, atl_node *node)
{
    if (!may_merge(node) || node->index >= INT32_MAX)
        return node;
    if ((uint64_t)m->count * 4 >= m->mask * 3 && !grow(m, graph))
        return node; /* merging is optional */
    atl_cse_entry *place = place_of(m, graph, node);
    if (place->node)
        return graph->nodes[place->node - 1];
    place->node = (int32_t)node->index + 1;
    m->count++;
    return node;
}

/* A node's mark holds its replacement. */
static atl_node *instead_of(const atl_graph *graph, atl_node *node)
{
    return node->mark ? graph->nodes[node->mark - 1] : node;
}

atl_node *atl_cse_new(atl_cse_table *m, atl_graph *graph, int64_t first, atl_node *made)
{
    for (int64_t n = first; n < graph->count; n++) {
        atl_node *node = graph->nodes[n];
        for (int i = 0; i < node->input_count; i++)
            node->inputs[i] = instead_of(graph, node->inputs[i]);
        atl_node *same = merged(m, graph, node);
        if (same != node)
            node->mark = (int32_t)same->index + 1;
    }
    return instead_of(graph, made);
}
