/* A graph as a drawing: Graphviz's DOT language, or rendered.
 *
 * The forward part runs downwards in blue.  Each gradient stands beside it in orange and runs upwards, so that the gradient of
 * an op is level with the op.  Scopes are frames; inputs, variables (green) and constants (grey) have looks of their own;
 * every edge tells its shape, and its type if that is not float32.  A dashed edge gives its shape only, never its value. */
#ifndef ATLED_DOT_H
#define ATLED_DOT_H

#include <stdio.h>

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_dot_args {
    atl_graph *graph;
    const char *path;  /* ends in .svg, .png or .pdf: rendered; else the text of the drawing */
    FILE *file;        /* in place of path: the text goes there */
    atl_node *from;    /* only what is computed from it ... */
    atl_node *to;      /* ... and only what it is computed from: with both, what lies on a path between the two */
    atl_nodes outputs; /* only what these are computed from, and they are drawn bold */
    int depth;         /* a scope at this depth is one box, with all that is in it: 1 for the outermost; 0: none is */
    const char *title; /* above the drawing; null or empty: none */
    /* Of each node of the graph, by its index (atl_program_node_times): every box tells its time and its share of the sum of all,
     * and is the redder the more it takes.  Null: none. */
    const double *microseconds;
    int end_;
} atl_dot_args;

/* The same graph gives the same bytes.  Null nodes in from, to and wanted restrict nothing.  A graph in which a builder has
 * recorded a mistake is drawn as far as it got, with the mistake in the title; one for which memory ran out is not drawn:
 * ATL_OUT_OF_MEMORY.
 * ATL_INVALID for a node of another graph, or if no path leads from `from` to `to`; ATL_BAD_FILE if the file cannot be
 * written, and the old one stays; ATL_UNSUPPORTED if rendering was not built in, or the drawing is too large for it: ask for a
 * depth, or for less of the graph. */
ATL_API atl_status atl_write_dot_with(const atl_dot_args *args);
#define atl_write_dot(...) atl_write_dot_with(ATL_OPTIONS_(atl_dot_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
