/* One call, atl_error(), has the message of every kind of failure: builders, compilation, runs, files, attacks, ONNX,
 * training.  Each row fails once, with the message emptied before. */
#include "support.h"

static atl_graph *g, *other;
static atl_node *x, *y, *labels, *weights;
static atl_program *program;
static atl_tensor *value, *wrong_shape, *whole_numbers;
static atl_fooler *fooler;
static char scratch[2][600];

static const char *in_scratch(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s", scratch_file(name));
    return path;
}

static void open_all(void)
{
    g = atl_graph_new();
    other = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
    labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(2));
    weights = atl_variable(g, "weights", ATL_SHAPE(3, 4), atl_he());
    y = atl_named(atl_matmul(x, weights), "y");
    program = atl_compile(g, ATL_NODES(y), .threads = 1);
    value = atl_uniform_tensor(ATL_SHAPE(2, 3), -1, 1, 1);
    wrong_shape = atl_uniform_tensor(ATL_SHAPE(3, 3), -1, 1, 1);
    whole_numbers = atl_tensor_new(ATL_INT32, ATL_SHAPE(2, 3));
    atl_node *image = atl_input(other, "image", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3));
    fooler = atl_fooler_new(image, atl_mlp(image));
    cr_assert(program && fooler, "%s", atl_error());
    snprintf(scratch[0], sizeof scratch[0], "%s", in_scratch("no/such/folder/file"));
    snprintf(scratch[1], sizeof scratch[1], "%s", in_scratch("text.npz"));
    FILE *file = fopen(scratch[1], "w");
    fputs("this is text and no archive, no picture, no model", file);
    fclose(file);
}

static void close_all(void)
{
    atl_fooler_free(fooler);
    atl_program_free(program);
    atl_tensor_free(value);
    atl_tensor_free(wrong_shape);
    atl_tensor_free(whole_numbers);
    atl_graph_free(g);
    atl_graph_free(other);
}

/* ---- one function for each way to fail; true: it failed ---------------------------------------------------------- */

static bool silent_infer(atl_node *node) { return (void)node, false; }
static const atl_op silent = {.name = "silent", .arity = 1, .infer = silent_infer};
static bool stop_at_once(void *context, const atl_fool_progress *now) { return (void)context, (void)now, true; }

static atl_program *after_a_builder(void)
{
    atl_node *bad = atl_add(x, y);
    atl_read_npy("no such file"); /* an unrelated failure, whose message must not hide the first */
    return atl_compile(g, ATL_NODES(atl_relu(bad)));
}

static atl_status run_not_finite(void)
{
    atl_program *checked = atl_compile(g, ATL_NODES(atl_check_finite(atl_log(atl_scale(atl_square(x), -1)))));
    atl_status status = atl_run(checked, ATL_FEED(x, value));
    atl_program_free(checked);
    return status;
}

static bool no_value_after_a_failed_run(void)
{
    atl_run(program, ATL_FEED(x, wrong_shape));
    return !atl_value(program, y);
}

static bool no_scalar_of_another_node(void)
{
    atl_run(program, ATL_FEED(x, value));
    atl_set_error(ATL_OK, "%s", "");
    return isnan(atl_scalar_of(program, labels));
}

static atl_npz *archive_with_x(void)
{
    cr_assert_eq(atl_write_npz(in_scratch("x.npz"), 1, &(atl_npz_entry){"x", value}), ATL_OK, "%s", atl_error());
    return atl_npz_open(in_scratch("x.npz"));
}

static bool no_such_entry(void)
{
    atl_npz *npz = archive_with_x();
    atl_set_error(ATL_OK, "%s", "");
    atl_tensor *read = atl_npz_read(npz, "y");
    atl_npz_close(npz);
    return !read;
}

static atl_status load_another_network(void)
{
    atl_npz_close(archive_with_x());
    return atl_load_npz(g, in_scratch("x.npz"));
}

static atl_batches *batches_larger_than_images(void)
{
    atl_tensor *images = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 4, 4, 1));
    atl_tensor *classes = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    atl_dataset *data = atl_dataset_of(images, classes);
    atl_batches *batches = atl_batches_new(data, .height = 9, .width = 9);
    atl_dataset_free(data);
    atl_tensor_free(images);
    atl_tensor_free(classes);
    return batches;
}

static atl_status fool_class_99(void)
{
    atl_fool_result result;
    return atl_fool(fooler, .target = 99, .result_out = &result);
}

static atl_status write_noise(void)
{
    return atl_onnx_write(in_scratch("noise.onnx"), ATL_NODES(atl_uniform_noise(x)));
}

static atl_status copy_to_more(void)
{
    atl_variable(g, "more", ATL_SHAPE(2), atl_zeros());
    return atl_copy_variables(g, other, false);
}

static atl_status gradient_of_nothing(void)
{
    atl_node *gradient;
    return atl_gradients(ATL_NODES(y), ATL_NODES(NULL), &gradient);
}

static bool large_jacobian(void)
{
    atl_node *big = atl_input(g, "big", ATL_FLOAT32, ATL_SHAPE(5000));
    return !atl_jacobian(big, big);
}

static atl_status check_without_feeds(void)
{
    atl_gradient_check check;
    return atl_check_gradient(y, ATL_NODES(x), ATL_NO_FEEDS, .result_out = &check);
}

static atl_status twice_assigned(void)
{
    return atl_compile(g, ATL_NODES(atl_assign(weights, weights), atl_assign(weights, atl_neg(weights)))) == NULL;
}

#define WAY(about, failure, text)                                                                                      \
    if (is_way(about))                                                                                                 \
    expect_words(about, failure, text)

static int passed, wanted;
static bool is_way(const char *about)
{
    (void)about;
    if (passed++ != wanted)
        return false;
    atl_set_error(ATL_OK, "%s", "");
    return true;
}

static void expect_words(const char *about, bool failed, const char *text)
{
    cr_expect(failed, "%s: did not fail", about);
    cr_expect(strstr(atl_error(), text), "%s: atl_error() is \"%s\", which does not mention \"%s\"", about, atl_error(),
              text);
    cr_expect(atl_error_status() != ATL_OK, "%s: the status of the message is ATL_OK", about);
    const char *kept = atl_graph_error(g);
    cr_expect(!*kept || !strcmp(kept, atl_error()), "%s: the graph says \"%s\", atl_error() \"%s\"", about, kept,
              atl_error());
}

static void graph_ways(void)
{
    WAY("shapes of a builder", !atl_add(x, y), "[2, 4]");
    WAY("type of a builder", !atl_add(x, labels), "int32");
    WAY("an option that is not the builder's", !atl_uniform_noise(x, .deviation = 2), ".deviation");
    WAY("an op of the user's", !atl_apply(&silent, x), "silent");
    WAY("an empty list", !atl_group_with((atl_nodes){0, NULL}), "group");
    WAY("a null list", !atl_concat_with(0, (atl_nodes){2, NULL}), "null");
    WAY("no shape", !atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(-3)), "-3");
    WAY("a scope that was not entered", (atl_leave(g), *atl_graph_error(g) != 0), "atl_enter");
    WAY("a long name", !ATL_NAME("%300d", 1), "255");
    WAY("null for a node", !atl_relu(atl_find(g, "nothing")), "relu: the node is null");
    WAY("a Jacobian by null", !atl_jacobian(y, NULL), "jacobian: the node is null");
    WAY("a null node", !atl_compile(g, ATL_NODES(atl_relu(atl_find(g, "nothing")))), "null");
    WAY("no path", !atl_gradient(y, atl_input(g, "apart", ATL_FLOAT32, ATL_SCALAR)), "no path");
    WAY("a gradient by whole numbers", !atl_gradient(y, labels), "int32");
    WAY("a gradient by null", gradient_of_nothing(), "null");
    WAY("a large Jacobian", large_jacobian(), "5000");
    WAY("a check without feeds", check_without_feeds(), "x");
    WAY("a value of another shape", atl_variable_assign(weights, value), "[3, 4]");
    WAY("a cost that is no scalar", !atl_minimize(y, atl_sgd()), "single number");
    WAY("an option that is not the optimizer's", !atl_minimize(atl_mean(y), atl_sgd(.momentum = 0.9)), ".momentum");
    WAY("a variable that is not there", copy_to_more(), "no variable");
    WAY("a network's widths", !atl_lenet(atl_input(g, "i", ATL_FLOAT32, ATL_SHAPE(1, 28, 28, 1)), .widths = {[7] = 3}),
        ".widths[7]");
    WAY("an image of another rank", !atl_vgg16(x), "[2, 3]");
}

static void program_ways(void)
{
    WAY("a graph with an error", !after_a_builder(), "add: ");
    WAY("no graph", !atl_compile(NULL, {0}), "output");
    WAY("no output", !atl_compile(g, {0}), "output");
    WAY("an output of another graph", !atl_compile(other, ATL_NODES(y)), "another graph");
    WAY("too many threads", !atl_compile(g, ATL_NODES(y), .threads = -2), "-2 threads");
    WAY("two assignments", twice_assigned(), "weights");
    WAY("no feed", atl_run(program, ATL_NO_FEEDS), "'x'");
    WAY("a feed of another shape", atl_run(program, ATL_FEED(x, wrong_shape)), "[3, 3]");
    WAY("a feed of another type", atl_run(program, ATL_FEED(x, whole_numbers)), "int32");
    WAY("an input fed twice", atl_run(program, ATL_FEEDS({x, value}, {x, value})), "'x'");
    WAY("the reference with an input fed twice", !atl_reference_run(ATL_NODES(y), ATL_FEEDS({x, value}, {x, value})),
        "'x'");
    WAY("a feed of no input", atl_run(program, ATL_FEEDS({x, value}, {y, value})), "y");
    WAY("no program", atl_run(NULL, ATL_NO_FEEDS), "null");
    WAY("not finite", run_not_finite() != ATL_OK, "finite");
    WAY("no context", !atl_context_new(NULL), "null");
    WAY("the reference without a feed", !atl_reference_run(ATL_NODES(y), ATL_NO_FEEDS), "'x'");
    WAY("a value before a run", !atl_value(program, y), "run");
    WAY("a value after a failed run", no_value_after_a_failed_run(), "[3, 3]");
    WAY("a value that is no output", no_scalar_of_another_node(), "labels");
    WAY("a profile that was not made", atl_program_write_profile(program, stderr, ATL_PROFILE_JSON, NULL), "profile");
}

static void tensor_and_file_ways(void)
{
    WAY("no size", !atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(ATL_ANY)), "?");
    WAY("no data", !atl_tensor_of_floats(ATL_SCALAR, NULL), "null");
    WAY("no tensor", !atl_tensor_copy(NULL), "null");
    WAY("no array", !atl_read_npy("no such file"), "no such file");
    WAY("no folder", atl_write_npy(scratch[0], value), "no/such/folder");
    WAY("no archive", !atl_npz_open("no such file"), "no such file");
    WAY("text for an archive", !atl_npz_open(scratch[1]), "text.npz");
    WAY("no entry", no_such_entry(), "'y'");
    WAY("no entries", atl_write_npz(in_scratch("none.npz"), 0, NULL), "none.npz");
    WAY("weights of another network", load_another_network(), "weights");
    WAY("an option of the other direction", atl_save_npz(g, in_scratch("w.npz"), .allow_extra = true), ".allow_extra");
    WAY("no picture", !atl_read_image("no such file"), "no such file");
    WAY("text for a picture", !atl_read_image(scratch[1]), "text.npz");
    WAY("a picture of whole numbers", atl_write_png(in_scratch("a.png"), whole_numbers), "int32");
    WAY("no data set", !atl_dataset_open("no such folder", ATL_TRAINING), "no such folder");
    WAY("a crop larger than the images", !batches_larger_than_images(), "9");
    WAY("no weights of a model", atl_model_load(atl_model_find("lenet"), g, "no such file"), "no such file");
    WAY("a drawing without a folder", atl_write_dot(g, scratch[0]), "no/such/folder");
    WAY("a drawing of a node of another graph", atl_write_dot(other, in_scratch("a.dot"), .from = x),
        "is not of the graph");
}

static void attack_and_onnx_ways(void)
{
    WAY("a fooler without logits", !atl_fooler_new(x, NULL), "logits");
    WAY("a fooler of a matrix", !atl_fooler_new(x, y), "[2, 3]");
    WAY("no such class", fool_class_99(), "99");
    WAY("no result", atl_fool(fooler, .watch = stop_at_once), ".result_out");
    WAY("a picture of another size", !atl_fooler_classify(fooler, value), "[2, 3]");
    WAY("a gradient for no class", !atl_fooler_gradient(fooler, value, -1), "-1");
    WAY("gradients of another shape", atl_descend(value, wrong_shape, .rate = 1), "[3, 3]");
    WAY("moments without Adam", atl_descend(value, value, .rate = 1, .moments = {value, value}), ".moments");
    WAY("no model", !atl_onnx_load(other, "no such file"), "no such file");
    WAY("text for a model", !atl_onnx_load(other, scratch[1]), "text.npz");
    WAY("two sources of a model", !atl_onnx_load(other, scratch[1], "bytes", 5), "either");
    WAY("an op that ONNX lacks", write_noise(), "uniform_noise");
    WAY("no tensor of ONNX", !atl_read_onnx_tensor("no such file"), "no such file");
}

/* Each way on new graphs, because a graph keeps its first error. */
Test(error_words, one_call_has_the_words_of_every_failure, .timeout = 120)
{
    for (wanted = 0;; wanted++) {
        passed = 0;
        open_all();
        graph_ways();
        program_ways();
        tensor_and_file_ways();
        attack_and_onnx_ways();
        close_all();
        if (wanted >= passed)
            break;
    }
    cr_assert_gt(wanted, 60);
}
