/* The command without a subcommand. */
#include "command.h"

Test(atled, without_a_word_tells_what_there_is)
{
    command_run run = RUN(NULL);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "usage: atled COMMAND");
    cr_assert_str_eq(run.out, "");
}

Test(atled, help_and_version)
{
    command_run run = RUN("--help");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "dot");
    cr_assert_mentions(run.out, "fool");
    cr_assert_str_eq(run.err, "");
    run = RUN("--version");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, atl_version());
    cr_assert_mentions(run.out, atl_backend_version());
    cr_assert_mentions(run.out, "threads: ");
    command_run asked = RUN("help", "dot"), told = RUN("dot", "--help");
    cr_assert_code(asked, 0);
    cr_assert_str_eq(asked.out, told.out);
}

Test(atled, an_unknown_command_is_refused_with_the_one_that_may_be_meant)
{
    command_run run = RUN("dto");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "did you mean 'dot'?");
    run = RUN("frobnicate", "--help");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "'frobnicate'");
    cr_assert_mentions(run.err, "atled --help");
}
