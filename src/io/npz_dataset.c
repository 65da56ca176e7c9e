/* Data sets in .npz archives: "images" and "labels". */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "io/dataset.h"
#include "io/npz.h"

/* [n, h, w] gets a dimension of one channel; integers become floats. */
static atl_tensor *as_images(const atl_tensor *stored)
{
    atl_shape shape = atl_tensor_shape(stored);
    atl_tensor *floats = atl_tensor_convert(stored, ATL_FLOAT32);
    if (!floats || shape.rank != 3)
        return floats;
    atl_tensor *images =
        atl_tensor_of_floats(ATL_SHAPE(shape.size[0], shape.size[1], shape.size[2], 1), atl_floats(floats));
    atl_tensor_free(floats);
    return images;
}

static atl_status check_arrays(const char *path, const atl_tensor *images, const atl_tensor *labels)
{
    char text[128];
    atl_shape i = atl_tensor_shape(images), l = atl_tensor_shape(labels);
    if ((i.rank != 3 && i.rank != 4) || atl_shape_count(i) < 1)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s': \"images\" is %s, not [n, height, width] or [n, height, width, channels]", path,
                             atl_shape_text(i, text, sizeof text));
    if (!atl_ints(labels) || l.rank != 1)
        return atl_set_error(ATL_BAD_FILE, "'%s': \"labels\" is %s %s, not whole numbers [n]", path,
                             atl_dtype_name(atl_tensor_dtype(labels)), atl_shape_text(l, text, sizeof text));
    if (i.size[0] != l.size[0])
        return atl_set_error(ATL_BAD_FILE, "'%s' has %" PRId64 " image%s, but %" PRId64 " label%s", path, i.size[0],
                             atl_plural(i.size[0]), l.size[0], atl_plural(l.size[0]));
    for (int64_t k = 0; k < l.size[0]; k++)
        if (atl_ints(labels)[k] < 0 || atl_ints(labels)[k] >= 1 << 24)
            return atl_set_error(ATL_BAD_FILE, "'%s': record %" PRId64 " has label %d, but labels are 0 to %d", path, k,
                                 atl_ints(labels)[k], (1 << 24) - 1);
    return ATL_OK;
}

static atl_status check_pixels(const char *path, const atl_tensor *images)
{
    const float *x = atl_floats(images);
    int64_t count = atl_tensor_count(images), records = atl_tensor_shape(images).size[0];
    for (int64_t i = 0; x && i < count; i++)
        if (!isfinite(x[i]))
            return atl_set_error(ATL_BAD_FILE, "'%s': record %" PRId64 " has a pixel that is %g", path,
                                 i / (count / records), (double)x[i]);
    return ATL_OK;
}

atl_status atl_read_npz_dataset(const char *path, atl_dataset **data_out)
{
    atl_npz *npz;
    atl_tensor *stored = NULL, *labels = NULL, *images = NULL;
    atl_status status = atl_npz_open_archive(path, &npz);
    if (status)
        return status;
    if (!atl_npz_has(npz, "images") || !atl_npz_has(npz, "labels"))
        status = atl_set_error(ATL_BAD_FILE, "'%s' has no array \"%s\": a data set has \"images\" and \"labels\"", path,
                               atl_npz_has(npz, "images") ? "labels" : "images");
    if (!status)
        status = atl_npz_read_entry(npz, "images", &stored);
    if (!status)
        status = atl_npz_read_entry(npz, "labels", &labels);
    if (!status)
        status = check_arrays(path, stored, labels);
    if (!status)
        status = check_pixels(path, stored);
    if (!status && !((images = as_images(stored)) && (*data_out = atl_dataset_of(images, labels))))
        status = atl_error_status();
    atl_tensor_free(stored);
    atl_tensor_free(images);
    atl_tensor_free(labels);
    atl_npz_close(npz);
    return status;
}
