/* Algebra of element-wise ops, as a table of equations. */
#ifndef ATLED_COMPILER_PASSES_ALGEBRA_H
#define ATLED_COMPILER_PASSES_ALGEBRA_H

#include "graph/graph.h"

/* "sub(x, neg(y))" is "add(x, y)": names of built-in ops without attributes; small letters stand for any node, the same letter for the
 * same one; capitals for a node whose elements are all one number, as do numbers themselves.  A number of the simpler side may be
 * reckoned from capitals by - * / +, from left to right.  Sums and products match either way round. */
typedef struct atl_equation {
    const char *from, *to;
    unsigned needs; /* atl_equation_needs */
} atl_equation;

typedef enum atl_equation_needs {
    ATL_EXACT_SUM =
        1, /* A and B have the same sign, and A + B is a float: where it is rounded, a small B would be lost */
    ATL_POSITIVE = 2,  /* A is */
    ATL_TRUE = 4,      /* A is not 0 */
    ATL_SAME_SIZE = 8, /* every letter has the shape of the result: nothing is computed more often than before */
    ATL_AS_MANY =
        16 /* no need, but a remark: as many ops as before, but better ones, or ones that other equations know */
} atl_equation_needs;

/* Ends with an entry without text. */
extern const atl_equation atl_equations[];

/* What the letters stand for: 'x' is node['x' - 'a'], 'A' number[0]. */
typedef struct atl_letters {
    atl_node *node[26];
    float number[26];
    unsigned known; /* capitals: bits */
} atl_letters;

/* A side of an equation as nodes: a number in the shape of `like`.  Null, with nothing recorded, if a number that was reckoned is none that
 * float has in full: 0, infinite, not a number, or below 1e-38. */
atl_node *atl_build_side(const char *text, atl_node *like, const atl_letters *letters);

/* An equal, simpler node of the same shape and type; null: there is none. */
atl_node *atl_simplify_by_algebra(atl_node *y);

#endif
