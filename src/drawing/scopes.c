/* Puts each drawn node into its scope, which its name tells. */
#include <string.h>

#include "drawing/drawing.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { MOST_LEVELS = 5 };

static dot_scope *new_scope(drawing *d, const char *path, int64_t length)
{
    dot_scope *scope = atl_allocate(1, sizeof *scope);
    if (!scope || !ATL_GROW(d->scopes, d->scope_count, d->scope_capacity)) {
        atl_release(scope);
        atl_out_of_memory();
        return NULL;
    }
    scope->path = path;
    scope->length = length;
    scope->first_node = scope->last_node = -1;
    scope->id = d->scope_count;
    d->scopes[d->scope_count++] = scope;
    return scope;
}

/* The forward part, or the gradient that the node belongs to. */
static dot_scope *part_of(drawing *d, const atl_node *node)
{
    dot_scope *part;
    const char *name = node->forward ? node->label->scope : ""; /* a gradient is always built in a scope */
    size_t length = strlen(name);
    HASH_FIND(hh, d->parts, name, length, part);
    if (part)
        return part;
    part = new_scope(d, name, (int64_t)length);
    if (!part)
        return NULL;
    part->hue = node->forward ? 1 + d->gradients++ % (HUES - 1) : 0;
    HASH_ADD_KEYPTR(hh, d->parts, part->path, length, part);
    if (part->unhashed) {
        atl_out_of_memory();
        return NULL;
    }
    if (d->last_part)
        d->last_part->next = part;
    else
        d->first_part = part;
    return d->last_part = part;
}

static dot_scope *add_child(drawing *d, dot_scope *part, dot_scope *parent, const char *path, int64_t length)
{
    dot_scope *scope = new_scope(d, path, length);
    if (!scope)
        return NULL;
    scope->hue = part->hue;
    scope->parent = parent;
    HASH_ADD_KEYPTR(hh, part->by_path, scope->path, (size_t)length, scope);
    if (scope->unhashed) {
        atl_out_of_memory();
        return NULL;
    }
    if (parent->last_child)
        parent->last_child->next = scope;
    else
        parent->first_child = scope;
    return parent->last_child = scope;
}

/* The scope of that path, created together with its enclosing scopes if necessary. */
static dot_scope *scope_at(drawing *d, dot_scope *part, const char *path, int64_t length)
{
    dot_scope *scope = part, *known;
    if (length == 0)
        return part;
    HASH_FIND(hh, part->by_path, path, (size_t)length, known);
    if (known)
        return known;
    for (int64_t end = 1; scope && end <= length; end++) {
        if (end < length && path[end] != '/')
            continue;
        HASH_FIND(hh, part->by_path, path, (size_t)end, known);
        scope = known ? known : add_child(d, part, scope, path, end);
    }
    return scope;
}

/* A scope in which a builder makes nodes of several ops: "batch_norm", "batch_norm_1". */
static int is_composed(const char *part, int64_t length)
{
    static const char *const names[] = {"batch_norm",      "layer_norm",      "dropout",       "gaussian_blur",
                                        "total_variation", "resize_bilinear", "resize_nearest"};
    int64_t end = length;
    while (end > 0 && part[end - 1] >= '0' && part[end - 1] <= '9')
        end--;
    length = end < length && end > 0 && part[end - 1] == '_' ? end - 1 : length;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((int64_t)strlen(names[i]) == length && memcmp(names[i], part, (size_t)length) == 0)
            return 1;
    return 0;
}

static int is_folded(const drawing *d, const char *path, int64_t length)
{
    enum { MOST = sizeof d->args->folded / sizeof *d->args->folded };
    for (int i = 0; i < MOST && d->args->folded[i]; i++)
        if ((int64_t)strlen(d->args->folded[i]) == length && memcmp(d->args->folded[i], path, (size_t)length) == 0)
            return 1;
    return 0;
}

/* The length of the outermost scope of this path that is a box; 0: none is. */
static int64_t box_within(const drawing *d, const char *path, int64_t length)
{
    int64_t begin = 0;
    int depth = 0;
    for (int64_t end = 1; end <= length; end++) {
        if (end < length && path[end] != '/')
            continue;
        if (++depth == d->args->depth || is_folded(d, path, end) ||
            (!d->args->unfolded && is_composed(path + begin, end - begin)))
            return end;
        begin = end + 1;
    }
    return 0;
}

/* The scope of a node: its name without the last part, cut where a scope becomes a box. */
static dot_scope *find_scope(drawing *d, const atl_node *node)
{
    dot_scope *part = part_of(d, node);
    if (!part)
        return NULL;
    while (node->forward)
        node = node->forward;
    const char *path = atl_name_of(node), *last = strrchr(path, '/');
    if (!node->name) {
        atl_out_of_memory();
        return NULL;
    }
    int64_t length = last ? last - path : 0, box = box_within(d, path, length);
    dot_scope *scope = scope_at(d, part, path, box ? box : length);
    if (scope)
        scope->is_box = box != 0;
    return scope;
}

static int depends_on_input(const drawing *d, const atl_node *node)
{
    int fed = (node->op->flags & ATL_OP_INPUT) != 0;
    for (int k = 0; !fed && k < node->input_count; k++)
        fed = d->is_fed[node->inputs[k]->index];
    return fed;
}

static int levels_of_parameters(const drawing *d, const atl_node *node)
{
    int levels = 0;
    for (int k = 0; k < node->input_count; k++) {
        int64_t input = node->inputs[k]->index;
        int is_parameter = d->is_drawn[input] && !d->is_fed[input] && d->scope_of[input] == d->scope_of[node->index];
        if (is_parameter && d->levels[input] >= levels)
            levels = d->levels[input] + 1;
    }
    return levels < MOST_LEVELS ? levels : MOST_LEVELS;
}

atl_status dot_place_nodes(drawing *d)
{
    for (int64_t i = 0; i < d->graph->count; i++) {
        d->is_fed[i] = (char)depends_on_input(d, d->graph->nodes[i]);
        if (!d->is_drawn[i])
            continue;
        dot_scope *scope = find_scope(d, d->graph->nodes[i]);
        if (!scope)
            return ATL_OUT_OF_MEMORY;
        d->scope_of[i] = scope;
        d->levels[i] = (unsigned char)levels_of_parameters(d, d->graph->nodes[i]);
        d->next_node[i] = -1;
        if (scope->last_node >= 0)
            d->next_node[scope->last_node] = i;
        else
            scope->first_node = i;
        scope->last_node = i;
        d->boxes += !scope->is_box || scope->nodes == 0;
        scope->nodes++;
        double time = d->args->microseconds ? d->args->microseconds[i] : 0;
        scope->time += time;
        if (scope->is_box)
            time = scope->time;
        if (time > d->longest)
            d->longest = time;
    }
    return ATL_OK;
}

void dot_release_scopes(drawing *d)
{
    for (int64_t i = 0; i < d->scope_count; i++)
        HASH_CLEAR(hh, d->scopes[i]->by_path);
    HASH_CLEAR(hh, d->parts);
    for (int64_t i = 0; i < d->scope_count; i++)
        atl_release(d->scopes[i]);
    atl_release(d->scopes);
}
