/* Minutes: 5 */
#include "command.h"

#include <sys/stat.h>

/* A picture for the network that ships with atled, which needs no weights. */
static const char *write_picture(const char *name, int side)
{
    const char *path = scratch_file(name);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(side, side, 3), 0, 255);
    cr_assert_eq(atl_write_png(path, pixels), ATL_OK, "%s", atl_error());
    atl_tensor_free(pixels);
    return path;
}

static atl_tensor *output(const char *folder, const char *file)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    size_t length = strlen(path);
    atl_tensor *tensor = strcmp(path + length - 4, ".npy") == 0 ? atl_read_npy(path) : atl_read_image(path);
    cr_assert(tensor, "%s", atl_error());
    return tensor;
}

static void assert_shape_of(const char *folder, const char *file, atl_shape shape)
{
    atl_tensor *tensor = output(folder, file);
    cr_assert(atl_shape_equal(atl_tensor_shape(tensor), shape), "%s", file);
    atl_tensor_free(tensor);
}

Test(atled_explain, writes_every_method_for_a_picture)
{
    const char *picture = write_picture("noise.png", 24), *folder = scratch_file("maps/of it"),
               *report = scratch_file("page.html");
    command_run run = RUN("explain", picture, "-o", folder, "--masks", "50", "--report", report, "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "probability 0.");
    cr_assert_mentions(run.out, "the sum misses f(x) - f(b)");
    for (int m = 0; m < ATL_EXPLAIN_METHODS; m++) {
        const char *name = atl_explain_method_name((atl_explain_method)m);
        int channels = m <= ATL_EXPLAIN_DECONVOLUTION;
        cr_assert_mentions(run.out, name);
        assert_shape_of(folder, ATL_NAME("noise-%s.png", name), ATL_SHAPE(24, 24, 3));
        assert_shape_of(folder, ATL_NAME("noise-%s.npy", name), channels ? ATL_SHAPE(24, 24, 3) : ATL_SHAPE(24, 24));
    }
    const char *page = whole_file(report);
    cr_assert_mentions(page, "<article id=\"p0\">");
    cr_assert_mentions(page, "layer-cam");
    cr_assert_mentions(page, "What speaks for class");
#ifdef ATLED_HAVE_CAIRO
    atl_tensor_free(output(folder, "noise-sheet.png"));
#endif
}

/* The file is what the library computes for the same class. */
Test(atled_explain, the_array_is_the_gradient_of_the_class)
{
    const char *picture = write_picture("noise.png", 24), *folder = scratch_file("maps");
    command_run run = RUN("explain", picture, "-o", folder, "--method", "gradient", "-t", "ship", "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "8 'ship'");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 24, 24, 3));
    const atl_model *model = atl_model_find("cifar10");
    const char *weights = source_file("models/cifar10.npz");
    atl_model_size size;
    cr_assert_eq(atl_model_size_of(model, weights, &size), ATL_OK, "%s", atl_error());
    atl_model_args args = {.image = image};
    memcpy(args.widths, size.widths, sizeof args.widths);
    atl_node *score = atl_sum(atl_index_last(model->build(&args), 8));
    cr_assert_eq(atl_model_load(model, g, weights), ATL_OK, "%s", atl_error());
    atl_node *gradient = atl_gradient(score, image);
    atl_program *program = atl_compile(g, ATL_NODES(gradient));
    atl_tensor *pixels = atl_read_image(picture),
               *batch = atl_tensor_of_floats(ATL_SHAPE(1, 24, 24, 3), atl_floats(pixels));
    cr_assert_eq(atl_run(program, ATL_FEED(image, batch)), ATL_OK, "%s", atl_error());
    atl_tensor *file = output(folder, "noise-gradient.npy"),
               *same = atl_tensor_of_floats(ATL_SHAPE(1, 24, 24, 3), atl_floats(file));
    cr_assert_close(same, atl_value(program, gradient), 1e-5);
    atl_tensor_free(pixels);
    atl_tensor_free(batch);
    atl_tensor_free(file);
    atl_tensor_free(same);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(atled_explain, pictures_of_one_name_do_not_overwrite_each_other)
{
    cr_assert(mkdir(scratch_file("a"), 0777) == 0 && mkdir(scratch_file("b"), 0777) == 0);
    const char *first = write_picture("a/x.png", 24), *second = write_picture("b/x.png", 30),
               *folder = scratch_file("maps");
    command_run run = RUN("explain", first, second, "-o", folder, "--method", "gradient,grad-cam", "-q");
    cr_assert_code(run, 0);
    assert_shape_of(folder, "x-gradient.npy", ATL_SHAPE(24, 24, 3));
    assert_shape_of(folder, "x-2-grad-cam.npy", ATL_SHAPE(24, 24)); /* scaled to the network's size */
}

/* A network whose scores [n, 4], or [n, 4, 1, 1], are a softmax. */
static const char *write_classifier(int has_ones)
{
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3, 16, 16));
    atl_node *x = atl_transpose(image, .order = {0, 2, 3, 1});
    x = atl_conv_layer(x, "conv", 6, .window = {3, 3}, .activation = atl_relu);
    atl_node *scores = atl_softmax(atl_dense_layer(atl_reduce_mean(x, ATL_AXES(1, 2)), "dense", 4));
    const char *model = scratch_file("net.onnx");
    if (has_ones)
        scores = atl_reshape(scores, ATL_SHAPE(-1, 4, 1, 1));
    cr_assert_eq(atl_onnx_write(model, ATL_NODES(scores)), ATL_OK, "%s", atl_error());
    atl_graph_free(g);
    return model;
}

Test(atled_explain, an_onnx_file_is_explained_like_a_network)
{
    for (int has_ones = 0; has_ones < 2; has_ones++) {
        const char *model = write_classifier(has_ones), *picture = write_picture("p.png", 16);
        const char *folder = scratch_file("maps");
        command_run run = RUN("explain", picture, "-m", model, "-o", folder, "--masks", "20", "-q");
        cr_assert_code(run, 0);
        cr_assert_mentions(run.err, "the scores are a softmax");
        assert_shape_of(folder, "p-grad-cam.npy", ATL_SHAPE(16, 16));
    }
}

/* Replaces the name of a scope in a file, such that those of values begin with a slash, as torch.onnx writes them. */
static void begin_names_with_slash(const char *path, const char *scope)
{
    FILE *file = fopen(path, "r+b");
    char text[65536];
    size_t size = fread(text, 1, sizeof text, file), length = strlen(scope);
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(text + i, scope, length) == 0)
            text[i] = '/';
    rewind(file);
    cr_assert(fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

Test(atled_explain, the_name_that_it_tells_of_the_scores_can_be_given)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 16, 16, 3));
    const char *model = scratch_file("net.onnx"), *picture = write_picture("p.png", 16), *folder = scratch_file("maps");
    atl_node *scores = atl_softmax(atl_dense_layer(atl_reduce_mean(image, ATL_AXES(1, 2)), "dense", 4));
    cr_assert_eq(atl_onnx_write(model, ATL_NODES(scores)), ATL_OK, "%s", atl_error());
    atl_graph_free(g);
    begin_names_with_slash(model, "dense/");
    command_run run = RUN("explain", picture, "-m", model, "-o", folder, "--method", "gradient", "-q");
    const char *told = strstr(run.err, "its input, '");
    char name[64];
    cr_assert(told && sscanf(told, "its input, '%63[^']", name) == 1 && name[0] != '/', "%s", run.err);
    cr_assert_code(RUN("attack", picture, "-m", model, "--logits", name, "--eps", "0", "-q"), 1);
}

Test(atled_explain, judges_maps_by_curves_and_shuffled_weights)
{
    const char *picture = write_picture("p.png", 24), *folder = scratch_file("maps"),
               *report = scratch_file("page.html");
    command_run run = RUN("explain", picture, "-o", folder, "--method", "grad-cam,gradient", "--curves", "--sanity",
                          "--report", report, "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "area below insertion 0.");
    cr_assert_mentions(run.out, "softmax_linear ");
    cr_assert_mentions(run.out, "conv1 ");
    assert_shape_of(folder, "p-gradient-curves.npy", ATL_SHAPE(2, 101));
    cr_assert_mentions(whole_file(report), "area below insertion 0.");
}

Test(atled_explain, dreams_of_a_class_and_of_a_channel)
{
    const char *folder = scratch_file("dreams");
    command_run run = RUN("explain", "--dream", "cat", "-o", folder, "--iterations", "40", "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "class 3 'cat', score ");
    assert_shape_of(folder, "dream-cat.png", ATL_SHAPE(24, 24, 3));
    run = RUN("explain", "--dream", "channel:5", "-o", folder, "--iterations", "10", "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "channel 5 of ");
    assert_shape_of(folder, "dream-channel-5.png", ATL_SHAPE(24, 24, 3));
    cr_assert_refused(2, "--dream: there are channels 0..", "explain", "--dream", "channel:5000", "-o", folder);
    cr_assert_refused(2, "'channel:x'", "explain", "--dream", "channel:x", "-o", folder);
}

/* A name that ends like a picture is that of the picture. */
Test(atled_explain, one_picture_and_one_method_go_to_a_file)
{
    const char *picture = write_picture("p.png", 24), *other = write_picture("q.png", 24),
               *file = scratch_file("x.PNG");
    struct stat about;
    command_run run = RUN("explain", picture, "--method", "grad-cam", "-o", file, "-q");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, file);
    const char *folder = scratch_file("maps");
    cr_assert_code(RUN("explain", picture, "--method", "grad-cam", "-o", folder, "-q"), 0);
    atl_tensor *one = atl_read_image(file), *same = output(folder, "p-grad-cam.png");
    cr_assert(one, "%s", atl_error());
    cr_assert_close(one, same, 0);
    atl_tensor_free(one);
    atl_tensor_free(same);
    cr_assert(stat(scratch_file("p-grad-cam.npy"), &about) != 0, "nothing else is written");
    const char *dream = scratch_file("dream.png");
    cr_assert_code(RUN("explain", "--dream", "cat", "--iterations", "2", "-o", dream, "-q"), 0);
    one = atl_read_image(dream);
    cr_assert(one, "%s", atl_error());
    atl_tensor_free(one);
    const char *none = scratch_file("none.png");
    cr_assert_refused(2, "one --method", "explain", picture, "-o", none);
    cr_assert_refused(2, "one picture", "explain", picture, other, "--method", "gradient", "-o", none);
    cr_assert_refused(2, "--curves", "explain", picture, "--method", "gradient", "--curves", "-o", none);
    cr_assert_refused(2, "a single file is a .png", "explain", picture, "--method", "gradient", "-o",
                      scratch_file("none.npy"));
    cr_assert(stat(none, &about) != 0 && stat(scratch_file("none.npy"), &about) != 0);
    cr_assert_eq(mkdir(none, 0777), 0); /* a folder that is there stays one */
    cr_assert_code(RUN("explain", picture, "--method", "gradient", "-o", none, "-q"), 0);
    assert_shape_of(none, "p-gradient.npy", ATL_SHAPE(24, 24, 3));
}

static void assert_others_are_explained(command_run run, const char *folder)
{
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "1 picture could not be read");
    cr_assert_mentions(run.out, "p-gradient.png");
    cr_assert_mentions(run.out, "q-gradient.png");
    assert_shape_of(folder, "q-gradient.npy", ATL_SHAPE(24, 24, 3));
}

Test(atled_explain, an_unreadable_picture_does_not_stop_the_others)
{
    const char *first = write_picture("p.png", 24), *last = write_picture("q.png", 24), *text = scratch_file("bad.png"),
               *folder = scratch_file("maps"), *parts = scratch_file("parts");
    cr_assert_eq(atl_write_bytes(text, "no picture", 10), ATL_OK);
    command_run run = RUN("explain", first, text, last, "--method", "gradient", "-o", folder, "-q");
    assert_others_are_explained(run, folder);
    cr_assert_mentions(run.err, "bad.png");
    run = RUN("explain", first, text, last, "--method", "gradient", "-o", parts, "-q", "--shard", "1/1");
    assert_others_are_explained(run, parts);
    run = RUN("merge", ATL_NAME("%s/shard-1-of-1.jsonl", parts));
    assert_others_are_explained(run, parts);
}

Test(atled_explain, mistakes_are_refused_before_the_work)
{
    const char *picture = write_picture("p.png", 30), *text = scratch_file("text.png"), *folder = scratch_file("maps"),
               *file = scratch_file("file");
    cr_assert_eq(atl_write_bytes(text, "no picture", 10), ATL_OK);
    cr_assert_eq(atl_write_bytes(file, "no folder", 9), ATL_OK);
    cr_assert_refused(2, "PICTURE... is missing", "explain");
    cr_assert_refused(2, "--method", "explain", picture, "--method", "nonsense");
    cr_assert_refused(2, "zebra", "explain", picture, "-o", folder, "-t", "zebra");
    cr_assert_refused(2, "no node 'nowhere'", "explain", picture, "-o", folder, "--layer", "nowhere");
    cr_assert_refused(3, "is 30 x 30, but the network takes 24 x 24", "explain", picture, "-o", folder, "--exact");
    cr_assert_refused(3, "text.png", "explain", text, "-o", folder);
    cr_assert_refused(3, "is not a folder", "explain", picture, "-o", file);
    cr_assert_refused(3, "raise the memory limit", "explain", picture, "-o", folder, "--memory", "0.1");
    cr_assert_refused(2, "squeezenet", "explain", picture, "-o", folder, "-m", "squeezenet");
}
