/* Writes a cairo drawing to a file. */
#ifndef ATLED_TOOLS_SURFACE_H
#define ATLED_TOOLS_SURFACE_H

#include <cairo.h>

#include "atled/status.h"

/* Writes the drawing on an RGB24 image as PNG.  The library writes it, so that it is RGB without alpha, and complete or
 * not there at all.  Destroys the context. */
atl_status write_drawn(const char *path, cairo_t *cr);

#endif
