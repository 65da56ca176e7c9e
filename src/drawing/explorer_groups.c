/* Groups of boxes for scopes that have too many: an imported network without scopes folds like any other.  A group
 * holds boxes that follow each other in the order of creation; it is no part of a name. */
#include <math.h>
#include <stdlib.h>

#include "drawing/explorer_scopes.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { MOST_BOXES = 48, LEAST_IN_GROUP = 8, MOST_IN_GROUP = 32, MOST_LEVELS = 8 };

typedef struct item {
    int64_t scope, key; /* the scope in which it lies, and where in it */
    int64_t child;      /* a scope; -1: a node */
    int64_t node;
} item;

static int compare_items(const void *left, const void *right)
{
    const item *a = left, *b = right;
    int64_t difference = a->scope != b->scope   ? a->scope - b->scope
                         : a->key != b->key     ? a->key - b->key
                         : a->child != b->child ? a->child - b->child
                                                : a->node - b->node;
    return (difference > 0) - (difference < 0);
}

static int is_source(const atl_node *node)
{
    return (node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT)) != 0;
}

/* Where a node stands: a parameter stands at its first user. */
static int64_t *keys_of_nodes(const explorer_page *p)
{
    const atl_graph *graph = p->d.graph;
    int64_t *key = atl_allocate((size_t)graph->count + 1, sizeof *key);
    for (int64_t i = 0; key && i < graph->count; i++)
        key[i] = i;
    for (int64_t i = graph->count - 1; key && i >= 0; i--)
        for (int k = 0; p->d.is_drawn[i] && k < graph->nodes[i]->input_count; k++)
            if (is_source(graph->nodes[i]->inputs[k]))
                key[graph->nodes[i]->inputs[k]->index] = i;
    return key;
}

/* The key of a scope is the least of the nodes in it. */
static void find_keys_of_scopes(const explorer_page *p, const int64_t *key, int64_t *scope_key)
{
    for (int64_t k = 0; k < p->scopes; k++)
        scope_key[k] = INT64_MAX;
    for (int64_t i = 0; i < p->d.graph->count; i++)
        for (int64_t k = p->d.is_drawn[i] ? p->scope_of[i] : -1; k > 0; k = p->scope[k]->parent)
            if (key[i] < scope_key[k])
                scope_key[k] = key[i];
}

/* Each scope's boxes, in order; null if memory runs out. */
static item *list_items(const explorer_page *p, const int64_t *key, int64_t *count_out)
{
    int64_t count = 0;
    item *items = atl_allocate((size_t)(p->scopes + p->d.graph->count), sizeof *items);
    int64_t *scope_key = atl_allocate((size_t)p->scopes, sizeof *scope_key);
    if (!items || !scope_key) {
        atl_release(items);
        atl_release(scope_key);
        return NULL;
    }
    find_keys_of_scopes(p, key, scope_key);
    for (int64_t k = 1; k < p->scopes; k++)
        items[count++] = (item){p->scope[k]->parent, scope_key[k], k, -1};
    for (int64_t i = 0; i < p->d.graph->count; i++)
        if (p->d.is_drawn[i])
            items[count++] = (item){p->scope_of[i], key[i], -1, i};
    atl_release(scope_key);
    qsort(items, (size_t)count, sizeof *items, compare_items);
    *count_out = count;
    return items;
}

/* Moves these boxes of one scope into groups.  Returns 0 if memory runs out. */
static int group_items(explorer_page *p, const item *items, int64_t count)
{
    int64_t parent = items[0].scope, size = (int64_t)ceil(sqrt((double)count));
    size = size < LEAST_IN_GROUP ? LEAST_IN_GROUP : size > MOST_IN_GROUP ? MOST_IN_GROUP : size;
    for (int64_t start = 0, end; start < count; start = end) {
        explorer_scope *group = explorer_add_group(p, parent);
        if (!group)
            return 0;
        for (end = start; end < count && (end < start + size || items[end].key == items[end - 1].key); end++)
            if (items[end].child >= 0)
                p->scope[items[end].child]->parent = group->id;
            else
                p->scope_of[items[end].node] = group->id;
    }
    return 1;
}

/* One level of groups; *made_out: whether there is a new one. */
static atl_status group_once(explorer_page *p, const int64_t *key, int *made_out)
{
    int64_t count;
    item *items = list_items(p, key, &count);
    int ok = items != NULL;
    *made_out = 0;
    for (int64_t i = 0, next; ok && i < count; i = next) {
        for (next = i; next < count && items[next].scope == items[i].scope;)
            next++;
        if (next - i > MOST_BOXES) {
            ok = group_items(p, items + i, next - i);
            *made_out = 1;
        }
    }
    atl_release(items);
    return ok ? ATL_OK : atl_out_of_memory();
}

/* A group is called after what it holds first and last among the computed nodes: "conv2d_3 … relu_5". */
static void name_groups(explorer_page *p)
{
    for (int64_t i = 0; i < p->d.graph->count; i++)
        for (int64_t k = p->d.is_drawn[i] ? p->scope_of[i] : -1; k > 0; k = p->scope[k]->parent) {
            explorer_scope *scope = p->scope[k];
            const atl_node *node = p->d.graph->nodes[i];
            if (!scope->is_group)
                continue;
            if (!scope->first || (is_source(scope->first) && !is_source(node)))
                scope->first = node;
            if (!scope->last || !is_source(node) || is_source(scope->last))
                scope->last = node;
        }
}

atl_status explorer_make_groups(explorer_page *p)
{
    int64_t *key = keys_of_nodes(p);
    atl_status status = key ? ATL_OK : atl_out_of_memory();
    int made = 1;
    for (int level = 0; !status && made && level < MOST_LEVELS; level++)
        status = group_once(p, key, &made);
    name_groups(p);
    atl_release(key);
    return status;
}
