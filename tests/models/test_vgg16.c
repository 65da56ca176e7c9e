#include "models/golden.h"

/* Narrow layers, 64 x 64: widths and image size are read from the archive. */
static void check_narrow(int exactly)
{
    const char *path = data_file("goldens/vgg16_narrow.npz");
    const atl_model *model = atl_model_find("vgg16");
    atl_npz *npz = open_golden("goldens/vgg16_narrow.npz");
    atl_model_size size;
    cr_assert(atl_model_size_of(model, path, &size) == ATL_OK);
    cr_assert_eq(size.height, 64);
    cr_assert_eq(size.widths[0], 6);
    cr_assert_eq(size.classes, 20);

    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, size.height, size.width, 3));
    atl_model_args args = {.image = image,
                           .mean = {123.68f, 116.779f, 103.939f},
                           .scale = {1 / 64.0f, 1 / 64.0f, 1 / 64.0f}};
    memcpy(args.widths, size.widths, sizeof args.widths);
    atl_node *logits = model->build(&args);
    atl_node *prob = atl_softmax(logits);
    atl_tensor *ones = atl_tensor_of_ints(ATL_SHAPE(2), (const int32_t[]){1, 1});
    atl_node *mse = atl_mean_squared_error(prob, atl_one_hot(atl_constant(g, ones), 20));
    atl_node *cross_entropy = atl_mean(atl_softmax_cross_entropy(logits, .label = 1));
    atl_node *grad_mse = atl_gradient(mse, image), *grad_cross_entropy = atl_gradient(cross_entropy, image);

    cr_assert(atl_load_npz(g, path, .suffixes = {"_W", "_b"}, .allow_missing = 1, .allow_extra = 1) == ATL_OK, "%s",
              atl_error());
    atl_program *program =
        compiled(g, ATL_NODES(logits, prob, mse, cross_entropy, grad_mse, grad_cross_entropy), exactly);
    atl_tensor *pixels = golden_value(npz, "image");
    cr_assert(atl_run(program, ATL_FEED(image, pixels)) == ATL_OK, "%s", atl_error());
    assert_golden(program, logits, npz, "logits");
    assert_golden(program, prob, npz, "prob");
    assert_golden(program, mse, npz, "mse");
    assert_golden(program, cross_entropy, npz, "cross_entropy");
    assert_golden(program, grad_mse, npz, "grad_mse/image");
    assert_golden(program, grad_cross_entropy, npz, "grad_cross_entropy/image");
    assert_no_reference_steps(program);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(ones);
    atl_npz_close(npz);
    atl_graph_free(g);
}

Test(vgg16, golden_values_and_gradients_of_both_losses) { check_narrow(0); }
Test(vgg16, golden_values_and_gradients_of_both_losses_exactly) { check_narrow(1); }
