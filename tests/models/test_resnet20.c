/* Minutes: 5, for ten thousand pictures. */
#include "models/golden.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE, RECORD = 1 + 3 * PIXELS };

typedef struct resnet20 {
    atl_graph *graph;
    atl_node *image, *logits;
} resnet20;

static resnet20 load_resnet20(int64_t batch)
{
    const char *path = data_file("resnet20/resnet20.npz");
    resnet20 net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, SIDE, SIDE, 3));
    net.logits = atl_resnet20(net.image);
    cr_assert(net.logits, "%s", atl_graph_error(net.graph));
    cr_assert(atl_model_load(atl_model_find("resnet20"), net.graph, path) == ATL_OK, "%s", atl_error());
    return net;
}

static void check_golden(int exactly)
{
    atl_npz *npz = open_golden("goldens/resnet20.npz");
    resnet20 net = load_resnet20(4);
    atl_node *top = atl_input(net.graph, "top", ATL_INT32, ATL_SHAPE(4));
    atl_node *input = atl_find(net.graph, "preprocess/result");
    atl_node *slope = atl_gradient(atl_sum(atl_pick(net.logits, top)), input);
    atl_program *program = compiled(net.graph, ATL_NODES(net.logits, input, slope), exactly);
    atl_tensor *pixels = golden_floats(npz, "pixels"), *classes = golden_value(npz, "top");
    cr_assert(atl_run(program, ATL_FEEDS({net.image, pixels}, {top, classes})) == ATL_OK, "%s", atl_error());
    assert_golden(program, input, npz, "input");
    assert_golden(program, net.logits, npz, "logits");
    assert_golden(program, slope, npz, "grad/input");
    assert_no_reference_steps(program);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(classes);
    atl_npz_close(npz);
    atl_graph_free(net.graph);
}

Test(resnet20, golden_values_and_gradient) { check_golden(0); }
Test(resnet20, golden_values_and_gradient_exactly) { check_golden(1); }

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
    enum { BATCH = 100, RECORDS = 10000 };
    FILE *file = fopen(data_file("cifar10/test_batch.bin"), "rb");
    cr_assert(file);
    resnet20 net = load_resnet20(BATCH);
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
    cr_assert(abs(right - 9173) <= 5, "%d of %d are right, not 9173", right, RECORDS);
    assert_no_reference_steps(program);
    fclose(file);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}
