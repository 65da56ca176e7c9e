/* Graphs to draw, and drawings as text that is read back. */
#ifndef ATLED_TESTS_DRAWINGS_H
#define ATLED_TESTS_DRAWINGS_H

#include "atled/dot.h"

#include <stdlib.h>

#include "config.h"
#include "drawing/dot.h"
#include "graph/memory.h"
#include "support.h"

static atl_graph *graph;

static inline void make_graph(void) { graph = atl_graph_new(); }
static inline void free_graph(void) { atl_graph_free(graph); }

/* ---- reading drawings back ---- */

#ifdef ATLED_HAVE_GRAPHVIZ
#include <cgraph.h>

static char error_text[512];
static inline int keep_error_text(char *message)
{
    if (!error_text[0])
        snprintf(error_text, sizeof error_text, "%s", message);
    return 0;
}

/* Graphviz's own parser must accept the text without a message.  Returns the graph; the caller closes it. */
static inline Agraph_t *parsed(const char *text)
{
    agseterrf(keep_error_text);
    error_text[0] = 0;
    Agraph_t *drawing = agmemread(text);
    cr_assert(drawing && !error_text[0], "Graphviz refuses the drawing: %s\n%s", error_text, text);
    return drawing;
}

static inline void check_counts(const char *text, int nodes, int edges)
{
    Agraph_t *drawing = parsed(text);
    cr_assert(nodes == agnnodes(drawing) && edges == agnedges(drawing),
              "%d nodes and %d edges are drawn, %d and %d expected:\n%s", agnnodes(drawing), agnedges(drawing), nodes,
              edges, text);
    agclose(drawing);
}
#else
static inline void check_counts(const char *text, int nodes, int edges) { (void)text, (void)nodes, (void)edges; }
#endif

/* The drawing as text, which Graphviz must be able to read; the caller frees it. */
static inline char *text_of(const atl_dot_args *args)
{
    char *text;
    atl_status status = atl_dot_text(args, NULL, &text, NULL);
    cr_assert(status == ATL_OK, "%s", atl_error());
#ifdef ATLED_HAVE_GRAPHVIZ
    agclose(parsed(text));
#endif
    return text;
}
#define DRAWN(...) text_of(&(atl_dot_args){__VA_ARGS__, .end_ = 0})

static inline int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* The line that draws the node, as an array of its own. */
__attribute__((noinline, unused)) static const char *line_of(const char *text, const char *begin)
{
    static char line[2048];
    const char *at = strstr(text, begin);
    cr_assert(at, "'%s' is not in:\n%s", begin, text);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

static inline const char *node_line(const char *text, const atl_node *node)
{
    char begin[48];
    snprintf(begin, sizeof begin, "n%lld [", (long long)atl_index_of(node));
    return line_of(text, begin);
}

static inline const char *edge_line(const char *text, const atl_node *tail, const atl_node *head)
{
    char begin[48];
    snprintf(begin, sizeof begin, "n%lld -> n%lld [", (long long)atl_index_of(tail), (long long)atl_index_of(head));
    return line_of(text, begin);
}

/* ---- graphs to draw ---- */

static inline atl_node *image_of(int64_t width)
{
    return atl_input(graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, width));
}

/* tanh(x * weights + biases), in a scope */
static inline atl_node *layer(atl_node *x, const char *name)
{
    atl_enter(graph, name);
    atl_node *weights = atl_variable(graph, "weights", ATL_SHAPE(4), atl_zeros());
    atl_node *biases = atl_variable(graph, "biases", ATL_SHAPE(4), atl_zeros());
    atl_node *y = atl_tanh(atl_add(atl_mul(x, weights), biases));
    atl_leave(graph);
    return y;
}

static inline atl_node *three_layers(void) { return layer(layer(layer(image_of(4), "one"), "two"), "three"); }

static inline atl_node *slope_of_three_layers(void)
{
    atl_node *y = three_layers();
    atl_node *slope = atl_gradient(y, atl_find(graph, "image"));
    cr_assert_not_null(slope);
    return slope;
}

#endif
