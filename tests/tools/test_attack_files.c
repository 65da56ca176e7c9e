/* Minutes: 5 */
/* The files of atled attack: the same bytes however the run went. */
#include "attacked.h"

#include <dirent.h>

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
        FILE *one = fopen(x, "rb"), *other = fopen(y, "rb");
        cr_assert(one && other, "%s is not in both", e->d_name);
        for (int c = fgetc(one), d = fgetc(other); c != EOF || d != EOF; c = fgetc(one), d = fgetc(other))
            cr_assert_eq(c, d, "%s differs", e->d_name);
        fclose(one);
        fclose(other);
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
static void forget(const char *out, int lines)
{
    const char *path = in(out, "results.jsonl"), *text = whole_file(path), *end = text;
    for (int i = 0; i < lines; i++)
        end = strchr(end, '\n') + 1;
    FILE *file = fopen(path, "wb");
    cr_assert(fwrite(text, 1, (size_t)(end - text) + 30, file) == (size_t)(end - text) + 30 && fclose(file) == 0);
    cr_assert(remove(in(out, "000007.json")) == 0 && remove(in(out, "000008.png")) == 0);
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
    forget(resumed, 5);
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
