/* What was drawn with cairo, to a file. */
#ifndef ATLED_TOOLS_SURFACE_H
#define ATLED_TOOLS_SURFACE_H

#include <cairo.h>

#include "atled/status.h"

/* An RGB24 image as PNG.  Written by the library, so that it is RGB without alpha, and there at once or not at all. */
atl_status write_cairo_output(const char *path, cairo_surface_t *surface);

#endif
