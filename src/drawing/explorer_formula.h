/* The formula of an op's gradient. */
#ifndef ATLED_DRAWING_EXPLORER_FORMULA_H
#define ATLED_DRAWING_EXPLORER_FORMULA_H

#include "graph/graph.h"

enum { EXPLORER_NO_FORMULA = -1, EXPLORER_NO_MEMORY = -2 };

/* The different formulas of a graph; zero at first. */
typedef struct explorer_formulas {
    struct explorer_formula *by_key; /* uthash */
    char **text;
    int64_t count, capacity;
} explorer_formulas;

/* An index into list->text, or one of the numbers above.  A formula has a line for each input that has a gradient,
 * "da = dy * b\ndb = dy * a": x is the only input, or a, b, ... are several; y is the result, dy its adjoint. */
int64_t explorer_formula_of(explorer_formulas *list, const atl_node *node);
void explorer_release_formulas(explorer_formulas *list);

#endif
