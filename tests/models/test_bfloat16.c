/* Minutes: 5.  The loss of accuracy when operands are rounded to bfloat16, on trained networks; docs/performance.md
 * states it. */
#include "models/golden.h"

/* On processors without bfloat16, other tests cover the golden values. */
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

static int64_t top_of(const float *scores, int64_t count)
{
    int64_t top = 0;
    for (int64_t i = 1; i < count; i++)
        top = scores[i] > scores[top] ? i : top;
    return top;
}

/* Every image is classified as in float64. */
static void assert_same_tops(const atl_tensor *logits, const atl_npz *npz)
{
    atl_tensor *expected = golden_value(npz, "logits");
    atl_shape shape = atl_tensor_shape(logits);
    for (int64_t i = 0; i < shape.size[0]; i++)
        cr_expect_eq(top_of(atl_floats(logits) + i * shape.size[1], shape.size[1]),
                     top_of(atl_floats(expected) + i * shape.size[1], shape.size[1]), "picture %d", (int)i);
    fprintf(stderr, "%d pictures\n", (int)shape.size[0]);
    atl_tensor_free(expected);
}

static void check_network(const char *name, const char *weights, const char *golden, const char *input,
                          double logits_bound, double gradient_bound)
{
    golden_run run = run_golden(name, weights, golden, input, 0, 1);
    assert_within(run.program, run.net.logits, run.npz, "logits", logits_bound);
    assert_within(run.program, run.slope, run.npz, "grad/input", gradient_bound);
    assert_same_tops(atl_value(run.program, run.net.logits), run.npz);
    end_golden(&run);
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

enum { BATCHES = FEWER(40, 2) }; /* of the 10,000 images */

static int count_right(atl_program *program, const atl_node *image, const atl_node *top, const atl_dataset *data)
{
    int right = 0;
    atl_batches *batches = atl_batches_new(data, .size = 250);
    cr_assert(batches, "%s", atl_error());
    for (int b = 0; b < BATCHES; b++) {
        const atl_batch *batch = atl_batches_next(batches);
        cr_assert(atl_run(program, ATL_FEED(image, batch->images)) == ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < batch->count; i++)
            right += atl_ints(atl_value(program, top))[i] == atl_ints(batch->labels)[i];
    }
    atl_batches_free(batches);
    return right;
}

/* 9173 images are classified correctly in float32. */
Test(bfloat16, accuracy_of_resnet20, .timeout = 300)
{
    need_bfloat16();
    data_file("cifar10/test_batch.bin"); /* or skip */
    char *folder = strdup(data_file("cifar10"));
    atl_dataset *data = atl_dataset_open(folder, ATL_TEST);
    cr_assert(data, "%s", atl_error());
    trained_net net = load_net("resnet20", "resnet20/resnet20.npz", 250);
    atl_node *top = atl_argmax(net.logits, -1);
    atl_program *program = atl_compile(net.graph, ATL_NODES(top), .bfloat16 = 1);
    int right = count_right(program, net.image, top, data);
    const int expected = FEWER(9173, 455), apart = FEWER(30, 2); /* expected: in float32 */
    fprintf(stderr, "%d of %d are right; %d in float32\n", right, 250 * BATCHES, expected);
    cr_expect(abs(right - expected) <= apart);
    atl_program_free(program);
    atl_graph_free(net.graph);
    atl_dataset_free(data);
    free(folder);
}
