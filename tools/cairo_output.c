/* Writes a cairo drawing to a file. */
#include "config.h"

#ifdef ATLED_HAVE_CAIRO

#include "cairo_output.h"

#include <stdint.h>

#include "atled/files.h"

static atl_status write_cairo_output(const char *path, cairo_surface_t *surface)
{
    int w = cairo_image_surface_get_width(surface), h = cairo_image_surface_get_height(surface);
    int stride = cairo_image_surface_get_stride(surface);
    cairo_surface_flush(surface);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    atl_tensor *pixels = data ? atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(h, w, 3)) : NULL;
    float *to = atl_floats(pixels);
    if (!pixels)
        return data ? atl_error_status()
                    : atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory: cairo made no picture", path);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint32_t rgb = ((const uint32_t *)(const void *)(data + (size_t)y * (size_t)stride))[x];
            *to++ = (float)(rgb >> 16 & 255);
            *to++ = (float)(rgb >> 8 & 255);
            *to++ = (float)(rgb & 255);
        }
    atl_status status = atl_write_png(path, pixels);
    atl_tensor_free(pixels);
    return status;
}

atl_status write_drawn(const char *path, cairo_t *cr)
{
    cairo_status_t problem = cairo_status(cr);
    atl_status kind = problem == CAIRO_STATUS_NO_MEMORY ? ATL_OUT_OF_MEMORY : ATL_INTERNAL;
    atl_status status = problem ? atl_set_error(kind, "%s: cairo: %s", path, cairo_status_to_string(problem))
                                : write_cairo_output(path, cairo_get_target(cr));
    cairo_destroy(cr);
    return status;
}

#endif
