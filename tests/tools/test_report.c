/* Every command reports output that cannot be printed, and prints nothing that a terminal would interpret. */
#include "command.h"

#include "few_pictures.h"

static command_run run_into(const char *out, const char *const *words)
{
    const char *err = scratch_file("stderr");
    command_run run = {.code = code_of(start_command(words, out, err, -1)), .out = (char *)""};
    run.err = whole_file(err);
    return run;
}
#define RUN_INTO(out, ...) run_into(out, (const char *const[]){__VA_ARGS__, NULL})

/* Every command that prints, and how long it may take. */
static void assert_told(const char *out, const char *why)
{
    const char *data = write_data(12), *w = scratch_file("w.npz"), *checked = scratch_file("checked.npz");
    cr_assert_code(RUN("train", "-m", "mlp", "--widths", "8,3", "-q", "-e", "1", "-d", data, "-o", checked), 0);
    const char *const commands[][12] = {
        {"--help"},
        {"--version"},
        {"train", "--help"},
        {"help", "dot"},
        {"dot", "-m", "lenet"},
        {"profile", "-m", "lenet", "-r", "1"},
        {"profile", "-m", "lenet", "-r", "1", "--json"},
        {"fool", "-t", "cat", "-q", "--steps", "2", "-o", scratch_file("x.png")},
        {"eval", "-m", "mlp", "-d", data, "-w", checked},
        {"train", "-m", "mlp", "--widths=8,3", "-q", "-e", "1", "-d", data, "-o", w},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        command_run run = run_into(out, commands[i]);
        cr_expect_eq(run.code, 3, "%s: exit code %d\n%s", commands[i][0], run.code, run.err);
        cr_expect(strstr(run.err, "written"), "%s: %s", commands[i][0], run.err);
        cr_expect(!why || strstr(run.err, why), "%s: %s", commands[i][0], run.err);
    }
    cr_expect(access(w, F_OK) == 0, "the training is saved all the same");
}

Test(report, a_full_disk, .timeout = 120)
{
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("there is no /dev/full here");
    assert_told("/dev/full", "No space left on device");
}

/* No file of the command gets the number of a closed stream. */
Test(report, a_closed_standard_output, .timeout = 120)
{
    assert_told(NULL, NULL);
    const char *const words[] = {"dot", "-m", "lenet", "-o", scratch_file("x.dot"), NULL};
    command_run run = run_into(NULL, words);
    cr_assert_code(run, 0);
    cr_assert(strncmp(whole_file(scratch_file("x.dot")), "digraph", 7) == 0);
}

static const char *write_text(const char *name, const char *text)
{
    const char *path = scratch_file(name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

Test(report, names_of_classes_are_not_obeyed)
{
    const char *names = write_text("names.txt", "\xEF\xBB\xBF"
                                                "cat\n\033[31mred\nP\xE9kinois\n3\n4\n5\n6\n7\n8\n9\n");
    const char *out = scratch_file("x.png");
    command_run run = RUN("fool", "-q", "--labels", names, "-t", "1", "--steps", "2", "-o", out);
    cr_assert_code(run, 1);
    cr_assert(!strchr(run.out, '\033'), "%s", run.out);
    cr_assert_mentions(run.out, "1 '\xEF\xBF\xBD[31mred'");
    run = RUN("fool", "-q", "--labels", names, "-t", "cat", "--steps", "2", "-o", out); /* without the mark of UTF-8 */
    cr_assert_code(run, 1);
    run = RUN("fool", "-q", "--labels", names, "-t", "nothing\033[31m", "-o", out);
    cr_assert_code(run, 2);
    cr_assert(!strchr(run.err, '\033'), "%s", run.err);
    run = RUN("fool", "-t",
              "\xC2\x9B"
              "31m",
              "-o", out);
    cr_assert_code(run, 2);
    cr_assert(!strstr(run.err, "\xC2\x9B"), "%s", run.err);
}
