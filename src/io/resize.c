/* Resizing and cropping pictures. */
#include "atled/files.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "io/picture.h"

/* One output position along an axis is a weighted mean of the inputs first, first + 1, ..., first + count - 1. */
typedef struct taps {
    int64_t first, count;
    double *weight;
} taps;

/* The linear filter, a triangle: 1 - |x|. It is as wide as two pixels of the input; when the picture is made smaller,
 * of the output, so that every input pixel counts. Positions are those of the pixels' centres, i + 1/2:
 *     centre = (output + 1/2) * scale,   w(i) = max(0, 1 - |i + 1/2 - centre| / max(scale, 1)),   scale = from / to
 * The weights are divided by their sum, which at the edges lacks what lies outside. */
static void set_taps(taps *t, int64_t output, int64_t from, int64_t to)
{
    double scale = (double)from / (double)to, width = scale > 1 ? scale : 1, centre = ((double)output + 0.5) * scale;
    int64_t first = (int64_t)floor(centre - width + 0.5), end = (int64_t)ceil(centre + width - 0.5);
    t->first = first > 0 ? first : 0;
    t->count = (end < from ? end : from) - t->first;
    double sum = 0;
    for (int64_t i = 0; i < t->count; i++) {
        t->weight[i] = fmax(0, 1 - fabs((double)(t->first + i) + 0.5 - centre) / width);
        sum += t->weight[i];
    }
    for (int64_t i = 0; i < t->count; i++)
        t->weight[i] /= sum;
}

/* Along the middle axis of [before, from, after] to [before, to, after]: rows are the middle axis of [1, h, w * c],
 * columns of [h, w, c].  The weights of one output position are computed once and used for all of before and after. */
static atl_status resize_axis(const float *in, float *out, int64_t before, int64_t from, int64_t to, int64_t after)
{
    /* At most ceil(2 * width) + 1 inputs lie under the triangle. */
    size_t most = (size_t)(2 * ((from > to ? from / to : 1) + 1)) + 2;
    taps t = {.weight = atl_allocate(most, sizeof(double))};
    double *sum = atl_allocate((size_t)after, sizeof *sum);
    if (!t.weight || !sum) {
        atl_release(t.weight);
        atl_release(sum);
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory resizing a picture");
    }
    for (int64_t o = 0; o < to; o++) {
        set_taps(&t, o, from, to);
        for (int64_t b = 0; b < before; b++) {
            memset(sum, 0, (size_t)after * sizeof *sum);
            for (int64_t i = 0; i < t.count; i++) {
                const float *row = in + (b * from + t.first + i) * after;
                for (int64_t a = 0; a < after; a++)
                    sum[a] += t.weight[i] * row[a];
            }
            for (int64_t a = 0; a < after; a++)
                out[(b * to + o) * after + a] = (float)sum[a];
        }
    }
    atl_release(t.weight);
    atl_release(sum);
    return ATL_OK;
}

/* A picture of another size with the rank and channels of `like`. */
static atl_tensor *new_like(const atl_tensor *like, int64_t height, int64_t width)
{
    atl_shape shape = atl_tensor_shape(like);
    int first = shape.rank == 4;
    shape.size[first] = height;
    shape.size[first + 1] = width;
    return atl_tensor_new(ATL_FLOAT32, shape);
}

static atl_status check_size(int64_t height, int64_t width, const char *what)
{
    if (height >= 1 && width >= 1 && height <= ATL_MAX_PIXELS && width <= ATL_MAX_PIXELS &&
        height * width <= ATL_MAX_PIXELS)
        return ATL_OK;
    return atl_set_error(ATL_INVALID,
                         "%s: a picture of %" PRId64 " x %" PRId64
                         " (height x width) was asked for; it may have 1 to %d pixels",
                         what, height, width, ATL_MAX_PIXELS);
}

atl_tensor *atl_resize_image(const atl_tensor *image, int64_t height, int64_t width)
{
    atl_picture_size size;
    if (atl_picture_size_of(image, "resize", &size) != ATL_OK || check_size(height, width, "resize") != ATL_OK)
        return NULL;
    /* First the columns, then the rows: [h, w, c] to [h, width, c] to [height, width, c]. */
    atl_tensor *across = new_like(image, size.height, width), *result = across ? new_like(image, height, width) : NULL;
    atl_status status =
        result ? resize_axis(atl_floats(image), atl_floats(across), size.height, size.width, width, size.channels)
               : ATL_OUT_OF_MEMORY;
    if (!status)
        status = resize_axis(atl_floats(across), atl_floats(result), 1, size.height, height, width * size.channels);
    atl_tensor_free(across);
    if (!status)
        return result;
    atl_tensor_free(result);
    return NULL;
}

/* The part of height x width pixels whose upper left corner is at (top, left). */
static atl_tensor *crop(const atl_tensor *image, int64_t top, int64_t left, int64_t height, int64_t width)
{
    atl_picture_size size;
    atl_tensor *part = atl_picture_size_of(image, "crop", &size) == ATL_OK ? new_like(image, height, width) : NULL;
    for (int64_t y = 0; part && y < height; y++)
        memcpy(atl_floats(part) + y * width * size.channels,
               atl_floats(image) + ((top + y) * size.width + left) * size.channels,
               (size_t)(width * size.channels) * sizeof(float));
    return part;
}

/* side * resize / shorter, to nearest; both sides are at most ATL_MAX_PIXELS, so that nothing overflows. */
static int64_t scaled(int64_t side, int64_t resize, int64_t shorter)
{
    return (2 * side * resize + shorter) / (2 * shorter);
}

atl_tensor *atl_fit_image(const atl_tensor *image, int64_t resize, int64_t height, int64_t width)
{
    atl_picture_size size;
    if (atl_picture_size_of(image, "fit", &size) != ATL_OK || check_size(resize, resize, "fit") != ATL_OK ||
        check_size(height, width, "fit") != ATL_OK)
        return NULL;
    int64_t shorter = size.height < size.width ? size.height : size.width;
    int64_t tall = scaled(size.height, resize, shorter), wide = scaled(size.width, resize, shorter);
    if (tall < height || wide < width) {
        atl_set_error(ATL_INVALID,
                      "fit: the part of %" PRId64 " x %" PRId64
                      " (height x width) is larger than the picture of %" PRId64 " x %" PRId64
                      " that it is cut from: make `resize` at least %" PRId64,
                      height, width, tall, wide, height > width ? height : width);
        return NULL;
    }
    atl_tensor *resized = atl_resize_image(image, tall, wide);
    atl_tensor *part = resized ? crop(resized, (tall - height) / 2, (wide - width) / 2, height, width) : NULL;
    atl_tensor_free(resized);
    return part;
}
