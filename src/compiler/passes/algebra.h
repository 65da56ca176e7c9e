/* Algebraic simplification of element-wise ops, as a table of equations. */
#ifndef ATLED_COMPILER_PASSES_ALGEBRA_H
#define ATLED_COMPILER_PASSES_ALGEBRA_H

#include "graph/graph.h"

/* "sub(x, neg(y))" equals "add(x, y)".  Names are built-in ops without attributes.  A small letter stands for any node;
 * the same letter stands for the same node.  A capital stands for a node whose elements are all the same constant, like
 * a number.  On the simpler side a number may be computed from capitals by - * / +, from left to right.  Sums and
 * products match with their inputs in either order. */
typedef struct atl_equation {
    const char *from, *to;
    unsigned needs; /* atl_equation_needs */
} atl_equation;

typedef enum atl_equation_needs {
    ATL_EXACT_SUM =
        1, /* A and B have the same sign, and A + B is a float: where it is rounded, a small B would be lost */
    ATL_POSITIVE = 2,  /* A is positive */
    ATL_TRUE = 4,      /* A is not 0 */
    ATL_SAME_SIZE = 8, /* every letter has the shape of the result: nothing is computed more often than before */
    ATL_AS_MANY =
        16 /* not a condition: the right side has as many ops, but better ones, or ones that other equations match */
} atl_equation_needs;

/* Ends with an entry without text. */
extern const atl_equation atl_equations[];

/* The values of the letters: 'x' is node['x' - 'a'], 'A' is number[0]. */
typedef struct atl_letters {
    atl_node *node[26];
    float number[26];
    unsigned known; /* capitals with a value, as bits */
} atl_letters;

/* Builds a side of an equation; numbers get the shape of `like`.  Returns null, without an error, if a computed number
 * is not a normal float: 0, infinite, NaN, or below 1e-38. */
atl_node *atl_build_side(const char *text, atl_node *like, const atl_letters *letters);

/* An equal, simpler node of the same shape and type; null if there is none. */
atl_node *atl_simplify_by_algebra(atl_node *y);

#endif
