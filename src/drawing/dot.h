/* The text of a drawing.  Files and rendering are file.c's. */
#ifndef ATLED_DRAWING_DOT_H
#define ATLED_DRAWING_DOT_H

#include "atled/dot.h"

/* Writes the drawing to `file`, or, if that is null, into memory: *text_out, to be given to atl_release.
 * boxes_out (may be null): how many boxes it has.  The paths in args are not looked at. */
atl_status atl_dot_text(const atl_dot_args *args, FILE *file, char **text_out, int64_t *boxes_out);

#endif
