/* The state of a drawing while it is made. */
#ifndef ATLED_DRAWING_DRAWING_H
#define ATLED_DRAWING_DRAWING_H

#include "drawing/dot_text.h"
#include "graph/graph.h"

#include "atled/dot.h"

/* A scope of the forward part, or of one gradient.  The scope of a gradient node is that of its forward node, below the
 * name of the gradient: gradients/conv1. */
typedef struct dot_scope {
    const char *path; /* within its part, in the memory of a node's name; for a part, the part's name */
    int64_t length;
    struct dot_scope *parent, *first_child, *last_child, *next;
    struct dot_scope *by_path;     /* of a part: uthash over all its scopes */
    int64_t first_node, last_node; /* linked by drawing.next_node; -1: none */
    int64_t nodes;                 /* contained in it, if it is drawn as a box */
    double time;                   /* of these nodes, microseconds */
    int64_t id;
    int hue; /* index into dot_hues */
    int is_box;
    int unhashed;
    UT_hash_handle hh;
} dot_scope;

/* An edge with a box at one end: all edges between the same two ends become one. */
typedef struct box_edge {
    int64_t tail, head; /* codes: see edges.c */
    int64_t node;       /* the node whose value it carries */
    int is_shape;
} box_edge;

typedef struct drawing {
    const atl_graph *graph;
    const atl_dot_args *args;
    char *is_drawn; /* for each node */
    char *is_wanted;
    char *is_fed;          /* depends on an input: not a parameter, nor computed from parameters only */
    unsigned char *levels; /* the levels above it that its parameters take, and nodes computed only from parameters */
    dot_scope **scope_of;  /* for each drawn node */
    int64_t *next_node;    /* in the same scope */
    dot_scope **scopes;
    int64_t scope_count, scope_capacity;
    dot_scope *parts; /* uthash by name */
    dot_scope *first_part, *last_part;
    int gradients; /* the number of parts that are gradients */
    box_edge *edges;
    int64_t edge_count, edge_capacity;
    int64_t boxes;
    double time, longest; /* the sum over all nodes, and the longest time of a box; microseconds */
    dot_text text;
} drawing;

enum { HUES = 4 };
extern const struct dot_hue {
    const char *line, *fill, *box, *frame_line, *frame;
} dot_hues[HUES]; /* of the forward part, then of the gradients in turn */

/* Checks the options; *graph_out is the graph to draw, with the names of its nodes given. */
atl_status dot_check_arguments(const atl_dot_args *args, const atl_graph **graph_out);
atl_status dot_select_nodes(drawing *d);                  /* sets is_drawn, is_wanted */
atl_status dot_place_nodes(drawing *d);                   /* everything except the edges and the text */
void dot_put_frames(drawing *d);                          /* every frame with its content */
void dot_put_shape(dot_text *text, const atl_node *node); /* 1x28x28x3 */
atl_status dot_put_edges(drawing *d);
void dot_release_scopes(drawing *d);

/* Graphviz keeps its state, including messages, in globals: one thread at a time. */
void dot_lock_graphviz(void);
void dot_unlock_graphviz(void);
/* Makes the same drawing the same bytes, in place; returns the new size.  svg [size] ends with a null byte. */
unsigned dot_steady_svg(char *svg, unsigned size);
/* Makes it a part of an HTML page, in place: without a head of its own, units and links.  Returns its start; null if
 * there is none. */
char *dot_svg_for_page(char *svg);

#endif
