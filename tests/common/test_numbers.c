/* Arithmetic of sizes, the hash, and the clocks. */
#include "support.h"

#include "common/clock.h"
#include "common/hash.h"
#include "common/numbers.h"

Test(numbers, rounding_up)
{
    for (int64_t n = 0; n < 50; n++)
        for (int64_t step = 1; step < 20; step++) {
            int64_t up = atl_round_up(n, step);
            cr_assert(up >= n && up < n + step && up % step == 0, "%d to a multiple of %d", (int)n, (int)step);
            cr_assert_eq(atl_divide_up(n, step), up / step);
        }
    cr_expect_eq(atl_divide_up(INT64_MAX, 2), INT64_MAX / 2 + 1, "no sum overflows");
    cr_expect_eq(atl_smaller(-3, 2), -3);
    cr_expect_eq(atl_larger(-3, 2), 2);
}

/* The authors' test vectors. */
Test(numbers, fnv_1a)
{
    cr_expect_eq(atl_hash_text(""), UINT64_C(0xcbf29ce484222325));
    cr_expect_eq(atl_hash_text("a"), UINT64_C(0xaf63dc4c8601ec8c));
    cr_expect_eq(atl_hash_text("foobar"), UINT64_C(0x85944171f73967e8));
    cr_expect_eq(atl_hash_bytes(atl_hash_text("foo"), "bar", 3), atl_hash_text("foobar"));
}

Test(numbers, clocks_do_not_run_backwards)
{
    double wall = atl_seconds_now(), thread = atl_thread_seconds(), process = atl_process_seconds();
    for (volatile int i = 0; i < 100000; i++) {}
    cr_expect_geq(atl_seconds_now(), wall);
    cr_expect_gt(atl_thread_seconds(), thread);
    cr_expect_gt(atl_process_seconds(), process);
}
