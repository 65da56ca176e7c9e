/* Minutes: 2.  atled eval compared with a count by the test, and the bundled networks. */
#include "command.h"

#include <sys/stat.h>

enum { IMAGES = 53, SIDE = 4, CLASSES = 8 };

static const char *write_data(const atl_tensor *images, const atl_tensor *labels)
{
    const char *path = scratch_file("eval.npz");
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}) == ATL_OK, "%s",
              atl_error());
    return path;
}

/* The scores of a network with random weights, which are written to a file. */
static atl_tensor *scores_of(const atl_tensor *images, const char *weights)
{
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, 3);
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(IMAGES, SIDE, SIDE, 3)),
             *scores = atl_mlp(image, .widths = {16, CLASSES});
    atl_program *program = atl_compile(g, ATL_NODES(scores));
    cr_assert(program && atl_run(program, ATL_FEED(image, images)) == ATL_OK, "%s", atl_error());
    cr_assert(atl_save_npz(g, weights) == ATL_OK, "%s", atl_error());
    atl_tensor *result = atl_tensor_copy(atl_value(program, scores));
    atl_program_free(program);
    atl_graph_free(g);
    return result;
}

/* Accuracy, top-5, cross entropy and the confusion matrix, whose rows are the true classes. */
Test(eval, counts_what_is_right)
{
    const char *weights = scratch_file("weights.npz");
    atl_tensor *images = random_tensor(ATL_SHAPE(IMAGES, SIDE, SIDE, 3), 0, 255),
               *labels = random_ints(ATL_SHAPE(IMAGES), 0, CLASSES), *scores = scores_of(images, weights);
    const char *data = write_data(images, labels);
    int right = 0, among_five = 0, taken[CLASSES][CLASSES] = {0};
    double loss = 0;
    for (int i = 0; i < IMAGES; i++) {
        const float *row = atl_floats(scores) + i * CLASSES;
        int label = atl_ints(labels)[i], higher = 0, best = 0;
        double sum = 0;
        for (int k = 0; k < CLASSES; k++) {
            higher += row[k] > row[label];
            best = row[k] > row[best] ? k : best;
            sum += exp((double)row[k] - row[label]);
        }
        right += higher == 0;
        among_five += higher < 5;
        taken[label][best]++;
        loss += log(sum) / IMAGES;
    }
    cr_assert(right < among_five && among_five < IMAGES); /* otherwise no two classes would differ */
    command_run run = RUN("eval", "-m", "mlp", "-w", weights, "-d", data, "-b", "10", "--confusion");
    cr_assert_code(run, 0);
    char line[200];
    snprintf(line, sizeof line, "%.2f %% of %d right, %.2f %% within the first five; mean cross entropy ",
             100.0 * right / IMAGES, IMAGES, 100.0 * among_five / IMAGES);
    cr_assert_mentions(run.out, line);
    double said = atof(strstr(run.out, "cross entropy ") + 14);
    cr_assert_float_eq(said, loss, 6e-5 * (1 + loss), "%g, not %g", said, loss);
    for (int i = 0; i < CLASSES; i++) {
        int at = snprintf(line, sizeof line, "%3d", i);
        for (int k = 0; k < CLASSES; k++)
            at += snprintf(line + at, sizeof line - (size_t)at, "%7d", taken[i][k]);
        cr_assert_mentions(run.out, line);
    }
    atl_tensor_free(images);
    atl_tensor_free(labels);
    atl_tensor_free(scores);
}

/* ---- what ships -------------------------------------------------------------------------------------------------- */

/* Wherever this was built. */
static void set_up(void) { setenv("ATLED_MODELS", source_file("models"), 1); }
TestSuite(shipped, .init = set_up);

static void assert_small(const char *name, long most)
{
    struct stat about;
    cr_assert(stat(source_file(name), &about) == 0 && about.st_size <= most, "%s has %lld bytes", name,
              (long long)about.st_size);
}

static void assert_right(const char *model, const char *data, double least)
{
    skip_if_sanitized("other networks are evaluated here, and io_dataset reads such files");
    command_run run = RUN("eval", "-m", model, "-d", data);
    cr_assert_code(run, 0);
    cr_assert_geq(atof(run.out), least, "%s: %s", model, run.out);
    cr_assert_mentions(run.out, "% of 10000 right");
}

Test(shipped, are_small)
{
    assert_small("models/cifar10.npz", 5000000);
    assert_small("models/digits.npz", 1000000);
}

Test(shipped, photographs_are_recognised, .timeout = 120)
{
    data_file("cifar10/test_batch.bin");
    assert_right("cifar10", data_file("cifar10"), 80);
}

Test(shipped, digits_are_recognised, .timeout = 120)
{
    data_file("mnist/t10k-images-idx3-ubyte.gz");
    assert_right("lenet", data_file("mnist"), 99.2);
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Ten images of noise, each classified as its target with 0.99 in the written file, in 200 iterations at most and 40
 * in the median. */
Test(shipped, is_fooled_for_all_ten_classes, .timeout = 120)
{
    skip_if_sanitized("tools_fool fools a smaller network for all classes");
    command_run run = RUN("fool", "-t", "all", "-q", "--seed", "1", "--steps", "200", "-o", scratch_file("all.png"));
    cr_assert_code(run, 0);
    int count = 0, steps[10];
    for (const char *at = run.out; (at = strstr(at, " after ")); at++)
        if (count < 10)
            steps[count++] = atoi(at + 7);
    cr_assert_eq(count, 10, "%s", run.out);
    qsort(steps, 10, sizeof *steps, ascending);
    cr_assert(steps[9] <= 200 && steps[5] <= 40, "%s", run.out);
}

/* Impossible requests are reported before the work. */
Test(shipped, what_is_not_there_is_told)
{
    cr_assert_refused(2, "no weights for vgg16 come with atled: give --weights", "fool", "-m", "vgg16", "-t", "3");
    setenv("ATLED_MODELS", "/nowhere", 1);
    cr_assert_refused(2, "cifar10.npz, the weights for cifar10", "fool", "-t", "cat");
    cr_assert_refused(2, "ATLED_MODELS", "eval", "-m", "lenet", "-d", "/nowhere");
    set_up();
#ifndef ATLED_HAVE_CAIRO
    const char *picture = scratch_file("x.png");
    command_run run = RUN("fool", "-t", "cat", "-q", "-o", scratch_file("cat.png"), "--panel", picture);
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "without cairo");
    cr_assert_str_empty(run.out);
    cr_assert_refused(3, "without cairo", "fool", "-t", "cat", "-q", "--sheet", picture);
    cr_assert_refused(3, "without cairo", "eval", "-d", "/nowhere", "--plot", picture);
#endif
}
