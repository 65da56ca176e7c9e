/* Minutes: 3.  atled train and atled eval on a few small images. */
#include "weight_files.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "few_pictures.h"

Test(train, learns_and_eval_says_so)
{
    const char *data = write_data(50), *weights = scratch_file("w.npz"), *log = scratch_file("log.csv");
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "-o", weights, "-b", "8", "-e", "20",
                          "-q", "--rate", "0.05", "--log", log);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "epoch 20: ");
    cr_assert_mentions(whole_file(log), "epoch,step,rate,loss,accuracy,test_loss,test_accuracy,seconds,waited\n1,7,");
    cr_assert_str_empty(run.err); /* -q */
    run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "-o", scratch_file("other.npz"), "-e", "1");
    cr_assert_mentions(run.err, "epoch 1/1  step 1/1  loss ");
    cr_assert_mentions(run.err, " images/s  ");
    cr_assert_mentions(run.err, " s left");
    run = RUN("eval", "-m", "mlp", "-w", weights, "-d", data, "--confusion", "-b", "7");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "100.00 % of 50 right");
    cr_assert_mentions(run.out, "           1      0     17      0");
}

/* Ten steps equal five, saved, loaded, and five more, bit for bit, for every optimizer. */
Test(train, resumes_bit_for_bit)
{
    static const char *const with[][6] = {
        {"--optimizer", "sgd", "--schedule", "constant", "--average", "0.9"},
        {"--optimizer", "momentum", "--clip-norm", "0.5", "--warm-up", "0.5"},
        {"--optimizer", "nesterov", "--schedule", "step", "--at", "0.4,1.2"},
        {"--optimizer", "rmsprop", "--schedule", "exponential", "--momentum", "0.5"},
        {"--optimizer", "adagrad", "--clip-global-norm", "0.5", "--lowest", "0.001"},
        {"--optimizer", "adam", "--average", "0.9", "--brightness", "20"},
        {"--optimizer", "adamw", "--clip-value", "0.01", "--contrast", "0.5"},
    };
    const char *data = write_data(50), *whole = scratch_file("whole.npz"), *parts = scratch_file("parts.npz"),
               *checkpoint = scratch_file("checkpoint.npz");
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
#define OPTIONS                                                                                                        \
    "train", "-m", "lenet", "--widths", "4,4,8,3", "-d", data, "--crop", "5", "--flip", "-b", "8", "--steps", "10",    \
        "-q", "--decay", "0.01", with[i][0], with[i][1], with[i][2], with[i][3], with[i][4], with[i][5]
        command_run run = RUN(OPTIONS, "-o", whole);
        cr_assert_code(run, 0);
        cr_assert_refused(1, "stopped after 5 of 10 steps", OPTIONS, "-o", parts, "--stop-after", "5", "--checkpoint",
                          checkpoint);
        assert_differ(whole, parts);
        run = RUN(OPTIONS, "-o", parts, "--resume", checkpoint);
        cr_assert_code(run, 0);
        assert_same_file(whole, parts);
#undef OPTIONS
    }
}

/* Frozen by --rate-of, decayed by --decay-of. */
Test(train, variables_have_rates_and_decays_of_their_own)
{
    const char *data = write_data(24), *start = scratch_file("start.npz"), *end = scratch_file("end.npz");
#define OPTIONS "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "--rate", "0.1", "--schedule", "constant"
    command_run run = RUN(OPTIONS, "-o", start, "--steps", "1");
    cr_assert_code(run, 0);
    run = RUN(OPTIONS, "-o", end, "--weights", start, "--steps", "200", "--rate-of", "dense1=0", "--decay-of",
              "dense2/weights=5");
    cr_assert_code(run, 0);
    assert_same_entry(start, end, "dense1/weights");
    assert_same_entry(start, end, "dense1/biases");
    check_within(end, "dense2/weights", -0.2, 0.2);
    cr_assert_refused(2, "nothing of that name is trained; there are dense1/weights, dense1/biases, dense2/weights",
                      OPTIONS, "--rate-of", "dense3=0");
    run = RUN(OPTIONS, "--decay-of", "dense1=x");
    cr_assert_code(run, 2);
#undef OPTIONS
}

/* AdamW has a decay of its own, unless another is given, be it 0. */
Test(train, adamw_without_decay_is_adam)
{
    const char *data = write_data(24), *adam = scratch_file("adam.npz"), *adamw = scratch_file("adamw.npz");
#define OPTIONS "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "--rate", "0.1", "--steps", "20"
    command_run run = RUN(OPTIONS, "-o", adam, "--optimizer", "adam");
    cr_assert_code(run, 0);
    run = RUN(OPTIONS, "-o", adamw, "--optimizer", "adamw", "--decay-all", "0");
    cr_assert_code(run, 0);
    assert_same_entry(adam, adamw, "dense1/weights");
    assert_same_entry(adam, adamw, "dense2/weights");
#undef OPTIONS
}

Test(train, a_checkpoint_of_another_net_is_refused)
{
    const char *data = write_data(12), *checkpoint = scratch_file("checkpoint.npz");
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "--steps", "2", "-q", "--checkpoint",
                          checkpoint, "-o", scratch_file("w.npz"));
    cr_assert_code(run, 0);
    run = RUN("train", "-m", "mlp", "--widths", "9,3", "-d", data, "--steps", "4", "-q", "--resume", checkpoint, "-o",
              scratch_file("w.npz"));
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "dense1/weights");
    cr_assert_mentions(run.err, "[36, 9]");
    cr_assert_mentions(run.err, "[36, 8]");
}

Test(train, stops_at_a_loss_that_is_no_number_and_keeps_the_last_good_weights)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz");
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "--rate", "1e20", "--schedule",
                          "constant", "-o", weights);
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "step ");
    cr_assert_mentions(run.err, "the weights from before that step are in ");
    atl_tensor *w = npz_array(weights, "dense1/weights");
    for (int64_t i = 0; i < atl_tensor_count(w); i++)
        cr_assert(isfinite(atl_floats(w)[i]));
    atl_tensor_free(w);
}

/* A step with a finite cost may still produce weights that are not: then the earlier file stays. */
Test(train, never_saves_weights_that_are_no_numbers)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz"), *before = scratch_file("before.npz");
#define OPTIONS "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "-b", "8", "--optimizer", "sgd"
    command_run run = RUN(OPTIONS, "-e", "1", "-o", weights);
    cr_assert_code(run, 0);
    run = RUN(OPTIONS, "-e", "1", "-o", before);
    assert_same_file(weights, before);
    run = RUN(OPTIONS, "-e", "2", "-o", weights, "--rate", "1e30", "--rate-of", "dense1=1e6", "--decay-of",
              "dense1=1e6", "--find-nan");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "step 2: ");
    cr_assert_mentions(run.err, "it began at 'dense1/weights'");
    cr_assert_mentions(run.err, "w.npz is as it was");
    assert_same_file(weights, before);
#undef OPTIONS
}

Test(train, find_nan_names_the_node)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz");
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "--rate", "1e20", "--schedule",
                          "constant", "--optimizer", "sgd", "-o", weights, "--find-nan");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "it began at 'dense");
}

/* A limit on the size of files simulates a full disk. */
Test(train, a_full_disk_leaves_the_old_file)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz"), *before = scratch_file("before.npz");
#define OPTIONS "train", "-m", "mlp", "-d", data, "-q", "-e", "1"
    command_run run = RUN(OPTIONS, "--widths", "8,3", "-o", weights);
    cr_assert_code(run, 0);
    run = RUN(OPTIONS, "--widths", "8,3", "-o", before);
    cr_assert_code(run, 0);
    struct rlimit limit, old;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 4000;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0); /* which the command inherits */
    run = RUN(OPTIONS, "--widths", "90,3", "-o", weights);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "w.npz' could not be written");
    cr_assert_mentions(run.err, "what was there before is unchanged");
    assert_same_file(weights, before);
    if (access("/dev/full", W_OK) == 0) {
        cr_assert_refused(3, "/dev/full cannot be written: No space left on device; the weights are in", OPTIONS,
                          "--widths", "8,3", "-o", weights, "--log", "/dev/full");
        cr_assert_refused(3, "No space left on device", OPTIONS, "--widths", "8,3", "-o", "/dev/full");
    }
#undef OPTIONS
}

/* PART/CLASS/a.png and b.png, side x side pixels. */
static void write_class(const char *folder, const char *part, const char *name, int side)
{
    char path[4096];
    atl_tensor *picture = random_tensor(ATL_SHAPE(side, side, 3), 0, 255);
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, part);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, part, name);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s/a.png", folder, part, name);
    cr_assert(atl_write_png(path, picture) == ATL_OK, "%s", atl_error());
    atl_tensor_free(picture);
}

/* The training data and the test data must be of one kind. */
Test(train, both_parts_of_the_data_must_agree)
{
    const char *classes = scratch_file("classes"), *sizes = scratch_file("sizes"), *w = scratch_file("w.npz");
    write_class(classes, "train", "cat", 6);
    write_class(classes, "train", "dog", 6);
    write_class(classes, "test", "dog", 6);
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,2", "-d", classes, "-o", w, "-q");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "class 0 is 'cat' in one, 'dog' in the other (2 and 1 in all)");
    write_class(classes, "test", "cat", 6);
    run = RUN("train", "-m", "mlp", "--widths", "8,2", "-d", classes, "-o", w, "-q", "-e", "2");
    cr_assert_code(run, 0);
    write_class(sizes, "train", "cat", 6);
    write_class(sizes, "test", "cat", 7);
    cr_assert_refused(3, "the images to train on are [6, 6, 3], but those to test with [7, 7, 3]", "train", "-m", "mlp",
                      "--widths", "8,1", "-d", sizes, "-o", w, "-q");
    cr_assert_refused(3, "lenet is trained on 28 x 28 pixels, but the images have only 6 x 6: give --crop", "train",
                      "-m", "lenet", "-d", classes, "-o", w, "-q");
}

static void assert_picture(const char *path, int64_t least_width)
{
    atl_tensor *picture = atl_read_image(path);
    cr_assert(picture && atl_tensor_shape(picture).size[1] >= least_width, "%s: %s", path, atl_error());
    atl_tensor_free(picture);
}

Test(train, draws_and_logs)
{
    NEEDS_CAIRO();
    const char *data = write_data(24), *w = scratch_file("w.npz"), *log = scratch_file("log.csv"),
               *plot = scratch_file("plot.png"), *matrix = scratch_file("matrix.png"), *c = scratch_file("c.npz");
#define OPTIONS "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-o", w, "-q", "-b", "8", "--log", log, "-p", plot
    command_run run = RUN(OPTIONS, "-e", "4", "--stop-after", "6", "--checkpoint", c, "--threads", "1");
    cr_assert_code(run, 1);
    run = RUN(OPTIONS, "-e", "4", "--resume", c, "--save-every", "2");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "% of it waiting for data");
    const char *text = whole_file(log);
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    cr_assert_eq(lines, 5, "%s", text); /* resumes where it stopped: a header and four epochs */
    cr_assert_mentions(text, "\n4,12,");
    assert_picture(plot, 500);
    run = RUN("eval", "-m", "mlp", "-w", w, "-d", data, "--plot", matrix);
    cr_assert_code(run, 0);
    assert_picture(matrix, 200);
#undef OPTIONS
}

/* The same options for compiling as profile has; without Winograd's algorithm and fusion the sums differ. */
Test(train, is_compiled_as_one_likes)
{
    const char *data = write_data(24), *w = scratch_file("w.npz"), *other = scratch_file("other.npz"),
               *times = scratch_file("times.txt");
    remove(times);
#define OPTIONS "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "-e", "2"
    command_run run = RUN(OPTIONS, "-o", w, "--threads", "1", "--timing-file", times);
    cr_assert_code(run, 0);
    cr_assert_eq(access(times, R_OK), 0);
    run = RUN(OPTIONS, "-o", other, "--threads", "1", "--without", "fuse,epilogue,cse", "--bfloat16");
    cr_assert_code(run, 0);
    run = RUN("eval", "-m", "mlp", "-w", other, "-d", data, "--threads", "1", "--without", "fuse", "--timing");
    cr_assert_code(run, 0);
    cr_assert_refused(2, "--without takes cse, hoist_relu_grad, simplify,", OPTIONS, "--without", "nothing at all");
#undef OPTIONS
}

Test(train, ctrl_c_saves)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz"), *out = scratch_file("out"),
               *err = scratch_file("err");
    remove(weights);
    const char *words[] = {"train", "-m", "mlp", "--widths", "8,3", "-d", data, "-e", "1000000", "-o", weights, NULL};
    pid_t child = start_command(words, out, err, -1);
    while (access(weights, R_OK)) /* it exists after the first epoch */
        usleep(10000);
    kill(child, SIGINT);
    cr_assert_eq(code_of(child), 1);
    cr_assert_mentions(whole_file(err), "the weights are in ");
}

/* docs/training.md mentions only options that exist. */
Test(train, the_documentation_agrees)
{
    command_run train = RUN("train", "--help"), eval = RUN("eval", "--help");
    const char *page = whole_file(ATLED_SOURCE_ROOT "/docs/training.md");
    int seen = 0;
    for (const char *at = page; (at = strstr(at, "--")); at += 2) {
        char option[64];
        size_t length = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (at == page || (at[-1] != '`' && at[-1] != ' ') || length < 2 || length > 40)
            continue;
        snprintf(option, sizeof option, "--%.*s ", (int)length, at + 2);
        char *newline = strdup(option);
        newline[length + 2] = '\n'; /* a flag with a long name has its help on the next line */
        cr_assert(strncmp(option, "--help", 6) == 0 || strstr(train.out, option) || strstr(train.out, newline) ||
                      strstr(eval.out, option) || strstr(eval.out, newline),
                  "there is no option %s", option);
        free(newline);
        seen++;
    }
    cr_assert_gt(seen, 30);
}

Test(train, mistakes_are_told)
{
    const char *data = write_data(12);
    command_run run = RUN("train", "-m", "lenett", "-d", data);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "did you mean 'lenet'?");
    cr_assert_refused(3, "/nowhere/data", "train", "-m", "mlp", "-d", "/nowhere/data");
    cr_assert_refused(3, "the data have 3 classes, but the network tells only 2 apart", "train", "-m", "mlp",
                      "--widths", "8,2", "-d", data, "-o", scratch_file("w.npz"));
    run = RUN("train", "-m", "mlp", "--widths", "8,x", "-d", data);
    cr_assert_code(run, 2);
    cr_assert_refused(2, "--momentum 0.9: sgd has none: take --optimizer momentum", "train", "-m", "mlp", "-d", data,
                      "--optimizer", "sgd", "--momentum", "0.9");
    cr_assert_refused(2, "x.svg", "train", "-m", "mlp", "--widths", "8,3", "-d", data, "--plot", "x.svg");
    cr_assert_refused(2, "x.svg", "eval", "-m", "lenet", "-d", data, "--plot", "x.svg");
    cr_assert_refused(3, "/nowhere/w.npz", "train", "-m", "mlp", "--widths", "8,3", "-d", data, "--steps", "1", "-q",
                      "-o", "/nowhere/w.npz");
    run = RUN("eval", "-m", "lenet", "-w", "/nowhere/w.npz", "-d", data);
    cr_assert_code(run, 3);
    run = RUN("eval", "-m", "cifar10", "-d", data); /* shipped, for colours */
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "few.npz are [6, 6, 1]: are the weights for such ones?");
    run = RUN("eval", "-d", data, "--plot", "/nowhere/x.png");
    cr_assert_code(run, 3);
    cr_assert_str_empty(run.out);
}
