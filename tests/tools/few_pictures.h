/* A data set for tests of the command: small grey images of three classes; the class is the third of the image that
 * is bright. */
#ifndef ATLED_TESTS_TOOLS_FEW_PICTURES_H
#define ATLED_TESTS_TOOLS_FEW_PICTURES_H

#include "support.h"

static inline const char *write_data(int count)
{
    const char *path = scratch_file("few.npz");
    atl_tensor *images = random_tensor(ATL_SHAPE(count, 6, 6), 0, 100),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(count));
    for (int i = 0; i < count; i++) {
        atl_ints(labels)[i] = i % 3;
        for (int k = 0; k < 12; k++)
            atl_floats(images)[i * 36 + i % 3 * 12 + k] += 120;
    }
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}) == ATL_OK, "%s",
              atl_error());
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return path;
}

#endif
