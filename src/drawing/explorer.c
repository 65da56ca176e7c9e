/* The explorer's page: what it needs of a graph, as JSON beside the program that draws it. */
#include "drawing/explorer.h"

#include <string.h>

#include "drawing/explorer_scopes.h"
#include "explorer_page.h" /* made by the build of explorer.css, explorer.html and explorer_*.js */
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"
#include "program/json.h"

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static const char *own_name(const atl_node *node)
{
    const char *name = atl_name_of(node);
    return name + explorer_last_part(name, (int64_t)strlen(name));
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

static int32_t scope_width(const explorer_scope *scope)
{
    int64_t own = scope->length - explorer_last_part(scope->path, scope->length);
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

static void write_scopes(const explorer_page *p)
{
    fputs("\"scopes\":[", p->file);
    for (int64_t k = 0; k < p->scopes; k++) {
        const explorer_scope *scope = p->scope[k];
        int64_t start = explorer_last_part(scope->path, scope->length);
        char name[512];
        snprintf(name, sizeof name, "%.*s", (int)(scope->length - start), scope->path + start);
        fprintf(p->file, "%s[%lld,", k ? ",\n" : "", (long long)scope->parent);
        atl_write_json_text(p->file, name);
        fprintf(p->file, ",%d,\"%c\"]", scope_width(scope), scope->path[scope->length] == '.' ? '.' : '/');
    }
    fputs("],\n", p->file);
}

/* 0 input, 1 variable, 2 constant, 3 forward, 4 gradient, 5 optimizer */
static int kind_of(const explorer_page *p, const atl_node *node)
{
    unsigned flags = node->op->flags;
    if (flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return flags & ATL_OP_INPUT ? 0 : flags & ATL_OP_VARIABLE ? 1 : 2;
    return node->forward ? 4 : p->is_optimizer[node->index] ? 5 : 3;
}

static void write_node(const explorer_page *p, const atl_node *node, dot_text *shape)
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

static atl_status write_nodes(explorer_page *p)
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
static int32_t *widths_of_boxes(const explorer_page *p)
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
static atl_status write_layout(const explorer_page *p, int64_t scope, const int32_t *width, int64_t *edge)
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

static atl_status write_layouts(const explorer_page *p)
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

static void write_head(const explorer_page *p, const char *title, const char *still)
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

static atl_status write_page(explorer_page *p, const char *still)
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

atl_status explorer_write(const atl_dot_args *args, const char *still, FILE *file)
{
    explorer_page p = {.d = {.args = args}, .file = file};
    atl_status status = dot_check_arguments(args, &p.d.graph);
    if (status)
        return status;
    status = explorer_collect(&p);
    if (!status)
        status = write_page(&p, still);
    explorer_release(&p);
    return status;
}
