/* The explorer's page: what it needs of a graph, as JSON beside the program that draws it. */
#include "drawing/explorer.h"

#include <stdlib.h>
#include <string.h>

#include "drawing/drawing.h"
#include "explorer_page.h" /* made by the build of explorer.css, explorer.html and explorer_*.js */
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"
#include "program/json.h"

/* A scope of names: conv1 of conv1/weights.  Scope 0 is the whole graph. */
typedef struct page_scope {
    const char *path; /* in the memory of a node's name */
    int64_t length;
    int64_t parent, id;
    int64_t boxes; /* child scopes and nodes in it */
    int64_t place; /* its index among the boxes of its parent */
    int unhashed;
    UT_hash_handle hh;
} page_scope;

/* An edge as it is drawn in the scope that contains both ends and is the smallest such. */
typedef struct page_edge {
    int64_t scope, tail, head; /* ends: indices among the boxes of the scope */
} page_edge;

typedef struct page {
    drawing d; /* which nodes are drawn */
    FILE *file;
    page_scope **scope;
    int64_t scopes, scope_capacity;
    page_scope *by_path;
    int64_t *scope_of; /* of each node */
    int64_t *place;    /* of each node: its index among the boxes of its scope */
    int64_t *number;   /* of each drawn node, in the order of creation; -1 for others */
    char *is_optimizer;
    page_edge *edge;
    int64_t edges, edge_capacity;
} page;

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

/* Where the last part of the first `length` characters begins. */
static int64_t last_part(const char *path, int64_t length)
{
    int64_t start = length;
    while (start > 0 && !(path[start - 1] == '/' || is_separator(path, start - 1)))
        start--;
    return start < length ? start : 0;
}

static page_scope *scope_at(page *p, const char *path, int64_t length)
{
    page_scope *found;
    HASH_FIND(hh, p->by_path, path, (size_t)length, found);
    return found;
}

static page_scope *add_scope(page *p, const char *path, int64_t length, int64_t parent)
{
    page_scope *scope = atl_allocate(1, sizeof *scope);
    if (!scope || !ATL_GROW(p->scope, p->scopes, p->scope_capacity)) {
        atl_release(scope);
        return NULL;
    }
    *scope = (page_scope){.path = path, .length = length, .parent = parent, .id = p->scopes};
    p->scope[p->scopes++] = scope;
    HASH_ADD_KEYPTR(hh, p->by_path, scope->path, (size_t)length, scope);
    return scope->unhashed ? NULL : scope;
}

/* The scope of that path, with all those around it; null if memory runs out. */
static page_scope *make_scope(page *p, const char *path, int64_t length)
{
    page_scope *scope = p->scope[0];
    for (int64_t end = 1; end <= length; end++) {
        if (end < length && !is_separator(path, end))
            continue;
        page_scope *known = scope_at(p, path, end);
        scope = known ? known : add_scope(p, path, end, scope->id);
        if (!scope)
            return NULL;
    }
    return scope;
}

/* Puts each drawn node into its scope.  The boxes of a scope are its child scopes, then its nodes. */
static atl_status place_nodes(page *p)
{
    const atl_graph *graph = p->d.graph;
    int64_t drawn = 0;
    if (!add_scope(p, "", 0, -1))
        return atl_out_of_memory();
    for (int64_t i = 0; i < graph->count; i++) {
        const atl_node *node = graph->nodes[i];
        const char *name = atl_name_of(node);
        int64_t own = last_part(name, (int64_t)strlen(name));
        p->number[i] = p->d.is_drawn[i] ? drawn++ : -1;
        if (!p->d.is_drawn[i])
            continue;
        page_scope *scope = make_scope(p, name, own ? own - 1 : 0);
        if (!scope)
            return atl_out_of_memory();
        p->scope_of[i] = scope->id;
    }
    for (int64_t k = 1; k < p->scopes; k++)
        p->scope[k]->place = p->scope[p->scope[k]->parent]->boxes++;
    for (int64_t i = 0; i < graph->count; i++)
        if (p->d.is_drawn[i])
            p->place[i] = p->scope[p->scope_of[i]]->boxes++;
    return ATL_OK;
}

/* What belongs to no gradient but depends on one: the optimizer. */
static void find_optimizer(page *p)
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

static int64_t depth_of(const page *p, int64_t scope)
{
    int64_t depth = 0;
    for (; scope > 0; scope = p->scope[scope]->parent)
        depth++;
    return depth;
}

static int64_t climb(const page *p, int64_t *scope)
{
    int64_t place = p->scope[*scope]->place;
    *scope = p->scope[*scope]->parent;
    return place;
}

static atl_status add_edge(page *p, const atl_node *from, const atl_node *to)
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
    p->edge[p->edges++] = (page_edge){a, tail, head};
    return ATL_OK;
}

static int compare_edges(const void *left, const void *right)
{
    const page_edge *a = left, *b = right;
    int64_t difference = a->scope != b->scope ? a->scope - b->scope
                         : a->tail != b->tail ? a->tail - b->tail
                                              : a->head - b->head;
    return (difference > 0) - (difference < 0);
}

static atl_status make_edges(page *p)
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

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static const char *own_name(const atl_node *node)
{
    const char *name = atl_name_of(node);
    return name + last_part(name, (int64_t)strlen(name));
}

static const char *describe(const atl_node *node, char *text, size_t size)
{
    text[0] = 0;
    if (node->op->describe)
        node->op->describe(node, text, size);
    return text;
}

static int32_t text_width(size_t characters)
{
    enum { LEAST = 6, MOST = 34 };
    return 20 + 7 * (int32_t)(characters < LEAST ? LEAST : characters > MOST ? MOST : characters);
}

static int32_t node_width(const atl_node *node)
{
    char text[512];
    size_t own = strlen(own_name(node)),
           detail = strlen(node->op->name) + 1 + strlen(describe(node, text, sizeof text));
    return text_width(own > detail ? own : detail);
}

static int32_t scope_width(const page_scope *scope)
{
    int64_t own = scope->length - last_part(scope->path, scope->length);
    return text_width((size_t)own + 8); /* and the number of nodes in it */
}

static const char *shape_text(const atl_node *node, dot_text *text)
{
    text->size = 0;
    dot_put_shape(text, node);
    dot_put_bytes(text, "", 1); /* the end of the string */
    return text->status ? "" : text->data;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static void write_scopes(const page *p)
{
    fputs("\"scopes\":[", p->file);
    for (int64_t k = 0; k < p->scopes; k++) {
        const page_scope *scope = p->scope[k];
        int64_t start = last_part(scope->path, scope->length);
        char name[512];
        snprintf(name, sizeof name, "%.*s", (int)(scope->length - start), scope->path + start);
        fprintf(p->file, "%s[%lld,", k ? ",\n" : "", (long long)scope->parent);
        atl_write_json_text(p->file, name);
        fprintf(p->file, ",%d,\"%c\"]", scope_width(scope), scope->path[scope->length] == '.' ? '.' : '/');
    }
    fputs("],\n", p->file);
}

/* 0 input, 1 variable, 2 constant, 3 forward, 4 gradient, 5 optimizer */
static int kind_of(const page *p, const atl_node *node)
{
    unsigned flags = node->op->flags;
    if (flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return flags & ATL_OP_INPUT ? 0 : flags & ATL_OP_VARIABLE ? 1 : 2;
    return node->forward ? 4 : p->is_optimizer[node->index] ? 5 : 3;
}

static void write_node(const page *p, const atl_node *node, dot_text *shape)
{
    char text[512];
    FILE *file = p->file;
    fprintf(file, "[%lld,%d,", (long long)p->scope_of[node->index], kind_of(p, node));
    atl_write_json_text(file, own_name(node));
    fputc(',', file);
    atl_write_json_text(file, node->op->name);
    fputc(',', file);
    atl_write_json_text(file, describe(node, text, sizeof text));
    fputc(',', file);
    atl_write_json_text(file, shape_text(node, shape));
    int64_t count = atl_shape_count(*node->shape);
    fprintf(file, ",%d,%lld,[", node_width(node),
            count < 0 ? -1LL : (long long)count * (long long)atl_dtype_size(node->dtype));
    for (int k = 0, written = 0; k < node->input_count; k++)
        if (p->d.is_drawn[node->inputs[k]->index])
            fprintf(file, "%s%lld", written++ ? "," : "", (long long)p->number[node->inputs[k]->index]);
    fprintf(file, "],%lld", node->forward ? (long long)p->number[node->forward->index] : -1LL);
    if (p->d.args->microseconds) {
        fputc(',', file);
        atl_write_json_number(file, p->d.args->microseconds[node->index], 2);
    }
    fputc(']', file);
}

static atl_status write_nodes(page *p)
{
    int first = 1;
    dot_text shape = {0};
    fputs("\"nodes\":[", p->file);
    for (int64_t i = 0; i < p->d.graph->count; i++) {
        if (!p->d.is_drawn[i])
            continue;
        fputs(first ? "" : ",\n", p->file);
        first = 0;
        write_node(p, p->d.graph->nodes[i], &shape);
    }
    fputs("],\n", p->file);
    atl_status status = shape.status;
    atl_release(shape.data);
    return status;
}

/* The widths of all boxes, those of a scope in the order of their places, one scope after the other. */
static int32_t *widths_of_boxes(const page *p)
{
    int64_t *first = atl_allocate((size_t)p->scopes + 1, sizeof *first);
    int32_t *width = atl_allocate((size_t)(p->scopes + p->d.graph->count) + 1, sizeof *width);
    if (!first || !width) {
        atl_release(first);
        atl_release(width);
        atl_out_of_memory();
        return NULL;
    }
    for (int64_t k = 0; k < p->scopes; k++)
        first[k + 1] = first[k] + p->scope[k]->boxes;
    for (int64_t k = 1; k < p->scopes; k++)
        width[first[p->scope[k]->parent] + p->scope[k]->place] = scope_width(p->scope[k]);
    for (int64_t i = 0; i < p->d.graph->count; i++)
        if (p->d.is_drawn[i])
            width[first[p->scope_of[i]] + p->place[i]] = node_width(p->d.graph->nodes[i]);
    atl_release(first);
    return width;
}

/* Writes the centres of the boxes of a scope; *edge is the first of its edges, and is moved behind the last. */
static atl_status write_layout(const page *p, int64_t scope, const int32_t *width, int64_t *edge)
{
    int64_t count = p->scope[scope]->boxes, edges = 0;
    while (*edge + edges < p->edges && p->edge[*edge + edges].scope == scope)
        edges++;
    int32_t(*at)[2] = atl_allocate((size_t)count + 1, sizeof *at);
    int64_t(*ends)[2] = atl_allocate((size_t)edges + 1, sizeof *ends);
    atl_status status = at && ends ? ATL_OK : atl_out_of_memory();
    for (int64_t i = 0; !status && i < edges; i++) {
        ends[i][0] = p->edge[*edge + i].tail;
        ends[i][1] = p->edge[*edge + i].head;
    }
    if (!status)
        status = explorer_place(&(explorer_layout){count, edges, width, (const int64_t(*)[2])ends, at});
    for (int64_t i = 0; !status && i < count; i++)
        fprintf(p->file, "%s%d,%d", i ? "," : "", at[i][0], at[i][1]);
    *edge += edges;
    atl_release(at);
    atl_release(ends);
    return status;
}

static atl_status write_layouts(const page *p)
{
    int64_t edge = 0, box = 0;
    int32_t *width = widths_of_boxes(p);
    atl_status status = width ? ATL_OK : ATL_OUT_OF_MEMORY;
    fputs("\"layout\":[", p->file);
    for (int64_t k = 0; !status && k < p->scopes; k++) {
        fputs(k ? ",\n[" : "[", p->file);
        status = write_layout(p, k, width + box, &edge);
        box += p->scope[k]->boxes;
        fputc(']', p->file);
    }
    fputs("]}", p->file);
    atl_release(width);
    return status;
}

static void write_head(const page *p, const char *title, const char *still)
{
    FILE *file = p->file;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          file);
    for (const char *c = title; *c; c++)
        if (*c == '<' || *c == '&')
            fputs(*c == '<' ? "&lt;" : "&amp;", file);
        else
            fputc((unsigned char)*c < 0x20 ? ' ' : *c, file);
    fprintf(file, "</title>\n<style>\n%s</style>\n</head>\n<body>\n%s", explorer_css, explorer_html);
    fprintf(
        file,
        "<noscript>\n<p>This page needs JavaScript to fold and search. The graph as a drawing:</p>\n%s</noscript>\n",
        still ? still : "<p>(none: atled was built without Graphviz)</p>\n");
    fputs("<script type=\"application/json\" id=\"graph\">\n{\"title\":", file);
    atl_write_json_text(file, title);
    fputs(",\"error\":", file);
    atl_write_json_text(file, p->d.graph->broken ? p->d.graph->error : "");
    fprintf(file, ",\"depth\":%d,\n", p->d.args->depth);
}

static atl_status write_page(page *p, const char *still)
{
    const char *title = p->d.args->title && p->d.args->title[0] ? p->d.args->title : "graph";
    write_head(p, title, still);
    write_scopes(p);
    atl_status status = write_nodes(p);
    if (!status)
        status = write_layouts(p);
    fprintf(p->file, "\n</script>\n<script>\n'use strict';\n{\n%s\n%s\n%s}\n</script>\n</body>\n</html>\n",
            explorer_graph_js, explorer_view_js, explorer_panel_js);
    return status;
}

static atl_status prepare(page *p)
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
        status = make_edges(p);
    find_optimizer(p);
    return status;
}

atl_status explorer_write(const atl_dot_args *args, const char *still, FILE *file)
{
    page p = {.d = {.args = args}, .file = file};
    atl_status status = dot_check_arguments(args, &p.d.graph);
    if (status)
        return status;
    status = prepare(&p);
    if (!status)
        status = write_page(&p, still);
    HASH_CLEAR(hh, p.by_path);
    for (int64_t k = 0; k < p.scopes; k++)
        atl_release(p.scope[k]);
    atl_release(p.scope);
    atl_release(p.edge);
    atl_release(p.d.is_drawn);
    atl_release(p.d.is_wanted);
    atl_release(p.scope_of);
    atl_release(p.place);
    atl_release(p.number);
    atl_release(p.is_optimizer);
    return status;
}
