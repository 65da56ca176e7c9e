/* Minutes: 5, for ten thousand images (under sanitizers three hundred). */
#include "models/golden.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE, RECORD = 1 + 3 * PIXELS };

static void check(unsigned without)
{
    check_trained_network("resnet20", "resnet20/resnet20.npz", "goldens/resnet20.npz", "preprocess/result", without);
}

Test(resnet20, golden_values_and_gradient) { check(0); }
Test(resnet20, golden_values_and_gradient_exactly) { check(ATL_PASS_WINOGRAD); }

/* One record: the label, then the red plane, the green, the blue. */
static int unpack(const unsigned char *record, float *pixels)
{
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = record[1 + c * PIXELS + i];
    return record[0];
}

Test(resnet20, accuracy_on_the_test_batch, .timeout = 300)
{
    enum { BATCH = 100, RECORDS = FEWER(10000, 300) };
    FILE *file = fopen(data_file("cifar10/test_batch.bin"), "rb");
    cr_assert(file);
    trained_net net = load_net("resnet20", "resnet20/resnet20.npz", BATCH);
    atl_node *top = atl_argmax(net.logits, -1);
    atl_program *program = compiled(net.graph, ATL_NODES(top), 0);
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(BATCH, SIDE, SIDE, 3));
    static unsigned char record[RECORD];
    int right = 0, label[BATCH];
    for (int done = 0; done < RECORDS; done += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            cr_assert(fread(record, sizeof record, 1, file) == 1);
            label[i] = unpack(record, atl_floats(pixels) + (size_t)i * 3 * PIXELS);
        }
        cr_assert(atl_run(program, ATL_FEED(net.image, pixels)) == ATL_OK, "%s", atl_error());
        for (int i = 0; i < BATCH; i++)
            right += atl_ints(atl_value(program, top))[i] == label[i];
    }
    fprintf(stderr, "%d of %d are right\n", right, RECORDS);
    const int expected = FEWER(9173, 274), apart = FEWER(5, 1); /* expected: in PyTorch */
    cr_assert(abs(right - expected) <= apart, "%d of %d are right, not %d", right, RECORDS, expected);
    assert_no_reference_steps(program);
    fclose(file);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}
