/* What the explorer's page is made of: scopes of names, the boxes in them, and the edges between boxes. */
#ifndef ATLED_DRAWING_EXPLORER_SCOPES_H
#define ATLED_DRAWING_EXPLORER_SCOPES_H

#include "drawing/drawing.h"

/* A scope of names: conv1 of conv1/weights.  Scope 0 is the whole graph. */
typedef struct explorer_scope {
    const char *path; /* in the memory of a node's name */
    int64_t length;
    int64_t own; /* where in the path its own name begins, after the name of its parent */
    int64_t parent, id;
    int64_t boxes;                /* child scopes and nodes in it */
    int64_t place;                /* its index among the boxes of its parent */
    int is_group;                 /* no part of a name: see explorer_groups.c */
    const atl_node *first, *last; /* of a group: its first and last computed node */
    int unhashed;
    UT_hash_handle hh;
} explorer_scope;

/* An edge as it is drawn in the scope that contains both ends and is the smallest such. */
typedef struct explorer_edge {
    int64_t scope, tail, head; /* ends: indices among the boxes of the scope */
} explorer_edge;

typedef struct explorer_page {
    drawing d; /* which nodes are drawn */
    FILE *file;
    explorer_scope **scope;
    int64_t scopes, scope_capacity;
    explorer_scope *by_path;
    int64_t *scope_of; /* of each node */
    int64_t *place;    /* of each node: its index among the boxes of its scope */
    int64_t *number;   /* of each drawn node, in the order of creation; -1 for others */
    char *is_optimizer;
    explorer_edge *edge;
    int64_t edges, edge_capacity;
} explorer_page;

/* Sets everything from p->d, whose graph and options are set.  explorer_release is needed either way. */
atl_status explorer_collect(explorer_page *p);
void explorer_release(explorer_page *p);
/* A scope without a path; null if memory runs out. */
explorer_scope *explorer_add_group(explorer_page *p, int64_t parent);
/* After every node has its scope: puts groups into the scopes that have too many boxes. */
atl_status explorer_make_groups(explorer_page *p);
/* Writes the scopes, the nodes and the formulas of their gradients; and how wide their boxes are, in pixels. */
atl_status explorer_write_graph(explorer_page *p);
int32_t explorer_scope_width(const explorer_scope *scope);
int32_t explorer_node_width(const atl_node *node);
/* Where the last part of the first `length` characters of a name begins. */
int64_t explorer_last_part(const char *path, int64_t length);

#endif
