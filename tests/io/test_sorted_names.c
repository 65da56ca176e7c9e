/* Looking up names and finding twins. */
#include <criterion/criterion.h>

#include "io/sorted_names.h"

Test(sorted_names, has_and_twin)
{
    const char *names[] = {"conv2", "conv1", "fc", "a"};
    atl_sort_names(names, 4);
    cr_assert_str_eq(names[0], "a");
    cr_assert(atl_has_name(names, 4, "conv2"));
    cr_assert(!atl_has_name(names, 4, "conv"));
    cr_assert_null(atl_find_twin(names, 4));

    const char *twins[] = {"b", "a", "c", "b"};
    atl_sort_names(twins, 4);
    cr_assert_str_eq(atl_find_twin(twins, 4), "b");
}

Test(sorted_names, empty)
{
    atl_sort_names(NULL, 0);
    cr_assert_null(atl_find_twin(NULL, 0));
    cr_assert(!atl_has_name(NULL, 0, "a"));
}
