/* Minutes: 5 */
/* The files of atled attack: the same bytes however the run went. */
#include "attacked.h"

#include <dirent.h>

static void compare_files(const char *a, const char *b)
{
    FILE *one = fopen(a, "rb"), *other = fopen(b, "rb");
    cr_assert(one && other, "%s and %s are not both there", a, b);
    for (int c = fgetc(one), d = fgetc(other); c != EOF || d != EOF; c = fgetc(one), d = fgetc(other))
        cr_assert_eq(c, d, "%s differs", b);
    fclose(one);
    fclose(other);
}

/* Compares all files of two folders; returns how many there are. */
static int compare_folders(const char *a, const char *b)
{
    char x[4096], y[4096];
    int count = 0, others = 0;
    DIR *folder = opendir(a);
    cr_assert(folder, "%s", a);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(x, sizeof x, "%s/%s", a, e->d_name);
        snprintf(y, sizeof y, "%s/%s", b, e->d_name);
        compare_files(x, y);
        count++;
    }
    closedir(folder);
    folder = opendir(b);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder))
        others += e->d_name[0] != '.';
    closedir(folder);
    cr_assert_eq(others, count);
    return count;
}

/* As if the run had been killed: the last lines of results.jsonl, one of them cut, and the files of some are gone. */
static void forget(const char *out, int lines, const char *ending)
{
    const char *path = in(out, "results.jsonl"), *text = whole_file(path), *end = text;
    for (int i = 0; i < lines; i++)
        end = strchr(end, '\n') + 1;
    FILE *file = fopen(path, "wb");
    cr_assert(fwrite(text, 1, (size_t)(end - text) + 30, file) == (size_t)(end - text) + 30 && fclose(file) == 0);
    cr_assert(remove(in(out, "000007.json")) == 0 && remove(in(out, ATL_NAME("000008%s", ending))) == 0);
}

static void check_method(const char *method, const char *eps)
{
    char folder[3][64];
    const char *data = write_data(12), *weights = trained(data);
    for (int i = 0; i < 3; i++)
        snprintf(folder[i], sizeof folder[i], "%s-%d", method, i);
    const char *single = scratch_file(folder[0]), *batched = scratch_file(folder[1]),
               *resumed = scratch_file(folder[2]);
    (void)ATTACK(data, weights, "--method", method, "-o", single, "--eps", eps, "--steps", "20", "-q", "--threads", "1",
                 "--batch", "1");
    (void)ATTACK(data, weights, "--method", method, "-o", batched, "--eps", eps, "--steps", "20", "-q", "--threads",
                 "2");
    (void)ATTACK(data, weights, "--method", method, "-o", resumed, "--eps", eps, "--steps", "20", "-q", "--threads",
                 "2", "--batch", "3");
    forget(resumed, 5, ".png");
    command_run run =
        ATTACK(data, weights, "--method", method, "-o", resumed, "--eps", eps, "--steps", "20", "-q", "--threads", "1");
    cr_assert_mentions(run.err, "4 of 12 are done already");
    cr_assert_eq(compare_folders(single, batched), 3 * 12 + 1);
    compare_folders(single, resumed);
}

Test(attack_files, single_batched_parallel_and_resumed_runs_write_the_same_bytes, .timeout = 280)
{
    check_method("pgd", "40/255");
}

Test(attack_files, so_does_a_method_of_random_numbers, .timeout = 280) { check_method("square", "30/255"); }

/* The pictures that survive JPEG. */
Test(attack_files, so_do_files_of_jpeg, .timeout = 280)
{
    const char *data = write_data(12), *weights = trained(data), *single = scratch_file("single"),
               *batched = scratch_file("batched"), *resumed = scratch_file("resumed");
#define JPEG_ATTACK(out, ...)                                                                                          \
    ATTACK(data, weights, "-o", out, "--eps", "60/255", "--jpeg", "85", "--steps", "10", "-q", __VA_ARGS__)
    command_run run = JPEG_ATTACK(single, "--threads", "1", "--batch", "1");
    cr_assert(run.code == 0 || run.code == 1, "%s", run.err);
    (void)JPEG_ATTACK(batched, "--threads", "2");
    (void)JPEG_ATTACK(resumed, "--threads", "2", "--batch", "3");
    forget(resumed, 5, ".jpg");
    run = JPEG_ATTACK(resumed, "--threads", "1", "--report", scratch_file("jpeg.html"));
    cr_assert_mentions(run.err, "4 of 12 are done already");
    cr_assert_eq(compare_folders(single, batched), 3 * 12 + 1);
    compare_folders(single, resumed);
    run = RUN("verify", in(single, "000000.json"), in(single, "000001.json"), in(single, "000002.json"),
              in(single, "000003.json"));
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "4 of 4 hold");
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 2; k++) {
            const char *path = in(single, ATL_NAME("%06d%s", i, k ? ".jpg" : ".original.jpg"));
            cr_assert(strncmp(whole_file(path), "\xff\xd8\xff", 3) == 0, "%s", path);
        }
    const char *none = scratch_file("none");
    run = ATTACK(data, weights, "-o", none, "--eps", "0", "--jpeg", "85", "-q");
    cr_assert_code(run, 1);
    compare_files(in(none, "000005.jpg"), in(none, "000005.original.jpg"));
}

Test(attack_files, jpeg_that_cannot_be_is_refused)
{
    const char *data = write_data(3), *weights = trained(data);
    command_run run = ATTACK(data, weights, "--eps", "8/255", "--jpeg", "101");
    cr_assert_code(run, 2);
    run = ATTACK(data, weights, "--eps", "8/255", "--jpeg", "90", "--float");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "--jpeg does not go with --float");
    run = ATTACK(data, weights, "--eps", "8/255", "--jpeg", "90", "--method", "universal");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "--method universal");
}

Test(attack_files, weights_of_a_second_network_that_is_not_named_are_refused)
{
    const char *data = write_data(3), *weights = trained(data);
    command_run run = ATTACK(data, weights, "--eps", "8/255", "--transfer-weights", weights);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "see --transfer");
}
