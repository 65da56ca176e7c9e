/* The nodes on paths from ys to xs, and the reverse pass over them. */
#ifndef ATLED_AUTODIFF_REVERSE_H
#define ATLED_AUTODIFF_REVERSE_H

#include "atled/gradient.h"
#include "graph/graph.h"

typedef struct atl_visit {
    atl_node *node;
    atl_node *adjoint; /* null: no gradient has arrived yet */
    int64_t user;      /* the visit through which the node was found; -1: none */
    int64_t towards;   /* an input on the path to an x; -1: none */
    int32_t outer;     /* the node's mark in the enclosing pass */
    int next_input;    /* of the traversal */
    char is_x, is_stop, walked, reaches;
} atl_visit;

/* While a pass runs, node->mark is one more than the index of the node's visit. */
typedef struct atl_reverse_pass {
    atl_graph *graph;
    atl_visit *visits;
    int64_t count, capacity;
    int64_t *order; /* indices of visits, inputs before users */
    int64_t order_count, order_capacity;
    int64_t *stack;
    int64_t depth, stack_capacity;
    int64_t lowest; /* no x has a lower index */
    int local;      /* the xs are independent of each other: the traversal ends at them */
    const atl_override *overrides;
} atl_reverse_pass;

/* ---- visits.c ---- */

/* The node's visit, or null.  A mark left by an enclosing pass refers to that pass's visits. */
atl_visit *atl_visit_of(const atl_reverse_pass *p, const atl_node *node);
/* The index of the node's visit, created if necessary; -1: out of memory. */
int64_t atl_enter_visit(atl_reverse_pass *p, atl_node *node);
/* Restores the marks of the enclosing pass, and frees the visits. */
void atl_finish_pass(atl_reverse_pass *p);
/* True if a gradient may flow from the node to its input i. */
int atl_is_differentiable_edge(const atl_node *node, int i);
/* True if input i is on the path to an x. */
int atl_reaches_x(const atl_reverse_pass *p, const atl_node *node, int i);
/* True for a node below which the pass does not continue. */
int atl_pass_ends_at(const atl_reverse_pass *p, const atl_visit *v);
/* Traverses the graph below one y in post-order.  Returns 0 if out of memory. */
int atl_walk_from(atl_reverse_pass *p, atl_node *y);

/* ---- reverse.c ---- */

/* True if both have one type and the sizes known in both agree. */
int atl_may_be_equal(const atl_node *a, const atl_node *b);
/* Propagates the roots' adjoints.  Returns 0 on failure, with the error on the graph unless memory ran out. */
int atl_run_reverse_pass(atl_reverse_pass *p);

#endif
