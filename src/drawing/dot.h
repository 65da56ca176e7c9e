/* The text of a drawing.  file.c writes files and renders. */
#ifndef ATLED_DRAWING_DOT_H
#define ATLED_DRAWING_DOT_H

#include "atled/dot.h"

/* Writes the drawing to `file`, or, if that is null, into memory: *text_out, which the caller passes to atl_release.
 * boxes_out (may be null): the number of boxes.  The paths in args are ignored. */
atl_status atl_dot_text(const atl_dot_args *args, FILE *file, char **text_out, int64_t *boxes_out);

#endif
