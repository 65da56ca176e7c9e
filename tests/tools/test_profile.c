#include <sys/resource.h>
#include <sys/stat.h>

#include "atled/files.h"
#include "command.h"
#include "json.h"

/* How often `part` occurs in the text. */
static int occurrences(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

Test(profile, table_of_the_image_gradient)
{
    command_run run = RUN("profile", "--model", "cifar10", "--batch", "3", "--runs", "2");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "of peak");
    cr_assert_mentions(run.out, "conv1");
    cr_assert_mentions(run.out, "conv2d_input_grad");
    cr_assert_mentions(run.out, "[3, 24, 24, 64]");
    cr_assert_mentions(run.out, "GFLOP/s");
}

Test(profile, forward_has_no_gradient)
{
    command_run run = RUN("profile", "--model", "cifar10", "--forward", "--runs", "1");
    cr_assert_code(run, 0);
    cr_assert(!strstr(run.out, "_grad"), "%s", run.out);
}

Test(profile, a_training_step_updates_the_weights)
{
    command_run run = RUN("profile", "--model", "resnet20", "--batch", "2", "--train", "--runs", "1");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "conv2d_filter_grad");
    cr_assert_mentions(run.out, "moments");
    cr_assert_mentions(run.out, "momentum/sub");
    cr_assert_refused(2, "exclude each other", "profile", "--model", "mlp", "--train", "--forward");
}

Test(profile, json_goes_to_the_file)
{
    const char *path = scratch_file("profile.json");
    command_run run = RUN("profile", "-m", "resnet20", "--json", "-o", path, "--runs", "1");
    cr_assert_code(run, 0);
    cr_assert_str_empty(run.out);
    char *text = whole_file(path);
    cr_assert_eq(text[0], '{');
    cr_assert(occurrences(text, "\"percent_of_peak\"") > 20);
    cr_assert(is_json(text), "%s", text);
    free(text);
}

/* Its mode stays, and a link with the name of a temporary file is not followed. */
Test(profile, the_file_is_replaced_as_a_whole)
{
    const char *path = scratch_file("kept.txt"), *other = scratch_file("other.txt");
    char beside[4096];
    struct stat about;
    atl_write_bytes(path, "kept", 4);
    atl_write_bytes(other, "precious", 8);
    cr_assert_eq(chmod(path, 0600), 0);
    snprintf(beside, sizeof beside, "%s.partial", path);
    cr_assert_eq(symlink(other, beside), 0);
    command_run run = RUN("profile", "-m", "lenet", "--runs", "1", "-o", path);
    unlink(beside);
    cr_assert_code(run, 0);
    cr_assert_mentions(whole_file(path), "conv1");
    cr_assert_str_eq(whole_file(other), "precious");
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600u);
}

/* A limit on the size of files simulates a full disk. */
Test(profile, what_cannot_be_written_leaves_the_old_file)
{
    const char *path = scratch_file("kept.txt");
    struct rlimit limit, old;
    atl_write_bytes(path, "kept", 4);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 1400;                            /* LLVM's OpenMP runtime needs 1024 for itself */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0); /* which the command inherits */
    command_run run = RUN("profile", "-m", "lenet", "--runs", "1", "-o", path);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "could not be written");
    cr_assert_str_eq(whole_file(path), "kept");
}

Test(profile, passes_can_be_left_out)
{
    command_run with = RUN("profile", "-m", "cifar10", "--json", "--runs", "1");
    command_run without =
        RUN("profile", "-m", "cifar10", "--json", "--runs", "1", "--without", "fuse,epilogue,winograd");
    cr_assert_code(with, 0);
    cr_assert_code(without, 0);
    cr_assert_gt(occurrences(without.out, "\"node\""), occurrences(with.out, "\"node\""));
}

Test(profile, the_drawing_tells_the_times)
{
    const char *path = scratch_file("profile.dot");
    command_run run = RUN("profile", "-m", "cifar10", "--runs", "1", "--dot", path, "--threads", "1");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "of peak"); /* the table as well */
    char *whole = whole_file(path);
    cr_assert_mentions(whole, "batch 1, 1 thread<");
    int timed = occurrences(whole, " %</font>");
    cr_assert_gt(timed, 20);
    run = RUN("profile", "-m", "cifar10", "--runs", "1", "--dot", path, "--depth", "1");
    cr_assert_code(run, 0);
    char *layers = whole_file(path);
    cr_assert_lt(occurrences(layers, " %</font>"), timed);
    run = RUN("profile", "-m", "cifar10", "--runs", "1", "--dot", "/no/such/folder/x.dot");
    cr_assert_code(run, 3);
}

Test(profile, bfloat16_is_used_or_said_to_be_missing)
{
    command_run run = RUN("profile", "-m", "cifar10", "--batch", "32", "--runs", "1", "--json", "--bfloat16");
    cr_assert_code(run, 0);
    if (atl_has_bfloat16())
        cr_assert_mentions(run.out, "\"bfloat16\": true");
    else
        cr_assert_mentions(run.err, "float32");
}

/* Every command has the same options for compiling; other commands' tests check it, too. */
Test(profile, times_are_kept_in_a_file)
{
    const char *path = scratch_file("times.txt");
    remove(path);
#define OPTIONS "profile", "-m", "cifar10", "--runs", "1", "--forward", "-t", "1", "--timing-file", path
    command_run run = RUN(OPTIONS);
    cr_assert_code(run, 0);
    const char *first = whole_file(path);
    cr_assert_gt(occurrences(first, "\n"), 2, "%s", first);
    run = RUN(OPTIONS);
    cr_assert_code(run, 0);
    cr_assert_str_eq(whole_file(path), first); /* nothing was timed again */
    FILE *file = fopen(path, "w");
    fputs("something else\n", file);
    fclose(file);
    cr_assert_refused(3, "--timing-file: ", OPTIONS);
    cr_assert_str_eq(whole_file(path), "something else\n");
    run = RUN("profile", "-m", "cifar10", "--runs", "1", "--timing", "--timing-file", "/no/such/folder/x");
    cr_assert_code(run, 3);
#undef OPTIONS
}

Test(profile, mistakes_are_named)
{
    command_run run = RUN("profile", "-m", "cifar10", "--without", "winogard");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "did you mean 'winograd'?");
    cr_assert_refused(2, "exclude each other", "profile", "-m", "cifar10", "--forward", "--gradient");
    cr_assert_refused(2, "vgg16", "profile", "-m", "vgg17");
    cr_assert_refused(3, "/no/such/folder/x", "profile", "-m", "cifar10", "--runs", "1", "-o", "/no/such/folder/x");
    run = RUN("profile", "-m", "cifar10", "--dot", "/no/such/folder/x.svg");
    cr_assert_code(run, 3);
    cr_assert_str_empty(run.out); /* before the work, not after it */
    cr_assert_refused(2, ".svg, .png, .pdf or .dot", "profile", "-m", "cifar10", "--dot", "x.jpg");
    if (access("/dev/full", W_OK) == 0)
        cr_assert_refused(3, "'/dev/full' could not be written: No space", "profile", "-m", "lenet", "-o", "/dev/full");
}

Test(profile, writes_a_page_to_explore)
{
    const char *page = scratch_file("profile.html");
    command_run run = RUN("profile", "-m", "lenet", "--runs", "1", "--without", "winograd", "-o", page);
    cr_assert_code(run, 0);
    cr_assert_str_eq(run.out, "");
    char *text = whole_file(page);
    cr_assert_mentions(text, "<!DOCTYPE html>");
    cr_assert_mentions(text, "\"plan\":{\"title\":\"without winograd\"");
    cr_assert_mentions(text, "\"otherPlan\":{");
    cr_assert_refused(2, "exclude each other", "profile", "-m", "lenet", "--json", "-o", page);
    free(text);
}
