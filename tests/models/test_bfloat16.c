/* Minutes: 5.  What rounding the operands to bfloat16 costs in accuracy, on trained networks; docs/performance.md states it. */
#include "models/golden.h"

/* Where the processor has no bfloat16 the goldens are tested elsewhere. */
static void need_bfloat16(void)
{
    if (!atl_has_bfloat16())
        cr_skip_test("this processor has no instructions for bfloat16");
}

static void assert_within(const atl_program *program, const atl_node *node, const atl_npz *npz, const char *key,
                          double bound)
{
    atl_tensor *expected = golden_value(npz, key);
    double distance = relative_l2(atl_value(program, node), expected);
    cr_expect(distance <= bound && distance > 1e-5, "%s is %.3g from the golden value (relative L2; bound %.3g)", key,
              distance, bound);
    fprintf(stderr, "%-32s %.2g\n", key, distance);
    atl_tensor_free(expected);
}

/* A network on its golden pictures: the logits, and the gradient of the top ones' sum. */
static void check_network(const char *name, const char *weights, const char *golden, const char *input_name,
                          double logits_bound, double gradient_bound)
{
    const atl_model *model = atl_model_find(name);
    atl_npz *npz = open_golden(golden);
    atl_tensor *pixels = golden_floats(npz, "pixels"), *classes = golden_value(npz, "top");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, atl_tensor_shape(pixels)),
             *top = atl_input(g, "top", ATL_INT32, atl_tensor_shape(classes));
    atl_node *logits = model->build(&(atl_model_args){.image = image});
    cr_assert(atl_model_load(model, g, data_file(weights)) == ATL_OK, "%s", atl_error());
    atl_node *slope = atl_gradient(atl_sum(atl_pick(logits, top)), atl_find(g, input_name));
    atl_program *program = atl_compile(g, ATL_NODES(logits, slope), .bfloat16 = 1);
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert(atl_run(program, ATL_FEEDS({image, pixels}, {top, classes})) == ATL_OK, "%s", atl_error());
    assert_within(program, logits, npz, "logits", logits_bound);
    assert_within(program, slope, npz, "grad/input", gradient_bound);
    assert_no_reference_steps(program);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(classes);
    atl_npz_close(npz);
    atl_graph_free(g);
}

Test(bfloat16, squeezenet)
{
    need_bfloat16();
    check_network("squeezenet", "squeezenet/squeezenet_v1_1.npz", "goldens/squeezenet_v1_1.npz", "bgr", 0.02, 0.4);
}
Test(bfloat16, resnet20)
{
    need_bfloat16();
    check_network("resnet20", "resnet20/resnet20.npz", "goldens/resnet20.npz", "preprocess/result", 0.03, 0.4);
}

static int count_right(atl_program *program, const atl_node *image, const atl_node *top, const atl_dataset *data)
{
    int right = 0, last = 0;
    atl_batches *batches = atl_batches_new(data, .size = 250);
    cr_assert(batches, "%s", atl_error());
    while (!last) {
        const atl_batch *batch = atl_batches_next(batches);
        cr_assert(atl_run(program, ATL_FEED(image, batch->images)) == ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < batch->count; i++)
            right += atl_ints(atl_value(program, top))[i] == atl_ints(batch->labels)[i];
        last = batch->last;
    }
    atl_batches_free(batches);
    return right;
}

/* 9173 pictures are right in float32. */
Test(bfloat16, accuracy_of_resnet20, .timeout = 300)
{
    need_bfloat16();
    data_file("cifar10/test_batch.bin"); /* or skip */
    char *folder = strdup(data_file("cifar10"));
    atl_dataset *data = atl_dataset_open(folder, ATL_TEST);
    cr_assert(data, "%s", atl_error());
    const atl_model *model = atl_model_find("resnet20");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 32, 32, 3));
    atl_node *top = atl_argmax(model->build(&(atl_model_args){.image = image}), -1);
    cr_assert(atl_model_load(model, g, data_file("resnet20/resnet20.npz")) == ATL_OK, "%s", atl_error());
    atl_program *program = atl_compile(g, ATL_NODES(top), .bfloat16 = 1);
    int right = count_right(program, image, top, data);
    fprintf(stderr, "%d of 10000 are right; 9173 in float32\n", right);
    cr_expect(abs(right - 9173) <= 30);
    atl_program_free(program);
    atl_graph_free(g);
    atl_dataset_free(data);
    free(folder);
}
