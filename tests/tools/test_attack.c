/* Minutes: 5 */
/* atled attack and atled verify: files, resuming, and mistakes. */
#include "browser.h"
#include "attacked.h"

#include <dirent.h>
#include <sys/stat.h>

static int same_files(const char *a, const char *b)
{
    const char *x = whole_file(a), *y = whole_file(b);
    return strcmp(x, y) == 0;
}

Test(atled_attack, certificates_hold_until_a_byte_changes, .timeout = 300)
{
    const char *data = write_data(12), *weights = trained(data), *out = scratch_file("out");
    command_run run = ATTACK(data, weights, "-o", out, "--eps", "60/255", "-n", "6");
    cr_assert(run.code == 0 || run.code == 1, "%s", run.err);
    cr_assert_mentions(run.out, "robust accuracy");
    const char *certificate = in(out, "000001.json");
    cr_assert_mentions(whole_file(certificate), "\"eps\": \"60/255\"");
    run = RUN("verify", certificate, in(out, "000002.json"));
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "2 of 2 hold");
    const char *files[] = {in(out, "000001.png"), in(out, "000001.original.png"), certificate, certificate};
    const long places[] = {-5, 60, 40, -70};
    const char *says[] = {"changed picture", "unchanged picture", "digest is wrong", "digest is wrong"};
    for (int i = 0; i < 4; i++) {
        change_byte(files[i], places[i]);
        run = RUN("verify", certificate);
        cr_assert_code(run, 1);
        cr_assert_mentions(run.out, says[i]);
        change_byte(files[i], places[i]);
    }
    run = RUN("verify", certificate);
    cr_assert_code(run, 0);
    change_byte(weights, 100);
    run = RUN("verify", certificate);
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "weights");
}

static void resume(const char *data, const char *weights, const char *method, const char *one, const char *two)
{
    (void)ATTACK(data, weights, "-o", one, "--method", method, "--eps", "40/255", "--threads", "1");
    (void)ATTACK(data, weights, "-o", two, "--method", method, "--eps", "40/255", "--threads", "2", "--batch", "3");
    const char *lines = in(one, "results.jsonl");
    cr_assert(same_files(lines, in(two, "results.jsonl")));
    /* As if the run had been killed while it wrote its fourth line. */
    const char *text = whole_file(lines), *end = text;
    for (int i = 0; i < 4; i++)
        end = strchr(end, '\n') + 1;
    FILE *file = fopen(lines, "wb");
    cr_assert(fwrite(text, 1, (size_t)(end - text) + 30, file) == (size_t)(end - text) + 30);
    fclose(file);
    command_run run = ATTACK(data, weights, "-o", one, "--method", method, "--eps", "40/255", "--threads", "1");
    cr_assert_mentions(run.err, "3 of 12 are done already");
    cr_assert(same_files(lines, in(two, "results.jsonl")));
    cr_assert(same_files(in(one, "000007.json"), in(two, "000007.json")));
    run = ATTACK(data, weights, "-o", one, "--method", method, "--eps", "41/255");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "other settings");
    run = ATTACK(data, weights, "-o", one, "--method", method, "--eps", "40/255", "--without", "winograd");
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "other settings");
}

Test(atled_attack, resumed_single_and_parallel_runs_write_the_same_bytes, .timeout = 300)
{
    const char *data = write_data(12), *weights = trained(data);
    resume(data, weights, "pgd", scratch_file("one"), scratch_file("two"));
    /* All pictures take part in the change that they share, those that are done, too. */
    resume(data, weights, "universal", scratch_file("three"), scratch_file("four"));
}

static const char *small_weights(void)
{
    const char *weights = scratch_file("w.npz");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3));
    cr_assert(atl_cifar10(image, .widths = {8, 8, 16, 16, 10}), "%s", atl_graph_error(g));
    cr_assert(atl_save_npz(g, weights) == ATL_OK, "%s", atl_error());
    atl_graph_free(g);
    return weights;
}

static void write_random_picture(const char *path, int64_t side)
{
    atl_tensor *pixels = random_tensor(ATL_SHAPE(side, side, 3), 0, 255);
    cr_assert(atl_write_png(path, pixels) == ATL_OK, "%s", atl_error());
    atl_tensor_free(pixels);
}

Test(atled_attack, eps_of_zero_gives_the_file_back, .timeout = 300)
{
    const char *weights = small_weights(), *picture = scratch_file("x.png"), *out = scratch_file("zero");
    write_random_picture(picture, 24);
    command_run run = RUN("attack", "-m", "cifar10", "-w", weights, picture, "--eps", "0", "-o", out);
    cr_assert_code(run, 1);
    DIR *folder = opendir(out);
    int seen = 0;
    for (struct dirent *e = readdir(folder); e; e = readdir(folder))
        if (strstr(e->d_name, ".png") && !strstr(e->d_name, "original")) {
            struct stat a, b;
            cr_assert(stat(picture, &a) == 0 && stat(in(out, e->d_name), &b) == 0 && a.st_size == b.st_size);
            seen++;
        }
    closedir(folder);
    cr_assert_eq(seen, 1);
    run = RUN("attack", "-m", "cifar10", "-w", weights, picture, "--eps", "8/255", "-o", "/proc/no/such/place");
    cr_assert_code(run, 3);
    run = RUN("attack", "-m", "cifar10", "-w", weights, picture, "--eps", "8", "-o", out);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "8/255");
    run = RUN("attack", "-m", "cifar10", "-w", weights, picture, "--method", "pgd");
    cr_assert_code(run, 2);
    run = RUN("attack", "-m", "cifar10", "-w", weights, weights, "--eps", "8/255");
    cr_assert_code(run, 3);
    run = RUN("attack", "-m", "cifar10", "-w", weights, picture, "--eps", "8/255", "-t", "99");
    cr_assert_code(run, 2);
}

/* Colours become the mean of the channels; a grey file is copied. */
Test(atled_attack, a_file_of_grey_pictures_gets_grey_ones, .timeout = 300)
{
    const char *net = as_file(trained(write_data(6))), *picture = scratch_file("x.png"), *out = scratch_file("grey"),
               *again = scratch_file("again");
    write_random_picture(picture, 6);
    command_run run = RUN("attack", "-m", net, picture, "--method", "best", "--norm", "l2", "-o", out);
    cr_assert_code(run, 0);
    cr_assert_mentions(whole_file(in(out, "000000-x.json")), "\"channels\": 1\n");
    cr_assert_code(RUN("verify", in(out, "000000-x.json")), 0);
    atl_tensor *colours = atl_read_image(picture), *grey = atl_read_image(in(out, "000000-x.original.png")),
               *changed = atl_read_image(in(out, "000000-x.png"));
    cr_assert(colours && grey && changed, "%s", atl_error());
    for (int i = 0; i < 36; i++) {
        const float *c = atl_floats(colours) + 3 * i, *g = atl_floats(grey) + 3 * i, *r = atl_floats(changed) + 3 * i;
        cr_assert_float_eq(g[0], (c[0] + c[1] + c[2]) / 3, 0.5001);
        cr_assert(g[0] == g[1] && g[0] == g[2] && r[0] == r[1] && r[0] == r[2]);
    }
    atl_tensor_free(colours);
    atl_tensor_free(grey);
    atl_tensor_free(changed);
    run = RUN("attack", "-m", net, in(out, "000000-x.original.png"), "--eps", "0", "-o", again);
    cr_assert_code(run, 1);
    cr_assert(same_files(in(out, "000000-x.original.png"), in(again, "000000-000000-x.original.png")));
}

/* What can be attacked is attacked; the message names the rest, and so does the exit code. */
Test(atled_attack, an_unreadable_picture_does_not_stop_the_folder, .timeout = 300)
{
    const char *weights = small_weights(), *folder = scratch_file("pictures"), *out = scratch_file("out");
    cr_assert(mkdir(folder, 0777) == 0);
    write_random_picture(in(folder, "a.png"), 24);
    write_random_picture(in(folder, "c.png"), 24);
    cr_assert(atl_write_bytes(in(folder, "b.png"), "no picture", 10) == ATL_OK);
    command_run run =
        RUN("attack", "-m", "cifar10", "-w", weights, folder, "--eps", "60/255", "--method", "fgsm", "-o", out, "-q");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "b.png");
    cr_assert_mentions(run.err, "1 picture could not be read");
    cr_assert_mentions(whole_file(in(out, "results.jsonl")), "a.png");
    cr_assert_mentions(whole_file(in(out, "results.jsonl")), "c.png");
    write_random_picture(in(folder, "b.png"), 20);
    run = RUN("attack", "-m", "cifar10", "-w", weights, folder, "--eps", "60/255", "--method", "fgsm", "-q", "--exact");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "b.png has 20 x 20 pixels");
    cr_assert_mentions(run.out, "robust accuracy");
    cr_assert_refused(3, "2 pictures could not be read", "attack", "-m", "cifar10", "-w", weights, weights, weights,
                      "--eps", "8/255");
}

Test(atled_attack, report_shows_the_files_of_the_folder_also_after_a_resume, .timeout = 300)
{
    const char *data = write_data(6), *weights = trained(data), *out = scratch_file("out"),
               *page = scratch_file("page.html");
    command_run run = ATTACK(data, weights, "-o", out, "--method", "best", "--norm", "l2", "-q", "--report", page);
    cr_assert(run.code == 0 || run.code == 1, "%s", run.err);
    const char *text = whole_file(page);
    const char *const mentioned[] = {"Robust accuracy against eps",
                                     "000005.png",
                                     "gradient map",
                                     "change in grey levels",
                                     "atled verify ",
                                     "&quot;seal&quot;",
                                     "margin after",
                                     "Most probable classes"};
    for (size_t i = 0; i < sizeof mentioned / sizeof *mentioned; i++)
        cr_assert_mentions(text, mentioned[i]);
    run = ATTACK(data, weights, "-o", out, "--method", "best", "--norm", "l2", "-q", "--report", page);
    cr_assert_mentions(run.err, "6 of 6 are done already");
    cr_assert_str_eq(text, whole_file(page));
    run = ATTACK(data, weights, "--eps", "8/255", "--report", page);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "--output");
    if (browser())
        check_in_browser(page, 6);
    else
        fprintf(stderr, "there is no chromium, which shows the page: its look is not tested\n");
}
