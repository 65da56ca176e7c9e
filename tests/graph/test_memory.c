/* Allocation that can be made to fail. */
#include "support.h"

#include "graph/memory.h"

Test(memory, is_zeroed)
{
    char *memory = atl_allocate(1000, 3);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(memory[i], 0);
    atl_release(memory);
}

Test(memory, nothing_is_something)
{
    void *memory = atl_allocate(0, 8);
    cr_assert(memory);
    atl_release(memory);
    memory = atl_allocate_aligned(0);
    cr_assert(memory);
    atl_release(memory);
    atl_release(NULL);
}

Test(memory, a_product_that_overflows_is_refused)
{
    cr_assert_null(atl_allocate(SIZE_MAX / 2, 3));
    cr_assert_null(atl_reallocate(NULL, SIZE_MAX / 2, 3));
    cr_assert_null(atl_allocate_aligned(SIZE_MAX));
    cr_assert_null(atl_allocate_aligned(SIZE_MAX - 64));
}

Test(memory, aligned_to_cache_lines_with_a_vector_to_spare)
{
    for (size_t bytes = 1; bytes < 300; bytes += 7) {
        char *memory = atl_allocate_aligned(bytes);
        cr_assert_eq((uintptr_t)memory % 64, 0u);
        memset(memory, 1, bytes + 63);
        atl_release(memory);
    }
}

Test(memory, grows_and_keeps_what_is_there)
{
    int64_t *numbers = NULL, count = 0, capacity = 0;
    for (; count < 1000; count++) {
        cr_assert(ATL_GROW(numbers, count, capacity));
        numbers[count] = count;
    }
    for (int64_t i = 0; i < count; i++)
        cr_assert_eq(numbers[i], i);
    atl_release(numbers);
}

Test(memory, fails_when_told_to)
{
    int64_t *numbers = NULL, count = 0, capacity = 0, before = atl_allocation_count();
    atl_fail_allocations_after(2);
    void *first = atl_allocate(1, 1), *second = atl_allocate_aligned(1);
    cr_assert(first && second);
    cr_assert_null(atl_allocate(1, 1));
    cr_assert_null(atl_allocate_aligned(1));
    cr_assert_null(atl_copy_text("text"));
    cr_assert_not(ATL_GROW(numbers, count, capacity));
    cr_assert_null(numbers);
    cr_assert_eq(capacity, 0);
    atl_fail_allocations_after(-1);
    cr_assert_eq(atl_allocation_count() - before, 2);
    char *text = atl_copy_text("text");
    cr_assert_str_eq(text, "text");
    atl_release(text);
    atl_release(first);
    atl_release(second);
}
