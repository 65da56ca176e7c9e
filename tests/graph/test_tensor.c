/* Tensors. */
#include "support.h"

#include <limits.h>

#include "graph/memory.h"

Test(tensor, new_is_zeroed_aligned_and_knows_its_type)
{
    for (atl_dtype dtype = ATL_FLOAT32; dtype <= ATL_FLOAT64; dtype++) {
        atl_tensor *t = atl_tensor_new(dtype, ATL_SHAPE(3, 5));
        cr_assert_eq(atl_tensor_dtype(t), dtype);
        cr_assert_eq(atl_tensor_count(t), 15);
        cr_assert(atl_shape_equal(atl_tensor_shape(t), ATL_SHAPE(3, 5)));
        for (int i = 0; i < 15; i++)
            cr_assert_eq(element_of(t, i), 0);
        atl_tensor_free(t);
    }
}

Test(tensor, elements_of_the_other_types_are_null)
{
    atl_tensor *t = atl_tensor_new(ATL_INT32, ATL_SCALAR);
    cr_assert(atl_ints(t));
    cr_assert_eq((uintptr_t)atl_ints(t) % 64, 0u);
    cr_assert_null(atl_floats(t));
    cr_assert_null(atl_doubles(t));
    atl_tensor_free(t);
}

Test(tensor, zero_elements_are_fine)
{
    atl_tensor *t = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(0, 3)), *copy = atl_tensor_copy(t);
    cr_assert_eq(atl_tensor_count(copy), 0);
    atl_tensor_free(t);
    atl_tensor_free(copy);
}

Test(tensor, bad_shapes_are_refused_with_their_text)
{
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)));
    cr_assert_mentions(atl_error(), "[?, 3]");
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, -3)));
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1ll << 40, 1ll << 40)));
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1ll << 61)),
                   "as many elements fit an int64, their bytes do not");
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1)));
    cr_assert_null(atl_tensor_new((atl_dtype)7, ATL_SCALAR));
    cr_assert_mentions(atl_error(), "7");
}

Test(tensor, more_than_there_is_memory)
{
    cr_assert_null(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1ll << 58)));
    cr_assert_mentions(atl_error(), "out of memory");
}

Test(tensor, copies_are_their_own)
{
    float numbers[] = {1, 2, 3};
    atl_tensor *t = atl_tensor_of_floats(ATL_SHAPE(3), numbers), *copy = atl_tensor_copy(t);
    atl_floats(t)[0] = 9;
    cr_assert_eq(atl_floats(copy)[0], 1);
    cr_assert_eq(numbers[0], 1);
    atl_tensor_free(t);
    atl_tensor_free(copy);
}

Test(tensor, a_view_is_not)
{
    float numbers[] = {1, 2, 3};
    atl_tensor *t = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(3), numbers);
    atl_floats(t)[0] = 9;
    atl_tensor_free(t);
    cr_assert_eq(numbers[0], 9);
    cr_assert_null(atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(3), NULL));
    cr_assert_mentions(atl_error(), "null");
}

Test(tensor, conversion_truncates_and_saturates)
{
    float numbers[] = {1.9f, -1.9f, 1e20f, -1e20f, NAN, INFINITY, -INFINITY};
    int32_t expected[] = {1, -1, INT_MAX, INT_MIN, 0, INT_MAX, INT_MIN};
    atl_tensor *t = atl_tensor_of_floats(ATL_SHAPE(7), numbers), *ints = atl_tensor_convert(t, ATL_INT32);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(atl_ints(ints)[i], expected[i], "%g became %d", numbers[i], atl_ints(ints)[i]);
    atl_tensor_free(t);
    atl_tensor_free(ints);
}

Test(tensor, conversion_to_double_and_back_is_exact)
{
    atl_tensor *t = random_tensor(ATL_SHAPE(100), -5, 5), *doubles = atl_tensor_convert(t, ATL_FLOAT64);
    atl_tensor *back = atl_tensor_convert(doubles, ATL_FLOAT32);
    cr_assert_eq(largest_difference(back, t), 0);
    atl_tensor_free(t);
    atl_tensor_free(doubles);
    atl_tensor_free(back);
}

Test(tensor, uniform_is_seeded_and_half_open)
{
    atl_tensor *a = atl_uniform_tensor(ATL_SHAPE(10000), 3, 3.0000005f, 5);
    atl_tensor *b = atl_uniform_tensor(ATL_SHAPE(10000), 3, 3.0000005f, 5);
    atl_tensor *c = atl_uniform_tensor(ATL_SHAPE(10000), 3, 3.0000005f, 6);
    cr_assert_eq(largest_difference(a, b), 0);
    cr_assert_gt(largest_difference(a, c), 0);
    for (int i = 0; i < 10000; i++)
        cr_assert(atl_floats(a)[i] >= 3 && atl_floats(a)[i] < 3.0000005f);
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_tensor_free(c);
}

Test(tensor, null_is_answered)
{
    atl_tensor_free(NULL);
    cr_assert_eq(atl_tensor_count(NULL), 0);
    cr_assert_eq(atl_tensor_shape(NULL).rank, 0);
    cr_assert_null(atl_floats(NULL));
    cr_assert_null(atl_tensor_copy(NULL));
    cr_assert_mentions(atl_error(), "null");
    cr_assert_null(atl_tensor_convert(NULL, ATL_FLOAT32));
    cr_assert_null(atl_tensor_of_floats(ATL_SHAPE(2), NULL));
    cr_assert_mentions(atl_error(), "null");
}

Test(tensor, sizes_and_names_of_types)
{
    cr_assert_eq(atl_dtype_size(ATL_FLOAT32), 4u);
    cr_assert_eq(atl_dtype_size(ATL_INT32), 4u);
    cr_assert_eq(atl_dtype_size(ATL_FLOAT64), 8u);
    cr_assert_str_eq(atl_dtype_name(ATL_INT32), "int32");
    cr_assert_str_eq(atl_dtype_name((atl_dtype)9), "unknown type");
}
