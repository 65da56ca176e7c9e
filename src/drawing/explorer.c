/* The explorer's page: what it needs of a graph, as JSON beside the program that draws it. */
#include "drawing/explorer.h"

#include <string.h>

#include "drawing/explorer_compare.h"
#include "drawing/explorer_plan.h"
#include "drawing/explorer_scopes.h"
#include "drawing/explorer_values.h"
#include "explorer_page.h" /* made by the build of explorer.css, explorer.html and explorer_*.js */
#include "graph/error.h"
#include "graph/memory.h"
#include "program/json.h"

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
        width[first[p->scope[k]->parent] + p->scope[k]->place] = explorer_scope_width(p->scope[k]);
    for (int64_t i = 0; i < p->d.graph->count; i++)
        if (p->d.is_drawn[i])
            width[first[p->scope_of[i]] + p->place[i]] = explorer_node_width(p->d.graph->nodes[i]);
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
    fputs("]", p->file);
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
    fprintf(file,
            "</title>\n<style>\n%s</style>\n"
            "<noscript><style>header, main, aside { display: none }</style></noscript>\n</head>\n<body>\n%s",
            explorer_css, explorer_html);
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
    atl_status status = explorer_write_graph(p);
    explorer_write_values(p);
    if (!status)
        status = explorer_write_plans(p);
    if (!status)
        status = explorer_write_other(p->d.args->against, p->file);
    if (!status)
        status = write_layouts(p);
    fputc('}', p->file);
    fputs("\n</script>\n<script>\n'use strict';\n{\n", p->file);
    static const char *const programs[] = {explorer_graph_js, explorer_other_js, explorer_values_js, explorer_view_js,
                                           explorer_plan_js,  explorer_panel_js, explorer_input_js};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        fprintf(p->file, "%s\n", programs[i]);
    fputs("}\n</script>\n</body>\n</html>\n", p->file);
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
