/* The table of measured times, and its files. */
#include "compiler/layout/known_times.h"

#include <sys/stat.h>

#include "../../io/scratch.h"

#define FIRST_LINE "atled timing 1: nanoseconds, op, attributes, shapes, threads, algorithm"

static void make(void)
{
    make_scratch();
    atl_forget_times();
}

TestSuite(known_times, .init = make, .fini = remove_scratch);

Test(known_times, are_kept_by_their_keys)
{
    cr_assert_lt(atl_known_time("a"), 0);
    cr_assert(atl_remember_time("a", 1e-3));
    cr_assert(atl_remember_time("b", 2e-3));
    cr_assert(atl_remember_time("a", 5e-3)); /* it is known */
    cr_assert_eq(atl_known_time("a"), 1e-3);
    cr_assert_eq(atl_known_time("b"), 2e-3);
    atl_forget_times();
    cr_assert_lt(atl_known_time("a"), 0);
}

Test(known_times, files_keep_them)
{
    atl_remember_time("a [1, 2] algorithm 1", 1234e-9);
    atl_remember_time("never", INFINITY);
    atl_remember_time("b", 0);
    cr_assert_eq(atl_write_timing(in_scratch("times")), ATL_OK, "%s", atl_error());
    size_t size;
    char *text = (char *)read_file(in_scratch("times"), &size);
    text[size] = 0;
    cr_assert_str_eq(text, FIRST_LINE "\n1234 a [1, 2] algorithm 1\n0 b\n");
    free(text);
    atl_forget_times();
    cr_assert_eq(atl_read_timing(in_scratch("times")), ATL_OK, "%s", atl_error());
    cr_assert_float_eq(atl_known_time("a [1, 2] algorithm 1"), 1234e-9, 1e-12);
    cr_assert_eq(atl_known_time("b"), 0);
    cr_assert_lt(atl_known_time("never"), 0);
}

Test(known_times, lines_may_end_as_on_windows)
{
    static const char text[] = FIRST_LINE "\r\n1234 a b\r\n5 c";
    write_file(in_scratch("times"), text, sizeof text - 1);
    cr_assert_eq(atl_read_timing(in_scratch("times")), ATL_OK, "%s", atl_error());
    cr_assert_gt(atl_known_time("a b"), 0);
    cr_assert_gt(atl_known_time("c"), 0);
}

/* Comparing each line with all earlier ones would take minutes, beyond the test's time limit. */
Test(known_times, there_may_be_very_many, .timeout = 60)
{
    enum { LINES = 300000 };
    FILE *file = fopen(in_scratch("times"), "w");
    fprintf(file, "%s\n", FIRST_LINE);
    for (int i = 0; i < LINES; i++)
        fprintf(file, "%d conv2d 0100010001 [1, 55, 55, 16] [3, 3, 16, %d] threads 2 bfloat16 0 algorithm 1\n", i, i);
    fclose(file);
    cr_assert_eq(atl_read_timing(in_scratch("times")), ATL_OK, "%s", atl_error());
    cr_assert_gt(atl_known_time(
                     "conv2d 0100010001 [1, 55, 55, 16] [3, 3, 16, 299999] threads 2 bfloat16 0 algorithm 1"),
                 0);
}

Test(known_times, lines_that_are_no_times)
{
    static const char *const lines[] = {"x", "12", "12 ", "-1 a", "a 12", "99999999999999999999 a", "12\ta"};
    char text[2000];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(text, sizeof text, "%s\n5 fine\n%s\n", FIRST_LINE, lines[i]);
        write_file(in_scratch("times"), text, strlen(text));
        cr_expect_eq(atl_read_timing(in_scratch("times")), ATL_BAD_FILE, "'%s'", lines[i]);
        assert_told("line 3");
    }
    int length = snprintf(text, sizeof text, "%s\n12 ", FIRST_LINE);
    memset(text + length, 'k', 1500);
    write_file(in_scratch("times"), text, (size_t)length + 1500);
    cr_expect_eq(atl_read_timing(in_scratch("times")), ATL_BAD_FILE);
    write_file(in_scratch("times"), "nonsense\r\n", 10);
    cr_expect_eq(atl_read_timing(in_scratch("times")), ATL_BAD_FILE);
    assert_told("its first line is not");
}

/* Opening the pipe would wait for a writer. */
Test(known_times, a_pipe_is_refused_at_once, .timeout = 20)
{
    cr_assert_eq(mkfifo(in_scratch("pipe"), 0600), 0);
    cr_assert_eq(atl_read_timing(in_scratch("pipe")), ATL_BAD_FILE);
    assert_told("is a pipe");
}

/* The file is written beside the target under an unpredictable name, with the permissions of the target. */
Test(known_times, writing_follows_no_planted_link)
{
    struct stat about;
    write_file(in_scratch("times"), "old", 3);
    write_file(in_scratch("precious"), "kept", 4);
    cr_assert_eq(chmod(in_scratch("times"), 0600), 0);
    cr_assert_eq(symlink("precious", in_scratch("times.new")), 0);
    cr_assert_eq(atl_write_timing(in_scratch("times")), ATL_OK, "%s", atl_error());
    size_t size;
    free(read_file(in_scratch("precious"), &size));
    cr_assert_eq(size, 4);
    cr_assert_eq(stat(in_scratch("times"), &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600);
    cr_assert_eq(atl_write_timing("/dev/null"), ATL_OK, "%s", atl_error());
    cr_assert_eq(stat("/dev/null", &about), 0);
    cr_assert(S_ISCHR(about.st_mode));
}
