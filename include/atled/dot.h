/* A graph as a drawing: Graphviz's DOT language, or rendered. */
#ifndef ATLED_DOT_H
#define ATLED_DOT_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_dot_args {
    atl_graph *graph;
    const char *path;  /* .svg and .png are rendered, anything else is written as DOT */
    atl_node *from;    /* with .to: only what lies on a path between the two */
    atl_node *to;      /* alone: only what it is computed from */
    atl_nodes wanted;  /* only what these are computed from */
    int depth;         /* scopes deeper than this are drawn as one box; 0: none is */
    int end_;
} atl_dot_args;
/* The same graph gives the same bytes.  ATL_UNSUPPORTED if rendering was not built in. */
ATL_API atl_status atl_write_dot_with(const atl_dot_args *args);
#define atl_write_dot(...) atl_write_dot_with(&(atl_dot_args){__VA_ARGS__, .end_ = 0})

#ifdef __cplusplus
}
#endif
#endif
