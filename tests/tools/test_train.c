/* atled train and atled eval on a few small pictures. */
#include "command.h"

#include <signal.h>

#include "atled/atled.h"

/* Three classes, told apart by which third of the picture is bright. */
static const char *write_data(int count)
{
    const char *path = scratch_file("few.npz");
    atl_tensor *images = random_tensor(ATL_SHAPE(count, 6, 6), 0, 100),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(count));
    for (int i = 0; i < count; i++) {
        atl_ints(labels)[i] = i % 3;
        for (int k = 0; k < 12; k++)
            atl_floats(images)[i * 36 + i % 3 * 12 + k] += 120;
    }
    cr_assert(atl_write_npz(path, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}, 2) == ATL_OK, "%s",
              atl_error());
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return path;
}

static void assert_same_file(const char *a, const char *b)
{
    atl_npz *one = atl_npz_open(a), *other = atl_npz_open(b);
    cr_assert(one && other, "%s", atl_error());
    cr_assert_eq(atl_npz_count(one), atl_npz_count(other));
    for (int i = 0; i < atl_npz_count(one); i++) {
        const char *name = atl_npz_name(one, i);
        atl_tensor *x = atl_npz_read(one, name), *y = atl_npz_read(other, name);
        cr_assert(x && y && atl_floats(x), "%s", name);
        cr_assert_arr_eq(atl_floats(x), atl_floats(y), (size_t)atl_tensor_count(x) * sizeof(float), "%s", name);
        atl_tensor_free(x);
        atl_tensor_free(y);
    }
    atl_npz_close(one);
    atl_npz_close(other);
}

Test(train, learns_and_eval_says_so)
{
    const char *data = write_data(50), *weights = scratch_file("w.npz"), *log = scratch_file("log.csv");
    command_run run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "-o", weights, "-b", "8", "-e", "20",
                          "-q", "--rate", "0.05", "--log", log);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "epoch 20: ");
    cr_assert_mentions(whole_file(log), "epoch,step,rate,loss,accuracy,test_loss,test_accuracy,seconds\n1,7,");
    run = RUN("eval", "-m", "mlp", "-w", weights, "-d", data, "--confusion", "-b", "7");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "100.00 % of 50 right");
    cr_assert_mentions(run.out, "           1      0     17      0");
}

/* Ten steps are five, saved, loaded, and five more, bit for bit, for each optimizer. */
Test(train, resumes_bit_for_bit)
{
    static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "adam"};
    const char *data = write_data(50), *whole = scratch_file("whole.npz"), *parts = scratch_file("parts.npz"),
               *checkpoint = scratch_file("checkpoint.npz");
    for (int i = 0; i < 4; i++) {
#define OPTIONS                                                                                                        \
    "train", "-m", "lenet", "--widths", "4,4,8,3", "-d", data, "--crop", "5", "--flip", "-b", "8", "--steps", "10",    \
        "-q", "--decay", "0.01", "--optimizer", optimizers[i]
        command_run run = RUN(OPTIONS, "-o", whole);
        cr_assert_code(run, 0);
        run = RUN(OPTIONS, "-o", parts, "--stop-after", "5", "--checkpoint", checkpoint);
        cr_assert_code(run, 1);
        cr_assert_mentions(run.err, "stopped after 5 of 10 steps");
        run = RUN(OPTIONS, "-o", parts, "--resume", checkpoint);
        cr_assert_code(run, 0);
        assert_same_file(whole, parts);
    }
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
    atl_npz *npz = atl_npz_open(weights);
    atl_tensor *w = atl_npz_read(npz, "dense1/weights");
    cr_assert(w, "%s", atl_error());
    for (int64_t i = 0; i < atl_tensor_count(w); i++)
        cr_assert(isfinite(atl_floats(w)[i]));
    atl_tensor_free(w);
    atl_npz_close(npz);
}

Test(train, ctrl_c_saves)
{
    const char *data = write_data(24), *weights = scratch_file("w.npz"), *out = scratch_file("out"),
               *err = scratch_file("err");
    remove(weights);
    const char *words[] = {"train", "-m", "mlp", "--widths", "8,3", "-d", data, "-e", "1000000", "-o", weights, NULL};
    pid_t child = start_command(words, out, err, -1);
    while (access(weights, R_OK)) /* after the first epoch it is there */
        usleep(10000);
    kill(child, SIGINT);
    cr_assert_eq(code_of(child), 1);
    cr_assert_mentions(whole_file(err), "the weights are in ");
}

Test(train, mistakes_are_told)
{
    const char *data = write_data(12);
    command_run run = RUN("train", "-m", "lenett", "-d", data);
    cr_assert_code(run, 2);
    cr_assert_mentions(run.err, "did you mean 'lenet'?");
    run = RUN("train", "-m", "mlp", "-d", "/nowhere/data");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "/nowhere/data");
    run = RUN("train", "-m", "mlp", "--widths", "8,2", "-d", data, "-o", scratch_file("w.npz"));
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "the data have 3 classes, but the network tells only 2 apart");
    run = RUN("train", "-m", "mlp", "--widths", "8,x", "-d", data);
    cr_assert_code(run, 2);
    run = RUN("train", "-m", "mlp", "--widths", "8,3", "-d", data, "--steps", "1", "-q", "-o", "/nowhere/w.npz");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "/nowhere/w.npz");
    run = RUN("eval", "-m", "lenet", "-w", "/nowhere/w.npz", "-d", data);
    cr_assert_code(run, 3);
}
