/* Drawings of graphs in Graphviz's DOT language.  It knows ops only by their flags and `describe`.
 *
 * One pass over the nodes selects those to draw, one puts each into its scope, one writes the scopes with their nodes,
 * and one writes the edges.  Nothing recurses, neither over nodes nor over scopes. */
#include "drawing/dot.h"

#include "drawing/drawing.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"

static const char *const head =
    "digraph atled {\n"
    "  graph [rankdir=TB, newrank=true, nslimit=10, nodesep=0.28, ranksep=0.3, pad=0.2, bgcolor=\"white\", "
    "fontname=\"Helvetica\", "
    "fontsize=11, fontcolor=\"#5b6472\", labeljust=l];\n"
    "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, fontcolor=\"#1d2b3a\", "
    "margin=\"0.13,0.06\", height=0.32, width=0.5, penwidth=1.1, color=\"#4a7fc1\", fillcolor=\"#e3eefb\"];\n"
    "  edge [fontname=\"Helvetica\", fontsize=8.5, fontcolor=\"#6c7785\", color=\"#6d7f96\", arrowsize=0.6, "
    "penwidth=1.1];\n";

static void put_head(drawing *d)
{
    dot_put(&d->text, head);
    const char *title = d->args->title && d->args->title[0] ? d->args->title : NULL;
    if (!title && !d->graph->broken)
        return;
    dot_put(&d->text, "  graph [labelloc=t, label=<");
    if (title) {
        dot_put(&d->text, "<font point-size=\"14\" color=\"#1d2b3a\">");
        dot_put_label(&d->text, title);
        dot_put(&d->text, "</font>");
    }
    if (d->graph->broken) {
        dot_put(&d->text, title ? "<br/><font color=\"#b3261e\">" : "<font color=\"#b3261e\">");
        dot_put_label(&d->text, d->graph->error);
        dot_put(&d->text, "</font>");
    }
    dot_put(&d->text, ">];\n");
}

/* The styles are those of boxes.c and edges.c. */
static const char *const legend =
    "  subgraph cluster_legend {\n"
    "    graph [label=\"legend\", style=\"rounded\", color=\"#c9ccd2\", margin=9];\n"
    "    l0 [label=\"input\", style=filled, color=\"#1d2b3a\", fillcolor=\"#ffffff\", penwidth=1.6];\n"
    "    l1 [label=\"op\"];\n"
    "    l2 [label=\"variable\", style=filled, color=\"#4f9d5b\", fillcolor=\"#e2f3e4\"];\n"
    "    l3 [label=\"constant\", color=\"#a3abb6\", fillcolor=\"#f1f2f4\"];\n"
    "    l4 [label=<<b>scope</b><br/>of several nodes>, penwidth=1.6, fillcolor=\"#cbdff6\"];\n"
    "    l5 [label=\"op of a gradient\", color=\"#d9813f\", fillcolor=\"#fdeadd\"];\n"
    "    l0 -> l1 [label=\"its value\"];\n"
    "    l2 -> l1;\n"
    "    l3 -> l4 [style=dashed, label=\"its shape only\"];\n"
    "    l1 -> l5 [color=\"#b9c2cd\", penwidth=0.9, label=\"a value kept for the gradient\"];\n"
    "    l4 -> l5 [dir=back, color=\"#d9813f\", label=\"a gradient, upwards\"];\n"
    "  }\n";

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
    atl_status status = dot_select_nodes(d);
    if (!status)
        status = dot_place_nodes(d);
    if (status)
        return status;
    for (int64_t i = 0; d->args->microseconds && i < d->graph->count; i++)
        d->time += d->args->microseconds[i];
    put_head(d);
    if (d->args->legend)
        dot_put(&d->text, legend);
    dot_put_frames(d);
    status = dot_put_edges(d);
    dot_put(&d->text, "}\n");
    return status ? status : dot_finish(&d->text);
}

static const atl_graph *graph_of(const atl_dot_args *args)
{
    if (args->graph)
        return args->graph;
    if (args->to || args->from)
        return args->to ? args->to->graph : args->from->graph;
    for (int64_t i = 0; i < args->outputs.count; i++)
        if (args->outputs.node[i])
            return args->outputs.node[i]->graph;
    return NULL;
}

atl_status dot_check_arguments(const atl_dot_args *args, const atl_graph **graph_out)
{
    if (ATL_LIST_IS_NULL(args->outputs))
        return atl_null_argument("atl_write_dot", "the list of outputs is");
    const atl_graph *graph = graph_of(args);
    if (!graph)
        return atl_set_error(ATL_INVALID, "dot: no graph is given");
    if (graph->broken == ATL_OUT_OF_MEMORY) /* nobody's mistake that could be seen in a drawing */
        return atl_set_error(ATL_OUT_OF_MEMORY, "dot: the graph is not whole: %s", graph->error);
    if (args->depth < 0)
        return atl_set_error(ATL_INVALID, "dot: a depth of %d; it must be 1 or more, or 0 for no boxes", args->depth);
    if (!atl_give_names(graph))
        return atl_out_of_memory();
    *graph_out = graph;
    return ATL_OK;
}

atl_status atl_dot_text(const atl_dot_args *args, FILE *file, char **text_out, int64_t *boxes_out)
{
    drawing d = {.args = args, .text = {.file = file}};
    if (dot_check_arguments(args, &d.graph))
        return atl_error_status();
    atl_status status = draw(&d);
    if (boxes_out)
        *boxes_out = d.boxes;
    if (text_out)
        *text_out = status ? NULL : d.text.data;
    if (status || !text_out)
        atl_release(d.text.data);
    dot_release_scopes(&d);
    atl_release(d.is_drawn);
    atl_release(d.is_wanted);
    atl_release(d.is_fed);
    atl_release(d.levels);
    atl_release(d.scope_of);
    atl_release(d.next_node);
    atl_release(d.edges);
    return status;
}
