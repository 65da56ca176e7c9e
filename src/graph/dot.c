/* Drawings of graphs in Graphviz's DOT language.  Knows ops by their flags and `describe` only.
 *
 * One pass over the nodes chooses those to be drawn and puts each into its scope, one writes the scopes with their nodes, one
 * writes the edges.  Nothing recurses, neither over nodes nor over scopes. */
#include "graph/dot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dot_text.h"
#include "graph/graph.h"
#include "graph/memory.h"

/* A scope of the forward part, or of one gradient.  The scope of a gradient node is that of its forward node, below the
 * name of the gradient: gradients/conv1. */
typedef struct dot_scope {
    const char *path; /* within its part, in the memory of a node's name; a part's own name for a part */
    int64_t length;
    struct dot_scope *parent, *first_child, *last_child, *next;
    struct dot_scope *by_path;     /* of a part: uthash over all its scopes */
    int64_t first_node, last_node; /* chained by drawing.next_node; -1: none */
    int64_t nodes;                 /* in it, if it is drawn as a box */
    double time;                   /* of these, microseconds */
    int64_t id;
    int hue; /* index into hues */
    int is_box;
    int unhashed;
    UT_hash_handle hh;
} dot_scope;

/* An edge that ends in a box: all those between the same two are drawn as one. */
typedef struct box_edge {
    int64_t tail, head; /* codes: see code_of */
    int64_t node;       /* whose value it carries */
    int is_shape;
} box_edge;

/* The forward part, and gradients in turn. */
static const struct hue {
    const char *line, *fill, *box, *frame_line, *frame;
} hues[] = {
    {"#4a7fc1", "#e3eefb", "#cbdff6", "#c9d8ea", "#4a7fc110"},
    {"#d9813f", "#fdeadd", "#f9d9c0", "#e9c9b0", "#e8893c14"},
    {"#8e5bb5", "#f2e8f9", "#e2cff0", "#d8c3e6", "#8e5bb512"},
    {"#b8860b", "#fbf3d5", "#f2e3a6", "#dfcf9a", "#c9a22714"},
};
enum { HUES = sizeof hues / sizeof hues[0], MOST_LEVELS = 5 };

typedef struct drawing {
    const atl_graph *graph;
    const atl_dot_args *args;
    char *is_drawn; /* for each node */
    char *is_wanted;
    char *is_fed;          /* depends on an input: not a parameter, nor made of parameters only */
    unsigned char *levels; /* that its parameters, and what is made of these alone, take above it */
    dot_scope **scope_of;  /* for each node that is drawn */
    int64_t *next_node;    /* in the same scope */
    dot_scope **scopes;
    int64_t scope_count, scope_capacity;
    dot_scope *parts; /* uthash by name */
    dot_scope *first_part, *last_part;
    int gradients; /* parts that are gradients */
    box_edge *edges;
    int64_t edge_count, edge_capacity;
    int64_t boxes;
    double time, longest; /* of all nodes, and of one box; microseconds */
    dot_text text;
} drawing;

static const char *const head =
    "digraph atled {\n"
    "  graph [rankdir=TB, newrank=true, nslimit=10, nodesep=0.28, ranksep=0.3, pad=0.2, bgcolor=\"white\", "
    "fontname=\"Helvetica\", "
    "fontsize=11, fontcolor=\"#5b6472\", labeljust=l];\n"
    "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, fontcolor=\"#1d2b3a\", "
    "margin=\"0.13,0.06\", height=0.32, width=0.5, penwidth=1.1, color=\"#4a7fc1\", fillcolor=\"#e3eefb\"];\n"
    "  edge [fontname=\"Helvetica\", fontsize=8.5, fontcolor=\"#6c7785\", color=\"#6d7f96\", arrowsize=0.6, "
    "penwidth=1.1];\n";

/* ---- what is drawn ---- */

static int refuse_stranger(const drawing *d, const atl_node *node)
{
    if (!node || node->graph == d->graph)
        return 0;
    atl_set_error(ATL_INVALID, "dot: node '%s' is not of the graph that is to be drawn", atl_name_of(node));
    return 1;
}

/* Marks everything the roots (already marked) are computed from. */
static void mark_ancestors(const atl_graph *graph, char *mark)
{
    for (int64_t i = graph->count - 1; i >= 0; i--)
        for (int k = 0; mark[i] && k < graph->nodes[i]->input_count; k++)
            mark[graph->nodes[i]->inputs[k]->index] = 1;
}

/* Drops what is not computed from `from`. */
static void keep_descendants(const drawing *d, char *reached)
{
    reached[d->args->from->index] = 1;
    for (int64_t i = 0; i < d->graph->count; i++) {
        const atl_node *node = d->graph->nodes[i];
        for (int k = 0; !reached[i] && k < node->input_count; k++)
            reached[i] = reached[node->inputs[k]->index];
        d->is_drawn[i] &= reached[i];
    }
}

static atl_status select_nodes(drawing *d)
{
    const atl_dot_args *args = d->args;
    int64_t roots = 0;
    for (int64_t i = 0; i < args->wanted.count; i++) {
        const atl_node *node = args->wanted.node[i];
        if (refuse_stranger(d, node))
            return ATL_INVALID;
        if (node)
            d->is_drawn[node->index] = d->is_wanted[node->index] = 1;
        roots += node != NULL;
    }
    if (refuse_stranger(d, args->from) || refuse_stranger(d, args->to))
        return ATL_INVALID;
    if (args->to)
        d->is_drawn[args->to->index] = 1;
    if (roots || args->to)
        mark_ancestors(d->graph, d->is_drawn);
    else
        memset(d->is_drawn, 1, (size_t)d->graph->count);
    if (!args->from)
        return ATL_OK;
    char *reached = atl_allocate((size_t)d->graph->count, 1);
    if (!reached)
        return atl_out_of_memory();
    keep_descendants(d, reached);
    atl_release(reached);
    if (args->to && !d->is_drawn[args->to->index])
        return atl_set_error(ATL_INVALID,
                             "dot: no path leads from '%s' to '%s'; draw what '%s' is computed from by giving it alone",
                             atl_name_of(args->from), atl_name_of(args->to), atl_name_of(args->to));
    return ATL_OK;
}

/* ---- scopes ---- */

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
    const char *name = node->forward ? node->scope : ""; /* a gradient is always made in a scope */
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

/* The scope of that path, made together with those around it if need be. */
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

/* The scope of a node: the name without its last part, cut off at the depth at which scopes are boxes. */
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
    int64_t length = last ? last - path : 0, depth = length > 0, end;
    for (end = 1; end < length; end++)
        if (path[end] == '/' && depth++ == d->args->depth)
            break;
    int is_box = d->args->depth > 0 && length > 0 && depth >= d->args->depth;
    dot_scope *scope = scope_at(d, part, path, is_box && end < length ? end : length);
    if (scope)
        scope->is_box = is_box;
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

static atl_status place_nodes(drawing *d)
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

/* ---- boxes ---- */

/* Text in lines of some 24 characters, broken after a comma. */
static void put_in_lines(dot_text *text, char *string)
{
    while (string) {
        size_t length = strlen(string), at = 24;
        char *rest = length > 32 ? strstr(string + at, ", ") : NULL;
        if (rest) {
            *rest = 0;
            rest += 2;
        }
        dot_put_label(text, string);
        if (rest)
            dot_put(text, ",<br/>");
        string = rest;
    }
}

/* A further line of a label: "1.24 ms, 12.3 %". */
static void put_time(drawing *d, double time)
{
    if (!d->args->microseconds || time <= 0)
        return;
    double share = 100 * time / d->time;
    dot_put(&d->text, "<br/><font point-size=\"9\" color=\"#7f1d1d\">");
    if (time >= 1000)
        dot_print(&d->text, "%.*f ms, ", time < 1e4 ? 2 : time < 1e5 ? 1 : 0, time / 1000);
    else
        dot_print(&d->text, "%.*f \xc2\xb5s, ", time < 10 ? 1 : 0, time);
    dot_print(&d->text, share < 0.1 ? "&lt; 0.1 %%" : "%.1f %%", share);
    dot_put(&d->text, "</font>");
}

/* The fill of what took so long: from nearly white to red.  By the root, so that a tenth of the longest can still be seen. */
static void put_heat(drawing *d, double time)
{
    static const int cold[3] = {0xfd, 0xf6, 0xee}, hot[3] = {0xf8, 0x7a, 0x5a};
    double heat = d->longest > 0 ? sqrt(time / d->longest) : 0;
    int colour[3];
    for (int i = 0; i < 3; i++)
        colour[i] = (int)(cold[i] + heat * (hot[i] - cold[i]) + 0.5);
    dot_print(&d->text, ", fillcolor=\"#%02x%02x%02x\"", colour[0], colour[1], colour[2]);
}

/* The name's last part in bold, below it the op, if the name does not tell, and its attributes. */
static void put_label(drawing *d, const atl_node *node)
{
    dot_text *text = &d->text;
    char detail[512] = "";
    const char *name = atl_name_of(node), *last = strrchr(name, '/'), *own = last && last[1] ? last + 1 : name;
    size_t length = 0;
    if (node->base) {
        snprintf(detail, sizeof detail, "%s", node->op->name);
        length = strlen(detail);
    }
    if (node->op->describe) {
        size_t at = length ? length + 1 : 0;
        detail[at] = 0;
        node->op->describe(node, detail + at, sizeof detail - at);
        if (length && detail[at])
            detail[length] = ' ';
    }
    if (node->op->flags & ATL_OP_CONSTANT && !node->base && detail[0])
        own = detail; /* its value says more than "constant" */
    dot_put(text, "<<b>");
    dot_put_label(text, own);
    dot_put(text, "</b>");
    if (own != detail && detail[0]) {
        dot_put(text, "<br/><font point-size=\"9\" color=\"#5f6b78\">");
        put_in_lines(text, detail);
        dot_put(text, "</font>");
    }
    if (d->args->microseconds)
        put_time(d, d->args->microseconds[node->index]);
    dot_put(text, ">");
}

/* 1×28×28×3 */
static void put_shape(dot_text *text, const atl_node *node)
{
    if (node->dtype != ATL_FLOAT32)
        dot_print(text, "%s ", atl_dtype_name(node->dtype));
    if (node->shape.rank == 0)
        dot_put(text, "scalar");
    for (int i = 0; i < node->shape.rank; i++) {
        dot_put(text, i ? "\xc3\x97" : "");
        if (node->shape.size[i] == ATL_ANY)
            dot_put(text, "?");
        else
            dot_print(text, "%lld", (long long)node->shape.size[i]);
    }
}

/* Sources look the same in every part, and are square where their values come from outside. */
static void put_look(drawing *d, const atl_node *node)
{
    dot_text *text = &d->text;
    unsigned flags = node->op->flags;
    const struct hue *hue = &hues[d->scope_of[node->index]->hue];
    int is_source = flags & (ATL_OP_VARIABLE | ATL_OP_INPUT | ATL_OP_CONSTANT);
    if (flags & ATL_OP_VARIABLE)
        dot_put(text, ", style=filled, color=\"#4f9d5b\", fillcolor=\"#e2f3e4\"");
    else if (flags & ATL_OP_INPUT)
        dot_put(text, ", style=filled, color=\"#1d2b3a\", fillcolor=\"#ffffff\", penwidth=1.6");
    else if (flags & ATL_OP_CONSTANT)
        dot_print(text, ", color=\"%s\", fillcolor=\"#f1f2f4\"", hue == hues ? "#a3abb6" : hue->line);
    else if (hue != hues)
        dot_print(text, ", color=\"%s\"", hue->line);
    if (is_source)
        return;
    if (d->args->microseconds && d->args->microseconds[node->index] > 0)
        put_heat(d, d->args->microseconds[node->index]);
    else if (d->args->microseconds) /* it is done by another's step, or once for all */
        dot_put(text, ", fillcolor=\"#ffffff\"");
    else if (hue != hues)
        dot_print(text, ", fillcolor=\"%s\"", hue->fill);
}

static void put_node(drawing *d, const atl_node *node, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*sn%lld [label=", indent, "", (long long)node->index);
    put_label(d, node);
    put_look(d, node);
    if (d->is_wanted[node->index])
        dot_put(text, ", penwidth=2.4");
    dot_put(text, ", tooltip=\"");
    dot_put_quoted(text, atl_name_of(node));
    dot_put(text, " (");
    dot_put_quoted(text, node->op->name);
    dot_put(text, ") ");
    put_shape(text, node);
    dot_put(text, "\"];\n");
}

/* The last part of the scope's path. */
static void put_title(dot_text *text, const dot_scope *scope)
{
    const char *title = scope->path;
    int64_t length = scope->length;
    char name[ATL_NAME_SIZE];
    if (scope->parent && scope->parent->parent) {
        title += scope->parent->length + 1;
        length -= scope->parent->length + 1;
    }
    snprintf(name, sizeof name, "%.*s", (int)(length < ATL_NAME_SIZE ? length : ATL_NAME_SIZE - 1), title);
    dot_put_label(text, name);
}

static void put_box(drawing *d, const dot_scope *scope, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*sb%lld [label=<<b>", indent, "", (long long)scope->id);
    put_title(text, scope);
    dot_print(text, "</b><br/><font point-size=\"9\" color=\"#5f6b78\">%lld node%s</font>", (long long)scope->nodes,
              scope->nodes == 1 ? "" : "s");
    put_time(d, scope->time);
    dot_print(text, ">, color=\"%s\", penwidth=1.6", hues[scope->hue].line);
    if (d->args->microseconds)
        put_heat(d, scope->time);
    else
        dot_print(text, ", fillcolor=\"%s\"", hues[scope->hue].box);
    dot_put(text, "];\n");
}

/* ---- frames ---- */

/* Frames are translucent: the deeper, the darker. */
static void open_frame(drawing *d, const dot_scope *scope, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*ssubgraph cluster_%lld {\n%*sgraph [", indent, "", (long long)scope->id, indent + 2, "");
    if (!scope->parent && !scope->hue) { /* keeps the forward part on one side */
        dot_put(text, "peripheries=0, label=\"\", margin=20];\n");
        return;
    }
    dot_put(text, "label=<");
    put_title(text, scope);
    dot_print(text, ">, style=\"rounded,filled\", peripheries=1, margin=9, color=\"%s\", fillcolor=\"%s\"];\n",
              hues[scope->hue].frame_line, hues[scope->hue].frame);
}

static void put_nodes_of(drawing *d, const dot_scope *scope, int indent)
{
    if (scope->is_box) {
        put_box(d, scope, indent);
        return;
    }
    for (int64_t i = scope->first_node; i >= 0; i = d->next_node[i])
        put_node(d, d->graph->nodes[i], indent);
}

static int indent_at(int64_t depth) { return depth < 16 ? 2 * (int)depth + 2 : 34; }

/* Every frame with what is in it, outer ones first. */
static void put_frames(drawing *d)
{
    int64_t depth = 0;
    const dot_scope *scope = d->first_part;
    while (scope) {
        if (!scope->is_box) {
            open_frame(d, scope, indent_at(depth));
            depth++;
        }
        put_nodes_of(d, scope, indent_at(depth));
        if (scope->first_child) {
            scope = scope->first_child;
            continue;
        }
        for (int is_left = 0; scope && !is_left;) { /* closes what ends here, up to one that has a neighbour */
            if (!scope->is_box) {
                depth--;
                dot_print(&d->text, "%*s}\n", indent_at(depth), "");
            }
            is_left = scope->next != NULL;
            scope = is_left ? scope->next : scope->parent;
        }
    }
}

/* ---- edges ---- */

/* A node is 2i, a box is 2k + 1. */
static int64_t code_of(const drawing *d, const atl_node *node)
{
    const dot_scope *scope = d->scope_of[node->index];
    return scope->is_box ? 2 * scope->id + 1 : 2 * node->index;
}

static const dot_scope *scope_of_code(const drawing *d, int64_t code)
{
    return code & 1 ? d->scopes[code / 2] : d->scope_of[code / 2];
}

static const dot_scope *part_of_scope(const dot_scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

/* Puts the attributes of an edge but the one that tells its shape, and returns the name of that.
 * Within a gradient the layout sees the edge turned round, so that the gradient runs upwards; edges from the forward part then
 * pull it level with the ops it belongs to.  Where an edge enters a frame it leaves room for the parameters in there: frames
 * that share no level stand below each other.  Between parts, the shape is a label for which the layout makes no room, or,
 * where only the shape goes over, none.  (Of ends on the same level, minlen=0, Graphviz 2.43 dies now and then.) */
static const char *open_edge(drawing *d, int64_t tail, int64_t head_code, int is_shape)
{
    const dot_scope *from = scope_of_code(d, tail), *to = scope_of_code(d, head_code);
    int is_inside = part_of_scope(from) == part_of_scope(to), is_gradient = is_inside && to->hue;
    int64_t first = is_gradient ? head_code : tail, second = is_gradient ? tail : head_code;
    dot_print(&d->text, "  %c%lld -> %c%lld [", first & 1 ? 'b' : 'n', (long long)(first / 2), second & 1 ? 'b' : 'n',
              (long long)(second / 2));
    if (is_gradient)
        dot_print(&d->text, "dir=back, color=\"%s\", ", hues[to->hue].line);
    else if (!is_inside)
        dot_print(&d->text, "color=\"%s\", penwidth=0.9, ", is_shape ? "#d0d6dd" : "#b9c2cd");
    if (is_shape)
        dot_put(&d->text, "style=dashed, ");
    if (is_inside && from != to && to->parent && !to->is_box && d->levels[head_code / 2])
        dot_print(&d->text, "minlen=%d, ", 1 + d->levels[head_code / 2]);
    return is_inside ? "label" : is_shape ? "tooltip" : "xlabel";
}

static void put_edge(drawing *d, const atl_node *tail, const atl_node *user, int is_shape)
{
    dot_print(&d->text, "%s=\" ", open_edge(d, code_of(d, tail), code_of(d, user), is_shape));
    put_shape(&d->text, tail);
    dot_put(&d->text, " \"];\n");
}

static int compare_box_edges(const void *left, const void *right)
{
    const box_edge *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    if (a->tail != b->tail)
        return a->tail < b->tail ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* All edges between the same two, of which the nodes are in ascending order: returns how many they were. */
static int64_t put_merged_edges(drawing *d, const box_edge *edge, int64_t count)
{
    int64_t same = 0, tensors = 0;
    int is_shape = 1;
    while (same < count && edge[same].tail == edge->tail && edge[same].head == edge->head) {
        tensors += same == 0 || edge[same].node != edge[same - 1].node;
        is_shape &= edge[same].is_shape;
        same++;
    }
    dot_print(&d->text, "%s=\" ", open_edge(d, edge->tail, edge->head, is_shape));
    if (tensors == 1)
        put_shape(&d->text, d->graph->nodes[edge->node]);
    else
        dot_print(&d->text, "%lld tensors", (long long)tensors);
    dot_put(&d->text, " \"];\n");
    return same;
}

/* Edges between nodes are written at once; those that end in a box are kept. */
static atl_status put_edges_to(drawing *d, const atl_node *node)
{
    for (int k = 0; k < node->input_count; k++) {
        const atl_node *input = node->inputs[k];
        int is_shape = atl_is_shape_input(node->op, k);
        if (!d->is_drawn[input->index])
            continue;
        int64_t tail = code_of(d, input), head_code = code_of(d, node);
        if (!((tail | head_code) & 1)) {
            put_edge(d, input, node, is_shape);
            continue;
        }
        if (tail == head_code)
            continue;
        if (!ATL_GROW(d->edges, d->edge_count, d->edge_capacity))
            return atl_out_of_memory();
        d->edges[d->edge_count++] = (box_edge){tail, head_code, input->index, is_shape};
    }
    return ATL_OK;
}

static atl_status put_edges(drawing *d)
{
    for (int64_t i = 0; i < d->graph->count; i++)
        if (d->is_drawn[i] && put_edges_to(d, d->graph->nodes[i]))
            return ATL_OUT_OF_MEMORY;
    if (d->edge_count)
        qsort(d->edges, (size_t)d->edge_count, sizeof *d->edges, compare_box_edges);
    for (int64_t i = 0; i < d->edge_count;)
        i += put_merged_edges(d, d->edges + i, d->edge_count - i);
    return ATL_OK;
}

/* ---- the whole ---- */

static void put_head(drawing *d)
{
    dot_put(&d->text, head);
    if (!d->args->title && !d->graph->broken)
        return;
    dot_put(&d->text, "  graph [labelloc=t, label=<");
    if (d->args->title) {
        dot_put(&d->text, "<font point-size=\"14\" color=\"#1d2b3a\">");
        dot_put_label(&d->text, d->args->title);
        dot_put(&d->text, "</font>");
    }
    if (d->graph->broken) {
        dot_put(&d->text, d->args->title ? "<br/><font color=\"#b3261e\">" : "<font color=\"#b3261e\">");
        dot_put_label(&d->text, d->graph->error);
        dot_put(&d->text, "</font>");
    }
    dot_put(&d->text, ">];\n");
}

static atl_status draw(drawing *d)
{
    size_t count = (size_t)d->graph->count;
    d->is_drawn = atl_allocate(count, 1);
    d->is_wanted = atl_allocate(count, 1);
    d->is_fed = atl_allocate(count, 1);
    d->levels = atl_allocate(count, 1);
    d->scope_of = atl_allocate(count, sizeof(dot_scope *));
    d->next_node = atl_allocate(count, sizeof *d->next_node);
    if (!d->is_drawn || !d->is_wanted || !d->is_fed || !d->levels || !d->scope_of || !d->next_node)
        return atl_out_of_memory();
    atl_status status = select_nodes(d);
    if (!status)
        status = place_nodes(d);
    if (status)
        return status;
    for (int64_t i = 0; d->args->microseconds && i < d->graph->count; i++)
        d->time += d->args->microseconds[i];
    put_head(d);
    put_frames(d);
    status = put_edges(d);
    dot_put(&d->text, "}\n");
    return status ? status : dot_finish(&d->text);
}

static void release_scopes(drawing *d)
{
    for (int64_t i = 0; i < d->scope_count; i++)
        HASH_CLEAR(hh, d->scopes[i]->by_path);
    HASH_CLEAR(hh, d->parts);
    for (int64_t i = 0; i < d->scope_count; i++)
        atl_release(d->scopes[i]);
    atl_release(d->scopes);
}

static const atl_graph *graph_of(const atl_dot_args *args)
{
    if (args->graph)
        return args->graph;
    if (args->to || args->from)
        return args->to ? args->to->graph : args->from->graph;
    for (int64_t i = 0; i < args->wanted.count; i++)
        if (args->wanted.node[i])
            return args->wanted.node[i]->graph;
    return NULL;
}

atl_status atl_dot_text(const atl_dot_args *args, FILE *file, char **text_out, int64_t *boxes_out)
{
    drawing d = {.graph = graph_of(args), .args = args, .text = {.file = file}};
    if (!d.graph)
        return atl_set_error(ATL_INVALID, "dot: no graph is given");
    if (args->depth < 0)
        return atl_set_error(ATL_INVALID, "dot: a depth of %d; it must be 1 or more, or 0 for no boxes", args->depth);
    atl_status status = draw(&d);
    if (boxes_out)
        *boxes_out = d.boxes;
    if (text_out)
        *text_out = status ? NULL : d.text.data;
    if (status || !text_out)
        atl_release(d.text.data);
    release_scopes(&d);
    atl_release(d.is_drawn);
    atl_release(d.is_wanted);
    atl_release(d.is_fed);
    atl_release(d.levels);
    atl_release(d.scope_of);
    atl_release(d.next_node);
    atl_release(d.edges);
    return status;
}
