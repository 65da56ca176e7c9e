/* Draws a graph as text in Graphviz's DOT language, or renders it.
 *
 * The forward part is blue and runs downwards.  Each gradient is orange and runs upwards beside it, so that the
 * gradient of an op is level with the op.  Scopes are frames.  Inputs, variables (green) and constants (grey) have
 * their own styles.  Every edge shows its shape, and its type if that is not float32.  A dashed edge uses only a shape,
 * never a value. */
#ifndef ATLED_DOT_H
#define ATLED_DOT_H

#include <stdio.h>

#include "graph.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_dot_args {
    atl_graph *graph;
    const char *path;  /* ends in .svg, .png or .pdf: rendered; .html: the explorer; .json; any other: DOT text */
    FILE *file;        /* instead of path: receives the text */
    atl_node *from;    /* draw only nodes that depend on it ... */
    atl_node *to;      /* ... and only nodes on which it depends; with both: the nodes on paths between the two */
    atl_nodes outputs; /* draw only nodes on which these depend; drawn with a bold border */
    int depth;         /* scopes at this depth become one box each: 1 is the outermost; 0: no scope does */
    const char *title; /* above the drawing; null or empty: none */
    /* The time of each node of the graph, by index (atl_program_node_times): every box shows its time and its share of
     * the sum; a redder box takes longer.  Null: none. */
    const double *microseconds;
    /* For the explorer only; all may be null.  The values of a run, by the index of the node; null where there is none.
     * The explorer makes pictures, histograms and colours of them. */
    const atl_tensor *const *values;
    /* A program of the graph, whose steps, memory and (if it was profiled) times are shown beside the graph. */
    const atl_program *program;
    const atl_program *other_program; /* of the same graph: which steps are only in one */
    const char *program_title, *other_title;
    const char *against; /* a graph as JSON, which this function wrote: which nodes are only in one */
    /* Not for the explorer.  Draws the nodes inside batch norm, layer norm, dropout, blurs, total variation and
     * resizing; otherwise each of these is one box.  .folded: whole names of scopes that become one box each, whatever
     * .depth is; null ends the list. */
    bool unfolded;
    const char *folded[16];
    bool legend; /* adds what boxes and edges mean */
    int end_;
} atl_dot_args;

/* A .json file lists the nodes with op, attributes, shape and inputs; .against reads it.
 *
 * The explorer is one page that works from disk, without a network: scopes fold, nodes are searched, and a click on a
 * node or an edge tells about it.  .depth is how deep it is unfolded at first; 0: as deep as fits the window.
 *
 * The same graph gives the same bytes.  Null nodes in from, to and outputs restrict nothing.  A graph in which a
 * builder has recorded an error is drawn up to that point, with the error in the title; a graph for which memory ran
 * out is not drawn: ATL_OUT_OF_MEMORY. ATL_INVALID for a node of another graph, or if no path leads from `from` to
 * `to`; ATL_BAD_FILE if the file cannot be written, and the old file is intact; ATL_UNSUPPORTED if rendering was not
 * built in, or if the drawing is too large for it: use .depth, or draw a part of the graph. */
ATL_API atl_status atl_write_dot_with(const atl_dot_args *args);
#define atl_write_dot(...) atl_write_dot_with(ATL_OPTIONS_(atl_dot_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
