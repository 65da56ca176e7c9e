#include "explain/small_net.h"

Test(overlay, nothing_is_the_grey_picture_and_more_is_brighter)
{
    enum { SIZE = 20 };
    atl_tensor *map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIZE, SIZE)),
               *pixels = random_tensor(ATL_SHAPE(1, SIZE, SIZE, 3), 0, 120);
    for (int i = 0; i < SIZE * SIZE; i++)
        atl_floats(map)[i] = (float)(i - SIZE * SIZE / 2);
    atl_tensor *overlay = atl_explain_overlay(map, pixels);
    cr_assert(overlay && atl_shape_equal(atl_tensor_shape(overlay), ATL_SHAPE(SIZE, SIZE, 3)), "%s", atl_error());
    for (int i = 0; i < SIZE * SIZE; i++) {
        const float *to = atl_floats(overlay) + 3 * i, *from = atl_floats(pixels) + 3 * i;
        for (int c = 0; c < 3; c++)
            cr_assert(to[c] >= 0 && to[c] <= 255);
        if (i <= SIZE * SIZE / 2)
            cr_assert(fabsf(to[0] - (0.299f * from[0] + 0.587f * from[1] + 0.114f * from[2])) < 1e-3f &&
                      to[0] == to[1]);
    }
    const float *last = atl_floats(overlay) + 3 * (SIZE * SIZE - 1);
    cr_assert(last[0] > 200 && last[1] > 200 && last[2] < last[0], "%g %g %g", last[0], last[1], last[2]);
    atl_tensor_free(overlay);
    atl_tensor_free(pixels);
    atl_tensor_free(map);
}

Test(overlay, what_does_not_fit_is_refused)
{
    atl_tensor *map = random_tensor(ATL_SHAPE(4, 5), 0, 1), *pixels = random_tensor(ATL_SHAPE(5, 4, 3), 0, 255);
    cr_assert(!atl_explain_overlay(map, pixels));
    cr_assert_mentions(atl_error(), "[4, 5] and [5, 4, 3]");
    cr_assert(!atl_explain_overlay(map, NULL));
    atl_tensor_free(map);
    atl_tensor_free(pixels);
}
