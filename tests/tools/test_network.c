/* Weights that are not finite are rejected when they are loaded, and found after training. */
#include "command.h"

#include "few_pictures.h"

#define TRAIN "train", "-m", "mlp", "--widths", "8,3", "-q", "-d"

/* Trained weights with one element that is not finite. */
static const char *spoil(const char *path, const char *key, float by, const char *name)
{
    const char *non_finite = scratch_file(name);
    atl_npz *npz = atl_npz_open(path);
    cr_assert(npz, "%s", atl_error());
    int count = atl_npz_count(npz);
    atl_npz_entry entry[64];
    cr_assert_lt(count, 64);
    for (int i = 0; i < count; i++) {
        atl_tensor *value = atl_npz_read(npz, atl_npz_name(npz, i));
        cr_assert(value, "%s", atl_error());
        if (strcmp(atl_npz_name(npz, i), key) == 0)
            atl_floats(value)[0] = by;
        entry[i] = (atl_npz_entry){atl_npz_name(npz, i), value};
    }
    cr_assert_eq(atl_write_npz(non_finite, count, entry), ATL_OK, "%s", atl_error());
    for (int i = 0; i < count; i++)
        atl_tensor_free((atl_tensor *)entry[i].value);
    atl_npz_close(npz);
    return non_finite;
}

static const char *train(const char *data, const char *checkpoint)
{
    const char *w = scratch_file("w.npz");
    cr_assert_code(RUN(TRAIN, data, "-e", "1", "-o", w, "--checkpoint", checkpoint), 0);
    return w;
}

Test(network, weights_that_are_not_finite_are_refused)
{
    const char *data = write_data(24), *checkpoint = scratch_file("c.npz"), *w = train(data, checkpoint);
    const char *nan = spoil(w, "dense1/weights", NAN, "nan.npz"),
               *infinite = spoil(w, "dense2/biases", INFINITY, "i.npz");
    const char *stopped = spoil(checkpoint, "dense1/biases", NAN, "nan_c.npz"), *out = scratch_file("out.npz");
    unlink(out);
    cr_assert_refused(3, "'dense1/weights' holds a value that is NaN", "eval", "-m", "mlp", "-d", data, "-w", nan);
    cr_assert_refused(3, "'dense2/biases'", "eval", "-m", "mlp", "-d", data, "-w", infinite);
    cr_assert_refused(3, "'dense1/weights'", TRAIN, data, "-e", "1", "-w", nan, "-o", out);
    cr_assert_refused(3, "'dense1/biases'", TRAIN, data, "-e", "2", "--resume", stopped, "-o", out);
    cr_assert_refused(3, "--allow-non-finite", "fool", "-q", "-t", "cat", "-w",
                      spoil(source_file("models/cifar10.npz"), "conv1/weights", NAN, "cifar10.npz"), "-o",
                      scratch_file("x.png"));
    const char *cifar10 = scratch_file("cifar10.npz");
    cr_assert_refused(3, "--allow-non-finite", "profile", "-m", "cifar10", "-w", cifar10);
    cr_assert_refused(3, "--allow-non-finite", "dot", "-m", "cifar10", "-w", cifar10);
    cr_assert_code(RUN("dot", "-m", "cifar10", "-w", cifar10, "--allow-non-finite"), 0);
    cr_assert_neq(access(out, F_OK), 0);
}

Test(network, what_was_let_in_is_told_when_it_comes_out)
{
    const char *data = write_data(24), *w = train(data, scratch_file("c.npz")), *out = scratch_file("out.npz");
    const char *nan = spoil(w, "dense2/weights", NAN, "nan.npz"),
               *infinite = spoil(w, "dense2/biases", INFINITY, "i.npz");
    unlink(out);
    command_run run = RUN("eval", "-m", "mlp", "-d", data, "-w", nan, "--allow-non-finite");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "24 of 24 images have scores that are NaN or infinite");
    run = RUN("eval", "-m", "mlp", "-d", data, "-w", infinite, "--allow-non-finite");
    cr_assert_code(run, 1);
    run = RUN(TRAIN, data, "-e", "1", "-w", nan, "-o", out, "--allow-non-finite", "--find-nan");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "nothing is saved");
    cr_assert_neq(access(out, F_OK), 0);
}
