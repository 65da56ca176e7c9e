/* When a command lets its threads sleep while they wait. */
#include "tools/waiting.c"

#include "command.h"

Test(waiting, reads_how_many_threads_run)
{
    cr_assert_eq(running_threads("0.52 0.99 0.51 3/412 16890\n"), 3);
    cr_assert_eq(running_threads("12.00 8.10 4.25 17/90 5"), 17);
    cr_assert_eq(running_threads(""), -1);
    cr_assert_eq(running_threads("0.52 0.99"), -1);
    cr_assert_eq(running_threads("0.52 0.99 0.51 x/412"), -1);
}

Test(waiting, a_machine_is_crowded_if_threads_must_share_processors)
{
    cr_assert(!is_crowded(1, 2, 2));
    cr_assert(is_crowded(2, 2, 2));
    cr_assert(!is_crowded(3, 2, 4));
    cr_assert(is_crowded(4, 2, 4));
    cr_assert(!is_crowded(90, 1, 2), "one thread waits for nobody");
    cr_assert(!is_crowded(-1, 2, 2), "unknown");
}

/* The same words and streams reach the command, whether it restarts or not, and it restarts once. */
Test(waiting, a_command_is_the_same_either_way)
{
    unsetenv("OMP_WAIT_POLICY");
    command_run either = RUN("eval", "--model", "nosuch");
    setenv("OMP_WAIT_POLICY", "active", 1);
    command_run said = RUN("eval", "--model", "nosuch");
    cr_assert_eq(either.code, said.code);
    cr_assert_str_eq(either.out, said.out);
    cr_assert_str_eq(either.err, said.err);
}
