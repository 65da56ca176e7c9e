/* atled predict: classes of pictures, by a built-in network and by an ONNX file. */
#include "exported.h"

TestSuite(predict, .init = find_shipped_weights);

static const char *picture(const char *name, int height, int width)
{
    const char *path = scratch_file(name);
    atl_tensor *pixels = random_ints(ATL_SHAPE(height, width, 3), 0, 256), *floats = atl_tensor_convert(pixels, 0);
    cr_assert(!atl_write_png(path, floats), "%s", atl_error());
    atl_tensor_free(pixels);
    atl_tensor_free(floats);
    return path;
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

/* The classes, their scores and probabilities are those of the network in double. */
Test(predict, the_first_five_with_names)
{
    const char *path = picture("x.png", 24, 24);
    command_run run = RUN("predict", path);
    cr_assert_code(run, 0);
    cr_assert_eq(lines_of(run.out), 6, "%s", run.out);
    cr_assert(strncmp(run.out, path, strlen(path)) == 0, "%s", run.out);
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3));
    const atl_model *model = atl_model_find("cifar10");
    atl_model_size size;
    cr_assert(!atl_model_size_of(model, source_file("models/cifar10.npz"), &size), "%s", atl_error());
    atl_model_args args = {.image = image};
    memcpy(args.widths, size.widths, sizeof args.widths);
    atl_node *logits = model->build(&args), *p = atl_softmax(logits);
    cr_assert(p && !atl_model_load(model, g, source_file("models/cifar10.npz")), "%s", atl_error());
    atl_tensor *pixels = atl_read_image(path);
    atl_tensor *batch = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3), atl_floats(pixels));
    atl_reference *reference = atl_reference_run(ATL_NODES(logits, p), ATL_FEED(image, batch));
    cr_assert(reference, "%s", atl_error());
    double before = 2;
    const char *line = strchr(run.out, '\n') + 1;
    for (int i = 0; i < 5; i++, line = strchr(line, '\n') + 1) {
        double score, percent;
        int class;
        char name[64];
        cr_assert_eq(sscanf(line, "%lf %lf %% %d '%63[^']", &score, &percent, &class, name), 4, "%s", line);
        cr_assert(class >= 0 && class < 10);
        double expected = element_of(atl_reference_value(reference, p), class);
        cr_expect_float_eq(percent, 100 * expected, 0.02);
        cr_expect_float_eq(score, element_of(atl_reference_value(reference, logits), class), 0.01 + fabs(score) * 1e-3);
        cr_expect_leq(expected, before);
        cr_expect_str_eq(name, model->labels[class]);
        before = expected;
    }
    atl_reference_free(reference);
    atl_tensor_free(batch);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

/* A file's network sees what the built-in one sees. */
Test(predict, several_pictures_and_an_onnx_file)
{
    const char *a = picture("a.png", 28, 28), *b = picture("b.png", 28, 28), *file = exported("lenet", NULL);
    command_run named = RUN("predict", "-m", "lenet", "--top", "3", a, b),
                read = RUN("predict", "-m", file, "-t", "3", a, b);
    cr_assert_code(named, 0);
    cr_assert_code(read, 0);
    cr_assert_eq(lines_of(named.out), 8, "%s", named.out);
    for (const char *x = named.out, *y = read.out; *x; x = strchr(x, '\n') + 1, y = strchr(y, '\n') + 1) {
        double score[2], percent[2];
        int class[2];
        if (sscanf(x, "%lf %lf %% %d", &score[0], &percent[0], &class[0]) != 3)
            continue; /* a picture's name */
        cr_assert_eq(sscanf(y, "%lf %lf %% %d", &score[1], &percent[1], &class[1]), 3, "%s", y);
        cr_expect_eq(class[0], class[1]);
        cr_expect_float_eq(percent[0], percent[1], 0.02);
    }
}

Test(predict, mistakes_say_what_to_do)
{
    const char *path = picture("x.png", 30, 44), *text = scratch_file("text.png");
    FILE *stream = fopen(text, "wb");
    fputs("GIF89a and so on", stream);
    fclose(stream);
    command_run fitted = RUN("predict", path);
    cr_assert_code(fitted, 0);
    cr_assert_refused(2, "PICTURE... is missing", "predict");
    cr_assert_refused(2, "--top", "predict", path, "--top", "0");
    cr_assert_refused(2, "squeezenet", "predict", path, "-m", "squeezenet");
    cr_assert_refused(2, "--mean is for ONNX files only", "predict", path, "--mean", "3");
    cr_assert_refused(3, "a GIF", "predict", text);
    cr_assert_refused(3, "/no/such.png", "predict", "/no/such.png");
    cr_assert_refused(3, "30 x 44", "predict", path, "--exact");
    cr_assert_refused(3, "/no/such.onnx", "predict", path, "-m", "/no/such.onnx");
    cr_assert_refused(2, "is no picture: a network is given by --model net.onnx", "predict", "net.onnx", path);
}

Test(predict, an_unreadable_picture_does_not_stop_the_others)
{
    const char *a = picture("a.png", 24, 24), *b = picture("b.png", 24, 24), *text = scratch_file("text.png");
    cr_assert_eq(atl_write_bytes(text, "no picture", 10), ATL_OK);
    command_run run = RUN("predict", a, text, b);
    cr_assert_code(run, 3);
    cr_assert_eq(lines_of(run.out), 12, "%s", run.out);
    cr_assert_mentions(run.err, "text.png");
    cr_assert_mentions(run.err, "1 picture could not be read");
    cr_assert_not(strstr(run.err, "--labels"), "the network has names: %s", run.err);
}

/* [n, classes, 1, 1], as a global pooling leaves them, and a softmax of them. */
Test(predict, scores_of_a_global_pooling)
{
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_set_seed(g, test_seed());
        atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3, 16, 16));
        atl_node *x = atl_transpose(image, .order = {0, 2, 3, 1});
        x = atl_reduce_mean(atl_conv_layer(x, "conv", 6, .window = {3, 3}), ATL_AXES(1, 2), .keep = 1);
        atl_node *scores =
            i ? atl_transpose(atl_softmax(x), .order = {0, 3, 1, 2}) : atl_transpose(x, .order = {0, 3, 1, 2});
        const char *model = scratch_file("net.onnx");
        cr_assert_eq(atl_onnx_write(model, ATL_NODES(scores)), ATL_OK, "%s", atl_error());
        atl_graph_free(g);
        command_run run = RUN("predict", picture("x.png", 16, 16), "--model", model);
        cr_assert_code(run, 0);
        cr_assert_mentions(run.err, "scores 6 classes");
        cr_assert_mentions(run.err, "--labels FILE names them");
        cr_assert_eq(lines_of(run.out), 6, "%s", run.out);
    }
}
