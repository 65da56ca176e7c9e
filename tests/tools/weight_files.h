/* Weight files that commands have written, compared. */
#ifndef ATLED_TESTS_WEIGHT_FILES_H
#define ATLED_TESTS_WEIGHT_FILES_H

#include "command.h"

#include "atled/atled.h"

static inline int same_entry(const char *a, const char *b, const char *name)
{
    atl_npz *one = atl_npz_open(a), *other = atl_npz_open(b);
    cr_assert(one && other, "%s", atl_error());
    atl_tensor *x = atl_npz_read(one, name), *y = atl_npz_read(other, name);
    cr_assert(x && y && atl_floats(x), "%s", name);
    cr_assert(atl_shape_equal(atl_tensor_shape(x), atl_tensor_shape(y)), "%s", name);
    int same = memcmp(atl_floats(x), atl_floats(y), (size_t)atl_tensor_count(x) * sizeof(float)) == 0;
    atl_tensor_free(x);
    atl_tensor_free(y);
    atl_npz_close(one);
    atl_npz_close(other);
    return same;
}

static inline void assert_same_entry(const char *a, const char *b, const char *name)
{
    cr_assert(same_entry(a, b, name), "%s differs", name);
}

/* The number of arrays that differ. */
static inline int differences(const char *a, const char *b)
{
    int found = 0;
    atl_npz *one = atl_npz_open(a), *other = atl_npz_open(b);
    cr_assert(one && other, "%s", atl_error());
    cr_assert_eq(atl_npz_count(one), atl_npz_count(other));
    for (int i = 0; i < atl_npz_count(one); i++)
        found += !same_entry(a, b, atl_npz_name(one, i));
    atl_npz_close(one);
    atl_npz_close(other);
    return found;
}

static inline void assert_same_file(const char *a, const char *b) { cr_assert_eq(differences(a, b), 0); }
static inline void assert_differ(const char *a, const char *b) { cr_assert_gt(differences(a, b), 0); }

static inline void check_within(const char *path, const char *name, double lowest, double highest)
{
    atl_tensor *x = npz_array(path, name);
    for (int64_t i = 0; i < atl_tensor_count(x); i++)
        cr_assert(atl_floats(x)[i] >= (float)lowest && atl_floats(x)[i] <= (float)highest, "%s[%d] is %g", name, (int)i,
                  (double)atl_floats(x)[i]);
    atl_tensor_free(x);
}

#endif
