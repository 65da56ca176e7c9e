/* The message of the last failure on each thread. */
#include "support.h"

#include <pthread.h>

#include "graph/error.h"

Test(error, is_empty_at_first) { cr_assert_str_empty(atl_error()); }

Test(error, keeps_the_last_message)
{
    cr_assert_eq(atl_set_error(ATL_BAD_FILE, "%s is %d", "first", 1), ATL_BAD_FILE);
    cr_assert_eq(atl_set_error(ATL_INVALID, "second"), ATL_INVALID);
    cr_assert_str_eq(atl_error(), "second");
    cr_assert_eq(atl_out_of_memory(), ATL_OUT_OF_MEMORY);
    cr_assert_str_eq(atl_error(), "out of memory");
}

Test(error, a_message_may_quote_the_one_before)
{
    atl_set_error(ATL_INVALID, "inner");
    atl_set_error(ATL_INVALID, "outer: %s", atl_error());
    cr_assert_str_eq(atl_error(), "outer: inner");
}

Test(error, long_messages_are_cut)
{
    static char text[3 * ATL_ERROR_SIZE];
    memset(text, 'x', sizeof text - 1);
    atl_set_error(ATL_INVALID, "%s", text);
    cr_assert_eq(strlen(atl_error()), (size_t)ATL_ERROR_SIZE - 1);
}

static void *fail_elsewhere(void *seen)
{
    *(int *)seen = atl_error()[0] != 0;
    atl_set_error(ATL_INVALID, "another thread's");
    return NULL;
}

Test(error, each_thread_has_its_own)
{
    pthread_t thread;
    int seen = 1;
    atl_set_error(ATL_INVALID, "mine");
    pthread_create(&thread, NULL, fail_elsewhere, &seen);
    pthread_join(thread, NULL);
    cr_assert_eq(seen, 0);
    cr_assert_str_eq(atl_error(), "mine");
}

Test(error, version_has_three_parts)
{
    int major, minor, patch;
    cr_assert_eq(sscanf(atl_version(), "%d.%d.%d", &major, &minor, &patch), 3);
}
