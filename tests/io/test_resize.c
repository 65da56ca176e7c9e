/* Resizing and cropping. Expected values come from the definition, computed here the slow way. */
#include "scratch.h"

#include <math.h>

#include "atled/files.h"
#include "graph/memory.h"

TestSuite(resize, .init = make_scratch, .fini = remove_scratch);

/* The weight of input i for output o: a triangle around the output's centre, as wide as the larger pixel; before
 * division by the sum. */
static double weight(int64_t i, int64_t o, int64_t from, int64_t to)
{
    double scale = (double)from / (double)to, width = fmax(scale, 1);
    return fmax(0, 1 - fabs((double)i + 0.5 - ((double)o + 0.5) * scale) / width);
}

/* One output value as a sum over the whole input. */
static double defined_value(const atl_tensor *in, int64_t y, int64_t x, int64_t c, int64_t height, int64_t width)
{
    atl_shape s = atl_tensor_shape(in);
    double sum = 0, total = 0;
    for (int64_t i = 0; i < s.size[0]; i++)
        for (int64_t j = 0; j < s.size[1]; j++) {
            double w = weight(i, y, s.size[0], height) * weight(j, x, s.size[1], width);
            sum += w * atl_floats(in)[(i * s.size[1] + j) * s.size[2] + c];
            total += w;
        }
    return sum / total;
}

Test(resize, random_sizes_agree_with_the_definition, .timeout = 120)
{
    for (int n = 0; n < 60; n++) {
        int64_t h = 1 + (int64_t)random_below(20), w = 1 + (int64_t)random_below(20);
        int64_t to_h = 1 + (int64_t)random_below(30), to_w = 1 + (int64_t)random_below(30);
        atl_tensor *in = random_tensor(ATL_SHAPE(h, w, 3), 0, 255);
        atl_tensor *out = atl_resize_image(in, to_h, to_w);
        cr_assert_not_null(out, "%s", atl_error());
        for (int64_t y = 0; y < to_h; y++)
            for (int64_t x = 0; x < to_w; x++)
                for (int64_t c = 0; c < 3; c++)
                    /* two roundings to float of values up to 255 */
                    cr_assert_float_eq(atl_floats(out)[(y * to_w + x) * 3 + c], defined_value(in, y, x, c, to_h, to_w),
                                       4e-5);
        atl_tensor_free(in);
        atl_tensor_free(out);
    }
}

/* [0, 10, 20, 30] to two pixels: centres 1 and 3, triangles of half width 2.  Enlarged: the ends are constant. */
Test(resize, by_hand)
{
    atl_tensor *in = atl_tensor_of_floats(ATL_SHAPE(1, 4, 1), (const float[]){0, 10, 20, 30});
    atl_tensor *half = atl_resize_image(in, 1, 2), *twice = atl_resize_image(in, 1, 8),
               *same = atl_resize_image(in, 1, 4);
    /* weights 0.75, 0.75, 0.25 */
    cr_assert_float_eq(atl_floats(half)[0], (0.75 * 10 + 0.25 * 20) / 1.75, 1e-5);
    static const float wanted[] = {0, 2.5f, 7.5f, 12.5f, 17.5f, 22.5f, 27.5f, 30};
    cr_assert_arr_eq(atl_floats(twice), wanted, sizeof wanted);
    cr_assert_arr_eq(atl_floats(same), atl_floats(in), 16);
    atl_tensor_free(in);
    atl_tensor_free(half);
    atl_tensor_free(twice);
    atl_tensor_free(same);
}

Test(resize, keeps_the_rank)
{
    atl_tensor *batch = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 5, 6, 3)),
               *grey = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(5, 6));
    atl_tensor *a = atl_resize_image(batch, 7, 8), *b = atl_resize_image(grey, 2, 3);
    cr_assert(atl_shape_equal(atl_tensor_shape(a), ATL_SHAPE(1, 7, 8, 3)));
    cr_assert(atl_shape_equal(atl_tensor_shape(b), ATL_SHAPE(2, 3)));
    atl_tensor_free(batch);
    atl_tensor_free(grey);
    atl_tensor_free(a);
    atl_tensor_free(b);
}

/* An image in which each pixel is its own position: the crop shows where it comes from. */
Test(resize, fit_crops_the_centre)
{
    atl_tensor *in = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(10, 21, 1));
    for (int i = 0; i < 210; i++)
        atl_floats(in)[i] = (float)i;
    atl_tensor *part = atl_fit_image(in, 10, 7, 4); /* no scaling; the corner is (3 / 2, 17 / 2), rounded down */
    cr_assert_not_null(part, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_tensor_shape(part), ATL_SHAPE(7, 4, 1)));
    cr_assert_eq(atl_floats(part)[0], 1 * 21 + 8);
    cr_assert_eq(atl_floats(part)[27], 7 * 21 + 11);
    atl_tensor *whole = atl_fit_image(in, 20, 20, 42), *over = atl_fit_image(in, 20, 20, 43);
    cr_assert_not_null(whole);
    cr_assert_null(over);
    assert_told("larger than the picture of 20 x 42");
    atl_tensor_free(in);
    atl_tensor_free(part);
    atl_tensor_free(whole);
}

Test(resize, refusals)
{
    atl_tensor *in = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(4, 4, 3)),
               *ints = atl_tensor_new(ATL_INT32, ATL_SHAPE(4, 4, 3)),
               *two = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4, 4, 3)),
               *none = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(0, 4, 3));
    cr_assert_null(atl_resize_image(NULL, 2, 2));
    cr_assert_null(atl_resize_image(in, 0, 2));
    cr_assert_null(atl_resize_image(in, 2, -1));
    cr_assert_null(atl_resize_image(in, 100000, 100000));
    assert_told("100000 x 100000");
    cr_assert_null(atl_resize_image(in, INT64_MAX, INT64_MAX));
    cr_assert_null(atl_resize_image(ints, 2, 2));
    assert_told("int32");
    cr_assert_null(atl_resize_image(two, 2, 2));
    assert_told("[2, 4, 4, 3]");
    cr_assert_null(atl_resize_image(none, 2, 2));
    cr_assert_null(atl_fit_image(in, 0, 1, 1));
    cr_assert_null(atl_fit_image(in, INT64_MAX, 1, 1));
    cr_assert_null(atl_fit_image(NULL, 4, 1, 1));
    atl_tensor_free(in);
    atl_tensor_free(ints);
    atl_tensor_free(two);
    atl_tensor_free(none);
}

/* Each allocation fails in turn. */
Test(resize, out_of_memory)
{
    atl_tensor *in = random_tensor(ATL_SHAPE(9, 12, 3), 0, 255), *out = NULL;
    for (int allowed = 0; !out; allowed++) {
        cr_assert_lt(allowed, 100);
        atl_fail_allocations_after(allowed);
        out = atl_fit_image(in, 6, 4, 4);
        atl_fail_allocations_after(-1);
        if (!out)
            assert_told("out of memory");
    }
    atl_tensor_free(in);
    atl_tensor_free(out);
}

/* Another program, which rounds to 8 bits twice, resized the first photographs for the golden values. */
Test(resize, agrees_with_the_goldens)
{
    static const char *const photos[] = {"photos/imagenet_00_243.jpg", "photos/imagenet_01_559.jpg",
                                         "photos/imagenet_02_438.jpg"};
    atl_npz *npz = atl_npz_open(data_file("goldens/squeezenet_v1_1.npz"));
    atl_tensor *golden = atl_npz_read(npz, "pixels");
    cr_assert_not_null(golden, "%s", atl_error());
    for (int n = 0; n < 3; n++) {
        atl_tensor *photo = atl_read_image(data_file(photos[n])), *fitted = atl_fit_image(photo, 256, 224, 224);
        cr_assert_not_null(fitted, "%s", atl_error());
        int64_t count = atl_tensor_count(fitted);
        double sum = 0;
        for (int64_t i = 0; i < count; i++) {
            double off = fabs((double)atl_floats(fitted)[i] - atl_ints(golden)[n * count + i]);
            cr_assert_leq(off, 1.001);
            sum += off;
        }
        cr_assert_lt(sum / (double)count, 0.35); /* 0.25 is what rounding once would cost */
        atl_tensor_free(photo);
        atl_tensor_free(fitted);
    }
    atl_tensor_free(golden);
    atl_npz_close(npz);
}
