/* The explorer: a graph as one HTML page that needs no network.  The page holds the graph as JSON, a layout of each
 * scope made by Graphviz, and the program explorer_*.js that draws them. */
#ifndef ATLED_DRAWING_EXPLORER_H
#define ATLED_DRAWING_EXPLORER_H

#include <stdint.h>
#include <stdio.h>

#include "atled/dot.h"

/* Writes the page.  `still`: the drawing as SVG for readers without JavaScript; may be null. */
atl_status explorer_write(const atl_dot_args *args, const char *still, FILE *file);

/* ---- layout ------------------------------------------------------------------------------------------------------ */

enum { EXPLORER_HEIGHT = 40 }; /* of every box, in pixels */

/* What is drawn directly in one scope: nodes and folded scopes. */
typedef struct explorer_layout {
    int64_t count, edges;
    const int32_t *width;     /* of each box, pixels */
    const int64_t (*edge)[2]; /* tail and head, indices of boxes */
    int32_t (*at)[2];         /* result: the centre of each box; the origin is at the top left */
} explorer_layout;

/* Places the boxes in rows, tails above heads: by Graphviz; row by row where it is missing or would take too long. */
atl_status explorer_place(const explorer_layout *layout);

#endif
