/* What was drawn with cairo, to a file. */
#ifndef ATLED_TOOLS_SURFACE_H
#define ATLED_TOOLS_SURFACE_H

#include <cairo.h>

#include "atled/status.h"

/* What was drawn on an RGB24 image, as PNG.  Written by the library, so that it is RGB without alpha, and there at once or not at
 * all.  Destroys the context. */
atl_status write_drawn(const char *path, cairo_t *cr);

#endif
