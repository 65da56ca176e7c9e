/* Minutes: 5 */
#define _GNU_SOURCE /* pseudo-terminals */
#include "command.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>

/* ---- a network that is quickly fooled ---------------------------------------------------------------------------- */

enum { CLASSES = 10 };

static void assign_random(atl_graph *g, const char *name, float size)
{
    atl_node *variable = atl_find(g, name);
    atl_tensor *value = random_tensor(atl_shape_of(variable), -size, size);
    cr_assert(atl_variable_assign(variable, value) == ATL_OK, "%s", atl_error());
    atl_tensor_free(value);
}

/* Narrow layers of random weights under the library's own names. `last`: the size of the last layer's. */
static const char *random_weights(const char *name, float last)
{
    const char *path = scratch_file(name);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3));
    cr_assert(atl_cifar10(image, .widths = {8, 8, 16, 16, CLASSES}), "%s", atl_graph_error(g));
    assign_random(g, "local3/weights", 0.3f);
    assign_random(g, "local4/weights", 0.7f);
    assign_random(g, "softmax_linear/weights", last);
    cr_assert(atl_save_npz(g, path) == ATL_OK, "%s", atl_error());
    atl_graph_free(g);
    return path;
}

static int exists(const char *path) { return access(path, F_OK) == 0; }

/* The number after `before` in the text. */
static double number_after(const char *text, const char *before)
{
    const char *at = strstr(text, before);
    cr_assert(at, "no \"%s\" in \"%s\"", before, text);
    return strtod(at + strlen(before), NULL);
}

/* ---- the goal ---------------------------------------------------------------------------------------------------- */

Test(atled_fool, writes_a_picture_that_fools, .timeout = 120)
{
    NEEDS_CAIRO();
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("out.png"),
               *panel = scratch_file("panel.png");
    command_run run =
        RUN("fool", "--model", "cifar10", "--weights", weights, "--target", "frog", "-o", out, "--panel", panel);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "out.png: 6 'frog' at ");
    cr_assert(number_after(run.out, "'frog' at ") >= 0.99);
    cr_assert_mentions(run.err, "iteration 0 of 500");

    /* The file itself, classified by the library. */
    atl_tensor *picture = atl_read_image(out);
    cr_assert(picture && atl_shape_equal(atl_tensor_shape(picture), ATL_SHAPE(24, 24, 3)), "%s", atl_error());
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3));
    atl_node *logits = atl_cifar10(image, .widths = {8, 8, 16, 16, CLASSES});
    cr_assert(atl_load_npz(g, weights) == ATL_OK, "%s", atl_error());
    atl_fooler *fooler = atl_fooler_new(image, logits, ATL_LOSS_CROSS_ENTROPY);
    const atl_tensor *p = atl_fooler_classify(fooler, picture);
    cr_assert(p && element_of(p, 6) >= 0.99, "%g", p ? element_of(p, 6) : -1);
    atl_fooler_free(fooler);
    atl_graph_free(g);
    atl_tensor_free(picture);

    picture = atl_read_image(panel);
    cr_assert(picture && atl_tensor_shape(picture).size[1] > 800, "the panel: %s", atl_error());
    atl_tensor_free(picture);
}

/* Two rows of five tiles: 24 x 24 pixels 6 times as large, with 12 between them and 24 for the caption. */
static void check_sheet(const char *sheet, const char *out)
{
    enum { LEFT = 12, TIMES = 6, SIDE = 24 * TIMES, WIDE = SIDE + 12, TALL = SIDE + 36, WIDTH = 5 * WIDE + 12 };
    char path[4096];
    atl_tensor *picture = atl_read_image(sheet);
    cr_assert(picture, "%s", atl_error());
    cr_assert_eq(atl_tensor_shape(picture).size[1], WIDTH);
    for (int i = 0; i < CLASSES; i++) {
        snprintf(path, sizeof path, "%.*s-%d.png", (int)strlen(out) - 4, out, i);
        atl_tensor *one = atl_read_image(path);
        const float *tile = atl_floats(picture) + ((12 + i / 5 * TALL) * WIDTH + LEFT + i % 5 * WIDE) * 3;
        for (int k = 0; k < SIDE * SIDE * 3; k++)
            cr_assert_eq(tile[(k / 3 / SIDE * WIDTH + k / 3 % SIDE) * 3 + k % 3],
                         atl_floats(one)[(k / 3 / SIDE / TIMES * 24 + k / 3 % SIDE / TIMES) * 3 + k % 3]);
        int dark = 0; /* of the caption: the name at the left, the probability at the right */
        for (int k = 0; k < 24 * SIDE; k++)
            dark |= (tile[((SIDE + k / SIDE) * WIDTH + k % SIDE) * 3 + 1] < 128) << (k % SIDE > SIDE / 2);
        cr_assert_eq(dark, 3, "the caption of tile %d", i);
        atl_tensor_free(one);
    }
    atl_tensor_free(picture);
}

Test(atled_fool, takes_all_random_and_least_likely, .timeout = 240)
{
    NEEDS_CAIRO();
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png");
    const char *sheet = scratch_file("sheet.png");
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "all", "-o", out, "-q", "--sheet", sheet);
    cr_assert_mentions(run.out, " of 10 fooled");
    const char *at = run.out;
    for (int i = 0; i < CLASSES; i++) /* in their order */
        cr_assert(at = strstr(at, ATL_NAME("x-%d.png: ", i)), "%d: %s", i, run.out);
    check_sheet(sheet, out);
    for (int i = 0; i < CLASSES; i++)
        cr_assert(exists(scratch_file(ATL_NAME("x-%d.png", i))));
    cr_assert_eq(run.code, strstr(run.out, "10 of 10") ? 0 : 1);

    const char *single = scratch_file("single.png");
    (void)RUN("fool", "-m", "cifar10", "-w", weights, "-t", "all", "-o", single, "-q", "--batch", "1", "--threads",
              "1");
    for (int i = 0; i < CLASSES; i++) {
        atl_tensor *a = atl_read_image(scratch_file(ATL_NAME("x-%d.png", i)));
        atl_tensor *b = atl_read_image(scratch_file(ATL_NAME("single-%d.png", i)));
        cr_assert_close(a, b, 0);
        atl_tensor_free(a);
        atl_tensor_free(b);
    }
    cr_assert(!strstr(run.err, "iteration 0 of"), "%s", run.err); /* quiet */

    command_run first =
        RUN("fool", "-m", "cifar10", "-w", weights, "-t", "random", "-n", "3", "--seed", "7", "-o", out);
    command_run second =
        RUN("fool", "-m", "cifar10", "-w", weights, "-t", "random", "-n", "3", "--seed", "7", "-o", out);
    command_run other =
        RUN("fool", "-m", "cifar10", "-w", weights, "-t", "random", "-n", "3", "--seed", "8", "-o", out);
    cr_assert_mentions(first.out, " of 3 fooled");
    cr_assert_eq(strcspn(first.out, "("), strcspn(second.out, "("));
    cr_assert(strncmp(first.out, second.out, strcspn(first.out, "(")) == 0);
    cr_assert(strncmp(first.out, other.out, strcspn(first.out, "(")) != 0);

    run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "least-likely", "-o", out);
    cr_assert(run.code == 0 || run.code == 1);
    cr_assert(exists(out));
}

Test(atled_fool, starts_from_grey_or_a_picture, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png"),
               *photo = scratch_file("photo.png");
    atl_tensor *picture = random_tensor(ATL_SHAPE(50, 70, 3), 0, 255);
    cr_assert(atl_write_png(photo, picture) == ATL_OK);
    atl_tensor_free(picture);
    cr_assert_code(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "frog", "-o", out, "--start", photo, "--step-size",
                       "4"),
                   0);
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "3", "-o", out, "--start", "grey");
    cr_assert(run.code == 0 || run.code == 1, "%d: %s", run.code, run.err);
}

/* ---- the goal not met -------------------------------------------------------------------------------------------- */

Test(atled_fool, keeps_the_best_when_steps_are_used_up)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png");
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "3", "-o", out, "--steps", "1", "--step-size",
                          "0.5", "-c", "0.9999");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "not fooled");
    cr_assert_mentions(run.err, "more iterations");
    cr_assert(exists(out));
}

Test(atled_fool, says_why_mean_squared_error_with_raw_steps_stalls)
{
    const char *weights = random_weights("steep.npz", 12), *out = scratch_file("x.png");
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "least-likely", "-o", out, "--loss", "mse",
                          "--method", "raw");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "saturated");
    cr_assert_mentions(run.err, "cross entropy");
}

Test(atled_fool, asks_whether_the_weights_were_loaded_when_every_class_is_equal)
{
    const char *weights = random_weights("flat.npz", 0), *out = scratch_file("x.png");
    cr_assert_refused(1, "weights been loaded", "fool", "-m", "cifar10", "-w", weights, "-t", "3", "-o", out);
}

/* An interrupt after the first iteration was reported; the best image is written. */
Test(atled_fool, keeps_the_best_when_interrupted, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png");
    const char *to = scratch_file("stdout"), *err = scratch_file("stderr");
    const char *const words[] = {"fool", "-m",          "cifar10", "-w",      weights,     "-t", "3",         "-o",
                                 out,    "--step-size", "1e-4",    "--steps", "100000000", "-c", "0.9999999", NULL};
    pid_t child = start_command(words, to, err, -1);
    for (int tries = 0; tries < 600 && !(exists(err) && strstr(whole_file(err), "iteration 0")); tries++)
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    cr_assert(kill(child, SIGINT) == 0);
    int code = code_of(child);
    cr_assert_eq(code, 1, "%d: %s", code, whole_file(err));
    cr_assert(exists(out));
    cr_assert_mentions(whole_file(to), "not fooled");
    cr_assert_mentions(whole_file(err), "stopped after");
}

/* On a terminal: one line, which is redrawn. */
Test(atled_fool, draws_one_line_again_and_again_on_a_terminal, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png");
    const char *const words[] = {"fool", "-m", "cifar10", "-w",           weights, "-t",
                                 "3",    "-o", out,       "--iterations", "5",     NULL};
    char text[1 << 16] = {0};
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
        cr_skip_test("there are no pseudo-terminals here");
    int end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    cr_assert(end >= 0);
    pid_t child = start_command(words, scratch_file("stdout"), "", end);
    int code = code_of(child);
    close(end);
    ssize_t size = read(terminal, text, sizeof text - 1);
    cr_assert(size > 0 && (code == 0 || code == 1));
    cr_assert_mentions(text, "iteration 0 of 5");
    cr_assert_mentions(text, "\r");
    cr_assert_mentions(text, "\033[K");
    close(terminal);
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

static void assert_refused(command_run run, int code, const char *words)
{
    cr_assert_code(run, code);
    cr_assert_mentions(run.err, words);
    cr_assert_str_empty(run.out);
}

Test(atled_fool, usage_errors_give_2_and_the_remedy, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("none.png");
    assert_refused(RUN("fool"), 2, "--target");
    assert_refused(RUN("fool", "-m", "cifar11", "-w", weights, "-t", "1", "-o", out), 2, "did you mean 'cifar10'");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "10", "-o", out), 2, "0..9");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "-1", "-o", out), 2, "0..9");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "hors3", "-o", out), 2, "did you mean 'horse'");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "a", "-o", out), 2,
                   "0 'airplane', 1 'automobile'");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--steps", "0"), 2, "--steps");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--loss", "logits"), 2, "logit");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "random", "-n", "11", "-o", out), 2, "10 classes");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-n", "2", "-o", out), 2, "--target random");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", scratch_file("x.jpg")), 2, ".png");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--panel", "x.PDF"), 2, ".png");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--sheet", "x.svg"), 2, ".png");
    cr_assert(!exists(out) && !exists(scratch_file("x.jpg")));
}

Test(atled_fool, bad_files_give_3_and_their_names, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("none.png");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", "/nowhere/w.npz", "-t", "1", "-o", out), 3, "/nowhere/w.npz");
    assert_refused(RUN("fool", "-m", "resnet20", "-w", weights, "-t", "1", "-o", out), 3,
                   "'conv1.weight' [16, 3, 3, 3]");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", "/nowhere/x.png"), 3, "/nowhere/x.png");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", ATLED_BUILD_ROOT), 3, "directory");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--start", "/nowhere/p.png"), 3,
                   "/nowhere/p.png");
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--start", weights), 3, weights);
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "-t", "1", "-o", out, "--labels", "/nowhere/l.txt"), 3,
                   "/nowhere/l.txt");
    cr_assert(!exists(out));
}

Test(atled_fool, names_come_from_a_file_and_may_stand_twice)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("x.png"),
               *names = scratch_file("names.txt");
    FILE *file = fopen(names, "w");
    fputs("tench\ncrane\ngreat white shark\nhammerhead\ncrane\nstingray\ncock\nhen\nostrich\nbrambling", file);
    fclose(file);
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "--labels", names, "-t", "crane", "-o", out), 2,
                   "1 'crane', 4 'crane'");
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "--labels", names, "-t", "Great White", "-o", out);
    cr_assert_mentions(run.out, "2 'great white shark'");
    file = fopen(names, "w");
    fputs("one\ntwo\n", file);
    fclose(file);
    assert_refused(RUN("fool", "-m", "cifar10", "-w", weights, "--labels", names, "-t", "one", "-o", out), 3,
                   "2 lines");
}

Test(atled_fool, help_names_every_option)
{
    command_run run = RUN("fool", "--help");
    cr_assert_code(run, 0);
    static const char *const words[] = {"--model",      "--weights",     "--target",     "--output",
                                        "--loss",       "--method",      "--iterations", "--step-size",
                                        "--confidence", "--start",       "--seed",       "--labels",
                                        "--panel",      "cross-entropy", "least-likely", "cifar10-multiscale",
                                        "lenet",        "mlp",           "resnet20",     "squeezenet",
                                        "vgg16"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert_mentions(run.out, words[i]);
}

/* The same options for compiling as the other commands have. */
Test(atled_fool, is_compiled_as_one_likes, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("out.png"),
               *times = scratch_file("times.txt");
    remove(times);
    command_run run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "frog", "-o", out, "-q", "--threads", "1",
                          "--without", "winograd,fuse", "--timing-file", times);
    cr_assert_code(run, 0);
    cr_assert(exists(times));
    run = RUN("fool", "-m", "cifar10", "-w", weights, "-t", "frog", "-o", out, "-q", "--bfloat16", "--timing");
    cr_assert(run.code == 0 || run.code == 1, "%s", run.err);
    cr_assert(atl_has_bfloat16() || strstr(run.err, "computing in float32"), "%s", run.err);
}

Test(atled_fool, report_shows_every_target_on_one_page, .timeout = 120)
{
    const char *weights = random_weights("weights.npz", 4), *out = scratch_file("out.png"),
               *report = scratch_file("report.html");
    command_run run = RUN("fool", "--model", "cifar10", "--weights", weights, "--target", "random", "--count", "2",
                          "-c", "0.5", "-o", out, "--report", report);
    cr_assert_code(run, 0);
    const char *page = whole_file(report);
    cr_assert_mentions(page, "<article id=\"p1\">");
    cr_assert(!strstr(page, "<article id=\"p2\">"));
    cr_assert_mentions(page, "The file is taken for ");
    cr_assert_mentions(page, "Probability of the target");
    cr_assert_mentions(page, "change in grey levels");
    cr_assert_mentions(page, "gradient at the start");
    cr_assert_mentions(page, "atled fool --model cifar10");
}
