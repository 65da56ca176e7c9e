/* The nodes that lie between ys and xs, and the reverse pass over them. */
#ifndef ATLED_AUTODIFF_REVERSE_H
#define ATLED_AUTODIFF_REVERSE_H

#include "atled/gradient.h"
#include "graph/graph.h"

typedef struct atl_visit {
    atl_node *node;
    atl_node *adjoint; /* null: nothing has flowed here yet */
    int64_t user;      /* the visit through which the node was found; -1: none */
    int64_t towards;   /* an input on the way to an x; -1: none */
    int32_t outer;     /* the node's mark in the enclosing pass */
    int next_input;    /* of the walk */
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
    int local;      /* the xs are independent of each other: the walk ends at them */
    const atl_override *overrides;
} atl_reverse_pass;

/* ---- visits.c ---- */

/* The node's visit, or null.  A mark that an enclosing pass has left leads elsewhere. */
atl_visit *atl_visit_of(const atl_reverse_pass *p, const atl_node *node);
/* The index of the node's visit, made if need be; -1 out of memory. */
int64_t atl_enter_visit(atl_reverse_pass *p, atl_node *node);
/* Gives the nodes back the marks of the enclosing pass, and frees the visits. */
void atl_finish_pass(atl_reverse_pass *p);
/* True if a gradient may flow from the node to its input i. */
int atl_is_differentiable_edge(const atl_node *node, int i);
/* True if input i lies on the way to an x. */
int atl_reaches_x(const atl_reverse_pass *p, const atl_node *node, int i);
/* True where the pass goes no further down. */
int atl_pass_ends_at(const atl_reverse_pass *p, const atl_visit *v);
/* Walks down from one y in post-order.  0: out of memory. */
int atl_walk_from(atl_reverse_pass *p, atl_node *y);

/* ---- reverse.c ---- */

/* True if both are of one type and the sizes that both know agree. */
int atl_may_be_equal(const atl_node *a, const atl_node *b);
/* Hands the roots' adjoints down.  0 on failure, with the error on the graph unless memory ran out. */
int atl_run_reverse_pass(atl_reverse_pass *p);

#endif
