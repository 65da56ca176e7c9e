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

/* Otherwise a wrong word would let a measurement use all instructions. */
Test(atled, an_unknown_instruction_set_is_refused)
{
    setenv("ATLED_ISA", "AVX2", 1);
    command_run run = RUN("info", "nosuch.npz");
    cr_assert_code(run, 2);
    cr_assert_str_eq(run.err, "atled: ATLED_ISA is 'AVX2', which is none of avx512, avx2 and generic\n");
    run = RUN("--version");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "ATLED_ISA is 'AVX2', which is none of");
    cr_assert_code(RUN("help", "info"), 0);
    setenv("ATLED_ISA", "", 1);
    run = RUN("info", "nosuch.npz");
    cr_assert_mentions(run.err, "nosuch.npz");
}
