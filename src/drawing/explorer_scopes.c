/* The scopes of names, which end at slashes and at the dots of PyTorch's names, and the edges between boxes. */
#include "drawing/explorer_scopes.h"

#include <stdlib.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"

/* ---- scopes ------------------------------------------------------------------------------------------------------ */

/* Whether the character ends a scope: a slash, or, in a part that begins with a letter, a dot:
 * layer1.0.conv1/weights. */
static int is_separator(const char *path, int64_t at)
{
    int64_t start = at;
    if (path[at] != '.' || at == 0 || !path[at + 1] || path[at + 1] == '/' || path[at + 1] == '.')
        return path[at] == '/';
    while (start > 0 && path[start - 1] != '/')
        start--;
    return (path[start] >= 'a' && path[start] <= 'z') || (path[start] >= 'A' && path[start] <= 'Z');
}

int64_t explorer_last_part(const char *path, int64_t length)
{
    int64_t start = length;
    while (start > 0 && !(path[start - 1] == '/' || is_separator(path, start - 1)))
        start--;
    return start < length ? start : 0;
}

static explorer_scope *scope_at(explorer_page *p, const char *path, int64_t length)
{
    explorer_scope *found;
    HASH_FIND(hh, p->by_path, path, (size_t)length, found);
    return found;
}

static explorer_scope *new_scope(explorer_page *p, explorer_scope like)
{
    explorer_scope *scope = atl_allocate(1, sizeof *scope);
    if (!scope || !ATL_GROW(p->scope, p->scopes, p->scope_capacity)) {
        atl_release(scope);
        return NULL;
    }
    *scope = like;
    scope->id = p->scopes;
    return p->scope[p->scopes++] = scope;
}

explorer_scope *explorer_add_group(explorer_page *p, int64_t parent)
{
    return new_scope(p, (explorer_scope){.path = "", .parent = parent, .is_group = 1});
}

static explorer_scope *add_scope(explorer_page *p, const char *path, int64_t length, int64_t parent)
{
    int64_t own = parent > 0 ? p->scope[parent]->length + 1 : 0;
    explorer_scope *scope =
        new_scope(p, (explorer_scope){.path = path, .length = length, .own = own, .parent = parent});
    if (!scope)
        return NULL;
    HASH_ADD_KEYPTR(hh, p->by_path, scope->path, (size_t)length, scope);
    return scope->unhashed ? NULL : scope;
}

/* The scope of that path, with all those around it; null if memory runs out. */
static explorer_scope *make_scope(explorer_page *p, const char *path, int64_t length)
{
    explorer_scope *scope = p->scope[0];
    for (int64_t end = 1; end <= length; end++) {
        if (end < length && !is_separator(path, end))
            continue;
        explorer_scope *known = scope_at(p, path, end);
        scope = known ? known : add_scope(p, path, end, scope->id);
        if (!scope)
            return NULL;
    }
    return scope;
}

static int64_t scope_length(const atl_node *node)
{
    const char *name = atl_name_of(node);
    int64_t own = explorer_last_part(name, (int64_t)strlen(name));
    return own ? own - 1 : 0;
}

/* True if one of the two scopes is the other, or within it. */
static int are_related(const atl_node *a, const atl_node *b)
{
    int64_t length = scope_length(a), other = scope_length(b);
    const char *name = atl_name_of(a), *other_name = atl_name_of(b);
    int64_t least = length < other ? length : other;
    return memcmp(name, other_name, (size_t)least) == 0 &&
           (length == other || least == 0 || is_separator(length > other ? name : other_name, least));
}

/* For each value a node that reads it forward, if all such nodes are in one scope; else -1. */
static void find_readers(const explorer_page *p, int64_t *reader)
{
    enum { NONE = -1, SEVERAL = -2 };
    for (int64_t i = 0; i < p->d.graph->count; i++)
        reader[i] = NONE;
    for (int64_t i = 0; i < p->d.graph->count; i++) {
        const atl_node *node = p->d.graph->nodes[i];
        for (int k = 0; p->d.is_drawn[i] && !node->forward && k < node->input_count; k++) {
            int64_t *at = &reader[node->inputs[k]->index];
            const atl_node *other = *at >= 0 ? p->d.graph->nodes[*at] : NULL;
            int is_same = other && scope_length(other) == scope_length(node) && are_related(other, node);
            *at = *at == NONE || is_same ? i : SEVERAL;
        }
    }
    for (int64_t i = 0; i < p->d.graph->count; i++)
        reader[i] = reader[i] == SEVERAL ? NONE : reader[i];
}

/* The node by whose name a node is placed: its own.  Weights whose names have nothing to do with the scope that reads
 * them, as in ONNX files, are placed there. */
static const atl_node *placed_by(const explorer_page *p, const atl_node *node, int64_t reader)
{
    const atl_node *by = reader >= 0 ? p->d.graph->nodes[reader] : NULL;
    if (!by || !(node->op->flags & ATL_OP_VARIABLE) || scope_length(by) == 0)
        return node;
    return scope_length(node) == 0 || !are_related(node, by) ? by : node;
}

/* Puts each drawn node into its scope. */
static atl_status place_nodes(explorer_page *p)
{
    const atl_graph *graph = p->d.graph;
    int64_t drawn = 0, *reader = atl_allocate((size_t)graph->count + 1, sizeof *reader);
    int fine = reader && add_scope(p, "", 0, -1);
    if (fine)
        find_readers(p, reader);
    for (int64_t i = 0; fine && i < graph->count; i++) {
        p->number[i] = p->d.is_drawn[i] ? drawn++ : -1;
        if (!p->d.is_drawn[i])
            continue;
        const atl_node *by = placed_by(p, graph->nodes[i], reader[i]);
        explorer_scope *scope = make_scope(p, atl_name_of(by), scope_length(by));
        fine = scope != NULL;
        if (scope)
            p->scope_of[i] = scope->id;
    }
    atl_release(reader);
    return fine ? ATL_OK : atl_out_of_memory();
}

/* The boxes of a scope are its child scopes, then its nodes. */
static void number_boxes(explorer_page *p)
{
    for (int64_t k = 1; k < p->scopes; k++)
        p->scope[k]->place = p->scope[p->scope[k]->parent]->boxes++;
    for (int64_t i = 0; i < p->d.graph->count; i++)
        if (p->d.is_drawn[i])
            p->place[i] = p->scope[p->scope_of[i]]->boxes++;
}

/* What belongs to no gradient but depends on one: the optimizer. */
static void find_optimizer(explorer_page *p)
{
    for (int64_t i = 0; i < p->d.graph->count; i++) {
        const atl_node *node = p->d.graph->nodes[i];
        int after = (node->op->flags & ATL_OP_ASSIGN) != 0;
        for (int k = 0; !after && k < node->input_count; k++)
            after = node->inputs[k]->forward || p->is_optimizer[node->inputs[k]->index];
        p->is_optimizer[i] = (char)(after && !node->forward);
    }
}

/* ---- edges ------------------------------------------------------------------------------------------------------- */

static int64_t depth_of(const explorer_page *p, int64_t scope)
{
    int64_t depth = 0;
    for (; scope > 0; scope = p->scope[scope]->parent)
        depth++;
    return depth;
}

static int64_t climb(const explorer_page *p, int64_t *scope)
{
    int64_t place = p->scope[*scope]->place;
    *scope = p->scope[*scope]->parent;
    return place;
}

static atl_status add_edge(explorer_page *p, const atl_node *from, const atl_node *to)
{
    int64_t a = p->scope_of[from->index], b = p->scope_of[to->index];
    int64_t tail = p->place[from->index], head = p->place[to->index];
    int64_t depth_a = depth_of(p, a), depth_b = depth_of(p, b);
    for (; depth_a > depth_b; depth_a--)
        tail = climb(p, &a);
    for (; depth_b > depth_a; depth_b--)
        head = climb(p, &b);
    while (a != b) {
        tail = climb(p, &a);
        head = climb(p, &b);
    }
    if (tail == head)
        return ATL_OK;
    if (!ATL_GROW(p->edge, p->edges, p->edge_capacity))
        return atl_out_of_memory();
    p->edge[p->edges++] = (explorer_edge){a, tail, head};
    return ATL_OK;
}

static int compare_edges(const void *left, const void *right)
{
    const explorer_edge *a = left, *b = right;
    int64_t difference = a->scope != b->scope ? a->scope - b->scope
                         : a->tail != b->tail ? a->tail - b->tail
                                              : a->head - b->head;
    return (difference > 0) - (difference < 0);
}

static atl_status make_edges(explorer_page *p)
{
    const atl_graph *graph = p->d.graph;
    for (int64_t i = 0; i < graph->count; i++)
        for (int k = 0; p->d.is_drawn[i] && k < graph->nodes[i]->input_count; k++) {
            const atl_node *input = graph->nodes[i]->inputs[k];
            if (p->d.is_drawn[input->index] && add_edge(p, input, graph->nodes[i]))
                return ATL_OUT_OF_MEMORY;
        }
    if (p->edges)
        qsort(p->edge, (size_t)p->edges, sizeof *p->edge, compare_edges);
    int64_t kept = 0;
    for (int64_t i = 0; i < p->edges; i++)
        if (!kept || compare_edges(&p->edge[i], &p->edge[kept - 1]))
            p->edge[kept++] = p->edge[i];
    p->edges = kept;
    return ATL_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

atl_status explorer_collect(explorer_page *p)
{
    size_t count = (size_t)p->d.graph->count + 1;
    p->d.is_drawn = atl_allocate(count, 1);
    p->d.is_wanted = atl_allocate(count, 1);
    p->scope_of = atl_allocate(count, sizeof *p->scope_of);
    p->place = atl_allocate(count, sizeof *p->place);
    p->number = atl_allocate(count, sizeof *p->number);
    p->is_optimizer = atl_allocate(count, 1);
    if (!p->d.is_drawn || !p->d.is_wanted || !p->scope_of || !p->place || !p->number || !p->is_optimizer)
        return atl_out_of_memory();
    atl_status status = dot_select_nodes(&p->d);
    if (!status)
        status = place_nodes(p);
    if (!status)
        status = explorer_make_groups(p);
    if (status)
        return status;
    number_boxes(p);
    status = make_edges(p);
    find_optimizer(p);
    return status;
}

void explorer_release(explorer_page *p)
{
    HASH_CLEAR(hh, p->by_path);
    for (int64_t k = 0; k < p->scopes; k++)
        atl_release(p->scope[k]);
    atl_release(p->scope);
    atl_release(p->edge);
    atl_release(p->d.is_drawn);
    atl_release(p->d.is_wanted);
    atl_release(p->scope_of);
    atl_release(p->place);
    atl_release(p->number);
    atl_release(p->is_optimizer);
}
