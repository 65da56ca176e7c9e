/* Minutes: 4.  --model FILE.onnx: the commands give what they give for the network itself. */
#include "exported.h"

TestSuite(network_file, .init = find_shipped_weights);

/* Digits of 28 x 28, one channel. */
static const char *write_digits(void)
{
    const char *path = scratch_file("digits.npz");
    atl_tensor *images = random_tensor(ATL_SHAPE(30, 28, 28, 1), 0, 255), *labels = random_ints(ATL_SHAPE(30), 0, 10);
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}) == ATL_OK);
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return path;
}

Test(network_file, eval_gives_the_same)
{
    const char *file = exported("lenet", NULL), *data = write_digits();
    command_run by_file = RUN("eval", "-m", file, "-d", data, "-b", "7"),
                by_name = RUN("eval", "-m", "lenet", "-d", data, "-b", "7");
    cr_assert_code(by_file, 0);
    cr_assert_code(by_name, 0);
    cr_assert_str_eq(by_file.out, by_name.out);
    cr_assert_mentions(by_file.err, "assumed of ");
    cr_assert_mentions(by_file.err,
                       "'image' takes 28 x 28 pixels, channels last, (pixel - (0, 0, 0)) * (1, 1, 1) as R, G, B");
    cr_assert_mentions(by_file.err, "scores 10 classes");
    cr_assert_eq(strchr(by_file.err, '\n'), by_file.err + strlen(by_file.err) - 1, "one line: %s", by_file.err);
}

/* The preprocessing changes what is computed. */
Test(network_file, preprocessing_counts)
{
    const char *file = exported("lenet", NULL), *data = write_digits();
    command_run plain = RUN("eval", "-m", file, "-d", data), same = RUN("eval", "-m", file, "-d", data, "--std", "1"),
                other = RUN("eval", "-m", file, "-d", data, "--mean", "100", "--std", "3");
    cr_assert_code(other, 0);
    cr_assert_str_eq(plain.out, same.out);
    cr_assert(strcmp(plain.out, other.out) != 0);
}

/* Two passes over a file whose batch is fixed: one that needs it, and one that does not. */
Test(network_file, a_fixed_batch_is_opened_where_it_can_be)
{
    const char *file = exported("lenet", "--batch=4"), *data = write_digits();
    command_run run = RUN("eval", "-m", file, "-d", data);
    if (run.code) { /* refused with what to do; or it can be opened */
        cr_assert_code(run, 3);
        cr_assert_mentions(run.err, "is for batches of 4 images only, which 30 images cannot fill");
    } else
        cr_assert_mentions(run.out, "of 30 right");
}

Test(network_file, is_fooled_like_the_network)
{
    const char *file = exported("cifar10", NULL), *a = scratch_file("a.png"), *b = scratch_file("b.png");
    command_run by_file = RUN("fool", "-m", file, "-t", "3", "-q", "-o", a),
                by_name = RUN("fool", "-m", "cifar10", "-t", "3", "-q", "-o", b);
    cr_assert_code(by_file, 0);
    cr_assert_code(by_name, 0);
    cr_assert_mentions(by_file.out, "a.png: 3 at 0.99");
    cr_assert_mentions(by_name.out, "b.png: 3 'cat' at 0.99");
}

Test(network_file, training_moves_its_weights_and_they_are_read_again)
{
    const char *file = exported("lenet", NULL), *data = write_digits(), *out = scratch_file("w.npz");
    command_run run =
        RUN("train", "-m", file, "-d", data, "-q", "--steps", "3", "-b", "10", "--rate", "0.001", "-o", out);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.err, "assumed of ");
    command_run before = RUN("eval", "-m", file, "-d", data), after = RUN("eval", "-m", file, "-d", data, "-w", out);
    cr_assert_code(after, 0);
    cr_assert(strcmp(before.out, after.out) != 0);
    const char *said = strstr(run.out, "test loss ");
    cr_assert(said, "%s", run.out);
    cr_assert_float_eq(atof(said + 10), atof(strstr(after.out, "cross entropy ") + 14), 2e-4, "%s%s", run.out,
                       after.out);
}

Test(network_file, dot_and_profile_take_it)
{
    const char *file = exported("lenet", NULL);
    command_run run = RUN("dot", "-m", file);
    cr_assert_code(run, 0);
    cr_assert_eq(strncmp(run.out, "digraph", 7), 0);
    run = RUN("dot", "-m", file, "--gradient", "--depth", "1");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "gradients");
    run = RUN("profile", "-m", file, "--forward", "--runs", "1");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "conv2d");
}

Test(network_file, mistakes_say_what_to_do)
{
    const char *file = exported("lenet", "--gradient"), *data = write_digits();
    cr_assert_refused(3, "has 2 inputs, 'image' and 'labels' among them", "eval", "-m", file, "-d", data);
    file = exported("lenet", NULL);
    cr_assert_refused(2, "has no value 'x'", "eval", "-m", file, "-d", data, "--logits", "x");
    cr_assert_refused(2, "has no input 'x'; its first one is 'image'", "eval", "-m", file, "-d", data, "--input", "x");
    cr_assert_refused(2, "'1,2' must be one number or three", "eval", "-m", file, "-d", data, "--mean", "1,2");
    cr_assert_refused(2, "must not be 0", "eval", "-m", file, "-d", data, "--std", "0");
    cr_assert_refused(2, "--bgr is for ONNX files only", "eval", "-m", "lenet", "-d", data, "--bgr");
    cr_assert_refused(2, "--preprocess is for ONNX files only", "dot", "-m", "lenet", "--preprocess", "tf");
    cr_assert_refused(2, "--widths", "train", "-m", file, "-d", data, "--widths", "1");
    cr_assert_refused(3, "takes 28 x 28 pixels", "eval", "-m", file, "-d", data, "--crop", "20");
    cr_assert_refused(3, "'image'", "eval", "-m", file, "-d", data, "--logits", "image");
    cr_assert_refused(3, "/no/such.onnx", "eval", "-m", "/no/such.onnx", "-d", data);
    const char *cut = cut_short(file);
    for (int i = 0; i < 3; i++) {
        static const char *const command[] = {"dot", "profile", "export"};
        cr_assert_refused(3, "cut.onnx", command[i], "-m", cut, "-o", scratch_file("x.onnx"));
    }
}
